//! What hosts answer, as a recording has it, and back.

use std::borrow::Cow;

use santokit_core::{
    code::Code,
    limit::LimitName,
    value::{Column, RowSet},
};
use serde_json::{Value as Json, json};

use super::piece::{self, Piece};
use crate::{
    host::{
        ConnectionId, CrudAnswer, CrudError, CrudProblem, CursorId, DatabaseError, EventError, HttpDone, HttpError,
        HttpResponse, LogicCallError, LogicCalled, LogicUsage, LookupError, ObjectPage, ObjectStat, ReaderId,
        RowBudget, SignedUrl, SqlError, StorageError, TransactionId, WriterId,
    },
    packed::{PackedBatch, PackedRows},
};

/// An answer that can be recorded.
pub(crate) trait Answer: Sized {
    fn piece(&self) -> Piece<'_>;
    /// None where it was written by another version, or by somebody else.
    fn read(json: &Json) -> Option<Self>;
}

impl<T: Answer, E: Answer> Answer for Result<T, E> {
    fn piece(&self) -> Piece<'_> {
        match self {
            Ok(value) => Piece::Map(vec![("ok", value.piece())]),
            Err(error) => Piece::Map(vec![("error", error.piece())]),
        }
    }

    fn read(json: &Json) -> Option<Self> {
        match (json.get("ok"), json.get("error")) {
            (Some(value), None) => T::read(value).map(Ok),
            (None, Some(error)) => E::read(error).map(Err),
            _ => None,
        }
    }
}

impl<T: Answer> Answer for Option<T> {
    fn piece(&self) -> Piece<'_> {
        Piece::optional(self.as_ref(), Answer::piece)
    }

    fn read(json: &Json) -> Option<Self> {
        if json.is_null() { Some(None) } else { T::read(json).map(Some) }
    }
}

impl<T: Answer> Answer for (T, ObjectStat) {
    fn piece(&self) -> Piece<'_> {
        Piece::Map(vec![("id", self.0.piece()), ("stat", self.1.piece())])
    }

    fn read(json: &Json) -> Option<Self> {
        Some((T::read(json.get("id")?)?, ObjectStat::read(json.get("stat")?)?))
    }
}

impl Answer for (CursorId, Vec<Column>) {
    fn piece(&self) -> Piece<'_> {
        Piece::Map(vec![("id", self.0.piece()), ("columns", Piece::Plain(piece::of_columns(&self.1)))])
    }

    fn read(json: &Json) -> Option<Self> {
        Some((CursorId::read(json.get("id")?)?, columns(json.get("columns")?)?))
    }
}

impl Answer for () {
    fn piece(&self) -> Piece<'_> {
        Piece::Plain(true.into())
    }

    fn read(json: &Json) -> Option<Self> {
        json.as_bool().map(drop)
    }
}

impl Answer for bool {
    fn piece(&self) -> Piece<'_> {
        Piece::Plain((*self).into())
    }

    fn read(json: &Json) -> Option<Self> {
        json.as_bool()
    }
}

impl Answer for u64 {
    fn piece(&self) -> Piece<'_> {
        Piece::number(*self)
    }

    fn read(json: &Json) -> Option<Self> {
        json.as_u64()
    }
}

impl Answer for String {
    fn piece(&self) -> Piece<'_> {
        Piece::text(self)
    }

    fn read(json: &Json) -> Option<Self> {
        json.as_str().map(str::to_owned)
    }
}

impl Answer for Vec<u8> {
    fn piece(&self) -> Piece<'_> {
        Piece::bytes(self)
    }

    fn read(json: &Json) -> Option<Self> {
        piece::to_bytes(json)
    }
}

macro_rules! ids {
    ($($id:ident)*) => {$(
        impl Answer for $id {
            fn piece(&self) -> Piece<'_> {
                Piece::number(self.0.into())
            }

            fn read(json: &Json) -> Option<Self> {
                json.as_u64().and_then(|id| u32::try_from(id).ok()).map(Self)
            }
        }
    )*};
}

