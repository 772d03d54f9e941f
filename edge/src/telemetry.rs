//! What telemetry takes from a request: only words of a fixed set and headers of a bounded length, since a client may send anything.

use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use http::{HeaderMap, HeaderName, Method};
use opentelemetry::{global, propagation::Extractor};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// What every vendor must be able to pass on (W3C Trace Context 3.3.1.5); longer ones are left out.
const TRACE_HEADER_BYTES_MAX: usize = 512;

/// Trace headers, as OpenTelemetry's propagator reads them. They are kept with every span, so that their length is bounded.
struct TraceHeaders<'a>(&'a HeaderMap);

impl Extractor for TraceHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok()).filter(|text| text.len() <= TRACE_HEADER_BYTES_MAX)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// Puts a request's span below what its caller sees of it, where somebody collects that.
pub fn follow(span: &Span, headers: &HeaderMap) {
    if !span.is_disabled() {
        // Fails only where no trace is collected.
        drop(span.set_parent(global::get_text_map_propagator(|propagator| propagator.extract(&TraceHeaders(headers)))));
    }
}

/// What came of it. Without a code of ours an error is named by its status.
pub fn ended(span: &Span, status: u16, code: Option<&str>) {
    // An unsigned number would reach the collector as a text.
    span.record("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.record("otel.status_code", "error");
        match code {
            Some(code) => span.record("error.type", code),
            None => span.record("error.type", tracing::field::display(status)),
        };
    }
}

/// As log lines have it: to the microsecond.
pub fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

/// A client may send any word as a method; those that are none are one.
pub fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        _ => "_OTHER",
    }
}

/// The route that took a request, with `{name}` for what takes the rest too; what no route takes is one label, whatever was asked for.
pub fn route(request: &Request) -> String {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().replace("{*", "{"))
}

/// Whether a route is asked so often, whether the process lives, that it would bury what the process does.
pub fn is_probe(route: &str) -> bool {
    matches!(route, "/healthz" | "/readyz" | "/metrics" | "/internal/healthz")
}
