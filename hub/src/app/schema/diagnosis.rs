//! Why a database cannot be used: name, address, encryption, login, database, version, privileges, each asked by itself and told
//! with what to do. Nothing that a server or a driver says is passed on: it can hold what was sent.

use std::{borrow::Cow, io::ErrorKind, time::Duration};

use santokit_sql::schema::Engine;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::net::{TcpStream, lookup_host};

use super::{
    address::{Address, Options},
    database::Opened,
};

const STEP_MAX: Duration = Duration::from_secs(10);

/// What was found.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// Whether it can be used.
    pub ok: bool,
    /// The server's version, as far as it is digits and words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// In the order in which they were asked; after one that fails none is.
    pub checks: Vec<Check>,
}

/// One question.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// `dns`, `reach`, `login`, `version`, `tables`, `guests`, `everybody` or `tls`.
    pub name: &'static str,
    /// `ok`, `warning` or `failed`.
    pub state: &'static str,
    /// One sentence.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Cow<'static, str>>,
}

/// Asks everything. `makes_tables` says that the Hub changes the schema over this URL.
pub async fn diagnose(address: &Address, makes_tables: bool) -> Diagnosis {
    let mut found = Diagnosis::default();
    let Ok(options) = address.options() else {
        found.failed("login", "the URL cannot be read", "set the connection again");
        return found;
    };
    if let Some((host, port)) = options.server()
        && !found.reach(&host, port).await
    {
        return found;
    }
    let mut opened = match Opened::open(address, false).await {
        Ok(opened) => opened,
        Err(error) => {
            let (name, message, hint) = login(&error, &options);
            found.failed(name, message, hint);
            return found;
        }
    };
    found.passed("login", "the user may log in, and the database is there");
    found.ok = true;
    found.version(&mut opened).await;
    if makes_tables {
        found.tables(&mut opened).await;
        found.guests(&mut opened).await;
    }
    if found.ok && !options.verifies_server() && options.server().is_some_and(|(host, _)| !is_local(&host)) {
        found.warning(
            "tls",
            "the server need not prove who it is",
            "add ?sslmode=verify-full (PostgreSQL) or ?ssl-mode=VERIFY_IDENTITY (MySQL), with sslrootcert or ssl-ca where the \
             authority is your own",
        );
    }
    opened.close().await;
    found
}

impl Diagnosis {
    fn passed(&mut self, name: &'static str, message: impl Into<String>) {
        self.checks.push(Check { name, state: "ok", message: message.into(), hint: None });
    }

    fn warning(&mut self, name: &'static str, message: impl Into<String>, hint: impl Into<Cow<'static, str>>) {
        self.checks.push(Check { name, state: "warning", message: message.into(), hint: Some(hint.into()) });
    }

    fn failed(&mut self, name: &'static str, message: impl Into<String>, hint: impl Into<Cow<'static, str>>) {
        self.ok = false;
        self.checks.push(Check { name, state: "failed", message: message.into(), hint: Some(hint.into()) });
    }

    async fn reach(&mut self, host: &str, port: u16) -> bool {
        // In a URL an IPv6 address has brackets.
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = match tokio::time::timeout(STEP_MAX, lookup_host((bare, port))).await {
            Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        if addresses.is_empty() {
            let message = format!("the name {bare} has no address, as the Hub sees it");
            self.failed("dns", message, "check the host in the URL, and the name server of the Hub's machine");
            return false;
        }
        self.passed("dns", format!("{bare} has {} address(es)", addresses.len()));
        match tokio::time::timeout(STEP_MAX, TcpStream::connect(addresses.as_slice())).await {
            Ok(Ok(_)) => {
                self.passed("reach", format!("port {port} takes connections"));
                return true;
            }
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => self.failed(
                "reach",
                format!("port {port} refuses connections"),
                "check that the server runs, listens on that address and not only on its own machine, and the port",
            ),
            Ok(Err(_)) => self.failed(
                "reach",
                format!("there is no way to port {port}"),
                "check the network between the Hub and the server",
            ),
            Err(_) => self.failed(
                "reach",
                format!("port {port} does not answer within {} s", STEP_MAX.as_secs()),
                "a firewall that drops packets looks like this; let the Hub's and the Bridges' addresses in",
            ),
        }
        false
    }

    async fn version(&mut self, opened: &mut Opened) {
        let Ok(text) = opened.version().await else {
            self.failed("version", "the server does not say its version", "check that it is a database of this engine");
            return;
        };
        let text: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || ".-+ ".contains(*c)).take(60).collect();
        let (engine, at_least) = (opened.engine(), oldest(opened.engine()));
        let name = engine.as_str();
        if numbers(&text).as_slice() >= at_least {
            self.passed("version", format!("{name} {text}"));
        } else {
            let least = at_least.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
            self.failed("version", format!("{name} {text} is too old: {least} is the oldest"), "upgrade the server");
        }
        self.version = Some(format!("{name} {text}"));
    }

    async fn tables(&mut self, opened: &mut Opened) {
        match opened.may_create().await {
            Ok(Some(true)) => self.passed("tables", "the user may make tables"),
            Ok(Some(false)) => self.failed(
                "tables",
                "the user may not make tables in the schema that the search path begins with",
                "grant CREATE on the schema, or give the Hub another user as adminUrl",
            ),
            // A file, or privileges that cannot be seen.
            Ok(None) | Err(_) => {}
        }
    }

