//! URLs that are signed: whoever has one may do what it says, with one object.

use std::time::Duration;

use super::{Error, host};

type Ask = fn(&str, &str, &[(String, String)]) -> Result<host::SignedUrl, host::Error>;

/// A URL that is not signed yet.
#[derive(Debug, Clone)]
#[must_use = "it is signed by `sign`"]
pub struct Presign<'a> {
    bucket: &'a str,
    key: &'a str,
    ask: Ask,
    options: Vec<(String, String)>,
}

/// A URL for one deed with one object. It is a credential: hand it to nobody else, and log it nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedUrl {
    /// Whole.
    pub url: String,
    /// `GET` or `PUT`.
    pub method: String,
    /// What must be sent with it.
    pub headers: Vec<(String, String)>,
    /// When it ends, in milliseconds since 1970, UTC.
    pub expires: u64,
}

impl<'a> Presign<'a> {
    pub(super) fn new(bucket: &'a str, key: &'a str, ask: Ask) -> Self {
        Self { bucket, key, ask, options: Vec::new() }
    }

    /// How long it lives; as long as the env's URLs may where it is not said.
    pub fn expires_in(self, time: Duration) -> Self {
        self.option("expires-in", &time.as_secs().to_string())
    }

    /// To read: the name under which browsers save it, in place of showing it.
    pub fn save_as(self, name: &str) -> Self {
        self.option("save-as", name)
    }

    /// To put: exactly so many bytes. A store of S3 needs it.
    pub fn size(self, bytes: u64) -> Self {
        self.option("size", &bytes.to_string())
    }

    /// To put: what it is, as in `image/png`.
    pub fn content_type(self, content_type: &str) -> Self {
        self.option("content-type", content_type)
    }

    /// To put: the SHA-256 of all bytes, as hex.
    pub fn sha256(self, hex: &str) -> Self {
        self.option("sha-256", hex)
    }

    /// To put: only where there is none.
    pub fn only_new(self) -> Self {
        self.option("if-none-match", "*")
    }

    /// The URL.
    pub fn sign(self) -> Result<SignedUrl, Error> {
        let host::SignedUrl { url, method, headers, expires } = (self.ask)(self.bucket, self.key, &self.options)?;
        Ok(SignedUrl { url, method, headers, expires })
    }

    fn option(mut self, name: &str, value: &str) -> Self {
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }
}
