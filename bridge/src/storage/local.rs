//! Objects on a disk: their bytes in files with names of our own, and an index of which key is which file. A key is never a path: nothing
//! that a guest can say leads anywhere, two keys that a file system would take for one are two, and a list is in one order everywhere.
//!
//! A file is written beside, and whole before the index names it. So who reads sees the old object or the new one; what a crash leaves is
//! a file that nothing names, and is swept.

use std::{
    collections::HashMap,
    fs::{self, File},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak, atomic::AtomicU64},
    time::Duration,
};

use santokit_core::storage::{ObjectKey, ObjectPrefix};
use santokit_wasm::{Condition, ObjectPage, ObjectStat, PutOptions, StorageError};
use tokio::sync::OnceCell;

mod file;
mod index;
mod sweep;

use super::{Gone, now, signed::UrlKey};
pub(super) use file::{Reader, Writer};
use index::{BLOCK, Index, Removed, Row, charge, no_room};

/// How often it is looked what a crash has left.
pub(super) const SWEEP_EVERY: Duration = Duration::from_hours(1);
const CONTENT_TYPE: &str = "application/octet-stream";

/// The objects of an env.
#[derive(Debug)]
pub(super) struct Store {
    folder: Arc<Folder>,
    index: OnceCell<Index>,
    url_key: OnceCell<UrlKey>,
    sweep_every: Duration,
    /// Uploads in parts that are put together just now.
    joining: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

/// Where files are.
#[derive(Debug)]
struct Folder {
    dir: PathBuf,
    bytes_max: u64,
    /// Of objects that are being written, which no index counts yet.
    underway: AtomicU64,
}

impl Store {
    pub(super) fn new(dir: PathBuf, bytes_max: u64, sweep_every: Duration) -> Self {
        Self {
            folder: Arc::new(Folder { dir, bytes_max, underway: AtomicU64::new(0) }),
            index: OnceCell::new(),
            url_key: OnceCell::new(),
            sweep_every,
            joining: Mutex::default(),
        }
    }

    /// Makes what is not there yet. Why not is in the log.
    pub(super) async fn make(&self) -> Result<(), StorageError> {
        self.index().await.map(drop)
    }

    pub(super) async fn url_key(&self) -> Result<UrlKey, StorageError> {
        let key = self.url_key.get_or_try_init(async || self.index().await?.url_key().await).await?;
        Ok(key.clone())
    }

    pub(super) async fn stat(&self, bucket: &str, key: &ObjectKey) -> Result<Option<ObjectStat>, StorageError> {
        let row = self.index().await?.row(bucket, key.as_str()).await?;
        Ok(row.map(|row| row.stat(key.as_str())))
    }

