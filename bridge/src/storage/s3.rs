//! Objects in a store that speaks S3. What clients do there, they do at URLs that are signed here, without asking the store; what guests do, the
//! Bridge does for them. A key has the env's prefix before it, always, so that no key leads to another env.
//!
//! Stores differ in what they hold to: a condition is given to the store, and what it answers is looked at again.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::DateTime;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, Url, header::HeaderMap};
use rusty_s3::S3Action;
use santokit_core::storage::{ObjectKey, ObjectPrefix};
use santokit_wasm::{Condition, ObjectPage, ObjectStat, PutOptions, StorageError};

pub(super) mod answer;
pub mod client;
mod place;
mod read;
pub(super) mod trial;
mod write;

use super::signed::{Deed, Size, Upload};
pub use client::Client;
pub(super) use client::{Failure, Sent};
pub use place::{Place, PlaceError, Secrets};
pub use read::Reader;
pub use write::Writer;

pub(super) const CONTENT_TYPE: &str = "application/octet-stream";
/// As every S3 has it, with what stands before the key.
const NAME_BYTES_MAX: usize = 1_024;
/// What the Bridge does itself it does at once.
pub(super) const OWN_EXPIRY: Duration = Duration::from_mins(15);
/// Pages of the store that one page of ours may take, where others have put what is no key.
const PAGES_MAX: usize = 20;

/// A bucket of an env.
#[derive(Debug)]
pub struct Store {
    pub(super) place: Place,
    pub(super) client: Client,
}

/// A URL for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presigned {
    /// With everything that is signed.
    pub url: String,
    /// What must be sent with it, and is not sent by itself.
    pub headers: Vec<(&'static str, String)>,
}

impl Store {
    pub(super) fn new(place: Place, client: Client) -> Self {
        Self { place, client }
    }

    /// A URL for one deed, for so long. An upload must say its size: a store cannot be told a maximum.
    pub(super) fn presign(&self, key: &ObjectKey, deed: &Deed, lives: Duration) -> Result<Presigned, StorageError> {
        let (name, credentials) = (self.name(key)?, self.place.credentials()?);
        let bucket = self.place.public();
        Ok(match deed {
            Deed::Get { save_as } => {
                let mut action = bucket.get_object(Some(&credentials), &name);
                if let Some(save_as) = save_as {
                    // RFC 8187, as the Bridge sends it for objects of its own.
                    let escaped = utf8_percent_encode(save_as, NON_ALPHANUMERIC);
                    let value = format!("attachment; filename*=UTF-8''{escaped}");
                    action.query_mut().insert("response-content-disposition", value);
                }
                Presigned { url: action.sign(lives).into(), headers: Vec::new() }
            }
            Deed::Part { .. } => return Err(StorageError::Unavailable),
            Deed::Put(upload) => {
                let mut action = bucket.put_object(Some(&credentials), &name);
                for (name, value) in bound(upload)? {
                    action.headers_mut().insert(name, value);
                }
                let headers = bound(upload)?.into_iter().filter(|(name, _)| *name != "content-length").collect();
                Presigned { url: action.sign(lives).into(), headers }
            }
        })
    }

    pub(super) async fn stat(&self, key: &ObjectKey) -> Result<Option<ObjectStat>, StorageError> {
        let name = self.name(key)?;
        Ok(self.head(&name).await?.map(|headers| client::stat(key.as_str(), &headers)))
    }

    /// What a store says of an object without it. That there is none it cannot say in a way that a bucket which is gone, or whatever stands before
    /// it, would not say too: it is asked for a list.
    async fn head(&self, name: &str) -> Result<Option<HeaderMap>, StorageError> {
        let credentials = self.place.credentials()?;
        for is_last in [false, true] {
            let url = self.place.own().head_object(Some(&credentials), name).sign(OWN_EXPIRY);
            let failure = match self.client.send(Sent::new(Method::HEAD, url)).await {
                Ok(answer) => return Ok(Some(answer.headers().clone())),
                Err(failure) if failure.is_missing() => return Ok(None),
                Err(failure) => failure,
            };
            if !failure.is_missing_something() {
                return Err(self.failed("stat", &failure));
            }
            let listed = self.page(name, None, 1).await?;
            if listed.objects.iter().all(|object| object.key != name) {
                return Ok(None);
            }
            // It may have been put between the two.
            if is_last {
                return Err(self.failed("stat", &failure));
            }
        }
        Ok(None)
    }

