//! One value of a seed file as a database keeps it, by the type that the schema declares.

use anyhow::{Context as _, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use rand::RngExt;
use santokit_core::schema::{Generate, Type};
use serde_json::Value as Json;
use sqlx::{MySql, Postgres, Sqlite, query_builder::Separated};

/// What is bound.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// NULL.
    Null,
    /// INTEGER; truth values too.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT; decimals, timestamps and JSON too.
    Text(String),
    /// BLOB.
    Blob(Vec<u8>),
}

impl Cell {
    /// Binds it as the next value of a row.
    pub fn bind_sqlite(&self, row: &mut Separated<'_, Sqlite, &'static str>) {
        match self {
            Cell::Null => row.push_bind(None::<String>),
            Cell::Integer(value) => row.push_bind(*value),
            Cell::Real(value) => row.push_bind(*value),
            Cell::Text(value) => row.push_bind(value.clone()),
            Cell::Blob(value) => row.push_bind(value.clone()),
        };
    }

    /// The same on PostgreSQL, where a value and NULL have a type: text is sent as text, and the database makes of it what the
    /// column is.
    pub fn bind_postgres(&self, kind: Type, row: &mut Separated<'_, Postgres, &'static str>) {
        let (integer, text) = match self {
            Cell::Integer(value) => (Some(*value), None),
            Cell::Text(value) => (None, Some(value.clone())),
            _ => (None, None),
        };
        match kind {
            Type::Int | Type::Bigint => row.push_bind(integer),
            Type::Boolean => row.push_bind(integer.map(|value| value != 0)),
            Type::Float => row.push_bind(if let Cell::Real(value) = self { Some(*value) } else { None }),
            Type::Bytes => row.push_bind(if let Cell::Blob(value) = self { Some(value.clone()) } else { None }),
            Type::String | Type::File => row.push_bind(text),
            Type::Decimal => row.push_bind(text).push_unseparated("::text::numeric"),
            Type::Timestamp => row.push_bind(text).push_unseparated("::text::timestamptz"),
            Type::Json | Type::Array => row.push_bind(text).push_unseparated("::text::jsonb"),
        };
    }

    /// The same on MySQL, which reads a time without `T` and `Z`.
    pub fn bind_mysql(&self, kind: Type, row: &mut Separated<'_, MySql, &'static str>) {
        match self {
            Cell::Null => row.push_bind(None::<String>),
            Cell::Integer(value) => row.push_bind(*value),
            Cell::Real(value) => row.push_bind(*value),
            Cell::Text(value) if kind == Type::Timestamp => {
                row.push_bind(value.trim_end_matches('Z').replace('T', " "))
            }
            Cell::Text(value) => row.push_bind(value.clone()),
            Cell::Blob(value) => row.push_bind(value.clone()),
        };
    }
}

/// A field of a CSV file. An empty one is NULL where that is allowed.
pub fn from_text(kind: Type, nullable: bool, text: &str) -> anyhow::Result<Cell> {
    if text.is_empty() && (nullable || !matches!(kind, Type::String | Type::File | Type::Bytes)) {
        ensure!(nullable, "it is empty, and the column is not nullable");
        return Ok(Cell::Null);
    }
    let wrong = || format!("{text:?} is no {}", kind.as_str());
    Ok(match kind {
        Type::Int => Cell::Integer(i64::from(text.trim().parse::<i32>().with_context(wrong)?)),
        Type::Bigint => Cell::Integer(text.trim().parse().with_context(wrong)?),
        Type::Float => Cell::Real(text.trim().parse().with_context(wrong)?),
        Type::Boolean => match text.trim() {
            "true" | "1" => Cell::Integer(1),
            "false" | "0" => Cell::Integer(0),
            _ => bail!(wrong()),
        },
        Type::Json | Type::Array => {
            let value: Json = serde_json::from_str(text).with_context(wrong)?;
            return from_json(kind, &value);
        }
        Type::Decimal | Type::Timestamp | Type::Bytes | Type::String | Type::File => {
            return from_json(kind, &Json::String(text.to_owned()));
        }
    })
}

