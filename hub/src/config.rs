//! The Hub's settings: read from a file, the environment and flags, checked together before any socket opens.
//!
//! Precedence: flag, environment (`STK_…`), file, default. An unknown key in a file is an error; an unknown `STK_HUB_…`
//! variable is kept in [`HubConfig::ignored`] to be warned about, because orchestrators set `<SERVICE>_PORT` variables of their own.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use santokit_core::{quantity::Millis, seal::SealKey, user_token::LIFETIME_SECONDS_MAX};
pub use santokit_edge::settings::ConfigError;
use santokit_edge::{
    Bounds, TlsFiles,
    settings::{Check, Text},
};
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;

use crate::{app::guest_logins::LoginSettings, clock::Clock};

/// Shorter operator tokens can be guessed.
const TOKEN_LENGTH_MIN: usize = 20;

/// Largest head of a request.
const HEADER_BYTES_MAX: usize = 32 << 10;

/// HTTP/2 requests at once on one connection.
const STREAMS_MAX: u32 = 100;

/// Connections at once: people, CI, and a few of each Bridge.
const CONNECTIONS_MAX: usize = 10_000;

/// How old the password of a login for guests' SQL gets.
const ROTATION: Duration = Duration::from_hours(30 * 24);
/// Sessions of one login at once: those of all Bridges.
const SESSIONS: u32 = 40;
/// So many of the releases that an env ran last are kept by default.
const RELEASES_KEPT: u32 = 1_000;
/// Fewer would take away what an env is looked after to go back to.
const RELEASES_KEPT_MIN: u32 = 20;
/// How long a Bridge that does not report any more is shown by default.
const BRIDGES_KEPT: Duration = Duration::from_hours(24);
/// Shorter would forget Bridges that report once a minute.
const BRIDGES_KEPT_MIN: Duration = Duration::from_mins(5);
/// More audit entries in a day than this are warned about by default.
const AUDIT_ENTRIES_A_DAY: u32 = 1_000_000;
/// How long audit entries are kept by default.
const AUDIT_RETENTION: Duration = Duration::from_hours(90 * 24);

/// Shorter is most likely a mistake, and nothing brings back what was removed.
const AUDIT_RETENTION_MIN: Duration = Duration::from_hours(24);
const AUDIT_RETENTION_MAX: Duration = Duration::from_hours(100 * 365 * 24);

/// Of a token of an end user. Nothing takes one back before its time.
const TOKEN_LIFE_MAX: Duration = Duration::from_secs(LIFETIME_SECONDS_MAX.cast_unsigned());
const TOKEN_LIFE_MIN: Duration = Duration::from_mins(1);

/// Variables that other commands of `stk` read.
const NOT_OURS: &[&str] = &["STK_HUB_URL", "STK_HUB_CONFIG"];

/// Everything a Hub needs to start.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// Where operators and Bridges connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// A listener of its own for Bridges (`/internal/*`), which then are not answered on the other. None: one listener is for all.
    pub internal_listen: Option<SocketAddr>,
    /// The certificate of that listener. None: that of the other.
    pub internal_tls: Option<TlsFiles>,
    /// Database, blobs, and the files that the Hub makes at its first start.
    pub data_dir: PathBuf,
    /// A PostgreSQL database for tables and blobs, which several Hubs may share. None: SQLite, in the data directory.
    pub database_url: Option<SecretString>,
    /// Seals URLs, secrets and keys. None: the file `master-key` in the data directory, made at the first start.
    pub master_key: Option<Arc<SealKey>>,
    /// The operator's bearer token. None: the file `operator-token` in the data directory, made at the first start.
    pub operator_token: Option<SecretString>,
    /// What Bridges sign uploads with, for each env: of `stk dev`, whose Hub begins anew with every start. None: a new one for each.
    pub storage_key: Option<SecretString>,
    /// A bearer token that opens `/metrics` and nothing else; the operator's opens it too.
    pub metrics_token: Option<SecretString>,
    /// How long running requests may take to end at shutdown.
    pub drain_timeout: Duration,
    /// What a client may do to a connection.
    pub bounds: Bounds,
    /// The certificate of the listener. None: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// How long audit entries are kept.
    pub audit_retention: Duration,
    /// More audit entries in a day than this are warned about.
    pub audit_entries_a_day: u32,
    /// So many of the releases that an env ran last are kept.
    pub releases_kept: u32,
    /// How long a Bridge that does not report any more is shown.
    pub bridges_kept: Duration,
    /// How long a client may take to send a request's body; for a component, as long for each MiB.
    pub body_timeout: Duration,
    /// What credentials are judged by. No setting: tests have one that they set.
    pub clock: Clock,
    /// How logins of databases are made for guests' SQL.
    pub guest_logins: LoginSettings,
    /// How long a token of an end user is good for, and the most that may be asked for.
    pub user_token_life: Duration,
    /// `STK_HUB_…` variables that mean nothing to this version.
    pub ignored: Vec<String>,
}