    /// Whether logins can be made for guests' SQL, and what they could do beside what they are granted. Who has no such guests needs
    /// none of it.
    async fn guests(&mut self, opened: &mut Opened) {
        if opened.engine() == Engine::Sqlite {
            return;
        }
        let Ok(outlook) = opened.outlook().await else { return };
        let is_complete = outlook.lacking.is_none() && outlook.tables_of_others.is_empty();
        if let Some(lacking) = outlook.lacking {
            let message =
                format!("releases whose components run SQL of their own are refused: the user lacks {}", lacking.what);
            self.warning("guests", message, format!("an administrator of the database runs: {};", lacking.statement));
        }
        if !outlook.tables_of_others.is_empty() {
            let tables = outlook.tables_of_others.join(", ");
            self.warning(
                "guests",
                format!("the user may not grant tables that others own, for guests' SQL: {tables}"),
                "give the Hub a user as adminUrl that owns the tables, or may grant them",
            );
        }
        if is_complete && outlook.is_known {
            self.passed("guests", "the user may make logins for guests' SQL");
        } else if is_complete {
            self.warning(
                "guests",
                "it is not seen whether the user may make logins for guests' SQL",
                "it needs CREATE USER, and the verbs on the tables WITH GRANT OPTION; apply says what lacks",
            );
        }
        if !outlook.of_everybody.is_empty() {
            let powers = outlook.of_everybody.join("; ");
            self.warning(
                "everybody",
                format!("what guests' SQL can do beside its grants: {powers}"),
                "revoke it from PUBLIC, where nothing needs it",
            );
        }
    }
}

/// Which check a failed login is, what it means, and what to do.
fn login(error: &sqlx::Error, options: &Options) -> (&'static str, String, &'static str) {
    let database = options.database().unwrap_or_default();
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(Cow::into_owned);
    let number = match error {
        sqlx::Error::Database(error) => {
            error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(sqlx::mysql::MySqlDatabaseError::number)
        }
        _ => None,
    };
    match (code.as_deref(), number, error) {
        (Some("28P01" | "28000"), ..) | (_, Some(1045 | 1698 | 1251 | 1862 | 3118), _) => (
            "login",
            "the server refuses the user or the password".to_owned(),
            "check both in the URL (special characters are written as %XX), and from which addresses the user may come",
        ),
        (Some("3D000"), ..) | (_, Some(1049), _) => {
            ("database", format!("there is no database {database:?}"), "make it, or name another in the URL")
        }
        (Some("42501"), ..) | (_, Some(1044), _) => (
            "database",
            format!("the user may not use the database {database:?}"),
            "grant it CONNECT (PostgreSQL) or privileges on the database (MySQL)",
        ),
        (Some("53300"), ..) | (_, Some(1040 | 1203), _) => (
            "login",
            "the server has no connection left".to_owned(),
            "raise its limit, or lower the pools of those who use it",
        ),
        (Some("57P03"), ..) | (_, Some(1053), _) => {
            ("login", "the server is starting or stopping".to_owned(), "try again in a moment")
        }
        (_, _, sqlx::Error::Tls(_)) => (
            "tls",
            "no encrypted connection could be made".to_owned(),
            "check that the server has TLS, its certificate the host's name, and sslrootcert or ssl-ca the right authority",
        ),
        // A certificate that is refused ends the handshake, which the driver tells as data that are none.
        (_, _, sqlx::Error::Io(error)) if error.kind() == ErrorKind::InvalidData => (
            "tls",
            "the server's certificate is not accepted".to_owned(),
            "check that it names the host of the URL, has not expired, and is of an authority in sslrootcert or ssl-ca",
        ),
        (_, _, sqlx::Error::Io(error))
            if options.server().is_some()
                && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) =>
        {
            (
                "tls",
                "a file that the URL names for TLS cannot be read here".to_owned(),
                "put it on the Hub's machine and on those of the Bridges, at the same path (sslrootcert, sslcert, sslkey; ssl-ca, …)",
            )
        }
        (_, _, sqlx::Error::Io(error)) if error.kind() == ErrorKind::TimedOut => (
            "login",
            "the server takes the connection and then says nothing".to_owned(),
            "check what listens on that port",
        ),
        (Some("14"), ..) => (
            "login",
            "the file is not there, or cannot be opened".to_owned(),
            "apply makes it; check the folder's permissions",
        ),
        _ => (
            "login",
            "what answers is no server of this engine, or ended the connection".to_owned(),
            "check engine, host and port; the server's own log says more",
        ),
    }
}

fn oldest(engine: Engine) -> &'static [u32] {
    match engine {
        Engine::Sqlite => &[3, 35],
        // Generated columns, and collations that take unequal texts for equal, are in its catalogue from there on.
        Engine::Postgres => &[12],
        // A collation that tells all texts apart.
        Engine::Mysql => &[8, 0, 17],
        Engine::Mariadb => &[10, 5],
    }
}

/// The numbers that a version begins with; MariaDB may say 5.5.5- before its own.
fn numbers(version: &str) -> Vec<u32> {
    let own = version.strip_prefix("5.5.5-").unwrap_or(version);
    let end = own.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(own.len());
    own[..end].split('.').filter_map(|part| part.parse().ok()).collect()
}

fn is_local(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "::1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(numbers("15.20 (Debian 15.20-0+deb12u1)") >= vec![12]);
        assert!(numbers("5.5.5-10.11.19-MariaDB-0+deb12u1").as_slice() >= oldest(Engine::Mariadb));
        assert!(numbers("8.0.9") < vec![8, 0, 17]);
        assert!(numbers("nonsense") < vec![12]);
    }
}
