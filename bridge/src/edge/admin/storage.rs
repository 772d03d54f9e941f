//! A bucket, for an operator who wants to know whether it works, or what in it no row names. Each request is a token of its own.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Query, State, rejection::QueryRejection},
    response::Response,
};
use chrono::{TimeDelta, Utc};
use http::{HeaderMap, StatusCode};
use santokit_core::{
    admin::Deed,
    code::Code,
    problem::{Outcome, Problem},
    storage::ObjectKey,
};
use serde::Deserialize;
use serde_json::json;

use super::{Admin, RequestId, respond};
use crate::storage::orphans::{self, Asked};

/// Which orphans.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Which {
    /// A key: those behind it.
    after: Option<String>,
    /// Put so many seconds ago or longer.
    #[serde(default)]
    older_than: u32,
}

/// `POST /admin/envs/{project}/{env}/storage/{bucket}/test`
pub(super) async fn test(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path((project, env, alias)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let done: Outcome<Vec<u8>> = async {
        let claims = admin.allow(&headers, (Deed::Storage, None), (&project, &env), Utc::now().timestamp())?;
        let (operator, token) = (&claims.sub, &claims.jti);
        tracing::info!(requestId = %id.0, operator, token, project, env, bucket = alias, "an operator tries a bucket");
        let (generation, _) = admin.generation(&project, &env)?;
        let bucket = generation.buckets.get(&alias).ok_or_else(|| missing(&alias))?;
        let origins: Vec<String> = generation.cors.iter().flat_map(|cors| cors.origins.iter().cloned()).collect();
        let steps = bucket.trial(&origins).await;
        let answer =
            json!({"bridge": admin.app.config.id, "releaseId": generation.release_id, "bucket": alias, "steps": steps});
        serde_json::to_vec(&answer).map_err(Problem::internal)
    }
    .await;
    match done {
        Ok(body) => respond::json(StatusCode::OK, body),
        Err(problem) => respond::error(&problem, &id.0),
    }
}

/// `GET /admin/envs/{project}/{env}/storage/{bucket}/orphans`
pub(super) async fn orphans(
    State(admin): State<Arc<Admin>>,
    Extension(id): Extension<RequestId>,
    Path((project, env, alias)): Path<(String, String, String)>,
    which: Result<Query<Which>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let done: Outcome<Vec<u8>> = async {
        let now = Utc::now();
        let claims = admin.allow(&headers, (Deed::Storage, None), (&project, &env), now.timestamp())?;
        let (operator, token) = (&claims.sub, &claims.jti);
        tracing::info!(requestId = %id.0, operator, token, project, env, bucket = alias, "an operator looks for orphans");
        let Query(which) = which.map_err(|error| Problem::new(Code::BadRequest, error.body_text()))?;
        let after = which.after.as_deref().map(ObjectKey::parse).transpose();
        let after = after.map_err(|error| Problem::new(Code::BadRequest, format!("after: {error}")))?;
        let (generation, _) = admin.generation(&project, &env)?;
        let bucket = generation.buckets.get(&alias).ok_or_else(|| missing(&alias))?;
        let before = now - TimeDelta::seconds(which.older_than.into());
        let mut answer = orphans::page(&generation, bucket, Asked { after: after.as_ref(), before }).await?;
        answer["bridge"] = json!(admin.app.config.id);
        answer["releaseId"] = json!(generation.release_id);
        answer["bucket"] = json!(alias);
        serde_json::to_vec(&answer).map_err(Problem::internal)
    }
    .await;
    match done {
        Ok(body) => respond::json(StatusCode::OK, body),
        Err(problem) => respond::error(&problem, &id.0),
    }
}

fn missing(alias: &str) -> Box<Problem> {
    Problem::new(Code::NotFound, format!("the release has no bucket {alias:?}")).hint("they are in config/storage.yaml")
}