ids!(ConnectionId TransactionId CursorId ReaderId WriterId);

impl Answer for RowSet {
    fn piece(&self) -> Piece<'_> {
        Piece::Rows(Cow::Borrowed(&self.columns), Cow::Borrowed(&self.rows))
    }

    fn read(json: &Json) -> Option<Self> {
        let row = |row: &Json| row.as_array()?.iter().map(piece::to_value).collect::<Option<Vec<_>>>();
        let rows = json.get("rows")?.as_array()?.iter().map(row).collect::<Option<Vec<_>>>()?;
        Some(Self { columns: columns(json.get("columns")?)?, rows })
    }
}

/// Rows of a cursor, which are packed: as rows with the columns that the cursor has.
pub(crate) fn of_batch(batch: &Result<Option<PackedBatch>, SqlError>, columns: &[Column]) -> Piece<'static> {
    match batch {
        Ok(None) => Piece::Map(vec![("ok", Piece::Plain(Json::Null))]),
        Ok(Some(batch)) => {
            let rows = crate::packed::unpack(&batch.data, columns.len());
            Piece::Map(vec![("ok", Piece::Rows(Cow::Owned(columns.to_vec()), Cow::Owned(rows)))])
        }
        Err(error) => Piece::Map(vec![("error", error.piece().owned())]),
    }
}

pub(crate) fn to_batch(json: &Json) -> Option<Result<Option<PackedBatch>, SqlError>> {
    let all = RowBudget { rows: u64::MAX, bytes: u64::MAX };
    let read = Result::<Option<RowSet>, SqlError>::read(json)?;
    Some(read.map(|rows| rows.map(|rows| PackedRows::of(&rows.rows).batch(0, all))))
}

fn columns(json: &Json) -> Option<Vec<Column>> {
    let of = |column: &Json| {
        Some(Column { name: column.get(0)?.as_str()?.to_owned(), type_name: column.get(1)?.as_str()?.to_owned() })
    };
    json.as_array()?.iter().map(of).collect()
}

fn pairs(json: &Json) -> Option<Vec<(String, String)>> {
    let of = |pair: &Json| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned()));
    json.as_array()?.iter().map(of).collect()
}

/// An error of a kind with some words.
fn error<'a>(kind: &str, words: &'a str) -> Piece<'a> {
    Piece::Map(vec![("kind", Piece::Plain(kind.into())), ("message", Piece::text(words))])
}

fn coded<'a>(kind: &str, code: &'a str, words: &'a str) -> Piece<'a> {
    Piece::Map(vec![("kind", Piece::Plain(kind.into())), ("code", Piece::text(code)), ("message", Piece::text(words))])
}

fn limited(limit: LimitName) -> Piece<'static> {
    Piece::Plain(json!({"kind": "limit", "limit": limit.as_str()}))
}

fn text(json: &Json, name: &str) -> Option<String> {
    json.get(name)?.as_str().map(str::to_owned)
}

fn limit(json: &Json) -> Option<LimitName> {
    let name = json.get("limit")?.as_str()?;
    LimitName::ALL.iter().find(|limit| limit.as_str() == name).copied()
}

impl Answer for LookupError {
    fn piece(&self) -> Piece<'_> {
        match self {
            LookupError::Denied(message) => error("denied", message),
            LookupError::Missing(message) => error("missing", message),
            LookupError::Other(code, message) => coded("other", code, message),
        }
    }

    fn read(json: &Json) -> Option<Self> {
        let message = text(json, "message")?;
        match json.get("kind")?.as_str()? {
            "denied" => Some(LookupError::Denied(message)),
            "missing" => Some(LookupError::Missing(message)),
            "other" => Some(LookupError::Other(text(json, "code")?, message)),
            _ => None,
        }
    }
}

