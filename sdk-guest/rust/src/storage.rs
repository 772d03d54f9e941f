//! Objects in the project's buckets. Needs `grants.storage`, which says for which bucket, keys and ops.
//!
//! ```no_run
//! use santokit_guest::prelude::*;
//!
//! # fn f(pdf: Vec<u8>) -> Result<(), LogicError> {
//! let receipts = storage::bucket("receipts");
//! receipts.put("anna/42.pdf").content_type("application/pdf").body(&pdf)?;
//! if let Some(receipt) = receipts.get("anna/42.pdf")? {
//!     log::info("read", &[("bytes", &receipt.body.len().to_string())]);
//! }
//! for object in receipts.list("anna/")? {
//!     log::info("there is", &[("key", &object?.key)]);
//! }
//! # Ok(()) }
//! ```
//!
//! What was written or removed stays so, whatever becomes of the invocation and its transactions.

mod error;
mod list;
mod stream;
mod url;

use crate::bindings::santokit::storage::storage as host;

pub use error::Error;
pub use list::Objects;
pub use stream::{Reader, Writer};
pub use url::{Presign, SignedUrl};

/// Objects of a page of a list.
const PAGE: u32 = 1_000;

/// A bucket by its alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    name: String,
}

/// What is known of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its name, in normal form C.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Another one for each content. For [`Put::only_over`].
    pub etag: String,
    /// As it was said when it was written; `application/octet-stream` where nothing was.
    pub content_type: String,
    /// Milliseconds since 1970, UTC.
    pub modified: u64,
}

/// A whole object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What is known of it.
    pub stat: Stat,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// An object that is not written yet.
#[derive(Debug, Clone)]
#[must_use = "it is written by `body`, or in parts by `stream`"]
pub struct Put<'a> {
    bucket: &'a str,
    key: &'a str,
    options: Vec<(String, String)>,
}

/// A bucket by its alias. Whether it is granted is seen when it is used.
pub fn bucket(name: &str) -> Bucket {
    Bucket { name: name.to_owned() }
}

impl Bucket {
    /// A whole object; none where there is none.
    pub fn get(&self, key: &str) -> Result<Option<Object>, Error> {
        match host::get(&self.name, key) {
            Ok(object) => Ok(Some(Object { stat: object.stat.into(), body: object.body })),
            Err(error) if error.code == "missing" => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What is known of an object; none where there is none.
    pub fn stat(&self, key: &str) -> Result<Option<Stat>, Error> {
        Ok(host::stat(&self.name, key)?.map(Into::into))
    }

    /// An object to be read in parts; it is the same one to the end, also where another is written in its place.
    pub fn open(&self, key: &str) -> Result<Reader, Error> {
        Ok(Reader::new(host::open(&self.name, key)?))
    }

    /// Begins to write an object in the place of what is there.
    pub fn put<'a>(&'a self, key: &'a str) -> Put<'a> {
        Put { bucket: &self.name, key, options: Vec::new() }
    }

    /// Begins a URL at which others read an object, without a credential, until it expires. Whether there is one is not looked at. Needs the op
    /// `presign` beside `get`.
    pub fn presign_get<'a>(&'a self, key: &'a str) -> Presign<'a> {
        Presign::new(&self.name, key, host::presign_get)
    }

    /// Begins a URL at which others put an object. Needs the op `presign` beside `put`.
    pub fn presign_put<'a>(&'a self, key: &'a str) -> Presign<'a> {
        Presign::new(&self.name, key, host::presign_put)
    }

    /// The objects whose keys begin so, in the order of the bytes of their keys.
    pub fn list(&self, prefix: &str) -> Result<Objects, Error> {
        Objects::begin(&self.name, prefix, PAGE)
    }

    /// Removes an object; false where there was none.
    pub fn remove(&self, key: &str) -> Result<bool, Error> {
        Ok(host::remove(&self.name, key, &[])?)
    }

    /// The same, where the object is the one with this etag; [`Error::Precondition`] where it is another.
    pub fn remove_if(&self, key: &str, etag: &str) -> Result<bool, Error> {
        Ok(host::remove(&self.name, key, &[("if-match".to_owned(), etag.to_owned())])?)
    }
}

impl Put<'_> {
    /// What it is, as in `image/png`.
    pub fn content_type(self, content_type: &str) -> Self {
        self.option("content-type", content_type)
    }

    /// Only where there is none; [`Error::Precondition`] where there is.
    pub fn only_new(self) -> Self {
        self.option("if-none-match", "*")
    }

    /// Only in the place of the one with this etag; [`Error::Precondition`] where it is another.
    pub fn only_over(self, etag: &str) -> Self {
        self.option("if-match", etag)
    }

    /// The SHA-256 of all bytes, as hex; [`Error::Checksum`] where they have another.
    pub fn sha256(self, hex: &str) -> Self {
        self.option("sha-256", hex)
    }

    /// Writes it as a whole.
    pub fn body(self, body: &[u8]) -> Result<Stat, Error> {
        Ok(host::put(self.bucket, self.key, body, &self.options)?.into())
    }

    /// Writes it in parts.
    pub fn stream(self) -> Result<Writer, Error> {
        Ok(Writer::new(host::create(self.bucket, self.key, &self.options)?))
    }

    fn option(mut self, name: &str, value: &str) -> Self {
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl From<host::ObjectStat> for Stat {
    fn from(stat: host::ObjectStat) -> Self {
        let host::ObjectStat { key, size, etag, content_type, modified } = stat;
        Self { key, size, etag, content_type, modified }
    }
}
