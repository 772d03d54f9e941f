//! A project's tables on a database of its own, and requests to them by the code that answers HTTP.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use santokit_bridge::{
    crud::{
        self, Crud,
        answer::Answer,
        limits::{Allowance, CrudLimits},
        names::Tables,
    },
    db::{Database, DatabaseSettings},
    metrics::Metrics,
};
use santokit_core::{
    access::{Actor, ActorKind, Permissions},
    problem::Outcome,
    schema::{ColumnDefault, Generate, Schema, Type},
    wire::{RuntimeConnection, Sealed},
};
use santokit_sql::dialect::Dialect;
use santokit_tests::{Engine, TestDatabase};
use serde_json::{Map, Value as Json};
use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};
use tempfile::TempDir;

/// Tables with what keeps their database.
pub(super) struct World {
    pub(super) tables: Tables,
    pub(super) databases: BTreeMap<String, Arc<Database>>,
    pub(super) limits: CrudLimits,
    pub(super) now: DateTime<Utc>,
    pub(super) metrics: Metrics,
    kept: Kept,
}

enum Kept {
    Server(TestDatabase),
    File(TempDir),
}

/// Bytes of an answer.
const BYTES_MAX: usize = 50_000_000;

impl World {
    /// The tables of one connection, empty.
    pub(super) async fn new(dialect: Dialect, schema: &Schema, permissions: &Permissions) -> Self {
        let connections = BTreeMap::from([("main".to_owned(), schema.clone())]);
        let tables = crud::tables(&connections, permissions).unwrap();
        let (engine, url, kept) = match dialect {
            Dialect::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("world.db");
                std::fs::write(&path, []).unwrap();
                ("sqlite", format!("sqlite:{}", path.display()), Kept::File(folder))
            }
            Dialect::Postgres | Dialect::Mysql => {
                let engine = if dialect == Dialect::Postgres { Engine::Postgres } else { Engine::Mysql };
                let database = TestDatabase::create(engine).await.unwrap();
                (engine.as_str(), database.url(), Kept::Server(database))
            }
        };
        let connection = RuntimeConnection { engine: engine.to_owned(), url: Sealed::new(url) };
        let settings = DatabaseSettings { pool_size: 8, ..DatabaseSettings::default() };
        let database = Database::open("main", &connection, &settings).unwrap();
        let world = Self {
            tables,
            databases: BTreeMap::from([("main".to_owned(), Arc::new(database))]),
            limits: CrudLimits::default(),
            now: Utc::now(),
            metrics: Metrics::new().unwrap(),
            kept,
        };
        world.create(schema, dialect).await;
        world
    }

    /// Makes tables.
    pub(super) async fn create(&self, schema: &Schema, dialect: Dialect) {
        for statement in ddl(schema, dialect) {
            self.execute(&statement).await;
        }
    }

    /// Runs a statement of the test's own.
    pub(super) async fn execute(&self, sql: &str) {
        match &self.kept {
            Kept::Server(database) => database.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:#}")),
            Kept::File(folder) => {
                let url = format!("sqlite:{}", folder.path().join("world.db").display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                let sql = AssertSqlSafe(sql.to_owned());
                connection.execute(sql).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// Answers a request.
    pub(super) async fn call(
        &self,
        actor: &Actor,
        path: &str,
        params: &Map<String, Json>,
        key: Option<&str>,
    ) -> Outcome<Answer> {
        let crud = self.crud(actor, None);
        match crud::table_path(path) {
            Some((table, verb)) => crud.call(table, verb, params, key).await,
            None => crud.batch(params, key).await,
        }
    }

    /// What requests are answered with; for a guest within what its invocation has left.
    pub(super) fn crud<'c>(&'c self, actor: &'c Actor, allowance: Option<Allowance>) -> Crud<'c> {
        Crud {
            tables: &self.tables,
            databases: &self.databases,
            env: ("cases", "dev"),
            actor,
            now: self.now,
            limits: &self.limits,
            bytes_max: BYTES_MAX,
            query_timeout: Duration::from_mins(2),
            metrics: &self.metrics,
            allowance,
            request_id: "req_test",
        }
    }
}

/// A caller with roles.
pub(super) fn actor(kind: ActorKind, subject: &str, roles: &[&str]) -> Actor {
    Actor {
        kind,
        subject: Some(subject.to_owned()),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        claims: Map::new(),
    }
}

/// The tables as statements, those that are referred to first.
fn ddl(schema: &Schema, dialect: Dialect) -> Vec<String> {
    let mut made: Vec<&str> = Vec::new();
    let mut statements = Vec::new();
    while made.len() < schema.tables.len() {
        let before = made.len();
        for (name, table) in &schema.tables {
            let is_ready = table
                .columns
                .iter()
                .filter_map(|column| column.references.as_ref())
                .all(|reference| reference.table == *name || made.contains(&reference.table.as_str()));
            if is_ready && !made.contains(&name.as_str()) {
                made.push(name);
                statements.extend(create(name, table, dialect));
            }
        }
        assert!(made.len() > before, "the tables refer to each other in a circle");
    }
    statements
}

fn create(name: &str, table: &santokit_core::schema::Table, dialect: Dialect) -> Vec<String> {
    let quoted = |name: &str| match dialect {
        Dialect::Mysql => format!("`{name}`"),
        Dialect::Sqlite | Dialect::Postgres => format!("\"{name}\""),
    };
    let mut parts = vec![match (table.id.generate, dialect) {
        (Generate::AutoIncrement, Dialect::Sqlite) => {
            format!("{} INTEGER PRIMARY KEY AUTOINCREMENT", quoted(&table.id.name))
        }
        (Generate::AutoIncrement, Dialect::Postgres) => {
            format!("{} bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", quoted(&table.id.name))
        }
        (Generate::AutoIncrement, Dialect::Mysql) => {
            format!("{} BIGINT AUTO_INCREMENT PRIMARY KEY", quoted(&table.id.name))
        }
        _ => format!("{} {} NOT NULL PRIMARY KEY", quoted(&table.id.name), native(table.id.kind, dialect)),
    }];
    for column in &table.columns {
        let mut part = format!("{} {}", quoted(&column.name), native(column.kind, dialect));
        if !column.nullable {
            part.push_str(" NOT NULL");
        }
        match (&column.default, dialect) {
            (Some(ColumnDefault::Literal(json)), _) => {
                let text = json.as_str().map_or_else(|| json.to_string(), |text| format!("'{text}'"));
                part.extend([" DEFAULT ", &text]);
            }
            (Some(ColumnDefault::Now), Dialect::Sqlite) => {
                part.push_str(" DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z'))");
            }
            (Some(ColumnDefault::Now), _) => part.push_str(" DEFAULT CURRENT_TIMESTAMP(6)"),
            (None, _) => {}
        }
        if column.unique {
            part.push_str(" UNIQUE");
        }
        parts.push(part);
    }
    for column in &table.columns {
        if let Some(reference) = &column.references {
            let action = match reference.on_delete {
                santokit_core::schema::ReferenceAction::Cascade => "CASCADE",
                santokit_core::schema::ReferenceAction::SetNull => "SET NULL",
                _ => "NO ACTION",
            };
            parts.push(format!(
                "FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {action}",
                quoted(&column.name),
                quoted(&reference.table),
                quoted(&reference.column)
            ));
        }
    }
    for index in table.indexes.iter().filter(|index| index.unique) {
        let columns: Vec<String> = index.columns.iter().map(|column| quoted(column)).collect();
        parts.push(format!("UNIQUE ({})", columns.join(", ")));
    }
    vec![format!("CREATE TABLE {} ({})", quoted(name), parts.join(", "))]
}

/// How a type is stored, as `docs/reference/types.md` has it.
fn native(kind: Type, dialect: Dialect) -> &'static str {
    match (dialect, kind) {
        (Dialect::Sqlite, Type::Int) => "INTEGER",
        (Dialect::Sqlite, Type::Float) => "REAL",
        (Dialect::Sqlite, Type::Decimal) => "DECIMAL_TEXT",
        (Dialect::Sqlite, Type::Boolean) => "BOOLEAN",
        (Dialect::Sqlite, Type::Json | Type::Array) => "JSON_TEXT",
        (Dialect::Sqlite, Type::Timestamp) => "TIMESTAMP_TEXT",
        (Dialect::Sqlite, Type::Bytes) => "BLOB",
        (Dialect::Sqlite | Dialect::Postgres, Type::String | Type::File) => "text",
        (Dialect::Postgres, Type::Int) => "integer",
        (Dialect::Postgres, Type::Bigint) => "bigint",
        (Dialect::Postgres, Type::Float) => "double precision",
        (Dialect::Postgres, Type::Decimal) => "numeric",
        (Dialect::Postgres, Type::Boolean) => "boolean",
        (Dialect::Postgres, Type::Json | Type::Array) => "jsonb",
        (Dialect::Postgres, Type::Timestamp) => "timestamptz",
        (Dialect::Postgres, Type::Bytes) => "bytea",
        (Dialect::Mysql, Type::String | Type::File) => "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
        (Dialect::Mysql, Type::Int) => "INT",
        (Dialect::Sqlite | Dialect::Mysql, Type::Bigint) => "BIGINT",
        (Dialect::Mysql, Type::Float) => "DOUBLE",
        (Dialect::Mysql, Type::Decimal) => "DECIMAL(65,30)",
        (Dialect::Mysql, Type::Boolean) => "TINYINT(1)",
        (Dialect::Mysql, Type::Json | Type::Array) => "JSON",
        (Dialect::Mysql, Type::Timestamp) => "DATETIME(6)",
        (Dialect::Mysql, Type::Bytes) => "LONGBLOB",
    }
}
