//! The Bridge's settings: read from a file, the environment and flags, checked together before any socket opens.
//!
//! Precedence: flag, environment (`STK_BRIDGE_…`), file, default. An unknown key in a file is an error; an unknown variable is
//! kept in [`BridgeConfig::ignored`] to be warned about, because orchestrators set `<SERVICE>_PORT` variables of their own.

use std::{
    collections::BTreeSet, fmt, net::SocketAddr, num::NonZeroUsize, path::Path, path::PathBuf, sync::Arc,
    time::Duration,
};

use reqwest::Url;
use santokit_core::{
    id::Kind,
    name,
    release::{VerifyingKey, verify::Trust},
    seal::SealKey,
    wire::WAIT_SECONDS_MAX,
};
pub use santokit_edge::settings::ConfigError;
use santokit_wasm::SandboxConfig;
use secrecy::SecretString;

mod admin;
mod cron;
mod data;
mod delivery;
pub mod edge;
pub mod egress;
mod nats;
mod read;
mod recording;
pub mod sandbox;
mod storage;

pub use admin::AdminConfig;
pub use edge::{EdgeConfig, Network, Rate, Rates, RedisConfig};
pub use egress::EgressConfig;
pub use nats::NatsConfig;
pub use read::Text;
use read::{Check, address, bridge_id, duration, http_url, local_hub, number, secret, signer, size};
pub use sandbox::CompileConfig;

use crate::{
    crud::limits::CrudLimits, db::DatabaseSettings, delivery::DeliverySettings, recording::RecordingConfig,
    storage::StorageConfig,
};

/// Requests at once, unless [`BridgeConfig::concurrent_requests`] says another number.
const REQUESTS_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Unless [`BridgeConfig::cache_dir`] says another folder.
const CACHE_DIR: &str = "santokit-bridge-cache";

/// Everything a Bridge needs to start.
#[derive(Clone, Debug)]
pub struct BridgeConfig {
    /// Names this Bridge in its reports, `brg_…`.
    pub id: String,
    /// Where applications connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// A listener of its own for `/metrics`, without a token.
    pub metrics_listen: Option<SocketAddr>,
    /// Opens `/metrics` on the main listener to this bearer token.
    pub metrics_token: Option<SecretString>,
    /// A listener of its own for operators. None: they cannot speak to this Bridge.
    pub admin: Option<AdminConfig>,
    /// The Hub's address.
    pub hub_url: Url,
    /// What the Hub knows this Bridge's fleet by.
    pub service_token: SecretString,
    /// What is served. Not empty, each once.
    pub envs: Vec<EnvName>,
    /// Whose releases are loaded.
    pub trust: Trust,
    /// Verified releases, blobs and (sealed) runtime bundles.
    pub cache_dir: PathBuf,
    /// Seals the runtime bundle on disk. None: it is in memory only.
    pub cache_key: Option<Arc<SealKey>>,
    /// How long one long poll waits, and how often a Bridge reports.
    pub poll_interval: Duration,
    /// For every exchange with the Hub, on top of a long poll's wait.
    pub hub_timeout: Duration,
    /// After this long without the Hub, requests are refused.
    pub max_stale: Duration,
    /// After this long without the Hub, a canary's candidate is not served any more.
    pub canary_max_stale: Duration,
    /// Certificates of authorities, PEM: the Hub's must be of one of them. None: those that the system trusts.
    pub hub_ca_file: Option<PathBuf>,
    /// How long the end may take in all.
    pub drain_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// Largest request body.
    pub body_limit: usize,
    /// Largest answer.
    pub response_limit: usize,
    /// Requests served at once; one more is refused with 429.
    pub concurrent_requests: NonZeroUsize,
    /// How databases are used.
    pub databases: DatabaseSettings,
    /// What one request to tables may be.
    pub crud: CrudLimits,
    /// How clients are met: connections, TLS, rates.
    pub edge: EdgeConfig,
    /// How components are run.
    pub sandbox: SandboxConfig,
    /// Where they may send requests to.
    pub egress: EgressConfig,
    /// Where objects are kept.
    pub storage: StorageConfig,
    /// Which recordings of invocations there may be.
    pub recordings: RecordingConfig,
    /// How events are taken and delivered.
    pub delivery: DeliverySettings,
    /// What hands them over. None: Bridges take turns at the database.
    pub nats: Option<Box<NatsConfig>>,
    /// After how long without a sign of its Bridge a run of a job is given up as lost.
    pub cron_lease: Duration,
    /// How components are compiled.
    pub compile: CompileConfig,
    /// `STK_BRIDGE_…` variables that mean nothing to this version.
    pub ignored: Vec<String>,
}

