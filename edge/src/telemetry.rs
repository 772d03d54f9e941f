//! What telemetry takes from a request: only words of a fixed set and headers of a bounded length, since a client may send anything.

use axum::extract::{MatchedPath, Request};
use http::{HeaderMap, HeaderName, Method};
use opentelemetry::propagation::Extractor;

/// What every vendor must be able to pass on (W3C Trace Context 3.3.1.5); longer ones are left out.
const TRACE_HEADER_BYTES_MAX: usize = 512;

/// Trace headers, as OpenTelemetry's propagator reads them. They are kept with every span, so that their length is bounded.
#[derive(Debug)]
pub struct TraceHeaders<'a>(pub &'a HeaderMap);

impl Extractor for TraceHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok()).filter(|text| text.len() <= TRACE_HEADER_BYTES_MAX)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
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
