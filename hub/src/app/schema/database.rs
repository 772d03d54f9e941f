//! A customer's database that is open: reading its catalogue, and taking steps under a lock that keeps every other Hub out.

use std::time::Duration;

use santokit_core::schema::Schema;
use santokit_sql::schema::{CatalogRows, CurrentSchema, Engine, Row as Cells, Step, plan};
use sqlx::{
    AssertSqlSafe, Connection, MySqlConnection, PgConnection, Row, SqliteConnection, sqlite::SqliteJournalMode,
};

use super::{
    Planned, Stopped,
    address::{Address, Options},
};

const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a step waits for those who use a table, and an apply for another one.
const PG_WAIT: &str = "SET LOCAL lock_timeout = '30s'";
const PG_LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('stk_schema/' || current_schema(), 0))::text";
/// Names of such locks are the server's, so that they say which database.
const MYSQL_LOCK: &str = "SELECT CAST(GET_LOCK(CONCAT('stk_schema/', LEFT(SHA1(DATABASE()), 40)), 30) AS CHAR)";
const MYSQL_UNLOCK: &str = "SELECT CAST(RELEASE_LOCK(CONCAT('stk_schema/', LEFT(SHA1(DATABASE()), 40))) AS CHAR)";
/// Backslashes in literals are escaped by us, and a value that does not fit is an error.
const MYSQL_SESSION: &str = "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,\
    NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', lock_wait_timeout = 30, foreign_key_checks = 1";

/// A connection.
pub(super) enum Opened {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
    /// With which of the two it is.
    Mysql(Box<MySqlConnection>, Engine),
}

/// The rows of a statement without parameters, each cell as text.
macro_rules! rows {
    ($connection:expr, $sql:expr) => {{
        let mut all: Vec<Cells> = Vec::new();
        for row in sqlx::query($sql).fetch_all(&mut *$connection).await? {
            all.push((0..row.len()).map(|index| row.try_get_unchecked(index)).collect::<Result<_, sqlx::Error>>()?);
        }
        Ok::<_, sqlx::Error>(all)
    }};
}

/// Takes steps one after another; where one fails, what was taken before it is told.
macro_rules! take {
    ($connection:expr, $steps:expr, $stands:expr) => {{
        let mut done: Vec<Step> = Vec::new();
        for step in $steps {
            // Made by `santokit_sql` from a checked schema; names are quoted there.
            if let Err(error) = sqlx::query(AssertSqlSafe(step.sql.clone())).execute(&mut *$connection).await {
                let done = if $stands { done } else { Vec::new() };
                return Err(Stopped { done, failed: Some(step.clone()), error });
            }
            done.push(step.clone());
        }
    }};
}

