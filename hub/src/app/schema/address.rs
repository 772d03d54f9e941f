//! Where a database is: the URL of a connection, what may be in it, and what may be shown of it. No error quotes a URL.

use std::{path::Path, str::FromStr, time::Duration};

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    wire::Sealed,
};
use santokit_sql::schema::Engine;
use sqlx::{
    ConnectOptions,
    mysql::{MySqlConnectOptions, MySqlSslMode},
    postgres::{PgConnectOptions, PgSslMode},
    sqlite::SqliteConnectOptions,
};

const URL_BYTES_MAX: usize = 4 << 10;
const BUSY_MAX: Duration = Duration::from_secs(30);

/// The words of `engine`.
pub const ENGINES: [&str; 3] = ["sqlite", "postgres", "mysql"];
/// What may stand behind the `?` of a server's URL. Others would be passed by in silence, or replace what stands before it.
const PARAMETERS: [&str; 10] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "options",
    "statement-cache-capacity",
];

/// A connection's database.
#[derive(Clone, Debug)]
pub struct Address {
    /// The connection's name.
    pub name: String,
    /// `sqlite`, `postgres` or `mysql`.
    pub engine: String,
    /// Its URL, with credentials.
    pub url: Sealed,
}

/// How a driver is told it.
#[derive(Clone, Debug)]
pub(super) enum Options {
    /// A file.
    Sqlite(Box<SqliteConnectOptions>),
    /// A server.
    Postgres(Box<PgConnectOptions>),
    /// A server of MySQL or MariaDB.
    Mysql(Box<MySqlConnectOptions>),
}

impl Address {
    /// Of a SQLite file.
    pub fn sqlite(name: &str, url: Sealed) -> Self {
        Self { name: name.to_owned(), engine: "sqlite".to_owned(), url }
    }

    /// The engine, as far as its name says it.
    pub(super) fn engine(&self) -> Option<Engine> {
        match self.engine.as_str() {
            "sqlite" => Some(Engine::Sqlite),
            "postgres" => Some(Engine::Postgres),
            "mysql" => Some(Engine::Mysql),
            _ => None,
        }
    }

    /// Whether it is a file that is not there.
    pub(super) async fn is_absent(&self) -> bool {
        match self.options() {
            Ok(Options::Sqlite(options)) => !tokio::fs::try_exists(options.get_filename()).await.unwrap_or(false),
            _ => false,
        }
    }

    pub(super) fn options(&self) -> Result<Options, sqlx::Error> {
        let url = self.url.expose();
        Ok(match self.engine.as_str() {
            "sqlite" => {
                let options = SqliteConnectOptions::from_str(url)?.foreign_keys(true).busy_timeout(BUSY_MAX);
                Options::Sqlite(Box::new(options.disable_statement_logging()))
            }
            "postgres" => {
                let options = PgConnectOptions::from_str(url)?.application_name("santokit-hub");
                Options::Postgres(Box::new(options.disable_statement_logging()))
            }
            "mysql" => {
                // Texts of statements are ours: what a server's mode would make of them must not matter.
                let options = MySqlConnectOptions::from_str(url)?.pipes_as_concat(false).no_engine_substitution(false);
                Options::Mysql(Box::new(options.disable_statement_logging()))
            }
            _ => return Err(sqlx::Error::Configuration("an engine that nobody knows".into())),
        })
    }

    /// The same server, for another user. On MySQL no database is named: a user that has nothing in one may not name it.
    pub(super) fn as_login(&self, user: &str, password: &str) -> Result<Options, sqlx::Error> {
        let url = Sealed::new(without_database(self.url.expose()));
        let of_server = Self { url, ..self.clone() };
        let options = if self.engine == "mysql" { of_server.options()? } else { self.options()? };
        Ok(match options {
            Options::Sqlite(options) => Options::Sqlite(options),
            Options::Postgres(options) => Options::Postgres(Box::new(options.username(user).password(password))),
            Options::Mysql(options) => Options::Mysql(Box::new(options.username(user).password(password))),
        })
    }

