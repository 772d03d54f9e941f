//! Running a component: a session for its imports, its limits, and what its end means to the caller.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_core::{
    code::Code,
    limit::{InvocationLimits, LimitName},
    logic::{Grants, Record, TransactionMode, WasmBody},
    problem::{Outcome, Problem},
    quantity::Millis,
};
use santokit_wasm::{
    CallError, EventInfo, Exchange, Host, InvocationInfo, Level, LoadedLogic, LogSource, LogicError, LogicUsage,
    RunInfo, SqlError, Usage, record::Recorder,
};
use serde_json::{Map, Value as Json, value::RawValue};

use super::{CallContext, Called, CalledParts, LoadedLogicEntry};
use crate::{
    events::lines,
    guest_log::{GuestLog, More, Said, own_line},
    host::{
        GrantedObjects, GrantedQueries, GrantedTables, GuestHost, Joined, Logins, Session, SessionParts, granted_tables,
    },
    recording::Of,
};

/// Who is called from another logic waits no longer for a free instance: its caller keeps one meanwhile.
const CALLED_PATIENCE: Duration = Duration::from_secs(1);

/// A component with its powers.
pub(super) struct WasmCode {
    loaded: LoadedLogic<GuestHost>,
    component: String,
    record: Option<Arc<Record>>,
    grants: Arc<Grants>,
    tables: Arc<GrantedTables>,
    logins: Arc<Logins>,
    queries: Arc<GrantedQueries>,
    objects: Arc<GrantedObjects>,
    limits: InvocationLimits,
}

/// What it is given.
pub(super) enum Given<'a> {
    /// Checked.
    Params(&'a Map<String, Json>),
    /// With its payload.
    Event(EventInfo, &'a Map<String, Json>),
    /// A run of a job, which has no params.
    Run(RunInfo),
}

/// How a session ended.
struct Ended {
    /// Which invocation it was, where it failed: of one that is well nobody says anything.
    failed: Option<InvocationInfo>,
    finished: Result<(), SqlError>,
    /// What goes back to a caller.
    joined: Joined,
}

impl Given<'_> {
    /// What a component is given in JSON.
    fn input(&self) -> serde_json::Result<Vec<u8>> {
        match self {
            Given::Params(fields) | Given::Event(_, fields) => serde_json::to_vec(fields),
            Given::Run(_) => Ok(Vec::new()),
        }
    }
}

impl WasmCode {
    pub(super) fn new(
        loaded: LoadedLogic<GuestHost>,
        body: &WasmBody,
        timeout: Millis,
        queries: GrantedQueries,
        logins: Logins,
    ) -> Result<Self, String> {
        let limits = InvocationLimits { timeout, ..body.limits.clone() };
        let tables = Arc::new(granted_tables(&body.grants));
        Ok(Self {
            loaded,
            component: body.component.clone(),
            record: body.record.clone().map(Arc::new),
            grants: Arc::new(body.grants.clone()),
            tables,
            logins: Arc::new(logins),
            queries: Arc::new(queries),
            objects: Arc::new(GrantedObjects::of(&body.grants.storage)?),
            limits,
        })
    }

    /// `called` is what another logic gives along; without it an application has called.
    pub(super) async fn run(
        &self,
        entry: &LoadedLogicEntry,
        context: CallContext,
        given: Given<'_>,
        called: Option<Called>,
    ) -> CalledParts {
        let input = match given.input() {
            Ok(input) => input,
            Err(error) => {
                let joined = called.map(|called| called.joined).unwrap_or_default();
                return CalledParts { answer: Err(Problem::internal(error)), usage: LogicUsage::default(), joined };
            }
        };
        let (metrics, guest_log) = (Arc::clone(&context.metrics), Arc::clone(&context.guest_log));
        let (rehearsal, recordings) = (context.rehearsal.clone(), Arc::clone(&context.recordings));
        let occasion = context.begun_by.occasion().filter(|_| matches!(given, Given::Event(..))).cloned();
        let (limits, patience, joined) = self.room(called, context.begun_by.timeout());
        let deadline = Instant::now() + limits.timeout.duration();
        let session = self.session(entry, context, deadline, joined);
        // A recording is of params.
        let record = self.record.as_ref().filter(|_| rehearsal.is_none() && matches!(given, Given::Params(_)));
        let of = || Of { invocation: session.invocation(), caller: session.caller(), secrets: session.secrets() };
        let recording = recordings.begin(record, &self.component, &input, of);
        let host = Recorder::new(session, recording.as_ref().map(|recording| Arc::clone(&recording.tape)));
        let mut invocation = match given {
            Given::Params(_) => self.loaded.call_within(host, input, &limits, patience).await,
            Given::Event(event, _) => self.loaded.handle(host, event, input, &limits).await,
            Given::Run(run) => self.loaded.run(host, run, &limits).await,
        };
        // What a guest says at its deadline is what the deadline made it say: a statement was stopped then, for one.
        if matches!(invocation.outcome, Err(CallError::Logic(_))) && Instant::now() >= deadline {
            invocation.outcome = Err(CallError::Limit { limit: LimitName::Timeout, backtrace: Vec::new() });
        }
        if let Some(recording) = recording {
            recording.finish(&invocation.outcome, &invocation.usage, &metrics);
        }
        count(&metrics, entry.name(), &invocation.usage);
        trace(&invocation.usage);
        let usage = against_the_caller(&invocation.usage);
        if let Some(rehearsal) = &rehearsal {
            rehearsal.seen().usage = Some(invocation.usage);
        }
        let Ended { failed, finished, joined } = Box::pin(finish(invocation.host, invocation.outcome.is_ok())).await;
        let answer = match invocation.outcome {
            Err(error) => {
                if let Some(occasion) = &occasion {
                    occasion.note(&error);
                }
                if let Some(rehearsal) = &rehearsal {
                    rehearsal.seen().failure = Some(error.clone());
                } else if let Some(info) = &failed {
                    log_failure(&error, Said::of(info), &guest_log);
                }
                Err(caller_problem(error))
            }
            Ok(output) => finished.map_err(commit_problem).and_then(|()| {
                let text = String::from_utf8(output).map_err(Problem::internal)?;
                RawValue::from_string(text).map_err(Problem::internal)
            }),
        };
        CalledParts { answer, usage, joined }
    }

