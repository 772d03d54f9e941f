//! Requests to stores of S3, under the rules of all that the Bridge sends: only to addresses that are public or that the operator has opened, no
//! redirects, no proxies of the environment. What comes back is bounded.

use std::{
    error::Error as _,
    net::IpAddr,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use reqwest::{
    Method, Response, Url,
    header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED},
};
use santokit_wasm::{ObjectStat, StorageError};
use tokio::time::timeout;

use super::{
    PlaceError,
    answer::{self, Refusal},
    origin,
};
use crate::{
    config::{EnvName, Network},
    egress::{self, EgressError, Lookup, Refused, address},
};

/// Of an answer that is not an object.
const ANSWER_BYTES_MAX: usize = 4 << 20;
const ERROR_BYTES_MAX: usize = 64 << 10;
const MESSAGE_CHARS_MAX: usize = 300;
/// Without a byte.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// For all of an answer that is not an object: bytes that come one by one are none too.
const ANSWER_MAX: Duration = Duration::from_mins(1);
/// For what a store cannot do just now.
const TRIES: u32 = 3;
const WAIT: Duration = Duration::from_millis(100);

/// Sends requests to stores.
#[derive(Clone, Debug)]
pub struct Client {
    tls: reqwest::Client,
    /// Without TLS only to what the operator has opened.
    plain: reqwest::Client,
    opened: Vec<Network>,
    /// Whose requests it sends: names are looked up in its places.
    env: Option<EnvName>,
}

/// A request whose URL is signed.
#[derive(Debug)]
pub struct Sent {
    method: Method,
    url: Url,
    headers: Vec<(&'static str, String)>,
    body: Option<Bytes>,
    is_repeatable: bool,
}

/// Why a store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It is not to be connected to.
    #[error("{0} is at a private or reserved address; who runs the Bridge can open its network (storageAllowPrivate)")]
    Address(String),
    /// There is no connection.
    #[error("there is no connection to {host}: {reason}")]
    Connection {
        /// Which.
        host: String,
        /// As the library says it.
        reason: String,
    },
    /// It said no.
    #[error("{status} {code}: {message}")]
    Refused {
        /// Of HTTP.
        status: u16,
        /// As S3 names it.
        code: String,
        /// For people.
        message: String,
        /// When it said so, as it thinks.
        date: Option<String>,
    },
    /// It answered what nobody understands.
    #[error("{0}")]
    Answer(String),
}

impl Client {
    /// Under the operator's rules.
    pub fn new(opened: &[Network], ca_file: Option<&std::path::Path>) -> Result<Self, EgressError> {
        Self::with_lookup(opened, ca_file, &Lookup::system())
    }

    /// With another way to look names up, the same with TLS and without.
    pub(super) fn with_lookup(
        opened: &[Network],
        ca_file: Option<&std::path::Path>,
        lookup: &Lookup,
    ) -> Result<Self, EgressError> {
        let build = |allows: egress::Allows| {
            let builder = egress::client(lookup.clone(), opened.to_vec(), allows, ca_file)?;
            builder.read_timeout(SILENCE_MAX).build().map_err(EgressError::Build)
        };
        let (tls, plain) = (build(address::may_connect)?, build(address::is_opened)?);
        Ok(Self { tls, plain, opened: opened.to_vec(), env: None })
    }

    /// With the same connections, for the stores of an env.
    #[must_use]
    pub fn of(self, env: EnvName) -> Self {
        Self { env: Some(env), ..self }
    }

    /// Whether a store that is named by its address may be spoken to. Names are looked at when they are connected to.
    pub fn check(&self, url: &Url) -> Result<(), PlaceError> {
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let Ok(ip) = host.parse::<IpAddr>() else { return Ok(()) };
        let is_fine = match url.scheme() {
            "https" => address::may_connect(ip, &self.opened),
            _ => address::is_opened(ip, &self.opened),
        };
        if is_fine { Ok(()) } else { Err(PlaceError::Address(origin(url))) }
    }

    /// Sends it; an answer that is no success is a failure. What can be done twice is tried again where the store is busy.
    pub async fn send(&self, sent: Sent) -> Result<Response, Failure> {
        let mut tried = 0;
        loop {
            tried += 1;
            let failure = match self.once(&sent).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if tried >= TRIES || !sent.is_repeatable || !failure.is_passing() {
                return Err(failure);
            }
            tokio::time::sleep(WAIT * 4_u32.pow(tried - 1)).await;
        }
    }

    async fn once(&self, sent: &Sent) -> Result<Response, Failure> {
        let client = if sent.url.scheme() == "https" { &self.tls } else { &self.plain };
        let mut request = client.request(sent.method.clone(), sent.url.clone());
        for (name, value) in &sent.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &sent.body {
            // Of an empty one the library does not say it by itself.
            request = request.header(CONTENT_LENGTH, body.len()).body(body.clone());
        }
        let answer = match &self.env {
            Some(env) => Box::pin(egress::asked_by(env.clone(), request.send())).await,
            None => Box::pin(request.send()).await,
        };
        let answer = answer.map_err(|error| failed(&error, &sent.url))?;
        if answer.status().is_success() { Ok(answer) } else { Err(refused(answer).await) }
    }
}