    /// Checks the URL and gives what may be shown of it: never a user's name, a password or a parameter.
    pub fn masked(&self, data_dir: &Path) -> Outcome<String> {
        let url = self.url.expose();
        if url.len() > URL_BYTES_MAX {
            return Err(self.wrong("is too long"));
        }
        match self.engine.as_str() {
            "sqlite" => self.masked_sqlite(url, data_dir),
            "postgres" | "mysql" => self.masked_server(url),
            other => {
                let near = match other {
                    "postgresql" | "pg" => Some("postgres"),
                    "mariadb" => Some("mysql"),
                    other => santokit_core::name::nearest(other, ENGINES),
                };
                let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                Err(Problem::new(Code::BadRequest, format!("the engine {other:?} is not supported"))
                    .hint(format!("this version takes {}{near}", ENGINES.join(", "))))
            }
        }
    }

    fn wrong(&self, why: &str) -> Box<Problem> {
        let hint = match self.engine.as_str() {
            "postgres" => {
                "a PostgreSQL URL is postgres://user:password@host:5432/database, with ?sslmode=verify-full where the network is not yours"
            }
            "mysql" => {
                "a MySQL or MariaDB URL is mysql://user:password@host:3306/database, with ?ssl-mode=VERIFY_IDENTITY where the network is not yours"
            }
            _ => "a SQLite URL is sqlite: and the path of a file, for example sqlite:/var/lib/shop/main.db",
        };
        Problem::new(Code::BadRequest, format!("the URL {why}")).hint(hint)
    }

    fn masked_sqlite(&self, url: &str, data_dir: &Path) -> Outcome<String> {
        if !url.starts_with("sqlite:") {
            return Err(self.wrong("is no SQLite URL"));
        }
        if url.contains(":memory:") || url.contains("mode=memory") {
            return Err(self.wrong("is of a database in memory, which Hub and Bridge cannot share"));
        }
        let options = SqliteConnectOptions::from_str(url).map_err(|_| self.wrong("cannot be read"))?;
        let absolute = std::path::absolute(options.get_filename()).map_err(|_| self.wrong("has no path"))?;
        let parent = absolute.parent().and_then(|dir| dir.canonicalize().ok()).unwrap_or_else(|| absolute.clone());
        if parent.starts_with(data_dir) || absolute.starts_with(data_dir) {
            return Err(self.wrong("leads into the Hub's own data"));
        }
        let name =
            Path::new(&absolute).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(format!("sqlite:…/{name}"))
    }

    fn masked_server(&self, url: &str) -> Outcome<String> {
        let schemes: &[&str] =
            if self.engine == "postgres" { &["postgres", "postgresql"] } else { &["mysql", "mariadb"] };
        let rest = url.split_once("://").filter(|(scheme, _)| schemes.contains(scheme)).map(|(_, rest)| rest);
        let rest = rest.ok_or_else(|| self.wrong(&format!("is no {} URL", self.engine)))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let name = parameter.split('=').next().unwrap_or_default();
            if !PARAMETERS.contains(&name) && !name.starts_with("options[") {
                return Err(self.wrong("has a parameter that is not known").detail("parameters", PARAMETERS.to_vec()));
            }
        }
        let authority = place.split('/').next().unwrap_or_default();
        if authority.rsplit('@').next().is_none_or(|host| host.is_empty() || host.starts_with(':')) {
            return Err(self.wrong("names no host"));
        }
        let (host, port, database) = match self.options().map_err(|_| self.wrong("cannot be read"))? {
            Options::Postgres(o) => (o.get_host().to_owned(), o.get_port(), o.get_database().map(str::to_owned)),
            Options::Mysql(o) => (o.get_host().to_owned(), o.get_port(), o.get_database().map(str::to_owned)),
            Options::Sqlite(_) => return Err(self.wrong("cannot be read")),
        };
        // What is left out would come from the environment of the process that opens it.
        if !place.contains('@') {
            return Err(self.wrong("names no user"));
        }
        let in_url = place.split_once('/').is_some_and(|(_, name)| !name.is_empty());
        let database = database.filter(|_| in_url).ok_or_else(|| self.wrong("names no database"))?;
        let host = if host.starts_with('/') { "socket".to_owned() } else { host };
        let scheme = &self.engine;
        Ok(format!("{scheme}://…@{host}:{port}/{database}").chars().filter(|c| !c.is_control()).collect())
    }
}