    pub(super) async fn open(self: &Arc<Self>, key: &ObjectKey) -> Result<(Reader, ObjectStat), StorageError> {
        let name = self.name(key)?;
        let answer = self.get(&name, None).await?;
        let stat = client::stat(key.as_str(), answer.headers());
        let etag = Some(stat.etag.clone()).filter(|etag| !etag.is_empty());
        Ok((Reader::new(Arc::clone(self), name, etag, answer), stat))
    }

    pub(super) fn create(
        self: &Arc<Self>,
        key: ObjectKey,
        options: PutOptions,
        bytes_max: u64,
    ) -> Result<Writer, StorageError> {
        let name = self.name(&key)?;
        Ok(Writer::new(Arc::clone(self), (key, name), options, bytes_max))
    }

    /// What is no key of ours is passed over: others may write to the bucket too.
    pub(super) async fn list(
        &self,
        prefix: &ObjectPrefix,
        after: Option<&ObjectKey>,
        limit: u32,
    ) -> Result<ObjectPage, StorageError> {
        let limit = limit as usize;
        let mut objects: Vec<ObjectStat> = Vec::new();
        let mut last = after.map(|key| format!("{}{key}", self.place.prefix()));
        for _ in 0..PAGES_MAX {
            // One more, so that the end is known.
            let begins = format!("{}{}", self.place.prefix(), prefix.as_str());
            let page = self.page(&begins, last.as_deref(), limit + 1 - objects.len()).await?;
            let next = page.objects.last().map(|object| object.key.clone());
            // Whoever goes on from there would never come to an end.
            if next.is_some() && next <= last {
                return Err(self.failed("list", &Failure::Answer("a list goes on with what was before".to_owned())));
            }
            let is_end = !page.is_truncated() || next.is_none();
            last = next;
            objects.extend(page.objects.iter().filter_map(|object| self.listed(prefix, object)));
            if objects.len() > limit || is_end {
                let is_more = objects.len() > limit;
                objects.truncate(limit);
                let next = objects.last().map(|object| object.key.clone()).filter(|_| is_more);
                return Ok(ObjectPage { objects, next });
            }
        }
        tracing::error!(
            bucket = self.place.alias(),
            "a list is of names that are no keys: others write to this bucket of S3"
        );
        Err(StorageError::Unavailable)
    }

