//! `/internal/*`: the protocol of `core::wire`. No body is ever logged.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{Path, Query, State},
};
use santokit_core::{
    code::Code,
    problem::Problem,
    quantity::Millis,
    release::{Digest, SignedRelease},
    wire::{Current, JwkSet, Report, RuntimeBundle},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    answer::{Answer, Component, IfNoneMatch, NoContent, Tagged, gone, ok},
    operator::digest,
    respond::{Body, Refused},
};
use crate::app::{App, access::Fleet, projects::At};

type Reply<T> = Result<T, Refused>;
type Hub = State<Arc<App>>;

/// Whose pointer, and how long to wait for it to move.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct CurrentQuery {
    /// The project's name.
    project: String,
    /// The env's name.
    env: String,
    /// How long to wait for another one, a minute at most, for example `30s`.
    #[serde(default)]
    wait: Option<String>,
}

/// `GET /internal/releases/current`
pub async fn current(
    State(app): Hub,
    Extension(fleet): Extension<Fleet>,
    Query(query): Query<CurrentQuery>,
    IfNoneMatch(known): IfNoneMatch,
) -> Reply<Tagged<Current>> {
    let wait = match &query.wait {
        None => Duration::ZERO,
        Some(text) => {
            text.parse::<Millis>().map_err(|error| Problem::new(Code::BadRequest, format!("wait: {error}")))?.duration()
        }
    };
    let at = At { project: &query.project, env: &query.env };
    Ok(Tagged(app.current_pointer(&fleet, at, known.as_deref(), wait).await?))
}

/// `GET /internal/releases/{id}`
pub async fn release(
    State(app): Hub,
    Extension(fleet): Extension<Fleet>,
    Path(id): Path<String>,
) -> Reply<Answer<SignedRelease>> {
    ok(app.release_of_fleet(&fleet, &id).await)
}

/// `GET /internal/blobs/{digest}`
pub async fn blob(State(app): Hub, Extension(fleet): Extension<Fleet>, Path(text): Path<String>) -> Reply<Component> {
    let digest: Digest = digest(&text)?;
    let _permit = app.blobs_at_once.acquire().await.map_err(Problem::internal)?;
    Ok(Component(app.blob_of_fleet(&fleet, &digest).await?))
}

/// `GET /internal/runtime/{project}/{env}`
pub async fn runtime(
    State(app): Hub,
    Extension(fleet): Extension<Fleet>,
    Path((project, env)): Path<(String, String)>,
    IfNoneMatch(known): IfNoneMatch,
) -> Reply<Tagged<RuntimeBundle>> {
    Ok(Tagged(app.runtime(&fleet, At { project: &project, env: &env }, known.as_deref()).await?))
}

/// `GET /internal/keys/{project}/{env}`
pub async fn keys(
    State(app): Hub,
    Extension(fleet): Extension<Fleet>,
    Path((project, env)): Path<(String, String)>,
    IfNoneMatch(known): IfNoneMatch,
) -> Reply<Tagged<JwkSet>> {
    Ok(Tagged(app.user_keys_of_fleet(&fleet, At { project: &project, env: &env }, known.as_deref()).await?))
}

/// `POST /internal/bridges/{id}/report`
pub async fn report(
    State(app): Hub,
    Extension(fleet): Extension<Fleet>,
    Path(id): Path<String>,
    Body(report): Body<Report>,
) -> Reply<NoContent> {
    gone(app.report(&fleet, &id, report).await)
}
