//! `santokit:storage`: counts bytes, reads options and keeps the guest's handles. Which objects may be touched, and where they are, is the
//! host's matter.

use santokit_core::limit::LimitName;
use wasmtime::component::Resource;

use crate::{
    bindings::santokit::storage::storage::{
        Error, Host as Storage, HostReader, HostWriter, Object, ObjectStat as Stat, Page, SignedUrl as Url,
    },
    host::{self, Host, StorageError, UrlAsked},
    state::{ReaderHandle, State, WriterHandle},
};

mod options;

/// Bytes that go over the border at once, where an object is read or written in parts.
const PART_BYTES_MAX: usize = 1 << 20;
/// Objects of a page.
const PAGE_MAX: u32 = 1_000;
/// The largest name that is looked up.
const BUCKET_BYTES_MAX: usize = 100;
/// The largest text that is read as a key. What is no key is told by the host.
const KEY_BYTES_MAX: usize = 8 << 10;

type Answer<T> = wasmtime::Result<Result<T, Error>>;
type Pairs = Vec<(String, String)>;

impl<H: Host> Storage for State<H> {
    async fn get(&mut self, bucket: String, key: String) -> Answer<Object> {
        self.enter("storage")?;
        let answer = self.whole(bucket, key).await?;
        Ok(answer.map_err(|error| self.storage_error(error)))
    }

    async fn stat(&mut self, bucket: String, key: String) -> Answer<Option<Stat>> {
        self.enter("storage")?;
        let answer = match names(&bucket, &key) {
            Ok(()) => self.host()?.storage_stat(bucket, key).await,
            Err(error) => Err(error),
        };
        Ok(answer.map(|found| found.map(stat)).map_err(|error| self.storage_error(error)))
    }

    async fn open(&mut self, bucket: String, key: String) -> Answer<Resource<ReaderHandle>> {
        self.enter("storage")?;
        let opened = match names(&bucket, &key) {
            Ok(()) => self.host()?.storage_open(bucket, key).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok((id, stat)) => Ok(Ok(self.keep(ReaderHandle { id, stat })?)),
            Err(error) => Ok(Err(self.storage_error(error))),
        }
    }

    async fn put(&mut self, bucket: String, key: String, body: Vec<u8>, options: Pairs) -> Answer<Stat> {
        self.enter("storage")?;
        let answer = self.write_whole(bucket, key, body, options).await?;
        Ok(answer.map(stat).map_err(|error| self.storage_error(error)))
    }

    async fn create(&mut self, bucket: String, key: String, options: Pairs) -> Answer<Resource<WriterHandle>> {
        self.enter("storage")?;
        let created = match names(&bucket, &key).and_then(|()| options::of_put(options)) {
            Ok(options) => self.host()?.storage_create(bucket, key, options).await,
            Err(error) => Err(error),
        };
        match created {
            Ok(id) => Ok(Ok(self.keep(WriterHandle { id: Some(id) })?)),
            Err(error) => Ok(Err(self.storage_error(error))),
        }
    }

    async fn list_objects(
        &mut self,
        bucket: String,
        prefix: String,
        limit: u32,
        cursor: Option<String>,
    ) -> Answer<Page> {
        self.enter("storage")?;
        let cursor_fits = names(&bucket, cursor.as_deref().unwrap_or_default());
        let answer = match names(&bucket, &prefix).and(cursor_fits) {
            Ok(()) => self.host()?.storage_list(bucket, prefix, limit.clamp(1, PAGE_MAX), cursor).await,
            Err(error) => Err(error),
        };
        let page = answer.and_then(|page| {
            // Names are read too.
            let bytes = page.objects.iter().map(|object| object.key.len() as u64 + 128).sum();
            self.spend(bytes).map(|()| page)
        });
        let page = page.map(|page| Page { objects: page.objects.into_iter().map(stat).collect(), next: page.next });
        Ok(page.map_err(|error| self.storage_error(error)))
    }

