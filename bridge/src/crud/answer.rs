//! Answers: rows as JSON, written once and as they come; what hangs on them is put in its place as bytes.

use santokit_core::access::predicate::Predicate;
use santokit_sql::plan::Column;
use serde_json::{Map, Value as Json};

/// What is answered of rows that were written.
#[derive(Clone, Debug, PartialEq)]
pub enum Returning {
    /// How many.
    Affected,
    /// Those of them that the caller may read.
    Rows {
        /// In this order.
        columns: Vec<Column>,
        /// What the select rule asks of them.
        rule: Predicate,
    },
}

/// The answer to one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// JSON.
    pub data: Vec<u8>,
    /// What is said about it.
    pub meta: Map<String, Json>,
    /// Whether it is the answer to an earlier request under the same `Idempotency-Key`.
    pub is_replayed: bool,
    /// Rows that it has, on all levels.
    pub rows: u64,
}

impl Returning {
    /// The columns that are answered.
    pub fn shown(&self) -> &[Column] {
        match self {
            Returning::Affected => &[],
            Returning::Rows { columns, .. } => columns,
        }
    }

    /// What a row must satisfy to be answered.
    pub const fn rule(&self) -> &Predicate {
        match self {
            Returning::Affected => &Predicate::ALWAYS,
            Returning::Rows { rule, .. } => rule,
        }
    }
}

impl Answer {
    /// Data with nothing to say about it.
    pub fn of(data: Vec<u8>) -> Self {
        Self { data, ..Self::default() }
    }

    /// Both as one JSON object, as answers of a batch are.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        out.extend_from_slice(b"{\"data\":");
        out.extend_from_slice(&self.data);
        out.extend_from_slice(b",\"meta\":");
        serde_json::to_writer(&mut *out, &self.meta)?;
        out.push(b'}');
        Ok(())
    }

    /// The answer of a write that answers no rows.
    pub fn affected(affected: u64) -> Self {
        Self::of(format!("{{\"affected\":{affected}}}").into_bytes())
    }
}
