//! The life of a Hub: its listener, and an end in which no running request is cut off. Used by `stk hub serve` and `stk dev`.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use santokit_edge::{Handle, Tls, TlsError, listener, tls};
use tokio::task::JoinSet;

use crate::{
    api,
    app::{App, StartError},
    config::HubConfig,
};

/// A Hub that serves. Dropped, it ends at once; [`RunningHub::shutdown`] lets running requests end first.
#[derive(Debug)]
pub struct RunningHub {
    /// Where operators and Bridges connect.
    pub addr: SocketAddr,
    /// The file with the operator's token, if the Hub made it.
    pub operator_token_path: Option<PathBuf>,
    app: Arc<App>,
    handle: Handle<SocketAddr>,
    server: JoinSet<io::Result<()>>,
    drain_timeout: Duration,
    is_tls: bool,
    /// Ends with the Hub.
    watching: JoinSet<()>,
}

/// Why a Hub cannot start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Its data, its keys.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The address is taken or not of this machine.
    #[error("cannot listen on {address}; choose another with STK_HUB_LISTEN")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// There is no certificate that could be shown.
    #[error("the certificate cannot be used; see STK_HUB_TLS_CERT and STK_HUB_TLS_KEY")]
    Tls(#[from] TlsError),
    /// The listener ended.
    #[error("serving ended")]
    Serve(#[from] io::Error),
}

/// Starts a Hub.
pub async fn serve(config: HubConfig) -> Result<RunningHub, HubError> {
    for variable in &config.ignored {
        tracing::warn!(variable, "this variable means nothing to the Hub");
    }
    let shown = config.tls.clone().map(Tls::load).transpose()?;
    let listener =
        listener::bind(config.listen).map_err(|source| HubError::Listen { address: config.listen, source })?;
    let addr = listener.local_addr()?;
    let (app, operator_token_path) = App::open(&config).await?;
    let app = Arc::new(app);
    let mut server = JoinSet::new();
    let handle = listener::serve(&mut server, listener, api::router(app.clone()), config.bounds, shown.as_ref())?;
    let mut watching = JoinSet::new();
    if let Some(shown) = shown.clone() {
        watching.spawn(shown.watch(tls::LOOK_AGAIN));
    }
    if app.store.is_shared() {
        watching.spawn(app.clone().follow_moves());
    }
    watching.spawn(app.clone().tend_logins());
    tracing::info!(%addr, "the Hub listens");
    let drain_timeout = config.drain_timeout;
    Ok(RunningHub { addr, operator_token_path, app, handle, server, drain_timeout, is_tls: shown.is_some(), watching })
}

impl RunningHub {
    /// Where operators and Bridges connect, as a URL.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.addr)
    }

    /// Ends only when the listener fails.
    pub async fn wait(&mut self) -> Result<(), HubError> {
        match self.server.join_next().await {
            Some(Ok(ended)) => ended.map_err(HubError::Serve),
            Some(Err(error)) => Err(HubError::Serve(io::Error::other(error))),
            None => Ok(()),
        }
    }

    /// Drops the logins that were made for guests' SQL, where what the Hub knows of them does not outlive it.
    pub async fn drop_logins(&self) {
        if let Err(problem) = self.app.drop_every_login().await {
            tracing::warn!(
                code = problem.code.as_str(),
                message = problem.message,
                "logins of guests' SQL are left behind"
            );
        }
    }

    /// Takes no new connection, ends long polls, lets running requests end within the drain timeout.
    pub async fn shutdown(mut self) {
        self.app.stop();
        self.handle.graceful_shutdown(Some(self.drain_timeout));
        while let Some(ended) = self.server.join_next().await {
            if let Ok(Err(error)) = ended {
                tracing::warn!(%error, "the listener ended");
            }
        }
        self.watching.shutdown().await;
        self.app.store.close().await;
        tracing::info!("the Hub has ended");
    }
}
