//! `/v1/projects/{project}/envs/{env}/canary`: a candidate for a share of an env's callers.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use santokit_core::problem::Problem;

use super::respond::{Body, Refused, json};
use crate::{
    app::{
        App,
        canary::{CanaryBody, PromoteBody},
        projects::At,
    },
    store::audit::Caller,
};

type Reply = Result<Response, Refused>;
type Hub = State<Arc<App>>;
type By = Extension<Caller>;
type InEnv = Path<(String, String)>;

/// `GET …/canary`
pub async fn canary(State(app): Hub, Path((project, env)): InEnv) -> Reply {
    Ok(json(StatusCode::OK, &app.canary(At { project: &project, env: &env }).await?))
}

/// `PUT …/canary`. It ends what it has begun, also where the caller goes away.
pub async fn set(
    State(app): Hub,
    Extension(by): By,
    Path((project, env)): InEnv,
    Body(body): Body<CanaryBody>,
) -> Reply {
    let task = tokio::spawn(async move { app.set_canary(&by, At { project: &project, env: &env }, body).await });
    Ok(json(StatusCode::OK, &task.await.map_err(Problem::internal)??))
}

/// `DELETE …/canary`
pub async fn abort(State(app): Hub, Extension(by): By, Path((project, env)): InEnv) -> Reply {
    app.abort_canary(&by, At { project: &project, env: &env }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST …/canary/promote`, likewise.
pub async fn promote(
    State(app): Hub,
    Extension(by): By,
    Path((project, env)): InEnv,
    Body(body): Body<PromoteBody>,
) -> Reply {
    let task = tokio::spawn(async move { app.promote_canary(&by, At { project: &project, env: &env }, body).await });
    Ok(json(StatusCode::OK, &task.await.map_err(Problem::internal)??))
}
