//! An object that is written: at once where it is small, in parts where it is not, of which one is in memory. The store has it whole, or has
//! not; parts of one that was never finished are given up.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::{Method, header::ETAG};
use rusty_s3::{S3Action, actions::CompleteMultipartUpload};
use santokit_core::{release::Hasher, storage::ObjectKey};
use santokit_wasm::{Condition, ObjectStat, PutOptions, StorageError};

use super::{CONTENT_TYPE, Failure, OWN_EXPIRY, Sent, Store, answer, checksum, client, conditions};
use crate::storage::{now, parts::Parts as PartsThere};

/// The smallest that stores take for one that is not the last.
const PART_BYTES: usize = 5 << 20;

/// An object that is not there yet.
#[derive(Debug)]
pub struct Writer {
    store: Arc<Store>,
    key: ObjectKey,
    name: String,
    options: PutOptions,
    bytes_max: u64,
    size: u64,
    hasher: Hashed,
    part: Vec<u8>,
    parts: Option<Parts>,
    is_broken: bool,
}

/// Does not show what it has read.
struct Hashed(Hasher);

/// An upload in parts; dropped before its end, it is given up.
#[derive(Debug)]
struct Parts {
    store: Arc<Store>,
    name: String,
    id: String,
    etags: Vec<String>,
    is_done: bool,
}

impl Writer {
    pub(super) fn new(
        store: Arc<Store>,
        (key, name): (ObjectKey, String),
        options: PutOptions,
        bytes_max: u64,
    ) -> Self {
        let (hasher, part) = (Hashed(Hasher::new()), Vec::new());
        Self { store, key, name, options, bytes_max, size: 0, hasher, part, parts: None, is_broken: false }
    }

    /// Adds bytes. After an error there is nothing more to do with it.
    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<(), StorageError> {
        if std::mem::replace(&mut self.is_broken, true) {
            return Err(StorageError::Unavailable);
        }
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > self.bytes_max {
            return Err(StorageError::TooLarge(self.bytes_max));
        }
        self.hasher.0.update(&bytes);
        let mut rest = bytes.as_slice();
        while self.part.len() + rest.len() > PART_BYTES {
            let (now, later) = rest.split_at(PART_BYTES - self.part.len());
            self.part.extend_from_slice(now);
            rest = later;
            let part = std::mem::take(&mut self.part);
            self.parts().await?.put(part).await?;
        }
        self.part.extend_from_slice(rest);
        self.is_broken = false;
        Ok(())
    }

    /// Puts it in its place, if what must be true of the one before is.
    pub async fn finish(self) -> Result<ObjectStat, StorageError> {
        // Who waits may stop to; the upload is then finished or given up all the same.
        tokio::spawn(self.place()).await.unwrap_or_else(|error| {
            tracing::error!(error = %error, "an object was not put in its place");
            Err(StorageError::Unavailable)
        })
    }

    async fn place(mut self) -> Result<ObjectStat, StorageError> {
        if self.is_broken {
            return Err(StorageError::Unavailable);
        }
        let digest = std::mem::take(&mut self.hasher.0).digest();
        if self.options.digest.take().is_some_and(|expected| digest != expected) {
            return Err(StorageError::Checksum);
        }
        let part = std::mem::take(&mut self.part);
        let etag = match self.parts.take() {
            None => self.put(part).await?,
            Some(mut parts) => {
                if !part.is_empty() {
                    parts.put(part).await?;
                }
                // Not each store holds to a condition at this step.
                self.need(&self.options.condition).await?;
                parts.complete(self.size, &self.options.condition).await?
            }
        };
        Ok(ObjectStat {
            key: self.key.as_str().to_owned(),
            size: self.size,
            etag,
            content_type: self.content_type().to_owned(),
            modified: now(),
        })
    }

    /// At once.
    async fn put(&self, body: Vec<u8>) -> Result<String, StorageError> {
        let credentials = self.store.place.credentials()?;
        let mut action = self.store.place.own().put_object(Some(&credentials), &self.name);
        let mut headers = conditions(&self.options.condition)?;
        headers.push(("content-type", self.content_type().to_owned()));
        headers.push(("x-amz-checksum-sha256", checksum(&body)));
        for (name, value) in &headers {
            action.headers_mut().insert(*name, value.clone());
        }
        let sent = Sent::new(Method::PUT, action.sign(OWN_EXPIRY)).with(headers).body(Bytes::from(body));
        let answer = self.store.client.send(sent).await.map_err(|failure| self.store.failed("put", &failure))?;
        Ok(client::etag(answer.headers()))
    }

    async fn parts(&mut self) -> Result<&mut Parts, StorageError> {
        if self.parts.is_none() {
            let id = self.store.begin(&self.name, self.content_type()).await?;
            let (store, name) = (Arc::clone(&self.store), self.name.clone());
            self.parts = Some(Parts { store, name, id, etags: Vec::new(), is_done: false });
        }
        self.parts.as_mut().ok_or(StorageError::Unavailable)
    }

    /// Whether a condition holds just now.
    async fn need(&self, condition: &Condition) -> Result<(), StorageError> {
        let holds = match condition {
            Condition::None => true,
            Condition::Absent => self.store.stat(&self.key).await?.is_none(),
            Condition::Is(etag) => self.store.stat(&self.key).await?.is_some_and(|stat| stat.etag == *etag),
        };
        if holds { Ok(()) } else { Err(StorageError::Precondition) }
    }

    fn content_type(&self) -> &str {
        self.options.content_type.as_deref().unwrap_or(CONTENT_TYPE)
    }
}

