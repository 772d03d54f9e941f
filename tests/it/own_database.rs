//! Databases of a test's own on every engine, as a Hub changes them and as a Bridge opens them.

use std::path::PathBuf;

use santokit_bridge::db::{Database, DatabaseSettings};
use santokit_core::{
    problem::Outcome,
    schema::Schema,
    wire::{RuntimeConnection, Sealed},
};
use santokit_hub::app::schema::{self, Address, Consent, Wanted};
use santokit_tests::{Engine, TestDatabase};
use sqlx::{Connection, MySqlConnection, PgConnection, SqliteConnection, postgres::PgConnectOptions};

/// A database of a test's own, on any of the engines.
pub(crate) enum Own {
    Sqlite(tempfile::TempDir),
    Server(TestDatabase),
}

/// The engines' names, as in files.
pub(crate) const ENGINES: [&str; 3] = ["sqlite", "postgres", "mysql"];

/// Any URL of an engine, as a Bridge opens it.
pub(crate) fn open(engine: &str, url: String, settings: &DatabaseSettings) -> Database {
    let connection = RuntimeConnection { engine: engine.to_owned(), url: Sealed::new(url), guests: Vec::new() };
    Database::open("main", &connection, settings).unwrap()
}

/// Safe steps only, beside no release.
pub(crate) fn wanted(declared: &Schema) -> Wanted<'_> {
    Wanted { declared, before: &schema::EMPTY, consent: Consent::default() }
}

impl Own {
    pub(crate) async fn create(engine: &str) -> Self {
        match engine {
            "sqlite" => {
                // A file may be opened by a test first, and by a Bridge's code after it.
                santokit_sqlite::memory::install();
                Own::Sqlite(tempfile::tempdir().unwrap())
            }
            "postgres" => Own::Server(TestDatabase::create(Engine::Postgres).await.unwrap()),
            _ => Own::Server(TestDatabase::create(Engine::Mysql).await.unwrap()),
        }
    }

    pub(crate) fn engine(&self) -> &'static str {
        match self {
            Own::Sqlite(_) => "sqlite",
            Own::Server(database) => database.engine().as_str(),
        }
    }

    fn file(&self) -> PathBuf {
        match self {
            Own::Sqlite(dir) => dir.path().join("own.db"),
            Own::Server(_) => unreachable!("a server has no file"),
        }
    }

    /// As a Bridge opens it.
    pub(crate) fn open(&self, settings: &DatabaseSettings) -> Database {
        if matches!(self, Own::Sqlite(_)) {
            // A Bridge makes no files.
            std::fs::OpenOptions::new().append(true).create(true).open(self.file()).unwrap();
        }
        open(self.engine(), self.url(), settings)
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Own::Sqlite(_) => format!("sqlite:{}", self.file().display()),
            Own::Server(database) => database.url(),
        }
    }

    pub(crate) fn address(&self) -> Address {
        Address { name: "main".to_owned(), engine: self.engine().to_owned(), url: Sealed::new(self.url()) }
    }

    /// Runs statements as they are.
    pub(crate) async fn execute(&self, sql: &str) {
        match self {
            Own::Sqlite(_) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.file()).create_if_missing(true);
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                #[expect(clippy::disallowed_methods, reason = "a test's own statements")]
                let text = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
                text.execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Own::Server(database) => database.execute(sql).await.unwrap(),
        }
    }

    /// The one text that a query finds.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match self {
            Own::Sqlite(_) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.file());
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
            Own::Server(database) if database.engine() == Engine::Postgres => {
                // Times are told in the zone of the session.
                let options: PgConnectOptions = database.url().parse().unwrap();
                let mut connection = PgConnection::connect_with(&options.options([("timezone", "UTC")])).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
            Own::Server(database) => {
                let mut connection = MySqlConnection::connect(&database.url()).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
        }
    }

    /// Applies with consent to everything, where another schema was declared before.
    pub(crate) async fn force(&self, before: &Schema, declared: &Schema) -> Outcome<Result<Vec<String>, Vec<String>>> {
        let wanted = Wanted { declared, before, consent: Consent::ALL };
        let applied = schema::apply(&self.address(), &wanted).await?;
        Ok(applied.map(|steps| steps.iter().map(|step| step.change.to_string()).collect()).map_err(|refusals| {
            refusals.into_iter().map(|one| format!("{}: {}", one.description, one.reason)).collect()
        }))
    }

    /// Steps of a plan, without those of the platform's own tables, or why there are none.
    pub(crate) async fn plan(&self, declared: &Schema) -> Result<Vec<String>, Vec<String>> {
        let compared = schema::compare(&self.address(), &wanted(declared)).await;
        let compared = compared.unwrap_or_else(|problem| panic!("{problem:?}"));
        match compared.planned {
            Ok(steps) => {
                let own = steps.iter().filter(|step| !step.change.table().starts_with("stk_"));
                Ok(own.map(|step| step.change.to_string()).collect())
            }
            Err(refusals) => {
                Err(refusals.into_iter().map(|one| format!("{}: {}", one.description, one.reason)).collect())
            }
        }
    }

    pub(crate) async fn apply(&self, declared: &Schema) -> Result<usize, Vec<String>> {
        let applied = schema::apply(&self.address(), &wanted(declared)).await;
        let applied = applied.unwrap_or_else(|problem| panic!("{problem:?}"));
        applied.map(|steps| steps.len()).map_err(|refusals| {
            refusals.into_iter().map(|one| format!("{}: {}", one.description, one.reason)).collect()
        })
    }

    pub(crate) async fn pull(&self) -> santokit_sql::schema::pull::Pulled {
        schema::pull(&self.address()).await.unwrap_or_else(|problem| panic!("{problem:?}"))
    }
}
