//! What stands around every request: its id, its span, its bound on how many run at once, its log line and its metrics, and
//! the last catch for a panic. It reads no credential, no body and no params.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use opentelemetry::{global, propagation::Extractor};
use santokit_core::{
    code::Code,
    id::{Kind, is_acceptable_request_id},
    problem::Problem,
};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::respond::{self, REQUEST_ID, Trail};
use crate::{app::App, metrics::Metrics};

/// What a client that went away before its answer is logged with; no client ever sees it.
const CLIENT_CLOSED: u16 = 499;

/// The id of a request, for everything that serves it.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// Outermost: request id, trace, log line, metrics, and an answer even after a panic.
pub async fn observe(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let template = template(&request);
    let mut entry = Entry::begin(app.metrics.clone(), id.clone(), request.method().clone(), template.clone());
    let span = tracing::info_span!(
        "bridge.request",
        otel.kind = "server",
        requestId = %id.0,
        method = %request.method(),
        path = template,
        status = tracing::field::Empty,
        project = tracing::field::Empty,
        env = tracing::field::Empty,
        releaseId = tracing::field::Empty,
    );
    // Fails only where no trace is collected.
    drop(
        span.set_parent(global::get_text_map_propagator(|propagator| propagator.extract(&Headers(request.headers())))),
    );
    request.extensions_mut().insert(id.clone());
    let served = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
    let mut response = served.unwrap_or_else(|panic| after_panic(panic.as_ref(), &id));
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let trail = response.extensions_mut().remove::<Trail>().unwrap_or_default();
    span.record("status", response.status().as_u16());
    span.record("project", &trail.project).record("env", &trail.env).record("releaseId", &trail.release_id);
    span.in_scope(|| entry.end(response.status(), &trail));
    response
}

/// Bounds how many calls run at once. Health and metrics answer under any load, so they stand outside.
pub async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if let Some(_permit) = app.admit() {
        return next.run(request).await;
    }
    let id = request.extensions().get::<RequestId>().map_or_else(|| Arc::from(""), |id| id.0.clone());
    let problem =
        Problem::limit(Code::TooManyRequests, "concurrentRequests", "this Bridge serves as many requests as it may")
            .hint("try again after the time in Retry-After");
    respond::error(&problem, &id)
}

/// The log line and the metrics of one request. Dropped before its end, it says that the client went away.
struct Entry {
    metrics: Arc<Metrics>,
    id: RequestId,
    method: Method,
    template: String,
    started: Instant,
    is_open: bool,
}

impl Entry {
    fn begin(metrics: Arc<Metrics>, id: RequestId, method: Method, template: String) -> Self {
        Self { metrics, id, method, template, started: Instant::now(), is_open: true }
    }

    fn end(&mut self, status: StatusCode, trail: &Trail) {
        self.is_open = false;
        self.write(status.as_u16(), trail);
    }

    fn write(&self, status: u16, trail: &Trail) {
        let took = self.started.elapsed();
        self.metrics.request(&self.template, status, took);
        let (path, method) = (self.template.as_str(), self.method.as_str());
        if matches!(path, "/healthz" | "/readyz" | "/metrics") {
            tracing::debug!(requestId = %self.id.0, method, path, status, "request");
            return;
        }
        tracing::info!(
            requestId = %self.id.0,
            project = trail.project,
            env = trail.env,
            releaseId = trail.release_id,
            method,
            path,
            status,
            durationMs = milliseconds(took),
            authType = trail.auth_type.map(santokit_core::access::ActorKind::as_str),
            logic = trail.logic,
            code = trail.code.map(Code::as_str),
            "request"
        );
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.is_open {
            self.write(CLIENT_CLOSED, &Trail::default());
        }
    }
}

/// Trace headers, as OpenTelemetry's propagator reads them.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

fn request_id(headers: &HeaderMap) -> RequestId {
    let sent =
        headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|text| is_acceptable_request_id(text));
    RequestId(sent.map_or_else(|| Kind::Request.generate().into(), Arc::from))
}

/// `/logics/{*name}` is `/logics/{name}`; what no route takes is one label, whatever was asked for.
fn template(request: &Request) -> String {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().replace("{*", "{"))
}

/// The panic's text may hold anything: only that it happened is told. The place is on standard error.
fn after_panic(_panic: &(dyn Any + Send), id: &RequestId) -> Response {
    respond::error(&Problem::internal("the request's task panicked"), &id.0)
}
