//! On which engine: a case of a test is this, and what it asks for is the same for all.

use santokit_tests::{Engine, TestDatabase};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{SLOW, SPIN, lab_with};
use crate::lab::{IN_URL, Lab};

/// Seconds of work on servers, and work without an end.
const SLOW_POSTGRES: &str = "---\n---\nSELECT count(*) AS n FROM pg_sleep(2)\n";
const SPIN_POSTGRES: &str = "---\n---\nSELECT count(*) AS n FROM pg_sleep(600)\n";
const SLOW_MYSQL: &str = "---\n---\nSELECT SLEEP(2) AS n\n";
const SPIN_MYSQL: &str = "---\n---\nSELECT SLEEP(600) AS n\n";

/// One case.
pub(super) struct On {
    engine: Option<Engine>,
    database: Option<TestDatabase>,
}

impl On {
    /// On SQLite where no engine is named.
    pub(super) async fn new(engine: Option<Engine>) -> Self {
        let database = match engine {
            Some(engine) => Some(TestDatabase::create(engine).await.unwrap()),
            None => None,
        };
        Self { engine, database }
    }

    /// A project with jobs, whose connection is on this engine.
    pub(super) async fn lab(&self, name: &str, jobs: &[(&str, &str)]) -> Lab {
        let work = match self.engine {
            None => (SLOW, SPIN),
            Some(Engine::Postgres) => (SLOW_POSTGRES, SPIN_POSTGRES),
            Some(Engine::Mysql) => (SLOW_MYSQL, SPIN_MYSQL),
        };
        let engine = self.engine.map_or("sqlite", Engine::as_str);
        let lab = lab_with(Box::leak(format!("{name}-{engine}").into_boxed_str()), work, jobs).await;
        if let Some(database) = &self.database {
            lab.done(&["connections", "set", "main", "--engine", engine, "--url-stdin"], &database.url()).await;
        }
        lab
    }

    /// Runs statements in the database of the project, as they are.
    pub(super) async fn execute(&self, lab: &Lab, sql: &str) {
        if let Some(database) = &self.database {
            return database.execute(sql).await.unwrap();
        }
        let options = SqliteConnectOptions::new().filename(lab.dir.path().join(IN_URL).join("main.db"));
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test's own statements")]
        let text = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
        text.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// An expression: the time in a column, days before.
    pub(super) fn days_before(&self, column: &str, days: u32) -> String {
        match self.engine {
            None => format!("strftime('%Y-%m-%dT%H:%M:%f000Z', {column}, '-{days} days')"),
            Some(Engine::Postgres) => format!("{column} - interval '{days} days'"),
            Some(Engine::Mysql) => format!("{column} - INTERVAL {days} DAY"),
        }
    }
}
