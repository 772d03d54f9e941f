//! Recordings of invocations, for an operator who looks: which there are, and one of them. They are what customers sent: each reading is a
//! token of its own, in the Hub's audit log, and a line of the log here.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Query, State},
    response::Response,
};
use chrono::Utc;
use http::{HeaderMap, StatusCode};
use santokit_core::{
    admin::Deed,
    code::Code,
    problem::{Outcome, Problem},
};
use serde::Deserialize;
use serde_json::json;

use super::{Admin, RequestId, respond};

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Asked {
    /// Of this logic alone.
    logic: Option<String>,
}

/// `GET /admin/envs/{project}/{env}/recordings`
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path((project, env)): Path<(String, String)>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let done = async {
        let claims = admin.allow(&headers, (Deed::Recordings, None), (&project, &env), Utc::now().timestamp())?;
        let Query(asked) = asked.map_err(|error| Problem::new(Code::BadRequest, error.body_text()))?;
        let slot = admin.slot(&project, &env)?;
        tracing::info!(requestId = %id.0, operator = claims.sub, token = claims.jti, project, env, "an operator lists recordings");
        let found = admin.app.recordings.list(&slot.name, asked.logic).await;
        let answer = json!({"bridge": admin.app.config.id, "recordings": found});
        serde_json::to_vec(&answer).map_err(Problem::internal)
    };
    answer(done.await, &id)
}

/// `GET /admin/envs/{project}/{env}/recordings/{recording}`
pub(super) async fn read(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path((project, env, recording)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let done = async {
        let deed = (Deed::Recordings, Some(recording.as_str()));
        let claims = admin.allow(&headers, deed, (&project, &env), Utc::now().timestamp())?;
        let slot = admin.slot(&project, &env)?;
        tracing::info!(requestId = %id.0, operator = claims.sub, token = claims.jti, project, env, recording, "an operator reads a recording");
        let found = admin.app.recordings.read(&slot.name, &recording).await;
        found.ok_or_else(|| Problem::new(Code::NotFound, "this Bridge has no such recording, or no more"))
    };
    answer(done.await, &id)
}

fn answer(done: Outcome<Vec<u8>>, id: &RequestId) -> Response {
    match done {
        Ok(body) => respond::json(StatusCode::OK, body),
        Err(problem) => respond::error(&problem, &id.0),
    }
}
