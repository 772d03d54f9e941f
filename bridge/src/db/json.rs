//! A cell as JSON bytes, straight from the driver's: `int` and `float` are numbers, `bigint` and `decimal` strings, times RFC 3339,
//! bytes base64 (RFC 4648), JSON is itself.

use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use santokit_core::schema::Type;
use serde::de::IgnoredAny;
use sqlx::Error;

use super::cell::{self, Cell};

/// The largest whole number that every JSON reader keeps exactly.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

/// Writes a cell.
pub(super) fn write(out: &mut Vec<u8>, cell: &Cell<'_>, kind: Option<Type>) -> Result<(), Error> {
    match cell {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Boolean(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Cell::Integer(number) if kind == Some(Type::Bigint) || number.unsigned_abs() > SAFE_INTEGER_MAX => {
            quoted(out, number);
        }
        Cell::Integer(number) => display(out, number),
        // What JSON has no number for is named.
        Cell::Float(number) if number.is_nan() => out.extend_from_slice(b"\"NaN\""),
        Cell::Float(number) if number.is_infinite() => {
            out.extend_from_slice(if *number > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
        }
        Cell::Float(number) => serialised(out, number)?,
        Cell::Decimal(digits) => quoted(out, digits),
        Cell::Text(text) => serialised(out, text)?,
        Cell::Bytes(bytes) => quoted(out, &Base64Display::new(bytes, &STANDARD)),
        Cell::Timestamp(micros) => quoted(out, &cell::timestamp(*micros)),
        Cell::Json(text, is_valid) => {
            // What is no JSON must not break the answer that it is in.
            if *is_valid || serde_json::from_str::<IgnoredAny>(text).is_ok() {
                out.extend_from_slice(text.as_bytes());
            } else {
                serialised(out, text)?;
            }
        }
    }
    Ok(())
}

/// Of what needs no escape.
fn quoted(out: &mut Vec<u8>, content: &impl std::fmt::Display) {
    out.push(b'"');
    display(out, content);
    out.push(b'"');
}

fn display(out: &mut Vec<u8>, content: &impl std::fmt::Display) {
    use std::io::Write as _;

    // A vector takes whatever is written.
    drop(write!(out, "{content}"));
}

fn serialised<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, content: &T) -> Result<(), Error> {
    serde_json::to_writer(out, content).map_err(|error| Error::Decode(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_form() {
        for (kind, cell, json) in [
            (Type::Int, Cell::Integer(-7), "-7"),
            (Type::Bigint, Cell::Integer(i64::MIN), "\"-9223372036854775808\""),
            (Type::Float, Cell::Float(1.0), "1.0"),
            (Type::Float, Cell::Float(f64::NAN), "\"NaN\""),
            (Type::Float, Cell::Float(f64::NEG_INFINITY), "\"-Infinity\""),
            (Type::Float, Cell::Float(f64::MAX), "1.7976931348623157e+308"),
            (Type::Decimal, Cell::Decimal("1.50".into()), "\"1.50\""),
            (Type::String, Cell::Text("a\"\\\n\u{1F600}".into()), "\"a\\\"\\\\\\n\u{1F600}\""),
            (Type::Bytes, Cell::Bytes((&[0, 255][..]).into()), "\"AP8=\""),
            (Type::Bytes, Cell::Bytes((&[][..]).into()), "\"\""),
            (Type::Json, Cell::Json("{\"a\": 1}".into(), false), "{\"a\": 1}"),
            (Type::Json, Cell::Json("{\"a\":".into(), false), "\"{\\\"a\\\":\""),
            (Type::Timestamp, Cell::Timestamp(1), "\"1970-01-01T00:00:00.000001Z\""),
            (Type::Boolean, Cell::Boolean(false), "false"),
            (Type::String, Cell::Null, "null"),
        ] {
            let mut out = Vec::new();
            write(&mut out, &cell, Some(kind)).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), json);
        }
    }
}
