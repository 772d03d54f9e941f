//! What stands around every request: its id, its span, its bound on how many run at once, its log line and its metrics, and
//! the last catch for a panic. It reads no credential, no body and no params.

use std::{
    any::Any,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Instant,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt;
use http::{
    HeaderMap, HeaderValue, StatusCode, Version,
    header::{CONNECTION, HOST},
};
use santokit_core::{access::ActorKind, code::Code, problem::Problem};
use santokit_edge::{
    answer::{self, REQUEST_ID},
    telemetry,
};
use tracing::{Instrument, Span, field::Empty};

use super::{
    address,
    respond::{self, Trail},
};
use crate::{app::App, metrics::Metrics};

/// What a client that went away before its answer is logged with; no client ever sees it.
const CLIENT_CLOSED: u16 = 499;

/// The id of a request, for everything that serves it.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// Outermost: request id, trace, log line, metrics, and an answer even after a panic.
pub async fn observe(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = RequestId(answer::request_id(request.headers()).into());
    let template = telemetry::route(&request);
    let method = telemetry::method(request.method());
    let span = span(&id, method, &template, request.headers());
    let mut entry = Entry::begin(app.metrics.clone(), span.clone(), id.clone(), method, template);
    request.extensions_mut().insert(id.clone());
    let from = client_address(&app, &request);
    request.extensions_mut().insert(from);
    name_host(&mut request);
    let is_http1 = request.version() < Version::HTTP_2;
    let served = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span).await;
    let mut response = served.unwrap_or_else(|panic| after_panic(panic.as_ref(), &id));
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    // Who keeps its connection would come back to a Bridge that is about to be gone.
    if is_http1 && app.is_draining() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let trail = response.extensions_mut().remove::<Trail>().unwrap_or_default();
    entry.end(response.status(), &trail);
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
    span: Span,
    id: RequestId,
    method: &'static str,
    template: String,
    started: Instant,
    is_open: bool,
}

impl Entry {
    fn begin(metrics: Arc<Metrics>, span: Span, id: RequestId, method: &'static str, template: String) -> Self {
        Self { metrics, span, id, method, template, started: Instant::now(), is_open: true }
    }

    fn end(&mut self, status: StatusCode, trail: &Trail) {
        self.is_open = false;
        self.write(status.as_u16(), trail);
    }

    fn write(&self, status: u16, trail: &Trail) {
        let took = self.started.elapsed();
        self.metrics.request(&self.template, status, took);
        if let Some(limit) = &trail.limit {
            self.metrics.refused_by(limit);
        }
        record(&self.span, status, trail);
        let _within = self.span.enter();
        let (path, method) = (self.template.as_str(), self.method);
        if telemetry::is_probe(path) {
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
            durationMs = telemetry::milliseconds(took),
            authType = trail.auth_type.map(ActorKind::as_str),
            table = trail.table,
            op = trail.op,
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

/// The root of what is seen of a request, below what its caller sees of it.
fn span(id: &RequestId, method: &'static str, template: &str, headers: &HeaderMap) -> Span {
    if telemetry::is_probe(template) {
        return Span::none();
    }
    let span = tracing::info_span!(
        "bridge.request",
        otel.kind = "server",
        otel.status_code = Empty,
        error.type = Empty,
        http.request.method = method,
        http.route = template,
        http.response.status_code = Empty,
        requestId = %id.0,
        project = Empty,
        env = Empty,
        releaseId = Empty,
        authType = Empty,
        table = Empty,
        op = Empty,
        logic = Empty,
        code = Empty,
    );
    telemetry::follow(&span, headers);
    span
}

fn record(span: &Span, status: u16, trail: &Trail) {
    let code = trail.code.map(Code::as_str);
    telemetry::ended(span, status, Some(code.unwrap_or("INTERNAL_ERROR")));
    span.record("project", &trail.project).record("env", &trail.env).record("releaseId", &trail.release_id);
    span.record("table", &trail.table).record("op", trail.op);
    span.record("authType", trail.auth_type.map(ActorKind::as_str)).record("logic", &trail.logic).record("code", code);
}

/// HTTP/2 names the host beside the headers; who reads them looks for it there. What stands in the target is what was called, whatever
/// a header says (RFC 9112 section 3.2.2, RFC 9113 section 8.3.1).
fn name_host(request: &mut Request) {
    let authority = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if let Some(host) = authority {
        request.headers_mut().insert(HOST, host);
    }
}

/// Every listener gives the address of the connection.
fn client_address(app: &App, request: &Request) -> ClientAddress {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
    ClientAddress(address::client(peer, request.headers(), &app.config.edge.trusted_proxies))
}

/// The panic's text may hold anything: only that it happened is told. The place is on standard error.
fn after_panic(_panic: &(dyn Any + Send), id: &RequestId) -> Response {
    respond::error(&Problem::internal("the request's task panicked"), &id.0)
}
