//! What a store holds for one invocation.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use santokit_core::limit::{InvocationLimits, LimitName};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::{
    clock::CpuClock,
    error::LimitHit,
    host::{ConnectionId, CursorId, Host, LogLine, RowBudget, TransactionId},
    limiter::Limiter,
    stdio::{GuestStream, Lines},
};

/// Live resources of all kinds in one invocation.
const HANDLES_MAX: usize = 1_024;

/// A guest's connection.
#[expect(unreachable_pub, reason = "the generated bindings re-export the handles, so they cannot be pub(crate)")]
pub struct ConnectionHandle(pub(crate) ConnectionId);

/// A guest's transaction; `open` until it is committed or rolled back.
#[expect(unreachable_pub, reason = "as ConnectionHandle")]
pub struct TransactionHandle {
    pub(crate) id: TransactionId,
    pub(crate) connection: ConnectionId,
    pub(crate) open: bool,
}

/// A guest's cursor.
#[expect(unreachable_pub, reason = "as ConnectionHandle")]
pub struct CursorHandle {
    pub(crate) id: CursorId,
    pub(crate) columns: Vec<santokit_core::value::Column>,
}

/// One invocation.
pub(crate) struct State<H> {
    host: Option<H>,
    wasi: Option<WasiCtx>,
    pub(crate) table: ResourceTable,
    pub(crate) limits: InvocationLimits,
    pub(crate) limiter: Limiter,
    pub(crate) cpu: Arc<CpuClock>,
    pub(crate) started: Instant,
    pub(crate) host_calls: BTreeMap<&'static str, u64>,
    pub(crate) host_calls_total: u64,
    pub(crate) sql_rows: u64,
    pub(crate) sql_bytes: u64,
    /// A SQL limit that the guest was told of.
    pub(crate) sql_limit: Option<LimitName>,
    log_bytes: Arc<AtomicU64>,
    log_dropped: bool,
    pub(crate) lines: Lines,
}

impl<H: Host> State<H> {
    pub(crate) fn new(host: Option<H>, limits: &InvocationLimits) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        Self {
            host,
            wasi: None,
            table,
            limits: limits.clone(),
            limiter: Limiter::new(limits.memory.0),
            cpu: Arc::default(),
            started: Instant::now(),
            host_calls: BTreeMap::new(),
            host_calls_total: 0,
            sql_rows: 0,
            sql_bytes: 0,
            sql_limit: None,
            log_bytes: Arc::default(),
            log_dropped: false,
            lines: Lines::default(),
        }
    }

    /// Counts a call into the host and gives the host; every capability begins with it.
    pub(crate) fn enter(&mut self, capability: &'static str) -> wasmtime::Result<&mut H> {
        self.host_calls_total += 1;
        if self.host_calls_total > self.limits.host_calls {
            return Err(LimitHit(LimitName::HostCalls).into());
        }
        *self.host_calls.entry(capability).or_default() += 1;
        self.flush_lines();
        // Without a host it is the probe at load, which must not do anything.
        self.host.as_mut().ok_or_else(|| wasmtime::Error::msg("a component must not call the host while it is made"))
    }

    pub(crate) fn take_host(&mut self) -> Option<H> {
        self.flush_lines();
        self.host.take()
    }

    /// Writes a log line while the byte limit lasts; then one line that says so.
    pub(crate) fn log(&mut self, line: LogLine) {
        let size: usize = line.message.len() + line.fields.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let before = self.log_bytes.fetch_add(size as u64, Ordering::Relaxed);
        let fits = before.saturating_add(size as u64) <= self.limits.log_bytes.0;
        let Some(host) = &self.host else { return };
        if fits {
            host.log(line);
        } else if !self.log_dropped {
            self.log_dropped = true;
            host.log(LogLine {
                level: crate::host::Level::Warn,
                message: format!("the log limit of {} is reached; further lines are dropped", self.limits.log_bytes),
                fields: vec![("limit".to_owned(), LimitName::LogBytes.as_str().to_owned())],
                source: crate::host::LogSource::Sandbox,
            });
        }
    }

    pub(crate) fn log_bytes(&self) -> u64 {
        self.log_bytes.load(Ordering::Relaxed).min(self.limits.log_bytes.0)
    }

    pub(crate) fn is_log_cut(&self) -> bool {
        self.log_dropped
    }

    /// What is left for reading.
    pub(crate) fn row_budget(&self) -> RowBudget {
        RowBudget {
            rows: self.limits.sql_rows.saturating_sub(self.sql_rows),
            bytes: self.limits.sql_bytes.0.saturating_sub(self.sql_bytes),
        }
    }

    fn flush_lines(&mut self) {
        for line in self.lines.take() {
            self.log(line);
        }
    }
}

impl<H: Host> WasiView for State<H> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (lines, max) = (self.lines.clone(), self.limits.log_bytes.0);
        // Made on first use: most guests never ask.
        let ctx = self.wasi.get_or_insert_with(|| {
            WasiCtxBuilder::new()
                .stdout(GuestStream::stdout(lines.clone(), max))
                .stderr(GuestStream::stderr(lines, max))
                .max_random_size(64 << 10)
                .build()
        });
        WasiCtxView { ctx, table: &mut self.table }
    }
}
