//! Answers: the two shapes of a body, and what an answer says about itself in its headers.

use std::time::Duration;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use santokit_core::{
    access::ActorKind,
    code::Code,
    problem::{Outcome, Problem, ProblemBody},
};
use santokit_edge::answer::{retry_after, status};
use serde::Serialize;

use crate::app::Answer;

/// Names the release that answered.
pub const RELEASE: &str = "x-santokit-release";

/// Says that an earlier request under the same `Idempotency-Key` was answered so.
pub const REPLAYED: &str = "idempotency-replayed";

/// How long a client that was refused for load should wait, where nobody knows how long that lasts.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What became known of a request while it was served: for its headers, its log line and its metrics.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// The project that it is about.
    pub project: Option<String>,
    /// The env that it is about.
    pub env: Option<String>,
    /// The release of the pinned generation.
    pub release_id: Option<String>,
    /// How the caller was authenticated.
    pub auth_type: Option<ActorKind>,
    /// The logic, once it is known to exist.
    pub logic: Option<String>,
    /// The table, once it is known to exist.
    pub table: Option<String>,
    /// What is done to it, or `batch`.
    pub op: Option<&'static str>,
    /// Of the error.
    pub code: Option<Code>,
    /// The limit that was hit.
    pub limit: Option<String>,
}

/// An error's body.
#[derive(Serialize)]
struct Failure {
    error: ProblemBody,
}

/// The answer to a call.
pub fn answer(outcome: Outcome<Answer>, mut trail: Trail, request_id: &str, limit: usize) -> Response {
    let body = outcome.and_then(|answer| {
        let mut body = Vec::with_capacity(answer.data.len() + 64);
        answer.write(&mut body).map_err(Problem::internal)?;
        if body.len() > limit {
            return Err(Problem::limit(
                Code::InternalError,
                "responseBody",
                "the answer is larger than this Bridge allows",
            )
            .hint("ask for less, or raise responseLimit of the Bridge"));
        }
        Ok((body, answer.is_replayed))
    });
    let mut response = match body {
        Ok((body, is_replayed)) => {
            let mut response = json(StatusCode::OK, body);
            if is_replayed {
                response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            }
            response
        }
        Err(problem) => {
            (trail.code, trail.limit) = (Some(problem.code), limit_of(&problem));
            error(&problem, request_id)
        }
    };
    name_release(&trail, response.headers_mut());
    response.extensions_mut().insert(trail);
    response
}

/// Says which release answers.
pub fn name_release(trail: &Trail, headers: &mut HeaderMap) {
    if let Some(value) = trail.release_id.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(RELEASE, value);
    }
}

/// An error's answer. Its inside cause goes to the log, under the request id, and nowhere else. What the caller is told of its own
/// mistake repeats what it sent, so that only the caller sees it.
pub fn error(problem: &Problem, request_id: &str) -> Response {
    let (code, cause) = (problem.code, problem.cause.as_deref().map(|cause| cause as &dyn std::error::Error));
    match (status(code).is_server_error(), cause) {
        (true, _) => {
            tracing::error!(requestId = request_id, %code, reason = problem.message, cause, "the request failed");
        }
        (false, Some(_)) => {
            tracing::warn!(requestId = request_id, %code, cause, "the request was refused");
        }
        (false, None) => {
            tracing::debug!(requestId = request_id, %code, "the request was refused");
        }
    }
    // Text, a code and JSON always serialise.
    let body = serde_json::to_vec(&Failure { error: problem.body(request_id) }).unwrap_or_default();
    let mut response = json(status(code), body);
    let is_worth_repeating = problem.retry_after.is_some();
    if is_worth_repeating || matches!(code, Code::TooManyRequests | Code::ServiceUnavailable) {
        let wait = problem.retry_after.unwrap_or(RETRY_AFTER);
        response.headers_mut().insert(header::RETRY_AFTER, retry_after(wait));
    }
    if code == Code::Unauthorized {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response.extensions_mut().insert(Trail { code: Some(code), limit: limit_of(problem), ..Trail::default() });
    response
}

/// A name of this program's own: what a guest says of its refusals stands deeper.
fn limit_of(problem: &Problem) -> Option<String> {
    problem.details.get("limit").and_then(|limit| limit.as_str()).map(str::to_owned)
}

/// A JSON body that no cache keeps and no browser takes for something else.
pub fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, Body::from(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_its_message_and_never_its_cause() {
        let problem = Problem::internal("password=hunter2");
        let body = serde_json::to_string(&problem.body("req_1")).unwrap();
        assert!(!body.contains("hunter2"));
        assert_eq!(error(&problem, "req_1").status(), 500);
    }
}