    /// What it may use, how long it waits for an instance, and what it has in common with its caller.
    fn room(&self, called: Option<Called>, most: Option<Millis>) -> (InvocationLimits, Duration, Joined) {
        let Some(Called { left, joined }) = called else {
            let timeout = most.map_or(self.limits.timeout, |most| most.min(self.limits.timeout));
            return (InvocationLimits { timeout, ..self.limits.clone() }, timeout.duration(), Joined::default());
        };
        let limits = self.limits.within(&left);
        let patience = limits.timeout.duration().min(CALLED_PATIENCE);
        (limits, patience, joined)
    }

    /// Gives it a request of HTTP.
    pub(super) async fn serve(
        &self,
        entry: &LoadedLogicEntry,
        context: CallContext,
        exchange: Exchange,
    ) -> Outcome<()> {
        let (metrics, guest_log) = (Arc::clone(&context.metrics), Arc::clone(&context.guest_log));
        let deadline = Instant::now() + self.limits.timeout.duration();
        let session = self.session(entry, context, deadline, Joined::default());
        let served = self.loaded.serve(Recorder::new(session, None), exchange, &self.limits).await;
        count(&metrics, entry.name(), &served.usage);
        trace(&served.usage);
        // There is no transaction of the whole invocation: what the guest left open is undone.
        let Ended { failed, .. } = Box::pin(finish(served.host, served.outcome.is_ok())).await;
        served.outcome.map_err(|error| {
            if let Some(info) = &failed {
                log_failure(&error, Said::of(info), &guest_log);
            }
            caller_problem(error)
        })
    }

    fn session(&self, entry: &LoadedLogicEntry, context: CallContext, deadline: Instant, joined: Joined) -> Session {
        let logic = &entry.logic;
        Session::new(SessionParts {
            invocation: InvocationInfo {
                request_id: context.request_id.to_string(),
                logic: entry.name().to_owned(),
                project: context.project,
                env: context.env,
                release_id: context.release_id,
                trigger: match (logic.mount(), context.depth) {
                    (Some(_), _) => "http",
                    (None, 0) => context.begun_by.as_str(),
                    (None, _) => "logic",
                }
                .to_owned(),
            },
            actor: context.actor,
            logics: context.logics,
            depth: context.depth,
            grants: Arc::clone(&self.grants),
            granted_tables: Arc::clone(&self.tables),
            logins: Arc::clone(&self.logins),
            queries: Arc::clone(&self.queries),
            tables: context.tables,
            crud: context.crud,
            config: context.config,
            secrets: context.secrets,
            egress: context.egress,
            guest_log: context.guest_log,
            granted_objects: Arc::clone(&self.objects),
            buckets: context.buckets,
            topics: context.topics,
            recordings: context.recordings,
            databases: context.databases,
            schemas: context.schemas,
            transaction_on: (logic.transaction == TransactionMode::Required).then(|| logic.connection.clone()),
            joined,
            deadline,
            metrics: context.metrics,
            rehearsal: context.rehearsal,
            occasion: context.begun_by.occasion().cloned(),
        })
    }
}

/// Ends the session that comes back. To be boxed: a session is large, and each call within a call would have room for one.
async fn finish(host: Option<GuestHost>, is_well: bool) -> Ended {
    let Some(host) = host else {
        return Ended { failed: None, finished: Ok(()), joined: Joined::default() };
    };
    let session = host.into_host();
    let failed = (!is_well).then(|| session.invocation());
    let (finished, joined) = session.finish(is_well).await;
    Ended { failed, finished, joined }
}

