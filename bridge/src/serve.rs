//! The life of a Bridge: listeners, tasks, and an end in which no request is dropped. Used by `stk bridge serve` and `stk dev`.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use santokit_core::wire::Report;
use santokit_edge::{Handle, Tls, TlsError, listener, tls};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use crate::{
    app::App,
    broker::{Broker, BrokerError},
    config::BridgeConfig,
    cron::{self, Triggers},
    delivery,
    edge::{
        self,
        admin::{self, Admin},
        rate::RateLimiter,
    },
    egress::{Egress, EgressError},
    generation::{Loader, LoaderError},
    metrics::Metrics,
    recording::Recordings,
    release::{
        Bounds, EnvSlot,
        cache::Cache,
        fetch::{ClientError, HubClient},
        report::Reporter,
        watch::{self as watcher, Tools},
    },
    storage,
};

/// A Bridge that serves. Dropped, it ends at once; [`RunningBridge::shutdown`] lets running requests end first.
#[derive(Debug)]
pub struct RunningBridge {
    /// Where applications connect.
    pub addr: SocketAddr,
    /// Where `/metrics` is, if it has its own listener.
    pub metrics_addr: Option<SocketAddr>,
    /// Where operators connect, if they can.
    pub admin_addr: Option<SocketAddr>,
    app: Arc<App>,
    stop: watch::Sender<bool>,
    handles: Vec<Handle<SocketAddr>>,
    tasks: JoinSet<()>,
    servers: JoinSet<io::Result<()>>,
    reporter: Arc<Reporter>,
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
    #[error(
        "cannot listen on {address}; choose another with STK_BRIDGE_LISTEN, STK_BRIDGE_METRICS_LISTEN or STK_BRIDGE_ADMIN_LISTEN"
    )]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The HTTP client for the Hub cannot be made.
    #[error("the client for the Hub cannot be made")]
    Client(#[from] ClientError),
    /// There is no certificate that could be shown.
    #[error("the certificate cannot be used; see STK_BRIDGE_TLS_CERT and STK_BRIDGE_TLS_KEY")]
    Tls(#[from] TlsError),
    /// The client for Redis cannot be made.
    #[error("the client for Redis cannot be made; see STK_BRIDGE_REDIS_URL")]
    Redis(#[from] redis::RedisError),
    /// The client for NATS cannot be made.
    #[error(transparent)]
    Nats(#[from] BrokerError),
    /// The client for logics' requests cannot be made.
    #[error("the client for outbound requests cannot be made")]
    Egress(#[from] EgressError),
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
pub async fn serve(mut config: BridgeConfig) -> Result<RunningBridge, ServeError> {
    for variable in &config.ignored {
        tracing::warn!(variable, "this variable means nothing to the Bridge");
    }
    let cache = Cache::open(&config.cache_dir, config.cache_key.clone())
        .map_err(|source| ServeError::Cache { dir: config.cache_dir.display().to_string(), source })?;
    let metrics = Arc::new(Metrics::new()?);
    let recordings = recordings(&config, &metrics);
    let hub = HubClient::new(&config)?;
    let egress = Arc::new(Egress::new(&config.egress)?);
    let shown = config.edge.tls.clone().map(Tls::load).transpose()?;
    let rates = Arc::new(RateLimiter::new(&config.edge, metrics.clone())?);
    let broker = Box::pin(broker(&config)).await?;
    let listener = listen(config.listen)?;
    let addr = listener.local_addr()?;
    let metrics_listener = config.metrics_listen.map(listen).transpose()?;
    let metrics_addr = metrics_listener.as_ref().map(TcpListener::local_addr).transpose()?;
    let admin_listener = config.admin.as_ref().map(|admin| listen(admin.listen)).transpose()?;
    let admin_addr = admin_listener.as_ref().map(TcpListener::local_addr).transpose()?;

    tell_address(&mut config, addr, admin_addr);
    let loader = loader(&config, cache.clone())?.counted_by(Arc::clone(&rates));
    let slots = slots(&config);
    let (stop, stopped) = watch::channel(false);
    let changed = Arc::new(Notify::new());
    let mut tasks = JoinSet::new();
    let tools = Tools {
        hub: hub.clone(),
        cache,
        loader: Arc::new(loader),
        trust: config.trust.clone(),
        metrics: metrics.clone(),
        changed: changed.clone(),
        wait: config.poll_wait(),
    };
    for slot in slots.iter() {
        tasks.spawn(watcher::run(tools.clone(), slot.clone(), stopped.clone()));
    }
    let config = Arc::new(config);
    let reporter = Arc::new(Reporter::new(hub, config.clone(), slots.clone(), metrics.clone(), broker.clone()));
    tasks.spawn(reporter.clone().run(changed, stopped.clone()));
    tasks.spawn(rates.clone().run(stopped.clone()));
    tasks.spawn(recordings.clone().run(config.envs.clone(), stopped.clone()));
    let app = Arc::new(App::new(config, slots, tools.loader, metrics, rates, (egress, recordings, broker)));
    let triggers = schedule(&mut tasks, &app, &stopped);
    look_after(&mut tasks, &app, shown.as_ref(), &stopped);
    let settings = &app.config.edge;
    let mut servers = JoinSet::new();
    let router = edge::router(app.clone());
    let mut handles = vec![listener::serve(&mut servers, listener, router, settings.bounds, shown.as_ref())?];
    if let Some(listener) = metrics_listener {
        let shown = shown.as_ref().filter(|_| settings.metrics_tls);
        let router = edge::metrics_router(app.clone());
        handles.push(listener::serve(&mut servers, listener, router, settings.bounds, shown)?);
    }
    if let Some(listener) = admin_listener {
        // With the certificate of the applications' listener wherever there is one: tokens pass here.
        let admin = Arc::new(Admin::new(app.clone(), triggers, app.config.admin_keys()));
        handles.push(listener::serve(&mut servers, listener, admin::router(admin), settings.bounds, shown.as_ref())?);
    }
    tracing::info!(%addr, bridge = app.config.id, "the Bridge listens");
    Ok(RunningBridge { addr, metrics_addr, admin_addr, app, stop, handles, tasks, servers, reporter })
}

impl RunningBridge {
    /// Where applications connect, as a URL.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.app.config.edge.tls.is_some() { "https" } else { "http" }, self.addr)
    }

    /// Where `/metrics` is, as a URL, if it has its own listener.
    pub fn metrics_url(&self) -> Option<String> {
        let edge = &self.app.config.edge;
        let scheme = if edge.tls.is_some() && edge.metrics_tls { "https" } else { "http" };
        self.metrics_addr.map(|address| format!("{scheme}://{address}/metrics"))
    }

    /// Where operators connect, as a URL, if they can.
    pub fn admin_url(&self) -> Option<String> {
        let scheme = if self.app.config.edge.tls.is_some() { "https" } else { "http" };
        self.admin_addr.map(|address| format!("{scheme}://{address}"))
    }

    /// What runs now, as it is reported to the Hub.
    pub fn status(&self) -> Report {
        self.reporter.now()
    }

    /// Ends only when a listener fails.
    pub async fn wait(&mut self) -> Result<(), ServeError> {
        match self.servers.join_next().await {
            Some(Ok(ended)) => ended.map_err(ServeError::Serve),
            Some(Err(error)) => Err(ServeError::Serve(io::Error::other(error))),
            None => Ok(()),
        }
    }

    /// Says in `/readyz` that it ends, and goes on for the grace, so that load balancers see it; then takes no new connection, lets
    /// running requests end, and cuts off what has not ended within the drain timeout, which is for all of this.
    pub async fn shutdown(mut self) {
        self.app.drain();
        let (timeout, grace) = (self.app.config.drain_timeout, self.app.config.edge.drain_grace);
        tokio::time::sleep(grace).await;
        for handle in &self.handles {
            handle.graceful_shutdown(Some(timeout.saturating_sub(grace)));
        }
        while let Some(ended) = self.servers.join_next().await {
            if let Ok(Err(error)) = ended {
                tracing::warn!(%error, "a listener ended");
            }
        }
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        // So that nobody waits for it. Without it the Hub forgets this Bridge by itself, later.
        self.reporter.say_goodbye().await;
        tracing::info!(bridge = self.app.config.id, "the Bridge has ended");
    }
}

/// What goes on besides until the Bridge ends: events are delivered, objects go that rows have let go, and the certificate is read again.
fn look_after(tasks: &mut JoinSet<()>, app: &Arc<App>, shown: Option<&Tls>, stopped: &watch::Receiver<bool>) {
    for slot in app.slots.iter() {
        tasks.spawn(delivery::run(app.clone(), slot.clone(), stopped.clone()));
        tasks.spawn(storage::dropped::run(app.clone(), slot.clone(), stopped.clone()));
    }
    if let Some(shown) = shown {
        tasks.spawn(watch_certificate(shown.clone(), stopped.clone()));
    }
}

/// The envs that are served, with nothing loaded.
fn slots(config: &BridgeConfig) -> Arc<[Arc<EnvSlot>]> {
    let bounds = Bounds {
        poll_interval: config.poll_interval,
        max_stale: config.max_stale,
        canary_max_stale: config.canary_max_stale,
    };
    config.envs.iter().map(|name| Arc::new(EnvSlot::new(name.clone(), bounds))).collect()
}

/// Begins the schedulers of the envs; the way to them.
fn schedule(tasks: &mut JoinSet<()>, app: &Arc<App>, stopped: &watch::Receiver<bool>) -> Triggers {
    let (triggers, asked) = Triggers::open(app.slots.iter().map(|slot| &slot.name));
    for (slot, asked) in app.slots.iter().zip(asked) {
        tasks.spawn(cron::run(app.clone(), slot.clone(), asked, stopped.clone()));
    }
    triggers
}

/// Until the Bridge ends.
async fn watch_certificate(shown: Tls, mut stopped: watch::Receiver<bool>) {
    tokio::select! { () = shown.watch(tls::LOOK_AGAIN) => {} _ = stopped.wait_for(|stopped| *stopped) => {} }
}

/// Of a free port nobody knew before it was taken.
fn tell_address(config: &mut BridgeConfig, addr: SocketAddr, admin_addr: Option<SocketAddr>) {
    let scheme = if config.edge.tls.is_some() { "https" } else { "http" };
    if config.storage.tells_address {
        config.storage.public_url.get_or_insert_with(|| format!("{scheme}://{addr}"));
    }
    if let (Some(admin), Some(address)) = (&mut config.admin, admin_addr)
        && admin.tells_address
    {
        admin.url = admin.url.take().or_else(|| format!("{scheme}://{address}/").parse().ok());
    }
}

/// What hands events over, where the settings name one. It need not be there yet.
async fn broker(config: &BridgeConfig) -> Result<Option<Arc<Broker>>, BrokerError> {
    match &config.nats {
        // Rarely done, and a large future.
        Some(nats) => Ok(Some(Arc::new(Box::pin(Broker::connect(nats, &config.id)).await?))),
        None => Ok(None),
    }
}

/// What the settings allow of them.
fn recordings(config: &BridgeConfig, metrics: &Arc<Metrics>) -> Arc<Recordings> {
    Arc::new(Recordings::new(config.recordings.clone(), config.cache_dir.clone(), Arc::clone(metrics)))
}

/// With the sandbox, the databases and the stores of all envs.
fn loader(config: &BridgeConfig, cache: Cache) -> Result<Loader, LoaderError> {
    let (databases, storage) = (config.databases.clone(), config.storage.clone());
    let loader = Loader::new(&config.sandbox, config.compiled_store(), databases, storage, cache)?;
    Ok(loader.with_payloads_of(config.delivery.payload_max))
}

fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    listener::bind(address).map_err(|source| ServeError::Listen { address, source })
}

#[cfg(test)]
mod tests;
