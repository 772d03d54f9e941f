//! Making a generation: components verified and compiled, pools opened or taken over, all of it or nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use arc_swap::ArcSwap;
use futures_util::{StreamExt, TryStreamExt, stream};
use santokit_core::{
    logic::{Body, Logic, Mounts},
    query::Query,
    release::{Digest, Manifest, logins::TablePowers, verify},
    wire::{RuntimeBundle, RuntimeConnection},
};
use santokit_sqlite::queries;
use santokit_wasm::{CompiledStore, Sandbox, SandboxConfig, SandboxError, SupplyUsage};

use super::{Generation, LoadError, Plan, Runtime, has_same_guests, same};
use crate::{
    call::LoadedLogicEntry,
    config::EnvName,
    cron::Jobs,
    crud,
    db::{Database, DatabaseSettings},
    delivery::Subscriptions,
    edge::rate::RateLimiter,
    events::{Topics, trigger::RowEvents},
    host::GuestHost,
    release::cache::Cache,
    storage::{StorageConfig, Stores},
};

/// Reading, checking and mapping are work of several processors; compiling has its own bound.
const LOADS_AT_ONCE: usize = 8;

/// Logics by name, loaded.
type Entries = BTreeMap<String, Arc<LoadedLogicEntry>>;

/// Makes generations. One for a Bridge: it owns the sandbox.
pub struct Loader {
    cache: Cache,
    sandbox: Arc<Sandbox<GuestHost>>,
    databases: DatabaseSettings,
    stores: Stores,
    /// What counts how often topics are published; none where nobody does.
    rates: Option<Arc<RateLimiter>>,
    /// Bytes of an event's payload, where it is less than what the platform takes.
    payload_max: Option<usize>,
}

/// Why a loader cannot be made.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LoaderError(#[from] SandboxError);

impl Loader {
    /// With a sandbox of its own, which keeps compiled code in `store`.
    pub fn new(
        sandbox: &SandboxConfig,
        store: Option<CompiledStore>,
        databases: DatabaseSettings,
        storage: StorageConfig,
        cache: Cache,
    ) -> Result<Self, LoaderError> {
        let (sandbox, stores) = (Sandbox::with_store(sandbox, store)?, Stores::new(storage));
        Ok(Self { cache, sandbox, databases, stores, rates: None, payload_max: None })
    }

    /// With what counts how often topics are published.
    #[must_use]
    pub fn counted_by(self, rates: Arc<RateLimiter>) -> Self {
        Self { rates: Some(rates), ..self }
    }

    /// With payloads of events of no more than so many bytes.
    #[must_use]
    pub fn with_payloads_of(self, payload_max: usize) -> Self {
        Self { payload_max: Some(payload_max), ..self }
    }

    /// What the sandbox has made ahead.
    pub fn supply(&self) -> SupplyUsage {
        self.sandbox.supply()
    }

    /// Makes the generation that a plan describes. Components are in the cache already.
    pub async fn load(&self, plan: Plan) -> Result<Generation, LoadError> {
        self.load_on(plan, &self.stores).await
    }

