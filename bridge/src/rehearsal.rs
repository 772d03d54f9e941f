//! What a test fixes of a call, and what it sees of it beyond the answer. No request has one: only `stk logic test` makes them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use reqwest::{Method, Response, Url};
use santokit_wasm::{CallError, Fixed, HttpError, LogLine, Seed, Usage};

/// A call that is looked at from inside.
#[derive(Debug, Default)]
pub struct Rehearsal {
    /// The time that rules, statements and the guest see.
    pub now: Option<DateTime<Utc>>,
    /// What the guest's random numbers are made from.
    pub random_seed: Option<u64>,
    /// What outbound requests are answered, the first that fits; none of them is sent.
    pub http: Vec<GivenAnswer>,
    seen: Mutex<Seen>,
}

/// An answer to outbound requests.
#[derive(Clone, Debug)]
pub struct GivenAnswer {
    /// In capitals.
    pub method: String,
    /// The whole of it.
    pub url: String,
    /// Three digits.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// As it comes.
    pub body: Vec<u8>,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// What the guest logged; it is not in the process's own log.
    pub lines: Vec<LogLine>,
    /// What a component used.
    pub usage: Option<Usage>,
    /// Outbound requests: method, URL, body.
    pub requests: Vec<(String, String, Vec<u8>)>,
    /// Why a component has no answer, with the place.
    pub failure: Option<CallError>,
}

impl Rehearsal {
    /// With a clock that stands still and random numbers that repeat, if it says so.
    pub fn new(now: Option<DateTime<Utc>>, random_seed: Option<u64>) -> Self {
        Self { now, random_seed, http: Vec::new(), seen: Mutex::default() }
    }

    /// What was seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn answer(&self, method: &Method, url: &Url, body: &[u8]) -> Result<Response, HttpError> {
        self.seen().requests.push((method.to_string(), url.to_string(), body.to_vec()));
        let is_it = |given: &&GivenAnswer| {
            given.method == method.as_str() && Url::parse(&given.url).is_ok_and(|given| given == *url)
        };
        let given = self.http.iter().find(is_it).ok_or_else(|| {
            HttpError::Unreachable(format!("a test sends nothing, and given.http has no answer to {method} {url}"))
        })?;
        let mut answer = http::Response::builder().status(given.status);
        for (name, value) in &given.headers {
            answer = answer.header(name, value);
        }
        let answer = answer.body(given.body.clone());
        answer.map(Response::from).map_err(|error| HttpError::Answer(format!("given.http: {error}")))
    }

    pub(crate) fn fixed(&self) -> Fixed {
        Fixed { now: self.now.map(Into::into), random_seed: self.random_seed.map(Seed::Number) }
    }
}
