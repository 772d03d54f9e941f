//! The JSON form of each type: what is accepted, the one spelling it is brought to, and the typed value for a statement.
//!
//! Columns' and params' defaults, params and rows all go through here, so that a type means the same everywhere.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value as Json;

use crate::{
    decimal::{Decimal, FRACTION_DIGITS_MAX, WHOLE_DIGITS_MAX},
    schema::{Items, Type},
    storage::ObjectKey,
    value::Value,
};

/// Brings a value of the type to its one JSON spelling. The error says what is expected; it does not repeat the value.
pub fn normalise(kind: Type, items: Option<&Items>, json: Json) -> Result<Json, String> {
    match (kind, json) {
        // PostgreSQL cannot hold it, and SQLite ends the text there.
        (Type::String, Json::String(text)) if text.contains('\0') => {
            Err("must not contain the character U+0000".to_owned())
        }
        (Type::File, Json::String(text)) => match ObjectKey::parse(&text) {
            Ok(key) => Ok(Json::String(key.as_str().to_owned())),
            Err(error) => Err(error.to_string()),
        },
        (Type::String, json @ Json::String(_))
        | (Type::Boolean, json @ Json::Bool(_))
        | (Type::Float, json @ Json::Number(_))
        | (Type::Json, json) => Ok(json),
        (Type::Int, Json::Number(number)) => match whole(&number) {
            Some(n) if i32::try_from(n).is_ok() => Ok(n.into()),
            Some(_) => Err("expected a whole number of 32 bits; declare bigint for larger ones".to_owned()),
            None => Err("expected a whole number".to_owned()),
        },
        (Type::Bigint, Json::Number(number)) if number.is_i64() => Ok(Json::String(number.to_string())),
        (Type::Bigint, Json::String(text)) => match text.parse::<i64>() {
            Ok(n) => Ok(Json::String(n.to_string())),
            Err(_) => Err("expected a whole number of 64 bits, as a string".to_owned()),
        },
        (Type::Decimal, Json::String(text)) => match decimal(&text) {
            Ok(_) => Ok(Json::String(text)),
            Err(message) => Err(message),
        },
        (Type::Timestamp, Json::String(text)) => timestamp(&text).map(Json::String),
        (Type::Bytes, Json::String(text)) => match STANDARD.decode(&text) {
            Ok(_) => Ok(Json::String(text)),
            Err(_) => Err("expected base64 (RFC 4648, with padding)".to_owned()),
        },
        (Type::Array, Json::Array(elements)) => elements_of(items, elements).map(Json::Array),
        (kind, json) => Err(format!("expected {}, found {}", expected(kind), found(&json))),
    }
}

/// The typed value of a normalised JSON value, for binding. JSON null is SQL NULL.
pub fn to_value(kind: Type, json: &Json) -> Result<Value, String> {
    let typed = |text: String| Value::Typed(kind.as_str().to_owned(), text);
    match (kind, json) {
        (_, Json::Null) => Ok(Value::Null),
        (Type::String | Type::File, Json::String(text)) => Ok(Value::Text(text.clone())),
        (Type::Boolean, Json::Bool(truth)) => Ok(Value::Boolean(*truth)),
        (Type::Int | Type::Bigint, Json::Number(number)) => {
            whole(number).map(Value::Int64).ok_or_else(|| "expected a whole number".to_owned())
        }
        (Type::Bigint, Json::String(text)) => {
            text.parse().map(Value::Int64).map_err(|_| "expected a whole number of 64 bits".to_owned())
        }
        (Type::Float, Json::Number(number)) => {
            number.as_f64().map(Value::Float64).ok_or_else(|| "expected a number".to_owned())
        }
        (Type::Decimal, Json::String(text)) => decimal(text).map(|_| typed(text.clone())),
        (Type::Timestamp, Json::String(text)) => timestamp(text).map(typed),
        (Type::Bytes, Json::String(text)) => {
            STANDARD.decode(text).map(Value::Bytes).map_err(|_| "expected base64".to_owned())
        }
        // An array is stored as JSON.
        (Type::Json | Type::Array, json) => Ok(Value::Typed("json".to_owned(), json.to_string())),
        (kind, json) => Err(format!("expected {}, found {}", expected(kind), found(json))),
    }
}

/// RFC 3339 with any offset, as UTC with microseconds: the precision that every engine keeps, in one width, so that text
/// sorts as time does.
fn timestamp(text: &str) -> Result<String, String> {
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| "expected a time as RFC 3339, for example 2026-01-31T12:00:00Z".to_owned())?;
    let utc = time.with_timezone(&Utc);
    if !(1..=9999).contains(&chrono::Datelike::year(&utc)) {
        return Err("expected a time between the years 1 and 9999".to_owned());
    }
    if utc.timestamp_subsec_nanos() >= 1_000_000_000 {
        return Err("a leap second cannot be stored; use the second before it".to_owned());
    }
    Ok(utc.to_rfc3339_opts(SecondsFormat::Micros, true))
}

fn decimal(text: &str) -> Result<Decimal<'_>, String> {
    Decimal::accept(text).ok_or_else(|| {
        format!(
            "expected a decimal number as a string, for example \"12.50\", with at most {WHOLE_DIGITS_MAX} digits before the point and \
             {FRACTION_DIGITS_MAX} behind it"
        )
    })
}

/// `3` and `3.0` are whole; JSON does not tell them apart.
fn whole(number: &serde_json::Number) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and below 2^53")]
    let from_float =
        |float: f64| (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then_some(float as i64);
    number.as_i64().or_else(|| number.as_f64().and_then(from_float))
}

fn elements_of(items: Option<&Items>, elements: Vec<Json>) -> Result<Vec<Json>, String> {
    let Some(items) = items else { return Ok(elements) };
    elements
        .into_iter()
        .enumerate()
        .map(|(index, element)| {
            normalise(items.kind, items.items.as_deref(), element)
                .map_err(|message| format!("element {index}: {message}"))
        })
        .collect()
}

const fn expected(kind: Type) -> &'static str {
    match kind {
        Type::String => "a string",
        Type::Int => "a whole number",
        Type::Bigint => "a whole number as a string",
        Type::Float => "a number",
        Type::Decimal => "a decimal number as a string",
        Type::Boolean => "true or false",
        Type::Json => "any JSON",
        Type::Timestamp => "a time as a string (RFC 3339)",
        Type::Bytes => "base64 as a string",
        Type::File => "the key of a file as a string",
        Type::Array => "a list",
    }
}

const fn found(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}
