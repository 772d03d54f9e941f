//! What the Bridge does with a request, apart from HTTP: who is calling, which generation, and the call itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use santokit_core::{
    access::ActorKind,
    code::Code,
    name,
    problem::{Outcome, Problem},
};
use serde_json::{Map, Value as Json, value::RawValue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    call::CallContext,
    config::BridgeConfig,
    edge::auth::{self, Credential, Hints, Pinned},
    generation::Generation,
    metrics::Metrics,
    release::EnvSlot,
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
    permits: Arc<Semaphore>,
    is_draining: AtomicBool,
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

impl App {
    /// With nothing loaded.
    pub fn new(config: Arc<BridgeConfig>, slots: Arc<[Arc<EnvSlot>]>, metrics: Arc<Metrics>) -> Self {
        let permits = Arc::new(Semaphore::new(config.concurrent_requests.get().min(Semaphore::MAX_PERMITS)));
        Self { config, slots, metrics, permits, is_draining: AtomicBool::new(false) }
    }

    /// A place among the requests that run at once.
    pub fn admit(&self) -> Option<OwnedSemaphorePermit> {
        self.permits.clone().try_acquire_owned().ok()
    }

    /// The caller, and the generation that its request sees.
    pub fn identify(&self, credential: &Credential, hints: &Hints) -> Outcome<Pinned> {
        auth::identify(&self.slots, credential, hints)
    }

    /// Runs a call on the generation that it has pinned.
    pub async fn call(&self, call: Call) -> Outcome<Box<RawValue>> {
        let Call { pinned: Pinned { actor, generation }, name, params, request_id } = call;
        let kind = actor.kind;
        let unknown = || unknown_logic(kind, &name, &generation);
        let Some(entry) = generation.logics.get(&name) else { return Err(unknown()) };
        let context = CallContext {
            request_id,
            project: generation.env.project.clone(),
            env: generation.env.env.clone(),
            release_id: generation.release_id.clone(),
            actor,
            databases: generation.databases.clone(),
            schemas: generation.schemas.clone(),
            config: generation.config.clone(),
            secrets: generation.runtime.load().secrets.clone(),
            metrics: self.metrics.clone(),
        };
        entry.call(context, params, unknown).await
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
        for slot in self.slots.iter() {
            self.metrics.standing(&slot.report(now));
            for (name, database) in slot.generation().iter().flat_map(|generation| generation.databases.iter()) {
                let (active, idle) = database.pool_use();
                self.metrics.pool(&slot.name, name, active, idle);
            }
        }
        self.metrics.render()
    }
}

/// The answer where there is no such logic, or where an end user or anonymous caller may not know of it.
fn unknown_logic(kind: ActorKind, sent: &str, generation: &Generation) -> Box<Problem> {
    match kind {
        // The same as for a logic that exists and that no public rule allows.
        ActorKind::Anonymous => Problem::new(Code::Unauthorized, "this needs a credential"),
        ActorKind::User => Problem::new(Code::NotFound, "there is no such logic"),
        ActorKind::ApiKey | ActorKind::System => {
            let problem = Problem::new(Code::NotFound, "there is no such logic");
            match name::nearest(sent, generation.logics.keys().map(String::as_str)) {
                Some(near) => problem.hint(format!("did you mean {near}?")),
                None => problem,
            }
        }
    }
}