    /// A store answers the same whether there was one; so it is asked before.
    pub(super) async fn remove(&self, key: &ObjectKey, condition: &Condition) -> Result<bool, StorageError> {
        let found = self.stat(key).await?;
        match (condition, &found) {
            (Condition::Is(etag), Some(stat)) if *etag == stat.etag => {}
            (Condition::Is(_), _) | (Condition::Absent, Some(_)) => return Err(StorageError::Precondition),
            (Condition::None | Condition::Absent, None) => return Ok(false),
            (Condition::None, Some(_)) => {}
        }
        let (name, credentials) = (self.name(key)?, self.place.credentials()?);
        let mut action = self.place.own().delete_object(Some(&credentials), &name);
        let headers = conditions(condition)?;
        for (name, value) in &headers {
            action.headers_mut().insert(*name, value.clone());
        }
        let sent = Sent::new(Method::DELETE, action.sign(OWN_EXPIRY)).with(headers);
        match self.client.send(sent).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_missing() => Ok(false),
            Err(failure) => Err(self.failed("delete", &failure)),
        }
    }

    /// All of it from a place on, if it is still the one with an etag.
    async fn get(&self, name: &str, from: Option<(u64, Option<&str>)>) -> Result<reqwest::Response, StorageError> {
        let credentials = self.place.credentials()?;
        let mut action = self.place.own().get_object(Some(&credentials), name);
        let mut headers = Vec::new();
        if let Some((offset, etag)) = from {
            headers.push(("range", format!("bytes={offset}-")));
            if let Some(etag) = etag {
                headers.extend(conditions(&Condition::Is(etag.to_owned()))?);
            }
        }
        for (name, value) in &headers {
            action.headers_mut().insert(*name, value.clone());
        }
        let sent = Sent::new(Method::GET, action.sign(OWN_EXPIRY)).with(headers);
        self.client.send(sent).await.map_err(|failure| self.failed("get", &failure))
    }

    /// Of names in the store.
    async fn page(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<answer::Listed, StorageError> {
        let credentials = self.place.credentials()?;
        let mut action = self.place.own().list_objects_v2(Some(&credentials));
        action.with_prefix(prefix.to_owned());
        action.with_max_keys(limit.min(1_000));
        if let Some(after) = after {
            action.with_start_after(after.to_owned());
        }
        let sent = Sent::new(Method::GET, action.sign(OWN_EXPIRY));
        let read = async { answer::listed(&client::text(self.client.send(sent).await?).await?) };
        read.await.map_err(|failure: Failure| self.failed("list", &failure))
    }

    /// None where it is not what was asked for: a list is granted for a folder, and a store may not hold to one.
    fn listed(&self, prefix: &ObjectPrefix, object: &answer::Object) -> Option<ObjectStat> {
        let text = object.key.strip_prefix(self.place.prefix())?;
        let text = Some(text).filter(|text| text.starts_with(prefix.as_str()))?;
        let key = ObjectKey::parse(text).ok().filter(|key| key.as_str() == text)?;
        let modified = object.modified.as_deref().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
        Some(ObjectStat {
            key: key.as_str().to_owned(),
            size: object.size,
            etag: client::plain_etag(&object.etag),
            // A list does not say it.
            content_type: String::new(),
            modified: modified.and_then(|time| u64::try_from(time.timestamp_millis()).ok()).unwrap_or(0),
        })
    }

    /// As the store names an object.
    pub(super) fn name(&self, key: &ObjectKey) -> Result<String, StorageError> {
        let name = format!("{}{key}", self.place.prefix());
        if name.len() > NAME_BYTES_MAX {
            let most = NAME_BYTES_MAX - self.place.prefix().len();
            return Err(StorageError::Invalid(format!("a key of this bucket has {most} bytes at most")));
        }
        Ok(name)
    }

    /// What went wrong, for the caller; why, for the log.
    pub(super) fn failed(&self, op: &'static str, failure: &Failure) -> StorageError {
        if let Some(error) = failure.told() {
            return error;
        }
        let alias = self.place.alias();
        tracing::error!(bucket = alias, op, error = %failure, "a store of S3 does not do what is asked: see stk storage test");
        StorageError::Unavailable
    }
}

/// What an upload must be, as headers that are signed: the store refuses what differs.
fn bound(upload: &Upload) -> Result<Vec<(&'static str, String)>, StorageError> {
    let Size::Exactly(bytes) = upload.size else {
        return Err(StorageError::Invalid("size: an upload to this bucket says how many bytes it has".to_owned()));
    };
    let mut headers = vec![("content-length", bytes.to_string())];
    headers.extend(upload.content_type.clone().map(|kind| ("content-type", kind)));
    if let Some(sha256) = &upload.sha256 {
        headers.push(("x-amz-checksum-sha256", checksum_of(sha256)?));
    }
    if upload.is_new {
        headers.push(("if-none-match", "*".to_owned()));
    }
    Ok(headers)
}

/// As a store is asked.
fn conditions(condition: &Condition) -> Result<Vec<(&'static str, String)>, StorageError> {
    Ok(match condition {
        Condition::None => Vec::new(),
        Condition::Absent => vec![("if-none-match", "*".to_owned())],
        // What no header can say is the etag of nothing.
        Condition::Is(etag) if etag.is_empty() || !etag.bytes().all(|byte| matches!(byte, b'!' | b'#'..=b'~')) => {
            return Err(StorageError::Precondition);
        }
        Condition::Is(etag) => vec![("if-match", format!("\"{etag}\""))],
    })
}

/// SHA-256 of bytes, as S3 writes it.
fn checksum(bytes: &[u8]) -> String {
    STANDARD.encode(digest::digest(&digest::SHA256, bytes))
}

/// The same from hexadecimal digits.
fn checksum_of(hex: &str) -> Result<String, StorageError> {
    let digits = hex
        .as_bytes()
        .chunks(2)
        .map(|two| std::str::from_utf8(two).ok().and_then(|two| u8::from_str_radix(two, 16).ok()));
    let bytes: Option<Vec<u8>> = digits.collect();
    bytes
        .map(|bytes| STANDARD.encode(bytes))
        .ok_or_else(|| StorageError::Invalid("sha256: 64 hexadecimal digits".to_owned()))
}

/// The scheme, host and port of a URL, for people.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests;
