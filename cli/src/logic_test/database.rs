//! Databases of cases. A template for each set of seed files is made once, by the code that the Hub applies a schema with; a
//! case works on a copy of its own. SQLite needs files for its write-ahead log: they are in memory where the machine has such
//! a folder, and go with the case.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use santokit_bridge::db::{Connection, Statement, json_rows};
use santokit_core::{
    project::{
        Project,
        test_file::{ExpectRows, Given, GivenRow},
    },
    schema::{Generate, Schema},
    value::Value,
    wire::{RuntimeConnection, Sealed},
};
use santokit_hub::app::schema::{self, Address, Consent, Wanted};
use santokit_wasm::RowBudget;
use serde_json::{Value as Json, json};
use sqlx::{
    ConnectOptions, Connection as _,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous},
};
use tempfile::TempDir;

use crate::{
    dev::{
        database::Opened,
        seed,
        value::{Cell, new_id},
    },
    report::Terminal,
};

/// What a look at a database may take and bring.
const LOOK_MAX: Duration = Duration::from_secs(30);
const ROWS_MAX: RowBudget = RowBudget { rows: 10_000, bytes: 50_000_000 };
/// A folder in memory, on Linux.
const IN_MEMORY: &str = "/dev/shm";

/// A folder that goes with its value.
pub(super) fn scratch() -> anyhow::Result<TempDir> {
    let made = tempfile::Builder::new().prefix("stk-test-").tempdir_in(IN_MEMORY);
    made.or_else(|_| tempfile::tempdir()).context("cannot make a folder for the databases of the tests")
}

/// The databases of one case, or a template of them: a file for each connection.
#[derive(Debug)]
pub(super) struct Databases {
    dir: PathBuf,
}

impl Databases {
    /// With the declared tables and the rows of seed files in them.
    pub(super) async fn template(
        dir: PathBuf,
        root: &Path,
        project: &Project,
        seeds: &[String],
        terminal: Terminal,
    ) -> anyhow::Result<Self> {
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let databases = Self { dir };
        for (name, schema) in &project.connections {
            let wanted = Wanted { declared: schema, before: &schema::EMPTY, consent: Consent::default() };
            let made = schema::apply(&Address::sqlite(name, databases.url(name)), &wanted).await;
            let planned = made.map_err(|problem| anyhow::anyhow!("{}: {:?}", problem.message, problem.cause))?;
            planned
                .map_err(|refusals| anyhow::anyhow!("the schema of connection {name} cannot be made: {refusals:?}"))?;
        }
        let name = &project.default_connection;
        let empty = Schema::default();
        let schema = project.connections.get(name).unwrap_or(&empty);
        for path in seeds {
            let bytes = fs::read(root.join(path)).with_context(|| format!("cannot read the seed file {path}"))?;
            let mut connection = Opened::Sqlite(databases.open(name, false).await?);
            let loaded = seed::load_file(&mut connection, Path::new(path), &bytes, schema, terminal).await;
            loaded.with_context(|| format!("{path} cannot be loaded"))?;
            connection.close().await?;
        }
        Ok(databases)
    }

    /// A copy, in a folder of its own.
    pub(super) fn copy(&self, dir: PathBuf, project: &Project) -> anyhow::Result<Self> {
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let copy = Self { dir };
        for name in project.connections.keys() {
            fs::copy(self.file(name), copy.file(name)).context("cannot copy a database")?;
        }
        Ok(copy)
    }

    /// As a Bridge opens it.
    pub(super) fn connection(&self, name: &str) -> RuntimeConnection {
        RuntimeConnection { engine: "sqlite".to_owned(), url: self.url(name), guests: Vec::new() }
    }

    /// Writes the rows of a case, in one transaction a connection; references are checked at its end.
    pub(super) async fn write(&self, given: &Given, project: &Project) -> anyhow::Result<()> {
        for (name, schema) in &project.connections {
            let rows: Vec<&GivenRow> = given.rows.iter().filter(|row| row.connection == *name).collect();
            if rows.is_empty() {
                continue;
            }
            let mut connection = Connection::alone(self.open(name, false).await?).await?;
            run(&mut connection, "BEGIN IMMEDIATE", &[]).await?;
            run(&mut connection, "PRAGMA defer_foreign_keys = ON", &[]).await?;
            for row in rows {
                insert(&mut connection, schema, row)
                    .await
                    .with_context(|| format!("given.rows.{} in line {}", row.table, row.line))?;
            }
            run(&mut connection, "COMMIT", &[]).await.context("given.rows")?;
        }
        Ok(())
    }