santokit_edge::settings! {
    /// [`HubConfig::listen`], default `127.0.0.1:7070`.
    listen = "STK_HUB_LISTEN",
    /// [`HubConfig::internal_listen`].
    internal_listen = "STK_HUB_INTERNAL_LISTEN",
    /// [`HubConfig::internal_tls`]: its certificate.
    internal_tls_cert = "STK_HUB_INTERNAL_TLS_CERT",
    /// [`HubConfig::internal_tls`]: its key.
    internal_tls_key = "STK_HUB_INTERNAL_TLS_KEY",
    /// [`HubConfig::data_dir`], default `santokit-hub-data`.
    data_dir = "STK_HUB_DATA_DIR",
    /// [`HubConfig::database_url`].
    database_url = "STK_HUB_DATABASE_URL",
    /// [`HubConfig::operator_token`].
    operator_token = "STK_HUB_OPERATOR_TOKEN",
    /// [`HubConfig::metrics_token`].
    metrics_token = "STK_HUB_METRICS_TOKEN",
    /// [`HubConfig::master_key`]: the base64 of 32 bytes.
    master_key = "STK_MASTER_KEY",
    /// [`HubConfig::drain_timeout`], default 10s.
    drain_timeout = "STK_HUB_DRAIN_TIMEOUT",
    /// [`HubConfig::tls`]: its certificate.
    tls_cert = "STK_HUB_TLS_CERT",
    /// [`HubConfig::tls`]: its key.
    tls_key = "STK_HUB_TLS_KEY",
    /// Of [`HubConfig::bounds`], default 10s.
    header_timeout = "STK_HUB_HEADER_TIMEOUT",
    /// Of [`HubConfig::bounds`], default 75s.
    idle_timeout = "STK_HUB_IDLE_TIMEOUT",
    /// Of [`HubConfig::bounds`], default 5m.
    answer_timeout = "STK_HUB_ANSWER_TIMEOUT",
    /// [`HubConfig::body_timeout`], default 30s.
    body_timeout = "STK_HUB_BODY_TIMEOUT",
    /// Of [`HubConfig::guest_logins`], default 30d.
    guest_login_rotation = "STK_HUB_GUEST_LOGIN_ROTATION",
    /// Of [`HubConfig::guest_logins`], default 40.
    guest_login_sessions = "STK_HUB_GUEST_LOGIN_SESSIONS",
    /// [`HubConfig::audit_retention`], default 90d.
    audit_retention = "STK_HUB_AUDIT_RETENTION",
    /// [`HubConfig::user_token_life`], default 1h.
    user_token_life = "STK_HUB_USER_TOKEN_LIFE",
    /// [`HubConfig::audit_entries_a_day`], default 1000000.
    audit_entries_a_day = "STK_HUB_AUDIT_ENTRIES_A_DAY",
    /// [`HubConfig::releases_kept`], default 1000.
    releases_kept = "STK_HUB_RELEASES_KEPT",
    /// [`HubConfig::bridges_kept`], default 24h.
    bridges_kept = "STK_HUB_BRIDGES_KEPT",
}

impl HubConfig {
    /// Reads the environment alone.
    pub fn from_env() -> Result<Self, ConfigError> {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::load(Settings::default(), variables, None)
    }