    /// The same, with objects elsewhere: for tests, each of which has its own.
    pub async fn load_on(&self, plan: Plan, stores: &Stores) -> Result<Generation, LoadError> {
        let Plan { env, pointer, manifest, runtime, previous } = plan;
        check_runtime(&manifest, &runtime)?;
        check_guests(&manifest, &runtime)?;
        check_published(&manifest)?;
        queries::verify(&manifest).await.map_err(|error| LoadError::blocked(error.to_string()))?;
        let databases = databases(&runtime, &self.databases, &previous)?;
        let logics = self.logics(&env, &manifest, &previous).await?;
        let jobs = Jobs::of(&env, &manifest.cron).map_err(LoadError::blocked)?;
        let before = previous.first().map(|previous| previous.runtime.load_full());
        let known = Arc::new(ArcSwap::from_pointee(Runtime::new(&runtime, before.as_deref())));
        let tables = crud::tables(&manifest.connections, &manifest.permissions).map_err(LoadError::blocked)?;
        let topics = Topics::of(&manifest.events, &manifest.default_connection).map_err(LoadError::blocked)?;
        let buckets =
            stores.buckets(&env, &manifest.storage, &known).map_err(|error| LoadError::blocked(error.to_string()))?;
        let subscriptions = Subscriptions::of(&env, &manifest.events).map_err(LoadError::blocked)?;
        let topics = topics.with_rules(&manifest.permissions).map_err(LoadError::blocked)?;
        let topics = topics.counted_by(self.rates.clone()).bounded_to(self.payload_max);
        let topics = Arc::new(topics.telling_with(previous.first().map(|previous| &*previous.topics)));
        let row_events = RowEvents { topics: Arc::clone(&topics), release_id: pointer.release_id.clone() };
        let tables = tables.with_triggers(&manifest.events.triggers, row_events).map_err(LoadError::blocked)?;
        let tables = tables.with_objects(&manifest.storage).map_err(LoadError::blocked)?;
        buckets.make(|alias| tables.takes(alias)).await;
        Ok(Generation {
            config: Arc::new(manifest.config_of(&env.env)),
            buckets: Arc::new(buckets),
            topics,
            subscriptions: Arc::new(subscriptions),
            jobs: Arc::new(jobs),
            cors: manifest.cors_of(&env.env).cloned(),
            env,
            release_id: pointer.release_id,
            digest: pointer.digest,
            sequence: pointer.sequence,
            logics: Arc::new(logics),
            mounts: Mounts::of(&manifest.logics),
            databases: Arc::new(databases),
            schemas: Arc::new(manifest.connections),
            tables: Arc::new(tables),
            runtime: known,
            connections: runtime.connections.clone(),
            sources: manifest.logics,
            queries: manifest.queries,
        })
    }

    /// What did not change is taken over: it was verified when it was loaded, and its component is named by its digest.
    async fn logics(
        &self,
        env: &EnvName,
        manifest: &Manifest,
        previous: &[Arc<Generation>],
    ) -> Result<Entries, LoadError> {
        let mut entries = Entries::new();
        let mut changed = manifest.clone();
        changed.logics.retain(|name, logic| {
            let kept = previous
                .iter()
                .filter(|previous| previous.sources.get(name) == Some(logic))
                .filter(|previous| has_same_queries(logic, &previous.queries, &manifest.queries))
                .find_map(|previous| previous.logics.get(name));
            kept.is_none_or(|entry| entries.insert(name.clone(), entry.clone()).is_some())
        });
        let changed = self.verify(changed).await?;
        let loads = changed.logics.into_iter().map(async |(name, logic)| {
            let entry = self.logic(env, &name, logic, &manifest.queries).await?;
            Ok::<_, LoadError>((name, Arc::new(entry)))
        });
        // In order, so that of several logics that cannot be loaded the same one is always named.
        let mut loads = stream::iter(loads).buffered(LOADS_AT_ONCE);
        while let Some((name, entry)) = loads.try_next().await? {
            entries.insert(name, entry);
        }
        Ok(entries)
    }

    /// Digests, and imports against grants, again and here: this is the last place before the components run. Each processor takes a part.
    async fn verify(&self, mut manifest: Manifest) -> Result<Manifest, LoadError> {
        let logics: Vec<_> = std::mem::take(&mut manifest.logics).into_iter().collect();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let mut parts = Vec::new();
        for part in logics.chunks(logics.len().div_ceil(processors).max(1)) {
            let part = Manifest { logics: part.iter().cloned().collect(), ..manifest.clone() };
            let cache = self.cache.clone();
            let verify = move || verify::components(&part, |digest| cache.blob(digest).map(Into::into));
            parts.push(tokio::task::spawn_blocking(verify));
        }
        // In order, for the same reason as there.
        for part in parts {
            part.await.map_err(|error| LoadError::blocked(format!("loading failed: {error}")))??;
        }
        manifest.logics = logics.into_iter().collect();
        Ok(manifest)
    }

