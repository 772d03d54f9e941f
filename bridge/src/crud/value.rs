//! Values of a request as values of columns: the converters of params, and a column's bounds. Also ids, which are made here.

use chrono::{DateTime, SecondsFormat, Utc};
use santokit_core::{
    param::convert,
    schema::{ColumnDefault, Generate, Type},
    value::Value,
};
use serde_json::Value as Json;

use super::names::EntryColumn;

/// The letters of a nanoid, 64 of them (<https://github.com/ai/nanoid>).
const NANOID: &[u8; 64] = b"useandom-26T198340PX75pxJACKVERYMINDBUSHWOLF_GQZbfghjklqvwyzrict";

/// Length of a nanoid.
const NANOID_LENGTH: usize = 21;

/// A value to compare a column with. Not null. The error does not repeat the value.
pub fn of(kind: Type, json: &Json) -> Result<Value, String> {
    let normal = convert::normalise(kind, None, json.clone())?;
    convert::to_value(kind, &normal)
}

/// A value to store in a column: type, elements, bounds. Null is NULL where the column allows it.
pub fn stored(column: &EntryColumn, json: &Json) -> Result<Value, String> {
    if json.is_null() {
        return if column.column.nullable { Ok(Value::Null) } else { Err("must not be null".to_owned()) };
    }
    let kind = column.column.kind;
    if matches!(kind, Type::Json | Type::Array) && has_nul(json) {
        return Err("must not contain the character U+0000".to_owned());
    }
    let normal = convert::normalise(kind, column.items.as_deref(), json.clone())?;
    column.bounds.check(kind, &normal)?;
    convert::to_value(kind, &normal)
}

/// The value that a column's default is at a moment, where it has one.
pub fn default(column: &EntryColumn, now: DateTime<Utc>) -> Option<Value> {
    match column.default.as_ref()? {
        ColumnDefault::Now => Some(moment(now)),
        ColumnDefault::Literal(json) => stored(column, json).ok(),
    }
}

/// A point in time as a value.
pub fn moment(at: DateTime<Utc>) -> Value {
    Value::Typed(Type::Timestamp.as_str().to_owned(), at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// The ids of one insert. Those that sort by time sort in the order of the rows.
pub struct Ids {
    kind: Generate,
    ulids: ulid::Generator,
}

impl Ids {
    /// For a table.
    pub fn new(kind: Generate) -> Self {
        Self { kind, ulids: ulid::Generator::new() }
    }

    /// The next; none where somebody else makes it.
    pub fn make(&mut self) -> Option<Value> {
        Some(Value::Text(match self.kind {
            Generate::Ulid => self.ulids.generate().unwrap_or_else(|_| ulid::Ulid::new()).to_string(),
            Generate::Nanoid => nanoid(),
            Generate::UuidV4 => uuid::Uuid::new_v4().to_string(),
            Generate::UuidV7 => uuid::Uuid::now_v7().to_string(),
            Generate::AutoIncrement | Generate::Client => return None,
        }))
    }
}

fn nanoid() -> String {
    let random: [u8; NANOID_LENGTH] = rand::random();
    random.iter().map(|byte| char::from(NANOID[usize::from(byte & 63)])).collect()
}

/// Recursion is bounded: JSON from outside is read with a depth limit of 128.
fn has_nul(json: &Json) -> bool {
    match json {
        Json::String(text) => text.contains('\0'),
        Json::Array(items) => items.iter().any(has_nul),
        Json::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_of_their_kind_and_each_is_new() {
        for (kind, length) in
            [(Generate::Ulid, 26), (Generate::Nanoid, 21), (Generate::UuidV4, 36), (Generate::UuidV7, 36)]
        {
            let mut ids = Ids::new(kind);
            let made: Vec<String> = (0..1_000)
                .map(|_| match ids.make() {
                    Some(Value::Text(text)) => text,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert!(made.iter().all(|id| id.len() == length), "{kind:?}");
            assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), made.len(), "{kind:?}");
            if matches!(kind, Generate::Ulid | Generate::UuidV7) {
                assert!(made.is_sorted(), "{kind:?}");
            }
        }
        assert!(Ids::new(Generate::Client).make().is_none());
        let letters: BTreeSet<u8> = NANOID.iter().copied().collect();
        assert_eq!(letters.len(), 64);
    }
}