    /// Reads all layers. `variables` are the process's environment.
    pub fn load(
        flags: Settings,
        variables: impl IntoIterator<Item = (String, String)>,
        file: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let is_ours = |variable: &str| variable.starts_with("STK_HUB_") && !NOT_OURS.contains(&variable);
        let (settings, ignored) = flags.layers(variables, file, is_ours)?;
        let mut config = settings.check()?;
        config.ignored = ignored;
        Ok(config)
    }

    /// For `stk dev`: a free port of the loopback, a key that lives as long as the process.
    pub fn local(data_dir: PathBuf, operator_token: SecretString) -> Result<Self, ConfigError> {
        let key = SealKey::generate_text().map_err(|error| ConfigError(vec![format!("masterKey: {error}")]))?;
        let settings = Settings {
            listen: Some("127.0.0.1:0".into()),
            master_key: Some(key.into()),
            drain_timeout: Some("2s".into()),
            ..Settings::default()
        };
        Ok(Self { data_dir, operator_token: Some(operator_token), ..settings.check()? })
    }
}

impl Settings {
    /// Checks every setting; all errors are reported together.
    pub fn check(self) -> Result<HubConfig, ConfigError> {
        let mut check = Check::default();
        if self.database_url.is_some() {
            for (key, setting) in [("masterKey", &self.master_key), ("operatorToken", &self.operator_token)] {
                need(
                    &mut check,
                    key,
                    setting.as_ref(),
                    "must be given with databaseUrl: every Hub of the database has the same",
                );
            }
        }
        let config = HubConfig {
            listen: check.value("listen", self.listen, SocketAddr::from(([127, 0, 0, 1], 7070)), address),
            internal_listen: check.optional("internalListen", self.internal_listen, address),
            internal_tls: tls(&mut check, "internalTls", self.internal_tls_cert, self.internal_tls_key),
            data_dir: self.data_dir.map_or_else(|| PathBuf::from("santokit-hub-data"), |dir| PathBuf::from(dir.0)),
            database_url: check.optional("databaseUrl", self.database_url, database_url),
            master_key: check.optional("masterKey", self.master_key, |text| {
                SealKey::parse(text).map(Arc::new).map_err(|error| error.to_string())
            }),
            operator_token: check.optional("operatorToken", self.operator_token, token),
            storage_key: None,
            metrics_token: check.optional("metricsToken", self.metrics_token, token),
            drain_timeout: check.value("drainTimeout", self.drain_timeout, Duration::from_secs(10), duration),
            bounds: Bounds {
                connections_max: CONNECTIONS_MAX,
                header_timeout: check.value("headerTimeout", self.header_timeout, Duration::from_secs(10), duration),
                idle_timeout: check.value("idleTimeout", self.idle_timeout, Duration::from_secs(75), duration),
                answer_timeout: check.value("answerTimeout", self.answer_timeout, Duration::from_mins(5), duration),
                header_bytes_max: HEADER_BYTES_MAX,
                streams_max: STREAMS_MAX,
            },
            tls: tls(&mut check, "tls", self.tls_cert, self.tls_key),
            body_timeout: check.value("bodyTimeout", self.body_timeout, Duration::from_secs(30), duration),
            clock: Clock::default(),
            guest_logins: LoginSettings {
                rotation: check.value("guestLoginRotation", self.guest_login_rotation, ROTATION, duration),
                sessions_max: check.value("guestLoginSessions", self.guest_login_sessions, SESSIONS, sessions),
            },
            audit_retention: check.value("auditRetention", self.audit_retention, AUDIT_RETENTION, retention),
            user_token_life: check.value("userTokenLife", self.user_token_life, TOKEN_LIFE_MAX, token_life),
            audit_entries_a_day: check.value(
                "auditEntriesADay",
                self.audit_entries_a_day,
                AUDIT_ENTRIES_A_DAY,
                |text| number(text, 1),
            ),
            releases_kept: check
                .value("releasesKept", self.releases_kept, RELEASES_KEPT, |text| number(text, RELEASES_KEPT_MIN)),
            bridges_kept: check.value("bridgesKept", self.bridges_kept, BRIDGES_KEPT, bridges_kept),
            ignored: Vec::new(),
        };
        if config.internal_tls.is_some() && config.internal_listen.is_none() {
            check.add("internalTlsCert", "means nothing without internalListen");
        }
        if check.0.is_empty() { Ok(config) } else { Err(ConfigError(check.0)) }
    }
}