impl Opened {
    /// Opens it. A SQLite file that is not there is made only if `create` says so.
    pub(super) async fn open(address: &Address, create: bool) -> Result<Self, sqlx::Error> {
        let options = address.options()?;
        tokio::time::timeout(CONNECT_MAX, Self::connect(options, create)).await.unwrap_or_else(|_| {
            Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "it does not answer")))
        })
    }

    async fn connect(options: Options, create: bool) -> Result<Self, sqlx::Error> {
        match options {
            Options::Sqlite(options) => {
                let mut options = *options;
                if create {
                    options = options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
                }
                Ok(Opened::Sqlite(Box::new(SqliteConnection::connect_with(&options).await?)))
            }
            Options::Postgres(options) => {
                let mut connection = PgConnection::connect_with(&options).await?;
                // Texts are escaped for it, and times are told by it.
                sqlx::query("SELECT set_config('standard_conforming_strings', 'on', false), set_config('timezone', 'UTC', false), \
                             set_config('datestyle', 'ISO', false)")
                    .execute(&mut connection)
                    .await?;
                Ok(Opened::Postgres(Box::new(connection)))
            }
            Options::Mysql(options) => {
                let mut connection = MySqlConnection::connect_with(&options).await?;
                sqlx::query(MYSQL_SESSION).execute(&mut connection).await?;
                let version: String =
                    sqlx::query_scalar("SELECT CAST(version() AS CHAR)").fetch_one(&mut connection).await?;
                let engine = if version.contains("MariaDB") { Engine::Mariadb } else { Engine::Mysql };
                Ok(Opened::Mysql(Box::new(connection), engine))
            }
        }
    }

    pub(super) fn engine(&self) -> Engine {
        match self {
            Opened::Sqlite(_) => Engine::Sqlite,
            Opened::Postgres(_) => Engine::Postgres,
            Opened::Mysql(_, engine) => *engine,
        }
    }

    /// Its tables.
    pub(super) async fn read(&mut self) -> Result<CurrentSchema, sqlx::Error> {
        match self {
            Opened::Sqlite(connection) => sqlite(connection).await,
            Opened::Postgres(connection) => postgres(connection).await,
            Opened::Mysql(connection, engine) => mysql(connection, *engine).await,
        }
    }

    /// Plans and takes the steps under one lock.
    pub(super) async fn apply(&mut self, schema: &Schema) -> Result<Planned, Stopped> {
        match self {
            Opened::Sqlite(connection) => {
                let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
                let planned = plan(Engine::Sqlite, &sqlite(&mut transaction).await?, schema);
                if let Ok(steps) = &planned {
                    take!(transaction, steps, false);
                    transaction.commit().await?;
                }
                Ok(planned)
            }
            Opened::Postgres(connection) => {
                let mut transaction = connection.begin().await?;
                sqlx::query(PG_WAIT).execute(&mut *transaction).await?;
                sqlx::query(PG_LOCK).execute(&mut *transaction).await?;
                let planned = plan(Engine::Postgres, &postgres(&mut transaction).await?, schema);
                if let Ok(steps) = &planned {
                    take!(transaction, steps, false);
                    transaction.commit().await?;
                }
                Ok(planned)
            }
            Opened::Mysql(connection, engine) => {
                let got: Option<String> = sqlx::query_scalar(MYSQL_LOCK).fetch_one(&mut **connection).await?;
                if got.as_deref() != Some("1") {
                    let busy = "another apply to this database is running";
                    return Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, busy)).into());
                }
                let planned = plan(*engine, &mysql(connection, *engine).await?, schema);
                if let Ok(steps) = &planned {
                    take!(*connection, steps, true);
                }
                sqlx::query(MYSQL_UNLOCK).execute(&mut **connection).await?;
                Ok(planned)
            }
        }
    }

    /// What the server says of its version.
    pub(super) async fn version(&mut self) -> Result<String, sqlx::Error> {
        match self {
            Opened::Sqlite(connection) => {
                sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut **connection).await
            }
            Opened::Postgres(connection) => {
                sqlx::query_scalar("SELECT current_setting('server_version')").fetch_one(&mut **connection).await
            }
            Opened::Mysql(connection, _) => {
                sqlx::query_scalar("SELECT CAST(version() AS CHAR)").fetch_one(&mut **connection).await
            }
        }
    }

    /// Whether its user may make tables; none where that cannot be told.
    pub(super) async fn may_create(&mut self) -> Result<Option<bool>, sqlx::Error> {
        Ok(match self {
            Opened::Sqlite(_) => None,
            Opened::Postgres(connection) => {
                sqlx::query_scalar("SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)")
                    .fetch_one(&mut **connection)
                    .await?
            }
            // Privileges through a role are not listed there: what is not found is not known to be missing.
            Opened::Mysql(connection, _) => {
                let found: Option<String> = sqlx::query_scalar(
                    "SELECT CAST(p.grantee AS CHAR) FROM (SELECT grantee, privilege_type FROM information_schema.user_privileges \
                     UNION ALL SELECT grantee, privilege_type FROM information_schema.schema_privileges \
                     WHERE database() LIKE table_schema) AS p WHERE p.privilege_type = 'CREATE' LIMIT 1",
                )
                .fetch_optional(&mut **connection)
                .await?;
                found.map(|_| true)
            }
        })
    }

    /// How it is at its end does not matter.
    pub(super) async fn close(self) {
        match self {
            Opened::Sqlite(connection) => drop(connection.close().await),
            Opened::Postgres(connection) => drop(connection.close().await),
            Opened::Mysql(connection, _) => drop(connection.close().await),
        }
    }
}

async fn sqlite(connection: &mut SqliteConnection) -> Result<CurrentSchema, sqlx::Error> {
    let catalog = Engine::Sqlite.catalog();
    let rows = CatalogRows {
        columns: rows!(connection, catalog.columns)?,
        indexes: rows!(connection, catalog.indexes)?,
        references: rows!(connection, catalog.references)?,
        views: rows!(connection, catalog.views)?,
    };
    Ok(CurrentSchema::read(Engine::Sqlite, &rows))
}

async fn postgres(connection: &mut PgConnection) -> Result<CurrentSchema, sqlx::Error> {
    let catalog = Engine::Postgres.catalog();
    let rows = CatalogRows {
        columns: rows!(connection, catalog.columns)?,
        indexes: rows!(connection, catalog.indexes)?,
        references: rows!(connection, catalog.references)?,
        views: rows!(connection, catalog.views)?,
    };
    Ok(CurrentSchema::read(Engine::Postgres, &rows))
}

async fn mysql(connection: &mut MySqlConnection, engine: Engine) -> Result<CurrentSchema, sqlx::Error> {
    let catalog = engine.catalog();
    let rows = CatalogRows {
        columns: rows!(connection, catalog.columns)?,
        indexes: rows!(connection, catalog.indexes)?,
        references: rows!(connection, catalog.references)?,
        views: rows!(connection, catalog.views)?,
    };
    Ok(CurrentSchema::read(engine, &rows))
}
