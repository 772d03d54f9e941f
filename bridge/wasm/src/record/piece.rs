//! What goes over the border of a host call, on its way into a recording: values with what is known of them, so that what must not be
//! kept is found. It is borrowed until it is clear that there is room for it.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use santokit_core::value::{Column, Value};
use serde_json::{Value as Json, json};

/// A part of a call or of its answer.
#[derive(Clone, Debug)]
pub(crate) enum Piece<'a> {
    /// Numbers, names of our own, truth values: nothing that anybody sent.
    Plain(Json),
    /// Text of the guest or of somebody else.
    Text(Cow<'a, str>),
    /// Bytes likewise. Where they are JSON, that is what they are taken for.
    Bytes(Cow<'a, [u8]>),
    /// The text of a secret, by its name.
    Secret(String, Cow<'a, str>),
    /// Names and values: header fields, options.
    Pairs(Cow<'a, [(String, String)]>),
    /// Values for a statement.
    Values(Cow<'a, [Value]>),
    /// Values for a declared query, by name.
    Named(Cow<'a, [(String, Value)]>),
    /// Rows of a result.
    Rows(Cow<'a, [Column]>, Cow<'a, [Vec<Value>]>),
    /// Several parts, each with its key.
    Map(Vec<(&'static str, Piece<'a>)>),
    /// The same without keys.
    List(Vec<Piece<'a>>),
}

impl<'a> Piece<'a> {
    pub(crate) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(crate) fn bytes(bytes: &'a [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }

    pub(crate) fn number(number: u64) -> Self {
        Self::Plain(number.into())
    }

    pub(crate) fn optional<T>(value: Option<T>, piece: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Plain(Json::Null), piece)
    }

    /// About the bytes that it takes in a recording.
    pub(crate) fn size(&self) -> usize {
        const EACH: usize = 16;
        let values = |values: &[Value]| values.iter().map(|value| value.size_bytes() + EACH).sum::<usize>();
        EACH + match self {
            Self::Plain(_) => 0,
            Self::Text(text) | Self::Secret(_, text) => text.len(),
            Self::Bytes(bytes) => bytes.len() * 4 / 3,
            Self::Pairs(pairs) => pairs.iter().map(|(name, value)| name.len() + value.len() + EACH).sum(),
            Self::Values(list) => values(list),
            Self::Named(list) => list.iter().map(|(name, value)| name.len() + value.size_bytes() + EACH).sum(),
            Self::Rows(columns, rows) => {
                columns.iter().map(|column| column.name.len() + column.type_name.len() + EACH).sum::<usize>()
                    + rows.iter().map(|row| values(row) + EACH).sum::<usize>()
            }
            Self::Map(parts) => parts.iter().map(|(name, part)| name.len() + part.size()).sum(),
            Self::List(parts) => parts.iter().map(Self::size).sum(),
        }
    }

    /// The same, of nobody's.
    pub(crate) fn owned(self) -> Piece<'static> {
        fn own<T: ?Sized + ToOwned>(value: Cow<'_, T>) -> Cow<'static, T> {
            Cow::Owned(value.into_owned())
        }
        match self {
            Self::Plain(json) => Piece::Plain(json),
            Self::Text(text) => Piece::Text(own(text)),
            Self::Bytes(bytes) => Piece::Bytes(own(bytes)),
            Self::Secret(name, text) => Piece::Secret(name, own(text)),
            Self::Pairs(pairs) => Piece::Pairs(own(pairs)),
            Self::Values(values) => Piece::Values(own(values)),
            Self::Named(values) => Piece::Named(own(values)),
            Self::Rows(columns, rows) => Piece::Rows(own(columns), own(rows)),
            Self::Map(parts) => Piece::Map(parts.into_iter().map(|(name, part)| (name, part.owned())).collect()),
            Self::List(parts) => Piece::List(parts.into_iter().map(Piece::owned).collect()),
        }
    }

    /// As a recording has it, all of it.
    pub(crate) fn json(&self) -> Json {
        match self {
            Self::Plain(json) => json.clone(),
            Self::Text(text) | Self::Secret(_, text) => Json::String(text.to_string()),
            Self::Bytes(bytes) => of_bytes(bytes),
            Self::Pairs(pairs) => pairs.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>().into(),
            Self::Values(values) => values.iter().map(of_value).collect::<Vec<_>>().into(),
            Self::Named(values) => {
                values.iter().map(|(name, value)| json!([name, of_value(value)])).collect::<Vec<_>>().into()
            }
            Self::Rows(columns, rows) => {
                let rows: Vec<Json> =
                    rows.iter().map(|row| row.iter().map(of_value).collect::<Vec<_>>().into()).collect();
                json!({"columns": of_columns(columns), "rows": rows})
            }
            Self::Map(parts) => {
                Json::Object(parts.iter().map(|(name, part)| ((*name).to_owned(), part.json())).collect())
            }
            Self::List(parts) => parts.iter().map(Piece::json).collect::<Vec<_>>().into(),
        }
    }
}

pub(crate) fn of_columns(columns: &[Column]) -> Json {
    columns.iter().map(|column| json!([column.name, column.type_name])).collect::<Vec<_>>().into()
}

/// Whole numbers, text, truth and NULL are what they are in JSON; all else says its kind.
pub(crate) fn of_value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(truth) => (*truth).into(),
        Value::Int64(number) => (*number).into(),
        Value::Float64(number) => json!({"float": format!("{number:?}")}),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => json!({"bytes": STANDARD.encode(bytes)}),
        Value::Typed(name, text) => json!({"typed": name, "text": text}),
    }
}

pub(crate) fn to_value(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Boolean(*truth),
        Json::Number(number) => Value::Int64(number.as_i64()?),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(_) => return None,
        Json::Object(map) => match (map.get("float"), map.get("bytes"), map.get("typed")) {
            (Some(number), None, None) => Value::Float64(number.as_str()?.parse().ok()?),
            (None, Some(bytes), None) => Value::Bytes(STANDARD.decode(bytes.as_str()?).ok()?),
            (None, None, Some(name)) => Value::Typed(name.as_str()?.to_owned(), map.get("text")?.as_str()?.to_owned()),
            _ => return None,
        },
    })
}

/// JSON that is written as we write it is kept as JSON, so that people can read it; text as text.
pub(crate) fn of_bytes(bytes: &[u8]) -> Json {
    match (structured(bytes), std::str::from_utf8(bytes)) {
        (Some(json), _) if serde_json::to_vec(&json).is_ok_and(|again| again == bytes) => json!({"json": json}),
        (_, Ok(text)) => json!({"text": text}),
        (_, Err(_)) => json!({"base64": STANDARD.encode(bytes)}),
    }
}

pub(crate) fn to_bytes(json: &Json) -> Option<Vec<u8>> {
    let map = json.as_object()?;
    if let Some(json) = map.get("json") {
        return serde_json::to_vec(json).ok();
    }
    if let Some(text) = map.get("text") {
        return Some(text.as_str()?.as_bytes().to_vec());
    }
    STANDARD.decode(map.get("base64")?.as_str()?).ok()
}

/// An object or a list; a bare number or word is text.
pub(crate) fn structured(bytes: &[u8]) -> Option<Json> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace())?;
    if !matches!(first, b'{' | b'[') {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}
