//! Values on their way into a statement, each bound as its schema type. Nothing here looks at a request: a value that does not have
//! the form of its type is a fault of ours, and an error.

mod mysql;
mod numeric;
mod postgres;

use chrono::{DateTime, Utc};
use santokit_core::{schema::Type, value::Value};
use santokit_sql::statement::Bound;
use sqlx::{
    Arguments as _, AssertSqlSafe, Error,
    error::BoxDynError,
    mysql::MySqlArguments,
    postgres::{PgArguments, PgTypeInfo},
    sqlite::SqliteArguments,
};

pub(super) use numeric::text as numeric_text;
pub(super) use postgres::{Texts, types as postgres_types};

/// The one place where text becomes a statement: one of the platform's own, which `sql::render` made of the schema, one of a
/// release, or a guest's under its authorizer. Values are never in it.
pub(super) fn text(sql: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql.to_owned())
}

/// What a value does not have the form of is stored as something that the schema's type does not say: a text that is no `uuid`.
#[derive(Debug, thiserror::Error)]
#[error("a text does not have the form of its column")]
pub(super) struct Unfitting;

/// The text for PostgreSQL. A prepared statement is kept by its text alone, and it is prepared for types: were the same text
/// bound as other types, the bytes of one would be read as those of another. So the types are a part of the text.
pub(super) fn postgres_text(sql: &str, params: &[Bound], texts: Texts) -> AssertSqlSafe<String> {
    let mut text = String::with_capacity(sql.len() + params.len() + 4);
    text.push_str(sql);
    if !params.is_empty() {
        text.push_str("\n/*");
        text.extend(params.iter().map(|param| postgres::letter(param, texts)));
        text.push_str("*/");
    }
    AssertSqlSafe(text)
}

/// For SQLite, which takes a value as what it is.
pub(super) fn sqlite(params: &[Bound]) -> Result<SqliteArguments, Error> {
    let mut arguments = SqliteArguments::default();
    for param in params {
        let added = match &param.value {
            Value::Null => arguments.add(None::<String>),
            Value::Boolean(truth) => arguments.add(*truth),
            Value::Int64(number) => match param.kind {
                Type::Float => arguments.add(float(*number)),
                Type::Decimal => arguments.add(number.to_string()),
                _ => arguments.add(*number),
            },
            Value::Float64(number) => arguments.add(*number),
            Value::Bytes(bytes) => arguments.add(bytes.clone()),
            Value::Text(text) | Value::Typed(_, text) => match param.kind {
                Type::Int | Type::Bigint => arguments.add(whole(text).map_err(Error::Encode)?),
                _ => arguments.add(text.clone()),
            },
        };
        added.map_err(Error::Encode)?;
    }
    Ok(arguments)
}

/// For PostgreSQL. `found` are the types that the server finds for the statement's placeholders, where it was left to it.
pub(super) fn postgres(params: &[Bound], found: Option<&[PgTypeInfo]>) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    for (at, param) in params.iter().enumerate() {
        let found = found.and_then(|found| found.get(at));
        postgres::add(&mut arguments, param, found).map_err(Error::Encode)?;
    }
    Ok(arguments)
}

/// For MySQL and MariaDB.
pub(super) fn mysql(params: &[Bound]) -> Result<MySqlArguments, Error> {
    let mut arguments = MySqlArguments::default();
    for param in params {
        mysql::add(&mut arguments, param).map_err(Error::Encode)?;
    }
    Ok(arguments)
}

/// The words repeat no value.
fn misfit(param: &Bound) -> BoxDynError {
    let found = match &param.value {
        Value::Null => "NULL",
        Value::Boolean(_) => "a truth value",
        Value::Int64(_) => "a whole number",
        Value::Float64(_) => "a floating point number",
        Value::Text(_) => "text",
        Value::Bytes(_) => "bytes",
        Value::Typed(..) => "a typed text",
    };
    format!("{found} cannot be bound as {}", param.kind.as_str()).into()
}

fn whole(text: &str) -> Result<i64, BoxDynError> {
    text.parse().map_err(|_| "text that is no whole number cannot be bound as one".into())
}

fn timestamp(text: &str) -> Result<DateTime<Utc>, BoxDynError> {
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| "text that is no time cannot be bound as one")?;
    Ok(time.with_timezone(&Utc))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a whole number for a floating point column is rounded as SQL rounds it"
)]
fn float(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use sqlx::SqlSafeStr;

    use super::*;

    fn bound(kind: Type, value: Value) -> Bound {
        Bound { kind, value }
    }

    #[test]
    fn one_text_bound_as_other_types_is_another_statement() {
        let of = |kind, texts| {
            postgres_text("SELECT $1", &[bound(kind, Value::Null)], texts).into_sql_str().as_str().to_owned()
        };
        let mut texts: Vec<String> = Type::ALL.iter().map(|kind| of(*kind, Texts::Text)).collect();
        assert_ne!(of(Type::String, Texts::Found), of(Type::String, Texts::Text));
        texts.sort();
        texts.dedup();
        // Text and file, JSON and array are one type each.
        assert_eq!(texts.len(), Type::ALL.len() - 2);
        assert_eq!(postgres_text("SELECT 1", &[], Texts::Found).into_sql_str().as_str(), "SELECT 1");
    }

    #[test]
    fn a_value_of_another_form_is_an_error_that_does_not_repeat_it() {
        for (kind, value) in [
            (Type::Int, Value::Text("planted".to_owned())),
            (Type::Int, Value::Int64(1 << 40)),
            (Type::Bigint, Value::Typed("bigint".to_owned(), "planted".to_owned())),
            (Type::Decimal, Value::Typed("decimal".to_owned(), "planted".to_owned())),
            (Type::Decimal, Value::Typed("decimal".to_owned(), "NaN".to_owned())),
            (Type::Timestamp, Value::Typed("timestamp".to_owned(), "planted".to_owned())),
            (Type::Boolean, Value::Int64(7)),
            (Type::Bytes, Value::Text("planted".to_owned())),
            (Type::Float, Value::Float64(f64::NAN)),
            (Type::Float, Value::Float64(f64::INFINITY)),
            (Type::String, Value::Bytes(b"planted".to_vec())),
        ] {
            let param = [bound(kind, value)];
            for error in [postgres(&param, None).map(drop), mysql(&param).map(drop)] {
                let error = error.unwrap_err().to_string();
                assert!(!error.contains("planted"), "{error}");
            }
        }
    }
}
