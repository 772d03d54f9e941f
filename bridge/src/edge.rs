//! The HTTP edge: the routes, and what stands around them. Nothing below it knows HTTP.

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, post},
};

use crate::app::App;

pub mod auth;
pub mod health;
pub mod layers;
pub mod request;
pub mod respond;

/// What applications see.
pub fn router(app: Arc<App>) -> Router {
    let calls = Router::new()
        .route("/call", post(request::call))
        .route("/logics/{*name}", post(request::logic))
        .layer(middleware::from_fn_with_state(app.clone(), layers::admit));
    let router = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics_with_token))
        .merge(calls)
        .fallback(request::not_found)
        .method_not_allowed_fallback(request::method_not_allowed);
    router.layer(middleware::from_fn_with_state(app.clone(), layers::observe)).with_state(app)
}

/// What a scraper sees on its own listener.
pub fn metrics_router(app: Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(health::metrics))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz_in_full))
        .with_state(app)
}
