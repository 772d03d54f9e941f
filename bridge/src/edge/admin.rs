//! What operators may ask of this Bridge itself, on a listener of its own. Each request shows a token that the Hub made for it:
//! checked here against the Bridge's own keys, so that it works while the Hub is away, and used up by it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    extract::{Path, State},
    middleware,
    response::Response,
};
use chrono::Utc;
use http::{HeaderMap, StatusCode, header};
use santokit_core::{
    admin::{self, Claims, Deed},
    code::Code,
    problem::{Outcome, Problem},
    release::VerifyingKey,
    wire::EnvReport,
};
use santokit_edge::{Route, Routes, unread};
use serde::Serialize;

use super::{
    layers::{self, RequestId},
    request, respond,
};
use crate::{app::App, cron::Triggers, release::EnvSlot};

mod cron;
mod deadletters;
mod logs;
mod recordings;
mod storage;

/// Tokens that were used are known until their end. More than this many at once is nobody's work by hand.
const USED_MAX: usize = 10_000;

/// Longer than a release of many components takes to load.
const SYNC_MAX: Duration = Duration::from_mins(4);

/// What the listener works with.
#[derive(Debug)]
pub struct Admin {
    app: Arc<App>,
    triggers: Triggers,
    keys: Vec<VerifyingKey>,
    /// A token of before is refused: whether it was used is not known any more.
    started: i64,
    /// When each token ends that was used.
    used: Mutex<HashMap<String, i64>>,
}

/// What came of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Synced {
    bridge: String,
    #[serde(flatten)]
    env: EnvReport,
    took_ms: u64,
}

impl Admin {
    /// For a Bridge that starts now.
    pub fn new(app: Arc<App>, triggers: Triggers, keys: Vec<VerifyingKey>) -> Self {
        Self { app, triggers, keys, started: Utc::now().timestamp(), used: Mutex::default() }
    }

    /// Whether a request may do a deed at an env; its token is used up.
    fn allow(
        &self,
        headers: &HeaderMap,
        (deed, about): (Deed, Option<&str>),
        at: (&str, &str),
        now: i64,
    ) -> Outcome<Claims> {
        self.allow_one_of(headers, (&[deed], about), at, now)
    }

    /// The same where the request itself says which of some deeds it is.
    fn allow_one_of(
        &self,
        headers: &HeaderMap,
        (deeds, about): (&[Deed], Option<&str>),
        (project, env): (&str, &str),
        now: i64,
    ) -> Outcome<Claims> {
        let sent = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let (_, token) = sent.ok_or_else(|| refused("there is none"))?;
        let claims = admin::verify(token.trim(), &self.keys, &self.app.config.id, now)
            .map_err(|error| refused(&error.to_string()).because(error))?;
        let named = claims.recording.as_deref().or(claims.job.as_deref());
        let is_for_this = deeds.contains(&claims.deed) && named == about;
        if !is_for_this || claims.project != project || claims.env != env {
            return Err(refused("it is for something else"));
        }
        if claims.iat < self.started {
            return Err(refused("it was made before this Bridge started"));
        }
        self.use_up(&claims, now)?;
        Ok(claims)
    }

    /// An env that this Bridge serves.
    fn slot(&self, project: &str, env: &str) -> Outcome<&Arc<EnvSlot>> {
        let found = self.app.slots.iter().find(|slot| slot.name.project == project && slot.name.env == env);
        found.ok_or_else(|| Problem::new(Code::NotFound, "this Bridge does not serve that project and env"))
    }

    fn use_up(&self, claims: &Claims, now: i64) -> Outcome<()> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, end| *end > now);
        if used.contains_key(&claims.jti) {
            return Err(refused("it was used already"));
        }
        if used.len() >= USED_MAX {
            return Err(Problem::new(Code::ServiceUnavailable, "too many tokens were used lately"));
        }
        used.insert(claims.jti.clone(), claims.exp);
        Ok(())
    }
}

fn refused(why: &str) -> Box<Problem> {
    Problem::new(Code::Unauthorized, format!("the operator's token opens nothing: {why}")).hint(
        "`stk bridge force-sync`, `stk logic logs`, `stk logic recordings`, `stk events dlq`, `stk cron` and `stk storage` get one from the Hub for each request",
    )
}

fn group() -> Routes<Arc<Admin>> {
    Routes::new()
        .post("/admin/envs/{project}/{env}/sync", sync)
        .get("/admin/envs/{project}/{env}/logs", logs::read)
        .get("/admin/envs/{project}/{env}/cron", cron::list)
        .get("/admin/envs/{project}/{env}/cron/{job}", cron::read)
        .post("/admin/envs/{project}/{env}/cron/{job}/trigger", cron::trigger)
        .post("/admin/envs/{project}/{env}/cron/{job}/resume", cron::resume)
        .get("/admin/envs/{project}/{env}/deadletters", deadletters::list)
        .post("/admin/envs/{project}/{env}/deadletters", deadletters::decide)
        .post("/admin/envs/{project}/{env}/storage/{bucket}/test", storage::test)
        .get("/admin/envs/{project}/{env}/storage/{bucket}/orphans", storage::orphans)
        .get("/admin/envs/{project}/{env}/recordings", recordings::list)
        .get("/admin/envs/{project}/{env}/recordings/{recording}", recordings::read)
}

/// What operators see.
pub fn router(admin: Arc<Admin>) -> Router {
    let app = admin.app.clone();
    group()
        .router()
        .fallback(request::not_found)
        .method_not_allowed_fallback(request::method_not_allowed)
        .layer(middleware::from_fn_with_state(app, layers::observe))
        .layer(middleware::map_request(unread::drain))
        .with_state(admin)
}

/// Every route of [`router`].
pub fn routes() -> Vec<Route> {
    group().list()
}

/// `POST /admin/envs/{project}/{env}/sync`
async fn sync(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path((project, env)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let done = async {
        let claims = admin.allow(&headers, (Deed::Sync, None), (&project, &env), Utc::now().timestamp())?;
        tracing::info!(requestId = %id.0, operator = claims.sub, token = claims.jti, project, env, "an operator asks for a sync");
        let slot = admin.slot(&project, &env)?;
        let began = Instant::now();
        let answered = tokio::time::timeout(SYNC_MAX, slot.syncs.ask()).await;
        let answered = answered.unwrap_or_else(|_| Err("it is not done yet, and goes on".to_owned()));
        answered
            .map_err(|why| Problem::new(Code::ServiceUnavailable, format!("the Hub could not be followed: {why}")))?;
        let (bridge, env) = (admin.app.config.id.clone(), slot.report(Instant::now()));
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        serde_json::to_vec(&Synced { bridge, env, took_ms }).map_err(Problem::internal)
    };
    match done.await {
        Ok(body) => respond::json(StatusCode::OK, body),
        Err(problem) => respond::error(&problem, &id.0),
    }
}