impl Sent {
    /// Without a body.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: Vec::new(), body: None, is_repeatable: true }
    }

    /// With headers. A condition may hold the first time and not the second: that is not tried again.
    #[must_use]
    pub fn with(self, headers: Vec<(&'static str, String)>) -> Self {
        let is_condition = headers.iter().any(|(name, _)| name.starts_with("if-"));
        let is_repeatable = self.is_repeatable && (!is_condition || self.method == Method::GET);
        Self { headers, is_repeatable, ..self }
    }

    /// With a body.
    #[must_use]
    pub fn body(self, body: Bytes) -> Self {
        Self { body: Some(body), ..self }
    }
}

impl Failure {
    /// Whether there is no such object. A bucket that is missing is another matter, and so is what stands before a store and knows no path.
    pub fn is_missing(&self) -> bool {
        matches!(self, Failure::Refused { status: 404, code, .. } if matches!(code.as_str(), "NoSuchKey" | "NotFound"))
    }

    /// Whether something is missing and nobody said what: an answer to `HEAD` has no body.
    pub(super) fn is_missing_something(&self) -> bool {
        matches!(self, Failure::Refused { status: 404, code, .. } if code.is_empty())
    }

    /// Whether there is no such upload in parts.
    pub(in crate::storage) fn is_no_upload(&self) -> bool {
        matches!(self, Failure::Refused { code, .. } if code == "NoSuchUpload")
    }

    /// What the caller is told as it is.
    pub fn told(&self) -> Option<StorageError> {
        let Failure::Refused { status, code, .. } = self else { return None };
        match (status, code.as_str()) {
            _ if self.is_missing() => Some(StorageError::Missing),
            // Of what is shorter now than it was.
            (412 | 416, _) | (409, "ConditionalRequestConflict") => Some(StorageError::Precondition),
            (_, "BadDigest" | "InvalidDigest" | "XAmzContentChecksumMismatch") => Some(StorageError::Checksum),
            _ => None,
        }
    }

    fn is_passing(&self) -> bool {
        match self {
            Failure::Connection { .. } => true,
            Failure::Refused { status, .. } => matches!(status, 429 | 500 | 502 | 503 | 504),
            Failure::Address(_) | Failure::Answer(_) => false,
        }
    }
}

/// What the headers of an answer say of an object.
pub(super) fn stat(key: &str, headers: &HeaderMap) -> ObjectStat {
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let modified = header(LAST_MODIFIED).and_then(|date| httpdate::parse_http_date(date).ok());
    let modified = modified.and_then(|date| date.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    ObjectStat {
        key: key.to_owned(),
        size: header(CONTENT_LENGTH).and_then(|length| length.parse().ok()).unwrap_or(0),
        etag: etag(headers),
        content_type: header(CONTENT_TYPE).unwrap_or(super::CONTENT_TYPE).to_owned(),
        modified: u64::try_from(modified.as_millis()).unwrap_or(0),
    }
}

/// Without its quotes; empty where none is said.
pub(super) fn etag(headers: &HeaderMap) -> String {
    plain_etag(headers.get(ETAG).and_then(|value| value.to_str().ok()).unwrap_or_default())
}

pub(super) fn plain_etag(etag: &str) -> String {
    etag.trim().trim_start_matches("W/").trim_matches('"').to_owned()
}

/// A body that is no object.
pub(in crate::storage) async fn text(answer: Response) -> Result<String, Failure> {
    let bytes = bounded(answer, ANSWER_BYTES_MAX).await?;
    String::from_utf8(bytes).map_err(|_| Failure::Answer("the answer is no text".to_owned()))
}

async fn bounded(answer: Response, most: usize) -> Result<Vec<u8>, Failure> {
    let late = |_| Failure::Answer(format!("the answer takes longer than {} seconds", ANSWER_MAX.as_secs()));
    timeout(ANSWER_MAX, all(answer, most)).await.map_err(late)?
}

async fn all(mut answer: Response, most: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let url = answer.url().clone();
    while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error, &url))? {
        if body.len() + chunk.len() > most {
            return Err(Failure::Answer(format!("the answer is longer than {most} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

async fn refused(answer: Response) -> Failure {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let date = headers.get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
    let body = bounded(answer, ERROR_BYTES_MAX).await.unwrap_or_default();
    let Refusal { code, message } = answer::refusal(&String::from_utf8_lossy(&body)).unwrap_or_default();
    let message = message.unwrap_or_else(|| status.canonical_reason().unwrap_or_default().to_owned());
    Failure::Refused { status: status.as_u16(), code: code.unwrap_or_default(), message, date }
}

/// The reason is the library's innermost one, and without the URL, which is signed.
fn failed(error: &reqwest::Error, url: &Url) -> Failure {
    let host = origin(url);
    let mut reason = None;
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.is::<Refused>() {
            return Failure::Address(host);
        }
        reason = Some(inner.to_string());
        source = inner.source();
    }
    let reason = reason.unwrap_or_else(|| "it took too long".to_owned());
    Failure::Connection { host, reason: reason.chars().take(MESSAGE_CHARS_MAX).collect() }
}
