//! The tables as lines of JSON, and back: the same for both engines, so that one can take over from the other. Which tables and
//! columns a version of the store has is read from the migrations themselves, in a database of their own in memory: nothing is
//! forgotten when a table is added.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::TryStreamExt;
use serde_json::{Value as Json, json};
use sqlx::{
    Any, AnyConnection, AssertSqlSafe, Connection, Row,
    any::{AnyArguments, AnyRow, install_default_drivers},
    query::Query,
};

use super::{Db, Engine, StoreError, migrate, open};

/// Who applies now says nothing about later.
const LEFT_OUT: &[&str] = &["apply_locks"];

/// A table of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    columns: Vec<Column>,
    /// In which its rows are written.
    order: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    name: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Bytes,
}

/// The tables of a version of the store, each after those that it refers to. None where this program does not know the version.
pub async fn tables(version: usize) -> Result<Option<Vec<Table>>, StoreError> {
    if !(1..=migrate::NEWEST).contains(&version) {
        return Ok(None);
    }
    install_default_drivers();
    let mut db = AnyConnection::connect("sqlite::memory:").await?;
    migrate::migrate_to(&mut db, Engine::Sqlite, version).await?;
    let names: Vec<(String,)> = sqlx::query_as(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )
    .fetch_all(&mut db)
    .await?;
    let mut open: Vec<String> =
        names.into_iter().map(|(name,)| name).filter(|name| !LEFT_OUT.contains(&name.as_str())).collect();
    let mut done: Vec<Table> = Vec::new();
    while !open.is_empty() {
        let before = open.len();
        let mut later = Vec::new();
        for name in open {
            let refers: Vec<(String,)> = sqlx::query_as("SELECT \"table\" FROM pragma_foreign_key_list($1)")
                .bind(&name)
                .fetch_all(&mut db)
                .await?;
            let is_ready = refers.iter().all(|(to,)| *to == name || done.iter().any(|table| table.name == *to));
            if is_ready { done.push(table(&mut db, name).await?) } else { later.push(name) }
        }
        open = later;
        if open.len() == before {
            return Err(StoreError::Damaged(format!("the tables {} refer to each other", open.join(", "))));
        }
    }
    Ok(Some(done))
}

async fn table(db: &mut Db, name: String) -> Result<Table, StoreError> {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT name, upper(type), pk FROM pragma_table_info($1) ORDER BY cid")
            .bind(&name)
            .fetch_all(&mut *db)
            .await?;
    let mut key: Vec<(i64, String)> =
        rows.iter().filter(|(.., pk)| *pk > 0).map(|(name, _, pk)| (*pk, name.clone())).collect();
    key.sort();
    let columns = rows.into_iter().map(|(column, kind, _)| {
        let kind = match kind.as_str() {
            "TEXT" => Kind::Text,
            "INTEGER" => Kind::Integer,
            "BLOB" => Kind::Bytes,
            _ => return Err(StoreError::Damaged(format!("{name}.{column} has no type that is known"))),
        };
        Ok(Column { name: column, kind })
    });
    let columns = columns.collect::<Result<_, _>>()?;
    Ok(Table { columns, order: key.into_iter().map(|(_, name)| name).collect(), name })
}

impl Table {
    /// Gives every row as a line; how many there were.
    pub async fn dump(
        &self,
        db: &mut Db,
        mut line: impl FnMut(&str) -> std::io::Result<()>,
    ) -> Result<i64, StoreError> {
        let order =
            if self.order.is_empty() { String::new() } else { format!(" ORDER BY {}", quoted(self.order.iter())) };
        let sql = format!("SELECT {} FROM \"{}\"{order}", self.names(), self.name);
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(db);
        let mut count = 0;
        while let Some(row) = rows.try_next().await? {
            line(
                &Json::Array(
                    self.columns
                        .iter()
                        .enumerate()
                        .map(|(n, column)| column.read(&row, n))
                        .collect::<Result<_, _>>()?,
                )
                .to_string(),
            )?;
            count += 1;
        }
        Ok(count)
    }