impl Store {
    /// Begins an upload in parts; its id.
    pub(in crate::storage) async fn begin(&self, name: &str, content_type: &str) -> Result<String, StorageError> {
        let credentials = self.place.credentials()?;
        let mut action = self.place.own().create_multipart_upload(Some(&credentials), name);
        action.headers_mut().insert("content-type", content_type.to_owned());
        let headers = vec![("content-type", content_type.to_owned())];
        let sent = Sent::new(Method::POST, action.sign(OWN_EXPIRY)).with(headers).body(Bytes::new());
        let read = async { answer::upload_id(&client::text(self.client.send(sent).await?).await?) };
        read.await.map_err(|failure: Failure| self.failed("begin", &failure))
    }

    /// What is there of an upload, in the store's pages.
    pub(in crate::storage) async fn parts(&self, name: &str, id: &str) -> Result<PartsThere, StorageError> {
        let (mut parts, mut after) = (PartsThere::new(), None);
        loop {
            let credentials = self.place.credentials()?;
            let mut action = self.place.own().list_parts(Some(&credentials), name, id);
            if let Some(after) = after {
                action.set_part_number_marker(after);
            }
            let sent = Sent::new(Method::GET, action.sign(OWN_EXPIRY));
            let read = async { answer::parts(&client::text(self.client.send(sent).await?).await?) };
            let read: Result<answer::PartsListed, Failure> = read.await;
            let page = match read {
                Ok(page) => page,
                Err(failure) if failure.is_no_upload() => return Err(StorageError::Missing),
                Err(failure) => return Err(self.failed("parts", &failure)),
            };
            let last = page.parts.keys().next_back().copied();
            parts.extend(page.parts);
            match last {
                Some(last) if page.is_truncated && after.is_none_or(|after| after < last) => after = Some(last),
                _ => return Ok(parts),
            }
        }
    }

    /// Puts the parts together, of so many bytes; the etag of the object.
    pub(in crate::storage) async fn complete(
        &self,
        name: &str,
        id: &str,
        (etags, size): (&[String], u64),
        condition: &Condition,
    ) -> Result<String, StorageError> {
        let credentials = self.place.credentials()?;
        let (bucket, parts) = (self.place.own(), etags.len());
        let etags = || etags.iter().map(String::as_str);
        let mut action = CompleteMultipartUpload::new(bucket, Some(&credentials), name, id, etags());
        let headers = conditions(condition)?;
        for (name, value) in &headers {
            action.headers_mut().insert(*name, value.clone());
        }
        let url = action.sign(OWN_EXPIRY);
        let body = CompleteMultipartUpload::new(bucket, Some(&credentials), name, id, etags()).body();
        let sent = Sent::new(Method::POST, url).with(headers).body(Bytes::from(body));
        let read = async { answer::completed(&client::text(self.client.send(sent).await?).await?) };
        let read: Result<String, Failure> = read.await;
        match read {
            Ok(etag) => Ok(client::plain_etag(&etag)),
            // The answer may have been lost, and asked for a second time.
            Err(failure) if failure.is_no_upload() => match self.head(name).await? {
                Some(headers) if is_of_parts(&client::stat("", &headers), parts, size) => Ok(client::etag(&headers)),
                _ => Err(self.failed("complete", &failure)),
            },
            Err(failure) => Err(self.failed("complete", &failure)),
        }
    }

    /// Gives an upload up.
    pub(in crate::storage) async fn abort(&self, name: &str, id: &str) -> Result<(), StorageError> {
        let credentials = self.place.credentials()?;
        let url = self.place.own().abort_multipart_upload(Some(&credentials), name, id).sign(OWN_EXPIRY);
        match self.client.send(Sent::new(Method::DELETE, url)).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_no_upload() => Ok(()),
            Err(failure) => Err(self.failed("abort", &failure)),
        }
    }
}

impl Parts {
    async fn put(&mut self, body: Vec<u8>) -> Result<(), StorageError> {
        let credentials = self.store.place.credentials()?;
        let number = u16::try_from(self.etags.len() + 1).map_err(|_| StorageError::TooLarge(u64::MAX))?;
        let action = self.store.place.own().upload_part(Some(&credentials), &self.name, number, &self.id);
        let sent = Sent::new(Method::PUT, action.sign(OWN_EXPIRY)).body(Bytes::from(body));
        let answer = self.store.client.send(sent).await.map_err(|failure| self.store.failed("part", &failure))?;
        // As it was said, with its quotes.
        let etag = answer.headers().get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let nameless = || self.store.failed("part", &Failure::Answer("a part has no etag".to_owned()));
        let etag = etag.ok_or_else(nameless)?;
        self.etags.push(etag);
        Ok(())
    }

    async fn complete(mut self, size: u64, condition: &Condition) -> Result<String, StorageError> {
        let done = self.store.complete(&self.name, &self.id, (self.etags.as_slice(), size), condition).await?;
        self.is_done = true;
        Ok(done)
    }
}

/// Whether an object can be what so many parts have become: stores write their number behind the digest.
fn is_of_parts(stat: &ObjectStat, parts: usize, size: u64) -> bool {
    let number = stat.etag.rsplit_once('-').and_then(|(_, number)| number.parse().ok());
    stat.size == size && number == Some(parts)
}

impl Drop for Parts {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (store, name, id) = (Arc::clone(&self.store), std::mem::take(&mut self.name), std::mem::take(&mut self.id));
        // What fails is in the log; a store's own rule for uploads that were never finished takes the rest.
        runtime.spawn(async move { store.abort(&name, &id).await });
    }
}

impl std::fmt::Debug for Hashed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hashed")
    }
}
