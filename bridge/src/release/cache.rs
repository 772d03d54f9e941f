//! What a Bridge keeps on disk so that a restart needs no Hub: the last good release of each env, components by digest, the
//! highest pointer seen, and the runtime bundle, the last only sealed under the Bridge's own key.
//!
//! Nothing read here is believed: signatures and digests are checked again by the reader. All calls block.

use std::{
    collections::BTreeSet,
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use santokit_core::{
    id::Kind,
    release::{Digest, Envelope, Manifest, SignedRelease, canary::Gate},
    seal::SealKey,
    wire::RuntimeBundle,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::config::EnvName;

/// A blob that no env's last good release names is kept this long, so that a rollback need not fetch it again.
const UNUSED_KEPT: Duration = Duration::from_hours(7 * 24);

/// The cache directory.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
    key: Option<Arc<SealKey>>,
}

/// The last release that ran for an env.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Good {
    /// Signs the pointer.
    pub pointer: Envelope,
    /// Signs the release.
    pub release: SignedRelease,
    /// That of a canary which the pointer names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<SignedRelease>,
}

/// The highest pointer seen for an env.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Its sequence.
    pub sequence: u64,
    /// Digest of what was signed: two different pointers must not have one sequence.
    pub payload: Digest,
    /// The sequence of the newest whose release has run: what a restart finds on disk must not be older. 0 where none has, and
    /// in files of a version before this one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub loaded: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A gate of a canary that has closed here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stopped {
    /// Names the canary.
    pub salt: String,
    /// Which gate.
    pub gate: Gate,
    /// What it saw, for operators.
    pub seen: String,
}

impl Cache {
    /// Makes the directory where it is missing, readable by its owner only.
    pub fn open(dir: &Path, key: Option<Arc<SealKey>>) -> io::Result<Self> {
        let cache = Self { dir: dir.to_owned(), key };
        make_dir(&cache.dir.join("blobs"))?;
        make_dir(&cache.dir.join("envs"))?;
        Ok(cache)
    }

    /// A blob whose bytes still have their digest. A damaged one is removed.
    pub fn blob(&self, digest: &Digest) -> Option<Vec<u8>> {
        let path = self.blob_path(digest);
        let bytes = fs::read(&path).ok()?;
        if digest.matches(&bytes) {
            return Some(bytes);
        }
        tracing::warn!(%digest, "a cached component is damaged; fetching it again");
        fs::remove_file(path).ok();
        None
    }

    /// Keeps a blob.
    pub fn put_blob(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        write_atomic(&self.blob_path(digest), bytes)
    }

    /// The last good release of an env.
    pub fn good(&self, env: &EnvName) -> Option<Good> {
        read_json(&self.env_path(env, "good.json"))
    }

    /// Keeps it.
    pub fn put_good(&self, env: &EnvName, good: &Good) -> io::Result<()> {
        self.put_json(env, "good.json", good)
    }

    /// The highest pointer seen.
    pub fn seen(&self, env: &EnvName) -> io::Result<Option<Seen>> {
        let path = self.env_path(env, "seen.json");
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps it.
    pub fn put_seen(&self, env: &EnvName, seen: &Seen) -> io::Result<()> {
        self.put_json(env, "seen.json", seen)
    }

    /// Keeps that the release of a pointer has run.
    pub fn put_loaded(&self, env: &EnvName, sequence: u64) -> io::Result<()> {
        match self.seen(env)? {
            Some(seen) if seen.loaded < sequence => self.put_seen(env, &Seen { loaded: sequence, ..seen }),
            _ => Ok(()),
        }
    }

    /// When the Hub last confirmed what is current.
    pub fn confirmed(&self, env: &EnvName) -> Option<SystemTime> {
        let seconds: u64 = read_json(&self.env_path(env, "confirmed.json"))?;
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }

    /// Keeps that it did so now.
    pub fn put_confirmed(&self, env: &EnvName) -> io::Result<()> {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.put_json(env, "confirmed.json", &seconds)
    }

    /// The gate that has closed last.
    pub fn stopped(&self, env: &EnvName) -> Option<Stopped> {
        read_json(&self.env_path(env, "stopped.json"))
    }

    /// Keeps it, in place of the one before.
    pub fn put_stopped(&self, env: &EnvName, stopped: &Stopped) -> io::Result<()> {
        self.put_json(env, "stopped.json", stopped)
    }

    /// The runtime bundle, where this Bridge has the key that it was sealed under.
    pub fn runtime(&self, env: &EnvName) -> Option<RuntimeBundle> {
        let sealed = fs::read(self.env_path(env, "runtime.sealed")).ok()?;
        let plain = self.key.as_ref()?.open(&runtime_context(env), &sealed);
        plain.inspect_err(|error| tracing::warn!(%env, %error, "the cached runtime bundle")).ok().and_then(|plain| {
            // The error of serde_json could quote a secret: it is dropped.
            serde_json::from_slice(&plain).ok()
        })
    }

    /// Keeps it, sealed; without a key nothing is written.
    pub fn put_runtime(&self, env: &EnvName, bundle: &RuntimeBundle) -> io::Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        let plain = serde_json::to_vec(bundle).map_err(io::Error::other)?;
        let sealed = key.seal(&runtime_context(env), &plain).map_err(io::Error::other)?;
        write_atomic(&self.env_path(env, "runtime.sealed"), &sealed)
    }

