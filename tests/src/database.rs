//! A database of a test's own on a real server, dropped with it. Names are unique across processes and machines, and say when
//! they were made: what a killed run left behind is dropped by a later one.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use reqwest::Url;
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection};

use crate::service::Service;

/// The engines that have servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MariaDB, or the MySQL that `STK_TEST_MYSQL_URL` names.
    Mysql,
}

/// A database. Dropped with this.
#[derive(Debug)]
pub struct TestDatabase {
    engine: Engine,
    /// Of the server.
    server: Url,
    name: String,
}

/// All of a test's databases are named so.
const PREFIX: &str = "stk_test_";
/// What is older was left behind: no run takes that long.
const LEFT_BEHIND: Duration = Duration::from_hours(6);

/// Users that a Hub made for guests' SQL in a database: they are the server's, and would stay when it goes.
const LOGINS_POSTGRES: &str = "SELECT DISTINCT r.rolname::text FROM pg_roles AS r JOIN pg_db_role_setting AS s ON s.setrole = r.oid \
    JOIN pg_database AS d ON d.oid = s.setdatabase WHERE d.datname = $1 AND r.rolname LIKE 'stk\\_g\\_%'";
const LOGINS_MYSQL: &str =
    "SELECT DISTINCT CAST(user AS CHAR) FROM mysql.tables_priv WHERE db = ? AND user LIKE 'stk\\_g\\_%'";

/// Once a process.
static SWEPT: OnceLock<()> = OnceLock::new();

impl Engine {
    /// Both.
    pub const ALL: [Engine; 2] = [Engine::Postgres, Engine::Mysql];

    /// As `engine` of a connection.
    pub const fn as_str(self) -> &'static str {
        match self {
            Engine::Postgres => "postgres",
            Engine::Mysql => "mysql",
        }
    }

    /// Its kind of server.
    pub const fn service(self) -> Service {
        match self {
            Engine::Postgres => Service::Postgres,
            Engine::Mysql => Service::Mysql,
        }
    }
}

impl TestDatabase {
    /// An empty one on the server of this process.
    pub async fn create(engine: Engine) -> Result<Self> {
        let server = engine.service().url().await?;
        if SWEPT.set(()).is_ok() {
            for engine in Engine::ALL {
                // It is not this test's matter whether it works.
                let _ = sweep(engine).await;
            }
        }
        Self::create_on(engine, server).await
    }

    /// An empty one on a server, by the URL of one who may make databases there.
    pub async fn create_on(engine: Engine, server: &str) -> Result<Self> {
        let server = Url::parse(server)?;
        let database = Self { engine, server, name: new_name() };
        let name = &database.name;
        let sql = match engine {
            Engine::Postgres => format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"),
            Engine::Mysql => format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"),
        };
        execute(engine, &database.server, &sql).await.context("cannot make a database for a test")?;
        Ok(database)
    }

    /// Its engine.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its URL, as one who may do anything there.
    pub fn url(&self) -> String {
        self.at(&self.server)
    }

    /// Its URL through another address, for example that of a proxy.
    pub fn url_via(&self, address: std::net::SocketAddr) -> Result<String> {
        let mut server = self.server.clone();
        server.set_ip_host(address.ip()).ok().context("a URL with a host")?;
        server.set_port(Some(address.port())).ok().context("a URL with a port")?;
        Ok(self.at(&server))
    }

    /// Host and port of its server.
    pub fn address(&self) -> Result<String> {
        let standard = if self.engine == Engine::Postgres { 5432 } else { 3306 };
        let host = self.server.host_str().context("a URL with a host")?;
        Ok(format!("{host}:{}", self.server.port().unwrap_or(standard)))
    }

    /// Runs statements, as they are.
    pub async fn execute(&self, sql: &str) -> Result<()> {
        execute(self.engine, &Url::parse(&self.url())?, sql).await
    }

    fn at(&self, server: &Url) -> String {
        let mut url = server.clone();
        url.set_path(&self.name);
        url.into()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (engine, server, name) = (self.engine, self.server.clone(), self.name.clone());
        // A runtime of its own: the test's may be the one thread that runs this.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(remove(engine, &server, &name))
        });
        // A later run drops what is left.
        drop(dropping.join());
    }
}

/// Ends who is still connected, and drops it.
async fn remove(engine: Engine, server: &Url, name: &str) -> Result<()> {
    if engine == Engine::Postgres {
        return remove_postgres(server, name).await;
    }
    let mut connection = MySqlConnection::connect(server.as_str()).await?;
    let users: Vec<String> = sqlx::query_scalar(LOGINS_MYSQL).bind(name).fetch_all(&mut connection).await?;
    let ids: Vec<u64> =
        sqlx::query_scalar("SELECT CAST(id AS UNSIGNED) FROM information_schema.processlist WHERE db = ?")
            .bind(name)
            .fetch_all(&mut connection)
            .await?;
    for id in ids {
        // It may have ended.
        let _ = connection.execute(AssertSqlSafe(format!("KILL {id}"))).await;
    }
    connection.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}"))).await?;
    for user in users {
        connection.execute(AssertSqlSafe(format!("DROP USER IF EXISTS '{user}'@'%'"))).await?;
    }
    Ok(connection.close().await?)
}

async fn remove_postgres(server: &Url, name: &str) -> Result<()> {
    let mut connection = PgConnection::connect(server.as_str()).await?;
    let users: Vec<String> = sqlx::query_scalar(LOGINS_POSTGRES).bind(name).fetch_all(&mut connection).await?;
    connection.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await?;
    for user in users {
        connection.execute(AssertSqlSafe(format!("DROP ROLE IF EXISTS \"{user}\""))).await?;
    }
    Ok(connection.close().await?)
}

/// Drops what runs that were killed left behind.
async fn sweep(engine: Engine) -> Result<()> {
    let server = Url::parse(engine.service().url().await?)?;
    let names: Vec<String> = match engine {
        Engine::Postgres => {
            let mut connection = PgConnection::connect(server.as_str()).await?;
            sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE datname LIKE 'stk\\_test\\_%'")
                .fetch_all(&mut connection)
                .await?
        }
        Engine::Mysql => {
            let mut connection = MySqlConnection::connect(server.as_str()).await?;
            sqlx::query_scalar(
                "SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata WHERE schema_name LIKE 'stk\\_test\\_%'",
            )
            .fetch_all(&mut connection)
            .await?
        }
    };
    let oldest = now().saturating_sub(LEFT_BEHIND.as_secs());
    for name in names {
        let made = name.strip_prefix(PREFIX).and_then(|rest| rest.split('_').next());
        if made.and_then(|made| u64::from_str_radix(made, 16).ok()).is_some_and(|made| made < oldest) {
            remove(engine, &server, &name).await?;
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a test's own statements, several at once")]
async fn execute(engine: Engine, url: &Url, sql: &str) -> Result<()> {
    let text = sqlx::raw_sql(AssertSqlSafe(sql));
    match engine {
        Engine::Postgres => {
            let mut connection = PgConnection::connect(url.as_str()).await?;
            text.execute(&mut connection).await?;
            connection.close().await?;
        }
        Engine::Mysql => {
            let mut connection = MySqlConnection::connect(url.as_str()).await?;
            text.execute(&mut connection).await?;
            connection.close().await?;
        }
    }
    Ok(())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// When, and a random part. Also for what is shared without databases: keys of Redis, names of topics.
pub fn new_name() -> String {
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id());
    format!("{PREFIX}{:x}_{random:016x}", now())
}
