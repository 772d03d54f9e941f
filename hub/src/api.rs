//! The Hub over HTTP: routes, and who may take them. Who asks is checked here, once for each group of routes; what may be done
//! is decided in `app`.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, header},
    middleware::{Next, from_fn, from_fn_with_state, map_request},
    response::{IntoResponse, Response},
};
use santokit_core::{
    code::Code,
    component::SIZE_BYTES_MAX,
    problem::{Outcome, Problem},
    release::verify::MANIFEST_BYTES_MAX,
};
use santokit_edge::{Route, unread};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::app::{
    App,
    answers::system::Health,
    authority::{Action, Target},
};

pub mod answer;
pub mod audit;
pub mod auth;
pub mod backup;
pub mod bridges;
pub mod canary;
pub mod guarded;
pub mod keys;
pub mod layers;
pub mod openapi;
pub mod operator;
pub mod orgs;
pub mod releases;
pub mod respond;
pub mod status;
pub mod told;
pub mod user_keys;

use answer::{Answer, Metrics};
use guarded::Guarded;
use respond::Refused;
use told::{Documented, Told, Verb};

/// Most bodies are small.
const BODY_BYTES_MAX: usize = 512 << 10;

/// Who gets through to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever asks; `/metrics` looks itself.
    Anyone,
    /// An operator who may do this.
    Operator(Action),
    /// Bridges with a service token.
    Fleet,
}

/// What is answered, by who may ask.
struct Groups {
    /// Anyone, at each listener.
    open: Told,
    /// Operators who have not said yet who they are.
    login: Told,
    /// Operators, as far as each may.
    operator: Guarded,
    /// Bridges with a service token.
    fleet: Told,
}

fn groups() -> Groups {
    Groups {
        // Metrics check a token of their own.
        open: Told::new().get("/healthz", healthz).get("/readyz", readyz).get("/metrics", metrics),
        login: auth::open().get("/v1/openapi.json", openapi::document),
        operator: operator_routes(),
        fleet: Told::new()
            .get("/internal/healthz", healthz)
            .get("/internal/releases/current", bridges::current)
            .get("/internal/releases/{id}", bridges::release)
            .get("/internal/blobs/{digest}", bridges::blob)
            .get("/internal/keys/{project}/{env}", bridges::keys)
            .get("/internal/runtime/{project}/{env}", bridges::runtime)
            .post("/internal/bridges/{id}/report", bridges::report),
    }
}

/// Each with its action, of which `app::authority::actions` has the table.
fn operator_routes() -> Guarded {
    use Action as A;
    use operator as o;
    let at = |rest: &str| format!("/v1/projects/{{project}}/envs/{{env}}{rest}");
    // As a JSON string, a manifest can be twice its size.
    let of_manifest = 2 * MANIFEST_BYTES_MAX + BODY_BYTES_MAX;
    let blob = "/v1/projects/{project}/blobs/{digest}";
    user_keys::add(orgs::add(auth::add(Guarded::new())))
        .post("/v1/projects", A::ProjectCreate, o::create_project)
        .get("/v1/projects", A::ProjectList, o::projects)
        .delete("/v1/projects/{project}", A::ProjectDelete, o::delete_project)
        .post("/v1/projects/{project}/envs", A::EnvCreate, o::create_env)
        .delete(&at(""), A::EnvDelete, o::delete_env)
        .get("/v1/projects/{project}/envs", A::EnvList, o::envs)
        .get(&at("/connections"), A::ConnectionRead, o::connections)
        .put(&at("/connections/{name}"), A::ConnectionSet, o::set_connection)
        .get(&at("/connections/{name}"), A::ConnectionRead, o::connection)
        .delete(&at("/connections/{name}"), A::ConnectionDelete, o::delete_connection)
        .post(&at("/connections/{name}/test"), A::ConnectionTest, o::test_connection)
        .get(&at("/connections/{name}/schema"), A::SchemaPull, o::pull_schema)
        .large((Verb::Post, &at("/schema/plan")), A::SchemaPlan, MANIFEST_BYTES_MAX, o::plan_schema)
        .get(&at("/secrets"), A::SecretList, o::secrets)
        .put(&at("/secrets/{name}"), A::SecretSet, o::set_secret)
        .get(&at("/secrets/{name}"), A::SecretList, o::secret)
        .delete(&at("/secrets/{name}"), A::SecretDelete, o::delete_secret)
        .post(&at("/apikeys"), A::ApiKeyCreate, o::create_api_key)
        .get(&at("/apikeys"), A::ApiKeyList, o::api_keys)
        .get(&at("/apikeys/{id}"), A::ApiKeyList, o::api_key)
        .delete(&at("/apikeys/{id}"), A::ApiKeyRevoke, o::revoke_api_key)
        .get(&at("/current"), A::EnvStatus, o::current)
        .get(&at("/bridges"), A::EnvStatus, o::bridges)
        .post(&at("/bridges/{id}/tokens"), A::BridgeToken, o::bridge_token)
        .post(&at("/bridges/{id}/recordings"), A::RecordingToken, o::recording_token)
        .large((Verb::Post, &at("/apply")), A::SchemaApply, of_manifest, o::apply)
        .post(&at("/promote"), A::ReleasePromote, releases::promote)
        .post(&at("/rollback"), A::ReleaseRollback, releases::rollback)
        .get(&at("/rollback"), A::ReleaseRead, releases::targets)
        .get(&at("/canary"), A::EnvStatus, canary::canary)
        .put(&at("/canary"), A::CanarySet, canary::set)
        .delete(&at("/canary"), A::CanaryAbort, canary::abort)
        .post(&at("/canary/promote"), A::CanaryPromote, canary::promote)
        .post("/v1/service-tokens", A::ServiceTokenCreate, o::create_service_token)
        .get("/v1/service-tokens", A::ServiceTokenList, o::service_tokens)
        .delete("/v1/service-tokens/{id}", A::ServiceTokenDelete, o::delete_service_token)
        .get("/v1/keys", A::KeyList, keys::list)
        .post("/v1/keys", A::KeyRotate, keys::rotate)
        .get("/v1/keys/status", A::KeyStatus, keys::status)
        .post("/v1/keys/{id}/retire", A::KeyRetire, keys::retire)
        .large((Verb::Put, blob), A::BlobPut, SIZE_BYTES_MAX, o::put_blob)
        .head(blob, A::BlobRead, o::has_blob)
        .get(blob, A::BlobRead, o::blob)
        .get("/v1/projects/{project}/bridges", A::EnvStatus, o::fleet)
        .get("/v1/projects/{project}/releases", A::ReleaseRead, o::releases)
        .large((Verb::Post, "/v1/projects/{project}/releases"), A::ReleaseImport, of_manifest, releases::import)
        .get("/v1/projects/{project}/releases/{id}", A::ReleaseRead, o::release)
        .post("/v1/projects/{project}/releases/{id}/signatures", A::ReleaseSign, releases::sign)
        .put("/v1/projects/{project}/releases/{id}/pin", A::ReleasePin, releases::pin)
        .delete("/v1/projects/{project}/releases/{id}/pin", A::ReleaseUnpin, releases::unpin)
        .get("/v1/projects/{project}/ceilings", A::CeilingsRead, releases::ceilings)
        .put("/v1/projects/{project}/ceilings", A::CeilingsSet, releases::set_ceilings)
        .delete("/v1/projects/{project}/ceilings", A::CeilingsClear, releases::clear_ceilings)
        .get("/v1/status", A::HubStatus, status::status)
        .get("/v1/time", A::HubStatus, status::time)
        .post("/v1/backup", A::HubBackup, backup::make)
        .get("/v1/audit", A::AuditRead, audit::entries)
        .get("/v1/audit/head", A::AuditVerify, audit::head)
        .get("/v1/audit/verify", A::AuditVerify, audit::verify)
}