    /// The names of its columns, which a dump says of itself.
    pub fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// The names of those that hold bytes.
    pub fn columns_of_bytes(&self) -> Vec<&str> {
        self.columns.iter().filter(|column| column.kind == Kind::Bytes).map(|column| column.name.as_str()).collect()
    }

    /// Removes every row.
    pub async fn clear(&self, db: &mut Db) -> Result<(), StoreError> {
        // Older tables refuse to be emptied also where they are empty.
        let first = sqlx::query(AssertSqlSafe(format!("SELECT 1 FROM \"{}\" LIMIT 1", self.name)));
        if first.fetch_optional(&mut *db).await?.is_some() {
            sqlx::query(AssertSqlSafe(format!("DELETE FROM \"{}\"", self.name))).execute(db).await?;
        }
        Ok(())
    }

    /// Adds a row of a dump.
    pub async fn load(&self, db: &mut Db, line: &str) -> Result<(), StoreError> {
        let wrong = || StoreError::Damaged(format!("a row of {} is none of that table", self.name));
        let values: Vec<Json> = serde_json::from_str(line).map_err(|_| wrong())?;
        if values.len() != self.columns.len() {
            return Err(wrong());
        }
        let places: Vec<String> = (1..=values.len()).map(|n| format!("${n}")).collect();
        // A number that the server would give is given back as it was.
        let overriding = match open::engine_of(db) {
            Engine::Postgres => " OVERRIDING SYSTEM VALUE",
            Engine::Sqlite => "",
        };
        let sql =
            format!("INSERT INTO \"{}\" ({}){overriding} VALUES ({})", self.name, self.names(), places.join(", "));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (column, value) in self.columns.iter().zip(values) {
            query = column.bind(query, value).ok_or_else(wrong)?;
        }
        query.execute(db).await?;
        Ok(())
    }

    /// Lets the server go on after the numbers that were given back.
    pub async fn go_on(&self, db: &mut Db) -> Result<(), StoreError> {
        if open::engine_of(db) == Engine::Sqlite {
            return Ok(());
        }
        let given: Vec<(String,)> = sqlx::query_as(
            "SELECT CAST(column_name AS TEXT) FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'YES'",
        )
        .bind(&self.name)
        .fetch_all(&mut *db)
        .await?;
        for (column,) in given {
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('\"{0}\"', '{column}'), coalesce(max(\"{column}\"), 0) + 1, false) FROM \"{0}\"",
                self.name
            );
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *db).await?;
        }
        Ok(())
    }

    fn names(&self) -> String {
        quoted(self.columns.iter().map(|column| &column.name))
    }
}

impl Column {
    fn read(&self, row: &AnyRow, n: usize) -> Result<Json, StoreError> {
        Ok(match self.kind {
            Kind::Text => json!(row.try_get::<Option<String>, _>(n)?),
            Kind::Integer => json!(row.try_get::<Option<i64>, _>(n)?),
            Kind::Bytes => json!(row.try_get::<Option<Vec<u8>>, _>(n)?.map(|bytes| STANDARD.encode(bytes))),
        })
    }

    fn bind<'q>(&self, query: Query<'q, Any, AnyArguments>, value: Json) -> Option<Query<'q, Any, AnyArguments>> {
        Some(match (self.kind, value) {
            (Kind::Text, Json::Null) => query.bind(None::<String>),
            (Kind::Integer, Json::Null) => query.bind(None::<i64>),
            (Kind::Bytes, Json::Null) => query.bind(None::<Vec<u8>>),
            (Kind::Text, Json::String(text)) => query.bind(text),
            (Kind::Integer, Json::Number(number)) => query.bind(number.as_i64()?),
            (Kind::Bytes, Json::String(text)) => query.bind(STANDARD.decode(text).ok()?),
            _ => return None,
        })
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
