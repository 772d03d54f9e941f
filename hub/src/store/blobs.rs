//! Blobs by digest: files of the one Hub, or rows where several Hubs find them. Bytes are checked when they are read.

use std::{fmt, io, path::PathBuf};

use bytes::Bytes;
use santokit_core::release::Digest;
use sqlx::AnyPool;

use super::{Db, StoreError};

mod database;
mod disk;

/// Where blobs are.
#[derive(Clone)]
pub struct Blobs(Place);

#[derive(Clone)]
enum Place {
    Disk(disk::Blobs),
    Database(AnyPool),
}

impl Blobs {
    /// A directory; what an earlier process did not finish writing is removed.
    pub(super) fn on_disk(root: PathBuf) -> Result<Self, StoreError> {
        Ok(Self(Place::Disk(disk::Blobs::open(root)?)))
    }

    /// The table of the Hub's database.
    pub(super) fn in_database(pool: AnyPool) -> Self {
        Self(Place::Database(pool))
    }

    /// Keeps bytes whose digest the caller has checked.
    pub async fn put(&self, digest: &Digest, bytes: Bytes) -> Result<(), StoreError> {
        match &self.0 {
            Place::Database(pool) => database::put(pool, digest, &bytes).await,
            Place::Disk(blobs) => {
                let (blobs, digest) = (blobs.clone(), digest.clone());
                blocking(move || blobs.put(&digest, &bytes)).await
            }
        }
    }

    /// Likewise, in a transaction where blobs are rows.
    pub(super) async fn put_in(&self, db: &mut Db, digest: &Digest, bytes: Bytes) -> Result<(), StoreError> {
        match &self.0 {
            Place::Database(_) => database::put_in(db, digest, &bytes).await,
            Place::Disk(_) => self.put(digest, bytes).await,
        }
    }

    /// Whether there are bytes, whatever they are.
    pub(super) async fn has_in(&self, db: &mut Db, digest: &Digest) -> Result<bool, StoreError> {
        match &self.0 {
            Place::Database(_) => database::has_in(db, digest).await,
            Place::Disk(blobs) => {
                let (blobs, digest) = (blobs.clone(), digest.clone());
                blocking(move || blobs.has(&digest)).await
            }
        }
    }

    /// Removes bytes; it is no failure where there are none.
    pub(super) async fn remove_in(&self, db: &mut Db, digest: &Digest) -> Result<(), StoreError> {
        match &self.0 {
            Place::Database(_) => database::remove_in(db, digest).await,
            Place::Disk(blobs) => {
                let (blobs, digest) = (blobs.clone(), digest.clone());
                blocking(move || blobs.remove(&digest)).await
            }
        }
    }

    /// Reads bytes and checks them; none if there are none.
    pub async fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.0 {
            Place::Database(pool) => database::get(pool, digest).await,
            Place::Disk(blobs) => {
                let (blobs, digest) = (blobs.clone(), digest.clone());
                blocking(move || blobs.get(&digest)).await
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(StoreError::Disk(io::Error::other(error))))
}

impl fmt::Debug for Blobs {
    /// Without the pool, which knows the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Place::Disk(_) => "Blobs(disk)",
            Place::Database(_) => "Blobs(database)",
        })
    }
}
