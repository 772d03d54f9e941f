//! Running a component: a session for its imports, its limits, and what its end means to the caller.

use std::{sync::Arc, time::Instant};

use santokit_core::{
    code::Code,
    limit::InvocationLimits,
    logic::{Grants, TransactionMode, WasmBody},
    problem::{Outcome, Problem},
    quantity::Millis,
};
use santokit_wasm::{CallError, Frame, InvocationInfo, LoadedLogic, LogicError, SqlError, Usage};
use serde_json::{Map, Value as Json, value::RawValue};

use super::{CallContext, LoadedLogicEntry};
use crate::host::{Session, SessionParts};

/// A component with its powers.
pub(super) struct WasmCode {
    loaded: LoadedLogic<Session>,
    grants: Arc<Grants>,
    limits: InvocationLimits,
}

impl WasmCode {
    pub(super) fn new(loaded: LoadedLogic<Session>, body: &WasmBody, timeout: Millis) -> Self {
        let limits = InvocationLimits { timeout, ..body.limits.clone() };
        Self { loaded, grants: Arc::new(body.grants.clone()), limits }
    }

    pub(super) async fn run(
        &self,
        entry: &LoadedLogicEntry,
        context: CallContext,
        params: &Map<String, Json>,
    ) -> Outcome<Box<RawValue>> {
        let (request_id, metrics) = (Arc::clone(&context.request_id), Arc::clone(&context.metrics));
        let input = serde_json::to_vec(params).map_err(Problem::internal)?;
        let session = self.session(entry, context);
        let invocation = self.loaded.call(session, input, &self.limits).await;
        count(&metrics, entry.name(), &invocation.usage);
        let finished = match invocation.host {
            Some(session) => session.finish(invocation.outcome.is_ok()).await,
            None => Ok(()),
        };
        match invocation.outcome {
            Err(error) => {
                if let CallError::Limit { limit, .. } = &error {
                    metrics.limit_hit(limit.as_str());
                }
                Err(caller_problem(error, entry.name(), &request_id))
            }
            Ok(output) => {
                finished.map_err(commit_problem)?;
                let text = String::from_utf8(output).map_err(Problem::internal)?;
                RawValue::from_string(text).map_err(Problem::internal)
            }
        }
    }

    fn session(&self, entry: &LoadedLogicEntry, context: CallContext) -> Session {
        let logic = &entry.logic;
        Session::new(SessionParts {
            invocation: InvocationInfo {
                request_id: context.request_id.to_string(),
                logic: entry.name().to_owned(),
                project: context.project,
                env: context.env,
                release_id: context.release_id,
                trigger: "request".to_owned(),
            },
            actor: context.actor,
            grants: Arc::clone(&self.grants),
            config: context.config,
            secrets: context.secrets,
            databases: context.databases,
            schemas: context.schemas,
            transaction_on: (logic.transaction == TransactionMode::Required).then(|| logic.connection.clone()),
            deadline: Instant::now() + self.limits.timeout.duration(),
            metrics: context.metrics,
        })
    }
}

fn count(metrics: &crate::metrics::Metrics, logic: &str, usage: &Usage) {
    metrics.component(logic, usage.cpu, usage.memory_peak_bytes);
    for (capability, calls) in &usage.host_calls {
        metrics.host_calls(capability, *calls);
    }
}

fn commit_problem(error: SqlError) -> Box<Problem> {
    match error {
        SqlError::Database(database) if database.constraint_kind.is_some() => {
            Problem::new(Code::Conflict, "the change contradicts what is stored").because(database.message)
        }
        other => Problem::new(Code::ServiceUnavailable, "the change could not be stored")
            .hint("try again")
            .because(format!("{other:?}")),
    }
}

/// A guest's fault names the limit or the guest's own words; a trap's place goes to the log only.
fn caller_problem(error: CallError, logic: &str, request_id: &str) -> Box<Problem> {
    match error {
        CallError::Logic(LogicError { code, message, details }) => {
            let problem =
                Problem::new(Code::LogicError, message.clone()).detail("code", code).detail("message", message);
            match details {
                Some(details) => problem.detail("details", details),
                None => problem,
            }
        }
        CallError::Limit { limit, backtrace } => {
            let limit = limit.as_str();
            tracing::warn!(target: "guest", %logic, requestId = %request_id, %limit, backtrace = %lines(&backtrace), "stopped by its limit {limit}");
            Problem::limit(Code::LogicFailed, limit, format!("the logic was stopped by its limit {limit}"))
        }
        CallError::Trap { message, backtrace } => {
            tracing::error!(target: "guest", %logic, requestId = %request_id, backtrace = %lines(&backtrace), "trapped: {message}");
            Problem::new(Code::LogicFailed, "the logic failed")
        }
        CallError::Output(reason) => {
            tracing::error!(target: "guest", %logic, requestId = %request_id, "answered what is no JSON: {reason}");
            Problem::new(Code::LogicFailed, "the logic failed")
        }
        CallError::Host(reason) => {
            Problem::new(Code::ServiceUnavailable, "the logic could not be run now").hint("try again").because(reason)
        }
    }
}

fn lines(backtrace: &[Frame]) -> String {
    let line = |frame: &Frame| match &frame.place {
        Some(place) => format!("{} at {place}", frame.function),
        None => frame.function.clone(),
    };
    backtrace.iter().map(line).collect::<Vec<_>>().join("\n")
}