    pub(super) async fn open(&self, bucket: &str, key: &ObjectKey) -> Result<Reader, StorageError> {
        let index = self.index().await?;
        // Another one may be put in its place between the two steps; who comes again finds it.
        for _ in 0..3 {
            let Some(row) = index.row(bucket, key.as_str()).await? else { return Err(StorageError::Missing) };
            let path = self.folder.object(&row.file);
            let stat = row.stat(key.as_str());
            match blocking(move || Ok(File::open(path))).await? {
                Ok(file) => return Ok(Reader::new(file, stat)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(unavailable("an object cannot be opened", &error)),
            }
        }
        tracing::error!("the file of an object is gone");
        Err(StorageError::Unavailable)
    }

    pub(super) async fn create(
        &self,
        bucket: String,
        key: ObjectKey,
        options: PutOptions,
        bytes_max: u64,
    ) -> Result<Writer, StorageError> {
        let index = self.index().await?.clone();
        let folder = Arc::clone(&self.folder);
        // What is there now goes.
        let freed = index.row(&bucket, key.as_str()).await?.map_or(0, |row| charge(row.size));
        let room = folder.bytes_max.saturating_sub(index.bytes().await?.saturating_sub(freed));
        if room < BLOCK {
            return Err(no_room());
        }
        blocking(move || Writer::create(folder, index, (bucket, key), options, (bytes_max, room))).await
    }

    pub(super) async fn list(
        &self,
        bucket: &str,
        prefix: &ObjectPrefix,
        after: Option<&ObjectKey>,
        limit: u32,
    ) -> Result<ObjectPage, StorageError> {
        let after = after.map(ObjectKey::as_str);
        let mut rows = self.index().await?.rows(bucket, prefix.as_str(), after, limit + 1).await?;
        let is_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = if is_more { rows.last().map(|(key, _)| key.clone()) } else { None };
        Ok(ObjectPage { objects: rows.into_iter().map(|(key, row)| row.stat(&key)).collect(), next })
    }

    pub(super) async fn remove(
        &self,
        bucket: &str,
        key: &ObjectKey,
        condition: &Condition,
    ) -> Result<bool, StorageError> {
        let Some(before) = self.index().await?.remove(bucket, key.as_str(), condition).await? else { return Ok(false) };
        let path = self.folder.object(&before);
        blocking(move || {
            remove_file(&path);
            Ok(true)
        })
        .await
    }

    /// Removes the object that was there at a moment, in milliseconds, and none that was put later.
    pub(super) async fn remove_until(&self, bucket: &str, key: &ObjectKey, until: u64) -> Result<Gone, StorageError> {
        match self.index().await?.remove_until(bucket, key.as_str(), until).await? {
            Removed::File(file) => {
                self.unlink(vec![file]).await?;
                Ok(Gone::Removed)
            }
            Removed::Absent => Ok(Gone::Absent),
            Removed::Younger => Ok(Gone::Kept),
            Removed::Unknown => {
                let dir = self.folder.dir.display();
                tracing::error!(%dir, "the index of objects was made after a row has let one go: is storageDir the one that it was?");
                Err(StorageError::Unavailable)
            }
        }
    }

    /// Removes all objects of a bucket whose keys begin so.
    pub(super) async fn remove_under(&self, bucket: &str, prefix: &str) -> Result<(), StorageError> {
        let files = self.index().await?.remove_under(bucket, prefix).await?;
        self.unlink(files).await
    }

    /// The object that an upload in parts has become, as long as it is there.
    pub(super) async fn joined(&self, upload: &str) -> Result<Option<ObjectStat>, StorageError> {
        let joined = self.index().await?.joined(upload).await?;
        Ok(joined.map(|(key, row)| row.stat(&key)))
    }

    /// Who holds it puts an upload together; whoever else wants to waits.
    pub(super) fn joining(&self, upload: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut joining = self.joining.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = joining.get(upload).and_then(Weak::upgrade) {
            return held;
        }
        joining.retain(|_, held| held.strong_count() > 0);
        let made = Arc::default();
        joining.insert(upload.to_owned(), Arc::downgrade(&made));
        made
    }

    async fn unlink(&self, files: Vec<String>) -> Result<(), StorageError> {
        let folder = Arc::clone(&self.folder);
        blocking(move || {
            for file in &files {
                remove_file(&folder.object(file));
            }
            Ok(())
        })
        .await
    }

    /// Opened with the first use: an env without objects has no folder.
    async fn index(&self) -> Result<&Index, StorageError> {
        self.index
            .get_or_try_init(async || {
                let folder = Arc::clone(&self.folder);
                blocking(move || folder.make()).await?;
                let index = Index::open(&self.folder.dir.join("index.db")).await?;
                let folder = Arc::downgrade(&self.folder);
                tokio::spawn(sweep::again_and_again(folder, index.clone(), self.sweep_every));
                Ok(index)
            })
            .await
    }
}

impl Folder {
    /// What it takes, for this user alone.
    fn make(&self) -> Result<(), StorageError> {
        let folder = |dir: PathBuf| fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        let made = folder(self.incoming()).and_then(|()| folder(self.objects())).and_then(|()| sync_dir(&self.dir));
        made.map_err(|error| {
            tracing::error!(dir = %self.dir.display(), error = %error, "the folder of objects cannot be made; see storageDir");
            StorageError::Unavailable
        })
    }

    fn incoming(&self) -> PathBuf {
        self.dir.join("incoming")
    }

    fn objects(&self) -> PathBuf {
        self.dir.join("objects")
    }

    /// Of a name of our own, whose last characters are random.
    fn object(&self, file: &str) -> PathBuf {
        self.objects().join(&file[file.len().saturating_sub(2)..]).join(file)
    }
}

impl Row {
    fn stat(self, key: &str) -> ObjectStat {
        ObjectStat {
            key: key.to_owned(),
            size: self.size,
            etag: self.etag,
            content_type: self.content_type,
            modified: self.modified,
        }
    }
}

/// What is not removed now is swept later.
fn remove_file(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(error = %error, "a file of an object cannot be removed");
    }
}

/// What a crash does not undo: the names in a folder.
fn sync_dir(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(error = %error, "work on a disk ended early");
        Err(StorageError::Unavailable)
    })
}

/// The guest is told that there is no room; of anything else only that it did not work.
fn unavailable(what: &str, error: &std::io::Error) -> StorageError {
    if matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) {
        return StorageError::Full("the disk is full".to_owned());
    }
    tracing::error!(error = %error, "{what}");
    StorageError::Unavailable
}
