//! Calls of other logics: who may be called, with what is left of the caller's limits, and in the caller's transactions. A logic that is
//! called has its own grants and its own rules; what it gets of its caller is the actor.

use std::sync::Arc;

use santokit_core::{
    code::Code,
    limit::LimitName,
    problem::{Outcome, Problem},
};
use santokit_wasm::{LogicCall, LogicCallError, LogicCalled, LogicUsage, SqlError, ToldName};
use serde_json::{Value as Json, value::RawValue};
use tokio::task::JoinSet;
use tracing::{Instrument, field::Empty};

use super::{Session, object, session_sql::Joined};
use crate::call::{BegunBy, CallContext, Called, CalledParts};

/// Calls within one another.
const DEPTH_MAX: usize = 8;

impl Session {
    /// Calls a logic, and shows it from outside. What is not granted has no name there: it is the guest's own text.
    pub(super) async fn call_other(&mut self, call: LogicCall) -> LogicCalled {
        let span = tracing::debug_span!("host.logics", called = Empty, outcome = Empty);
        let mut usage = LogicUsage::default();
        let answer = self.ask_other(call, &mut usage).instrument(span.clone()).await;
        span.record("outcome", answer.as_ref().map_or_else(|error| error.kind, |_| "ok"));
        LogicCalled { answer, usage }
    }

    async fn ask_other(&mut self, call: LogicCall, usage: &mut LogicUsage) -> Result<Vec<u8>, LogicCallError> {
        let LogicCall { name, params, left } = call;
        if !self.grants.logics.contains(&name) {
            return Err(error("denied", Code::NotFound, format!("grants.logics does not list {}", ToldName(&name))));
        }
        tracing::Span::current().record("called", name.as_str());
        if self.depth >= DEPTH_MAX {
            let message = format!("{DEPTH_MAX} logics have called one another: a call further in is not made");
            return Err(error("depth", Code::LogicFailed, message));
        }
        let params = object::read(&params)
            .map_err(|wrong| error("invalid", Code::BadRequest, format!("the params are no JSON object: {wrong}")))?;
        let away = || error("unavailable", Code::ServiceUnavailable, format!("{name:?} is not there now"));
        let entry = self.logics.get(&name).map(Arc::clone).ok_or_else(away)?;
        let (joined, levels) = self.sql.lend(self.depth).await.map_err(|wrong| not_lent(&wrong))?;
        let context = self.context_of_called();
        // It may publish in a transaction of this invocation.
        self.has_published = true;
        // On a stack of its own: calls are as deep as guests like. It ends with whoever waits for it.
        let mut calling = JoinSet::new();
        calling.spawn(async move { entry.call_from(context, params, Called { left, joined }).await }.in_current_span());
        let Some(Ok(CalledParts { answer, usage: used, joined })) = calling.join_next().await else {
            return Err(error("failed", Code::LogicFailed, "the called logic did not come back".to_owned()));
        };
        *usage = used;
        self.ended(answer, joined, levels).await
    }

    async fn ended(
        &mut self,
        answer: Outcome<Box<RawValue>>,
        joined: Joined,
        levels: super::session_sql::CallLevels,
    ) -> Result<Vec<u8>, LogicCallError> {
        let given_back = self.sql.take_back(joined, levels, answer.is_ok()).await;
        let id = self.invocation.request_id.as_str();
        match (answer, given_back) {
            (Ok(answer), Ok(())) => Ok(Box::<str>::from(answer).into_boxed_bytes().into_vec()),
            (Ok(_), Err(wrong)) => {
                tracing::error!(requestId = id, reason = ?wrong, "what a called logic did was not kept");
                let message = "what the logic did could not be kept, and is undone with the transaction".to_owned();
                Err(error("unavailable", Code::ServiceUnavailable, message))
            }
            (Err(problem), _) => {
                if let (Code::InternalError | Code::ServiceUnavailable, cause) = (problem.code, &problem.cause) {
                    tracing::error!(requestId = id, code = %problem.code, reason = problem.message, ?cause, "a called logic failed");
                }
                Err(told(&problem))
            }
        }
    }

    fn context_of_called(&self) -> CallContext {
        CallContext {
            request_id: self.invocation.request_id.as_str().into(),
            project: self.invocation.project.clone(),
            env: self.invocation.env.clone(),
            release_id: self.invocation.release_id.clone(),
            actor: self.actor.clone(),
            logics: Arc::clone(&self.logics),
            depth: self.depth + 1,
            databases: Arc::clone(&self.databases),
            schemas: Arc::clone(self.sql.schemas()),
            tables: Arc::clone(&self.tables),
            crud: Arc::clone(&self.crud),
            config: Arc::clone(&self.config),
            secrets: Arc::clone(&self.secrets),
            egress: Arc::clone(&self.egress),
            guest_log: Arc::clone(&self.guest_log),
            buckets: Arc::clone(&self.buckets),
            topics: Arc::clone(&self.topics),
            recordings: Arc::clone(&self.recordings),
            metrics: Arc::clone(&self.metrics),
            rehearsal: self.rehearsal.clone(),
            begun_by: self.occasion.clone().map_or(BegunBy::Request, BegunBy::Event),
        }
    }
}

fn error(kind: &'static str, code: Code, message: String) -> LogicCallError {
    LogicCallError { kind, code: code.as_str().to_owned(), message, details: None, limit: None }
}

/// What a caller of the Bridge would be told, as a guest's code can use it. Whose fault a failure is, is not the guest's matter.
fn told(problem: &Problem) -> LogicCallError {
    let details = |details: &Json| serde_json::to_vec(details).ok();
    let all = || if problem.details.is_empty() { None } else { serde_json::to_vec(&problem.details).ok() };
    let limit = problem.details.get("limit").and_then(Json::as_str);
    let read = [LimitName::SqlRows, LimitName::SqlBytes].into_iter().find(|name| limit == Some(name.as_str()));
    if problem.code == Code::LogicError {
        let code = problem.details.get("code").and_then(Json::as_str).unwrap_or(problem.code.as_str());
        return LogicCallError {
            kind: "refused",
            code: code.to_owned(),
            message: problem.message.clone(),
            details: problem.details.get("details").and_then(details),
            limit: None,
        };
    }
    let (kind, limit) = match problem.code {
        Code::NotFound | Code::Forbidden | Code::Unauthorized => ("denied", None),
        Code::BadRequest if read.is_some() => ("limit", read),
        Code::BadRequest | Code::SchemaValidationFailed => ("invalid", None),
        Code::LogicFailed => ("failed", None),
        Code::ServiceUnavailable | Code::InternalError => ("unavailable", None),
        _ => ("refused", None),
    };
    let (code, message) = (problem.code.as_str().to_owned(), problem.message.clone());
    LogicCallError { kind, code, message, details: all(), limit }
}

/// Why a transaction that is open cannot be had in common.
fn not_lent(wrong: &SqlError) -> LogicCallError {
    match wrong {
        SqlError::Limit(_) => error("depth", Code::LogicFailed, "too many transactions within one another".to_owned()),
        _ => error("unavailable", Code::ServiceUnavailable, "the transaction cannot be used now".to_owned()),
    }
}