/// How often the Hub is asked, and how long it may be away.
struct Staleness {
    poll_interval: Duration,
    max_stale: Duration,
    canary_max_stale: Duration,
}

/// A project's env, written `project/env`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvName {
    /// The project's name.
    pub project: String,
    /// The env's name.
    pub env: String,
}

santokit_edge::settings! {
    /// [`BridgeConfig::id`].
    id = "STK_BRIDGE_ID",
    /// [`BridgeConfig::listen`], default `127.0.0.1:8080`.
    listen = "STK_BRIDGE_LISTEN",
    /// [`BridgeConfig::metrics_listen`].
    metrics_listen = "STK_BRIDGE_METRICS_LISTEN",
    /// [`BridgeConfig::metrics_token`].
    metrics_token = "STK_BRIDGE_METRICS_TOKEN",
    /// [`AdminConfig::listen`].
    admin_listen = "STK_BRIDGE_ADMIN_LISTEN",
    /// [`AdminConfig::url`].
    admin_url = "STK_BRIDGE_ADMIN_URL",
    /// [`AdminConfig::keys`]: a list of `ed25519:…`.
    admin_keys = "STK_BRIDGE_ADMIN_KEYS",
    /// [`BridgeConfig::hub_url`].
    hub_url = "STK_BRIDGE_HUB_URL",
    /// [`BridgeConfig::service_token`].
    service_token = "STK_BRIDGE_SERVICE_TOKEN",
    /// [`BridgeConfig::envs`]: a list of `project/env`.
    envs = "STK_BRIDGE_ENVS",
    /// Who signs the releases that are loaded: a list of public keys `ed25519:…`; those of one signer stand together with `|`.
    trusted_keys = "STK_BRIDGE_TRUSTED_KEYS",
    /// How many of them must have signed, default 1.
    required_signers = "STK_BRIDGE_REQUIRED_SIGNERS",
    /// [`BridgeConfig::cache_dir`], default `santokit-bridge-cache`.
    cache_dir = "STK_BRIDGE_CACHE_DIR",
    /// [`BridgeConfig::cache_key`]: the base64 of 32 bytes.
    cache_key = "STK_BRIDGE_CACHE_KEY",
    /// [`BridgeConfig::poll_interval`], default 30s.
    poll_interval = "STK_BRIDGE_POLL_INTERVAL",
    /// [`BridgeConfig::hub_timeout`], default 3s.
    hub_timeout = "STK_BRIDGE_HUB_TIMEOUT",
    /// [`BridgeConfig::max_stale`], default 1h.
    max_stale = "STK_BRIDGE_MAX_STALE",
    /// [`BridgeConfig::canary_max_stale`], default four poll intervals, and no more than `max_stale`.
    canary_max_stale = "STK_BRIDGE_CANARY_MAX_STALE",
    /// [`BridgeConfig::hub_ca_file`].
    hub_ca_file = "STK_BRIDGE_HUB_CA_FILE",
    /// [`EdgeConfig::tls`]: its certificate.
    tls_cert = "STK_BRIDGE_TLS_CERT",
    /// [`EdgeConfig::tls`]: its key.
    tls_key = "STK_BRIDGE_TLS_KEY",
    /// [`EdgeConfig::metrics_tls`], default false.
    metrics_tls = "STK_BRIDGE_METRICS_TLS",
    /// [`EdgeConfig::drain_grace`], default 5s.
    drain_grace = "STK_BRIDGE_DRAIN_GRACE",
    /// [`BridgeConfig::drain_timeout`], default 30s.
    drain_timeout = "STK_BRIDGE_DRAIN_TIMEOUT",
    /// Of [`EdgeConfig::bounds`], default 20000.
    connections = "STK_BRIDGE_CONNECTIONS",
    /// Of [`EdgeConfig::bounds`], default 10s.
    header_timeout = "STK_BRIDGE_HEADER_TIMEOUT",
    /// Of [`EdgeConfig::bounds`], default 32KiB.
    header_limit = "STK_BRIDGE_HEADER_LIMIT",
    /// Of [`EdgeConfig::bounds`], default 75s.
    idle_timeout = "STK_BRIDGE_IDLE_TIMEOUT",
    /// Of [`EdgeConfig::bounds`], default 5m.
    answer_timeout = "STK_BRIDGE_ANSWER_TIMEOUT",
    /// Of [`EdgeConfig::bounds`], default 100.
    http2_streams = "STK_BRIDGE_HTTP2_STREAMS",
    /// [`BridgeConfig::body_timeout`], default 30s.
    body_timeout = "STK_BRIDGE_BODY_TIMEOUT",
    /// [`BridgeConfig::body_limit`], default 10MB.
    body_limit = "STK_BRIDGE_BODY_LIMIT",
    /// [`BridgeConfig::response_limit`], default 50MB.
    response_limit = "STK_BRIDGE_RESPONSE_LIMIT",
    /// [`BridgeConfig::concurrent_requests`], default 10000.
    concurrent_requests = "STK_BRIDGE_CONCURRENT_REQUESTS",
    /// [`DatabaseSettings::pool_size`], default 100.
    pool_size = "STK_BRIDGE_POOL_SIZE",
    /// [`DatabaseSettings::guest_pool_size`], default half of the pool.
    guest_pool_size = "STK_BRIDGE_GUEST_POOL_SIZE",
    /// [`DatabaseSettings::pool_wait`], default 5s.
    pool_wait = "STK_BRIDGE_POOL_WAIT",
    /// [`DatabaseSettings::query_timeout`], default 30s.
    query_timeout = "STK_BRIDGE_QUERY_TIMEOUT",
    /// [`CrudLimits::result_rows`], default 10000.
    result_rows = "STK_BRIDGE_RESULT_ROWS",
    /// [`CrudLimits::conditions`], default 50.
    where_conditions = "STK_BRIDGE_WHERE_CONDITIONS",
    /// [`CrudLimits::list_values`], default 10000.
    list_values = "STK_BRIDGE_LIST_VALUES",
    /// [`CrudLimits::expand_depth`], default 3.
    expand_depth = "STK_BRIDGE_EXPAND_DEPTH",
    /// [`CrudLimits::expand_relations`], default 20.
    expand_relations = "STK_BRIDGE_EXPAND_RELATIONS",
    /// [`CrudLimits::insert_rows`], default 1000.
    insert_rows = "STK_BRIDGE_INSERT_ROWS",
    /// [`CrudLimits::batch_calls`], default 50.
    batch_calls = "STK_BRIDGE_BATCH_CALLS",
    /// [`Rates::api_key`], default 1000/1m.
    api_key_rate = "STK_BRIDGE_API_KEY_RATE",
    /// [`Rates::user`], default 100/1m.
    user_rate = "STK_BRIDGE_USER_RATE",
    /// [`Rates::address`], default 600/1m.
    address_rate = "STK_BRIDGE_ADDRESS_RATE",
    /// [`Rates::topic`], default `10000/1m`, or `off`.
    publish_rate = "STK_BRIDGE_PUBLISH_RATE",
    /// [`EdgeConfig::trusted_proxies`]: a list of addresses and networks.
    trusted_proxies = "STK_BRIDGE_TRUSTED_PROXIES",
    /// [`RedisConfig::url`].
    redis_url = "STK_BRIDGE_REDIS_URL",
    /// [`RedisConfig::timeout`], default 100ms.
    redis_timeout = "STK_BRIDGE_REDIS_TIMEOUT",
    /// Instances of components alive at once, default 64 for each core and at least 256.
    sandbox_instances = "STK_BRIDGE_SANDBOX_INSTANCES",
    /// Of them, at most so many of one project, default half, and all where there is one project.
    sandbox_project_instances = "STK_BRIDGE_SANDBOX_PROJECT_INSTANCES",
    /// Of those of a project, at most so many of one env, default half, and all where each project has one env.
    sandbox_env_instances = "STK_BRIDGE_SANDBOX_ENV_INSTANCES",
    /// Of those of an env, at most so many of one logic, default half.
    sandbox_logic_instances = "STK_BRIDGE_SANDBOX_LOGIC_INSTANCES",
    /// Largest memory of one invocation, whatever its manifest says, default 256MiB.
    sandbox_memory = "STK_BRIDGE_SANDBOX_MEMORY",
    /// Instances made ahead of calls, default 16 for each core, at least 64; 0 makes none ahead.
    sandbox_supply = "STK_BRIDGE_SANDBOX_SUPPLY",
    /// Linear memory of those, default 1GiB.
    sandbox_supply_memory = "STK_BRIDGE_SANDBOX_SUPPLY_MEMORY",
    /// After how long without a call those of a component are dropped, default 30s.
    sandbox_supply_idle = "STK_BRIDGE_SANDBOX_SUPPLY_IDLE",
    /// Components compiled at once, default 2; of one project one less.
    sandbox_compiles = "STK_BRIDGE_SANDBOX_COMPILES",
    /// What is kept of compiled functions for components that share code, default 64MiB.
    sandbox_compiled = "STK_BRIDGE_SANDBOX_COMPILED",
    /// Whether backtraces in the log name source lines, default false: only for components that one trusts.
    sandbox_debug_info = "STK_BRIDGE_SANDBOX_DEBUG_INFO",
    /// Whether what a component executes is counted, default false: it costs some percent.
    sandbox_fuel = "STK_BRIDGE_SANDBOX_FUEL",
    /// [`EgressConfig::allow_private`]: a list of addresses and networks.
    egress_allow_private = "STK_BRIDGE_EGRESS_ALLOW_PRIVATE",
    /// [`EgressConfig::ca_file`].
    egress_ca_file = "STK_BRIDGE_EGRESS_CA_FILE",
    /// [`StorageConfig::dir`], default `santokit-bridge-storage`.
    storage_dir = "STK_BRIDGE_STORAGE_DIR",
    /// [`StorageConfig::env_bytes_max`], default 10GiB.
    storage_env_bytes = "STK_BRIDGE_STORAGE_ENV_BYTES",
    /// [`StorageConfig::url_expiry`], default 1h, 7d at most.
    storage_url_expiry = "STK_BRIDGE_STORAGE_URL_EXPIRY",
    /// [`StorageConfig::allow_private`]: a list of addresses and networks.
    storage_allow_private = "STK_BRIDGE_STORAGE_ALLOW_PRIVATE",
    /// [`StorageConfig::public_url`]: how clients reach the Bridge, for URLs of objects; default: as the request that asks did.
    public_url = "STK_BRIDGE_PUBLIC_URL",
    /// [`RecordingConfig::env_bytes_max`], default 0: nothing is recorded.
    recordings_env_bytes = "STK_BRIDGE_RECORDINGS_ENV_BYTES",
    /// [`RecordingConfig::bytes_max`], default 1MiB.
    recording_bytes = "STK_BRIDGE_RECORDING_BYTES",
    /// [`RecordingConfig::keep_max`], default 24h.
    recordings_keep = "STK_BRIDGE_RECORDINGS_KEEP",
    /// [`DeliverySettings::poll_interval`], default 2s.
    events_poll_interval = "STK_BRIDGE_EVENTS_POLL_INTERVAL",
    /// [`DeliverySettings::orphaned_after`], default 10m.
    events_orphaned_after = "STK_BRIDGE_EVENTS_ORPHANED_AFTER",
    /// [`DeliverySettings::dead_letter_retention`], default 14d.
    dead_letter_retention = "STK_BRIDGE_DEAD_LETTER_RETENTION",
    /// [`DeliverySettings::payload_max`], default 1MB, which is the most.
    event_payload = "STK_BRIDGE_EVENT_PAYLOAD",
    /// [`NatsConfig::urls`]: a list.
    nats_url = "STK_BRIDGE_NATS_URL",
    /// [`NatsConfig::credentials`].
    nats_creds_file = "STK_BRIDGE_NATS_CREDS_FILE",
    /// [`NatsConfig::ca_file`].
    nats_ca_file = "STK_BRIDGE_NATS_CA_FILE",
    /// [`NatsConfig::prefix`], default `stk`.
    nats_prefix = "STK_BRIDGE_NATS_PREFIX",
    /// [`NatsConfig::replicas`], default 1, 5 at most.
    nats_replicas = "STK_BRIDGE_NATS_REPLICAS",
    /// [`BridgeConfig::cron_lease`], default 30s.
    cron_lease = "STK_BRIDGE_CRON_LEASE",
    /// [`CompileConfig::limits`], default 4GiB.
    compile_memory = "STK_BRIDGE_COMPILE_MEMORY",
    /// [`CompileConfig::limits`], default 2m.
    compile_cpu = "STK_BRIDGE_COMPILE_CPU",
    /// [`CompileConfig::limits`], default 4m.
    compile_timeout = "STK_BRIDGE_COMPILE_TIMEOUT",
    /// [`CompileConfig::dir`], default `compiled` in the cache directory.
    compiled_dir = "STK_BRIDGE_COMPILED_DIR",
    /// [`CompileConfig::disk_bytes_max`], default 4GiB.
    compiled_disk = "STK_BRIDGE_COMPILED_DISK",
}