fn need(check: &mut Check, key: &str, setting: Option<&Text>, why: &str) {
    if setting.is_none() {
        check.add(key, why);
    }
}

fn tls(check: &mut Check, prefix: &str, certificate: Option<Text>, key: Option<Text>) -> Option<TlsFiles> {
    let path = |text: Text| PathBuf::from(text.0);
    match (certificate.map(path), key.map(path)) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (None, None) => None,
        (certificate, _) => {
            let missing = if certificate.is_some() { "Key" } else { "Cert" };
            check.add(&format!("{prefix}{missing}"), &format!("{prefix}Cert and {prefix}Key go together"));
            None
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is not address:port, for example 0.0.0.0:7070"))
}

/// Never quotes it: it may have a password.
fn database_url(text: &str) -> Result<SecretString, String> {
    let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    if is_postgres && PgConnectOptions::from_str(text).is_ok() {
        return Ok(SecretString::from(text));
    }
    Err("is no URL of PostgreSQL; it is postgres://user:password@host:5432/database, with ?sslmode=verify-full where \
         the network is not yours, and without it the Hub keeps its data in dataDir"
        .to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let millis: Millis = text.parse().map_err(|error: santokit_core::quantity::QuantityError| error.to_string())?;
    if millis.0 == 0 { Err("must be longer than nothing".to_owned()) } else { Ok(millis.duration()) }
}

fn sessions(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=10_000).contains(number));
    number.ok_or_else(|| format!("{text:?} is no whole number from 1 to 10000"))
}

fn number(text: &str, least: u32) -> Result<u32, String> {
    const MOST: u32 = 1_000_000_000;
    let number = text.parse().ok().filter(|number| (least..=MOST).contains(number));
    number.ok_or_else(|| format!("{text:?} is no whole number from {least} to {MOST}"))
}

fn bridges_kept(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if (BRIDGES_KEPT_MIN..=AUDIT_RETENTION_MAX).contains(&time) {
        return Ok(time);
    }
    Err("must be between five minutes and a hundred years, for example 24h".to_owned())
}

fn retention(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if (AUDIT_RETENTION_MIN..=AUDIT_RETENTION_MAX).contains(&time) {
        return Ok(time);
    }
    Err("must be between a day and a hundred years, for example 90d".to_owned())
}

fn token_life(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if (TOKEN_LIFE_MIN..=TOKEN_LIFE_MAX).contains(&time) {
        return Ok(time);
    }
    Err("must be between 1m and 1h".to_owned())
}

fn token(text: &str) -> Result<SecretString, String> {
    let ok = text.len() >= TOKEN_LENGTH_MIN && text.bytes().all(|byte| byte.is_ascii_graphic());
    ok.then(|| SecretString::from(text)).ok_or_else(|| {
        format!("must be at least {TOKEN_LENGTH_MIN} printable ASCII characters; `openssl rand -hex 32` makes one")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_errors_and_strangers() {
        let variables = [("STK_HUB_LISTEN", "127.0.0.1:2"), ("STK_HUB_PORT", "x"), ("STK_HUB_URL", "x")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = HubConfig::load(Settings::default(), variables, None).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.ignored, ["STK_HUB_PORT"]);
        let wrong = Settings { listen: Some("x".into()), operator_token: Some("short".into()), ..Settings::default() };
        assert_eq!(wrong.check().unwrap_err().0.len(), 2);
        let shared = Settings { database_url: Some("mysql://u:planted@h/d".into()), ..Settings::default() };
        let told = shared.check().unwrap_err().to_string();
        assert!(told.lines().count() == 3 && told.contains("operatorToken") && !told.contains("planted"), "{told}");
        assert!(Settings::parse("listn: x\n").unwrap_err().contains("listn"));
    }

    #[test]
    fn every_setting_is_in_the_reference() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/hub.md")).unwrap();
        for variable in Settings::VARIABLES {
            assert!(page.contains(&format!("| `{variable}` |")), "{variable} is missing in docs/reference/hub.md");
        }
    }
}
