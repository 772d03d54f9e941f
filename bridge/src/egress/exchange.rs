//! One request and its answer, with the redirects between them: each step is checked as the first one was.

use std::error::Error as _;

use bytes::Bytes;
use reqwest::{
    Body, Client, Method, Response, StatusCode,
    header::{HeaderMap, LOCATION},
};
use santokit_core::logic::HttpGrant;
use santokit_wasm::{HttpError, HttpRequest, HttpResponse, ToldName};

use super::{Terms, fields, resolve::Refused, target::Target};

const REDIRECTS_MAX: usize = 5;
/// Of what a library says to a developer.
const REASON_CHARS_MAX: usize = 200;

/// What was used so far; it is so also where the exchange ends midway.
#[derive(Debug, Default)]
pub(super) struct Used {
    pub(super) requests: u64,
    pub(super) bytes: u64,
}

/// An exchange that goes on.
pub(super) struct Exchange<'e> {
    pub(super) client: Option<&'e Client>,
    pub(super) terms: Terms<'e>,
    pub(super) used: &'e mut Used,
}

/// What is sent at one step.
struct Step {
    method: Method,
    target: Target,
    fields: HeaderMap,
    body: Bytes,
}

impl Exchange<'_> {
    pub(super) async fn run(mut self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let follows = follows(&request.options)?;
        let mut step = Step::first(request)?;
        for _ in 0..=REDIRECTS_MAX {
            step.target.check(self.terms.grants, step.method.as_str())?;
            let span = tracing::Span::current();
            span.record("host", step.target.host()).record("method", step.method.as_str());
            let answer = self.ask(&step).await?;
            span.record("status", i64::from(answer.status().as_u16()));
            match step.next(&answer, follows)? {
                Some(next) => step = next,
                None => return self.read(answer, &step.target).await,
            }
        }
        Err(HttpError::Redirects(format!("more than {REDIRECTS_MAX} redirects")))
    }

    async fn ask(&mut self, step: &Step) -> Result<Response, HttpError> {
        let budget = self.terms.budget;
        if self.used.requests >= budget.requests {
            return Err(HttpError::Requests);
        }
        let bytes = self.used.bytes.saturating_add(step.body.len() as u64);
        if bytes > budget.bytes {
            return Err(HttpError::Bytes);
        }
        self.used.requests += 1;
        self.used.bytes = bytes;
        if let Some(rehearsal) = self.terms.rehearsal {
            return rehearsal.answer(&step.method, step.target.url(), &step.body);
        }
        let client = self.client.ok_or_else(|| HttpError::Unreachable("nothing is sent from here".to_owned()))?;
        let mut request = client.request(step.method.clone(), step.target.url().clone()).headers(step.fields.clone());
        if !step.body.is_empty() {
            request = request.body(Body::from(step.body.clone()));
        }
        let answer = request.send().await.map_err(|error| failed(&error, step.target.host()))?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(HttpError::Answer("the answer wants to go on in another protocol".to_owned()));
        }
        Ok(answer)
    }

    /// Reads to the end, or to the end of what the invocation has left.
    async fn read(self, mut answer: Response, target: &Target) -> Result<HttpResponse, HttpError> {
        let headers = fields::of_answer(answer.headers())?;
        let left = self.terms.budget.bytes.saturating_sub(self.used.bytes);
        if answer.content_length().is_some_and(|length| length > left) {
            return Err(HttpError::Bytes);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| broken(&error))? {
            self.used.bytes = self.used.bytes.saturating_add(chunk.len() as u64);
            if self.used.bytes > self.terms.budget.bytes {
                return Err(HttpError::Bytes);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status: answer.status().as_u16(), headers, body, url: target.url().to_string() })
    }
}

impl Step {
    fn first(request: HttpRequest) -> Result<Self, HttpError> {
        let HttpRequest { method, url, headers, body, .. } = request;
        if !HttpGrant::METHODS.contains(&method.as_str()) {
            let methods = HttpGrant::METHODS.join(", ");
            return Err(HttpError::Invalid(format!("the method is none of {methods}")));
        }
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| HttpError::Invalid(error.to_string()))?;
        if matches!(method, Method::GET | Method::HEAD) && !body.is_empty() {
            return Err(HttpError::Invalid(format!("a {method} has no body")));
        }
        Ok(Self { method, target: Target::parse(&url)?, fields: fields::of_request(headers)?, body: body.into() })
    }

    /// What an answer redirects to, in the way that the fetch standard says.
    fn next(&self, answer: &Response, follows: bool) -> Result<Option<Self>, HttpError> {
        let status = answer.status().as_u16();
        let location =
            answer.headers().get(LOCATION).filter(|_| follows && matches!(status, 301 | 302 | 303 | 307 | 308));
        let Some(location) = location else { return Ok(None) };
        let location = std::str::from_utf8(location.as_bytes());
        let location = location.map_err(|_| HttpError::Answer("the redirect is to no URL".to_owned()))?;
        let target = self.target.redirected(location).map_err(redirected)?;
        let (mut method, mut fields, mut body) = (self.method.clone(), self.fields.clone(), self.body.clone());
        let is_get_now = match status {
            303 => !matches!(method, Method::GET | Method::HEAD),
            301 | 302 => method == Method::POST,
            _ => false,
        };
        if is_get_now {
            (method, body) = (Method::GET, Bytes::new());
            fields::drop_body(&mut fields);
        }
        if !target.has_origin_of(&self.target) {
            fields::drop_credentials(&mut fields);
        }
        Ok(Some(Self { method, target, fields, body }))
    }
}

/// Whether redirects are followed.
fn follows(options: &[(String, String)]) -> Result<bool, HttpError> {
    let mut follows = true;
    for (name, value) in options {
        follows = match (name.as_str(), value.as_str()) {
            ("redirect", "follow") => true,
            ("redirect", "manual") => false,
            ("redirect", _) => return Err(HttpError::Invalid("redirect is follow or manual".to_owned())),
            _ => return Err(HttpError::Invalid(format!("unknown option {}", ToldName(name)))),
        };
    }
    Ok(follows)
}

/// The guest has not chosen it.
fn redirected(error: HttpError) -> HttpError {
    match error {
        HttpError::Invalid(message) => HttpError::Redirects(format!("the redirect is not followed: {message}")),
        other => other,
    }
}

/// Why nothing came back. The reason is the library's innermost one: for the developer, and without the URL.
fn failed(error: &reqwest::Error, host: &str) -> HttpError {
    let mut source = error.source();
    let mut reason = None;
    while let Some(inner) = source {
        if inner.is::<Refused>() {
            let message =
                "is at a private or reserved address; who runs the Bridge can open its network (egressAllowPrivate)";
            return HttpError::Address(format!("{host} {message}"));
        }
        reason = Some(inner.to_string());
        source = inner.source();
    }
    let reason: String = reason.unwrap_or_default().chars().take(REASON_CHARS_MAX).collect();
    if error.is_connect() || error.is_timeout() {
        HttpError::Unreachable(format!("there is no connection to {host}: {reason}"))
    } else {
        HttpError::Answer(format!("{host} gave no answer: {reason}"))
    }
}

fn broken(error: &reqwest::Error) -> HttpError {
    let mut reason = "the body ended early".to_owned();
    let mut source = error.source();
    while let Some(inner) = source {
        reason = inner.to_string();
        source = inner.source();
    }
    HttpError::Answer(reason.chars().take(REASON_CHARS_MAX).collect())
}