impl BridgeConfig {
    /// Reads all layers. `variables` are the process's environment.
    pub fn load(
        flags: Settings,
        variables: impl IntoIterator<Item = (String, String)>,
        file: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let (settings, ignored) = flags.layers(variables, file, |variable| variable.starts_with("STK_BRIDGE_"))?;
        let mut config = settings.check()?;
        config.ignored = ignored;
        Ok(config)
    }

    /// Whose tokens operators may show.
    pub fn admin_keys(&self) -> Vec<VerifyingKey> {
        let own = self.admin.as_ref().map(|admin| admin.keys.clone()).unwrap_or_default();
        if own.is_empty() { self.trust.signers.iter().flatten().cloned().collect() } else { own }
    }

    /// How long a long poll asks the Hub to wait.
    pub fn poll_wait(&self) -> Duration {
        self.poll_interval.min(Duration::from_secs(WAIT_SECONDS_MAX))
    }
}

impl Settings {
    /// Checks every setting; all errors are reported together.
    pub fn check(mut self) -> Result<BridgeConfig, ConfigError> {
        let mut check = Check::default();
        let (edge, databases, crud) = (self.edge(&mut check), self.databases(&mut check), self.crud(&mut check));
        let (mut sandbox, admin) = (self.sandbox(&mut check), self.admin(&mut check));
        let (egress, storage) = self.outbound(&mut check);
        let (compile, cron_lease, nats) =
            (self.compile(&mut check), self.cron_lease(&mut check), self.nats(&mut check));
        let ((cache_key, recordings), delivery) = (self.recording(&mut check), self.delivery(&mut check));
        let Staleness { poll_interval, max_stale, canary_max_stale } = self.staleness(&mut check);
        let trusted = check.list("trustedKeys", self.trusted_keys, signer);
        if trusted.iter().flatten().map(VerifyingKey::id).collect::<BTreeSet<_>>().len()
            < trusted.iter().flatten().count()
        {
            check.add("trustedKeys", "a key is named twice: it would count for two signers");
        }
        let envs = check.list("envs", self.envs, EnvName::parse);
        sandbox.share_between(envs.iter().map(|env| env.project.as_str()));
        let required = check.value("requiredSigners", self.required_signers, 1_usize, number);
        served(&envs, &mut check);
        if required == 0 || required > trusted.len() {
            check.add(
                "requiredSigners",
                &format!(
                    "must be between 1 and the number of signers in trustedKeys ({}): list the public keys of who signs releases",
                    trusted.len()
                ),
            );
        }
        let config = BridgeConfig {
            crud,
            id: check.value("id", self.id, Kind::Bridge.generate(), bridge_id),
            listen: check.value("listen", self.listen, SocketAddr::from(([127, 0, 0, 1], 8080)), address),
            metrics_listen: check.optional("metricsListen", self.metrics_listen, address),
            metrics_token: check.optional("metricsToken", self.metrics_token, secret),
            admin,
            hub_url: check.value("hubUrl", self.hub_url, local_hub(), http_url),
            service_token: check.required("serviceToken", self.service_token, secret).unwrap_or_default(),
            envs,
            trust: Trust { signers: trusted, required },
            cache_dir: self.cache_dir.map_or_else(|| PathBuf::from(CACHE_DIR), |dir| PathBuf::from(dir.0)),
            cache_key,
            poll_interval,
            hub_timeout: check.value("hubTimeout", self.hub_timeout, Duration::from_secs(3), duration),
            max_stale,
            canary_max_stale,
            hub_ca_file: self.hub_ca_file.map(|path| PathBuf::from(path.0)),
            drain_timeout: check.value("drainTimeout", self.drain_timeout, Duration::from_secs(30), duration),
            body_timeout: check.value("bodyTimeout", self.body_timeout, Duration::from_secs(30), duration),
            body_limit: check.value("bodyLimit", self.body_limit, 10_000_000, size),
            response_limit: check.value("responseLimit", self.response_limit, 50_000_000, size),
            concurrent_requests: check.value("concurrentRequests", self.concurrent_requests, REQUESTS_MAX, number),
            databases,
            edge,
            sandbox,
            egress,
            storage,
            recordings,
            delivery,
            nats,
            cron_lease,
            compile,
            ignored: Vec::new(),
        };
        if config.edge.drain_grace >= config.drain_timeout {
            check.add("drainGrace", "must be shorter than drainTimeout, which it is a part of");
        }
        if check.0.is_empty() { Ok(config) } else { Err(ConfigError(check.0)) }
    }

