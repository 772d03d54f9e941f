//! Objects: what the buckets of an env keep. Who may touch which of them was decided before; here is I/O, and nothing of HTTP.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use santokit_core::storage::{BucketEvents, CompiledPolicies, Filled, ObjectKey, ObjectPrefix, PolicyError, Storage};
use santokit_wasm::{Condition, ObjectPage, ObjectStat, PutOptions, StorageError, UrlDeed};

use crate::{
    config::{EnvName, Network},
    egress::EgressError,
};

pub mod asked;
pub mod dropped;
mod local;
mod multipart;
mod object;
pub mod ops;
pub mod orphans;
mod parts;
pub mod s3;
pub mod signed;
pub mod told;
pub mod trial;

pub use object::{Reader, Writer};
use s3::{PlaceError, Presigned, Secrets};
use signed::{Deed, Signed, Size, Upload, UrlKey};

/// How long a URL of an object lives where nothing is set.
pub const URL_EXPIRY: Duration = Duration::from_hours(1);

/// Where objects are kept, and how much.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// Of local buckets: a folder of this user alone, with one for each env.
    pub dir: PathBuf,
    /// All objects of an env together, in bytes; of local buckets.
    pub env_bytes_max: u64,
    /// How long a URL of an object lives, at most and where nobody says it.
    pub url_expiry: Duration,
    /// Scheme and authority at which clients reach the Bridge, where it is not what they say themselves.
    pub public_url: Option<String>,
    /// Private and reserved networks in which stores may be.
    pub allow_private: Vec<Network>,
    /// Certificates of authorities, PEM, that are trusted besides those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Whether the address of the listener is that at which clients reach the Bridge, where `public_url` is not set.
    pub tells_address: bool,
    /// Whether each bucket is local, whatever a release says: a test must not touch what is real.
    pub is_rehearsal: bool,
}

/// What keeps the objects of all envs of a Bridge.
#[derive(Debug)]
pub struct Stores {
    config: StorageConfig,
    open: Mutex<HashMap<EnvName, Arc<local::Store>>>,
    /// Made with the first bucket that needs it.
    client: OnceLock<s3::Client>,
    /// Where buckets of envs lie in stores, by their aliases.
    places: Mutex<HashMap<EnvName, Vec<(String, Filled)>>>,
}

/// The buckets of a generation, by alias.
#[derive(Debug, Default)]
pub struct Buckets {
    by_alias: BTreeMap<String, Bucket>,
    url_expiry: Duration,
    public_url: Option<String>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Bucket {
    alias: String,
    object_bytes_max: u64,
    policies: CompiledPolicies,
    events: BucketEvents,
    store: Store,
}

/// What keeps its objects.
#[derive(Clone, Debug)]
enum Store {
    Local(Arc<local::Store>),
    S3(Arc<s3::Store>),
}

/// What has become of an object that was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It is removed.
    Removed,
    /// There was none.
    Absent,
    /// Another one is there, which was put later.
    Kept,
}

/// For whom a URL is, and from when on.
#[derive(Clone, Copy, Debug)]
pub struct UrlFor<'a> {
    /// Whose object it is.
    pub env: &'a EnvName,
    /// Scheme and authority of the Bridge, as clients reach it.
    pub base: &'a str,
    /// In seconds since 1970.
    pub now: i64,
    /// In seconds.
    pub lives: u32,
}

/// Why a bucket of a release cannot be one here. For operators.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// Who may ask for what.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Where it lies.
    #[error("bucket {alias:?}: {error}")]
    Place {
        /// Which.
        alias: String,
        /// What is wrong.
        error: PlaceError,
    },
    /// Nothing can be sent.
    #[error(transparent)]
    Client(#[from] EgressError),
}

impl StorageConfig {
    /// With the settings' defaults for the rest.
    pub fn at(dir: PathBuf, env_bytes_max: u64) -> Self {
        Self {
            dir,
            env_bytes_max,
            url_expiry: URL_EXPIRY,
            public_url: None,
            allow_private: Vec::new(),
            ca_file: None,
            tells_address: false,
            is_rehearsal: false,
        }
    }
}

impl Stores {
    /// Nothing is opened yet.
    pub fn new(config: StorageConfig) -> Self {
        Self { config, open: Mutex::default(), client: OnceLock::new(), places: Mutex::default() }
    }

