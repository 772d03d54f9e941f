//! One call of a logic: decide, check the params, run, answer. It knows no HTTP.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use chrono::{DateTime, Utc};
use santokit_core::{
    access::{Actor, ActorKind, CompiledRules, Decision, Denial},
    code::Code,
    limit::InvocationLimits,
    logic::{Body, Logic, Mount},
    param::CompiledParams,
    problem::{Outcome, Problem},
    query::Query,
    release::logins::queried,
    schema::Schema,
};
use santokit_wasm::{Exchange, LoadedLogic, LogicUsage, RunInfo, Sandbox};
use secrecy::SecretString;
use serde_json::{Map, Value as Json, value::RawValue};
use tracing::{Instrument, Span, field::Empty};

use crate::{
    config::EnvName,
    crud::{limits::CrudSettings, names::Tables},
    db::Database,
    egress::Egress,
    events::{Occasion, Topics},
    guest_log::GuestLog,
    host::{GuestHost, Joined, LoadedQuery, Logins},
    metrics::Metrics,
    recording::Recordings,
    rehearsal::Rehearsal,
    storage::Buckets,
};

mod begun;
mod sql;
mod wasm;

pub use begun::BegunBy;
pub use sql::SqlCode;

/// A logic of a generation, ready to be called.
#[derive(Debug)]
pub struct LoadedLogicEntry {
    name: String,
    logic: Logic,
    rules: CompiledRules,
    params: CompiledParams,
    code: LoadedCode,
}

/// What runs.
enum LoadedCode {
    Sql(SqlCode),
    Wasm(wasm::WasmCode),
}

/// What a call from another logic comes with.
#[derive(Debug)]
pub(crate) struct Called {
    /// Of the caller's limits.
    pub(crate) left: InvocationLimits,
    /// The caller's transactions.
    pub(crate) joined: Joined,
}

/// What a call from another logic came to.
#[derive(Debug)]
pub(crate) struct CalledParts {
    /// As any caller would be told.
    pub(crate) answer: Outcome<Box<RawValue>>,
    /// Counts against the caller's limits.
    pub(crate) usage: LogicUsage,
    /// Given back.
    pub(crate) joined: Joined,
}

/// What a call has besides the logic.
#[derive(Debug)]
pub struct CallContext {
    /// The id of the request.
    pub request_id: Arc<str>,
    /// Project's name.
    pub project: String,
    /// Env's name.
    pub env: String,
    /// `rel_…`.
    pub release_id: String,
    /// Who calls.
    pub actor: Actor,
    /// Logics of the release.
    pub logics: Arc<BTreeMap<String, Arc<LoadedLogicEntry>>>,
    /// How many logics have called one another until here.
    pub depth: usize,
    /// Databases by connection name.
    pub databases: Arc<BTreeMap<String, Arc<Database>>>,
    /// Declared schemas by connection name.
    pub schemas: Arc<BTreeMap<String, Schema>>,
    /// Tables of the release, with their rules.
    pub tables: Arc<Tables>,
    /// Bounds of requests to them.
    pub crud: Arc<CrudSettings>,
    /// Configuration values of the env.
    pub config: Arc<BTreeMap<String, String>>,
    /// Secrets of the env.
    pub secrets: Arc<BTreeMap<String, SecretString>>,
    /// Sends the outbound requests of components.
    pub egress: Arc<Egress>,
    /// Where what guests say is kept for a while.
    pub guest_log: Arc<GuestLog>,
    /// Buckets of the env.
    pub buckets: Arc<Buckets>,
    /// Topics of the release.
    pub topics: Arc<Topics>,
    /// Recordings of invocations.
    pub recordings: Arc<Recordings>,
    /// The numbers.
    pub metrics: Arc<Metrics>,
    /// What a test fixes and sees; none for a request.
    pub rehearsal: Option<Arc<Rehearsal>>,
    /// What has begun it.
    pub begun_by: BegunBy,
}

impl CallContext {
    /// The time that rules and statements see.
    fn now(&self) -> DateTime<Utc> {
        self.rehearsal.as_ref().and_then(|rehearsal| rehearsal.now).unwrap_or_else(Utc::now)
    }
}

