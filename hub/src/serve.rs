//! The life of a Hub: its listener, and an end in which no running request is cut off. Used by `stk hub serve` and `stk dev`.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use axum_server::Handle;
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
    /// The listener ended.
    #[error("serving ended")]
    Serve(#[from] io::Error),
}

/// Starts a Hub.
pub async fn serve(config: HubConfig) -> Result<RunningHub, HubError> {
    for variable in &config.ignored {
        tracing::warn!(variable, "this variable means nothing to the Hub");
    }
    let listener = listen(config.listen).map_err(|source| HubError::Listen { address: config.listen, source })?;
    let addr = listener.local_addr()?;
    let (app, operator_token_path) = App::open(&config).await?;
    let app = Arc::new(app);
    let handle = Handle::new();
    let mut server =
        axum_server::from_tcp(listener)?.handle(handle.clone()).first_request_timeout(config.header_timeout);
    // A client that sends its head slowly must not hold a connection for ever.
    server.http_builder().http1().header_read_timeout(Some(config.header_timeout));
    let mut tasks = JoinSet::new();
    tasks.spawn(server.serve(api::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>()));
    tracing::info!(%addr, "the Hub listens");
    Ok(RunningHub { addr, operator_token_path, app, handle, server: tasks, drain_timeout: config.drain_timeout })
}

impl RunningHub {
    /// Ends only when the listener fails.
    pub async fn wait(&mut self) -> Result<(), HubError> {
        match self.server.join_next().await {
            Some(Ok(ended)) => ended.map_err(HubError::Serve),
            Some(Err(error)) => Err(HubError::Serve(io::Error::other(error))),
            None => Ok(()),
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
        self.app.store.close().await;
        tracing::info!("the Hub has ended");
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
