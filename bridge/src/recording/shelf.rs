//! The recordings of an env on the disk: a file for each, sealed under the Bridge's own key, written whole or not at all. What does not open
//! is none of ours: it was changed, or is of another key, and is removed. All calls block.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Read,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use santokit_core::{id::Kind, seal::SealKey};
use santokit_wasm::record::{Head, Recording};

use super::Listed;
use crate::release::cache::write_atomic;

/// A head that is larger is none of ours.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Of the length of the head, before it.
const LENGTH_BYTES: usize = 4;

/// The recordings of an env.
#[derive(Debug)]
pub(super) struct Shelf {
    dir: PathBuf,
    env: String,
    key: Arc<SealKey>,
    bytes_max: u64,
    count_max: usize,
    index: Mutex<Index>,
}

/// What is there, by id: the oldest first.
#[derive(Debug, Default)]
struct Index {
    entries: BTreeMap<String, Listed>,
    bytes: u64,
}

impl Shelf {
    /// Looks at what is there.
    pub(super) fn open(dir: PathBuf, env: String, key: Arc<SealKey>, (bytes_max, count_max): (u64, usize)) -> Self {
        let shelf = Self { dir, env, key, bytes_max, count_max, index: Mutex::default() };
        let index = shelf.look();
        *shelf.index() = index;
        shelf
    }

    fn look(&self) -> Index {
        let mut index = Index::default();
        let Ok(entries) = fs::read_dir(&self.dir) else { return index };
        for entry in entries.flatten() {
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let is_ours = Kind::Recording.is_valid(&name);
            let found = if is_ours { self.head(&name).ok() } else { None };
            match found {
                Some(listed) => {
                    index.bytes += listed.bytes;
                    index.entries.insert(name, listed);
                }
                // What a crash left half written, and what was changed.
                None if is_ours || name.starts_with(".req_") => {
                    tracing::warn!(env = self.env, name, "what is no recording of this Bridge is removed");
                    fs::remove_file(entry.path()).ok();
                }
                None => {}
            }
        }
        index
    }

    /// Writes one; the oldest ones go.
    pub(super) fn put(&self, recording: &Recording) -> io::Result<()> {
        let id = &recording.head.id;
        let head = serde_json::to_vec(&recording.head).map_err(io::Error::other)?;
        let body = serde_json::to_vec(recording).map_err(io::Error::other)?;
        let head = self.key.seal(&self.context("head", id), &head).map_err(io::Error::other)?;
        let body = self.key.seal(&self.context("body", id), &body).map_err(io::Error::other)?;
        let length = u32::try_from(head.len()).map_err(io::Error::other)?;
        let bytes = [&length.to_le_bytes()[..], &head, &body].concat();
        let size = bytes.len() as u64;
        if size > self.bytes_max {
            return Err(io::Error::other("it is larger than all recordings of the env may be"));
        }
        let mut index = self.index();
        while index.entries.len() >= self.count_max || index.bytes + size > self.bytes_max {
            let Some(oldest) = index.entries.keys().next().cloned() else { break };
            self.remove(&mut index, &oldest);
        }
        write_atomic(&self.dir.join(id), &bytes)?;
        index.bytes += size;
        index.entries.insert(id.clone(), Listed { head: recording.head.clone(), bytes: size });
        Ok(())
    }

    /// Those that have not expired, the newest first.
    pub(super) fn list(&self, now: DateTime<Utc>) -> Vec<Listed> {
        self.index().entries.values().rev().filter(|listed| !has_expired(&listed.head, now)).cloned().collect()
    }

    /// One as JSON.
    pub(super) fn read(&self, id: &str, now: DateTime<Utc>) -> Option<Vec<u8>> {
        // Only what is in the index: an id that is a path is nothing there.
        let size = self.index().entries.get(id).filter(|listed| !has_expired(&listed.head, now)).map(|it| it.bytes)?;
        let mut bytes = Vec::new();
        fs::File::open(self.dir.join(id)).ok()?.take(size + 1).read_to_end(&mut bytes).ok()?;
        let body = bytes.get(LENGTH_BYTES + head_length(&bytes)?..)?;
        self.key
            .open(&self.context("body", id), body)
            .inspect_err(|error| tracing::warn!(env = self.env, id, %error, "a recording that was changed is not read"))
            .ok()
    }

    /// Removes what has expired.
    pub(super) fn sweep(&self, now: DateTime<Utc>) {
        let mut index = self.index();
        let expired: Vec<String> = index
            .entries
            .iter()
            .filter(|(_, listed)| has_expired(&listed.head, now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in expired {
            self.remove(&mut index, &id);
        }
    }

    fn remove(&self, index: &mut Index, id: &str) {
        if let Err(error) = fs::remove_file(self.dir.join(id))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(env = self.env, id, %error, "a recording cannot be removed");
        }
        if let Some(listed) = index.entries.remove(id) {
            index.bytes -= listed.bytes;
        }
    }

    fn head(&self, id: &str) -> io::Result<Listed> {
        let mut file = fs::File::open(self.dir.join(id))?;
        let bytes = file.metadata()?.len();
        let mut begin = Vec::new();
        file.by_ref().take((LENGTH_BYTES + HEAD_BYTES_MAX) as u64).read_to_end(&mut begin)?;
        let none = || io::Error::other("no recording");
        let length = head_length(&begin).ok_or_else(none)?;
        let sealed = begin.get(LENGTH_BYTES..LENGTH_BYTES + length).ok_or_else(none)?;
        let head = self.key.open(&self.context("head", id), sealed).map_err(io::Error::other)?;
        Ok(Listed { head: serde_json::from_slice(&head)?, bytes })
    }

    /// A file opens under its own name and in its own env, and nowhere else.
    fn context(&self, part: &str, id: &str) -> String {
        format!("bridge-recording-{part}:{}:{id}", self.env)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn head_length(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(bytes.get(..LENGTH_BYTES)?.try_into().ok()?);
    usize::try_from(length).ok().filter(|length| *length <= HEAD_BYTES_MAX)
}

/// What has no time that can be read has expired.
fn has_expired(head: &Head, now: DateTime<Utc>) -> bool {
    DateTime::parse_from_rfc3339(&head.until).map_or(true, |until| until <= now)
}