    /// What a release says of storage, for an env.
    pub fn buckets(&self, env: &EnvName, storage: &Storage, secrets: &Secrets) -> Result<Buckets, BucketError> {
        let bucket = |(alias, bucket): (&String, &santokit_core::storage::Bucket)| {
            let store = match &bucket.s3 {
                Some(place) if !self.config.is_rehearsal => {
                    let client = self.client()?;
                    let made = s3::Place::of(alias, place, env, Arc::clone(secrets));
                    let made = made.and_then(|place| client.check(place.own().base_url()).map(|()| place));
                    let place = made.map_err(|error| BucketError::Place { alias: alias.clone(), error })?;
                    Store::S3(Arc::new(s3::Store::new(place, client.of(env.clone()))))
                }
                _ => Store::Local(self.local(env)),
            };
            let policies = CompiledPolicies::compile(&bucket.policies)?;
            let (object_bytes_max, events) = (bucket.max_object.0, bucket.events.clone());
            let made = Bucket { alias: alias.clone(), object_bytes_max, policies, events, store };
            Ok::<_, BucketError>((alias.clone(), made))
        };
        let by_alias = storage.buckets.iter().map(bucket).collect::<Result<_, BucketError>>()?;
        for (alias, other, theirs) in self.shared(env, storage) {
            // A release sees its own project alone. It may be meant, so it is no reason not to serve.
            tracing::error!(%env, alias, other = %other, theirs, "two envs have the same objects in a store of S3: give one another bucket or prefix");
        }
        let at_home = || self.config.is_rehearsal.then(|| "http://localhost".to_owned());
        let public_url = self.config.public_url.clone().or_else(at_home);
        Ok(Buckets { by_alias, url_expiry: self.config.url_expiry, public_url })
    }

    /// Which buckets have objects of other envs that are served here.
    fn shared(&self, env: &EnvName, storage: &Storage) -> Vec<(String, EnvName, String)> {
        if self.config.is_rehearsal {
            return Vec::new();
        }
        let places = storage.buckets.iter().filter_map(|(alias, bucket)| Some((alias, bucket.s3.as_ref()?)));
        let places =
            places.filter_map(|(alias, place)| Some((alias.clone(), place.filled(&env.project, &env.env).ok()?)));
        let mine: Vec<(String, Filled)> = places.collect();
        let mut all = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shared = Vec::new();
        for (other, theirs) in all.iter().filter(|(other, _)| *other != env) {
            for (alias, place) in &mine {
                let same = theirs.iter().filter(|(_, theirs)| theirs.overlaps(place));
                shared.extend(same.map(|(theirs, _)| (alias.clone(), other.clone(), theirs.clone())));
            }
        }
        all.insert(env.clone(), mine);
        shared
    }

    /// One for an env, over all of its generations.
    fn local(&self, env: &EnvName) -> Arc<local::Store> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let made = open.entry(env.clone()).or_insert_with(|| {
            // Names of projects and envs are labels: neither leads out of the folder.
            let dir = self.config.dir.join(&env.project).join(&env.env);
            Arc::new(local::Store::new(dir, self.config.env_bytes_max, local::SWEEP_EVERY))
        });
        Arc::clone(made)
    }

    /// One for all, so that connections are shared.
    fn client(&self) -> Result<s3::Client, EgressError> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let made = s3::Client::new(&self.config.allow_private, self.config.ca_file.as_deref())?;
        Ok(self.client.get_or_init(|| made).clone())
    }
}

impl Buckets {
    /// One by its alias.
    pub fn get(&self, alias: &str) -> Option<&Bucket> {
        self.by_alias.get(alias)
    }

    /// Of all.
    pub fn aliases(&self) -> impl Iterator<Item = &str> {
        self.by_alias.keys().map(String::as_str)
    }

    /// Makes the indexes of buckets on the disk of which some is true, where there are none yet: what is let go later was then let go later than
    /// they were made. Why one cannot be made is in the log; it is tried again when it is used.
    pub(crate) async fn make(&self, is_needed: impl Fn(&str) -> bool) {
        for bucket in self.by_alias.values().filter(|bucket| is_needed(&bucket.alias)) {
            if let Store::Local(store) = &bucket.store {
                drop(store.make().await);
            }
        }
    }

    /// Scheme and authority of the Bridge as clients reach it, where somebody has said it.
    pub(crate) fn public_url(&self) -> Option<&str> {
        self.public_url.as_deref()
    }

    /// How long a URL lives, in seconds.
    pub(crate) fn lives(&self, expires_in: Option<u32>) -> Result<u32, StorageError> {
        let longest = u32::try_from(self.url_expiry.as_secs()).unwrap_or(u32::MAX);
        match expires_in.unwrap_or(longest) {
            seconds if (1..=longest).contains(&seconds) => Ok(seconds),
            _ => Err(StorageError::Invalid(format!("a URL lives for 1 to {longest} seconds"))),
        }
    }
}

impl Bucket {
    /// Whether what is put at its URLs is seen here.
    pub const fn is_local(&self) -> bool {
        matches!(self.store, Store::Local(_))
    }

    /// What URLs of the Bridge are signed with: the same for all Bridges that share the disk. None where another store is asked.
    pub async fn url_key(&self) -> Result<Option<UrlKey>, StorageError> {
        match &self.store {
            Store::Local(store) => store.url_key().await.map(Some),
            Store::S3(_) => Ok(None),
        }
    }

