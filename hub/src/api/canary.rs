//! `/v1/projects/{project}/envs/{env}/canary`: a candidate for a share of an env's callers.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
};
use santokit_core::problem::Problem;

use super::{
    answer::{Answer, NoContent, gone, ok},
    respond::{Body, Refused},
};
use crate::{
    app::{
        App,
        answers::releases::{Applied, Canary, CanarySet},
        canary::{CanaryBody, PromoteBody},
        projects::At,
    },
    store::audit::Caller,
};

type Reply<T> = Result<T, Refused>;
type Hub = State<Arc<App>>;
type By = Extension<Caller>;
type InEnv = Path<(String, String)>;

/// `GET …/canary`
pub async fn canary(State(app): Hub, Path((project, env)): InEnv) -> Reply<Answer<Canary>> {
    ok(app.canary(At { project: &project, env: &env }).await)
}

/// `PUT …/canary`. It ends what it has begun, also where the caller goes away.
pub async fn set(
    State(app): Hub,
    Extension(by): By,
    Path((project, env)): InEnv,
    Body(body): Body<CanaryBody>,
) -> Reply<Answer<CanarySet>> {
    let task = tokio::spawn(async move { app.set_canary(&by, At { project: &project, env: &env }, body).await });
    ok(task.await.map_err(Problem::internal)?)
}

/// `DELETE …/canary`
pub async fn abort(State(app): Hub, Extension(by): By, Path((project, env)): InEnv) -> Reply<NoContent> {
    gone(app.abort_canary(&by, At { project: &project, env: &env }).await)
}

/// `POST …/canary/promote`, likewise.
pub async fn promote(
    State(app): Hub,
    Extension(by): By,
    Path((project, env)): InEnv,
    Body(body): Body<PromoteBody>,
) -> Reply<Answer<Applied>> {
    let task = tokio::spawn(async move { app.promote_canary(&by, At { project: &project, env: &env }, body).await });
    ok(task.await.map_err(Problem::internal)?)
}