impl LoadedLogicEntry {
    /// Compiles rules, params and code, for an env, whose project is the owner of what is compiled. `component` gives a component's bytes
    /// by its digest. The error is for operators.
    pub async fn load(
        env: &EnvName,
        name: &str,
        logic: Logic,
        sandbox: &Arc<Sandbox<GuestHost>>,
        queries: &BTreeMap<String, Query>,
        component: impl FnOnce(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, String> {
        let rules = CompiledRules::compile(&logic.rules).map_err(|error| format!("logic {name:?}: {error}"))?;
        let params = CompiledParams::compile(&logic.params)
            .map_err(|error| format!("logic {name:?}: param {:?}: {}", error.param, error.error))?;
        let code = match &logic.body {
            Body::Sql(body) => LoadedCode::Sql(SqlCode::new(body)),
            Body::Wasm(body) => {
                let bytes =
                    component(&body.component).ok_or_else(|| format!("logic {name:?}: its component is missing"))?;
                let loaded = sandbox.load_as(body.world(), &env.project, &bytes, &body.component).await;
                let loaded: LoadedLogic<GuestHost> = loaded.map_err(|error| format!("logic {name:?}: {error}"))?;
                let loaded = loaded.shared_by(&env.project, &env.env, name);
                let acknowledges = logic.acknowledges();
                let logins = Logins::of(&body.grants, queried(&body.grants, queries, acknowledges), acknowledges);
                let queries = LoadedQuery::granted(&body.grants.queries, queries)
                    .map_err(|error| format!("logic {name:?}: {error}"))?;
                let code = wasm::WasmCode::new(loaded, body, logic.timeout, queries, logins);
                LoadedCode::Wasm(code.map_err(|error| format!("logic {name:?}: {error}"))?)
            }
        };
        Ok(Self { name: name.to_owned(), logic, rules, params, code })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Decides, checks and runs. `unknown` is the answer for callers who may not know that the logic exists.
    pub async fn call(
        &self,
        context: CallContext,
        params: Map<String, Json>,
        unknown: impl FnOnce() -> Box<Problem>,
    ) -> Outcome<Box<RawValue>> {
        let params = self.admit(&context, params, unknown)?;
        self.check_called()?;
        let (started, metrics) = (Instant::now(), Arc::clone(&context.metrics));
        let span = self.span();
        let answer = match &self.code {
            LoadedCode::Sql(code) => code.run(self, &context, &params).instrument(span.clone()).await,
            LoadedCode::Wasm(code) => {
                code.run(self, context, wasm::Given::Params(&params), None).instrument(span.clone()).await.answer
            }
        };
        record(&span, &metrics, &answer);
        metrics.invocation(&self.name, outcome(&answer), started.elapsed());
        answer
    }

    /// The same for another logic, whose limits and transactions it has in common.
    pub(crate) async fn call_from(
        self: Arc<Self>,
        context: CallContext,
        params: Map<String, Json>,
        called: Called,
    ) -> CalledParts {
        let unknown = || Problem::new(Code::NotFound, "there is no such logic");
        let admitted = self.admit(&context, params, unknown).and_then(|params| self.check_called().map(|()| params));
        let params = match admitted {
            Ok(params) => params,
            Err(refused) => {
                return CalledParts { answer: Err(refused), usage: LogicUsage::default(), joined: called.joined };
            }
        };
        let (started, metrics) = (Instant::now(), Arc::clone(&context.metrics));
        let span = self.span();
        let parts = match &self.code {
            LoadedCode::Sql(code) => code.run_called(&self, &context, &params, called).instrument(span.clone()).await,
            LoadedCode::Wasm(code) => {
                code.run(&self, context, wasm::Given::Params(&params), Some(called)).instrument(span.clone()).await
            }
        };
        record(&span, &metrics, &parts.answer);
        metrics.invocation(&self.name, outcome(&parts.answer), started.elapsed());
        parts
    }

    /// Gives it an event, whose payload was checked when it was published. It is asked of no rule: who publishes has asked for it.
    pub(crate) async fn handle(
        &self,
        context: CallContext,
        occasion: &Arc<Occasion>,
        payload: &Map<String, Json>,
    ) -> Outcome<()> {
        let context = CallContext { begun_by: BegunBy::Event(Arc::clone(occasion)), ..context };
        let (started, metrics) = (Instant::now(), Arc::clone(&context.metrics));
        let span = self.span();
        let answer = match &self.code {
            LoadedCode::Sql(code) => match self.params_of(payload) {
                Ok(params) => code.run(self, &context, &params).instrument(span.clone()).await,
                Err(problem) => Err(problem),
            },
            LoadedCode::Wasm(code) => {
                let given = wasm::Given::Event(occasion.info.clone(), payload);
                code.run(self, context, given, None).instrument(span.clone()).await.answer
            }
        };
        record(&span, &metrics, &answer);
        metrics.invocation(&self.name, outcome(&answer), started.elapsed());
        answer.map(drop)
    }

    /// Runs it for a job: by its export for that, or as a call without params.
    pub(crate) async fn run(&self, context: CallContext, run: RunInfo) -> Outcome<()> {
        let unknown = || Problem::new(Code::NotFound, "there is no such logic");
        let code = match &self.code {
            LoadedCode::Wasm(code) if self.logic.is_told_of_runs() => code,
            LoadedCode::Wasm(_) | LoadedCode::Sql(_) => return self.call(context, Map::new(), unknown).await.map(drop),
        };
        let (started, metrics, span) = (Instant::now(), Arc::clone(&context.metrics), self.span());
        let answer = code.run(self, context, wasm::Given::Run(run), None).instrument(span.clone()).await.answer;
        record(&span, &metrics, &answer);
        metrics.invocation(&self.name, outcome(&answer), started.elapsed());
        answer.map(drop)
    }

    /// What a logic in SQL takes of a payload: the fields that are called as its params are.
    fn params_of(&self, payload: &Map<String, Json>) -> Outcome<Map<String, Json>> {
        let of = |name: &String| payload.get(name).map(|value| (name.clone(), value.clone()));
        let fields: Map<String, Json> = self.logic.params.iter().filter_map(|param| of(&param.name)).collect();
        self.params.check(Json::Object(fields))
    }

    /// Decides of a request to where it is mounted.
    pub(crate) fn admit_request(&self, context: &CallContext, unknown: impl FnOnce() -> Box<Problem>) -> Outcome<()> {
        self.admit(context, Map::new(), unknown).map(drop)
    }

    /// Gives a request of HTTP to a component that is mounted, and comes to the end of its invocation. It was admitted before.
    pub(crate) async fn serve(&self, context: CallContext, exchange: Exchange) -> Outcome<()> {
        let LoadedCode::Wasm(code) = &self.code else {
            return Err(Problem::internal("what is mounted is no component"));
        };
        let (started, metrics, span) = (Instant::now(), Arc::clone(&context.metrics), self.span());
        let answer = code.serve(self, context, exchange).instrument(span.clone()).await;
        record(&span, &metrics, &answer);
        metrics.invocation(&self.name, outcome(&answer), started.elapsed());
        answer
    }

    fn span(&self) -> Span {
        tracing::info_span!(
            "logic.invoke",
            logic = %self.name,
            outcome = Empty,
            limit = Empty,
            otel.status_code = Empty,
            error.type = Empty,
        )
    }

    /// Who is denied learns nothing of the params; who is not is told all that is wrong with them.
    #[tracing::instrument(name = "permission", level = "debug", skip_all, fields(allowed))]
    fn admit(
        &self,
        context: &CallContext,
        params: Map<String, Json>,
        unknown: impl FnOnce() -> Box<Problem>,
    ) -> Outcome<Map<String, Json>> {
        let sent = params.clone();
        let checked = self.params.check(Json::Object(params));
        let decision = self.rules.decide(&context.actor, checked.as_ref().unwrap_or(&sent), context.now());
        Span::current().record("allowed", matches!(decision, Decision::Allow));
        match decision {
            Decision::Allow => checked,
            Decision::DenyAnonymous => {
                context.metrics.denied(&self.name, "invoke");
                Err(unknown())
            }
            Decision::Deny { reason } => {
                context.metrics.denied(&self.name, "invoke");
                tracing::info!(logic = %self.name, requestId = %context.request_id, rule = rule(&reason), "denied");
                if context.actor.kind == ActorKind::User {
                    return Err(unknown());
                }
                Err(Problem::new(Code::Forbidden, denial(&reason)))
            }
        }
    }
}

impl LoadedLogicEntry {
    /// Whether it takes calls at all.
    fn check_called(&self) -> Outcome<()> {
        match self.logic.mount() {
            Some(mount) => Err(not_called(mount)),
            None if !self.logic.is_called() => {
                Err(Problem::new(Code::NotFound, "this logic is given events or run by jobs, and takes no calls"))
            }
            None => Ok(()),
        }
    }
}

/// Who may call it is told where it is.
fn not_called(mount: &Mount) -> Box<Problem> {
    Problem::new(Code::NotFound, "this logic answers requests of HTTP and takes no calls")
        .hint(format!("it is mounted at /http/{}", mount.path))
}

/// An evaluator's words can hold values of the request: nobody else sees them, not even the log.
fn denial(reason: &Denial) -> String {
    match reason {
        Denial::Evaluation { rule, .. } => format!("the condition of rule {rule} cannot be evaluated"),
        other => other.to_string(),
    }
}

fn rule(reason: &Denial) -> usize {
    match reason {
        Denial::NoRule => 0,
        Denial::Condition { rule } | Denial::Evaluation { rule, .. } => *rule,
    }
}

/// What the guest said stays out: its code and its words are its own.
fn record<T>(span: &Span, metrics: &Metrics, answer: &Outcome<T>) {
    let outcome = outcome(answer);
    span.record("outcome", outcome);
    let Err(problem) = answer else { return };
    if matches!(outcome, "failed" | "host") {
        span.record("otel.status_code", "error").record("error.type", problem.code.as_str());
    }
    if let Some(limit) = problem.details.get("limit").and_then(Json::as_str) {
        span.record("limit", limit);
        metrics.limit_hit(limit);
    }
}

fn outcome<T>(answer: &Outcome<T>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(problem) => match problem.code {
            Code::LogicError
            | Code::Conflict
            | Code::BadRequest
            | Code::SchemaValidationFailed
            | Code::TooManyRequests => "error",
            Code::LogicFailed => "failed",
            _ => "host",
        },
    }
}

impl std::fmt::Debug for LoadedCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            LoadedCode::Sql(_) => "Sql",
            LoadedCode::Wasm(_) => "Wasm",
        })
    }
}