impl Answer for SqlError {
    fn piece(&self) -> Piece<'_> {
        match self {
            SqlError::Denied(message) => error("denied", message),
            SqlError::Invalid(message) => error("invalid", message),
            SqlError::Limit(limit) => limited(*limit),
            SqlError::Timeout(message) => error("timeout", message),
            SqlError::Unavailable(message) => error("unavailable", message),
            SqlError::Database(database) => Piece::Map(vec![
                ("kind", Piece::Plain("database".into())),
                ("code", Piece::text(&database.code)),
                ("message", Piece::text(&database.message)),
                ("constraintKind", Piece::Plain(json!(database.constraint_kind))),
                ("retryable", Piece::Plain(database.retryable.into())),
            ]),
            SqlError::Other(code, message) => coded("other", code, message),
        }
    }

    fn read(json: &Json) -> Option<Self> {
        let kind = json.get("kind")?.as_str()?;
        if kind == "limit" {
            return limit(json).map(SqlError::Limit);
        }
        let message = text(json, "message")?;
        Some(match kind {
            "denied" => SqlError::Denied(message),
            "invalid" => SqlError::Invalid(message),
            "timeout" => SqlError::Timeout(message),
            "unavailable" => SqlError::Unavailable(message),
            "database" => SqlError::Database(DatabaseError {
                code: text(json, "code")?,
                message,
                constraint_kind: text(json, "constraintKind"),
                retryable: json.get("retryable")?.as_bool()?,
            }),
            "other" => SqlError::Other(text(json, "code")?, message),
            _ => return None,
        })
    }
}

impl Answer for CrudAnswer {
    fn piece(&self) -> Piece<'_> {
        Piece::Map(vec![
            ("data", Piece::bytes(&self.data)),
            ("meta", Piece::bytes(&self.meta)),
            ("rows", Piece::number(self.rows)),
        ])
    }

    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            data: piece::to_bytes(json.get("data")?)?,
            meta: piece::to_bytes(json.get("meta")?)?,
            rows: json.get("rows")?.as_u64()?,
        })
    }
}

impl Answer for CrudError {
    fn piece(&self) -> Piece<'_> {
        match self {
            CrudError::Denied(message) => error("denied", message),
            CrudError::Invalid(message) => error("invalid", message),
            CrudError::Limit(limit) => limited(*limit),
            CrudError::Timeout(message) => error("timeout", message),
            CrudError::Refused(problem) => Piece::Map(vec![
                ("kind", Piece::Plain("refused".into())),
                ("code", Piece::Plain(problem.code.into())),
                ("message", Piece::text(&problem.message)),
                ("hint", Piece::optional(problem.hint.as_deref(), Piece::text)),
                ("details", Piece::bytes(&problem.details)),
            ]),
        }
    }

    fn read(json: &Json) -> Option<Self> {
        let kind = json.get("kind")?.as_str()?;
        if kind == "limit" {
            return limit(json).map(CrudError::Limit);
        }
        let message = text(json, "message")?;
        Some(match kind {
            "denied" => CrudError::Denied(message),
            "invalid" => CrudError::Invalid(message),
            "timeout" => CrudError::Timeout(message),
            "refused" => {
                let code = json.get("code")?.as_str()?;
                CrudError::Refused(CrudProblem {
                    code: Code::ALL.iter().find(|known| known.as_str() == code)?.as_str(),
                    message,
                    hint: text(json, "hint"),
                    details: piece::to_bytes(json.get("details")?)?,
                })
            }
            _ => return None,
        })
    }
}

impl Answer for HttpResponse {
    fn piece(&self) -> Piece<'_> {
        Piece::Map(vec![
            ("status", Piece::number(self.status.into())),
            ("headers", Piece::Pairs(Cow::Borrowed(&self.headers))),
            ("body", Piece::bytes(&self.body)),
            ("url", Piece::text(&self.url)),
        ])
    }

    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            status: json.get("status")?.as_u64()?.try_into().ok()?,
            headers: pairs(json.get("headers")?)?,
            body: piece::to_bytes(json.get("body")?)?,
            url: text(json, "url")?,
        })
    }
}

