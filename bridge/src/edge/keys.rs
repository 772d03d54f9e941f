//! The public keys that tokens of end users are verified with, for whoever wants to verify one. Nothing here is a secret.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Extension, Path, State, rejection::PathRejection},
    response::Response,
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use santokit_core::problem::{Outcome, Problem};

use super::{
    auth::{need_serving, not_served},
    layers::RequestId,
    respond,
};
use crate::app::App;

/// A new key is published for longer than this before anything is signed with it.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// `GET /p/{project}/{env}/.well-known/jwks.json`
pub async fn jwks(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Response {
    match path.map_err(|_| not_served()).and_then(|Path((project, env))| keys(&app, &project, &env)) {
        Ok(body) => {
            let mut response = respond::json(StatusCode::OK, body);
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
            headers.insert(CACHE_CONTROL, KEPT);
            response
        }
        Err(problem) => respond::error(&problem, &id.0),
    }
}

fn keys(app: &App, project: &str, env: &str) -> Outcome<Vec<u8>> {
    let mut slots = app.slots.iter();
    let slot = slots.find(|slot| slot.name.project == project && slot.name.env == env).ok_or_else(not_served)?;
    need_serving(slot, Instant::now())?;
    let generation = slot.generation().ok_or_else(not_served)?;
    serde_json::to_vec(&generation.runtime.load().jwks).map_err(Problem::internal)
}
