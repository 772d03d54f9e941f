//! Machine code on disk, by the digest of the component and the engine that made it. One of the two places with `unsafe`
//! (docs/decisions/0006, 0007): machine code is believed, so whoever can write it runs code in this process.
//!
//! What makes it believable: the folder is this user's alone, or it is not used; each file carries an authentication code over its name and its content,
//! with a key that is sealed under the Bridge's own where it has one; the code is checked on the open file, and that file, not its name,
//! is then mapped. Files are made complete under another name and renamed, so that a mapped one never changes, and several Bridges of one user
//! can share a folder.

use std::{
    fs::{self, File},
    hash::{Hash, Hasher},
    io::{self, Read, Write},
    os::{
        fd::AsRawFd,
        unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_lc_rs::hmac;
use rand::Rng as _;
use santokit_core::{release::Digest, seal::SealKey};
use wasmtime::{Engine, component::Component};

/// Behind the machine code.
const TAG_BYTES: usize = 32;
/// What the sealed key is for.
const KEY_CONTEXT: &str = "santokit compiled code 1";
/// The key, sealed and not. Bridges with a key of their own and those without can share a folder.
const KEY_FILES: [&str; 2] = ["key.sealed", "key"];
const SUFFIX: &str = "cwasm";
const DRAFT: &str = "new";
/// Nobody takes longer to write one file.
const DRAFT_KEPT: Duration = Duration::from_hours(1);

/// A folder with machine code.
#[derive(Debug)]
pub struct CompiledStore {
    dir: PathBuf,
    key: hmac::Key,
    bytes_max: u64,
}

/// Why a folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Others could write machine code into it.
    #[error("{0} is not this user's alone; `chown` it to the user of the Bridge and `chmod 700` it")]
    Shared(String),
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file or folder.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A new key cannot be sealed.
    #[error("a key for the folder cannot be sealed")]
    Key,
}

impl CompiledStore {
    /// Makes or opens a folder of about this many bytes at most. `sealing` is the Bridge's own key, where it has one: without it, the codes tell
    /// damage, and only the folder's owner and mode keep others out.
    pub fn open(dir: &Path, sealing: Option<&Arc<SealKey>>, bytes_max: u64) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Io { path: dir.display().to_string(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        let found = fs::symlink_metadata(dir).map_err(failed)?;
        let mine = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
        if !mine || found.mode() & 0o022 != 0 {
            return Err(StoreError::Shared(dir.display().to_string()));
        }
        let key = key(dir, sealing.map(AsRef::as_ref))?;
        sweep(dir);
        Ok(Self { dir: dir.to_owned(), key: hmac::Key::new(hmac::HMAC_SHA256, &key), bytes_max })
    }

    /// What was compiled before, if it is what this store wrote. Anything else is no more than nothing, and removed.
    pub(super) fn get(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let name = name(engine, digest);
        let path = self.path(&name);
        let mut file = File::open(&path).ok()?;
        match self.read(&mut file, &name).and_then(|()| map(engine, &file).map_err(io::Error::other)) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(digest, error = %error, "what was compiled before is not used; compiling again");
                fs::remove_file(path).ok();
                None
            }
        }
    }

    /// Keeps machine code and gives it back loaded. None where it cannot be kept: a full disk ends no release.
    pub(super) fn put(&self, engine: &Engine, digest: &str, code: &[u8]) -> Option<Component> {
        let name = name(engine, digest);
        let kept = self.write(&name, code).and_then(|()| File::open(self.path(&name)));
        if let Err(error) = &kept {
            tracing::warn!(digest, error = %error, "compiled code cannot be kept on disk");
        }
        let mut file = kept.ok()?;
        self.evict(&name);
        // Another Bridge may have renamed its own over it in between.
        self.read(&mut file, &name).ok()?;
        map(engine, &file).ok()
    }

    /// Reads a file to its end and holds it against its code; its time is now.
    fn read(&self, file: &mut File, name: &str) -> io::Result<()> {
        let length = file.metadata()?.len().checked_sub(TAG_BYTES as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut code = hmac::Context::with_key(&self.key);
        code.update(name.as_bytes());
        let mut buffer = vec![0; 256 << 10];
        let mut content = (&mut *file).take(length);
        loop {
            match content.read(&mut buffer)? {
                0 => break,
                read => code.update(&buffer[..read]),
            }
        }
        let mut tag = [0; TAG_BYTES];
        file.read_exact(&mut tag)?;
        let right = code.sign();
        aws_lc_rs::constant_time::verify_slices_are_equal(right.as_ref(), &tag)
            .map_err(|_| io::Error::other("its authentication code is wrong"))?;
        file.set_modified(SystemTime::now()).ok();
        Ok(())
    }

    fn write(&self, name: &str, code: &[u8]) -> io::Result<()> {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(name.as_bytes());
        context.update(code);
        write_new(&self.dir, &self.path(name), &[code, context.sign().as_ref()])
    }

    /// The ones used longest ago go, until there is room. Who has one mapped keeps it.
    fn evict(&self, but: &str) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let mut files: Vec<_> = entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|suffix| suffix == SUFFIX))
            .filter_map(|entry| {
                let found = entry.metadata().ok()?;
                Some((found.modified().ok()?, found.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in files {
            if bytes <= self.bytes_max {
                break;
            }
            if path != self.path(but) && fs::remove_file(path).is_ok() {
                bytes -= length;
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name).with_extension(SUFFIX)
    }
}

/// Machine code that this process's compiler has just made.
#[expect(unsafe_code, reason = "machine code is loaded from bytes")]
pub(super) fn load(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` asks for bytes that wasmtime's `precompile_component` made, unaltered. They come from the compiler's process, which is this
    // very program, over a pipe that nobody else has.
    unsafe { Component::deserialize(engine, code) }
}

/// An open file's content, whatever stands under its name by now.
#[expect(unsafe_code, reason = "machine code is mapped from a file")]
fn map(engine: &Engine, file: &File) -> wasmtime::Result<Component> {
    let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: `deserialize_file` asks for a file that wasmtime's `precompile_component` made, and that does not change while it is mapped.
    // The caller has checked the open file's authentication code, which only this store's key makes; files here are never written again under
    // their name, and the folder can be written by this user alone. The path is the kernel's for that open file.
    unsafe { Component::deserialize_file(engine, opened) }
}

/// A file's name: one for each component and each engine that would compile it in another way.
fn name(engine: &Engine, component: &str) -> String {
    let mut named = Collected(Vec::new());
    engine.precompile_compatibility_hash().hash(&mut named);
    named.0.extend_from_slice(component.as_bytes());
    Digest::of(&named.0).hex().to_owned()
}

/// What a value gives to be hashed, all of it: 64 bits of hash would be too few for a name that nobody else may find.
struct Collected(Vec<u8>);

impl Hasher for Collected {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        // Never asked for here.
        self.0.len() as u64
    }
}

/// The folder's key. One that cannot be read with the Bridge's own key is replaced, and with it all that it has signed.
fn key(dir: &Path, sealing: Option<&SealKey>) -> Result<Vec<u8>, StoreError> {
    let path = dir.join(KEY_FILES[usize::from(sealing.is_none())]);
    let failed = |source| StoreError::Io { path: path.display().to_string(), source };
    let opened = |bytes: Vec<u8>| match sealing {
        Some(sealing) => sealing.open(KEY_CONTEXT, &bytes).ok(),
        None => (bytes.len() == 32).then_some(bytes),
    };
    match fs::read(&path) {
        Ok(bytes) => {
            if let Some(key) = opened(bytes) {
                return Ok(key);
            }
            tracing::warn!("the key of compiled code was made with another cache key; compiling anew");
            fs::remove_file(&path).ok();
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let mut made = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut made).map_err(|_| StoreError::Key)?;
    let content = match sealing {
        Some(sealing) => sealing.seal(KEY_CONTEXT, &made).map_err(|_| StoreError::Key)?,
        None => made.to_vec(),
    };
    // Linked, not renamed: of two Bridges that start at once, both take the key of the first.
    let draft = draft(dir);
    write_private(&draft, &[&content]).map_err(failed)?;
    let linked = fs::hard_link(&draft, &path);
    fs::remove_file(&draft).ok();
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
        _ => fs::read(&path).ok().and_then(opened).ok_or(StoreError::Key),
    }
}

fn write_new(dir: &Path, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let draft = draft(dir);
    let written = write_private(&draft, parts).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        fs::remove_file(&draft).ok();
    }
    written
}

fn write_private(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    file.sync_data()
}

/// Drafts that a process left when it was ended.
fn sweep(dir: &Path) {
    let old = |entry: &fs::DirEntry| {
        let age = entry.metadata().and_then(|found| found.modified()).ok().and_then(|time| time.elapsed().ok());
        entry.path().extension().is_some_and(|suffix| suffix == DRAFT) && age.is_some_and(|age| age > DRAFT_KEPT)
    };
    for entry in fs::read_dir(dir).into_iter().flatten().flatten().filter(old) {
        fs::remove_file(entry.path()).ok();
    }
}

fn draft(dir: &Path) -> PathBuf {
    dir.join(format!("{:016x}.{DRAFT}", rand::rng().next_u64()))
}

#[cfg(test)]
mod tests;
