//! `/v1/*` about releases that exist: which env runs which, those of other Hubs, and what they may
//! ask for at most.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
};
use santokit_core::{problem::Problem, release::ceilings::Ceilings};

use super::{
    answer::{Answer, Created, NoContent, gone, made, ok},
    respond::{Body, Refused},
};
use crate::{
    app::{
        App,
        answers::{
            projects,
            releases::{Applied, Imported, Pinned, RollbackTargets, Signed},
        },
        import::ImportBody,
        projects::At,
        promote::MoveBody,
        safety::PinBody,
        signatures::SignatureBody,
    },
    store::{audit::Caller, ceilings::Holder},
};

type Reply<T> = Result<T, Refused>;
type Hub = State<Arc<App>>;
type By = Extension<Caller>;
type InEnv = Path<(String, String)>;

/// `POST …/promote`. It ends what it has begun, also where the caller goes away.
pub async fn promote(
    State(app): Hub,
    Extension(by): By,
    Path((project, env)): InEnv,
    Body(body): Body<MoveBody>,
) -> Reply<Answer<Applied>> {
    let task = tokio::spawn(async move { app.promote(&by, At { project: &project, env: &env }, body).await });
    ok(task.await.map_err(Problem::internal)?)
}

/// `POST …/rollback`, likewise.
pub async fn rollback(
    State(app): Hub,
    Extension(by): By,
    Path((project, env)): InEnv,
    Body(body): Body<MoveBody>,
) -> Reply<Answer<Applied>> {
    let task = tokio::spawn(async move { app.rollback(&by, At { project: &project, env: &env }, body).await });
    ok(task.await.map_err(Problem::internal)?)
}

/// `POST /v1/projects/{project}/releases`
pub async fn import(
    State(app): Hub,
    Extension(by): By,
    Path(project): Path<String>,
    Body(body): Body<ImportBody>,
) -> Reply<Created<Imported>> {
    made(app.import(&by, &project, body).await)
}

/// `POST /v1/projects/{project}/releases/{id}/signatures`
pub async fn sign(
    State(app): Hub,
    Extension(by): By,
    Path((project, id)): Path<(String, String)>,
    Body(body): Body<SignatureBody>,
) -> Reply<Created<Signed>> {
    made(app.add_signature(&by, &project, &id, body).await)
}

/// `GET …/rollback`
pub async fn targets(State(app): Hub, Path((project, env)): InEnv) -> Reply<Answer<RollbackTargets>> {
    ok(app.rollback_targets(At { project: &project, env: &env }).await)
}

/// `PUT /v1/projects/{project}/releases/{id}/pin`
pub async fn pin(
    State(app): Hub,
    Extension(by): By,
    Path((project, id)): Path<(String, String)>,
    Body(body): Body<PinBody>,
) -> Reply<Answer<Pinned>> {
    ok(app.pin(&by, &project, &id, body).await)
}

/// `DELETE /v1/projects/{project}/releases/{id}/pin`
pub async fn unpin(
    State(app): Hub,
    Extension(by): By,
    Path((project, id)): Path<(String, String)>,
) -> Reply<NoContent> {
    gone(app.unpin(&by, &project, &id).await)
}

/// `GET /v1/projects/{project}/ceilings`
pub async fn ceilings(State(app): Hub, Path(project): Path<String>) -> Reply<Answer<projects::Ceilings>> {
    ok(app.ceilings(Holder::Project(&project)).await)
}

/// `PUT /v1/projects/{project}/ceilings`
pub async fn set_ceilings(
    State(app): Hub,
    Extension(by): By,
    Path(project): Path<String>,
    Body(body): Body<Ceilings>,
) -> Reply<Answer<projects::Ceilings>> {
    ok(app.set_ceilings(&by, Holder::Project(&project), body).await)
}

/// `DELETE /v1/projects/{project}/ceilings`
pub async fn clear_ceilings(State(app): Hub, Extension(by): By, Path(project): Path<String>) -> Reply<NoContent> {
    gone(app.clear_ceilings(&by, Holder::Project(&project)).await)
}
