//! A declared schema against the customer's database: what is there, the steps to what is declared, and taking them in one
//! transaction. The only place where the Hub opens a database that is not its own.

use std::{str::FromStr, time::Duration};

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    schema::Schema,
    wire::Sealed,
};
use santokit_sql::sqlite::{
    self, CATALOG_COLUMNS_SQL, CATALOG_INDEXES_SQL, CATALOG_REFERENCES_SQL, CurrentColumn, CurrentReference,
    CurrentSchema, Refusal, Step,
};
use sqlx::{
    AssertSqlSafe, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};

const BUSY_MAX: Duration = Duration::from_secs(30);

/// What a database needs, or why it cannot have it.
pub type Planned = Result<Vec<Step>, Vec<Refusal>>;

/// The steps that a database needs. Changes nothing; a database that is not there yet is not made.
pub async fn plan(connection: &str, url: &Sealed, schema: &Schema) -> Outcome<Planned> {
    let options = options(connection, url)?;
    if !tokio::fs::try_exists(options.get_filename()).await.unwrap_or(false) {
        return Ok(sqlite::plan(&CurrentSchema::default(), schema));
    }
    let mut db = open(connection, &options).await?;
    let current = read(&mut db).await.map_err(|error| failed(connection, "cannot be read", error));
    drop(db.close().await);
    Ok(sqlite::plan(&current?, schema))
}

/// Takes the steps that are needed now, all of them or none. What was planned before may have been done since.
pub async fn apply(connection: &str, url: &Sealed, schema: &Schema) -> Outcome<Planned> {
    let options = options(connection, url)?.create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let mut db = open(connection, &options).await?;
    let done = steps(&mut db, schema)
        .await
        .map_err(|error| failed(connection, "could not be changed and is as it was", error));
    drop(db.close().await);
    done
}

async fn steps(db: &mut SqliteConnection, schema: &Schema) -> Result<Planned, sqlx::Error> {
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    let planned = sqlite::plan(&read(&mut transaction).await?, schema);
    if let Ok(steps) = &planned {
        for step in steps {
            // Made by `santokit_sql` from a checked schema; names are quoted there.
            sqlx::query(AssertSqlSafe(step.sql.clone())).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
    }
    Ok(planned)
}

async fn read(db: &mut SqliteConnection) -> Result<CurrentSchema, sqlx::Error> {
    let mut current = CurrentSchema::default();
    let columns: Vec<(String, String, String, i64, Option<String>, i64)> =
        sqlx::query_as(CATALOG_COLUMNS_SQL).fetch_all(&mut *db).await?;
    for (table, column, declared, not_null, default, key) in columns {
        let found = CurrentColumn { declared, not_null: not_null != 0, default, is_key: key != 0 };
        current.tables.entry(table).or_default().insert(column, found);
    }
    current.indexes = sqlx::query_as(CATALOG_INDEXES_SQL).fetch_all(&mut *db).await?;
    let references: Vec<(String, String, String, Option<String>, String, String)> =
        sqlx::query_as(CATALOG_REFERENCES_SQL).fetch_all(&mut *db).await?;
    for (table, column, target, target_column, on_update, on_delete) in references {
        let reference =
            CurrentReference { table: target, column: target_column.unwrap_or_default(), on_update, on_delete };
        current.references.insert((table, column), reference);
    }
    Ok(current)
}

fn options(connection: &str, url: &Sealed) -> Outcome<SqliteConnectOptions> {
    let options = SqliteConnectOptions::from_str(url.expose())
        .map_err(|error| failed(connection, "has a URL that cannot be read", error))?;
    Ok(options.foreign_keys(true).busy_timeout(BUSY_MAX))
}

async fn open(connection: &str, options: &SqliteConnectOptions) -> Outcome<SqliteConnection> {
    SqliteConnection::connect_with(options).await.map_err(|error| failed(connection, "cannot be opened", error))
}

fn failed(connection: &str, how: &str, error: sqlx::Error) -> Box<Problem> {
    Problem::new(Code::ServiceUnavailable, format!("the database of connection {connection:?} {how}"))
        .hint("nothing was released; the Hub's log has the cause under the request id")
        .because(error)
}