    async fn logic(
        &self,
        env: &EnvName,
        name: &str,
        logic: Logic,
        queries: &BTreeMap<String, Query>,
    ) -> Result<LoadedLogicEntry, LoadError> {
        let bytes = match &logic.body {
            Body::Sql(_) => None,
            Body::Wasm(wasm) => {
                let digest = Digest::parse(&wasm.component).map_err(|error| LoadError::blocked(error.to_string()))?;
                let cache = self.cache.clone();
                blocking(move || cache.blob(&digest)).await?
            }
        };
        LoadedLogicEntry::load(env, name, logic, &self.sandbox, queries, |_| bytes).await.map_err(LoadError::blocked)
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").field("cache", &self.cache).finish_non_exhaustive()
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LoadError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| LoadError::blocked(format!("loading failed: {error}")))
}

/// A logic that did not change may call queries that did.
fn has_same_queries(logic: &Logic, before: &BTreeMap<String, Query>, now: &BTreeMap<String, Query>) -> bool {
    match &logic.body {
        Body::Sql(_) => true,
        Body::Wasm(wasm) => wasm.grants.queries.iter().all(|name| before.get(name) == now.get(name)),
    }
}

/// The pools of the generations before where the connection is the same, new ones where not.
fn databases(
    runtime: &RuntimeBundle,
    settings: &DatabaseSettings,
    previous: &[Arc<Generation>],
) -> Result<BTreeMap<String, Arc<Database>>, LoadError> {
    let open = |(name, connection): (&String, &RuntimeConnection)| {
        let kept = previous.iter().find_map(|previous| {
            let before = previous.connections.get(name).filter(|before| same(before, connection))?;
            Some((before, previous.databases.get(name)?))
        });
        let database = match kept {
            Some((before, database)) if has_same_guests(before, connection) => {
                return Ok((name.clone(), Arc::clone(database)));
            }
            Some((_, database)) => database.with_guests(connection, settings),
            None => Database::open(name, connection, settings),
        };
        let database = database.map_err(|error| LoadError::blocked(format!("connection {name:?}: {error}")))?;
        Ok((name.clone(), Arc::new(database)))
    };
    runtime.connections.iter().map(open).collect()
}

/// What logics in SQL publish is a payload of the release's topics, also of logics that are taken over: a topic may have changed.
fn check_published(manifest: &Manifest) -> Result<(), LoadError> {
    for (name, logic) in &manifest.logics {
        let checked = logic.check_published(&manifest.events, &manifest.connections);
        checked.map_err(|error| LoadError::blocked(format!("logic {name:?}: {error}")))?;
    }
    Ok(())
}

/// Everything that the release names must be in the bundle; all that is missing is told at once.
fn check_runtime(manifest: &Manifest, runtime: &RuntimeBundle) -> Result<(), LoadError> {
    let mut missing = BTreeSet::new();
    for name in manifest.connections.keys() {
        if !runtime.connections.contains_key(name) {
            missing.insert(format!("connection {name:?} (`stk connections set {name}`)"));
        }
    }
    let names = manifest.secrets().into_iter().filter(|name| !runtime.secrets.contains_key(*name));
    missing.extend(names.map(|name| format!("secret {name:?} (`stk secrets set {name}`)")));
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = missing.into_iter().collect();
    Err(LoadError::blocked(format!("this env lacks what the release names: {}", list.join(", "))))
}

/// What a guest writes itself, and declared queries, run on a server as logins that the Hub has made. Better refused here than at
/// the first call.
fn check_guests(manifest: &Manifest, runtime: &RuntimeBundle) -> Result<(), LoadError> {
    let mut missing = BTreeSet::new();
    for (name, powers) in manifest.logins() {
        let Some(connection) = runtime.connections.get(&name).filter(|connection| connection.engine != "sqlite") else {
            continue;
        };
        let has = |powers: &TablePowers| connection.guests.iter().any(|login| login.tables == *powers);
        if !powers.iter().all(has) {
            missing.insert(format!("connection {name:?}"));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = missing.into_iter().collect();
    Err(LoadError::blocked(format!(
        "the database has no login for what guests may do on {}; `stk apply` makes it",
        list.join(", ")
    )))
}