    /// Removes blobs that no env's last good release names and that are older than a week.
    pub fn sweep(&self) -> io::Result<()> {
        let used = self.used_blobs()?;
        for entry in fs::read_dir(self.dir.join("blobs"))? {
            let entry = entry?;
            let is_used = entry.file_name().to_str().is_some_and(|name| used.contains(name));
            let modified = entry.metadata().and_then(|data| data.modified()).unwrap_or_else(|_| SystemTime::now());
            if !is_used && modified.elapsed().is_ok_and(|age| age > UNUSED_KEPT) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn used_blobs(&self) -> io::Result<BTreeSet<String>> {
        let mut used = BTreeSet::new();
        for project in fs::read_dir(self.dir.join("envs"))? {
            for env in fs::read_dir(project?.path())? {
                let good: Option<Good> = read_json(&env?.path().join("good.json"));
                let releases = good.into_iter().flat_map(|good| [Some(good.release), good.candidate]).flatten();
                let manifests = releases.filter_map(|one| serde_json::from_str::<Manifest>(&one.manifest).ok());
                used.extend(manifests.flat_map(|m| m.components()).map(|digest| digest.hex().to_owned()));
            }
        }
        Ok(used)
    }

    fn put_json<T: Serialize>(&self, env: &EnvName, name: &str, value: &T) -> io::Result<()> {
        write_atomic(&self.env_path(env, name), &serde_json::to_vec(value).map_err(io::Error::other)?)
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.dir.join("blobs").join(digest.hex())
    }

    /// Project and env names are labels (checked in `config`): they cannot leave the directory.
    fn env_path(&self, env: &EnvName, name: &str) -> PathBuf {
        self.dir.join("envs").join(&env.project).join(&env.env).join(name)
    }
}

fn runtime_context(env: &EnvName) -> String {
    format!("bridge-runtime:{env}")
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = fs::read(path).ok()?;
    serde_json::from_slice(&bytes)
        .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "a cached file cannot be read"))
        .ok()
}

fn make_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// A reader sees the old bytes or the new ones, never a part; after a power cut too.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().ok_or_else(|| io::Error::other("a cached file has no directory"))?;
    make_dir(dir)?;
    let temporary = dir.join(format!(".{}", Kind::Request.generate()));
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        fs::File::open(dir)?.sync_all()
    })();
    if written.is_err() {
        fs::remove_file(&temporary).ok();
    }
    written
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use santokit_core::wire::Sealed;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("santokit-{name}-{}", Kind::Request.generate()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_damaged_blob_is_not_read() {
        let dir = scratch("blob");
        let cache = Cache::open(&dir, None).unwrap();
        let digest = Digest::of(b"component");
        assert_eq!(cache.blob(&digest), None);
        cache.put_blob(&digest, b"component").unwrap();
        assert_eq!(cache.blob(&digest).as_deref(), Some(&b"component"[..]));
        fs::write(cache.blob_path(&digest), b"other").unwrap();
        assert_eq!(cache.blob(&digest), None);
        assert!(!cache.blob_path(&digest).exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_runtime_bundle_is_on_disk_sealed_or_not_at_all() {
        let dir = scratch("runtime");
        let env = EnvName::parse("shop/dev").unwrap();
        let secrets = BTreeMap::from([("KEY".to_owned(), Sealed::new("hunter2"))]);
        let bundle = RuntimeBundle {
            connections: BTreeMap::new(),
            secrets,
            api_keys: Vec::new(),
            user_keys: Vec::new(),
            storage_key: None,
        };
        let open = Cache::open(&dir, None).unwrap();
        open.put_runtime(&env, &bundle).unwrap();
        assert!(!open.env_path(&env, "runtime.sealed").exists());

        let key = Arc::new(SealKey::new(&[7; 32]).unwrap());
        let sealed = Cache::open(&dir, Some(key)).unwrap();
        sealed.put_runtime(&env, &bundle).unwrap();
        let bytes = fs::read(sealed.env_path(&env, "runtime.sealed")).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(sealed.runtime(&env).unwrap().secrets["KEY"].expose(), "hunter2");
        assert!(open.runtime(&env).is_none());
        assert!(sealed.runtime(&EnvName::parse("shop/prod").unwrap()).is_none());
        fs::remove_dir_all(dir).unwrap();
    }
}
