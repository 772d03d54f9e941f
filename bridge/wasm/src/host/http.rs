//! What an outbound request is, and what becomes of it.

use std::{pin::Pin, time::Duration};

/// An outbound request, as the guest sent it: nothing of it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// In capitals.
    pub method: String,
    /// With its scheme.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Empty where there is none.
    pub body: Vec<u8>,
    /// For all of it.
    pub timeout: Option<Duration>,
    /// Names and values.
    pub options: Vec<(String, String)>,
}

/// What is left of the invocation's limits when a request is sent.
#[derive(Clone, Copy, Debug)]
pub struct HttpBudget {
    /// Requests; each redirect is one more.
    pub requests: u64,
    /// Bytes of bodies.
    pub bytes: u64,
}

/// Sends one request, under the terms of the invocation that asked for it.
pub type SendOut = Box<dyn FnOnce(HttpRequest, HttpBudget) -> Pin<Box<dyn Future<Output = HttpDone> + Send>> + Send>;

/// What a request came to, and what it used.
#[derive(Debug)]
pub struct HttpDone {
    /// The answer, or why there is none.
    pub answer: Result<HttpResponse, HttpError>,
    /// Requests that were sent.
    pub requests: u64,
    /// Bytes of bodies that went either way.
    pub bytes: u64,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// Of the last request.
    pub status: u16,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
    /// Of the last request.
    pub url: String,
}

/// Why there is no answer; the cases are the codes of `santokit:http/http.error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// Not granted.
    Denied(String),
    /// The host is at an address that is never connected to.
    Address(String),
    /// Not acceptable as it stands.
    Invalid(String),
    /// A write transaction on `SQLite` is open.
    Transaction(String),
    /// Ran into its time limit.
    Timeout(String),
    /// No such host, no connection, or no trust.
    Unreachable(String),
    /// Too many redirects.
    Redirects(String),
    /// What came is no acceptable answer.
    Answer(String),
    /// The invocation has no requests left.
    Requests,
    /// The invocation has no bytes left.
    Bytes,
}

impl HttpError {
    /// As the guest sees it.
    pub const fn code(&self) -> &'static str {
        match self {
            HttpError::Denied(_) => "denied",
            HttpError::Address(_) => "address",
            HttpError::Invalid(_) => "invalid",
            HttpError::Transaction(_) => "transaction",
            HttpError::Timeout(_) => "timeout",
            HttpError::Unreachable(_) => "unreachable",
            HttpError::Redirects(_) => "redirects",
            HttpError::Answer(_) => "answer",
            HttpError::Requests | HttpError::Bytes => "limit",
        }
    }

    /// By the grant, or by where the address leads.
    pub(crate) const fn is_denied(&self) -> bool {
        matches!(self, HttpError::Denied(_) | HttpError::Address(_))
    }
}
