//! The Hub over HTTP: routes, and who may take them. Who asks is checked here, once for each group of routes; what may be done
//! is decided in `app`.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use santokit_core::{
    code::Code,
    component::SIZE_BYTES_MAX,
    problem::{Outcome, Problem},
    release::verify::MANIFEST_BYTES_MAX,
};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::{app::App, store::audit::Caller};

pub mod bridges;
pub mod layers;
pub mod operator;
pub mod respond;

use respond::Refused;

/// Most bodies are small.
const BODY_BYTES_MAX: usize = 512 << 10;

/// Everything that the Hub answers.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .merge(operator_routes(&app))
        .merge(bridge_routes(&app))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(async || Refused(Problem::new(Code::NotFound, "there is no such path")))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(layers::named))
        .layer(from_fn_with_state(app.clone(), layers::observe))
        .with_state(app)
}

fn operator_routes(app: &Arc<App>) -> Router<Arc<App>> {
    use operator as o;
    let env = "/v1/projects/{project}/envs/{env}";
    let at = |rest: &str| format!("{env}{rest}");
    Router::new()
        .route("/v1/projects", post(o::create_project).get(o::projects))
        .route("/v1/projects/{project}/envs", post(o::create_env).get(o::envs))
        .route(&at("/connections"), get(o::connections))
        .route(&at("/connections/{name}"), put(o::set_connection).get(o::connection).delete(o::delete_connection))
        .route(&at("/secrets"), get(o::secrets))
        .route(&at("/secrets/{name}"), put(o::set_secret).get(o::secret).delete(o::delete_secret))
        .route(&at("/apikeys"), post(o::create_api_key).get(o::api_keys))
        .route(&at("/apikeys/{id}"), get(o::api_key).delete(o::revoke_api_key))
        .route(&at("/current"), get(o::current))
        .route(&at("/bridges"), get(o::bridges))
        // As a JSON string, a manifest can be twice its size.
        .route(&at("/apply"), post(o::apply).layer(DefaultBodyLimit::max(2 * MANIFEST_BYTES_MAX + BODY_BYTES_MAX)))
        .route("/v1/service-tokens", post(o::create_service_token).get(o::service_tokens))
        .route("/v1/service-tokens/{id}", delete(o::delete_service_token))
        .route("/v1/keys", get(o::keys))
        .route(
            "/v1/projects/{project}/blobs/{digest}",
            put(o::put_blob).head(o::has_blob).get(o::blob).layer(DefaultBodyLimit::max(SIZE_BYTES_MAX)),
        )
        .route("/v1/projects/{project}/releases", get(o::releases))
        .route("/v1/projects/{project}/releases/{id}", get(o::release))
        .route("/v1/audit", get(o::audit))
        .route("/v1/audit/verify", get(o::verify_audit))
        .route_layer(from_fn_with_state(app.clone(), need_operator))
}

fn bridge_routes(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/internal/healthz", get(healthz))
        .route("/internal/releases/current", get(bridges::current))
        .route("/internal/releases/{id}", get(bridges::release))
        .route("/internal/blobs/{digest}", get(bridges::blob))
        .route("/internal/runtime/{project}/{env}", get(bridges::runtime))
        .route("/internal/bridges/{id}/report", post(bridges::report))
        .route_layer(from_fn_with_state(app.clone(), need_fleet))
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
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.strip_prefix("Bearer "));
    sent.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()).ok_or_else(|| {
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
