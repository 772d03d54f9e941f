//! Cursors: a row's place in an order, as text that only this code reads. A cursor is for one table and one order, and is refused
//! elsewhere. It holds values that its caller may read, and what comes back is checked as any value is: a made-up cursor names
//! another place, and nothing more.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use santokit_core::{param::convert, release::Digest, schema::Type, value::Value};
use santokit_sql::plan::{Column, Direction, Position, SortKey};
use serde_json::{Number, Value as Json, json};

/// Of this form.
const VERSION: u64 = 1;

/// Hexadecimal digits of the shape's digest in a cursor.
const SHAPE_LENGTH: usize = 16;

/// A table and an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    table: String,
    order: Vec<SortKey>,
}

impl Shape {
    /// Of an order of a table's rows.
    pub fn of(table: &str, order: &[SortKey]) -> Self {
        Self { table: table.to_owned(), order: order.to_vec() }
    }

    /// What a cursor says that it is for. Most requests have no cursor, and get none: it is computed only where there is one.
    fn digest(&self) -> String {
        let direction = |key: &SortKey| match key.direction {
            Direction::Ascending => "asc",
            Direction::Descending => "desc",
        };
        // Names hold no line breaks.
        let keys =
            self.order.iter().map(|key| format!("{} {} {}", key.column.name, key.column.kind.as_str(), direction(key)));
        let text: Vec<String> = std::iter::once(self.table.clone()).chain(keys).collect();
        let digest = Digest::of(text.join("\n").as_bytes());
        let hex = digest.as_str().rsplit(':').next().unwrap_or_default();
        hex.chars().take(SHAPE_LENGTH).collect()
    }

    /// The cursor behind a row, by its values of the order.
    pub fn write(&self, values: &[Value]) -> String {
        let values: Vec<Json> = values.iter().map(written).collect();
        URL_SAFE_NO_PAD.encode(json!([VERSION, self.digest(), values]).to_string())
    }

    /// The place that a cursor names. The error does not repeat it.
    pub fn read(&self, text: &str) -> Result<Position, String> {
        let broken = || "is not a cursor of this Bridge; take meta.nextCursor as it is".to_owned();
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| broken())?;
        let (version, digest, values): (u64, String, Vec<Json>) =
            serde_json::from_slice(&bytes).map_err(|_| broken())?;
        if version != VERSION {
            return Err("is of another version; begin again without it".to_owned());
        }
        if digest != self.digest() {
            return Err("is for another table or order; begin again without it".to_owned());
        }
        if values.len() != self.order.len() {
            return Err(broken());
        }
        let read = |(key, json): (&SortKey, Json)| read(&key.column, json).ok_or_else(broken);
        Ok(Position(self.order.iter().zip(values).map(read).collect::<Result<_, _>>()?))
    }
}

fn written(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(truth) => (*truth).into(),
        Value::Int64(number) => number.to_string().into(),
        // Exact, which a decimal number would not have to be.
        Value::Float64(number) => format!("{:016x}", number.to_bits()).into(),
        Value::Text(text) | Value::Typed(_, text) => text.as_str().into(),
        Value::Bytes(bytes) => base64::engine::general_purpose::STANDARD.encode(bytes).into(),
    }
}

fn read(column: &Column, json: Json) -> Option<Value> {
    let json = match (column.kind, json) {
        (_, Json::Null) => return column.nullable.then_some(Value::Null),
        (Type::Int, Json::String(text)) => Json::Number(text.parse::<i64>().ok()?.into()),
        (Type::Float, Json::String(text)) => {
            let number = f64::from_bits(u64::from_str_radix(&text, 16).ok()?);
            Json::Number(Number::from_f64(number)?)
        }
        (_, json) => json,
    };
    let json = convert::normalise(column.kind, None, json).ok()?;
    convert::to_value(column.kind, &json).ok().filter(|value| *value != Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(table: &str, direction: Direction) -> Shape {
        let column = |name: &str, kind, nullable| Column { name: name.to_owned(), kind, nullable, is_listed: false };
        let columns = [
            column("t", Type::String, true),
            column("i", Type::Int, false),
            column("b", Type::Bigint, false),
            column("f", Type::Float, false),
            column("d", Type::Decimal, false),
            column("at", Type::Timestamp, false),
            column("y", Type::Boolean, false),
            column("raw", Type::Bytes, false),
        ];
        Shape::of(table, &columns.map(|column| SortKey { column, direction }))
    }

    fn values() -> Vec<Value> {
        let typed = |name: &str, text: &str| Value::Typed(name.to_owned(), text.to_owned());
        vec![
            Value::Text("a\"b\\ ü".to_owned()),
            Value::Int64(-7),
            Value::Int64(i64::MIN),
            Value::Float64(0.1 + 0.2),
            typed("decimal", "1.20"),
            typed("timestamp", "2026-01-31T08:00:00.000001Z"),
            Value::Boolean(false),
            Value::Bytes(vec![0, 255]),
        ]
    }

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let shape = shape("orders", Direction::Ascending);
        assert_eq!(shape.read(&shape.write(&values())), Ok(Position(values())));
        let mut with_null = values();
        with_null[0] = Value::Null;
        assert_eq!(shape.read(&shape.write(&with_null)), Ok(Position(with_null)));
    }

    #[test]
    fn a_cursor_of_another_order_table_or_version_is_refused() {
        let own = shape("orders", Direction::Ascending);
        let text = own.write(&values());
        for other in [shape("orders", Direction::Descending), shape("customers", Direction::Ascending)] {
            assert!(other.read(&text).unwrap_err().contains("another table or order"));
        }
        let newer = URL_SAFE_NO_PAD.encode(json!([2, own.digest(), []]).to_string());
        assert!(own.read(&newer).unwrap_err().contains("version"));
    }

    #[test]
    fn what_is_made_up_is_refused_or_only_a_place() {
        let shape = shape("orders", Direction::Ascending);
        let forged = |values: Json| URL_SAFE_NO_PAD.encode(json!([1, shape.digest(), values]).to_string());
        for bad in [
            "",
            "'; DROP TABLE orders; --",
            "e30",
            &forged(json!([])),
            &forged(json!(["a", "1", "2", "zz", "1", "x", true, "***"])),
            &forged(json!(["a", null, "2", "3fb999999999999a", "1", "2026-01-31T08:00:00Z", true, "AA=="])),
            &forged(json!(["a", "1", "2", "7ff8000000000000", "1", "2026-01-31T08:00:00Z", true, "AA=="])),
            &forged(json!(["a\u{0}", "1", "2", "3fb999999999999a", "1", "2026-01-31T08:00:00Z", true, "AA=="])),
            &forged(json!([{"$gt": ""}, "1", "2", "3fb999999999999a", "1", "2026-01-31T08:00:00Z", true, "AA=="])),
        ] {
            let refused = shape.read(bad).unwrap_err();
            assert!(!refused.contains("DROP"), "{refused}");
        }
        let placed =
            forged(json!(["' OR 1=1 --", "1", "2", "3fb999999999999a", "1", "2026-01-31T08:00:00Z", true, "AA=="]));
        assert_eq!(shape.read(&placed).unwrap().0[0], Value::Text("' OR 1=1 --".to_owned()));
    }
}