/// A server's URL without its path: `mysql://user@host/shop?x=y` as `mysql://user@host?x=y`.
fn without_database(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (place, query) =
        rest.split_once('?').map_or((rest, String::new()), |(place, query)| (place, format!("?{query}")));
    let authority = place.split('/').next().unwrap_or_default();
    format!("{scheme}://{authority}{query}")
}

impl Options {
    /// Host and port of a server.
    pub(super) fn server(&self) -> Option<(String, u16)> {
        match self {
            Options::Sqlite(_) => None,
            Options::Postgres(options) if options.get_socket().is_some() => None,
            Options::Mysql(options) if options.get_socket().is_some() => None,
            Options::Postgres(options) => Some((options.get_host().to_owned(), options.get_port())),
            Options::Mysql(options) => Some((options.get_host().to_owned(), options.get_port())),
        }
    }

    /// The database's name.
    pub(super) fn database(&self) -> Option<String> {
        match self {
            Options::Sqlite(_) => None,
            Options::Postgres(options) => options.get_database().map(str::to_owned),
            Options::Mysql(options) => options.get_database().map(str::to_owned),
        }
    }

    /// Whether the server has to prove who it is. That some authority knows it proves nothing: the public ones are trusted too.
    pub(super) fn verifies_server(&self) -> bool {
        match self {
            Options::Sqlite(_) => true,
            Options::Postgres(options) => matches!(options.get_ssl_mode(), PgSslMode::VerifyFull),
            Options::Mysql(options) => matches!(options.get_ssl_mode(), MySqlSslMode::VerifyIdentity),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(engine: &str, url: &str) -> Result<String, String> {
        let address = Address { name: "main".to_owned(), engine: engine.to_owned(), url: Sealed::new(url) };
        address.masked(Path::new("/nowhere")).map_err(|problem| problem.message)
    }

    #[test]
    fn of_a_url_the_place_is_shown_and_nothing_else() {
        let shown = masked("postgres", "postgres://app:hunter2@db.example.com/shop?sslmode=verify-full").unwrap();
        assert_eq!(shown, "postgres://…@db.example.com:5432/shop");
        assert_eq!(
            masked("mysql", "mysql://app:hunter2@127.0.0.1:3307/shop").unwrap(),
            "mysql://…@127.0.0.1:3307/shop"
        );
    }

    #[test]
    fn another_user_of_a_server_names_no_database_of_mysql() {
        let url = "mysql://app:hunter2@127.0.0.1:3307/shop?ssl-mode=REQUIRED";
        assert_eq!(without_database(url), "mysql://app:hunter2@127.0.0.1:3307?ssl-mode=REQUIRED");
        let address = Address { name: "main".to_owned(), engine: "mysql".to_owned(), url: Sealed::new(url) };
        let Ok(Options::Mysql(options)) = address.as_login("guest", "secret") else { panic!("options of MySQL") };
        assert_eq!((options.get_username(), options.get_port(), options.get_database()), ("guest", 3307, None));
        assert!(matches!(options.get_ssl_mode(), MySqlSslMode::Required));
    }

    #[test]
    fn a_url_that_leaves_something_open_is_refused_and_not_quoted() {
        for (engine, url) in [
            ("postgres", "mysql://u:hunter2@h/d"),
            ("mysql", "postgres://u:hunter2@h/d"),
            ("postgres", "postgres://u:hunter2@h"),
            ("postgres", "postgres://u:hunter2@h/"),
            ("postgres", "postgres://h/d"),
            ("postgres", "postgres:///d?host=h&password=hunter2"),
            ("postgres", "postgres://u:hunter2@h/d?password=hunter2"),
            ("postgres", "postgres://u:hunter2@:5432/d"),
            ("postgres", "postgres://u:hunter2@h:port/d"),
            ("mysql", "mysql://u:hunter2@h/d?socket=/tmp/hunter2"),
            ("mysql", "mysql://u:hunter2@h/d?ssl-mode=hunter2"),
            ("oracle", "oracle://u:hunter2@h/d"),
            ("sqlite", "sqlite::memory:"),
        ] {
            let message = masked(engine, url).unwrap_err();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
