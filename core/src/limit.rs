//! Limits: their names, their defaults and their ceilings. What enforces one lives with the thing that is limited.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::quantity::{Bytes, Millis};

/// What one invocation of a component may use (`limits:` of its manifest; wall time is the logic's `timeout`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvocationLimits {
    /// Wall time.
    pub timeout: Millis,
    /// Time on a CPU.
    pub cpu: Millis,
    /// All linear memories together.
    pub memory: Bytes,
    /// Calls into the host.
    pub host_calls: u64,
    /// Rows read from databases.
    pub sql_rows: u64,
    /// Bytes read from databases.
    pub sql_bytes: Bytes,
    /// The answer.
    pub output: Bytes,
    /// Log lines, standard output and standard error together.
    pub log_bytes: Bytes,
    /// Outbound requests.
    pub http_requests: u64,
    /// Bytes of bodies of outbound requests and their answers. A release says it where it is not the default: one that does not is what it
    /// was before there was this limit.
    #[serde(default = "http_bytes", skip_serializing_if = "is_http_bytes")]
    pub http_bytes: Bytes,
    /// Bytes read from buckets and written to them. Said where it is not the default, as `httpBytes`.
    #[serde(default = "storage_bytes", skip_serializing_if = "is_storage_bytes")]
    pub storage_bytes: Bytes,
}

/// The name of a limit, as `details.limit`, metrics and manifests say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitName {
    /// Wall time.
    Timeout,
    /// Time on a CPU.
    Cpu,
    /// Linear memory.
    Memory,
    /// Table elements.
    Table,
    /// The guest's stack.
    Stack,
    /// Calls into the host.
    HostCalls,
    /// Rows read.
    SqlRows,
    /// Bytes read.
    SqlBytes,
    /// The answer's size.
    Output,
    /// Log bytes.
    LogBytes,
    /// Cursors and transactions open at once, and other handles.
    Handles,
    /// Outbound requests.
    HttpRequests,
    /// Bytes of bodies of outbound requests and their answers.
    HttpBytes,
    /// Bytes read from buckets and written to them.
    StorageBytes,
}

/// By default.
const HTTP_BYTES: Bytes = Bytes(8 << 20);

fn http_bytes() -> Bytes {
    HTTP_BYTES
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_http_bytes(bytes: &Bytes) -> bool {
    *bytes == HTTP_BYTES
}

/// By default.
const STORAGE_BYTES: Bytes = Bytes(32 << 20);

fn storage_bytes() -> Bytes {
    STORAGE_BYTES
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_storage_bytes(bytes: &Bytes) -> bool {
    *bytes == STORAGE_BYTES
}

impl Default for InvocationLimits {
    fn default() -> Self {
        Self {
            timeout: Millis(5_000),
            cpu: Millis(200),
            memory: Bytes(64 << 20),
            host_calls: 1_000,
            sql_rows: 10_000,
            sql_bytes: Bytes(8 << 20),
            output: Bytes(5_000_000),
            log_bytes: Bytes(64 << 10),
            http_requests: 20,
            http_bytes: HTTP_BYTES,
            storage_bytes: STORAGE_BYTES,
        }
    }
}

impl InvocationLimits {
    /// What no manifest may exceed, unless the operator raises it.
    pub fn ceiling() -> Self {
        Self {
            timeout: Millis(300_000),
            cpu: Millis(60_000),
            memory: Bytes(256 << 20),
            host_calls: 1_000_000,
            sql_rows: 10_000_000,
            sql_bytes: Bytes(1 << 30),
            output: Bytes(50_000_000),
            log_bytes: Bytes(16 << 20),
            http_requests: 1_000,
            http_bytes: Bytes(256 << 20),
            storage_bytes: Bytes(10 << 30),
        }
    }

    /// The name of a limit that is above that of a ceiling, if there is one.
    pub fn above(&self, ceiling: &Self) -> Option<String> {
        let ceiling = ceiling.by_name();
        let above = |(name, value): &(String, u64)| ceiling.get(name).is_some_and(|most| value > most);
        self.by_name().into_iter().find(above).map(|(name, _)| name)
    }

    /// Each by its name, in milliseconds, bytes or pieces; also what a release leaves out.
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        let mut all: BTreeMap<String, u64> = match serde_json::to_value(self) {
            Ok(Json::Object(fields)) => {
                fields.into_iter().filter_map(|(name, value)| Some((name, value.as_u64()?))).collect()
            }
            _ => BTreeMap::new(),
        };
        all.insert(LimitName::HttpBytes.as_str().to_owned(), self.http_bytes.0);
        all.insert(LimitName::StorageBytes.as_str().to_owned(), self.storage_bytes.0);
        all
    }
}

impl InvocationLimits {
    /// The smaller of each of both.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        Self {
            timeout: self.timeout.min(other.timeout),
            cpu: self.cpu.min(other.cpu),
            memory: self.memory.min(other.memory),
            host_calls: self.host_calls.min(other.host_calls),
            sql_rows: self.sql_rows.min(other.sql_rows),
            sql_bytes: self.sql_bytes.min(other.sql_bytes),
            output: self.output.min(other.output),
            log_bytes: self.log_bytes.min(other.log_bytes),
            http_requests: self.http_requests.min(other.http_requests),
            http_bytes: self.http_bytes.min(other.http_bytes),
            storage_bytes: self.storage_bytes.min(other.storage_bytes),
        }
    }
}

impl LimitName {
    /// Every limit.
    pub const ALL: &'static [LimitName] = &[
        LimitName::Timeout,
        LimitName::Cpu,
        LimitName::Memory,
        LimitName::Table,
        LimitName::Stack,
        LimitName::HostCalls,
        LimitName::SqlRows,
        LimitName::SqlBytes,
        LimitName::Output,
        LimitName::LogBytes,
        LimitName::Handles,
        LimitName::HttpRequests,
        LimitName::HttpBytes,
        LimitName::StorageBytes,
    ];

    /// As callers, metrics and manifests see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            LimitName::Timeout => "timeout",
            LimitName::Cpu => "cpu",
            LimitName::Memory => "memory",
            LimitName::Table => "table",
            LimitName::Stack => "stack",
            LimitName::HostCalls => "hostCalls",
            LimitName::SqlRows => "sqlRows",
            LimitName::SqlBytes => "sqlBytes",
            LimitName::Output => "output",
            LimitName::LogBytes => "logBytes",
            LimitName::Handles => "handles",
            LimitName::HttpRequests => "httpRequests",
            LimitName::HttpBytes => "httpBytes",
            LimitName::StorageBytes => "storageBytes",
        }
    }
}
