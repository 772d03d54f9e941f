//! Objects: what the buckets of an env keep. Who may touch which of them was decided before; here is I/O, and nothing of HTTP.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use santokit_core::storage::{ObjectKey, ObjectPrefix, Provider, Storage};
use santokit_wasm::{Condition, ObjectPage, ObjectStat, PutOptions, StorageError};

use crate::config::EnvName;

mod local;

pub use local::{Reader, Writer};

/// Where objects are kept, and how much.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// Of local buckets: a folder of this user alone, with one for each env.
    pub dir: PathBuf,
    /// All objects of an env together, in bytes.
    pub env_bytes_max: u64,
}

/// What keeps the objects of all envs of a Bridge.
#[derive(Debug)]
pub struct Stores {
    config: StorageConfig,
    open: Mutex<HashMap<EnvName, Arc<local::Store>>>,
}

/// The buckets of a generation, by alias.
#[derive(Debug, Default)]
pub struct Buckets(BTreeMap<String, Bucket>);

/// One of them.
#[derive(Clone, Debug)]
pub struct Bucket {
    alias: String,
    object_bytes_max: u64,
    store: Arc<local::Store>,
}

impl Stores {
    /// Nothing is opened yet.
    pub fn new(config: StorageConfig) -> Self {
        Self { config, open: Mutex::default() }
    }

    /// What a release says of storage, for an env.
    pub fn buckets(&self, env: &EnvName, storage: &Storage) -> Buckets {
        let bucket = |(alias, bucket): (&String, &santokit_core::storage::Bucket)| {
            let store = match bucket.provider {
                Provider::Local => self.local(env),
            };
            let made = Bucket { alias: alias.clone(), object_bytes_max: bucket.max_object.0, store };
            (alias.clone(), made)
        };
        Buckets(storage.buckets.iter().map(bucket).collect())
    }

    /// One for an env, over all of its generations.
    fn local(&self, env: &EnvName) -> Arc<local::Store> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let made = open.entry(env.clone()).or_insert_with(|| {
            // Names of projects and envs are labels: neither leads out of the folder.
            let dir = self.config.dir.join(&env.project).join(&env.env);
            Arc::new(local::Store::new(dir, self.config.env_bytes_max))
        });
        Arc::clone(made)
    }
}

impl Buckets {
    /// One by its alias.
    pub fn get(&self, alias: &str) -> Option<&Bucket> {
        self.0.get(alias)
    }
}

impl Bucket {
    /// What is known of an object.
    pub async fn stat(&self, key: &ObjectKey) -> Result<Option<ObjectStat>, StorageError> {
        self.store.stat(&self.alias, key).await
    }

    /// An object to be read: the same one to the end.
    pub async fn open(&self, key: &ObjectKey) -> Result<Reader, StorageError> {
        self.store.open(&self.alias, key).await
    }

    /// An object to be written. What is dropped before its end was never there.
    pub async fn create(&self, key: ObjectKey, options: PutOptions) -> Result<Writer, StorageError> {
        self.store.create(self.alias.clone(), key, options, self.object_bytes_max).await
    }

    /// Keys that begin so, after one; at most so many.
    pub async fn list(
        &self,
        prefix: &ObjectPrefix,
        after: Option<&ObjectKey>,
        limit: u32,
    ) -> Result<ObjectPage, StorageError> {
        self.store.list(&self.alias, prefix, after, limit).await
    }

    /// Removes an object; false where there was none.
    pub async fn remove(&self, key: &ObjectKey, condition: &Condition) -> Result<bool, StorageError> {
        self.store.remove(&self.alias, key, condition).await
    }
}

#[cfg(test)]
mod tests;
