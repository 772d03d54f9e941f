//! A statement prepared against an empty database that has the declared schema: what it touches, what it answers, or where it
//! is wrong. Nothing is ever run but the statements that make the tables.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_core::{
    logic::Verb,
    name::nearest,
    schema::{Schema, Type},
    sql_text::{self, Piece},
};
use santokit_sql::{
    binding::BoundStatement,
    guest,
    schema::{CurrentSchema, Engine, plan},
};
use sqlx::{
    AssertSqlSafe, Column as _, ColumnOrigin, Connection as _, Executor, SqlSafeStr, SqliteConnection, Statement as _,
    sqlite::{SqliteColumn, SqliteConnectOptions, SqliteStatement},
};

use crate::{
    authorizer::{self, Access, Authorized, Observer},
    memory,
};

/// Preparing can be made slow, for example by names that stand for one another: far more than any honest statement needs.
const PREPARE_MAX: Duration = Duration::from_secs(2);
/// Steps of SQLite between two looks at the clock.
const STEPS_BETWEEN_CHECKS: i32 = 2_000;

/// An empty database with the tables of a connection.
#[derive(Debug)]
pub struct Scratch<'s> {
    connection: SqliteConnection,
    schema: &'s Schema,
}

/// The database cannot be made: no fault of a statement.
#[derive(Debug, thiserror::Error)]
#[error("an empty database with the declared tables could not be made: {0}")]
pub struct ScratchError(String);

/// What a statement is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Verbs by table: exactly what it needs.
    pub tables: BTreeMap<String, BTreeSet<Verb>>,
    /// Of its rows; none where it answers no rows.
    pub columns: Vec<PreparedColumn>,
}

/// A column of a statement's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedColumn {
    /// In the result.
    pub name: String,
    /// The schema's type, where it is a plain column of a table.
    pub kind: Option<Type>,
    /// Whether it can be NULL, where that is known.
    pub nullable: Option<bool>,
}

/// What is wrong with a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// For people.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// What kind of name is missing, if one is.
    pub missing: Option<Missing>,
    /// Where in the statement, and how many bytes; (0, 0) where that is not known.
    pub place: (usize, usize),
}

/// A name that the schema does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Of a table.
    Table,
    /// Of a column.
    Column,
}

impl<'s> Scratch<'s> {
    /// Makes the tables as an apply would make them.
    pub async fn new(schema: &'s Schema) -> Result<Self, ScratchError> {
        memory::install();
        let failed = |error: sqlx::Error| ScratchError(error.to_string());
        let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
        let steps = plan(Engine::Sqlite, &CurrentSchema::default(), schema, &Schema::default())
            .map_err(|refused| ScratchError(refused.into_iter().map(|one| one.description).collect()))?;
        for step in steps {
            // Made by `santokit_sql` from a checked schema; names are quoted there.
            for statement in step.statements {
                connection.execute(AssertSqlSafe(statement)).await.map_err(failed)?;
            }
        }
        Ok(Self { connection, schema })
    }

    /// Prepares a statement with `:name` placeholders.
    pub async fn prepare(&mut self, text: &str) -> Result<Result<Prepared, Refused>, ScratchError> {
        let failed = |error: sqlx::Error| ScratchError(error.to_string());
        let bound = BoundStatement::sqlite(text).sql;
        let observer = Observer::new(self.schema.tables.keys());
        let note = |table: &str, verb| observer.note(table, verb) || verb == Verb::Select;
        let words = match guest::check(&bound, note, self.schema.tables.keys().map(String::as_str)) {
            Ok(words) => words,
            Err(refused) => return Ok(Err(self.refused(text, &refused.to_string(), None))),
        };
        authorizer::observe(&mut self.connection, observer.clone()).await.map_err(failed)?;
        let statement = match self.compile(&bound).await {
            Ok(statement) => statement,
            Err(error) => return self.explain(text, &error, observer.seen().refused.as_deref()).map(Err),
        };
        let tables = observer.seen().tables;
        // Once more under what was noted: what is found here is enough for it to run, or the release must not be made.
        let access = Arc::new(Access::exactly(&tables));
        let authorized = Authorized::new(access, words);
        authorizer::restrict(&mut self.connection, authorized).await.map_err(failed)?;
        if let Err(error) = self.compile(&bound).await {
            return self.explain(text, &error, None).map(Err);
        }
        Ok(Ok(Prepared { tables, columns: self.columns(text, statement.columns()) }))
    }

    async fn compile(&mut self, bound: &str) -> Result<SqliteStatement, sqlx::Error> {
        // A statement that was prepared before would not ask again.
        self.connection.clear_cached_statements().await?;
        let deadline = Instant::now() + PREPARE_MAX;
        self.connection
            .lock_handle()
            .await?
            .set_progress_handler(STEPS_BETWEEN_CHECKS, move || Instant::now() < deadline);
        let text = AssertSqlSafe(bound.to_owned()).into_sql_str();
        let compiled = (&mut self.connection).prepare(text).await;
        self.connection.lock_handle().await?.remove_progress_handler();
        compiled
    }

    fn columns(&self, text: &str, columns: &[SqliteColumn]) -> Vec<PreparedColumn> {
        let plain: Vec<Option<(Type, bool)>> = columns.iter().map(|column| self.declared(column)).collect();
        // Where a row can come from a side that has none, or from no row at all, a column that is never NULL is.
        let words = || {
            sql_text::pieces(text).into_iter().filter_map(|piece| match piece {
                Piece::Word { text, .. } => Some(text.to_ascii_lowercase()),
                _ => None,
            })
        };
        let is_simple = words().filter(|word| word == "select").count() <= 1
            && !words().any(|word| matches!(word.as_str(), "left" | "right" | "full" | "having"))
            && plain.iter().all(Option::is_some);
        let column = |(column, plain): (&SqliteColumn, Option<(Type, bool)>)| PreparedColumn {
            name: column.name().to_owned(),
            kind: plain.map(|(kind, _)| kind),
            nullable: plain.and_then(|(_, nullable)| (nullable || is_simple).then_some(nullable)),
        };
        columns.iter().zip(plain).map(column).collect()
    }

