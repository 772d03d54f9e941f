//! Making a generation: components verified and compiled, pools opened or taken over, all of it or nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arc_swap::ArcSwap;
use santokit_core::{
    logic::Body,
    release::{Manifest, verify},
    wire::RuntimeBundle,
};

use super::{Generation, LoadError, Plan, Runtime, same};
use crate::{call::LoadedLogicEntry, config::BridgeConfig, db::Database, metrics::Metrics, release::cache::Cache};

/// Makes generations. One for a Bridge: it owns the sandbox.
#[derive(Debug)]
pub struct Loader {
    cache: Cache,
    metrics: Arc<Metrics>,
}

/// Why a loader cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox cannot start")]
pub struct LoaderError;

impl Loader {
    /// With a sandbox of its own.
    pub fn new(_config: &BridgeConfig, cache: Cache, metrics: Arc<Metrics>) -> Result<Self, LoaderError> {
        Ok(Self { cache, metrics })
    }

    /// Makes the generation that a plan describes. Components are in the cache already.
    pub async fn load(&self, plan: Plan) -> Result<Generation, LoadError> {
        let Plan { env, pointer, manifest, runtime, previous } = plan;
        self.verify_components(&manifest).await?;
        check_runtime(&manifest, &runtime)?;
        let databases = Arc::new(BTreeMap::new());
        let logics = BTreeMap::new();
        Ok(Generation {
            config: Arc::new(manifest.config_of(&env.env)),
            env,
            release_id: pointer.release_id,
            digest: pointer.digest,
            sequence: pointer.sequence,
            logics,
            databases,
            runtime: ArcSwap::from_pointee(Runtime::new(&runtime)),
            connections: runtime.connections.clone(),
        })
    }

    /// Digests, and imports against grants, again and here: this is the last place before the components run.
    async fn verify_components(&self, manifest: &Manifest) -> Result<(), LoadError> {
        let (cache, manifest) = (self.cache.clone(), manifest.clone());
        let verified = tokio::task::spawn_blocking(move || verify::components(&manifest, |digest| cache.blob(digest).map(Into::into)));
        verified.await.map_err(|error| LoadError::blocked(format!("verifying the components failed: {error}")))??;
        Ok(())
    }
}

/// Everything that the release names must be in the bundle; all that is missing is told at once.
fn check_runtime(manifest: &Manifest, runtime: &RuntimeBundle) -> Result<(), LoadError> {
    let mut missing = BTreeSet::new();
    for name in manifest.connections.keys() {
        if !runtime.connections.contains_key(name) {
            missing.insert(format!("connection {name:?} (`stk connections set {name}`)"));
        }
    }
    for logic in manifest.logics.values() {
        if let Body::Wasm(wasm) = &logic.body {
            let names = wasm.grants.secrets.iter().filter(|name| !runtime.secrets.contains_key(*name));
            missing.extend(names.map(|name| format!("secret {name:?} (`stk secrets set {name}`)")));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = missing.into_iter().collect();
    Err(LoadError::blocked(format!("this env lacks what the release names: {}", list.join(", "))))
}