impl Answer for HttpError {
    fn piece(&self) -> Piece<'_> {
        match self {
            HttpError::Requests => Piece::Plain(json!({"kind": "requests"})),
            HttpError::Bytes => Piece::Plain(json!({"kind": "bytes"})),
            HttpError::Denied(message)
            | HttpError::Address(message)
            | HttpError::Invalid(message)
            | HttpError::Transaction(message)
            | HttpError::Timeout(message)
            | HttpError::Unreachable(message)
            | HttpError::Redirects(message)
            | HttpError::Answer(message) => error(self.code(), message),
        }
    }

    fn read(json: &Json) -> Option<Self> {
        let message = || text(json, "message");
        Some(match json.get("kind")?.as_str()? {
            "requests" => HttpError::Requests,
            "bytes" => HttpError::Bytes,
            "denied" => HttpError::Denied(message()?),
            "address" => HttpError::Address(message()?),
            "invalid" => HttpError::Invalid(message()?),
            "transaction" => HttpError::Transaction(message()?),
            "timeout" => HttpError::Timeout(message()?),
            "unreachable" => HttpError::Unreachable(message()?),
            "redirects" => HttpError::Redirects(message()?),
            "answer" => HttpError::Answer(message()?),
            _ => return None,
        })
    }
}

impl Answer for HttpDone {
    fn piece(&self) -> Piece<'_> {
        Piece::Map(vec![
            ("answer", self.answer.piece()),
            ("requests", Piece::number(self.requests)),
            ("bytes", Piece::number(self.bytes)),
        ])
    }

    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            answer: Answer::read(json.get("answer")?)?,
            requests: json.get("requests")?.as_u64()?,
            bytes: json.get("bytes")?.as_u64()?,
        })
    }
}

/// As [`LogicCallError::kind`] is.
const KINDS: [&str; 7] = ["denied", "refused", "failed", "invalid", "limit", "depth", "unavailable"];

impl Answer for LogicCallError {
    fn piece(&self) -> Piece<'_> {
        Piece::Map(vec![
            ("kind", Piece::Plain(self.kind.into())),
            ("code", Piece::text(&self.code)),
            ("message", Piece::text(&self.message)),
            ("details", Piece::optional(self.details.as_deref(), Piece::bytes)),
            ("limit", Piece::Plain(json!(self.limit.map(LimitName::as_str)))),
        ])
    }

    fn read(json: &Json) -> Option<Self> {
        let kind = json.get("kind")?.as_str()?;
        Some(Self {
            kind: KINDS.iter().find(|known| **known == kind)?,
            code: text(json, "code")?,
            message: text(json, "message")?,
            details: json.get("details").filter(|details| !details.is_null()).and_then(piece::to_bytes),
            limit: limit(json),
        })
    }
}

impl Answer for LogicCalled {
    fn piece(&self) -> Piece<'_> {
        let LogicUsage { cpu, host_calls, sql_rows, sql_bytes, log_bytes, http_requests, http_bytes, storage_bytes } =
            self.usage;
        let cpu = u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
        let usage = json!([cpu, host_calls, sql_rows, sql_bytes, log_bytes, http_requests, http_bytes, storage_bytes]);
        Piece::Map(vec![("answer", self.answer.piece()), ("usage", Piece::Plain(usage))])
    }

    fn read(json: &Json) -> Option<Self> {
        let usage = json.get("usage")?;
        let number = |index: usize| usage.get(index).and_then(Json::as_u64);
        let usage = LogicUsage {
            cpu: std::time::Duration::from_micros(number(0)?),
            host_calls: number(1)?,
            sql_rows: number(2)?,
            sql_bytes: number(3)?,
            log_bytes: number(4)?,
            http_requests: number(5)?,
            http_bytes: number(6)?,
            storage_bytes: number(7)?,
        };
        Some(Self { answer: Answer::read(json.get("answer")?)?, usage })
    }
}

