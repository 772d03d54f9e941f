//! What a call of another logic is, and what becomes of it.

use std::time::Duration;

use santokit_core::limit::{InvocationLimits, LimitName};

/// A call of another logic.
#[derive(Clone, Debug)]
pub struct LogicCall {
    /// The logic's name, as the guest sent it.
    pub name: String,
    /// JSON text, as the guest sent it.
    pub params: Vec<u8>,
    /// What the invocation has left.
    pub left: InvocationLimits,
}

/// What a call came to, and what it used.
#[derive(Debug)]
pub struct LogicCalled {
    /// JSON text, or why there is none.
    pub answer: Result<Vec<u8>, LogicCallError>,
    /// Of the logic, and of those that it called.
    pub usage: LogicUsage,
}

/// What counts against the limits of the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogicUsage {
    /// On a CPU.
    pub cpu: Duration,
    /// Calls into the host.
    pub host_calls: u64,
    /// Rows read.
    pub sql_rows: u64,
    /// Bytes read.
    pub sql_bytes: u64,
    /// Bytes of log lines.
    pub log_bytes: u64,
    /// Outbound requests.
    pub http_requests: u64,
    /// Bytes of bodies.
    pub http_bytes: u64,
    /// Bytes of objects.
    pub storage_bytes: u64,
}

/// Why there is no answer; the fields are those of `santokit:logics/logics.error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogicCallError {
    /// `denied`, `refused`, `failed`, …
    pub kind: &'static str,
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
    /// JSON text.
    pub details: Option<Vec<u8>>,
    /// The limit of the caller that was reached, where that is why.
    pub limit: Option<LimitName>,
}