/// A member of an object of a JSON file, in its JSON form.
pub fn from_json(kind: Type, value: &Json) -> anyhow::Result<Cell> {
    let wrong = || format!("{value} is no {}", kind.as_str());
    Ok(match (kind, value) {
        (Type::Json, value) if !value.is_null() => Cell::Text(value.to_string()),
        (_, Json::Null) => Cell::Null,
        (Type::Int, Json::Number(number)) => {
            Cell::Integer(number.as_i64().filter(|n| i32::try_from(*n).is_ok()).with_context(wrong)?)
        }
        (Type::Bigint, Json::Number(number)) => Cell::Integer(number.as_i64().with_context(wrong)?),
        (Type::Bigint, Json::String(text)) => Cell::Integer(text.parse().with_context(wrong)?),
        (Type::Float, Json::Number(number)) => Cell::Real(number.as_f64().with_context(wrong)?),
        (Type::Boolean, Json::Bool(value)) => Cell::Integer(i64::from(*value)),
        (Type::Decimal, Json::Number(number)) => Cell::Text(number.to_string()),
        (Type::Decimal, Json::String(text)) => {
            let digits = text.trim_start_matches('-');
            let ok = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            ensure!(ok && digits.matches('.').count() <= 1, wrong());
            Cell::Text(text.clone())
        }
        (Type::Timestamp, Json::String(text)) => {
            let time = chrono::DateTime::parse_from_rfc3339(text).with_context(wrong)?;
            Cell::Text(timestamp(time.to_utc()))
        }
        (Type::Bytes, Json::String(text)) => Cell::Blob(STANDARD.decode(text).with_context(wrong)?),
        (Type::Array, Json::Array(_)) => Cell::Text(value.to_string()),
        (Type::String | Type::File, Json::String(text)) => Cell::Text(text.clone()),
        _ => bail!(wrong()),
    })
}

/// A point in time as the platform keeps it on SQLite: microseconds, UTC.
pub fn timestamp(time: chrono::DateTime<chrono::Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// A primary key for a row that has none.
pub fn new_id(generate: Generate) -> anyhow::Result<Cell> {
    Ok(Cell::Text(match generate {
        Generate::Ulid => ulid::Ulid::new().to_string(),
        Generate::Nanoid => {
            const ALPHABET: &[u8; 64] = b"useandom-26T198340PX75pxJACKVERYMINDBUSHWOLF_GQZbfghjklqvwyzrict";
            let mut random = rand::rng();
            (0..21).map(|_| char::from(ALPHABET[random.random_range(0..64)])).collect()
        }
        Generate::UuidV4 => uuid::Uuid::new_v4().to_string(),
        Generate::UuidV7 => uuid::Uuid::now_v7().to_string(),
        Generate::AutoIncrement | Generate::Client => bail!("the primary key has no value"),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_kept_by_the_type_of_their_column() {
        assert_eq!(from_text(Type::Bigint, true, "9007199254740993").unwrap(), Cell::Integer(9_007_199_254_740_993));
        assert_eq!(from_text(Type::Boolean, true, "true").unwrap(), Cell::Integer(1));
        assert_eq!(from_text(Type::Int, true, "").unwrap(), Cell::Null);
        assert_eq!(from_text(Type::String, false, "").unwrap(), Cell::Text(String::new()));
        assert_eq!(from_json(Type::Decimal, &json!("1.20")).unwrap(), Cell::Text("1.20".to_owned()));
        assert_eq!(
            from_json(Type::Timestamp, &json!("2026-01-02T03:04:05+01:00")).unwrap(),
            Cell::Text("2026-01-02T02:04:05.000000Z".to_owned())
        );
        assert!(from_text(Type::Int, false, "").is_err());
        assert!(from_json(Type::Int, &json!(3_000_000_000_u64)).is_err());
        assert!(from_json(Type::Decimal, &json!("1.2.3")).is_err());
    }
}
