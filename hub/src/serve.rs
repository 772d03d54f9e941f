//! The life of a Hub: its listeners, and an end in which no running request is cut off. Used by `stk hub serve` and `stk dev`.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use santokit_edge::{Handle, Tls, TlsError, listener, tls};
use tokio::task::JoinSet;

use crate::{
    api::{self, Face},
    app::{App, StartError},
    config::HubConfig,
    tasks,
};

/// A Hub that serves. Dropped, it ends at once; [`RunningHub::shutdown`] lets running requests end first.
#[derive(Debug)]
pub struct RunningHub {
    /// Where operators and Bridges connect.
    pub addr: SocketAddr,
    /// Where Bridges connect, if they have a listener of their own.
    pub internal_addr: Option<SocketAddr>,
    /// The file with the operator's token, if the Hub made it.
    pub operator_token_path: Option<PathBuf>,
    app: Arc<App>,
    handles: Vec<Handle<SocketAddr>>,
    server: JoinSet<io::Result<()>>,
    drain_timeout: Duration,
    is_tls: bool,
    is_internal_tls: bool,
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
    #[error("cannot listen on {address}; choose another with STK_HUB_LISTEN or STK_HUB_INTERNAL_LISTEN")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// There is no certificate that could be shown.
    #[error(
        "the certificate cannot be used; see STK_HUB_TLS_CERT and STK_HUB_TLS_KEY, and STK_HUB_INTERNAL_TLS_CERT and STK_HUB_INTERNAL_TLS_KEY"
    )]
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
    let shown_to_bridges = config.internal_tls.clone().map(Tls::load).transpose()?;
    let listener = bind(config.listen)?;
    let addr = listener.local_addr()?;
    let internal = config.internal_listen.map(bind).transpose()?;
    let internal_addr = internal.as_ref().map(TcpListener::local_addr).transpose()?;
    let (app, operator_token_path) = App::open(&config).await?;
    let app = Arc::new(app);
    let mut server = JoinSet::new();
    let face = if internal.is_some() { Face::Operators } else { Face::All };
    let router = api::router(app.clone(), face);
    let mut handles = vec![listener::serve(&mut server, listener, router, config.bounds, shown.as_ref())?];
    if let Some(listener) = internal {
        let (router, shown) = (api::router(app.clone(), Face::Bridges), shown_to_bridges.as_ref().or(shown.as_ref()));
        handles.push(listener::serve(&mut server, listener, router, config.bounds, shown)?);
    }
    let mut watching = JoinSet::new();
    let (is_tls, is_internal_tls) = (shown.is_some(), shown.is_some() || shown_to_bridges.is_some());
    for shown in shown.into_iter().chain(shown_to_bridges) {
        watching.spawn(shown.watch(tls::LOOK_AGAIN));
    }
    watching.spawn(tasks::audit::tend(app.clone()));
    watching.spawn(tasks::releases::tend(app.clone()));
    watching.spawn(app.clone().watch_canaries());
    if app.store.is_shared() {
        watching.spawn(app.clone().follow_moves());
    }
    watching.spawn(app.clone().tend_logins());
    tracing::info!(%addr, internal = internal_addr.map(tracing::field::display), "the Hub listens");
    let drain_timeout = config.drain_timeout;
    Ok(RunningHub {
        addr,
        internal_addr,
        operator_token_path,
        app,
        handles,
        server,
        drain_timeout,
        is_tls,
        is_internal_tls,
        watching,
    })
}

fn bind(address: SocketAddr) -> Result<TcpListener, HubError> {
    listener::bind(address).map_err(|source| HubError::Listen { address, source })
}

impl RunningHub {
    /// Where operators and Bridges connect, as a URL.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.addr)
    }

    /// Where Bridges connect, as a URL, if they have a listener of their own.
    pub fn internal_url(&self) -> Option<String> {
        let scheme = if self.is_internal_tls { "https" } else { "http" };
        self.internal_addr.map(|address| format!("{scheme}://{address}"))
    }

    /// Ends only when a listener fails.
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
        for handle in &self.handles {
            handle.graceful_shutdown(Some(self.drain_timeout));
        }
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