    /// A URL for one deed with one object. Whether somebody may have it was decided before.
    pub async fn url(&self, key: &ObjectKey, deed: &Deed, of: UrlFor<'_>) -> Result<Presigned, StorageError> {
        match &self.store {
            Store::S3(store) => store.presign(key, deed, Duration::from_secs(of.lives.into())),
            Store::Local(store) => {
                let (bucket, expires) = (self.alias.clone(), of.now.saturating_add(of.lives.into()));
                let signed = Signed { bucket, key: key.clone(), deed: deed.clone(), expires };
                let url = format!("{}{}", of.base, signed.path(of.env, &store.url_key().await?));
                let kind = match deed {
                    Deed::Put(upload) => upload.content_type.clone(),
                    Deed::Get { .. } | Deed::Part { .. } => None,
                };
                Ok(Presigned { url, headers: kind.map(|kind| ("content-type", kind)).into_iter().collect() })
            }
        }
    }

    /// What a guest's URL is for, in this bucket.
    pub(crate) fn deed(&self, asked: UrlDeed) -> Result<Deed, StorageError> {
        let (size, content_type, digest, is_new) = match asked {
            UrlDeed::Get { save_as } => {
                let is_name = |name: &String| !name.contains('/') && ObjectKey::parse(name).is_ok();
                if save_as.as_ref().is_some_and(|name| !is_name(name)) {
                    return Err(StorageError::Invalid("save-as is no name of a file".to_owned()));
                }
                return Ok(Deed::Get { save_as });
            }
            UrlDeed::Put { size, content_type, digest, is_new } => (size, content_type, digest, is_new),
        };
        let most = self.object_bytes_max;
        if size.is_some_and(|size| size > most) {
            return Err(StorageError::TooLarge(most));
        }
        if size.is_none() && !self.is_local() {
            return Err(StorageError::Invalid("size is needed: a store of S3 cannot be told a maximum".to_owned()));
        }
        let sha256 = digest.and_then(|digest| digest.as_str().rsplit(':').next().map(str::to_owned));
        let size = size.map_or(Size::AtMost(most), Size::Exactly);
        Ok(Deed::Put(Upload { size, content_type, sha256, is_new }))
    }

    /// What is known of an object.
    pub async fn stat(&self, key: &ObjectKey) -> Result<Option<ObjectStat>, StorageError> {
        match &self.store {
            Store::Local(store) => store.stat(&self.alias, key).await,
            Store::S3(store) => store.stat(key).await,
        }
    }

    /// An object to be read: the same one to the end.
    pub async fn open(&self, key: &ObjectKey) -> Result<Reader, StorageError> {
        match &self.store {
            Store::Local(store) => store.open(&self.alias, key).await.map(Reader::from),
            Store::S3(store) => store.open(key).await.map(Reader::from),
        }
    }

    /// An object to be written. What is dropped before its end was never there.
    pub async fn create(&self, key: ObjectKey, options: PutOptions) -> Result<Writer, StorageError> {
        match &self.store {
            Store::Local(store) => {
                let made = store.create(self.alias.clone(), key, options, self.object_bytes_max).await;
                made.map(Writer::from)
            }
            Store::S3(store) => store.create(key, options, self.object_bytes_max).map(Writer::from),
        }
    }

    /// Keys that begin so, after one; at most so many.
    pub async fn list(
        &self,
        prefix: &ObjectPrefix,
        after: Option<&ObjectKey>,
        limit: u32,
    ) -> Result<ObjectPage, StorageError> {
        match &self.store {
            Store::Local(store) => store.list(&self.alias, prefix, after, limit).await,
            Store::S3(store) => store.list(prefix, after, limit).await,
        }
    }

    /// Removes an object; false where there was none.
    pub async fn remove(&self, key: &ObjectKey, condition: &Condition) -> Result<bool, StorageError> {
        match &self.store {
            Store::Local(store) => store.remove(&self.alias, key, condition).await,
            Store::S3(store) => store.remove(key, condition).await,
        }
    }

    /// Removes the object that was there at a moment, in milliseconds since 1970, and none that was put later. One that stays can be found; one that
    /// is gone cannot.
    pub(crate) async fn remove_until(&self, key: &ObjectKey, until: u64) -> Result<Gone, StorageError> {
        let store = match &self.store {
            Store::Local(store) => return store.remove_until(&self.alias, key, until).await,
            Store::S3(store) => store,
        };
        let Some(found) = store.stat(key).await? else { return Ok(Gone::Absent) };
        // Of one that does not say when it was put nobody knows.
        if found.modified == 0 || found.modified > until {
            return Ok(Gone::Kept);
        }
        let is_removed = store.remove(key, &Condition::Is(found.etag)).await?;
        Ok(if is_removed { Gone::Removed } else { Gone::Absent })
    }
}

/// In milliseconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
