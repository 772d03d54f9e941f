//! A customer's database that is open: reading its catalogue, and taking steps under a lock that keeps every other Hub out.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use santokit_sql::schema::{CatalogRows, Change, CurrentSchema, Engine, Row as Cells, Step, When};
use sqlx::{
    AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection, Row, SqliteConnection,
    sqlite::SqliteJournalMode,
};

use super::{
    Cause, Planned, Stopped, Wanted,
    address::{Address, Options},
};

pub(super) const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a step waits for those who use a table, and an apply for another one.
pub(super) const PG_WAIT: &str = "SET lock_timeout = '30s'";
/// Who waits for a lock in the server has a transaction, and an index that is made beside others waits for those: so it is asked.
const PG_LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended('stk_schema/' || current_schema(), 0))";
const PG_LOCK_MAX: Duration = Duration::from_secs(30);
const PG_LOCK_AGAIN: Duration = Duration::from_millis(100);
/// Foreign keys are held up while a table is made anew, and checked before the end; other tables go on naming it as they do.
const SQLITE_BEFORE: [&str; 2] = ["PRAGMA foreign_keys = OFF", "PRAGMA legacy_alter_table = ON"];
const SQLITE_TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
const SQLITE_CHECK: &str = "SELECT count(*) FROM pragma_foreign_key_check(?)";
/// Names of such locks are the server's, so that they say which database.
pub(super) const MYSQL_LOCK: &str =
    "SELECT CAST(GET_LOCK(CONCAT('stk_schema/', LEFT(SHA1(DATABASE()), 40)), 30) AS CHAR)";
pub(super) const MYSQL_UNLOCK: &str =
    "SELECT CAST(RELEASE_LOCK(CONCAT('stk_schema/', LEFT(SHA1(DATABASE()), 40))) AS CHAR)";
/// Backslashes in literals are escaped by us, and a value that does not fit is an error.
const MYSQL_SESSION: &str = "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,\
    NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', lock_wait_timeout = 30, foreign_key_checks = 1";

/// Rows that are counted where nothing keeps their number.
const COUNTED_ROWS_MAX: u32 = 100_000;
/// NULL where nobody has looked at the table yet.
const POSTGRES_ROWS: &str = "SELECT max(CASE WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint END) FROM pg_class AS c \
    JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relname = $1";
const MYSQL_ROWS: &str = "SELECT CAST(table_rows AS SIGNED) FROM information_schema.tables WHERE table_schema = database() AND table_name = ?";

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

/// The tables of an engine: every question of its catalogue, and what the answers mean.
macro_rules! catalog {
    ($connection:expr, $engine:expr) => {{
        let catalog = $engine.catalog();
        let rows = CatalogRows {
            columns: rows!($connection, catalog.columns)?,
            indexes: rows!($connection, catalog.indexes)?,
            references: rows!($connection, catalog.references)?,
            extras: match catalog.extras {
                Some(extras) => rows!($connection, extras)?,
                None => Vec::new(),
            },
            views: rows!($connection, catalog.views)?,
        };
        Ok(CurrentSchema::read($engine, &rows))
    }};
}

/// The rows of a table, up to a bound. It is one that the catalogue told.
macro_rules! counted {
    ($connection:expr, $table:expr) => {{
        let quoted = $table.replace('"', "\"\"");
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM \"{quoted}\" LIMIT {COUNTED_ROWS_MAX}) AS counted");
        sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).fetch_one(&mut **$connection).await?
    }};
}

/// Takes steps one after another; where one fails, what was taken before it is told.
macro_rules! take {
    ($connection:expr, $steps:expr, all or none) => {
        take!($connection, $steps, false, Vec::new())
    };
    ($connection:expr, $steps:expr, each after $before:expr) => {
        take!($connection, $steps, true, $before)
    };
    ($connection:expr, $steps:expr, $stands:literal, $before:expr) => {{
        let mut done: Vec<Step> = $before;
        for step in $steps {
            for statement in &step.statements {
                // Made by `santokit_sql` from a checked schema; names are quoted there. As text: each is run once, and to close a statement that
                // was prepared, before the next, costs MySQL's protocol a delayed acknowledgement, 40 ms.
                if let Err(error) = Executor::execute(&mut *$connection, AssertSqlSafe(statement.clone())).await {
                    let done = if $stands { done } else { Vec::new() };
                    return Err(Stopped { done, failed: Some(step.clone()), error: error.into() });
                }
            }
            done.push(step.clone());
        }
    }};
}

impl Opened {
    /// Opens it. A SQLite file that is not there is made only if `create` says so.
    pub(super) async fn open(address: &Address, create: bool) -> Result<Self, sqlx::Error> {
        Self::within(Self::connect(address.options()?, create)).await
    }

    /// Opens what is there as the options say.
    pub(super) async fn open_with(options: Options) -> Result<Self, sqlx::Error> {
        Self::within(Self::connect(options, false)).await
    }

