//! What guests send with a call, for recorder and replayer alike.

use std::borrow::Cow;

use santokit_core::value::Value;
use serde_json::{Value as Json, json};

use super::piece::Piece;
use crate::host::{
    Condition, ConnectionId, CrudAsked, CrudRequest, CursorId, HttpRequest, LogicCall, PutOptions, ReaderId, RowBudget,
    TransactionId, UrlAsked, UrlDeed, WriterId,
};

pub(super) fn statement<'a>(connection: ConnectionId, sql: &'a str, params: &'a [Value]) -> Piece<'a> {
    Piece::Map(vec![
        ("connection", Piece::number(connection.0.into())),
        ("sql", Piece::text(sql)),
        ("params", Piece::Values(Cow::Borrowed(params))),
    ])
}

pub(super) fn query<'a>(name: &'a str, params: &'a [(String, Value)]) -> Piece<'a> {
    Piece::Map(vec![("name", Piece::text(name)), ("params", Piece::Named(Cow::Borrowed(params)))])
}

pub(super) fn id(id: u32) -> Piece<'static> {
    Piece::Map(vec![("id", Piece::number(id.into()))])
}

pub(super) const fn nothing<'a>() -> Piece<'a> {
    Piece::Map(Vec::new())
}

pub(super) fn named(name: &str) -> Piece<'_> {
    Piece::Map(vec![("name", Piece::text(name))])
}

pub(super) fn crud(request: &CrudRequest) -> Piece<'_> {
    let mut parts = match &request.asked {
        CrudAsked::Table(_, table) => vec![("table", Piece::text(table))],
        CrudAsked::Batch => Vec::new(),
    };
    parts.push(("params", Piece::bytes(&request.params)));
    if let Some(within) = request.within {
        parts.push(("within", Piece::number(within.0.into())));
    }
    Piece::Map(parts)
}

pub(super) const fn crud_op(asked: &CrudAsked) -> &'static str {
    match asked {
        CrudAsked::Table(verb, _) => verb.as_str(),
        CrudAsked::Batch => "batch",
    }
}

pub(super) fn http(request: &HttpRequest) -> Piece<'_> {
    let timeout = request.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
    Piece::Map(vec![
        ("method", Piece::text(&request.method)),
        ("url", Piece::text(&request.url)),
        ("headers", Piece::Pairs(Cow::Borrowed(&request.headers))),
        ("body", Piece::bytes(&request.body)),
        ("timeoutMs", Piece::Plain(json!(timeout))),
        ("options", Piece::Pairs(Cow::Borrowed(&request.options))),
    ])
}

pub(super) fn event<'a>(topic: &'a str, payload: &'a [u8], within: Option<TransactionId>) -> Piece<'a> {
    let within = Piece::optional(within, |within| Piece::number(within.0.into()));
    Piece::Map(vec![("topic", Piece::text(topic)), ("payload", Piece::bytes(payload)), ("within", within)])
}

pub(super) fn mark(key: &str, within: Option<TransactionId>) -> Piece<'_> {
    let within = Piece::optional(within, |within| Piece::number(within.0.into()));
    Piece::Map(vec![("key", Piece::text(key)), ("within", within)])
}

pub(super) fn logic(call: &LogicCall) -> Piece<'_> {
    Piece::Map(vec![("name", Piece::text(&call.name)), ("params", Piece::bytes(&call.params))])
}

pub(super) fn object<'a>(bucket: &'a str, key: &'a str) -> Piece<'a> {
    Piece::Map(vec![("bucket", Piece::text(bucket)), ("key", Piece::text(key))])
}

pub(super) fn condition(condition: &Condition) -> Piece<'_> {
    match condition {
        Condition::None => Piece::Plain(Json::Null),
        Condition::Absent => Piece::Plain(json!({"absent": true})),
        Condition::Is(etag) => Piece::Map(vec![("is", Piece::text(etag))]),
    }
}

pub(super) fn url<'a>(bucket: &'a str, key: &'a str, asked: &'a UrlAsked) -> Piece<'a> {
    let text = |text: &'a Option<String>| Piece::optional(text.as_deref(), Piece::text);
    let deed = match &asked.deed {
        UrlDeed::Get { save_as } => vec![("saveAs", text(save_as))],
        UrlDeed::Put { size, content_type, digest, is_new } => vec![
            ("size", Piece::Plain(json!(size))),
            ("contentType", text(content_type)),
            ("digest", Piece::optional(digest.as_ref(), |digest| Piece::text(digest.as_str()))),
            ("isNew", Piece::Plain((*is_new).into())),
        ],
    };
    Piece::Map(vec![
        ("bucket", Piece::text(bucket)),
        ("key", Piece::text(key)),
        ("deed", Piece::Map(deed)),
        ("expiresIn", Piece::Plain(json!(asked.expires_in))),
    ])
}

pub(super) fn put<'a>(bucket: &'a str, key: &'a str, options: &'a PutOptions) -> Piece<'a> {
    Piece::Map(vec![
        ("bucket", Piece::text(bucket)),
        ("key", Piece::text(key)),
        ("contentType", Piece::optional(options.content_type.as_deref(), Piece::text)),
        ("condition", condition(&options.condition)),
        ("digest", Piece::Plain(json!(options.digest))),
    ])
}

pub(super) fn list<'a>(bucket: &'a str, prefix: &'a str, limit: u32, cursor: Option<&'a str>) -> Piece<'a> {
    Piece::Map(vec![
        ("bucket", Piece::text(bucket)),
        ("prefix", Piece::text(prefix)),
        ("limit", Piece::number(limit.into())),
        ("cursor", Piece::optional(cursor, Piece::text)),
    ])
}

pub(super) fn remove<'a>(bucket: &'a str, key: &'a str, given: &'a Condition) -> Piece<'a> {
    Piece::Map(vec![("bucket", Piece::text(bucket)), ("key", Piece::text(key)), ("condition", condition(given))])
}

pub(super) fn read(reader: ReaderId, offset: u64, length: usize) -> Piece<'static> {
    Piece::Plain(json!({"id": reader.0, "offset": offset, "length": length}))
}

pub(super) fn written(writer: WriterId, part: &[u8]) -> Piece<'_> {
    Piece::Map(vec![("id", Piece::number(writer.0.into())), ("part", Piece::bytes(part))])
}

pub(super) fn rows_of(cursor: CursorId, budget: RowBudget) -> Piece<'static> {
    Piece::Plain(json!({"id": cursor.0, "rows": budget.rows, "bytes": budget.bytes}))
}
