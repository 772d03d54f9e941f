//! The Hub as a Bridge sees it: `/internal/*` with the service token. It brings bytes and believes none of them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, Utc};
use opentelemetry::{global, propagation::Injector};
use reqwest::{Certificate, Client, RequestBuilder, StatusCode, Url, header, redirect};
use santokit_core::{
    release::{Digest, SignedRelease, verify::MANIFEST_BYTES_MAX},
    wire::{Current, Report, RuntimeBundle},
};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use tracing::{Instrument, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::config::{BridgeConfig, EnvName};

/// Largest pointer or runtime bundle.
const SMALL_BYTES_MAX: usize = 4 << 20;

/// The Hub's client.
#[derive(Clone, Debug)]
pub struct HubClient {
    client: Client,
    base: Url,
    token: SecretString,
    timeout: Duration,
}

/// An answer to a question with an ETag.
#[derive(Clone, Debug)]
pub enum Conditional<T> {
    /// Something else than what the ETag stood for, with the new ETag.
    New(T, Option<String>),
    /// What it was.
    Unchanged,
    /// There is none.
    Absent,
}

/// Why the Hub could not be asked. It may be different the next time.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody answered, or not in time.
    #[error("the Hub did not answer")]
    Away(#[source] reqwest::Error),
    /// The Hub said no.
    #[error("the Hub answered {status} to {what}{hint}")]
    Status {
        /// Of the answer.
        status: StatusCode,
        /// What was asked for.
        what: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// The answer is not what it should be.
    #[error("the Hub's answer to {what} {why}")]
    Answer {
        /// What was asked for.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl FetchError {
    /// Whether there was an answer, and it cannot be used.
    pub fn is_wrong(&self) -> bool {
        match self {
            Self::Away(_) => false,
            Self::Answer { .. } => true,
            Self::Status { status, .. } => *status == StatusCode::INTERNAL_SERVER_ERROR || status.is_client_error(),
        }
    }
}

/// Why there is no client for the Hub.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The file of authorities cannot be read.
    #[error("cannot read {path}; see STK_BRIDGE_HUB_CA_FILE")]
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

impl HubClient {
    /// A client for the configured Hub. It follows no redirect, so that the token goes nowhere else.
    pub fn new(config: &BridgeConfig) -> Result<Self, ClientError> {
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(config.hub_timeout)
            .user_agent(concat!("santokit-bridge/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &config.hub_ca_file {
            builder = builder.tls_certs_only(authorities(path)?);
        }
        let client = builder.build().map_err(ClientError::Build)?;
        let (base, token) = (config.hub_url.clone(), config.service_token.clone());
        Ok(Self { client, base, token, timeout: config.hub_timeout })
    }

    /// Which release is current; waits up to `wait` for it to differ from `etag`.
    pub async fn current(
        &self,
        env: &EnvName,
        etag: Option<&str>,
        wait: Duration,
    ) -> Result<Conditional<Current>, FetchError> {
        let query =
            [("project", env.project.clone()), ("env", env.env.clone()), ("wait", format!("{}ms", wait.as_millis()))];
        let request =
            self.get("current", &["internal", "releases", "current"])?.query(&query).timeout(wait + self.timeout);
        self.conditional("releases/current", request, etag).await
    }

    /// What is no release but is needed to run one.
    pub async fn runtime(&self, env: &EnvName, etag: Option<&str>) -> Result<Conditional<RuntimeBundle>, FetchError> {
        let request = self.get("runtime", &["internal", "runtime", &env.project, &env.env])?.timeout(self.timeout);
        self.conditional("runtime", request, etag).await
    }

    /// A release by its id.
    pub async fn release(&self, id: &str) -> Result<SignedRelease, FetchError> {
        let what = "releases/{id}";
        let request = self.get(what, &["internal", "releases", id])?.timeout(self.timeout * 4);
        // Twice: the manifest travels as a JSON string.
        let bytes = read(what, send(what, request).await?, 2 * MANIFEST_BYTES_MAX).await?;
        parse(what, &bytes)
    }

    /// A blob of known size.
    pub async fn blob(&self, digest: &Digest, size: u64) -> Result<Vec<u8>, FetchError> {
        let what = "blobs/{digest}";
        // A slow but living line is given time: a minute for each 8 MiB.
        let timeout =
            self.timeout + Duration::from_mins(1) * u32::try_from(size >> 23).unwrap_or(u32::MAX).saturating_add(1);
        let request = self.get(what, &["internal", "blobs", digest.as_str()])?.timeout(timeout);
        let bytes = read(what, send(what, request).await?, usize::try_from(size).unwrap_or(usize::MAX)).await?;
        if digest.matches(&bytes) {
            Ok(bytes)
        } else {
            Err(FetchError::Answer { what, why: format!("does not have digest {digest}") })
        }
    }

    /// Whether the Hub takes the token: the status, and the Hub's time.
    pub async fn health(&self) -> Result<(StatusCode, Option<DateTime<Utc>>), FetchError> {
        let what = "healthz";
        let response = ask(what, self.get(what, &["internal", "healthz"])?.timeout(self.timeout)).await?;
        let date = response.headers().get(header::DATE).and_then(|value| value.to_str().ok());
        let date = date.and_then(|text| DateTime::parse_from_rfc2822(text).ok()).map(|date| date.to_utc());
        Ok((response.status(), date))
    }

    /// Tells the Hub what runs.
    pub async fn report(&self, id: &str, report: &Report) -> Result<(), FetchError> {
        let what = "bridges/{id}/report";
        let url = self.url(what, &["internal", "bridges", id, "report"])?;
        let request = self.client.post(url).bearer_auth(self.token.expose_secret()).timeout(self.timeout).json(report);
        send(what, request).await.map(drop)
    }

    async fn conditional<T: DeserializeOwned>(
        &self,
        what: &'static str,
        mut request: RequestBuilder,
        etag: Option<&str>,
    ) -> Result<Conditional<T>, FetchError> {
        if let Some(etag) = etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let response = ask(what, request).await?;
        match response.status() {
            StatusCode::NOT_MODIFIED => return Ok(Conditional::Unchanged),
            StatusCode::NOT_FOUND => return Ok(Conditional::Absent),
            _ => {}
        }
        let response = accepted(what, response)?;
        let etag = response.headers().get(header::ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bytes = read(what, response, SMALL_BYTES_MAX).await?;
        Ok(Conditional::New(parse(what, &bytes)?, etag))
    }

    fn get(&self, what: &'static str, segments: &[&str]) -> Result<RequestBuilder, FetchError> {
        let url = self.url(what, segments)?;
        Ok(self.client.get(url).bearer_auth(self.token.expose_secret()))
    }

    fn url(&self, what: &'static str, segments: &[&str]) -> Result<Url, FetchError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| FetchError::Answer { what, why: "cannot be asked for: hubUrl has no path".to_owned() })?
            .pop_if_empty()
            .extend(segments);
        Ok(url)
    }
}

async fn send(what: &'static str, request: RequestBuilder) -> Result<reqwest::Response, FetchError> {
    accepted(what, ask(what, request).await?)
}

/// Asks as a span of its own, which the Hub's continues.
async fn ask(what: &'static str, request: RequestBuilder) -> Result<reqwest::Response, FetchError> {
    let (client, request) = request.build_split();
    let mut request = request.map_err(|error| FetchError::Away(error.without_url()))?;
    let span = tracing::debug_span!(
        "hub.call",
        otel.kind = "client",
        otel.status_code = Empty,
        error.type = Empty,
        http.request.method = request.method().as_str(),
        url.template = what,
        http.response.status_code = Empty,
    );
    let mut trace = Injected(request.headers_mut());
    global::get_text_map_propagator(|propagator| propagator.inject_context(&span.context(), &mut trace));
    let answer = client.execute(request).instrument(span.clone()).await;
    match &answer {
        Ok(response) => {
            let status = response.status();
            span.record("http.response.status_code", i64::from(status.as_u16()));
            if status.is_client_error() || status.is_server_error() {
                span.record("otel.status_code", "error").record("error.type", status.as_str());
            }
        }
        Err(error) => {
            let kind = if error.is_timeout() { "timeout" } else { "unreachable" };
            span.record("otel.status_code", "error").record("error.type", kind);
        }
    }
    answer.map_err(|error| FetchError::Away(error.without_url()))
}

/// Trace headers, as OpenTelemetry's propagator writes them.
struct Injected<'a>(&'a mut header::HeaderMap);

impl Injector for Injected<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (key.parse::<header::HeaderName>(), value.parse()) {
            self.0.insert(name, value);
        }
    }
}

fn accepted(what: &'static str, response: reqwest::Response) -> Result<reqwest::Response, FetchError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let hint = match status {
        StatusCode::UNAUTHORIZED => ": the serviceToken is not valid",
        StatusCode::FORBIDDEN => ": the serviceToken is not for this env",
        _ => "",
    };
    Err(FetchError::Status { status, what, hint })
}

async fn read(what: &'static str, mut response: reqwest::Response, max: usize) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| FetchError::Away(error.without_url()))? {
        if bytes.len() + chunk.len() > max {
            return Err(FetchError::Answer { what, why: format!("is larger than {max} bytes") });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The parser's message could quote a secret, so only its place is told.
fn parse<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, FetchError> {
    serde_json::from_slice(bytes).map_err(|error| FetchError::Answer {
        what,
        why: format!("cannot be read (line {}, column {})", error.line(), error.column()),
    })
}

/// Only these are believed: a private authority is there so that no other one counts.
fn authorities(path: &Path) -> Result<Vec<Certificate>, ClientError> {
    let pem = fs::read(path).map_err(|source| ClientError::Read { path: path.to_owned(), source })?;
    let none = || ClientError::NoCertificate { path: path.to_owned() };
    let found = Certificate::from_pem_bundle(&pem).map_err(|_| none())?;
    if found.is_empty() { Err(none()) } else { Ok(found) }
}
