//! One call: a fresh instance, its limits armed, and an account of what it used.

use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};

use santokit_core::{
    limit::{InvocationLimits, LimitName},
    quantity::{Bytes, Millis},
};
use wasmtime::{Store, UpdateDeadline};

use crate::{
    bindings::{
        exports::santokit::logic::handler::LogicError as WitLogicError,
        handling::exports::santokit::events::event_handler::{Event, EventError},
        running::exports::santokit::events::cron_handler::{CronError, Run},
    },
    engine::{Compiled, Instance},
    error::{CallError, LimitHit, LogicError},
    host::Host,
    slices::Slices,
    state::{HANDLES_MAX, State},
    supply::{Probe, Shelf},
};

/// What is told of an event besides its payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventInfo {
    /// `evt_…`.
    pub id: String,
    /// Its topic.
    pub topic: String,
    /// RFC 3339, UTC.
    pub published_at: String,
    /// From 1.
    pub attempt: u32,
    /// The event that was being handled when it was published.
    pub caused_by: Option<String>,
    /// How many events caused one another until it.
    pub depth: u32,
}

/// What is told of a run of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunInfo {
    /// `run_…`.
    pub id: String,
    /// The job's name.
    pub job: String,
    /// The tick, RFC 3339, UTC; none where an operator has begun it.
    pub due_at: Option<String>,
    /// `schedule`, `catchUp` or `manual`.
    pub cause: String,
}

/// What a component is given.
pub(crate) enum Given {
    /// As a JSON object.
    Params(Vec<u8>),
    /// With its payload as a JSON object.
    Event(EventInfo, Vec<u8>),
    /// A run of a job.
    Run(RunInfo),
}

/// Calls into the host that were answered with an error. One that the invocation's end cut off was not answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrongCalls {
    /// Not granted.
    pub denied: u64,
    /// Any other error.
    pub failed: u64,
}

/// What a call used.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// From begin to end.
    pub wall: Duration,
    /// On a CPU.
    pub cpu: Duration,
    /// Largest sum of linear memories.
    pub memory_peak_bytes: u64,
    /// Calls into the host by capability.
    pub host_calls: BTreeMap<&'static str, u64>,
    /// Those of them that went wrong.
    pub host_calls_wrong: BTreeMap<&'static str, WrongCalls>,
    /// All of them, and those of logics that were called.
    pub host_calls_total: u64,
    /// Rows read.
    pub sql_rows: u64,
    /// Bytes read.
    pub sql_bytes: u64,
    /// Outbound requests.
    pub http_requests: u64,
    /// Bytes of their bodies and those of their answers.
    pub http_bytes: u64,
    /// Bytes of objects that were read or written.
    pub storage_bytes: u64,
    /// Bytes of log lines that were kept.
    pub log_bytes: u64,
    /// Whether log lines were dropped.
    pub is_log_cut: bool,
    /// Bytes of the answer.
    pub output_bytes: u64,
    /// Whether its instance was there before the call. CPU time and memory are counted in either case.
    pub is_supplied: bool,
    /// What was executed, in the engine's unit: about one for each instruction, the same on every machine. None unless the
    /// sandbox counts it.
    pub fuel: Option<u64>,
}

/// How a call ended.
pub struct Invocation<H> {
    /// The answer as JSON text, or why there is none.
    pub outcome: Result<Vec<u8>, CallError>,
    /// Given back, so that its transaction can be ended.
    pub host: Option<H>,
    /// What it used.
    pub usage: Usage,
}

/// A store whose limits are armed.
pub(crate) fn store<H: Host>(
    engine: &wasmtime::Engine,
    compiled: &Compiled<H>,
    host: Option<H>,
    limits: &InvocationLimits,
) -> Store<State<H>> {
    let mut store = Store::new(engine, State::new(host, limits));
    if compiled.counts_fuel {
        // It counts and never ends anything: CPU time is the limit. It can be set where the engine counts.
        let _ = store.set_fuel(u64::MAX);
    }
    store.limiter(|state| &mut state.limiter);
    // Above the table of host resources, which has an error of its own: this bounds what a guest makes by itself.
    store.set_max_component_handles(4 * HANDLES_MAX);
    store.epoch_deadline_callback(|context| {
        let state = context.data();
        if state.cpu.now() > state.limits.cpu.duration() {
            return Err(LimitHit(LimitName::Cpu).into());
        }
        // Yielding at each tick lets the neighbours run and the wall limit be noticed.
        state.cpu.note_used_up();
        Ok(UpdateDeadline::Yield(1))
    });
    arm(&mut store);
    store
}

