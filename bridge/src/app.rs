//! What the Bridge does with a request, apart from HTTP: who is calling, which generation, and the call itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use chrono::Utc;
use santokit_core::{
    access::{Actor, ActorKind, table::Verb},
    code::Code,
    name,
    problem::{Outcome, Problem},
    quantity::Millis,
};
use santokit_wasm::{EventInfo, RunInfo};
use serde_json::{Map, Value as Json, value::RawValue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    broker::Broker,
    call::{BegunBy, CallContext},
    config::{BridgeConfig, EnvName},
    crud::{Crud, limits::CrudSettings},
    edge::{
        auth::{self, Credential, Hints, Pinned},
        rate::RateLimiter,
    },
    egress::Egress,
    events::{Occasion, Publishing},
    generation::{Generation, Loader},
    guest_log::{GuestLog, GuestLogs},
    metrics::Metrics,
    recording::Recordings,
    rehearsal::Rehearsal,
    release::{EnvSlot, canary::Tally, serving::Origin},
    storage::{self, ops::ObjectOp, told::Told},
};

/// What every request shares.
#[derive(Debug)]
pub struct App {
    /// The settings.
    pub config: Arc<BridgeConfig>,
    /// The envs that are served.
    pub slots: Arc<[Arc<EnvSlot>]>,
    /// The numbers.
    pub metrics: Arc<Metrics>,
    /// How many requests callers have left.
    pub rates: Arc<RateLimiter>,
    /// Recordings of invocations.
    pub recordings: Arc<Recordings>,
    /// What hands events over; none where Bridges take turns at the database.
    pub broker: Option<Arc<Broker>>,
    loader: Arc<Loader>,
    crud: Arc<CrudSettings>,
    egress: Arc<Egress>,
    guest_logs: Arc<GuestLogs>,
    permits: Arc<Semaphore>,
    is_draining: AtomicBool,
}

pub use crate::crud::answer::Answer;

/// What an application asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `logics/{name}`: the name as sent.
    Logic(String),
    /// `db/{table}/{verb}`: the table as sent.
    Table(String, Verb),
    /// `batch`.
    Batch,
    /// `storage/{bucket}/{op}`: the bucket as sent.
    Object(String, ObjectOp),
    /// `events/{topic}/publish`: the topic as sent.
    Publish(String),
}

/// A request of an application.
#[derive(Debug)]
pub struct Asking {
    /// Who asks, and what is served to it.
    pub pinned: Pinned,
    /// For what.
    pub asked: Asked,
    /// Not checked yet.
    pub params: Map<String, Json>,
    /// The id of the request.
    pub request_id: Arc<str>,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// Scheme and authority of the Bridge, as clients reach it.
    pub base: String,
}

/// A call of a logic by an application.
#[derive(Debug)]
pub struct Call {
    /// Who calls, and what is served to it.
    pub pinned: Pinned,
    /// The logic's name, as sent.
    pub name: String,
    /// Not checked yet.
    pub params: Map<String, Json>,
    /// The id of the request.
    pub request_id: Arc<str>,
}

/// What a test gives a logic in place of a call; elsewhere workers do.
#[derive(Clone, Debug)]
pub enum GivenByTest {
    /// An event, with the params as its payload.
    Event(EventInfo),
    /// A run of a job, and how long it may take.
    Run(RunInfo, Millis),
}

impl App {
    /// With nothing loaded.
    pub fn new(
        config: Arc<BridgeConfig>,
        slots: Arc<[Arc<EnvSlot>]>,
        loader: Arc<Loader>,
        metrics: Arc<Metrics>,
        rates: Arc<RateLimiter>,
        (egress, recordings, broker): (Arc<Egress>, Arc<Recordings>, Option<Arc<Broker>>),
    ) -> Self {
        let permits = Arc::new(Semaphore::new(config.concurrent_requests.get().min(Semaphore::MAX_PERMITS)));
        let crud = Arc::new(CrudSettings {
            limits: config.crud.clone(),
            bytes_max: config.response_limit,
            query_timeout: config.databases.query_timeout,
        });
        let guest_logs = Arc::default();
        let is_draining = AtomicBool::new(false);
        Self {
            config,
            slots,
            metrics,
            rates,
            recordings,
            broker,
            loader,
            crud,
            egress,
            guest_logs,
            permits,
            is_draining,
        }
    }

