//! The file of an object: read at any place, or written beside and put in its place as a whole.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};

use rustix::{
    buffer::spare_capacity,
    io::{Errno, pread},
};
use santokit_core::{
    id::Kind,
    release::{Digest, Hasher},
    storage::ObjectKey,
};
use santokit_wasm::{ObjectStat, PutOptions, StorageError};

use super::{CONTENT_TYPE, Folder, Index, Row, blocking, remove_file, sync_dir, unavailable};

/// An object that is open.
#[derive(Debug)]
pub(in crate::storage) struct Reader {
    file: Arc<File>,
    /// What is known of it.
    pub(in crate::storage) stat: ObjectStat,
}

/// An object that is not there yet.
#[derive(Debug)]
pub(in crate::storage) struct Writer {
    /// None once it is in its place.
    incoming: Option<Incoming>,
    folder: Arc<Folder>,
    index: Index,
    at: (String, ObjectKey),
    options: PutOptions,
    /// Of the object; of the env.
    bytes_max: (u64, u64),
    /// The upload in parts that becomes this object.
    upload: Option<String>,
}

struct Incoming {
    file: File,
    path: PathBuf,
    name: String,
    size: u64,
    hasher: Hasher,
    folder: Arc<Folder>,
}

impl Reader {
    pub(super) fn new(file: File, stat: ObjectStat) -> Self {
        Self { file: Arc::new(file), stat }
    }

    /// So many bytes from a place on. Fewer are there only where the file was damaged.
    pub(in crate::storage) async fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, StorageError> {
        let file = Arc::clone(&self.file);
        blocking(move || {
            // It is written over at once: nothing is cleared before.
            let mut bytes = Vec::with_capacity(length);
            while bytes.len() < length {
                let next = offset.saturating_add(bytes.len() as u64);
                match pread(&*file, spare_capacity(&mut bytes), next) {
                    Ok(0) => {
                        tracing::error!("the file of an object is shorter than it was");
                        return Err(StorageError::Unavailable);
                    }
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(unavailable("an object cannot be read", &error.into())),
                }
            }
            // There may have been room for more.
            bytes.truncate(length);
            Ok(bytes)
        })
        .await
    }
}

impl Writer {
    pub(super) fn create(
        folder: Arc<Folder>,
        index: Index,
        at: (String, ObjectKey),
        options: PutOptions,
        bytes_max: (u64, u64),
    ) -> Result<Self, StorageError> {
        let name = Kind::Object.generate();
        let path = folder.incoming().join(&name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| unavailable("an object cannot be made", &error))?;
        let of = Arc::clone(&folder);
        let incoming = Incoming { file, path, name, size: 0, hasher: Hasher::new(), folder: of };
        Ok(Self { incoming: Some(incoming), folder, index, at, options, bytes_max, upload: None })
    }

    /// It is noted with the object that this upload has become it.
    pub(in crate::storage) fn joins(mut self, upload: String) -> Self {
        self.upload = Some(upload);
        self
    }

    /// Adds bytes. After an error there is nothing more to do with it.
    pub(in crate::storage) async fn write(&mut self, part: Vec<u8>) -> Result<(), StorageError> {
        let Some(mut incoming) = self.incoming.take() else { return Err(StorageError::Unavailable) };
        let (object, env) = self.bytes_max;
        let incoming = blocking(move || {
            let size = incoming.size.saturating_add(part.len() as u64);
            if size > object {
                return Err(StorageError::TooLarge(object));
            }
            // With all that others write at the same time.
            let before = incoming.folder.underway.fetch_add(part.len() as u64, Ordering::Relaxed);
            incoming.size = size;
            if before.saturating_add(part.len() as u64) > env {
                return Err(StorageError::Full("the objects of this env have no more room".to_owned()));
            }
            incoming.file.write_all(&part).map_err(|error| unavailable("an object cannot be written", &error))?;
            incoming.hasher.update(&part);
            Ok(incoming)
        })
        .await?;
        self.incoming = Some(incoming);
        Ok(())
    }

    /// Puts it in its place, if what must be true of the one before is.
    pub(in crate::storage) async fn finish(self) -> Result<ObjectStat, StorageError> {
        // Who waits may stop to; what the index names must then be there all the same.
        tokio::spawn(self.place()).await.unwrap_or_else(|error| {
            tracing::error!(error = %error, "an object was not put in its place");
            Err(StorageError::Unavailable)
        })
    }

    async fn place(mut self) -> Result<ObjectStat, StorageError> {
        let Some(incoming) = self.incoming.take() else { return Err(StorageError::Unavailable) };
        let (folder, expected) = (Arc::clone(&self.folder), self.options.digest.take());
        let content_type = self.options.content_type.take().unwrap_or_else(|| CONTENT_TYPE.to_owned());
        let mut row = blocking(move || incoming.place(&folder, expected, content_type)).await?.keep();
        let at = (self.at.0.as_str(), self.at.1.as_str());
        let (upload, condition) = (self.upload.as_deref(), &self.options.condition);
        let before = match self.index.put(at, &mut row, upload, condition, self.folder.bytes_max).await {
            Ok(before) => before,
            Err(error) => {
                // Refused, it is named by nothing. Of any other error nobody knows: it may be named all the same, and if not it is swept.
                if matches!(error, StorageError::Precondition | StorageError::Full(_)) {
                    self.unlink(&row.file).await?;
                }
                return Err(error);
            }
        };
        if let Some(before) = before {
            self.unlink(&before).await?;
        }
        Ok(row.stat(self.at.1.as_str()))
    }

    async fn unlink(&self, file: &str) -> Result<(), StorageError> {
        let path = self.folder.object(file);
        blocking(move || {
            remove_file(&path);
            Ok(())
        })
        .await
    }
}

/// A file in its place that the index was not asked to name yet.
struct Placed {
    path: Option<PathBuf>,
    row: Row,
}

impl Incoming {
    fn place(
        mut self,
        folder: &Folder,
        expected: Option<Digest>,
        content_type: String,
    ) -> Result<Placed, StorageError> {
        let digest = std::mem::take(&mut self.hasher).digest();
        if expected.is_some_and(|expected| digest != expected) {
            return Err(StorageError::Checksum);
        }
        let failed = |error: std::io::Error| unavailable("an object cannot be put in its place", &error);
        self.file.sync_all().map_err(failed)?;
        let path = folder.object(&self.name);
        let dir = path.parent().ok_or(StorageError::Unavailable)?;
        match fs::create_dir(dir) {
            Ok(()) => sync_dir(&folder.objects()).map_err(failed)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        fs::rename(&self.path, &path).map_err(failed)?;
        // What a crash does not undo, before the index says so.
        sync_dir(dir).map_err(failed)?;
        let row =
            Row { file: self.name.clone(), size: self.size, etag: digest.hex().to_owned(), content_type, modified: 0 };
        Ok(Placed { path: Some(path), row })
    }
}

impl Placed {
    fn keep(mut self) -> Row {
        self.path = None;
        self.row.clone()
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            remove_file(path);
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.folder.underway.fetch_sub(self.size, Ordering::Relaxed);
        remove_file(&self.path);
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("size", &self.size).finish_non_exhaustive()
    }
}
