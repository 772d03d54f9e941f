//! Names to addresses, of which only those are left that may be connected to. The client connects to what is answered here and asks
//! nobody else, so that a name cannot mean one address when it is checked and another when it is used.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::config::{EnvName, Network};

mod places;

#[cfg(test)]
pub(super) use places::ENV_MAX as ENV_LOOKUPS_MAX;
use places::{Place, Places};

type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;
/// It holds its place as long as it takes a thread, also where nobody waits any more.
type Look = dyn Fn(String, Place) -> Looking + Send + Sync;

tokio::task_local! {
    /// Who is asking. The client knows a name and nothing else; it has it looked up in the task of the request.
    static ASKING: EnvName;
}

/// Looks a name up.
#[derive(Clone)]
pub struct Lookup {
    look: Arc<Look>,
    places: Arc<Places>,
}

/// The name leads to no address that may be connected to.
#[derive(Debug, thiserror::Error)]
#[error("every address of the host is refused")]
pub struct Refused;

/// Which addresses may be connected to, by what the operator has opened.
pub type Allows = fn(IpAddr, &[Network]) -> bool;

/// The resolver of the client.
pub(super) struct Checked {
    lookup: Lookup,
    opened: Arc<[Network]>,
    allows: Allows,
}

/// Names that are looked up meanwhile are an env's.
pub(crate) fn asked_by<F: Future>(env: EnvName, sending: F) -> impl Future<Output = F::Output> {
    ASKING.scope(env, sending)
}

impl Lookup {
    /// What the system says; but for names below `localhost`, which are this machine's. Not each system knows them, and a server of names may say that
    /// they are elsewhere (RFC 6761, 6.3).
    pub fn system() -> Self {
        Self::with(|name, place| {
            Box::pin(async move {
                if name.trim_end_matches('.').ends_with(".localhost") {
                    return Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
                }
                let looking = tokio::task::spawn_blocking(move || {
                    // Kept to the end of the thread's work.
                    let _place = place;
                    (name.as_str(), 0).to_socket_addrs().map(|all| all.map(|address| address.ip()).collect())
                });
                looking.await.map_err(io::Error::other)?
            })
        })
    }

    /// What a function says.
    pub fn new<F>(lookup: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        Self::with(move |name, place| {
            let looking = lookup(name);
            Box::pin(async move {
                let _place = place;
                looking.await
            })
        })
    }

    fn with(look: impl Fn(String, Place) -> Looking + Send + Sync + 'static) -> Self {
        Self { look: Arc::new(look), places: Arc::default() }
    }

    /// Asked in the task of who waits for it.
    fn look_up(&self, name: String) -> Looking {
        let (look, places) = (Arc::clone(&self.look), Arc::clone(&self.places));
        let env = ASKING.try_with(EnvName::clone).ok();
        Box::pin(async move {
            let place = places.take(env).await.map_err(io::Error::other)?;
            look(name, place).await
        })
    }
}

impl Checked {
    pub(super) fn new(lookup: Lookup, opened: Vec<Network>, allows: Allows) -> Self {
        Self { lookup, opened: opened.into(), allows }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (looking, opened) = (self.lookup.look_up(name.as_str().to_owned()), Arc::clone(&self.opened));
        let allows = self.allows;
        Box::pin(async move {
            let found = looking.await?;
            // The port is the URL's.
            let fine: Vec<SocketAddr> = found
                .iter()
                .filter(|address| allows(**address, &opened))
                .map(|address| SocketAddr::new(*address, 0))
                .collect();
            if fine.is_empty() && !found.is_empty() {
                return Err(Box::new(Refused) as Box<dyn std::error::Error + Send + Sync>);
            }
            Ok(Box::new(fine.into_iter()) as Addrs)
        })
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}