    /// A place among the requests that run at once.
    pub fn admit(&self) -> Option<OwnedSemaphorePermit> {
        self.permits.clone().try_acquire_owned().ok()
    }

    /// The caller, and the generation that its request sees; while a canary lasts, where the request is counted.
    pub fn identify(
        &self,
        credential: &Credential,
        hints: &Hints,
        origin: Origin<'_>,
    ) -> Outcome<(Pinned, Option<Tally>)> {
        auth::identify(&self.slots, credential, hints, origin)
    }

    /// Answers a request on the generation that it has pinned.
    pub async fn answer(&self, asking: Asking) -> Outcome<Answer> {
        let Asking { pinned, asked, params, request_id, idempotency_key, base } = asking;
        let generation = pinned.generation.clone();
        let publishing = Publishing::default();
        let crud = Crud {
            tables: &generation.tables,
            databases: &generation.databases,
            env: (&generation.env.project, &generation.env.env),
            actor: &pinned.actor,
            now: Utc::now(),
            limits: &self.crud.limits,
            bytes_max: self.crud.bytes_max,
            query_timeout: self.crud.query_timeout,
            allowance: None,
            metrics: &self.metrics,
            request_id: &request_id,
            objects: None,
            events: publishing.clone(),
        };
        let answer = match asked {
            // Boxed: a future is copied where it is awaited.
            Asked::Table(table, verb) => Box::pin(crud.call(&table, verb, &params, idempotency_key.as_deref())).await,
            Asked::Batch => Box::pin(crud.batch(&params, idempotency_key.as_deref())).await,
            Asked::Object(bucket, op) => {
                let objects = storage::asked::Asked {
                    buckets: &generation.buckets,
                    env: &generation.env,
                    actor: &pinned.actor,
                    now: crud.now,
                    base: &base,
                    expiry: self.config.storage.url_expiry,
                    metrics: &self.metrics,
                    told: Told { generation: &generation, by: pinned.actor.kind.as_str(), metrics: &self.metrics },
                };
                Box::pin(objects.answer(&bucket, op, params)).await
            }
            Asked::Publish(topic) => Box::pin(crud.publish(&topic, params, idempotency_key.as_deref())).await,
            Asked::Logic(name) => {
                let call = Call { pinned, name, params, request_id };
                let kept = (&*self.guest_logs, &self.recordings);
                let data: Box<str> = call.run(&self.metrics, &self.crud, &self.egress, kept, None).await?.into();
                Ok(Answer::of(data.into_boxed_bytes().into_vec()))
            }
        };
        if publishing.has_published() {
            generation.topics.wake();
        }
        answer
    }

    /// What a call has besides its logic.
    pub fn context(&self, pinned: Pinned, request_id: Arc<str>) -> CallContext {
        let kept = (&*self.guest_logs, &self.recordings);
        context((pinned, request_id), &self.metrics, &self.crud, &self.egress, kept, None)
    }

    /// What guests of an env have said lately.
    pub fn guest_log(&self, env: &EnvName) -> Arc<GuestLog> {
        self.guest_logs.of(env)
    }

    /// Notes that the Bridge is ending: `/readyz` says so, and load balancers stop sending.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether it is ending.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// The numbers as text, with those that are taken at a scrape.
    pub fn scrape(&self) -> Result<Vec<u8>, prometheus::Error> {
        let now = Instant::now();
        self.metrics.rate_limit_shared(self.rates.is_shared());
        self.metrics.supply.holding(&self.loader.supply());
        for slot in self.slots.iter() {
            let report = slot.report(now);
            self.metrics.standing(&report);
            self.metrics.canary.serving(&slot.name, report.canary.as_ref());
            for (name, database) in slot.generation().iter().flat_map(|generation| generation.databases.iter()) {
                let (active, idle) = database.pool_use();
                self.metrics.pool(&slot.name, name, active, idle);
            }
        }
        self.metrics.render()
    }
}