    async fn within(connecting: impl Future<Output = Result<Self, sqlx::Error>>) -> Result<Self, sqlx::Error> {
        tokio::time::timeout(CONNECT_MAX, connecting).await.unwrap_or_else(|_| {
            Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "it does not answer")))
        })
    }

    async fn connect(options: Options, create: bool) -> Result<Self, sqlx::Error> {
        match options {
            Options::Sqlite(options) => {
                santokit_sqlite::memory::install();
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

    /// Plans and takes the steps under one lock, as far as there is consent.
    pub(super) async fn apply(&mut self, wanted: &Wanted<'_>) -> Result<Planned, Stopped> {
        match self {
            Opened::Sqlite(connection) => apply_to_sqlite(connection, wanted).await,
            Opened::Postgres(connection) => apply_to_postgres(connection, wanted).await,
            Opened::Mysql(connection, engine) => {
                let got: Option<String> = sqlx::query_scalar(MYSQL_LOCK).fetch_one(&mut **connection).await?;
                if got.as_deref() != Some("1") {
                    return Err(busy().into());
                }
                let planned = wanted.plan(*engine, &mysql(connection, *engine).await?);
                if let Ok(steps) = &planned {
                    take!(*connection, steps, each after Vec::new());
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

    /// About how many rows a table has: what the server keeps about it, or counted as far as that is quick. None where it is not known.
    pub(super) async fn rows(&mut self, table: &str) -> Result<Option<u64>, sqlx::Error> {
        let rows: Option<i64> = match self {
            Opened::Sqlite(connection) => Some(counted!(connection, table)),
            Opened::Postgres(connection) => {
                let kept: Option<i64> =
                    sqlx::query_scalar(POSTGRES_ROWS).bind(table).fetch_one(&mut **connection).await?;
                match kept {
                    // Nobody has looked at it since it was made.
                    None => Some(counted!(connection, table)),
                    kept => kept,
                }
            }
            Opened::Mysql(connection, _) => {
                sqlx::query_scalar(MYSQL_ROWS).bind(table).fetch_optional(&mut **connection).await?.flatten()
            }
        };
        Ok(rows.and_then(|rows| u64::try_from(rows).ok()))
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

async fn apply_to_sqlite(connection: &mut SqliteConnection, wanted: &Wanted<'_>) -> Result<Planned, Stopped> {
    for pragma in SQLITE_BEFORE {
        sqlx::query(pragma).execute(&mut *connection).await?;
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let planned = wanted.plan(Engine::Sqlite, &sqlite(&mut transaction).await?);
    let Ok(steps) = &planned else { return Ok(planned) };
    let is_lifted = |step: &&Step| matches!(step.change, Change::Rebuild { .. } | Change::DropTable { .. });
    let lifted = steps.iter().find(is_lifted);
    // Somebody else's rows may refer to nothing already.
    let before = if lifted.is_some() { dangling(&mut transaction).await? } else { BTreeMap::new() };
    take!(transaction, steps, all or none);
    if let Some(step) = lifted {
        let after = dangling(&mut transaction).await?;
        // A table that is new has no row that may refer to nothing.
        let more = |(table, count): (&String, &Option<i64>)| match before.get(table).copied().unwrap_or(Some(0)) {
            Some(had) => count.is_none_or(|count| count > had),
            None => false,
        };
        if after.iter().any(more) {
            return Err(Stopped { done: Vec::new(), failed: Some(step.clone()), error: Cause::Dangling });
        }
    }
    transaction.commit().await?;
    Ok(planned)
}

/// How many rows of each table refer to nothing. None where SQLite cannot say: a reference of somebody else's schema names
/// what is no key.
async fn dangling(connection: &mut SqliteConnection) -> Result<BTreeMap<String, Option<i64>>, sqlx::Error> {
    let tables: Vec<String> = sqlx::query_scalar(SQLITE_TABLES).fetch_all(&mut *connection).await?;
    let mut counts = BTreeMap::new();
    for table in tables {
        let count = match sqlx::query_scalar(SQLITE_CHECK).bind(&table).fetch_one(&mut *connection).await {
            Ok(count) => Some(count),
            Err(sqlx::Error::Database(error)) if error.message().starts_with("foreign key mismatch") => None,
            Err(error) => return Err(error),
        };
        counts.insert(table, count);
    }
    Ok(counts)
}

/// Keeps every other apply to the schema out. The lock is the session's: it ends with the connection, which is used for nothing else.
pub(super) async fn lock_postgres(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let until = Instant::now() + PG_LOCK_MAX;
    while !sqlx::query_scalar::<_, bool>(PG_LOCK).fetch_one(&mut *connection).await? {
        if Instant::now() > until {
            return Err(busy());
        }
        tokio::time::sleep(PG_LOCK_AGAIN).await;
    }
    Ok(())
}

async fn apply_to_postgres(connection: &mut PgConnection, wanted: &Wanted<'_>) -> Result<Planned, Stopped> {
    lock_postgres(connection).await?;
    sqlx::query(PG_WAIT).execute(&mut *connection).await?;
    let mut transaction = connection.begin().await?;
    let planned = wanted.plan(Engine::Postgres, &postgres(&mut transaction).await?);
    let Ok(steps) = &planned else { return Ok(planned) };
    let (together, after): (Vec<Step>, Vec<Step>) = steps.iter().cloned().partition(|step| step.when == When::Together);
    take!(transaction, &together, all or none);
    transaction.commit().await?;
    take!(connection, &after, each after together);
    Ok(planned)
}

/// Another one has the lock.
pub(super) fn busy() -> sqlx::Error {
    let busy = "another apply to this database is running";
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, busy))
}

async fn sqlite(connection: &mut SqliteConnection) -> Result<CurrentSchema, sqlx::Error> {
    catalog!(connection, Engine::Sqlite)
}

async fn postgres(connection: &mut PgConnection) -> Result<CurrentSchema, sqlx::Error> {
    catalog!(connection, Engine::Postgres)
}

async fn mysql(connection: &mut MySqlConnection, engine: Engine) -> Result<CurrentSchema, sqlx::Error> {
    catalog!(connection, engine)
}
