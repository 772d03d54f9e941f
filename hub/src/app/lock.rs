//! Whether a Hub works on a data directory: the Hubs of it share a lock, and who changes its database under them has it alone. It
//! ends with the process, however that ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

const FILE: &str = "hub.lock";

/// As one of the Hubs; none where somebody is alone with it.
pub(super) fn shared(dir: &Path) -> io::Result<Option<File>> {
    let file = open(dir)?;
    taken(file.try_lock_shared(), file)
}

/// With no Hub; none where there is one.
pub(super) fn alone(dir: &Path) -> io::Result<Option<File>> {
    let file = open(dir)?;
    taken(file.try_lock(), file)
}

fn open(dir: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(dir.join(FILE))
}

fn taken(locked: Result<(), TryLockError>, file: File) -> io::Result<Option<File>> {
    match locked {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