impl Call {
    /// Runs it: decide, check, run. `rehearsal` is for tests.
    pub async fn run(
        self,
        metrics: &Arc<Metrics>,
        crud: &Arc<CrudSettings>,
        egress: &Arc<Egress>,
        (guest_logs, recordings): (&GuestLogs, &Arc<Recordings>),
        rehearsal: Option<Arc<Rehearsal>>,
    ) -> Outcome<Box<RawValue>> {
        let Call { pinned, name, params, request_id } = self;
        let (kind, generation) = (pinned.actor.kind, pinned.generation.clone());
        let unknown = || unknown_logic(kind, &name, &generation);
        let Some(entry) = generation.logics.get(&name) else { return Err(unknown()) };
        let context = context((pinned, request_id), metrics, crud, egress, (guest_logs, recordings), rehearsal);
        entry.call(context, params, unknown).await
    }

    /// Gives it what is no call. `rehearsal` is of the test.
    pub async fn give(
        self,
        (given, rehearsal): (GivenByTest, Arc<Rehearsal>),
        metrics: &Arc<Metrics>,
        crud: &Arc<CrudSettings>,
        egress: &Arc<Egress>,
        (guest_logs, recordings): (&GuestLogs, &Arc<Recordings>),
    ) -> Outcome<()> {
        let Call { pinned, name, params, request_id } = self;
        let pinned = Pinned { actor: Actor::system(), ..pinned };
        let generation = pinned.generation.clone();
        let unknown = || unknown_logic(ActorKind::System, &name, &generation);
        let Some(entry) = generation.logics.get(&name) else { return Err(unknown()) };
        let context = context((pinned, request_id), metrics, crud, egress, (guest_logs, recordings), Some(rehearsal));
        match given {
            GivenByTest::Event(info) => entry.handle(context, &Arc::new(Occasion::new(info, None)), &params).await,
            GivenByTest::Run(run, timeout) => {
                entry.run(CallContext { begun_by: BegunBy::Job(timeout), ..context }, run).await
            }
        }
    }
}

fn context(
    (Pinned { actor, generation }, request_id): (Pinned, Arc<str>),
    metrics: &Arc<Metrics>,
    crud: &Arc<CrudSettings>,
    egress: &Arc<Egress>,
    (guest_logs, recordings): (&GuestLogs, &Arc<Recordings>),
    rehearsal: Option<Arc<Rehearsal>>,
) -> CallContext {
    CallContext {
        request_id,
        project: generation.env.project.clone(),
        env: generation.env.env.clone(),
        release_id: generation.release_id.clone(),
        actor,
        logics: generation.logics.clone(),
        depth: 0,
        databases: generation.databases.clone(),
        schemas: generation.schemas.clone(),
        tables: generation.tables.clone(),
        crud: crud.clone(),
        config: generation.config.clone(),
        secrets: generation.runtime.load().secrets.clone(),
        egress: egress.clone(),
        guest_log: guest_logs.of(&generation.env),
        buckets: generation.buckets.clone(),
        topics: generation.topics.clone(),
        recordings: Arc::clone(recordings),
        metrics: metrics.clone(),
        rehearsal,
        begun_by: BegunBy::Request,
    }
}

/// The answer where there is no such logic, or where an end user or anonymous caller may not know of it.
fn unknown_logic(kind: ActorKind, sent: &str, generation: &Generation) -> Box<Problem> {
    match kind {
        // The same as for a logic that exists and that no public rule allows.
        ActorKind::Anonymous => Problem::new(Code::Unauthorized, "this needs a credential"),
        ActorKind::User | ActorKind::Service => Problem::new(Code::NotFound, "there is no such logic"),
        ActorKind::ApiKey | ActorKind::System => {
            let problem = Problem::new(Code::NotFound, "there is no such logic");
            match name::nearest(sent, generation.logics.keys().map(String::as_str)) {
                Some(near) => problem.hint(format!("did you mean {near}?")),
                None => problem,
            }
        }
    }
}