    /// All rows of a table, by primary key.
    pub(super) async fn table(&self, expected: &ExpectRows, schema: &Schema) -> anyhow::Result<Json> {
        let table = schema.tables.get(&expected.of).context("the table is declared")?;
        let columns = table.columns.iter().map(|column| column.name.as_str());
        let columns: Vec<String> = [table.id.name.as_str()].into_iter().chain(columns).map(quoted).collect();
        let (columns, of, key) = (columns.join(", "), quoted(&expected.of), quoted(&table.id.name));
        self.look(&expected.connection, &format!("SELECT {columns} FROM {of} ORDER BY {key}"), schema).await
    }

    /// The rows that a query finds; it can only read.
    pub(super) async fn look(&self, name: &str, sql: &str, schema: &Schema) -> anyhow::Result<Json> {
        let mut connection = Connection::alone(self.open(name, true).await?).await?;
        let statement = Statement { sql, values: &[], access: None, deadline: Instant::now() + LOOK_MAX };
        let reading = statement.read(&mut connection, schema, ROWS_MAX).await;
        let reading = reading.map_err(|error| anyhow::anyhow!("{}: {}", error.code, error.message))?;
        anyhow::ensure!(reading.limit.is_none(), "more than {} rows or 50 MB; ask for less", ROWS_MAX.rows);
        Ok(json_rows(reading.rows))
    }

    /// What was published so far, each with its topic and payload, in order on each connection.
    pub(super) async fn events(&self, project: &Project) -> anyhow::Result<Vec<Json>> {
        let mut events = Vec::new();
        for (name, _) in project.connections.iter().filter(|(_, schema)| !schema.tables.is_empty()) {
            // A mark of what is done once, and the word of a handler's transaction, are no events.
            let sql = "SELECT topic, CAST(payload AS TEXT) FROM stk_outbox WHERE topic NOT LIKE '$%' ORDER BY rowid";
            let rows = sqlx::query_as::<_, (String, String)>(sql).fetch_all(&mut self.open(name, true).await?).await?;
            for (topic, payload) in rows {
                let payload: Json = serde_json::from_str(&payload).context("a payload is JSON")?;
                events.push(json!({"topic": topic, "payload": payload}));
            }
        }
        Ok(events)
    }

    async fn open(&self, name: &str, read_only: bool) -> anyhow::Result<SqliteConnection> {
        santokit_sqlite::memory::install();
        let options = SqliteConnectOptions::new()
            .filename(self.file(name))
            .foreign_keys(true)
            .read_only(read_only)
            .synchronous(SqliteSynchronous::Off)
            .busy_timeout(LOOK_MAX)
            .disable_statement_logging();
        SqliteConnection::connect_with(&options).await.context("cannot open a database of the test")
    }

    /// Names of connections are letters, digits, `-` and `_` (`core::name`).
    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.db"))
    }

    fn url(&self, name: &str) -> Sealed {
        Sealed::new(format!("sqlite:{}", self.file(name).display()))
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        // What stays goes with the folder of the run.
        drop(fs::remove_dir_all(&self.dir));
    }
}

async fn insert(connection: &mut Connection, schema: &Schema, row: &GivenRow) -> anyhow::Result<()> {
    let table = schema.tables.get(&row.table).context("the table is declared")?;
    let mut columns: Vec<String> = row.values.iter().map(|(name, _)| quoted(name)).collect();
    let mut values: Vec<Value> = row.values.iter().map(|(_, value)| value.clone()).collect();
    let has_key = row.values.iter().any(|(name, _)| *name == table.id.name);
    if !has_key
        && !matches!(table.id.generate, Generate::Client | Generate::AutoIncrement)
        && let Cell::Text(id) = new_id(table.id.generate)?
    {
        columns.push(quoted(&table.id.name));
        values.push(Value::Text(id));
    }
    let of = quoted(&row.table);
    let sql = if columns.is_empty() {
        format!("INSERT INTO {of} DEFAULT VALUES")
    } else {
        format!("INSERT INTO {of} ({}) VALUES ({})", columns.join(", "), vec!["?"; columns.len()].join(", "))
    };
    run(connection, &sql, &values).await
}

async fn run(connection: &mut Connection, sql: &str, values: &[Value]) -> anyhow::Result<()> {
    let statement = Statement { sql, values, access: None, deadline: Instant::now() + LOOK_MAX };
    let done = statement.run(connection).await;
    done.map(drop).map_err(|error| anyhow::anyhow!("{}: {}", error.code, error.message))
}

/// Identifiers are the schema's own: letters, digits and `_` (`core::name`).
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
