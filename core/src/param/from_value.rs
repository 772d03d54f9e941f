//! A typed value of a guest as the JSON that params are checked in. What a guest calls by another type than the declared one is
//! refused here; whether it fits is the check's matter.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Number, Value as Json};

use crate::{schema::Type, value::Value};

/// The JSON form of a value for a param of the type. The error says what is expected; it does not repeat the value.
pub fn from_value(kind: Type, value: Value) -> Result<Json, String> {
    let misfit = |found: &str| Err(format!("expected {}, found {found}", kind.as_str()));
    match (kind, value) {
        (_, Value::Null) => Ok(Json::Null),
        (_, Value::Boolean(truth)) => Ok(Json::Bool(truth)),
        (Type::Bigint | Type::Decimal, Value::Int64(number)) => Ok(Json::String(number.to_string())),
        (_, Value::Int64(number)) => Ok(Json::from(number)),
        (_, Value::Float64(number)) => {
            Number::from_f64(number).map(Json::Number).ok_or_else(|| "expected a finite number".to_owned())
        }
        (Type::Bytes, Value::Bytes(bytes)) => Ok(Json::String(STANDARD.encode(bytes))),
        (_, Value::Bytes(_)) => misfit("bytes"),
        // A guest has bytes of its own: a text for them would be taken for base64.
        (Type::Bytes, Value::Text(_)) => misfit("text"),
        (_, Value::Text(text)) => Ok(Json::String(text)),
        (kind, Value::Typed(name, text)) => typed(kind, &name, text),
    }
}

fn typed(kind: Type, name: &str, text: String) -> Result<Json, String> {
    let not_json = |_| "expected JSON".to_owned();
    match (kind, name) {
        (Type::Json | Type::Array, "json" | "array") => serde_json::from_str(&text).map_err(not_json),
        (Type::Int | Type::Float, "int" | "bigint") => {
            text.parse::<i64>().map(Json::from).map_err(|_| "expected a whole number of 64 bits".to_owned())
        }
        (Type::Float, "float") => {
            let number = text.parse().ok().and_then(Number::from_f64);
            number.map(Json::Number).ok_or_else(|| "expected a finite number".to_owned())
        }
        (Type::Bigint, "int" | "bigint")
        | (Type::Decimal, "decimal" | "int" | "bigint")
        | (Type::Timestamp, "timestamp")
        | (Type::String | Type::File, "string" | "file") => Ok(Json::String(text)),
        (kind, _) => Err(format!("expected {}, found another type", kind.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(name: &str, text: &str) -> Value {
        Value::Typed(name.to_owned(), text.to_owned())
    }

    #[test]
    fn what_fits_is_taken() {
        for (kind, value, expected) in [
            (Type::String, Value::Text("a".to_owned()), json!("a")),
            (Type::Int, Value::Int64(3), json!(3)),
            (Type::Bigint, Value::Int64(i64::MAX), json!("9223372036854775807")),
            (Type::Bigint, of("bigint", "-1"), json!("-1")),
            (Type::Decimal, of("decimal", "1.20"), json!("1.20")),
            (Type::Decimal, Value::Int64(2), json!("2")),
            (Type::Float, Value::Float64(0.5), json!(0.5)),
            (Type::Boolean, Value::Boolean(true), json!(true)),
            (Type::Timestamp, of("timestamp", "2026-01-31T08:00:00Z"), json!("2026-01-31T08:00:00Z")),
            (Type::Bytes, Value::Bytes(vec![0, 255]), json!("AP8=")),
            (Type::Json, of("json", "{\"a\":1}"), json!({"a": 1})),
            (Type::Array, of("json", "[1]"), json!([1])),
            (Type::Int, Value::Null, Json::Null),
        ] {
            assert_eq!(from_value(kind, value), Ok(expected));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_without_repeating_it() {
        for (kind, value) in [
            (Type::Bytes, Value::Text("planted".to_owned())),
            (Type::String, Value::Bytes(b"planted".to_vec())),
            (Type::String, of("decimal", "planted")),
            (Type::Int, of("int", "planted")),
            (Type::Json, of("json", "{planted")),
            (Type::Timestamp, of("no such type", "planted")),
            (Type::Float, Value::Float64(f64::NAN)),
            (Type::Float, of("float", "inf")),
        ] {
            let refused = from_value(kind, value).unwrap_err();
            assert!(!refused.contains("planted"), "{refused}");
        }
    }
}