    fn staleness(&mut self, check: &mut Check) -> Staleness {
        let poll_interval = check.value("pollInterval", self.poll_interval.take(), Duration::from_secs(30), duration);
        let max_stale = check.value("maxStale", self.max_stale.take(), Duration::from_hours(1), duration);
        let default = (poll_interval * 4).min(max_stale);
        let canary_max_stale = check.value("canaryMaxStale", self.canary_max_stale.take(), default, duration);
        if max_stale < poll_interval * 2 {
            check.add("maxStale", "must be at least two poll intervals: a release would expire between two polls");
        }
        if canary_max_stale < poll_interval * 2 || canary_max_stale > max_stale {
            check.add("canaryMaxStale", "must be at least two poll intervals, and no more than maxStale");
        }
        Staleness { poll_interval, max_stale, canary_max_stale }
    }
}

/// Some env, and each once.
fn served(envs: &[EnvName], check: &mut Check) {
    if envs.is_empty() {
        check.add("envs", "name at least one project/env to serve");
    } else if envs.iter().collect::<BTreeSet<_>>().len() != envs.len() {
        check.add("envs", "an env is named twice");
    }
}

impl EnvName {
    /// Reads `project/env`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (project, env) = text.split_once('/').ok_or_else(|| format!("{text:?} is not project/env"))?;
        name::check_label("a project's name", project).map_err(|error| error.to_string())?;
        name::check_label("an env's name", env).map_err(|error| error.to_string())?;
        Ok(Self { project: project.to_owned(), env: env.to_owned() })
    }
}

