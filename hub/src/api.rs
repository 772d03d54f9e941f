//! The Hub over HTTP: routes, and who may take them. Who asks is checked here, once for each group of routes; what may be done
//! is decided in `app`.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request, State},
    handler::Handler,
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state, map_request},
    response::{IntoResponse, Response},
};
use santokit_core::{
    code::Code,
    component::SIZE_BYTES_MAX,
    problem::{Outcome, Problem},
    release::verify::MANIFEST_BYTES_MAX,
};
use santokit_edge::{Route, Routes, unread};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::{app::App, store::audit::Caller};

pub mod bridges;
pub mod layers;
pub mod operator;
pub mod releases;
pub mod respond;

use respond::Refused;

/// Most bodies are small.
const BODY_BYTES_MAX: usize = 512 << 10;

/// What is answered, by who may ask.
struct Groups {
    /// Anyone.
    open: Routes<Arc<App>>,
    /// Who has the operator's token.
    operator: Routes<Arc<App>>,
    /// Bridges with a service token.
    fleet: Routes<Arc<App>>,
}

fn groups() -> Groups {
    Groups {
        // Metrics check a token of their own.
        open: Routes::new().get("/healthz", healthz).get("/readyz", readyz).get("/metrics", metrics),
        operator: operator_routes(),
        fleet: Routes::new()
            .get("/internal/healthz", healthz)
            .get("/internal/releases/current", bridges::current)
            .get("/internal/releases/{id}", bridges::release)
            .get("/internal/blobs/{digest}", bridges::blob)
            .get("/internal/runtime/{project}/{env}", bridges::runtime)
            .post("/internal/bridges/{id}/report", bridges::report),
    }
}

fn operator_routes() -> Routes<Arc<App>> {
    use operator as o;
    let at = |rest: &str| format!("/v1/projects/{{project}}/envs/{{env}}{rest}");
    // As a JSON string, a manifest can be twice its size.
    let apply = o::apply.layer(DefaultBodyLimit::max(2 * MANIFEST_BYTES_MAX + BODY_BYTES_MAX));
    let import = releases::import.layer(DefaultBodyLimit::max(2 * MANIFEST_BYTES_MAX + BODY_BYTES_MAX));
    let plan = o::plan_schema.layer(DefaultBodyLimit::max(MANIFEST_BYTES_MAX));
    let blob = "/v1/projects/{project}/blobs/{digest}";
    Routes::new()
        .post("/v1/projects", o::create_project)
        .get("/v1/projects", o::projects)
        .post("/v1/projects/{project}/envs", o::create_env)
        .get("/v1/projects/{project}/envs", o::envs)
        .get(&at("/connections"), o::connections)
        .put(&at("/connections/{name}"), o::set_connection)
        .get(&at("/connections/{name}"), o::connection)
        .delete(&at("/connections/{name}"), o::delete_connection)
        .post(&at("/connections/{name}/test"), o::test_connection)
        .get(&at("/connections/{name}/schema"), o::pull_schema)
        .post(&at("/schema/plan"), plan)
        .get(&at("/secrets"), o::secrets)
        .put(&at("/secrets/{name}"), o::set_secret)
        .get(&at("/secrets/{name}"), o::secret)
        .delete(&at("/secrets/{name}"), o::delete_secret)
        .post(&at("/apikeys"), o::create_api_key)
        .get(&at("/apikeys"), o::api_keys)
        .get(&at("/apikeys/{id}"), o::api_key)
        .delete(&at("/apikeys/{id}"), o::revoke_api_key)
        .get(&at("/current"), o::current)
        .get(&at("/bridges"), o::bridges)
        .post(&at("/apply"), apply)
        .post(&at("/promote"), releases::promote)
        .post(&at("/rollback"), releases::rollback)
        .get(&at("/rollback"), releases::targets)
        .post("/v1/service-tokens", o::create_service_token)
        .get("/v1/service-tokens", o::service_tokens)
        .delete("/v1/service-tokens/{id}", o::delete_service_token)
        .get("/v1/keys", o::keys)
        .put(blob, o::put_blob.layer(DefaultBodyLimit::max(SIZE_BYTES_MAX)))
        .head(blob, o::has_blob)
        .get(blob, o::blob)
        .get("/v1/projects/{project}/releases", o::releases)
        .post("/v1/projects/{project}/releases", import)
        .get("/v1/projects/{project}/releases/{id}", o::release)
        .post("/v1/projects/{project}/releases/{id}/signatures", releases::sign)
        .put("/v1/projects/{project}/releases/{id}/pin", releases::pin)
        .delete("/v1/projects/{project}/releases/{id}/pin", releases::unpin)
        .get("/v1/projects/{project}/ceilings", releases::ceilings)
        .put("/v1/projects/{project}/ceilings", releases::set_ceilings)
        .delete("/v1/projects/{project}/ceilings", releases::clear_ceilings)
        .get("/v1/audit", o::audit)
        .get("/v1/audit/verify", o::verify_audit)
}

/// Everything that the Hub answers.
pub fn router(app: Arc<App>) -> Router {
    let Groups { open, operator, fleet } = groups();
    open.router()
        .merge(operator.router().route_layer(from_fn_with_state(app.clone(), need_operator)))
        .merge(fleet.router().route_layer(from_fn_with_state(app.clone(), need_fleet)))
        .fallback(async || Refused(Problem::new(Code::NotFound, "there is no such path")))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(layers::named))
        .layer(from_fn_with_state(app.clone(), layers::observe))
        .layer(map_request(unread::drain))
        .with_state(app)
}

/// Every route of [`router`].
pub fn routes() -> Vec<Route> {
    let Groups { open, operator, fleet } = groups();
    [open.list(), operator.list(), fleet.list()].concat()
}

async fn need_operator(
    State(app): State<Arc<App>>,
    Extension(mut caller): Extension<Caller>,
    mut request: Request,
    next: Next,
) -> Response {
    let found = match bearer(request.headers()) {
        Ok(token) => app.operator(&token).await,
        Err(problem) => Err(problem),
    };
    match found {
        Ok(id) => {
            (caller.actor_id, caller.actor_type) = (id, "operator");
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => Refused(problem).into_response(),
    }
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

async fn healthz() -> Response {
    respond::json(StatusCode::OK, &serde_json::json!({"status": "ok"}))
}

async fn readyz(State(app): State<Arc<App>>) -> Response {
    if app.is_stopping() || app.store.read().await.is_err() {
        return Refused(Problem::new(Code::ServiceUnavailable, "the Hub is not ready")).into_response();
    }
    respond::json(StatusCode::OK, &serde_json::json!({"status": "ready"}))
}

async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Refused> {
    let token = bearer(&headers)?;
    let is_scraper = app
        .metrics_token
        .as_ref()
        .is_some_and(|own| bool::from(own.expose_secret().as_bytes().ct_eq(token.as_bytes())));
    if !is_scraper {
        app.operator(&token).await?;
    }
    let text = app.metrics.scrape().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
