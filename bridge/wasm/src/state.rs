//! What a store holds for one invocation.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_core::{
    limit::{InvocationLimits, LimitName},
    quantity::{Bytes, Millis},
};
use tokio::task::JoinSet;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::{
    call::WrongCalls,
    capability::{Hooks, http_context},
    clock::CpuClock,
    error::LimitHit,
    fixed::{Randomness, Seen, fix},
    host::{
        ConnectionId, CursorId, Fixed, Host, Level, LogLine, LogSource, LogicUsage, ObjectStat, ReaderId, RowBudget,
        TransactionId, WriterId,
    },
    limiter::Limiter,
    outbound::Outbound,
    stdio::{GuestStream, LINE_BYTES_EXTRA, Lines},
};

/// Live resources of all kinds in one invocation.
pub(crate) const HANDLES_MAX: usize = 1_024;

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

/// A transaction that a guest began without SQL text.
#[expect(unreachable_pub, reason = "as ConnectionHandle")]
pub struct QueryTransactionHandle {
    pub(crate) id: TransactionId,
    pub(crate) open: bool,
}

/// A cursor of a declared query.
#[expect(unreachable_pub, reason = "as ConnectionHandle")]
pub struct QueryCursorHandle(pub(crate) CursorHandle);

/// An object that a guest reads in parts.
#[expect(unreachable_pub, reason = "as ConnectionHandle")]
pub struct ReaderHandle {
    pub(crate) id: ReaderId,
    pub(crate) stat: ObjectStat,
}

/// An object that a guest writes in parts; none once it has ended.
#[expect(unreachable_pub, reason = "as ConnectionHandle")]
pub struct WriterHandle {
    pub(crate) id: Option<WriterId>,
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
    pub(crate) fixed: Fixed,
    pub(crate) times: Seen,
    pub(crate) random: Randomness,
    pub(crate) host_calls: BTreeMap<&'static str, u64>,
    pub(crate) host_calls_total: u64,
    wrong: BTreeMap<&'static str, WrongCalls>,
    /// What was asked last, until it is known to have gone wrong.
    asked: Option<&'static str>,
    pub(crate) sql_rows: u64,
    pub(crate) sql_bytes: u64,
    pub(crate) http_requests: u64,
    pub(crate) outbound: Arc<Outbound>,
    /// Outbound requests that go on beside the guest.
    pub(crate) sending: JoinSet<()>,
    pub(crate) http: WasiHttpCtx,
    pub(crate) http_hooks: Hooks,
    pub(crate) storage_bytes: u64,
    /// A limit that the guest was told of, and did not end it.
    pub(crate) told_limit: Option<LimitName>,
    log_bytes: u64,
    lines_dropped: u64,
    output_dropped: u64,
    pub(crate) lines: Lines,
}

