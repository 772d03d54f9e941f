//! Jobs, for an operator who looks, begins a run, or lets a job run again. Each is a token of its own, in the Hub's audit log with the job's
//! name, and a line of the log here.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    response::Response,
};
use chrono::Utc;
use http::{HeaderMap, StatusCode};
use santokit_core::{
    admin::{Claims, Deed},
    code::Code,
    problem::{Outcome, Problem},
};
use serde_json::json;

use super::{Admin, RequestId, respond};
use crate::{
    cron::status::{self, Place},
    generation::Generation,
};

/// Project, env and job.
type Named = (String, String, String);

/// `GET /admin/envs/{project}/{env}/cron`
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path((project, env)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let done = async {
        let claims = admin.allow(&headers, (Deed::Cron, None), (&project, &env), Utc::now().timestamp())?;
        tracing::info!(requestId = %id.0, operator = claims.sub, token = claims.jti, project, env, "an operator lists jobs");
        let (generation, _) = admin.generation(&project, &env)?;
        let jobs = status::list(&generation).await?;
        let release = &generation.release_id;
        let answer = json!({"bridge": admin.app.config.id, "releaseId": release, "jobs": jobs});
        serde_json::to_vec(&answer).map_err(Problem::internal)
    };
    answer(done.await, &id)
}

/// `GET /admin/envs/{project}/{env}/cron/{job}`
pub(super) async fn read(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path(named): Path<Named>,
    headers: HeaderMap,
) -> Response {
    let done = async {
        admin.of_job(&headers, Deed::Cron, &named, &id)?;
        let (generation, place) = admin.generation(&named.0, &named.1)?;
        let (job, runs) = status::one(&generation, &place, &named.2).await?;
        serde_json::to_vec(&json!({"bridge": admin.app.config.id, "job": job, "runs": runs})).map_err(Problem::internal)
    };
    answer(done.await, &id)
}

/// `POST /admin/envs/{project}/{env}/cron/{job}/trigger`
pub(super) async fn trigger(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path(named): Path<Named>,
    headers: HeaderMap,
) -> Response {
    let done = async {
        let claims = admin.of_job(&headers, Deed::CronTrigger, &named, &id)?;
        let slot = admin.slot(&named.0, &named.1)?;
        let run = admin.triggers.begin(&slot.name, &named.2, &claims.sub).await?;
        serde_json::to_vec(&json!({"bridge": admin.app.config.id, "run": run})).map_err(Problem::internal)
    };
    answer(done.await, &id)
}

/// `POST /admin/envs/{project}/{env}/cron/{job}/resume`
pub(super) async fn resume(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path(named): Path<Named>,
    headers: HeaderMap,
) -> Response {
    let done = async {
        admin.of_job(&headers, Deed::CronResume, &named, &id)?;
        let (generation, place) = admin.generation(&named.0, &named.1)?;
        let was_open = status::resume(&generation, &place, &named.2).await?;
        serde_json::to_vec(&json!({"bridge": admin.app.config.id, "wasOpen": was_open})).map_err(Problem::internal)
    };
    answer(done.await, &id)
}

impl Admin {
    /// Whether a request may do a deed at a job; it is noted.
    fn of_job(&self, headers: &HeaderMap, deed: Deed, (project, env, job): &Named, id: &RequestId) -> Outcome<Claims> {
        let claims = self.allow(headers, (deed, Some(job)), (project, env), Utc::now().timestamp())?;
        let (operator, token, deed) = (&claims.sub, &claims.jti, deed.as_str());
        tracing::info!(requestId = %id.0, operator, token, project, env, job, deed, "an operator asks of a job");
        Ok(claims)
    }

    pub(super) fn generation(&self, project: &str, env: &str) -> Outcome<(Arc<Generation>, Place)> {
        let slot = self.slot(project, env)?;
        let missing = || Problem::new(Code::ServiceUnavailable, "this Bridge has no release of that env");
        let generation = slot.generation().ok_or_else(missing)?;
        let place = Place {
            env: slot.name.clone(),
            release_id: generation.release_id.clone(),
            bridge: self.app.config.id.clone(),
            lease: self.app.config.cron_lease,
        };
        Ok((generation, place))
    }
}

fn answer(done: Outcome<Vec<u8>>, id: &RequestId) -> Response {
    match done {
        Ok(body) => respond::json(StatusCode::OK, body),
        Err(problem) => respond::error(&problem, &id.0),
    }
}
