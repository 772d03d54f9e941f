//! Outbound requests of logics: over https, to what the release grants and nothing else, and to public addresses unless the operator says
//! otherwise. Everything is checked at every step, also of a redirect; what was checked is what is connected to.
//!
//! Proxies of the environment are not used: they would resolve names themselves.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{Certificate, Client, ClientBuilder, redirect};
use santokit_core::logic::HttpGrant;
use santokit_wasm::{HttpBudget, HttpDone, HttpError, HttpRequest};

use crate::{
    config::{EnvName, Network, egress::EgressConfig},
    rehearsal::Rehearsal,
};

pub mod address;
mod exchange;
mod fields;
mod resolve;
mod target;

use exchange::{Exchange, Used};
pub(crate) use resolve::asked_by;
pub use resolve::{Allows, Lookup, Refused};

/// For a connection, however much time the request has.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// A connection that nobody uses is closed.
const IDLE_MAX: Duration = Duration::from_secs(30);
const IDLE_CONNECTIONS_MAX: usize = 8;

/// Sends the requests of all logics of a Bridge.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// None sends nothing.
    client: Option<Client>,
}

/// Under which terms a request is sent.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'t> {
    /// Whose request it is.
    pub env: &'t EnvName,
    /// Of the logic.
    pub grants: &'t [HttpGrant],
    /// What the invocation has left.
    pub budget: HttpBudget,
    /// When the invocation ends.
    pub deadline: Instant,
    /// A test's answers, which are instead of the network's.
    pub rehearsal: Option<&'t Rehearsal>,
}

/// Why requests cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The file of authorities cannot be read.
    #[error("cannot read {path}; see STK_BRIDGE_EGRESS_CA_FILE")]
    Read {
        /// As configured.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No certificate is in it.
    #[error("{path} has no certificate; it must be PEM, with BEGIN CERTIFICATE")]
    NoCertificate {
        /// As configured.
        path: PathBuf,
    },
    /// The library refuses the settings.
    #[error("the library refuses its settings")]
    Build(#[source] reqwest::Error),
}

impl Egress {
    /// With the system's resolver.
    pub fn new(config: &EgressConfig) -> Result<Self, EgressError> {
        Self::with_lookup(config, Lookup::system())
    }

    /// With another one.
    pub fn with_lookup(config: &EgressConfig, lookup: Lookup) -> Result<Self, EgressError> {
        let opened = config.allow_private.clone();
        let builder = client(lookup, opened, address::may_connect, config.ca_file.as_deref())?.https_only(true);
        Ok(Self { client: Some(builder.build().map_err(EgressError::Build)?) })
    }

    /// Sends a request, and those to which it is redirected. Dropped, it stops.
    pub async fn send(&self, request: HttpRequest, terms: Terms<'_>) -> HttpDone {
        let asked = request.timeout.map(|timeout| Instant::now() + timeout);
        let ends = asked.unwrap_or(terms.deadline).min(terms.deadline);
        let mut used = Used::default();
        let sending = Exchange { client: self.client.as_ref(), terms, used: &mut used }.run(request);
        let sending = Box::pin(asked_by(terms.env.clone(), sending));
        let answer = match tokio::time::timeout_at(ends.into(), sending).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::Timeout("there was no whole answer in the time that it had".to_owned())),
        };
        HttpDone { answer, requests: used.requests, bytes: used.bytes }
    }
}

/// What all that a Bridge sends on behalf of a project has in common: where it may go, and that it goes nowhere else.
pub fn client(
    lookup: Lookup,
    opened: Vec<Network>,
    allows: Allows,
    ca_file: Option<&Path>,
) -> Result<ClientBuilder, EgressError> {
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .http1_only()
        .referer(false)
        .connect_timeout(CONNECT_MAX)
        .pool_idle_timeout(IDLE_MAX)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .dns_resolver(Arc::new(resolve::Checked::new(lookup, opened, allows)));
    match ca_file {
        None => Ok(builder),
        Some(path) => Ok(builder.tls_certs_merge(authorities(path)?)),
    }
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, EgressError> {
    let pem = fs::read(path).map_err(|source| EgressError::Read { path: path.to_owned(), source })?;
    let none = || EgressError::NoCertificate { path: path.to_owned() };
    let found = Certificate::from_pem_bundle(&pem).map_err(|_| none())?;
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

#[cfg(test)]
mod tests;
