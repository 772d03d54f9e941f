//! The Hub's settings: read from a file, the environment and flags, checked together before any socket opens.
//!
//! Precedence: flag, environment (`STK_…`), file, default. An unknown key in a file is an error; an unknown `STK_HUB_…`
//! variable is kept in [`HubConfig::ignored`] to be warned about, because orchestrators set `<SERVICE>_PORT` variables of their own.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use santokit_core::{quantity::Millis, seal::SealKey, user_token::LIFETIME_SECONDS_MAX};
use santokit_edge::{Bounds, TlsFiles};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
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

/// All that is wrong with the settings, at once.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// A setting as written. `Debug` does not show it, for it may be a secret.
#[derive(Clone)]
pub struct Text(String);

macro_rules! settings {
    ($($(#[$doc:meta])* $field:ident = $variable:literal,)*) => {
        /// The settings before they are checked: one layer of file, environment or flags.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
        pub struct Settings { $($(#[$doc])* pub $field: Option<Text>,)* }

        impl Settings {
            /// Every variable, in the order of the reference.
            pub const VARIABLES: &[&str] = &[$($variable),*];

            /// Sets the field of an environment variable; false where there is none.
            fn set(&mut self, variable: &str, text: &str) -> bool {
                match variable {
                    $($variable => self.$field = Some(Text(text.to_owned())),)*
                    _ => return false,
                }
                true
            }

            /// This layer, and below it another.
            #[must_use]
            pub fn over(self, below: Self) -> Self {
                Self { $($field: self.$field.or(below.$field),)* }
            }
        }
    };
}

settings! {
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
        let mut environment = Settings::default();
        let mut ignored = Vec::new();
        for (variable, text) in variables {
            let is_known = environment.set(&variable, &text) || NOT_OURS.contains(&variable.as_str());
            if variable.starts_with("STK_HUB_") && !is_known {
                ignored.push(variable);
            }
        }
        let file = match file {
            None => Settings::default(),
            Some(path) => {
                let shown = path.display();
                let text = std::fs::read_to_string(path)
                    .map_err(|error| ConfigError(vec![format!("cannot read settings from {shown}: {error}")]))?;
                Settings::parse(&text).map_err(|error| ConfigError(vec![format!("{shown}: {error}")]))?
            }
        };
        let mut config = flags.over(environment).over(file).check()?;
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
    /// Reads a settings file (YAML). The error says line and column.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
    }

    /// Checks every setting; all errors are reported together.
    pub fn check(self) -> Result<HubConfig, ConfigError> {
        let mut check = Check::default();
        if self.database_url.is_some() {
            for (key, setting) in [("masterKey", &self.master_key), ("operatorToken", &self.operator_token)] {
                check.need(
                    key,
                    setting.as_ref(),
                    "must be given with databaseUrl: every Hub of the database has the same",
                );
            }
        }
        let config = HubConfig {
            listen: check.read("listen", self.listen, address).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7070))),
            internal_listen: check.read("internalListen", self.internal_listen, address),
            internal_tls: check.tls("internalTls", self.internal_tls_cert, self.internal_tls_key),
            data_dir: self.data_dir.map_or_else(|| PathBuf::from("santokit-hub-data"), |dir| PathBuf::from(dir.0)),
            database_url: check.read("databaseUrl", self.database_url, database_url),
            master_key: check.read("masterKey", self.master_key, |text| {
                SealKey::parse(text).map(Arc::new).map_err(|error| error.to_string())
            }),
            operator_token: check.read("operatorToken", self.operator_token, token),
            metrics_token: check.read("metricsToken", self.metrics_token, token),
            drain_timeout: check.read("drainTimeout", self.drain_timeout, duration).unwrap_or(Duration::from_secs(10)),
            bounds: Bounds {
                connections_max: CONNECTIONS_MAX,
                header_timeout: check
                    .read("headerTimeout", self.header_timeout, duration)
                    .unwrap_or(Duration::from_secs(10)),
                idle_timeout: check.read("idleTimeout", self.idle_timeout, duration).unwrap_or(Duration::from_secs(75)),
                answer_timeout: check
                    .read("answerTimeout", self.answer_timeout, duration)
                    .unwrap_or(Duration::from_mins(5)),
                header_bytes_max: HEADER_BYTES_MAX,
                streams_max: STREAMS_MAX,
            },
            tls: check.tls("tls", self.tls_cert, self.tls_key),
            body_timeout: check.read("bodyTimeout", self.body_timeout, duration).unwrap_or(Duration::from_secs(30)),
            clock: Clock::default(),
            guest_logins: LoginSettings {
                rotation: check.read("guestLoginRotation", self.guest_login_rotation, duration).unwrap_or(ROTATION),
                sessions_max: check.read("guestLoginSessions", self.guest_login_sessions, sessions).unwrap_or(SESSIONS),
            },
            audit_retention: check.read("auditRetention", self.audit_retention, retention).unwrap_or(AUDIT_RETENTION),
            user_token_life: check.read("userTokenLife", self.user_token_life, token_life).unwrap_or(TOKEN_LIFE_MAX),
            ignored: Vec::new(),
        };
        if config.internal_tls.is_some() && config.internal_listen.is_none() {
            check.0.push("internalTlsCert: means nothing without internalListen".to_owned());
        }
        if check.0.is_empty() { Ok(config) } else { Err(ConfigError(check.0)) }
    }
}

/// Collects what is wrong, so that a person fixes all of it in one go.
#[derive(Default)]
struct Check(Vec<String>);

impl Check {
    fn read<T>(&mut self, key: &str, text: Option<Text>, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match read(text?.0.trim()) {
            Ok(value) => Some(value),
            Err(what) => {
                self.0.push(format!("{key}: {what}"));
                None
            }
        }
    }
}

impl Check {
    fn need(&mut self, key: &str, setting: Option<&Text>, why: &str) {
        if setting.is_none() {
            self.0.push(format!("{key}: {why}"));
        }
    }

    fn tls(&mut self, prefix: &str, certificate: Option<Text>, key: Option<Text>) -> Option<TlsFiles> {
        let path = |text: Text| PathBuf::from(text.0);
        match (certificate.map(path), key.map(path)) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            (certificate, _) => {
                let missing = if certificate.is_some() { "Key" } else { "Cert" };
                self.0.push(format!("{prefix}{missing}: {prefix}Cert and {prefix}Key go together"));
                None
            }
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

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
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
