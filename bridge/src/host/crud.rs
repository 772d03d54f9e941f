//! Requests of a guest to tables: for whom they are asked, where they run, and what the guest is told. The rules of the tables decide, and
//! they are asked where every other request asks them.

use std::time::Instant;

use chrono::Utc;
use santokit_core::{
    access::{Actor, ActorKind},
    code::Code,
    limit::LimitName,
    logic::CrudGrant,
    problem::{Outcome, Problem},
};
use santokit_wasm::{CrudAnswer, CrudAsked, CrudError, CrudProblem, CrudRequest, RowBudget, SqlError};
use serde_json::{Map, Value as Json};
use tracing::{Instrument, Span, field::Empty};

use super::{Session, object, session_sql::Place, storage::GuestObjects};
use crate::{
    crud::{Crud, answer::Answer, guest::Work, limits::Allowance},
    events::Publishing,
};

impl Session {
    /// Answers a request, and shows it from outside. A table has a name there once the request was understood: before, it is the guest's
    /// own text.
    pub(super) async fn ask_tables(
        &mut self,
        request: CrudRequest,
        budget: RowBudget,
    ) -> Result<CrudAnswer, CrudError> {
        let op = match &request.asked {
            CrudAsked::Table(verb, _) => verb.as_str(),
            CrudAsked::Batch => "batch",
        };
        let span = tracing::debug_span!("host.crud", op, connection = Empty, outcome = Empty);
        let answer = self.ask(request, budget).instrument(span.clone()).await;
        span.record("outcome", outcome(&answer));
        answer
    }

    async fn ask(&mut self, request: CrudRequest, budget: RowBudget) -> Result<CrudAnswer, CrudError> {
        let actor = self.asking()?;
        let params = object::read(&request.params)
            .map_err(|error| CrudError::Invalid(format!("the params are no JSON object: {error}")))?;
        let Self {
            invocation,
            tables,
            databases,
            crud: settings,
            metrics,
            deadline,
            sql,
            rehearsal,
            occasion,
            granted_objects,
            actor: invoker,
            ..
        } = self;
        let crud = Crud {
            tables,
            databases,
            env: (&invocation.project, &invocation.env),
            actor: &actor,
            now: rehearsal.as_ref().and_then(|rehearsal| rehearsal.now).unwrap_or_else(Utc::now),
            limits: &settings.limits,
            bytes_max: settings.bytes_max,
            query_timeout: settings.query_timeout,
            allowance: Some(Allowance { rows: budget.rows, bytes: budget.bytes, deadline: *deadline }),
            metrics,
            request_id: &invocation.request_id,
            objects: Some(GuestObjects { granted: granted_objects, actor: invoker }),
            events: Publishing::of(occasion.clone()),
        };
        let call = match &request.asked {
            CrudAsked::Table(verb, table) => Some((table.as_str(), *verb)),
            CrudAsked::Batch => None,
        };
        let id = invocation.request_id.as_str();
        let work = crud.understand(call, &params).map_err(|problem| told(&problem, *deadline, id))?;
        Span::current().record("connection", work.connection());
        let place = sql.place(work.connection(), request.within).await.map_err(misplaced)?;
        let (answered, ends) = run(&crud, &work, place, *deadline).await;
        self.has_published |= crud.events.has_published();
        let answer = answered.map_err(|problem| told(&problem, ends, id))?;
        let meta = serde_json::to_vec(&answer.meta).map_err(|error| told(&Problem::internal(error), ends, id))?;
        Ok(CrudAnswer { data: answer.data, meta, rows: answer.rows })
    }

    /// For whom the tables are asked.
    fn asking(&self) -> Result<Actor, CrudError> {
        match &self.grants.crud {
            None => Err(CrudError::Denied("the manifest has no grants.crud".to_owned())),
            // The platform may everything, and a logic that it calls must not for that.
            Some(CrudGrant::Caller {}) if self.actor.kind == ActorKind::System => {
                let message =
                    "nobody has called whose permissions there could be; the manifest can say crud: {as: service}";
                Err(CrudError::Denied(message.to_owned()))
            }
            Some(CrudGrant::Caller {}) => Ok(self.actor.clone()),
            Some(CrudGrant::Service { roles }) => Ok(Actor {
                kind: ActorKind::Service,
                subject: None,
                roles: roles.iter().cloned().collect(),
                claims: Map::new(),
            }),
        }
    }
}

/// Runs it where it belongs; also, when its time was over.
async fn run(crud: &Crud<'_>, work: &Work<'_>, place: Place<'_>, deadline: Instant) -> (Outcome<Answer>, Instant) {
    match place {
        Place::Alone => (crud.alone(work).await, deadline),
        Place::Lent(mut lent, ends) => {
            let done = crud.within(work, lent.session(), ends).await;
            // Not given back, it takes the transaction with it.
            if !matches!(done, Err((_, false))) {
                lent.end();
            }
            (done.map_err(|(problem, _)| problem), ends.min(deadline))
        }
        Place::OnServer(own) => {
            let done = crud.within(work, &mut own.session, own.deadline).await;
            own.is_broken |= matches!(done, Err((_, false)));
            (done.map_err(|(problem, _)| problem), own.deadline.min(deadline))
        }
    }
}

/// What the guest is told: what a caller would be, unless it is the invocation that has come to its end.
fn told(problem: &Problem, ends: Instant, request_id: &str) -> CrudError {
    let limit = problem.details.get("limit").and_then(Json::as_str);
    for reached in [LimitName::SqlRows, LimitName::SqlBytes] {
        if limit == Some(reached.as_str()) {
            return CrudError::Limit(reached);
        }
    }
    if limit == Some("queryTimeout") && Instant::now() >= ends {
        return CrudError::Timeout("the time of the invocation, or of its transaction, is over".to_owned());
    }
    let (code, cause) = (problem.code, problem.cause.as_deref().map(|cause| cause as &dyn std::error::Error));
    if matches!(code, Code::InternalError | Code::ServiceUnavailable) {
        tracing::error!(requestId = request_id, %code, reason = problem.message, cause, "a guest's request to a table failed");
    } else if cause.is_some() {
        tracing::warn!(requestId = request_id, %code, cause, "a guest's request to a table was refused");
    }
    CrudError::Refused(CrudProblem {
        code: code.as_str(),
        details: serde_json::to_vec(&problem.details).unwrap_or_else(|_| b"{}".to_vec()),
        message: problem.message.clone(),
        hint: problem.hint.clone(),
    })
}

/// Why it has no place to run.
fn misplaced(error: SqlError) -> CrudError {
    match error {
        SqlError::Denied(message) => CrudError::Denied(message),
        SqlError::Invalid(message) => CrudError::Invalid(message),
        SqlError::Limit(limit) => CrudError::Limit(limit),
        SqlError::Timeout(_) => CrudError::Timeout("no connection became free in the time that was left".to_owned()),
        // The engine's words are for guests that speak SQL.
        SqlError::Unavailable(_) | SqlError::Database(_) | SqlError::Other(..) => CrudError::Refused(CrudProblem {
            code: Code::ServiceUnavailable.as_str(),
            message: "the transaction cannot be used now".to_owned(),
            hint: Some("begin it again".to_owned()),
            details: b"{}".to_vec(),
        }),
    }
}

fn outcome<T>(answer: &Result<T, CrudError>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(CrudError::Denied(_)) => "denied",
        Err(CrudError::Invalid(_)) => "invalid",
        Err(CrudError::Limit(_)) => "limit",
        Err(CrudError::Timeout(_)) => "timeout",
        Err(CrudError::Refused(_)) => "refused",
    }
}