/// What a listener answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// Everything.
    All,
    /// What operators ask, and nothing of what Bridges do.
    Operators,
    /// What Bridges ask, and nothing of what operators do.
    Bridges,
}

/// Everything that a listener answers.
pub fn router(app: Arc<App>, face: Face) -> Router {
    let Groups { open, login, operator, fleet } = groups();
    let mut router = open.router();
    if face != Face::Bridges {
        router = router.merge(login.router()).merge(operator.router(app.clone()));
    }
    if face != Face::Operators {
        router = router.merge(fleet.router().route_layer(from_fn_with_state(app.clone(), need_fleet)));
    }
    router
        .fallback(async || Refused(Problem::new(Code::NotFound, "there is no such path")))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(layers::named))
        .layer(from_fn_with_state(app.clone(), layers::observe))
        .layer(map_request(unread::drain))
        .with_state(app)
}

/// Every route of [`router`].
pub fn routes() -> Vec<Route> {
    access().into_iter().map(|(route, _)| route).collect()
}

/// Every route of [`router`], and who gets through to it.
pub fn access() -> Vec<(Route, Access)> {
    documented().into_iter().map(|(told, access)| (told.route, access)).collect()
}

/// The same with what their handlers take and answer.
fn documented() -> Vec<(Documented, Access)> {
    let Groups { open, login, operator, fleet } = groups();
    let open = [open.list(), login.list()].concat().into_iter().map(|told| (told, Access::Anyone));
    let operator = operator.list().into_iter().map(|(told, action)| (told, Access::Operator(action)));
    let fleet = fleet.list().into_iter().map(|told| (told, Access::Fleet));
    open.chain(operator).chain(fleet).collect()
}

async fn need_fleet(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let found = match bearer(request.headers()) {
        Ok(token) => app.fleet(&token).await,
        Err(problem) => Err(problem),
    };
    match found {
        Ok(fleet) => {
            request.extensions_mut().insert(fleet);
            next.run(request).await
        }
        Err(problem) => Refused(problem).into_response(),
    }
}

fn bearer(headers: &HeaderMap) -> Outcome<String> {
    let sent = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    sent.map(|(_, token)| token.trim().to_owned()).filter(|token| !token.is_empty()).ok_or_else(|| {
        Problem::new(Code::Unauthorized, "a token is needed").hint("send `Authorization: Bearer <token>`")
    })
}

async fn healthz() -> Result<Answer<Health>, Refused> {
    Ok(Answer(Health { status: "ok" }))
}

async fn readyz(State(app): State<Arc<App>>) -> Result<Answer<Health>, Refused> {
    if app.is_stopping() || app.store.read().await.is_err() {
        return Err(Refused(Problem::new(Code::ServiceUnavailable, "the Hub is not ready")));
    }
    Ok(Answer(Health { status: "ready" }))
}

async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Metrics, Refused> {
    let token = bearer(&headers)?;
    let is_scraper = app
        .metrics_token
        .as_ref()
        .is_some_and(|own| bool::from(own.expose_secret().as_bytes().ct_eq(token.as_bytes())));
    if !is_scraper {
        app.authorise(&app.who(&token).await?, Action::MetricsRead, Target::Hub).await?;
    }
    Ok(Metrics(app.metrics.scrape().map_err(Problem::internal)?))
}
