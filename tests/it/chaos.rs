//! What happens to the Bridge's database layer when networks, servers and callers fail: against real PostgreSQL and MariaDB, through
//! a proxy that cuts, stalls and refuses, and with servers of a test's own that are killed. Nothing is asserted about how long
//! something takes, but for what must end at all.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_bridge::db::{Database, DatabaseSettings, DbError, Mode, Session, Share};
use santokit_core::{schema::Type, value::Value};
use santokit_sql::{
    dialect::Dialect,
    failure::FailureKind,
    statement::{Bound, OutputColumn, Statement},
};
use santokit_tests::{Engine, FaultProxy, TestDatabase};

use crate::own_database::open;

mod crash;
mod limits;
mod network;
mod transactions;

/// For what must end: far longer than it takes, on a machine that is busy with other tests.
const END_MAX: Duration = Duration::from_mins(2);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A database with a table `t (id, n)`, used through a proxy.
struct Chaos {
    database: Arc<Database>,
    proxy: FaultProxy,
    server: TestDatabase,
}

impl Chaos {
    async fn new(engine: Engine, settings: DatabaseSettings) -> Self {
        let server = TestDatabase::create(engine).await.unwrap();
        server.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)").await.unwrap();
        let proxy = FaultProxy::start(server.address().unwrap()).await.unwrap();
        let url = server.url_via(proxy.address()).unwrap();
        Self { database: Arc::new(open(engine.as_str(), url, &settings)), proxy, server }
    }

    async fn count(&self) -> Result<i64, DbError> {
        count(&self.database).await
    }

    /// Waits until something holds that is asked on the server itself.
    async fn until_running(&self, wanted: usize) {
        for _ in 0..END_MAX.as_millis() / LOOK_AGAIN.as_millis() {
            if self.running().await == wanted {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        panic!("{wanted} sleeping statements were expected, there are {}", self.running().await);
    }

    /// How many of this database's sessions are in the middle of sleeping.
    async fn running(&self) -> usize {
        let engine = self.server.engine();
        let direct = open(engine.as_str(), self.server.url(), &DatabaseSettings::default());
        let sql = match engine {
            Engine::Postgres => {
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
                 AND query LIKE '%pg_sleep(%' AND pid <> pg_backend_pid()"
            }
            Engine::Mysql => {
                "SELECT CAST(count(*) AS SIGNED) FROM information_schema.processlist WHERE db = database() \
                 AND info LIKE '%sleep(%' AND id <> connection_id()"
            }
        };
        let rows = direct.rows(Mode::Read, &statement(sql, &[], &[Type::Bigint]), deadline()).await.unwrap();
        usize::try_from(integer(&rows[0][0])).unwrap()
    }

    /// The number of a connection on the server.
    async fn connection_id(&self) -> i64 {
        let rows = self.database.rows(Mode::Read, &self.identify(), deadline()).await.unwrap();
        integer(&rows[0][0])
    }

    fn identify(&self) -> Statement {
        let sql = match self.server.engine() {
            Engine::Postgres => "SELECT CAST(pg_backend_pid() AS BIGINT)",
            Engine::Mysql => "SELECT CAST(connection_id() AS SIGNED)",
        };
        statement(sql, &[], &[Type::Bigint])
    }

    fn sleep(&self) -> Statement {
        sleep(self.server.engine())
    }
}

fn small(pool_size: usize) -> DatabaseSettings {
    DatabaseSettings { pool_size, pool_wait: Duration::from_secs(20), ..DatabaseSettings::default() }
}

/// A statement that takes far longer than anybody waits.
fn sleep(engine: Engine) -> Statement {
    match engine {
        Engine::Postgres => statement("SELECT CAST(pg_sleep(300) AS TEXT)", &[], &[Type::String]),
        Engine::Mysql => statement("SELECT sleep(300)", &[], &[Type::Int]),
    }
}

async fn count(database: &Database) -> Result<i64, DbError> {
    let rows =
        database.rows(Mode::Read, &statement("SELECT count(*) FROM t", &[], &[Type::Bigint]), deadline()).await?;
    Ok(integer(&rows[0][0]))
}

async fn insert(session: &mut Session, id: i64) -> Result<(), DbError> {
    session.execute(&insertion(session.dialect(), id), deadline()).await.map(drop)
}

fn insertion(dialect: Dialect, id: i64) -> Statement {
    let sql =
        if dialect == Dialect::Postgres { "INSERT INTO t VALUES ($1, $2)" } else { "INSERT INTO t VALUES (?, ?)" };
    statement(sql, &[id, id], &[])
}

fn statement(sql: &str, params: &[i64], columns: &[Type]) -> Statement {
    let bound = |number: &i64| Bound { kind: Type::Bigint, value: Value::Int64(*number) };
    let column = |(index, kind): (usize, &Type)| OutputColumn { name: format!("c{index}"), kind: *kind };
    Statement {
        sql: sql.to_owned(),
        params: params.iter().map(bound).collect(),
        columns: columns.iter().enumerate().map(column).collect(),
    }
}

fn integer(value: &Value) -> i64 {
    let Value::Int64(number) = value else { panic!("a whole number was expected, not {value:?}") };
    *number
}

fn deadline() -> Instant {
    Instant::now() + END_MAX
}

/// Fails the test if it does not end at all.
async fn ends<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(END_MAX, work).await.unwrap_or_else(|_| panic!("it does not end: {what}"))
}

/// Asked again and again: on a machine that is busy, what has a short bound may miss it, and a server takes a while to come back.
/// Until then nothing is heard but that the database is away.
async fn at_last<T>(what: &str, mut work: impl AsyncFnMut() -> Result<T, DbError>) -> T {
    ends(what, async {
        loop {
            match work().await {
                Ok(done) => return done,
                Err(error) => assert_is_away(error),
            }
        }
    })
    .await
}

/// Nobody outside hears of a database that is away anything but that.
fn assert_is_away(error: DbError) {
    let away =
        [FailureKind::Unavailable, FailureKind::Lost, FailureKind::Exhausted, FailureKind::Busy].contains(&error.kind);
    assert!(away, "{error:?} {}", error.message);
    assert_eq!(error.problem().code.as_str(), "SERVICE_UNAVAILABLE");
}
