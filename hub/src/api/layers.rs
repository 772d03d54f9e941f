//! What stands around every request: its id, its span, its log line and metrics, the body of a refusal, and the last catch for
//! a panic. It reads no credential and no body.

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use santokit_core::{code::Code, problem::Problem};
use santokit_edge::{
    answer::{self, REQUEST_ID},
    telemetry,
};
use tracing::{Instrument, Span, field::Empty};

use super::respond::{self, Refused, Unwritten};
use crate::{app::App, store::audit::Caller};

/// Outermost.
pub async fn observe(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = answer::request_id(request.headers());
    let ip = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_string());
    let (path, method, started) = (telemetry::route(&request), telemetry::method(request.method()), Instant::now());
    let caller = Caller { actor_id: "anonymous".to_owned(), actor_type: "system", request_id: id.clone(), ip };
    request.extensions_mut().insert(caller);
    let span = span(&id, method, &path, request.headers());
    let served = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
    // The panic's text may hold anything: only that it happened is told.
    let response = served.unwrap_or_else(|_| Refused(Problem::internal("the request's task panicked")).into_response());
    let mut response = span.in_scope(|| written(response, &id));
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let (status, took) = (response.status().as_u16(), started.elapsed());
    telemetry::ended(&span, status, None);
    app.metrics.request(&path, status, took);
    let _entered = span.enter();
    if telemetry::is_probe(&path) || status == 304 {
        tracing::debug!(requestId = id, method, path, status, "request");
    } else {
        tracing::info!(requestId = id, method, path, status, durationMs = telemetry::milliseconds(took), "request");
    }
    response
}

/// What the router itself refuses (a method, a path that is no text) gets a body like any other refusal.
pub async fn named(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let is_ours = response.extensions().get::<Unwritten>().is_some();
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => {
            let mut named =
                Refused(Problem::new(Code::BadRequest, "the path does not take this method")).into_response();
            *named.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            if let Some(allow) = response.headers().get("allow") {
                named.headers_mut().insert("allow", allow.clone());
            }
            named
        }
        StatusCode::BAD_REQUEST if !is_ours => {
            Refused(Problem::new(Code::BadRequest, "the path or the query cannot be read")).into_response()
        }
        _ => response,
    }
}

fn written(mut response: Response, id: &str) -> Response {
    match response.extensions_mut().remove::<Unwritten>() {
        Some(Unwritten(problem)) => {
            let mut answer = respond::error(&problem, id);
            // The catalogue has no code of its own for it, as the Bridge has none.
            if response.status() == StatusCode::METHOD_NOT_ALLOWED {
                *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            }
            answer.headers_mut().extend(
                response
                    .headers_mut()
                    .drain()
                    .filter_map(|(name, value)| Some((name?, value)))
                    .filter(|(name, _)| name == "allow"),
            );
            answer
        }
        None => response,
    }
}

fn span(id: &str, method: &'static str, path: &str, headers: &HeaderMap) -> Span {
    if telemetry::is_probe(path) {
        return Span::none();
    }
    let span = tracing::info_span!(
        "hub.request",
        otel.kind = "server",
        otel.status_code = Empty,
        error.type = Empty,
        http.request.method = method,
        http.route = path,
        http.response.status_code = Empty,
        requestId = id,
    );
    telemetry::follow(&span, headers);
    span
}