/// What is armed anew when an instance that was made ahead is given to a call.
pub(crate) fn arm<H>(store: &mut Store<State<H>>) {
    // Guest to host, in one host call: a guest cannot hand over more than its own memory.
    let memory = usize::try_from(store.data().limits.memory.0).unwrap_or(usize::MAX);
    store.set_hostcall_fuel(memory.max(16 << 20));
    store.set_epoch_deadline(1);
}

/// A fresh instance without a host: what calls the host while it is made fails. Within limits of its own.
pub(crate) async fn make<H: Host>(
    engine: &wasmtime::Engine,
    compiled: &Compiled<H>,
    memory_bytes_max: usize,
) -> Result<(Store<State<H>>, Instance, Option<Probe>), CallError> {
    let limits = InvocationLimits {
        timeout: Millis(30_000),
        cpu: Millis(2_000),
        memory: Bytes(memory_bytes_max as u64),
        ..InvocationLimits::default()
    };
    let mut store = store::<H>(engine, compiled, None, &limits);
    let cpu = Arc::clone(&store.data().cpu);
    let made = {
        let making = pin!(compiled.pre.instantiate(&mut store));
        tokio::time::timeout(limits.timeout.duration(), cpu.measure(making)).await
    };
    match made {
        Ok(Ok((instance, inner))) => {
            // What counts would count what they do.
            let is_touchable = compiled.is_touchable && !compiled.counts_fuel;
            let probe = if is_touchable { Probe::of(&mut store, &inner) } else { None };
            Ok((store, instance, probe))
        }
        Ok(Err(error)) => Err(CallError::from_engine(&error, store.data().limiter.denied)),
        Err(_elapsed) => Err(CallError::Limit { limit: LimitName::Timeout, backtrace: Vec::new() }),
    }
}

/// Runs the handler in a fresh instance, which is dropped at the end.
pub(crate) async fn run<H: Host>(
    engine: &wasmtime::Engine,
    compiled: &Arc<Compiled<H>>,
    host: H,
    given: Given,
    limits: &InvocationLimits,
    slices: &Slices,
) -> Invocation<H> {
    let running = Shelf::begin(compiled);
    let (mut store, made, probe) = match compiled.shelf.take(host, limits) {
        Ok((store, instance, probe)) => (store, Some(instance), probe),
        Err(host) => (store(engine, compiled, Some(host), limits), None, None),
    };
    let is_supplied = made.is_some();
    let cpu = Arc::clone(&store.data().cpu);
    let answer = {
        let handling = pin!(async {
            let instance = match made {
                Some(instance) => instance,
                None => compiled.pre.instantiate(&mut store).await?.0,
            };
            ask(instance, &mut store, given).await
        });
        let counted = running.count(cpu.measure(handling));
        tokio::time::timeout(limits.timeout.duration(), slices.slice(counted, &cpu)).await
    };
    let fuel = compiled.counts_fuel.then(|| store.get_fuel().map_or(0, |left| u64::MAX - left));
    let state = store.data_mut();
    // Requests that it still sends end with it: before what it did is kept, and not with the store, which may wait for its end.
    state.end_sending().await;
    let outcome = match answer {
        Err(_elapsed) => Err(CallError::Limit { limit: LimitName::Timeout, backtrace: Vec::new() }),
        Ok(Err(error)) => Err(CallError::from_engine(&error, state.limiter.denied)),
        Ok(Ok(Err(refusal))) => Err(refused(refusal, state.told_limit)),
        Ok(Ok(Ok(output))) => accept(output, limits),
    };
    let host = state.take_host();
    let usage = Usage {
        output_bytes: outcome.as_ref().map_or(0, |output| output.len() as u64),
        is_supplied,
        fuel,
        ..used(state)
    };
    Shelf::put_away(compiled, store, probe);
    drop(running);
    Invocation { outcome, host, usage }
}

