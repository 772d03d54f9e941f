//! Built components by the digest of what they were made from.
//!
//! The key covers the logic's folder, the SDK and the toolchain. What a build read outside the folder (a shared package,
//! a workspace's lock file) is known only afterwards: it stands in the entry and is compared when the entry is used.

use std::fmt::Write;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::{BuildError, sdk};

/// Part of every key: another layout of entries is another cache.
const LAYOUT: &str = "1";

/// How many components are kept: every save under `stk dev` makes one.
const MAX_ENTRIES: usize = 64;

/// Folders that hold no source, whatever the language.
const SKIPPED_FOLDERS: [&str; 4] = ["target", "node_modules", ".git", ".stk"];

/// The manifest says what a component may do, not what it is.
const SKIPPED_FILES: [&str; 1] = ["logic.yaml"];

/// What a build made.
pub(super) struct Made {
    pub(super) wasm: Vec<u8>,
    /// Files outside the logic's folder that the build read.
    pub(super) outside: Vec<PathBuf>,
}

/// One logic to be built.
pub(super) struct Job<'a> {
    cache: &'a Path,
    dir: &'a Path,
    /// A file in the folder that the build writes.
    output: Option<&'a Path>,
}

/// What stands beside a component in the cache.
#[derive(Serialize, Deserialize)]
struct Entry {
    wasm: String,
    outside: Vec<(PathBuf, Option<String>)>,
}

impl<'a> Job<'a> {
    pub(super) fn new(cache: &'a Path, dir: &'a Path, output: Option<&'a Path>) -> Self {
        Self { cache, dir, output }
    }

    /// `sha256:<hex>` over all source files of the folder.
    pub(super) async fn source_digest(&self) -> Result<String, BuildError> {
        let (dir, output) = (self.dir.to_owned(), self.output.map(Path::to_owned));
        blocking(move || {
            let mut context = Context::new(&SHA256);
            add_folder(&mut context, &dir, &dir, output.as_deref())?;
            Ok(format!("sha256:{}", hex(context.finish().as_ref())))
        })
        .await
    }

    /// Takes the component from the cache, or makes it and puts it there. Also whether it came from the cache.
    pub(super) async fn run(
        &self,
        recipe: &str,
        build: impl Future<Output = Result<Made, BuildError>>,
    ) -> Result<(Vec<u8>, bool), BuildError> {
        let base = self.entry(recipe).await?;
        if let Some(wasm) = blocking(move || Ok(read(&base))).await? {
            return Ok((wasm, true));
        }
        let made = build.await?;
        // The first build writes files of its own (Cargo.lock): the next one must find what this one left.
        let base = self.entry(recipe).await?;
        blocking(move || write(&base, &made).map(|()| (made.wasm, false))).await
    }

    async fn entry(&self, recipe: &str) -> Result<PathBuf, BuildError> {
        let mut context = Context::new(&SHA256);
        let source = self.source_digest().await?;
        for part in [LAYOUT, &self.dir.to_string_lossy(), &source, recipe, sdk::digest_of_sdks()] {
            add_part(&mut context, part.as_bytes());
        }
        Ok(self.cache.join("components").join(hex(context.finish().as_ref())))
    }
}

/// The component of an entry, if it is whole and everything that it was made from is as it was.
fn read(base: &Path) -> Option<Vec<u8>> {
    let entry: Entry = serde_json::from_slice(&std::fs::read(base.with_extension("json")).ok()?).ok()?;
    let unchanged = entry.outside.iter().all(|(path, digest)| file_digest(path) == *digest);
    let wasm = std::fs::read(base.with_extension("wasm")).ok()?;
    (unchanged && digest(&wasm) == entry.wasm).then_some(wasm)
}

fn write(base: &Path, made: &Made) -> Result<(), BuildError> {
    let outside = made.outside.iter().map(|path| (path.clone(), file_digest(path))).collect();
    let entry = Entry { wasm: digest(&made.wasm), outside };
    let document = serde_json::to_vec(&entry).map_err(|error| BuildError::io("write", base, error.into()))?;
    // The component first: an entry without its component is never seen.
    write_whole(&base.with_extension("wasm"), &made.wasm)?;
    write_whole(&base.with_extension("json"), &document)?;
    prune(base.parent().unwrap_or(base));
    Ok(())
}

/// Removes the entries that were written longest ago. What cannot be removed now is tried again at the next write.
fn prune(folder: &Path) {
    let Ok(files) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = files
        .flatten()
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "json"))
        .filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file.path())))
        .collect();
    entries.sort();
    let surplus = entries.len().saturating_sub(MAX_ENTRIES);
    for (_, path) in entries.drain(..surplus) {
        // The description first: an entry without it is never used.
        let _ = std::fs::remove_file(&path);
        let _ = std::fs::remove_file(path.with_extension("wasm"));
    }
}

/// Writes a file so that a reader sees the old content or the new, never a part.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> Result<(), BuildError> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(|source| BuildError::io("create", folder, source))?;
    let unfinished = folder.join(format!(".{}.{:016x}", std::process::id(), rand::random::<u64>()));
    std::fs::write(&unfinished, content)
        .and_then(|()| std::fs::rename(&unfinished, path))
        .map_err(|source| BuildError::io("write", path, source))
}

/// Runs file work where it does not hold up the caller's other tasks.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(BuildError::io("finish", Path::new("a build step"), io::Error::other(error))),
    }
}

/// `<hex>` of SHA-256.
pub(super) fn digest(bytes: &[u8]) -> String {
    hex(aws_lc_rs::digest::digest(&SHA256, bytes).as_ref())
}

fn file_digest(path: &Path) -> Option<String> {
    std::fs::read(path).ok().map(|bytes| digest(&bytes))
}

/// Adds every file below `folder`, by name in order, as path and content.
fn add_folder(context: &mut Context, root: &Path, folder: &Path, output: Option<&Path>) -> Result<(), BuildError> {
    let failed = |source| BuildError::io("read", folder, source);
    let mut children: Vec<_> =
        std::fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    children.sort_by_key(std::fs::DirEntry::file_name);
    for child in children {
        let (path, name) = (child.path(), child.file_name());
        let kind = child.file_type().map_err(failed)?;
        if kind.is_dir() {
            if !SKIPPED_FOLDERS.iter().any(|skipped| name == *skipped) {
                add_folder(context, root, &path, output)?;
            }
        } else if Some(path.as_path()) != output && !SKIPPED_FILES.iter().any(|skipped| name == *skipped) {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            add_part(context, relative.to_string_lossy().as_bytes());
            match std::fs::read(&path) {
                Ok(bytes) => add_part(context, &bytes),
                // An editor's lock file, a link to nowhere: no source.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(BuildError::io("read", &path, error)),
            }
        }
    }
    Ok(())
}

/// Each part with its length, so that no two lists of parts look alike.
fn add_part(context: &mut Context, part: &[u8]) {
    context.update(&(part.len() as u64).to_le_bytes());
    context.update(part);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