    /// The type of a plain column and whether it can be NULL.
    fn declared(&self, column: &SqliteColumn) -> Option<(Type, bool)> {
        let ColumnOrigin::Table(origin) = column.origin() else { return None };
        let table = self.schema.tables.get(origin.table.as_ref())?;
        if table.id.name == *origin.name {
            return Some((table.id.kind, false));
        }
        let found = table.columns.iter().find(|column| column.name == *origin.name)?;
        Some((found.kind, found.nullable))
    }

    fn explain(&self, text: &str, error: &sqlx::Error, refused: Option<&str>) -> Result<Refused, ScratchError> {
        match error {
            sqlx::Error::Database(database) => Ok(self.refused(text, database.message(), refused)),
            other => Err(ScratchError(other.to_string())),
        }
    }

    /// The engine's words, with the place of the name that they are about.
    fn refused(&self, text: &str, message: &str, refused: Option<&str>) -> Refused {
        if let Some(what) = refused {
            let place = what.split('"').nth(1).or_else(|| what.strip_prefix("the function ")?.split(',').next());
            let place = place.and_then(|name| locate(text, name)).unwrap_or_default();
            return Refused {
                message: format!("a declared query may not use {what}"),
                hint: None,
                missing: None,
                place,
            };
        }
        if message.contains("interrupted") {
            let message = "the database takes too long to understand this statement".to_owned();
            return Refused { message, hint: Some("make it simpler".to_owned()), missing: None, place: (0, 0) };
        }
        let tables = || self.schema.tables.keys().map(String::as_str);
        let (missing, name) = if let Some(name) = message.strip_prefix("no such table: ") {
            (Some(Missing::Table), Some(name))
        } else if let Some(name) = message.strip_prefix("no such column: ") {
            (Some(Missing::Column), Some(name))
        } else if let Some((_, name)) = message.split_once(" has no column named ") {
            (Some(Missing::Column), Some(name))
        } else if let Some(name) = message.strip_prefix("no such function: ") {
            (None, Some(name))
        } else if let Some(name) = message.strip_prefix("ambiguous column name: ") {
            (None, Some(name))
        } else {
            (None, message.strip_prefix("near \"").and_then(|rest| rest.split('"').next()))
        };
        let last = name.map(last_part);
        let hint = match (missing, last) {
            (Some(Missing::Table), Some(name)) => nearest(name, tables()).map(str::to_owned),
            (Some(Missing::Column), Some(name)) => self.nearest_column(text, name),
            _ => None,
        };
        Refused {
            message: message.to_owned(),
            hint: hint.map(|near| format!("did you mean {near:?}?")),
            missing,
            place: name.and_then(|name| locate(text, name)).unwrap_or_default(),
        }
    }

    /// Among the columns of the tables that the statement names.
    fn nearest_column(&self, text: &str, name: &str) -> Option<String> {
        let named: BTreeSet<String> = sql_text::pieces(text).iter().filter_map(|piece| bare(text, piece)).collect();
        let tables = self.schema.tables.iter().filter(|(table, _)| named.contains(&table.to_lowercase()));
        let columns: Vec<&str> = tables
            .flat_map(|(_, table)| {
                let own = table.columns.iter().map(|column| column.name.as_str());
                own.chain([table.id.name.as_str()])
            })
            .collect();
        nearest(name, columns).map(str::to_owned)
    }
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// A word or a quoted name, in lower case and without its quotes.
fn bare(text: &str, piece: &Piece<'_>) -> Option<String> {
    match piece {
        Piece::Word { text, .. } => Some(text.to_lowercase()),
        Piece::Other { at, length } => {
            let written = text.get(*at..at + length)?;
            written.starts_with(['"', '`', '[']).then(|| written.trim_matches(['"', '`', '[', ']']).to_lowercase())
        }
        Piece::Placeholder { .. } | Piece::End { .. } => None,
    }
}

/// Where a name stands in a statement; with a qualifier, there where it has it.
fn locate(text: &str, name: &str) -> Option<(usize, usize)> {
    let (qualifier, last) = match name.rsplit_once('.') {
        Some((qualifier, last)) => (Some(last_part(qualifier).to_lowercase()), last.to_lowercase()),
        None => (None, name.to_lowercase()),
    };
    let pieces = sql_text::pieces(text);
    let place = |piece: &Piece<'_>| match piece {
        Piece::Word { text, at } => (*at, text.len()),
        Piece::Other { at, length } => (*at, *length),
        Piece::Placeholder { name, at } => (*at, name.len() + 1),
        Piece::End { at } => (*at, 1),
    };
    let is_name = |index: &usize| bare(text, &pieces[*index]).is_some_and(|bare| bare == last);
    let is_qualified = |index: &usize| {
        let before = index.checked_sub(2).and_then(|before| bare(text, &pieces[before]));
        qualifier.is_some() && before == qualifier
    };
    let all: Vec<usize> = (0..pieces.len()).filter(is_name).collect();
    let found = all.iter().find(|index| is_qualified(index)).or_else(|| all.first());
    if let Some(index) = found {
        return Some(place(&pieces[*index]));
    }
    // A mark of grammar, in a message about syntax.
    text.find(name).map(|at| (at, name.len()))
}
