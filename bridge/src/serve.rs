//! The life of a Bridge: listeners, tasks, and an end in which no request is dropped. Used by `stk bridge serve` and `stk dev`.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use axum_server::Handle;
use santokit_core::wire::Report;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use crate::{
    app::App,
    config::BridgeConfig,
    edge,
    generation::{Loader, LoaderError},
    metrics::Metrics,
    release::{
        Bounds, EnvSlot,
        cache::Cache,
        fetch::HubClient,
        report,
        watch::{self as watcher, Tools},
    },
};

/// A Bridge that serves. Dropped, it ends at once; [`RunningBridge::shutdown`] lets running requests end first.
#[derive(Debug)]
pub struct RunningBridge {
    /// Where applications connect.
    pub addr: SocketAddr,
    /// Where `/metrics` is, if it has its own listener.
    pub metrics_addr: Option<SocketAddr>,
    app: Arc<App>,
    stop: watch::Sender<bool>,
    handles: Vec<Handle<SocketAddr>>,
    tasks: JoinSet<()>,
    servers: JoinSet<io::Result<()>>,
    reports: (HubClient, String),
}

/// Why a Bridge cannot start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The cache directory cannot be made or written.
    #[error("the cache directory {dir} cannot be used; set STK_BRIDGE_CACHE_DIR to one that can be written")]
    Cache {
        /// As configured.
        dir: String,
        /// Why.
        source: io::Error,
    },
    /// The address is taken or not of this machine.
    #[error("cannot listen on {address}; choose another with STK_BRIDGE_LISTEN")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The HTTP client for the Hub cannot be made.
    #[error("the client for the Hub cannot be made")]
    Client(#[from] reqwest::Error),
    /// The sandbox cannot be made.
    #[error("the sandbox cannot be made")]
    Loader(#[from] LoaderError),
    /// Two metrics have one name: a mistake in this program.
    #[error("the metrics cannot be made")]
    Metrics(#[from] prometheus::Error),
    /// A listener ended.
    #[error("serving ended")]
    Serve(#[from] io::Error),
}

/// Starts a Bridge. It answers from its first moment, with 503 where no release is loaded yet.
pub async fn serve(config: BridgeConfig) -> Result<RunningBridge, ServeError> {
    for variable in &config.ignored {
        tracing::warn!(variable, "this variable means nothing to the Bridge");
    }
    let cache = Cache::open(&config.cache_dir, config.cache_key.clone())
        .map_err(|source| ServeError::Cache { dir: config.cache_dir.display().to_string(), source })?;
    let metrics = Arc::new(Metrics::new()?);
    let loader = Arc::new(Loader::new(&config, cache.clone())?);
    let hub = HubClient::new(&config)?;
    let listener = listen(config.listen)?;
    let addr = listener.local_addr()?;
    let metrics_listener = config.metrics_listen.map(listen).transpose()?;
    let metrics_addr = metrics_listener.as_ref().map(TcpListener::local_addr).transpose()?;

    let bounds = Bounds { poll_interval: config.poll_interval, max_stale: config.max_stale };
    let slots: Arc<[Arc<EnvSlot>]> =
        config.envs.iter().map(|name| Arc::new(EnvSlot::new(name.clone(), bounds))).collect();
    let (stop, stopped) = watch::channel(false);
    let changed = Arc::new(Notify::new());
    let mut tasks = JoinSet::new();
    let tools = Tools {
        hub: hub.clone(),
        cache,
        loader,
        trust: config.trust.clone(),
        metrics: metrics.clone(),
        changed: changed.clone(),
        wait: config.poll_wait(),
    };
    for slot in slots.iter() {
        tasks.spawn(watcher::run(tools.clone(), slot.clone(), stopped.clone()));
    }
    let reports = (hub, config.id.clone());
    tasks.spawn(report::run(
        (reports.0.clone(), reports.1.clone(), config.poll_interval),
        slots.clone(),
        changed,
        stopped,
    ));

    let header_timeout = config.header_timeout;
    let app = Arc::new(App::new(Arc::new(config), slots, metrics));
    let mut servers = JoinSet::new();
    let mut handles = vec![start(&mut servers, listener, edge::router(app.clone()), header_timeout)?];
    if let Some(listener) = metrics_listener {
        handles.push(start(&mut servers, listener, edge::metrics_router(app.clone()), header_timeout)?);
    }
    tracing::info!(%addr, bridge = reports.1, "the Bridge listens");
    Ok(RunningBridge { addr, metrics_addr, app, stop, handles, tasks, servers, reports })
}

impl RunningBridge {
    /// What runs now, as it is reported to the Hub.
    pub fn status(&self) -> Report {
        report::now(&self.app.slots)
    }

    /// Ends only when a listener fails.
    pub async fn wait(&mut self) -> Result<(), ServeError> {
        match self.servers.join_next().await {
            Some(Ok(ended)) => ended.map_err(ServeError::Serve),
            Some(Err(error)) => Err(ServeError::Serve(io::Error::other(error))),
            None => Ok(()),
        }
    }

    /// Takes no new connection, lets running requests end within the drain timeout, then ends the rest.
    pub async fn shutdown(mut self) {
        self.app.drain();
        for handle in &self.handles {
            handle.graceful_shutdown(Some(self.app.config.drain_timeout));
        }
        while let Some(ended) = self.servers.join_next().await {
            if let Ok(Err(error)) = ended {
                tracing::warn!(%error, "a listener ended");
            }
        }
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        tracing::info!(bridge = self.reports.1, "the Bridge has ended");
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    bind().map_err(|source| ServeError::Listen { address, source })
}

fn start(
    servers: &mut JoinSet<io::Result<()>>,
    listener: TcpListener,
    router: Router,
    header_timeout: Duration,
) -> io::Result<Handle<SocketAddr>> {
    let handle = Handle::new();
    let mut server = axum_server::from_tcp(listener)?.handle(handle.clone()).first_request_timeout(header_timeout);
    // A client that sends its head slowly must not hold a connection for ever.
    server.http_builder().http1().header_read_timeout(Some(header_timeout));
    servers.spawn(server.serve(router.into_make_service()));
    Ok(handle)
}

#[cfg(test)]
mod tests;
