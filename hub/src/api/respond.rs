//! Answers: JSON bodies, and the bodies of requests read within their bounds.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem, ProblemBody},
};
use santokit_edge::answer::{retry_after, status};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;

/// A refusal. The outermost layer writes its body, for only that knows the request's id.
#[derive(Debug)]
pub struct Refused(pub Box<Problem>);

/// The problem of a response, until its body is written.
#[derive(Clone, Debug)]
pub struct Unwritten(pub Arc<Problem>);

/// A JSON body.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// The bytes of a component, and the right to hold them. The time allowed grows with what was announced.
#[derive(Debug)]
pub struct Upload {
    /// The body.
    pub bytes: Bytes,
    _permit: OwnedSemaphorePermit,
}

/// The body of every refusal.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct Failure {
    /// What is wrong.
    pub error: ProblemBody,
}

/// An answer in JSON.
pub fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
            (status, kind, bytes).into_response()
        }
        Err(error) => Refused(Problem::internal(error)).into_response(),
    }
}

/// The answer of a refusal, with its body. The inside cause goes to the log.
pub fn error(problem: &Problem, request_id: &str) -> Response {
    if let Some(cause) = &problem.cause {
        tracing::error!(requestId = request_id, code = problem.code.as_str(), cause = %Chain(cause.as_ref()), "refused");
    }
    let mut response = json(status(problem.code), &Failure { error: problem.body(request_id) });
    if let Some(wait) = problem.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, retry_after(wait));
    }
    response
}

/// A cause with its own causes, on one line.
struct Chain<'a>(&'a (dyn std::error::Error + Send + Sync + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut inner = self.0.source();
        while let Some(error) = inner {
            write!(f, ": {error}")?;
            inner = error.source();
        }
        Ok(())
    }
}

impl From<Box<Problem>> for Refused {
    fn from(problem: Box<Problem>) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = status(self.0.code).into_response();
        response.extensions_mut().insert(Unwritten(Arc::from(self.0)));
        response
    }
}

impl FromRequest<Arc<App>> for Upload {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refused> {
        let announced =
            request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
        let time = app.body_timeout + app.body_timeout * (announced.unwrap_or_default() >> 20).min(64);
        let permit = app.uploads.clone().acquire_owned().await.map_err(Problem::internal)?;
        Ok(Self { bytes: read(request, time).await?, _permit: permit })
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refused> {
        let bytes = read(request, app.body_timeout).await?;
        // A list would be read as the fields in their order: `[]` as a body that leaves everything out.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            let problem = Problem::new(Code::BadRequest, "the body is a list, and should be an object with fields");
            return Err(Refused(problem));
        }
        // The parser's message could quote a secret: only its place is told, and what kind of error it is.
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let what = if error.is_data() { "does not have the fields that it should" } else { "is no JSON" };
            let message = format!("the body {what} (line {}, column {})", error.line(), error.column());
            Refused(Problem::new(Code::BadRequest, message))
        })
    }
}

async fn read(request: Request, time: Duration) -> Outcome<Bytes> {
    let limited = |message: &str| Problem::limit(Code::BadRequest, "requestBody", message);
    match tokio::time::timeout(time, Bytes::from_request(request, &())).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(limited("the body is too large"))
        }
        Ok(Err(_)) => Err(Problem::new(Code::BadRequest, "the body was cut off")),
        Err(_) => Err(Problem::new(Code::BadRequest, "the body came too slowly")),
    }
}
