//! Blobs on disk by digest, `sha256/ab/<hex>`: written whole or not at all, and checked when they are read.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use santokit_core::release::Digest;

use crate::store::StoreError;

/// A directory of blobs.
#[derive(Clone, Debug)]
pub(super) struct Blobs {
    root: PathBuf,
}

impl Blobs {
    /// Opens a directory; what an earlier process did not finish writing is removed.
    pub(super) fn open(root: PathBuf) -> Result<Self, StoreError> {
        let unfinished = root.join("unfinished");
        if let Err(error) = fs::remove_dir_all(&unfinished)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error.into());
        }
        fs::create_dir_all(&unfinished)?;
        Ok(Self { root })
    }

    /// Keeps bytes whose digest the caller has checked. Blocks.
    pub(super) fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let path = self.path(digest);
        if matches!(self.get(digest), Ok(Some(_))) {
            return Ok(());
        }
        let dir = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(dir)?;
        let name = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let unfinished = self.root.join("unfinished").join(name);
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        sync_dir(dir)?;
        Ok(())
    }

    /// Whether there is a file. Blocks.
    pub(super) fn has(&self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.path(digest).try_exists()?)
    }

    /// Removes a file. Blocks.
    pub(super) fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        match fs::remove_file(self.path(digest)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Reads bytes and checks them; none if there are none. Blocks.
    pub(super) fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = match fs::read(self.path(digest)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if digest.matches(&bytes) {
            Ok(Some(bytes))
        } else {
            Err(StoreError::Damaged(format!("blob {digest} is damaged on disk; upload it again")))
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join("sha256").join(&digest.hex()[..2]).join(digest.hex())
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_blob_is_never_given_and_is_mended_by_an_upload() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().to_owned()).unwrap();
        let digest = Digest::of(b"component");
        assert!(blobs.get(&digest).unwrap().is_none());
        blobs.put(&digest, b"component").unwrap();
        fs::write(blobs.path(&digest), b"componenT").unwrap();
        assert!(blobs.get(&digest).is_err());
        blobs.put(&digest, b"component").unwrap();
        assert_eq!(blobs.get(&digest).unwrap().unwrap(), b"component");
        for there in [true, false] {
            assert_eq!(blobs.has(&digest).unwrap(), there);
            blobs.remove(&digest).unwrap();
        }
    }
}
