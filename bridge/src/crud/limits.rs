//! What one request to tables may be and may ask for. Each is a setting of the Bridge.

use std::time::{Duration, Instant};

/// The bounds of requests to tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrudLimits {
    /// Rows of an answer, over all levels of `expand`; and of `limit`.
    pub result_rows: usize,
    /// Conditions of `where`.
    pub conditions: usize,
    /// Values in the lists of `where`.
    pub list_values: usize,
    /// Relations after one another, in `expand` and in `where`.
    pub expand_depth: usize,
    /// Relations of `expand`, each of which is a statement.
    pub expand_relations: usize,
    /// Rows of one insert.
    pub insert_rows: usize,
    /// Calls of a batch.
    pub batch_calls: usize,
}

/// The settings of a Bridge for requests to tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrudSettings {
    /// What one request may ask for.
    pub limits: CrudLimits,
    /// Bytes that an answer may have.
    pub bytes_max: usize,
    /// For all statements of a request.
    pub query_timeout: Duration,
}

/// What a guest's invocation has left. Whatever is less, this or a bound of the Bridge, is the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Rows that it may still read.
    pub rows: u64,
    /// Bytes that it may still read.
    pub bytes: u64,
    /// When it ends.
    pub deadline: Instant,
}

/// Rows of an answer where the request names no limit.
pub const LIMIT_DEFAULT: u64 = 100;

impl Default for CrudSettings {
    fn default() -> Self {
        Self { limits: CrudLimits::default(), bytes_max: 50_000_000, query_timeout: Duration::from_secs(30) }
    }
}

impl Default for CrudLimits {
    fn default() -> Self {
        Self {
            result_rows: 10_000,
            conditions: 50,
            list_values: 10_000,
            expand_depth: 3,
            expand_relations: 20,
            insert_rows: 1_000,
            batch_calls: 50,
        }
    }
}