    async fn remove(&mut self, bucket: String, key: String, options: Pairs) -> Answer<bool> {
        self.enter("storage")?;
        let answer = match names(&bucket, &key).and_then(|()| options::of_remove(options)) {
            Ok(condition) => self.host()?.storage_remove(bucket, key, condition).await,
            Err(error) => Err(error),
        };
        Ok(answer.map_err(|error| self.storage_error(error)))
    }

    async fn presign_get(&mut self, bucket: String, key: String, options: Pairs) -> Answer<Url> {
        self.presign(bucket, key, options::of_get_url(options)).await
    }

    async fn presign_put(&mut self, bucket: String, key: String, options: Pairs) -> Answer<Url> {
        self.presign(bucket, key, options::of_put_url(options)).await
    }
}

impl<H: Host> HostReader for State<H> {
    async fn stat(&mut self, handle: Resource<ReaderHandle>) -> wasmtime::Result<Stat> {
        self.enter("storage")?;
        Ok(stat(self.table.get(&handle)?.stat.clone()))
    }

    async fn read(&mut self, handle: Resource<ReaderHandle>, offset: u64, length: u32) -> Answer<Vec<u8>> {
        self.enter("storage")?;
        let reader = self.table.get(&handle)?;
        let there = reader.stat.size.saturating_sub(offset);
        let length = there.min(u64::from(length)).min(PART_BYTES_MAX as u64);
        let id = reader.id;
        if length == 0 {
            return Ok(Ok(Vec::new()));
        }
        let answer = match self.spend(length) {
            Ok(()) => self.host()?.storage_read(id, offset, usize::try_from(length).unwrap_or(PART_BYTES_MAX)).await,
            Err(error) => Err(error),
        };
        Ok(answer.map_err(|error| self.storage_error(error)))
    }

    async fn drop(&mut self, handle: Resource<ReaderHandle>) -> wasmtime::Result<()> {
        let reader = self.table.delete(handle)?;
        self.enter("storage")?.storage_close(reader.id);
        Ok(())
    }
}

impl<H: Host> HostWriter for State<H> {
    async fn write(&mut self, handle: Resource<WriterHandle>, part: Vec<u8>) -> Answer<()> {
        self.enter("storage")?;
        let Some(id) = self.table.get(&handle)?.id else { return Ok(Err(self.storage_error(ended()))) };
        let answer = if part.len() > PART_BYTES_MAX {
            Err(StorageError::Invalid(format!("a part has {PART_BYTES_MAX} bytes at most")))
        } else {
            match self.spend(part.len() as u64) {
                Ok(()) => self.host()?.storage_write(id, part).await,
                Err(error) => Err(error),
            }
        };
        if answer.is_err() {
            self.table.get_mut(&handle)?.id = None;
            self.host()?.storage_abort(id);
        }
        Ok(answer.map_err(|error| self.storage_error(error)))
    }

    async fn finish(&mut self, handle: Resource<WriterHandle>) -> Answer<Stat> {
        self.enter("storage")?;
        let Some(id) = self.table.get_mut(&handle)?.id.take() else { return Ok(Err(self.storage_error(ended()))) };
        let answer = self.host()?.storage_finish(id).await;
        Ok(answer.map(stat).map_err(|error| self.storage_error(error)))
    }

    async fn drop(&mut self, handle: Resource<WriterHandle>) -> wasmtime::Result<()> {
        let writer = self.table.delete(handle)?;
        let host = self.enter("storage")?;
        if let Some(id) = writer.id {
            host.storage_abort(id);
        }
        Ok(())
    }
}