/// What was used for a caller. The memory is free again.
fn against_the_caller(usage: &Usage) -> LogicUsage {
    LogicUsage {
        cpu: usage.cpu,
        host_calls: usage.host_calls_total,
        sql_rows: usage.sql_rows,
        sql_bytes: usage.sql_bytes,
        log_bytes: usage.log_bytes,
        http_requests: usage.http_requests,
        http_bytes: usage.http_bytes,
        storage_bytes: usage.storage_bytes,
    }
}

fn count(metrics: &crate::metrics::Metrics, logic: &str, usage: &Usage) {
    metrics.component(logic, usage.cpu, usage.memory_peak_bytes);
    metrics.supply.instance(logic, usage.is_supplied);
    metrics.host_calls.add(logic, usage);
}

/// For who looks into one invocation.
fn trace(usage: &Usage) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let host_calls: Vec<String> = usage.host_calls.iter().map(|(name, calls)| format!("{name}={calls}")).collect();
    tracing::debug!(
        cpuMs = usage.cpu.as_secs_f64() * 1e3,
        memoryPeakBytes = usage.memory_peak_bytes,
        fuel = usage.fuel,
        hostCalls = host_calls.join(" "),
        sqlRows = usage.sql_rows,
        outputBytes = usage.output_bytes,
        "used"
    );
}

fn commit_problem(error: SqlError) -> Box<Problem> {
    match error {
        SqlError::Database(database) if database.constraint_kind.is_some() => {
            Problem::new(Code::Conflict, "the change contradicts what is stored").because(format!("{database:?}"))
        }
        other => Problem::new(Code::ServiceUnavailable, "the change could not be stored")
            .hint("try again")
            .because(other.shown()),
    }
}

/// Where a guest was when it failed: for operators only.
fn log_failure(error: &CallError, said: Said<'_>, guest_log: &GuestLog) {
    let (level, message, backtrace) = match error {
        CallError::Logic(_) | CallError::Host(_) | CallError::Busy { .. } => return,
        CallError::Limit { limit, backtrace } => {
            let (limit, backtrace) = (limit.as_str(), lines(backtrace));
            own_line!(warn, said, %limit, %backtrace, "stopped by its limit {limit}");
            (Level::Warn, format!("stopped by its limit {limit}"), backtrace)
        }
        CallError::Trap { message, backtrace } => {
            let backtrace = lines(backtrace);
            own_line!(error, said, %backtrace, "trapped: {message}");
            (Level::Error, format!("trapped: {message}"), backtrace)
        }
        CallError::Answer(reason) => {
            own_line!(error, said, "gave no answer: {reason}");
            (Level::Error, format!("gave no answer: {reason}"), String::new())
        }
        CallError::Output(reason) => {
            own_line!(error, said, "answered what is no JSON: {reason}");
            (Level::Error, format!("answered what is no JSON: {reason}"), String::new())
        }
    };
    let backtrace = Some(backtrace.as_str()).filter(|lines| !lines.is_empty());
    guest_log.add(said, level, LogSource::Sandbox, &message, More { fields: &[], backtrace });
}

/// A guest's fault names the limit or the guest's own words; a trap's place goes to the log only.
fn caller_problem(error: CallError) -> Box<Problem> {
    match error {
        CallError::Logic(LogicError { code, message, details }) => {
            let problem =
                Problem::new(Code::LogicError, message.clone()).detail("code", code).detail("message", message);
            match details {
                Some(details) => problem.detail("details", details),
                None => problem,
            }
        }
        CallError::Limit { limit, .. } => {
            let limit = limit.as_str();
            Problem::limit(Code::LogicFailed, limit, format!("the logic was stopped by its limit {limit}"))
        }
        CallError::Trap { .. } | CallError::Output(_) | CallError::Answer(_) => {
            Problem::new(Code::LogicFailed, "the logic failed")
        }
        CallError::Busy { setting } => {
            let message = "the logic could not be run now: all instances that it may have are in use";
            Problem::limit(Code::ServiceUnavailable, setting, message).hint("try again")
        }
        CallError::Host(reason) => {
            Problem::new(Code::ServiceUnavailable, "the logic could not be run now").hint("try again").because(reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use santokit_wasm::DatabaseError;

    use super::*;

    /// What a trigger says at the commit is whatever its author has made of the row.
    #[test]
    fn a_commit_that_fails_logs_no_word_of_the_database() {
        for constraint_kind in [None, Some("check".to_owned())] {
            let message = "the balance of planted is too low".to_owned();
            let error = DatabaseError { code: "postgres:P0001".into(), message, constraint_kind, retryable: false };
            let logged = format!("{:?}", commit_problem(SqlError::Database(error)));
            assert!(logged.contains("postgres:P0001") && !logged.contains("planted"), "{logged}");
        }
        let away = commit_problem(SqlError::Unavailable("planted".to_owned()));
        assert!(!format!("{away:?}").contains("planted"));
    }
}
