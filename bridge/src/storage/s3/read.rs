//! An object that is read as it comes: one request where it is read in order, another one where it is read elsewhere. It is the same object to
//! the end, or it is said that it is not.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::Response;
use santokit_wasm::StorageError;
use tokio::sync::Mutex;

use super::{Store, client};

/// Connections that may break within one read.
const TRIES: usize = 3;

/// An object that is open.
#[derive(Debug)]
pub struct Reader {
    store: Arc<Store>,
    name: String,
    /// None where the store says none: then nothing can be compared.
    etag: Option<String>,
    at: Mutex<Option<Stream>>,
}

/// What comes.
#[derive(Debug)]
struct Stream {
    answer: Response,
    /// Of the next byte.
    offset: u64,
    /// Has come and was not asked for.
    rest: Bytes,
}

impl Reader {
    pub(super) fn new(store: Arc<Store>, name: String, etag: Option<String>, answer: Response) -> Self {
        let stream = Stream { answer, offset: 0, rest: Bytes::new() };
        Self { store, name, etag, at: Mutex::new(Some(stream)) }
    }

    /// So many bytes from a place on.
    pub async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, StorageError> {
        let mut bytes = Vec::with_capacity(length);
        if length == 0 {
            return Ok(bytes);
        }
        let mut at = self.at.lock().await;
        for _ in 0..TRIES {
            let next = offset.saturating_add(bytes.len() as u64);
            let mut stream = match at.take() {
                Some(stream) if stream.offset == next => stream,
                _ => self.reopen(next).await?,
            };
            match stream.fill(&mut bytes, length).await {
                Ok(()) if bytes.len() == length => {
                    *at = Some(stream);
                    return Ok(bytes);
                }
                Ok(()) => {}
                // What has come is kept; the rest is asked for anew.
                Err(error) => {
                    tracing::debug!(error = %error.without_url(), "an object broke off while it was read");
                }
            }
        }
        tracing::error!(bucket = self.store.place.alias(), "an object cannot be read to its end");
        Err(StorageError::Unavailable)
    }

    async fn reopen(&self, offset: u64) -> Result<Stream, StorageError> {
        let answer = self.store.get(&self.name, Some((offset, self.etag.as_deref()))).await?;
        // Not each store looks at If-Match, or at Range.
        let found = client::etag(answer.headers());
        if self.etag.as_ref().is_some_and(|etag| *etag != found) {
            return Err(StorageError::Precondition);
        }
        if offset > 0 && answer.status() != reqwest::StatusCode::PARTIAL_CONTENT {
            tracing::error!(bucket = self.store.place.alias(), "the store does not give parts of objects");
            return Err(StorageError::Unavailable);
        }
        Ok(Stream { answer, offset, rest: Bytes::new() })
    }
}

impl Stream {
    /// Up to a length. An end before it is an error.
    async fn fill(&mut self, bytes: &mut Vec<u8>, length: usize) -> Result<(), reqwest::Error> {
        while bytes.len() < length {
            if self.rest.is_empty() {
                match self.answer.chunk().await? {
                    Some(chunk) => self.rest = chunk,
                    // The library has counted: it is shorter than it was said to be.
                    None => return Ok(()),
                }
            }
            let taken = self.rest.split_to(self.rest.len().min(length - bytes.len()));
            self.offset = self.offset.saturating_add(taken.len() as u64);
            bytes.extend_from_slice(&taken);
        }
        Ok(())
    }
}
