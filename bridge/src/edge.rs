//! The HTTP edge: the routes, and what stands around them. Nothing below it knows HTTP.

use std::sync::Arc;

use axum::{Router, middleware};
use santokit_edge::{Route, Routes, unread};

use crate::app::App;

pub mod address;
pub mod admin;
pub mod auth;
pub mod cors;
mod counting;
pub mod health;
pub mod keys;
pub mod layers;
pub mod mounted;
pub mod objects;
pub mod rate;
pub mod request;
pub mod respond;

/// What applications see, by what stands around it.
struct Groups {
    /// Answers under any load.
    open: Routes<Arc<App>>,
    /// As many at once as there may be.
    calls: Routes<Arc<App>>,
}

fn groups() -> Groups {
    Groups {
        open: Routes::new()
            .get("/healthz", health::healthz)
            .get("/readyz", health::readyz)
            .get("/metrics", health::metrics_with_token)
            .get("/p/{project}/{env}/.well-known/jwks.json", keys::jwks),
        calls: Routes::new()
            .post("/call", request::call)
            .post("/logics/{*name}", request::logic)
            .post("/db/{table}/{op}", request::table)
            .post("/batch", request::batch)
            .post("/events/{topic}/publish", request::publish)
            .any("/http/{*path}", mounted::mounted)
            .any("/p/{project}/{env}/http/{*path}", mounted::mounted)
            .post("/storage/{bucket}/{op}", request::storage)
            .any("/p/{project}/{env}/storage/{bucket}/{*key}", objects::object),
    }
}

fn metrics_group() -> Routes<Arc<App>> {
    Routes::new()
        .get("/metrics", health::metrics)
        .get("/healthz", health::healthz)
        .get("/readyz", health::readyz_in_full)
}

/// What applications see.
pub fn router(app: Arc<App>) -> Router {
    let Groups { open, calls } = groups();
    let calls = calls.router().layer(middleware::from_fn_with_state(app.clone(), layers::admit));
    let router = open
        .router()
        .merge(calls)
        .fallback(request::not_found)
        .method_not_allowed_fallback(request::method_not_allowed);
    router
        .layer(middleware::from_fn_with_state(app.clone(), cors::apply))
        .layer(middleware::from_fn_with_state(app.clone(), layers::observe))
        .layer(middleware::map_request(unread::drain))
        .with_state(app)
}

/// What a scraper sees on its own listener.
pub fn metrics_router(app: Arc<App>) -> Router {
    metrics_group().router().layer(middleware::map_request(unread::drain)).with_state(app)
}

/// Every route of [`router`].
pub fn routes() -> Vec<Route> {
    let Groups { open, calls } = groups();
    [open.list(), calls.list()].concat()
}

/// Every route of [`metrics_router`].
pub fn metrics_routes() -> Vec<Route> {
    metrics_group().list()
}