/// What the guest says to what it is given. To an event or a run there is nothing to answer but that it is handled.
async fn ask<H: Host>(
    instance: Instance,
    store: &mut Store<State<H>>,
    given: Given,
) -> wasmtime::Result<Result<Vec<u8>, WitLogicError>> {
    match (instance, given) {
        (Instance::Logic { called: Some(logic), .. }, Given::Params(input)) => {
            logic.santokit_logic_handler().call_handle(store, &input).await
        }
        (Instance::Logic { given_events: Some(handling), .. }, Given::Event(event, payload)) => {
            let event = wit_event(event);
            let handled = handling.santokit_events_event_handler().call_on_event(store, &event, &payload).await?;
            let refused = |EventError { code, message, details }| WitLogicError { code, message, details };
            Ok(handled.map(|()| b"null".to_vec()).map_err(refused))
        }
        (Instance::Logic { run: Some(running), .. }, Given::Run(RunInfo { id, job, due_at, cause })) => {
            let run = Run { id, job, due_at, cause };
            let handled = running.santokit_events_cron_handler().call_on_cron(store, &run).await?;
            let refused = |CronError { code, message, details }| WitLogicError { code, message, details };
            Ok(handled.map(|()| b"null".to_vec()).map_err(refused))
        }
        (Instance::Logic { .. } | Instance::Http(_), _) => {
            Err(wasmtime::Error::msg("the component has no export for what it is given"))
        }
    }
}

fn wit_event(event: EventInfo) -> Event {
    let EventInfo { id, topic, published_at, attempt, caused_by, depth } = event;
    Event { id, topic, published_at, attempt, caused_by, depth }
}

pub(crate) fn used<H: Host>(state: &mut State<H>) -> Usage {
    Usage {
        wall: state.started.elapsed(),
        cpu: state.cpu.spent(),
        memory_peak_bytes: state.limiter.memory_bytes_peak(),
        host_calls: std::mem::take(&mut state.host_calls),
        host_calls_wrong: state.take_wrong(),
        host_calls_total: state.host_calls_total,
        sql_rows: state.sql_rows,
        sql_bytes: state.sql_bytes,
        http_requests: state.http_requests,
        http_bytes: state.outbound.bytes(),
        storage_bytes: state.storage_bytes,
        log_bytes: state.log_bytes(),
        is_log_cut: state.is_log_cut(),
        ..Usage::default()
    }
}

fn accept(output: Vec<u8>, limits: &InvocationLimits) -> Result<Vec<u8>, CallError> {
    if output.len() as u64 > limits.output.0 {
        return Err(CallError::Limit { limit: LimitName::Output, backtrace: Vec::new() });
    }
    if let Err(error) = std::str::from_utf8(&output) {
        return Err(CallError::Output(error.to_string()));
    }
    // Checked, not parsed into a tree: the answer goes out as it came.
    match serde_json::from_slice::<serde::de::IgnoredAny>(&output) {
        Ok(_) => Ok(output),
        Err(error) => Err(CallError::Output(error.to_string())),
    }
}

/// The codes that the SDKs give to an unhandled `limit` error.
const LIMIT_CODES: [&str; 4] = ["SQL_LIMIT", "HTTP_LIMIT", "LOGICS_LIMIT", "STORAGE_LIMIT"];
const CODE_BYTES_MAX: usize = 100;
const MESSAGE_BYTES_MAX: usize = 4 << 10;
const DETAILS_BYTES_MAX: usize = 64 << 10;

fn refused(refusal: WitLogicError, told_limit: Option<LimitName>) -> CallError {
    if let (Some(limit), true) = (told_limit, LIMIT_CODES.contains(&refusal.code.as_str())) {
        return CallError::Limit { limit, backtrace: Vec::new() };
    }
    let details = match refusal.details {
        None => None,
        Some(bytes) if bytes.len() > DETAILS_BYTES_MAX => {
            return CallError::Limit { limit: LimitName::Output, backtrace: Vec::new() };
        }
        Some(bytes) => match serde_json::from_slice(&bytes) {
            Ok(details) => Some(details),
            Err(error) => return CallError::Output(format!("error details: {error}")),
        },
    };
    if refusal.code.len() > CODE_BYTES_MAX || refusal.message.len() > MESSAGE_BYTES_MAX {
        return CallError::Limit { limit: LimitName::Output, backtrace: Vec::new() };
    }
    CallError::Logic(LogicError { code: refusal.code, message: refusal.message, details })
}
