//! `/internal/*`: the protocol of `core::wire`. No body is ever logged.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    quantity::Millis,
    release::Digest,
    wire::Report,
};
use serde::{Deserialize, Serialize};

use super::{
    operator::digest,
    respond::{Body, Refused, json},
};
use crate::app::{App, access::Fleet, bridges::Tagged, projects::At};

type Reply = Result<Response, Refused>;
type Hub = State<Arc<App>>;

/// Whose pointer, and how long to wait for it to move.
#[derive(Debug, Deserialize)]
pub struct CurrentQuery {
    project: String,
    env: String,
    #[serde(default)]
    wait: Option<String>,
}

/// `GET /internal/releases/current`
pub async fn current(
    State(app): Hub,
    Extension(fleet): Extension<Fleet>,
    Query(query): Query<CurrentQuery>,
    headers: HeaderMap,
) -> Reply {
    let wait = match &query.wait {
        None => Duration::ZERO,
        Some(text) => {
            text.parse::<Millis>().map_err(|error| Problem::new(Code::BadRequest, format!("wait: {error}")))?.duration()
        }
    };
    let at = At { project: &query.project, env: &query.env };
    tagged(app.current_pointer(&fleet, at, known(&headers), wait).await?)
}

/// `GET /internal/releases/{id}`
pub async fn release(State(app): Hub, Extension(fleet): Extension<Fleet>, Path(id): Path<String>) -> Reply {
    Ok(json(StatusCode::OK, &app.release_of_fleet(&fleet, &id).await?))
}

/// `GET /internal/blobs/{digest}`
pub async fn blob(State(app): Hub, Extension(fleet): Extension<Fleet>, Path(text): Path<String>) -> Reply {
    let digest: Digest = digest(&text)?;
    let _permit = app.blobs_at_once.acquire().await.map_err(Problem::internal)?;
    Ok(bytes(app.blob_of_fleet(&fleet, &digest).await?))
}

/// `GET /internal/runtime/{project}/{env}`
pub async fn runtime(
    State(app): Hub,
    Extension(fleet): Extension<Fleet>,
    Path((project, env)): Path<(String, String)>,
    headers: HeaderMap,
) -> Reply {
    tagged(app.runtime(&fleet, At { project: &project, env: &env }, known(&headers)).await?)
}

/// `GET /internal/keys/{project}/{env}`
pub async fn keys(
    State(app): Hub,
    Extension(fleet): Extension<Fleet>,
    Path((project, env)): Path<(String, String)>,
    headers: HeaderMap,
) -> Reply {
    tagged(app.user_keys_of_fleet(&fleet, At { project: &project, env: &env }, known(&headers)).await?)
}

/// `POST /internal/bridges/{id}/report`
pub async fn report(
    State(app): Hub,
    Extension(fleet): Extension<Fleet>,
    Path(id): Path<String>,
    Body(report): Body<Report>,
) -> Reply {
    app.report(&fleet, &id, report).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// An answer of bytes.
pub(super) fn bytes(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/wasm")], bytes).into_response()
}

fn known(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok())
}

fn tagged<T: Serialize>(answer: Tagged<T>) -> Reply {
    let Some((body, etag)) = answer else { return Ok(StatusCode::NOT_MODIFIED.into_response()) };
    let mut response = json(StatusCode::OK, &body);
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag_value(&etag)?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

fn etag_value(etag: &str) -> Outcome<HeaderValue> {
    HeaderValue::from_str(etag).map_err(Problem::internal)
}