impl<H: Host> State<H> {
    pub(crate) fn new(host: Option<H>, limits: &InvocationLimits) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let fixed = host.as_ref().map(Host::fixed).unwrap_or_default();
        let times = host.as_ref().and_then(Host::times);
        Self {
            host,
            wasi: None,
            table,
            limits: limits.clone(),
            limiter: Limiter::new(limits.memory.0),
            cpu: Arc::default(),
            started: Instant::now(),
            fixed,
            times,
            random: Randomness::of(fixed),
            host_calls: BTreeMap::new(),
            host_calls_total: 0,
            wrong: BTreeMap::new(),
            asked: None,
            sql_rows: 0,
            sql_bytes: 0,
            http_requests: 0,
            outbound: Arc::default(),
            sending: JoinSet::new(),
            http: http_context(),
            http_hooks: Hooks,
            storage_bytes: 0,
            told_limit: None,
            log_bytes: 0,
            lines_dropped: 0,
            output_dropped: 0,
            lines: Lines::default(),
        }
    }

    /// Gives an instance that was made ahead to a call. What its making took of memory and CPU time counts against the call.
    pub(crate) fn begin(&mut self, host: H, limits: &InvocationLimits) {
        (self.fixed, self.times) = (host.fixed(), host.times());
        self.random = Randomness::of(self.fixed);
        self.host = Some(host);
        self.limiter.set_memory_bytes_max(limits.memory.0);
        self.limits = limits.clone();
        self.started = Instant::now();
    }

    /// Whether the guest has asked for nothing yet, of the host, of WASI, or of what it cannot have: where it got so far, it gets every time.
    pub(crate) fn is_pure(&self) -> bool {
        self.wasi.is_none() && self.host_calls_total == 0 && self.limiter.denied.is_none()
    }

    /// Counts a call into the host and gives the host; every capability begins with it.
    pub(crate) fn enter(&mut self, capability: &'static str) -> wasmtime::Result<&mut H> {
        self.host_calls_total += 1;
        if self.host_calls_total > self.limits.host_calls {
            return Err(LimitHit(LimitName::HostCalls).into());
        }
        *self.host_calls.entry(capability).or_default() += 1;
        self.asked = Some(capability);
        let finished = self.lines.take_finished();
        self.log_all(finished);
        self.host()
    }

    /// Counts that the call which was counted last is answered with an error.
    pub(crate) fn went_wrong(&mut self, is_denied: bool) {
        let Some(capability) = self.asked.take() else { return };
        let wrong = self.wrong.entry(capability).or_default();
        *(if is_denied { &mut wrong.denied } else { &mut wrong.failed }) += 1;
    }

    /// What went wrong, with requests that went on beside the guest.
    pub(crate) fn take_wrong(&mut self) -> BTreeMap<&'static str, WrongCalls> {
        let mut wrong = std::mem::take(&mut self.wrong);
        let WrongCalls { denied, failed } = self.outbound.wrong();
        if denied + failed > 0 {
            let http = wrong.entry("http").or_default();
            (http.denied, http.failed) = (http.denied + denied, http.failed + failed);
        }
        wrong
    }

    /// The host, for a call that is counted. Without one it is the probe at load, which must not do anything.
    pub(crate) fn host(&mut self) -> wasmtime::Result<&mut H> {
        self.host.as_mut().ok_or_else(|| wasmtime::Error::msg("a component must not call the host while it is made"))
    }

    /// The end: nothing of the log is kept back, and the host is free for its own end.
    pub(crate) fn take_host(&mut self) -> Option<H> {
        let (lines, output_dropped) = self.lines.take_all();
        self.log_all(lines);
        self.output_dropped = output_dropped;
        if let (true, Some(host)) = (self.is_log_cut(), &self.host) {
            host.log(LogLine {
                level: Level::Warn,
                message: format!(
                    "the log limit of {} was reached: {} lines and {output_dropped} bytes of output were dropped",
                    self.limits.log_bytes, self.lines_dropped
                ),
                fields: vec![("limit".to_owned(), LimitName::LogBytes.as_str().to_owned())],
                source: LogSource::Sandbox,
            });
        }
        self.host.take()
    }

    /// Ends what goes on beside the guest. When it comes back nothing goes on any more, and all of it has counted.
    pub(crate) async fn end_sending(&mut self) {
        // Most guests have sent nothing.
        if !self.sending.is_empty() {
            self.sending.shutdown().await;
        }
    }

    /// Also what streams wait for it.
    pub(crate) async fn end_http(&mut self) {
        self.end_sending().await;
        self.table = ResourceTable::new();
    }

    /// Writes a log line while the byte limit lasts; beyond it lines are counted, and the end says how many.
    pub(crate) fn log(&mut self, line: LogLine) {
        let fields: usize = line.fields.iter().map(|(key, value)| key.len() + value.len()).sum();
        let total = self.log_bytes.saturating_add((line.message.len() + fields) as u64 + LINE_BYTES_EXTRA);
        if self.lines_dropped > 0 || total > self.limits.log_bytes.0 {
            self.lines_dropped += 1;
            return;
        }
        self.log_bytes = total;
        if let Some(host) = &self.host {
            host.log(line);
        }
    }

    pub(crate) fn log_bytes(&self) -> u64 {
        self.log_bytes
    }

    pub(crate) fn is_log_cut(&self) -> bool {
        self.lines_dropped > 0 || self.output_dropped > 0
    }

    /// What is left for reading.
    pub(crate) fn row_budget(&self) -> RowBudget {
        RowBudget {
            rows: self.limits.sql_rows.saturating_sub(self.sql_rows),
            bytes: self.limits.sql_bytes.0.saturating_sub(self.sql_bytes),
        }
    }

    /// What is left of all limits, for what runs within this invocation.
    pub(crate) fn left(&self) -> InvocationLimits {
        let limits = &self.limits;
        let millis = |limit: Millis, spent: Duration| {
            Millis(limit.0.saturating_sub(u64::try_from(spent.as_millis()).unwrap_or(u64::MAX)))
        };
        InvocationLimits {
            timeout: millis(limits.timeout, self.started.elapsed()),
            cpu: millis(limits.cpu, self.cpu.now()),
            memory: Bytes(self.limiter.memory_bytes_left()),
            host_calls: limits.host_calls.saturating_sub(self.host_calls_total),
            sql_rows: self.row_budget().rows,
            sql_bytes: Bytes(self.row_budget().bytes),
            output: limits.output,
            log_bytes: Bytes(limits.log_bytes.0.saturating_sub(self.log_bytes)),
            http_requests: limits.http_requests.saturating_sub(self.http_requests),
            http_bytes: Bytes(limits.http_bytes.0.saturating_sub(self.outbound.bytes())),
            storage_bytes: Bytes(limits.storage_bytes.0.saturating_sub(self.storage_bytes)),
        }
    }

    /// Counts what was used within this invocation, and not by it.
    pub(crate) fn charge(&mut self, used: &LogicUsage) {
        self.cpu.charge(used.cpu);
        self.host_calls_total = self.host_calls_total.saturating_add(used.host_calls);
        self.sql_rows = self.sql_rows.saturating_add(used.sql_rows);
        self.sql_bytes = self.sql_bytes.saturating_add(used.sql_bytes);
        self.log_bytes = self.log_bytes.saturating_add(used.log_bytes);
        self.http_requests = self.http_requests.saturating_add(used.http_requests);
        self.outbound.count(used.http_bytes);
        self.storage_bytes = self.storage_bytes.saturating_add(used.storage_bytes);
    }

    fn log_all(&mut self, lines: Vec<LogLine>) {
        for line in lines {
            self.log(line);
        }
    }
}

impl<H: Host> WasiView for State<H> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (lines, max, fixed, times) = (self.lines.clone(), self.limits.log_bytes.0, self.fixed, &self.times);
        // Made on first use: most guests never ask.
        let ctx = self.wasi.get_or_insert_with(|| {
            let mut builder = WasiCtxBuilder::new();
            fix(&mut builder, fixed, times);
            builder
                .stdout(GuestStream::stdout(lines.clone(), max))
                .stderr(GuestStream::stderr(lines, max))
                .max_random_size(64 << 10)
                .allow_tcp(false)
                .allow_udp(false)
                .allow_ip_name_lookup(false)
                .build()
        });
        WasiCtxView { ctx, table: &mut self.table }
    }
}
