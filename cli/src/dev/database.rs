//! The developer's databases: where a relative URL leads, whether a database is there yet, and a connection for seeding.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use santokit_core::{
    project::{DevConnection, DevEngine},
    wire::Sealed,
};
use santokit_hub::app::schema::Address;
use sqlx::{
    ConnectOptions, Connection,
    mysql::{MySqlConnectOptions, MySqlConnection},
    postgres::{PgConnectOptions, PgConnection},
    sqlite::{SqliteConnectOptions, SqliteConnection},
};

use crate::failure::Failure;

/// A connection of `santokit.dev.yaml`, with its path made absolute.
#[derive(Clone, Debug)]
pub struct Database {
    /// The kind of database.
    pub engine: DevEngine,
    /// As the Hub is told it.
    pub url: Sealed,
    /// The file, of SQLite.
    pub file: Option<PathBuf>,
    /// What may be shown of where it is.
    pub shown: String,
}

/// A connection to one.
#[derive(Debug)]
pub enum Opened {
    /// SQLite.
    Sqlite(SqliteConnection),
    /// PostgreSQL.
    Postgres(PgConnection),
    /// MySQL or MariaDB.
    Mysql(MySqlConnection),
}

impl PartialEq for Database {
    fn eq(&self, other: &Self) -> bool {
        self.engine == other.engine && self.url.expose() == other.url.expose()
    }
}

impl Database {
    /// Resolves a URL against the project folder; makes the folder that the file is in.
    pub fn new(root: &Path, connection: &DevConnection) -> anyhow::Result<Self> {
        if connection.engine != DevEngine::Sqlite {
            let url = Sealed::new(connection.url.clone());
            let address =
                Address { name: String::new(), engine: connection.engine.as_str().to_owned(), url: url.clone() };
            // Not below the data of any Hub: that is for files.
            let shown = address.masked(Path::new("/dev/null")).map_err(|problem| {
                let failure = Failure::failed(format!("santokit.dev.yaml: {}", problem.message));
                if let Some(hint) = problem.hint { failure.hint(hint) } else { failure }
            })?;
            return Ok(Self { engine: connection.engine, url, file: None, shown });
        }
        let wrong = || {
            Failure::failed(format!("{:?} is no SQLite URL", connection.url))
                .hint("write url: \"sqlite:.stk/dev/main.db\" in santokit.dev.yaml")
        };
        let rest = connection.url.strip_prefix("sqlite:").ok_or_else(wrong)?;
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        if path.is_empty() || path == ":memory:" {
            return Err(wrong().into());
        }
        let file = root.join(path);
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        let text = file.to_str().ok_or_else(wrong)?;
        let mut url = format!("sqlite:{}", encode(text));
        if let Some(query) = query {
            url.push('?');
            url.push_str(query);
        }
        let shown = file.display().to_string();
        Ok(Self { engine: DevEngine::Sqlite, url: Sealed::new(url), file: Some(file), shown })
    }

    /// As the Hub addresses it.
    pub fn address(&self, name: &str) -> Address {
        Address { name: name.to_owned(), engine: self.engine.as_str().to_owned(), url: self.url.clone() }
    }

    /// Whether nothing was ever applied to it: the file is not there, or a server's database has none of the platform's tables.
    pub async fn is_fresh(&self) -> anyhow::Result<bool> {
        if let Some(file) = &self.file {
            return Ok(!file.is_file());
        }
        let count = match self.open().await? {
            Opened::Sqlite(_) => 0,
            Opened::Postgres(mut connection) => {
                let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'stk_idempotency'";
                sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut connection).await?
            }
            Opened::Mysql(mut connection) => {
                let sql = "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() \
                           AND table_name = 'stk_idempotency'";
                sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut connection).await?
            }
        };
        Ok(count == 0)
    }

    /// Opens it, for seeding.
    pub async fn open(&self) -> anyhow::Result<Opened> {
        self.connect().await.with_context(|| format!("cannot open {}", self.shown))
    }

    /// A seed file is long, and slow, on purpose: its statements are not logged.
    async fn connect(&self) -> Result<Opened, sqlx::Error> {
        let url = self.url.expose();
        Ok(match self.engine {
            DevEngine::Sqlite => {
                santokit_sqlite::memory::install();
                let options = SqliteConnectOptions::new()
                    .filename(self.file.as_deref().unwrap_or(Path::new("")))
                    .create_if_missing(false)
                    .foreign_keys(true)
                    .busy_timeout(std::time::Duration::from_secs(10));
                Opened::Sqlite(SqliteConnection::connect_with(&options.disable_statement_logging()).await?)
            }
            DevEngine::Postgres => {
                let options: PgConnectOptions = url.parse()?;
                Opened::Postgres(PgConnection::connect_with(&options.disable_statement_logging()).await?)
            }
            DevEngine::Mysql => {
                let options: MySqlConnectOptions = url.parse()?;
                Opened::Mysql(MySqlConnection::connect_with(&options.disable_statement_logging()).await?)
            }
        })
    }
}

impl Opened {
    /// Runs a statement of our own.
    pub(crate) async fn command(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Opened::Sqlite(connection) => sqlx::query(sql).execute(connection).await.map(drop),
            Opened::Postgres(connection) => sqlx::query(sql).execute(connection).await.map(drop),
            Opened::Mysql(connection) => {
                // BEGIN and COMMIT are no statements that MySQL prepares.
                #[expect(clippy::disallowed_methods, reason = "a constant of ours")]
                let text = sqlx::raw_sql(sql);
                text.execute(connection).await.map(drop)
            }
        }
    }

    /// Closes it.
    pub async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Opened::Sqlite(connection) => connection.close().await,
            Opened::Postgres(connection) => connection.close().await,
            Opened::Mysql(connection) => connection.close().await,
        }
    }
}

/// The characters that would end or change a URL's path.
fn encode(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '%' => text.push_str("%25"),
            '?' => text.push_str("%3F"),
            '#' => text.push_str("%23"),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_urls_lead_into_the_project() {
        let folder = tempfile::tempdir().unwrap();
        let of = |engine, url: &str| Database::new(folder.path(), &DevConnection { engine, url: url.to_owned() });
        let database = of(DevEngine::Sqlite, "sqlite:.stk/dev/a.db?mode=rwc").unwrap();
        assert_eq!(database.file, Some(folder.path().join(".stk/dev/a.db")));
        let url = database.url.expose();
        assert!(url.ends_with("/.stk/dev/a.db?mode=rwc") && url.starts_with("sqlite:/"), "{url}");
        assert!(of(DevEngine::Sqlite, "postgres://x").is_err());
        assert!(of(DevEngine::Sqlite, "sqlite::memory:").is_err());
        let server = of(DevEngine::Postgres, "postgres://me:hunter2@localhost/shop").unwrap();
        assert_eq!(server.shown, "postgres://…@localhost:5432/shop");
        assert!(!format!("{server:?}").contains("hunter2"));
        assert!(of(DevEngine::Mysql, "mysql://localhost").is_err());
    }
}
