//! `/v1/*`: what operators ask. Each function takes a request apart, calls `app`, and puts the answer together.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Query, State},
};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::{Digest, SignedRelease},
    wire::Sealed,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    answer::{Answer, Component, Created, Exists, NoContent, gone, made, ok},
    respond::{Body, Refused, Upload},
};
use crate::{
    app::{
        App,
        access::{ApiKeyBody, ServiceTokenBody},
        answers::{
            credentials::{ApiKey, ApiKeys, NewApiKey, NewServiceToken, ServiceTokens},
            fleet::{BridgeToken, Bridges, Current, Fleet},
            projects::{
                Connection, ConnectionTest, Connections, EnvGone, Envs, NewEnv, Plans, Project, ProjectGone, Projects,
                PulledSchema, Secret, Secrets,
            },
            releases::{Applied, Blob, Releases},
        },
        apply::ApplyBody,
        authority::Who,
        databases::PlanBody,
        fleet::tokens::{BridgeTokenBody, RecordingTokenBody},
        projects::{At, ConnectionBody},
        removal::RemoveQuery,
    },
    store::audit::Caller,
};

type Reply<T> = Result<T, Refused>;
type Hub = State<Arc<App>>;
type By = Extension<Caller>;
type Asking = Extension<Who>;
type InEnv = Path<(String, String)>;
type Of = Path<(String, String, String)>;

/// A body that is a name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Named {
    pub(super) name: String,
}

/// The body of a new project.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectBody {
    name: String,
    #[serde(default)]
    org: Option<String>,
}

/// A body that is a secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SecretBody")]
pub struct Value {
    value: Sealed,
}

/// Reads a digest of a path.
pub(super) fn digest(text: &str) -> Outcome<Digest> {
    Digest::parse(text).map_err(|error| Problem::new(Code::BadRequest, error.to_string()))
}

fn at((project, env): &(String, String)) -> At<'_> {
    At { project, env }
}

/// `POST /v1/projects`
pub async fn create_project(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Body(body): Body<ProjectBody>,
) -> Reply<Created<Project>> {
    made(app.create_project(&by, &who, &body.name, body.org.as_deref()).await)
}

/// `GET /v1/projects`
pub async fn projects(State(app): Hub, Extension(who): Asking) -> Reply<Answer<Projects>> {
    ok(app.projects(&who).await)
}

/// `POST /v1/projects/{project}/envs`
pub async fn create_env(
    State(app): Hub,
    Extension(by): By,
    Path(project): Path<String>,
    Body(body): Body<Named>,
) -> Reply<Created<NewEnv>> {
    made(app.create_env(&by, &project, &body.name).await)
}

/// `GET /v1/projects/{project}/envs`
pub async fn envs(State(app): Hub, Extension(who): Asking, Path(project): Path<String>) -> Reply<Answer<Envs>> {
    ok(app.envs(&who, &project).await)
}

/// `DELETE /v1/projects/{project}`
pub async fn delete_project(
    State(app): Hub,
    Extension(by): By,
    Path(project): Path<String>,
) -> Reply<Answer<ProjectGone>> {
    ok(app.delete_project(&by, &project).await)
}

/// `DELETE /v1/projects/{project}/envs/{env}?force=true`. It ends what it has begun, also where the caller goes away.
pub async fn delete_env(
    State(app): Hub,
    Extension(by): By,
    Path(env): InEnv,
    Query(query): Query<RemoveQuery>,
) -> Reply<Answer<EnvGone>> {
    let task = tokio::spawn(async move { app.delete_env(&by, at(&env), query).await });
    ok(task.await.map_err(Problem::internal)?)
}

/// `PUT …/connections/{name}`
pub async fn set_connection(
    State(app): Hub,
    Extension(by): By,
    Path((p, e, name)): Of,
    Body(body): Body<ConnectionBody>,
) -> Reply<Answer<Connection>> {
    ok(app.set_connection(&by, at(&(p, e)), &name, body).await)
}

/// `GET …/connections`
pub async fn connections(State(app): Hub, Path(env): InEnv) -> Reply<Answer<Connections>> {
    ok(app.connections(at(&env)).await)
}

/// `GET …/connections/{name}`
pub async fn connection(State(app): Hub, Path((p, e, name)): Of) -> Reply<Answer<Connection>> {
    ok(app.connection(at(&(p, e)), &name).await)
}

/// `DELETE …/connections/{name}`
pub async fn delete_connection(State(app): Hub, Extension(by): By, Path((p, e, name)): Of) -> Reply<NoContent> {
    gone(app.delete_connection(&by, at(&(p, e)), &name).await)
}

/// `POST …/connections/{name}/test`
pub async fn test_connection(State(app): Hub, Path((p, e, name)): Of) -> Reply<Answer<ConnectionTest>> {
    ok(app.test_connection(at(&(p, e)), &name).await)
}

/// `GET …/connections/{name}/schema`
pub async fn pull_schema(State(app): Hub, Path((p, e, name)): Of) -> Reply<Answer<PulledSchema>> {
    ok(app.pull_schema(at(&(p, e)), &name).await)
}

/// `POST …/schema/plan`
pub async fn plan_schema(State(app): Hub, Path(env): InEnv, Body(body): Body<PlanBody>) -> Reply<Answer<Plans>> {
    ok(app.plan_schema(at(&env), body).await)
}

/// `PUT …/secrets/{name}`
pub async fn set_secret(
    State(app): Hub,
    Extension(by): By,
    Path((p, e, name)): Of,
    Body(body): Body<Value>,
) -> Reply<Answer<Secret>> {
    ok(app.set_secret(&by, at(&(p, e)), &name, &body.value).await)
}