impl Answer for EventError {
    fn piece(&self) -> Piece<'_> {
        match self {
            EventError::Denied(message) | EventError::Invalid(message) => error(self.code(), message),
            EventError::Schema(message, details) => Piece::Map(vec![
                ("kind", Piece::Plain(self.code().into())),
                ("message", Piece::text(message)),
                ("details", Piece::bytes(details)),
            ]),
            EventError::TooLarge(most) => Piece::Plain(json!({"kind": self.code(), "most": most})),
            EventError::Rate(wait) => Piece::Plain(json!({"kind": self.code(), "wait": wait})),
            EventError::Conflict | EventError::Timeout | EventError::Unavailable => {
                Piece::Plain(json!({"kind": self.code()}))
            }
        }
    }

    fn read(json: &Json) -> Option<Self> {
        let message = || text(json, "message");
        Some(match json.get("kind")?.as_str()? {
            "denied" => EventError::Denied(message()?),
            "invalid" => EventError::Invalid(message()?),
            "schema" => EventError::Schema(message()?, piece::to_bytes(json.get("details")?)?),
            "too-large" => EventError::TooLarge(usize::try_from(json.get("most")?.as_u64()?).ok()?),
            "rate" => EventError::Rate(json.get("wait")?.as_u64()?),
            "conflict" => EventError::Conflict,
            "timeout" => EventError::Timeout,
            "unavailable" => EventError::Unavailable,
            _ => return None,
        })
    }
}

impl Answer for ObjectStat {
    fn piece(&self) -> Piece<'_> {
        Piece::Map(vec![
            ("key", Piece::text(&self.key)),
            ("size", Piece::number(self.size)),
            ("etag", Piece::text(&self.etag)),
            ("contentType", Piece::text(&self.content_type)),
            ("modified", Piece::number(self.modified)),
        ])
    }

    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            key: text(json, "key")?,
            size: json.get("size")?.as_u64()?,
            etag: text(json, "etag")?,
            content_type: text(json, "contentType")?,
            modified: json.get("modified")?.as_u64()?,
        })
    }
}

impl Answer for ObjectPage {
    fn piece(&self) -> Piece<'_> {
        Piece::Map(vec![
            ("objects", Piece::List(self.objects.iter().map(Answer::piece).collect())),
            ("next", Piece::optional(self.next.as_deref(), Piece::text)),
        ])
    }

    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            objects: json.get("objects")?.as_array()?.iter().map(ObjectStat::read).collect::<Option<_>>()?,
            next: text(json, "next"),
        })
    }
}

impl Answer for SignedUrl {
    /// Without what is signed: a recording opens nothing.
    fn piece(&self) -> Piece<'_> {
        let url = self.url.split('?').next().unwrap_or_default();
        Piece::Map(vec![
            ("url", Piece::text(url)),
            ("method", Piece::text(&self.method)),
            ("headers", Piece::Plain(json!(self.headers))),
            ("expires", Piece::number(self.expires)),
        ])
    }

    fn read(json: &Json) -> Option<Self> {
        Some(Self {
            url: text(json, "url")?,
            method: text(json, "method")?,
            headers: serde_json::from_value(json.get("headers")?.clone()).ok()?,
            expires: json.get("expires")?.as_u64()?,
        })
    }
}

impl Answer for StorageError {
    fn piece(&self) -> Piece<'_> {
        match self {
            StorageError::Denied(message) | StorageError::Invalid(message) | StorageError::Full(message) => {
                error(self.code(), message)
            }
            StorageError::TooLarge(most) => Piece::Plain(json!({"kind": self.code(), "most": most})),
            StorageError::Missing
            | StorageError::Precondition
            | StorageError::Checksum
            | StorageError::Unavailable
            | StorageError::Bytes => Piece::Plain(json!({"kind": self.code()})),
        }
    }

    fn read(json: &Json) -> Option<Self> {
        let message = || text(json, "message");
        Some(match json.get("kind")?.as_str()? {
            "denied" => StorageError::Denied(message()?),
            "invalid" => StorageError::Invalid(message()?),
            "full" => StorageError::Full(message()?),
            "missing" => StorageError::Missing,
            "precondition" => StorageError::Precondition,
            "checksum" => StorageError::Checksum,
            "too-large" => StorageError::TooLarge(json.get("most")?.as_u64()?),
            "unavailable" => StorageError::Unavailable,
            "limit" => StorageError::Bytes,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