impl<H: Host> State<H> {
    async fn presign(&mut self, bucket: String, key: String, asked: Result<UrlAsked, StorageError>) -> Answer<Url> {
        self.enter("storage")?;
        let answer = match names(&bucket, &key).and(asked) {
            Ok(asked) => self.host()?.storage_presign(bucket, key, asked).await,
            Err(error) => Err(error),
        };
        let url = answer.map(|signed| Url {
            url: signed.url,
            method: signed.method,
            headers: signed.headers,
            expires: signed.expires,
        });
        Ok(url.map_err(|error| self.storage_error(error)))
    }

    /// A whole object, where all of it may still be read.
    async fn whole(&mut self, bucket: String, key: String) -> wasmtime::Result<Result<Object, StorageError>> {
        if let Err(error) = names(&bucket, &key) {
            return Ok(Err(error));
        }
        let (id, found) = match self.host()?.storage_open(bucket, key).await {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        // The guest has to hold it: what is larger than its memory is not read for it.
        let fits = found.size <= self.limits.memory.0;
        let body = match if fits { self.spend(found.size) } else { Err(StorageError::Bytes) } {
            Ok(()) => self.host()?.storage_read(id, 0, usize::try_from(found.size).unwrap_or(usize::MAX)).await,
            Err(error) => Err(error),
        };
        self.host()?.storage_close(id);
        Ok(body.map(|body| Object { stat: stat(found), body }))
    }

    async fn write_whole(
        &mut self,
        bucket: String,
        key: String,
        body: Vec<u8>,
        options: Pairs,
    ) -> wasmtime::Result<Result<host::ObjectStat, StorageError>> {
        let checked = names(&bucket, &key).and_then(|()| options::of_put(options));
        let options = match checked.and_then(|options| self.spend(body.len() as u64).map(|()| options)) {
            Ok(options) => options,
            Err(error) => return Ok(Err(error)),
        };
        let id = match self.host()?.storage_create(bucket, key, options).await {
            Ok(id) => id,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = self.host()?.storage_write(id, body).await {
            self.host()?.storage_abort(id);
            return Ok(Err(error));
        }
        Ok(self.host()?.storage_finish(id).await)
    }

    /// Counts bytes before they go either way.
    fn spend(&mut self, bytes: u64) -> Result<(), StorageError> {
        let total = self.storage_bytes.saturating_add(bytes);
        if total > self.limits.storage_bytes.0 {
            return Err(StorageError::Bytes);
        }
        self.storage_bytes = total;
        Ok(())
    }

    /// As for statements: giving up over a limit is seen as the limit that it is.
    fn storage_error(&mut self, error: StorageError) -> Error {
        self.went_wrong(matches!(error, StorageError::Denied(_)));
        let code = error.code().to_owned();
        let message = match error {
            StorageError::Denied(message) | StorageError::Invalid(message) | StorageError::Full(message) => message,
            StorageError::Missing => "there is no such object".to_owned(),
            StorageError::Precondition => "the object that is there is not as was asked for".to_owned(),
            StorageError::Checksum => "the bytes have another digest than the one that was said".to_owned(),
            StorageError::TooLarge(most) => format!("objects of this bucket have {most} bytes at most"),
            StorageError::Unavailable => "the store does not answer".to_owned(),
            StorageError::Bytes => {
                self.told_limit = Some(LimitName::StorageBytes);
                LimitName::StorageBytes.as_str().to_owned()
            }
        };
        Error { code, message }
    }
}

fn stat(found: host::ObjectStat) -> Stat {
    Stat {
        key: found.key,
        size: found.size,
        etag: found.etag,
        content_type: found.content_type,
        modified: found.modified,
    }
}

/// What no project has is not looked up.
fn names(bucket: &str, key: &str) -> Result<(), StorageError> {
    if bucket.len() > BUCKET_BYTES_MAX {
        return Err(StorageError::Denied("grants.storage does not list this bucket".to_owned()));
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(StorageError::Invalid("a key has 1024 bytes at most".to_owned()));
    }
    Ok(())
}

fn ended() -> StorageError {
    StorageError::Invalid("the writer has ended".to_owned())
}
