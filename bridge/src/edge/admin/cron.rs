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
use serde_json::{Value as Json, json};

use super::{Admin, RequestId, respond};
use crate::{
    cron::status::{self, Place},
    generation::Generation,
};

/// Project, env and job.
type Named = (String, String, String);

/// Whose jobs, and which one, if it is one.
struct At {
    project: String,
    env: String,
    job: Option<String>,
}

/// `GET /admin/envs/{project}/{env}/cron`
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path((project, env)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let at = At { project, env, job: None };
    admin.at_jobs((&headers, &id), Deed::Cron, &at, async |_: Claims| admin.jobs(&at).await).await
}

/// `GET /admin/envs/{project}/{env}/cron/{job}`
pub(super) async fn read(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path(named): Path<Named>,
    headers: HeaderMap,
) -> Response {
    let (at, job) = At::job(named);
    let done = async |_: Claims| {
        let (generation, place) = admin.generation(&at.project, &at.env)?;
        Ok(json!(status::one(&generation, &place, &job).await?))
    };
    admin.at_jobs((&headers, &id), Deed::Cron, &at, done).await
}

/// `POST /admin/envs/{project}/{env}/cron/{job}/trigger`
pub(super) async fn trigger(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path(named): Path<Named>,
    headers: HeaderMap,
) -> Response {
    let (at, job) = At::job(named);
    let done = async |claims: Claims| {
        let slot = admin.slot(&at.project, &at.env)?;
        Ok(json!({"run": admin.triggers.begin(&slot.name, &job, &claims.sub).await?}))
    };
    admin.at_jobs((&headers, &id), Deed::CronTrigger, &at, done).await
}

/// `POST /admin/envs/{project}/{env}/cron/{job}/resume`
pub(super) async fn resume(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path(named): Path<Named>,
    headers: HeaderMap,
) -> Response {
    let (at, job) = At::job(named);
    let done = async |claims: Claims| {
        let (generation, place) = admin.generation(&at.project, &at.env)?;
        Ok(json!({"wasOpen": status::resume(&generation, &place, &job, &claims.sub).await?}))
    };
    admin.at_jobs((&headers, &id), Deed::CronResume, &at, done).await
}

impl At {
    /// One job, and its name.
    fn job((project, env, job): Named) -> (Self, String) {
        (Self { project, env, job: Some(job.clone()) }, job)
    }
}

impl Admin {
    /// Does a deed for who may do it, notes that, and answers with what it made and with who this is.
    async fn at_jobs<D>(&self, (headers, id): (&HeaderMap, &RequestId), deed: Deed, at: &At, done: D) -> Response
    where
        D: AsyncFnOnce(Claims) -> Outcome<Json>,
    {
        let answered = async {
            let (project, env, job) = (at.project.as_str(), at.env.as_str(), at.job.as_deref());
            let claims = self.allow(headers, (deed, job), (project, env), Utc::now().timestamp())?;
            let (operator, token, deed) = (&claims.sub, &claims.jti, deed.as_str());
            tracing::info!(requestId = %id.0, operator, token, project, env, job, deed, "an operator asks of jobs");
            let mut answer = done(claims).await?;
            answer["bridge"] = self.app.config.id.clone().into();
            serde_json::to_vec(&answer).map_err(Problem::internal)
        };
        match answered.await {
            Ok(body) => respond::json(StatusCode::OK, body),
            Err(problem) => respond::error(&problem, &id.0),
        }
    }

    async fn jobs(&self, at: &At) -> Outcome<Json> {
        let (generation, _) = self.generation(&at.project, &at.env)?;
        Ok(json!({"releaseId": generation.release_id, "jobs": status::list(&generation).await?}))
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