/// `GET …/secrets`
pub async fn secrets(State(app): Hub, Path(env): InEnv) -> Reply<Answer<Secrets>> {
    ok(app.secrets(at(&env)).await)
}

/// `GET …/secrets/{name}`
pub async fn secret(State(app): Hub, Path((p, e, name)): Of) -> Reply<Answer<Secret>> {
    ok(app.secret(at(&(p, e)), &name).await)
}

/// `DELETE …/secrets/{name}`
pub async fn delete_secret(State(app): Hub, Extension(by): By, Path((p, e, name)): Of) -> Reply<NoContent> {
    gone(app.delete_secret(&by, at(&(p, e)), &name).await)
}

/// `POST …/apikeys`
pub async fn create_api_key(
    State(app): Hub,
    Extension(by): By,
    Path(env): InEnv,
    Body(body): Body<ApiKeyBody>,
) -> Reply<Created<NewApiKey>> {
    made(app.create_api_key(&by, at(&env), body).await)
}

/// `GET …/apikeys`
pub async fn api_keys(State(app): Hub, Path(env): InEnv) -> Reply<Answer<ApiKeys>> {
    ok(app.api_keys(at(&env)).await)
}

/// `GET …/apikeys/{id}`
pub async fn api_key(State(app): Hub, Path((p, e, id)): Of) -> Reply<Answer<ApiKey>> {
    ok(app.api_key(at(&(p, e)), &id).await)
}

/// `DELETE …/apikeys/{id}`
pub async fn revoke_api_key(State(app): Hub, Extension(by): By, Path((p, e, id)): Of) -> Reply<NoContent> {
    gone(app.revoke_api_key(&by, at(&(p, e)), &id).await)
}

/// `POST /v1/service-tokens`
pub async fn create_service_token(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Body(body): Body<ServiceTokenBody>,
) -> Reply<Created<NewServiceToken>> {
    made(app.create_service_token(&by, &who, body).await)
}

/// `GET /v1/service-tokens`
pub async fn service_tokens(State(app): Hub, Extension(who): Asking) -> Reply<Answer<ServiceTokens>> {
    ok(app.service_tokens(&who).await)
}

/// `DELETE /v1/service-tokens/{id}`
pub async fn delete_service_token(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Path(id): Path<String>,
) -> Reply<NoContent> {
    gone(app.delete_service_token(&by, &who, &id).await)
}

/// `HEAD /v1/projects/{project}/blobs/{digest}`
pub async fn has_blob(State(app): Hub, Path((project, text)): InEnv) -> Reply<Exists> {
    if app.wants_no_blob(&project, &digest(&text)?).await? {
        return Ok(Exists);
    }
    Err(Refused(Problem::new(Code::NotFound, "there is no such component")))
}

/// `GET /v1/projects/{project}/blobs/{digest}`
pub async fn blob(State(app): Hub, Path((project, text)): InEnv) -> Reply<Component> {
    let _permit = app.blobs_at_once.acquire().await.map_err(Problem::internal)?;
    Ok(Component(app.blob(&project, &digest(&text)?).await?))
}

/// `PUT /v1/projects/{project}/blobs/{digest}`
pub async fn put_blob(
    State(app): Hub,
    Extension(by): By,
    Path((project, text)): InEnv,
    upload: Upload,
) -> Reply<Created<Blob>> {
    made(app.put_blob(&by, &project, &digest(&text)?, upload.bytes.clone()).await)
}

/// `POST …/apply`. It ends what it has begun, also where the caller goes away.
pub async fn apply(
    State(app): Hub,
    Extension(by): By,
    Path(env): InEnv,
    Body(body): Body<ApplyBody>,
) -> Reply<Answer<Applied>> {
    let task = tokio::spawn(async move { app.apply(&by, at(&env), body).await });
    ok(task.await.map_err(Problem::internal)?)
}

/// `GET …/current`
pub async fn current(State(app): Hub, Path(env): InEnv) -> Reply<Answer<Current>> {
    ok(app.current(at(&env)).await)
}

/// `GET …/bridges`
pub async fn bridges(State(app): Hub, Path(env): InEnv) -> Reply<Answer<Bridges>> {
    ok(app.bridges(at(&env)).await)
}

/// `POST …/bridges/{id}/tokens`
pub async fn bridge_token(
    State(app): Hub,
    Extension(by): By,
    Path((p, e, id)): Of,
    Body(body): Body<BridgeTokenBody>,
) -> Reply<Created<BridgeToken>> {
    made(app.bridge_token(&by, at(&(p, e)), &id, body).await)
}

/// `POST …/bridges/{id}/recordings`
pub async fn recording_token(
    State(app): Hub,
    Extension(by): By,
    Path((p, e, id)): Of,
    Body(body): Body<RecordingTokenBody>,
) -> Reply<Created<BridgeToken>> {
    made(app.recording_token(&by, at(&(p, e)), &id, body).await)
}

/// `GET /v1/projects/{project}/bridges`
pub async fn fleet(State(app): Hub, Path(project): Path<String>) -> Reply<Answer<Fleet>> {
    ok(app.bridges_of(&project).await)
}

/// `GET /v1/projects/{project}/releases`
pub async fn releases(State(app): Hub, Path(project): Path<String>) -> Reply<Answer<Releases>> {
    ok(app.releases(&project).await)
}

/// `GET /v1/projects/{project}/releases/{id}`
pub async fn release(State(app): Hub, Path((project, id)): InEnv) -> Reply<Answer<SignedRelease>> {
    ok(app.signed_release(&project, &id).await)
}
