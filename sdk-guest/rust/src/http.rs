//! Outbound requests. Needs `grants.http`, which says for which hosts, methods and paths; https only.
//!
//! ```no_run
//! use santokit_guest::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct Charge {
//!     id: String,
//! }
//!
//! # fn f() -> Result<(), LogicError> {
//! let key = secrets::get("STRIPE_KEY")?;
//! let answer = http::post("https://api.stripe.com/v1/charges").bearer(&key).json(&json!({"amount": 300})).send()?;
//! if answer.status() == 402 {
//!     return Err(LogicError::new("CARD_DECLINED", "the card was declined"));
//! }
//! let charge: Charge = answer.ok()?.json()?;
//! # Ok(()) }
//! ```
//!
//! Whatever its status is, an answer is no error; [`Answer::ok`] makes one of it. Nothing is sent while a transaction on SQLite is open.

mod error;

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::santokit::http::http as host;

pub use error::Error;

/// A request that is not sent yet.
#[derive(Clone)]
#[must_use = "it is sent by `send`"]
pub struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    timeout: Option<Duration>,
    options: Vec<(String, String)>,
    /// A body that has no JSON form; told when it is sent.
    mistake: Option<String>,
}

/// What came back, all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    url: String,
}

/// A `GET` of a URL.
pub fn get(url: &str) -> Request {
    request("GET", url)
}

/// A `POST` to a URL.
pub fn post(url: &str) -> Request {
    request("POST", url)
}

/// A `PUT` to a URL.
pub fn put(url: &str) -> Request {
    request("PUT", url)
}

/// A `PATCH` of a URL.
pub fn patch(url: &str) -> Request {
    request("PATCH", url)
}

/// A `DELETE` of a URL.
pub fn delete(url: &str) -> Request {
    request("DELETE", url)
}

/// Any method, in capitals.
pub fn request(method: &str, url: &str) -> Request {
    Request {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout: None,
        options: Vec::new(),
        mistake: None,
    }
}

impl Request {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `Authorization: Bearer …`. It goes to no other host, also where the answer redirects there.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// The body as it is.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The body as JSON, with its `Content-Type`.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.body = bytes,
            Err(error) => self.mistake = Some(format!("the body has no JSON form: {error}")),
        }
        self.header("content-type", "application/json")
    }

    /// For all of it, redirects and the answer's body included; never more than the invocation has left.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The redirect is the answer; otherwise five are followed, each to what is granted.
    pub fn without_redirects(mut self) -> Self {
        self.options.push(("redirect".to_owned(), "manual".to_owned()));
        self
    }

    /// Sends it and reads the whole answer.
    pub fn send(self) -> Result<Answer, Error> {
        if let Some(mistake) = self.mistake {
            return Err(Error::Invalid(mistake));
        }
        let answer = host::send(&host::Request {
            method: self.method,
            url: self.url,
            headers: self.headers,
            body: self.body,
            timeout: self.timeout.map(|timeout| u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX)),
            options: self.options,
        })?;
        Ok(Answer { status: answer.status, headers: answer.headers, body: answer.body, url: answer.url })
    }
}

impl Answer {
    /// 200, 404, …
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is one of success.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Itself where the status is one of success, [`Error::Status`] where not.
    pub fn ok(self) -> Result<Self, Error> {
        if self.is_ok() { Ok(self) } else { Err(Error::Status(self.status)) }
    }

    /// The first header of a name, in whichever letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All headers, names in small letters.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// Of the last request, where redirects were followed.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The body.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body as its own.
    pub fn into_bytes(self) -> Vec<u8> {
        self.body
    }

    /// The body as UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.body).map_err(|error| Error::Decode(error.to_string()))
    }

    /// The body read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::Decode(error.to_string()))
    }
}