impl fmt::Display for EnvName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.env)
    }
}

#[cfg(test)]
mod tests {
    use santokit_core::release::SigningKey;

    use super::*;

    fn variables(extra: &[(&str, &str)]) -> Vec<(String, String)> {
        let key = SigningKey::generate().unwrap().verifying_key().to_string();
        let mut all = vec![
            ("STK_BRIDGE_SERVICE_TOKEN".to_owned(), "hunter2".to_owned()),
            ("STK_BRIDGE_ENVS".to_owned(), "shop/dev, shop/prod".to_owned()),
            ("STK_BRIDGE_TRUSTED_KEYS".to_owned(), key),
        ];
        all.extend(extra.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        all
    }

    #[test]
    fn flags_stand_over_the_environment_and_that_over_the_file() {
        let file =
            Settings::parse("listen: 127.0.0.1:1\nbodyLimit: 1MB\npollInterval: 10s\nconcurrentRequests: 7\n").unwrap();
        let mut environment = Settings::default();
        for (key, value) in variables(&[("STK_BRIDGE_BODY_LIMIT", "2MB"), ("STK_BRIDGE_LISTEN", "127.0.0.1:2")]) {
            assert!(environment.set(&key, &value));
        }
        let flags = Settings { listen: Some("127.0.0.1:3".into()), ..Settings::default() };
        let config = flags.over(environment).over(file).check().unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.body_limit, 2_000_000);
        assert_eq!(config.poll_interval, Duration::from_secs(10));
        assert_eq!(config.concurrent_requests.get(), 7);
        assert_eq!(config.envs.len(), 2);
        // One of two envs leaves the other one half; their project, which is alone, leaves nothing.
        assert_eq!(config.sandbox.env_instances_max, Some(config.sandbox.instances_max / 2));
        assert_eq!(config.sandbox.project_instances_max, None);
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn unknown_keys_are_errors_with_a_place_and_unknown_variables_are_named() {
        let error = Settings::parse("listen: 127.0.0.1:1\nbodyLimt: 1MB\n").unwrap_err();
        assert!(error.contains("bodyLimt"), "{error}");
        let config =
            BridgeConfig::load(Settings::default(), variables(&[("STK_BRIDGE_PORT", "tcp://10.0.0.1:80")]), None)
                .unwrap();
        assert_eq!(config.ignored, ["STK_BRIDGE_PORT"]);
    }

    #[test]
    fn every_setting_is_in_the_reference() {
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/bridge.md")).unwrap();
        for variable in Settings::VARIABLES {
            assert!(page.contains(&format!("| `{variable}` |")), "{variable} is missing in docs/reference/bridge.md");
        }
    }

    #[test]
    fn all_errors_are_reported_together() {
        let settings = Settings {
            listen: Some("nowhere".into()),
            max_stale: Some("5s".into()),
            hub_url: Some("http://u:p@h/".into()),
            ..Settings::default()
        };
        let error = settings.check().unwrap_err().to_string();
        for key in ["listen", "maxStale", "hubUrl", "serviceToken", "envs", "requiredSigners"] {
            assert!(error.contains(key), "{key} is missing in: {error}");
        }
    }
}
