//! What the cases of a run share: the release, compiled once, and the templates of their databases.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use santokit_bridge::{
    EnvName,
    crud::limits::CrudSettings,
    db::DatabaseSettings,
    generation::{Generation, Loader, Plan},
    metrics::Metrics,
    release::cache::Cache,
    storage::{StorageConfig, Stores},
};
use santokit_core::{
    logic::Body,
    project::{Project, test_file::TestCase},
    release::{Manifest, Pointer, verify},
    wire::{RuntimeBundle, Sealed},
};
use santokit_wasm::{CompiledStore, SandboxConfig, SupplyConfig};
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::database::{Databases, scratch};
use crate::{
    failure::{Exit, Failure},
    folder::Candidate,
    report::Terminal,
    user_cache,
};

/// The env that logics see.
const ENV: &str = "test";
const RELEASE: &str = "rel_test";
/// As a Bridge keeps.
const COMPILED_DISK_MAX: u64 = 4 << 30;
/// Of the objects of one case.
const STORAGE_BYTES: u64 = 1 << 30;

/// Outlives a run: what was compiled stays so until the next save.
pub(super) struct Theatre {
    /// The project's folder.
    root: PathBuf,
    terminal: Terminal,
    dir: TempDir,
    cache: Cache,
    loader: Loader,
    metrics: Arc<Metrics>,
    crud: Arc<CrudSettings>,
    made: AtomicU64,
}

/// One release on it.
pub(super) struct Stage {
    theatre: Arc<Theatre>,
    pub(super) project: Project,
    manifest: Manifest,
    base: Arc<Generation>,
    /// By seed files.
    templates: BTreeMap<Vec<String>, Databases>,
}

impl Theatre {
    pub(super) fn new(root: PathBuf, terminal: Terminal) -> anyhow::Result<Self> {
        let dir = scratch()?;
        let cache = Cache::open(&dir.path().join("cache"), None).context("cannot make a cache for the tests")?;
        // The components are the developer's own: a trap is told with its line.
        // And a case is to be the same whenever it runs: nothing is made ahead.
        let sandbox = SandboxConfig { debug_info: true, supply: SupplyConfig::NONE, ..SandboxConfig::default() };
        let compiled = CompiledStore::open(&user_cache::compiled(dir.path()), None, COMPILED_DISK_MAX);
        let storage = StorageConfig::at(dir.path().join("storage"), STORAGE_BYTES);
        let loader = Loader::new(&sandbox, compiled.ok(), DatabaseSettings::default(), storage, cache.clone())?;
        let metrics = Arc::new(Metrics::new()?);
        Ok(Self { root, terminal, dir, cache, loader, metrics, crud: Arc::default(), made: AtomicU64::new(0) })
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join(self.made.fetch_add(1, Ordering::Relaxed).to_string())
    }

    async fn load(
        &self,
        manifest: Manifest,
        databases: &Databases,
        mut secrets: BTreeMap<String, Sealed>,
        previous: Option<Arc<Generation>>,
    ) -> anyhow::Result<Generation> {
        // Each has buckets of its own, which are empty and here: what opens the real ones is not even known.
        let stores =
            Stores::new(StorageConfig { is_rehearsal: true, ..StorageConfig::at(self.folder(), STORAGE_BYTES) });
        for name in manifest.storage.secrets() {
            secrets.entry(name.to_owned()).or_insert_with(|| Sealed::new(""));
        }
        let digest = manifest.digest()?;
        let pointer = Pointer {
            project: manifest.project.clone(),
            env: ENV.to_owned(),
            release_id: RELEASE.to_owned(),
            digest,
            canary: None,
            sequence: 1,
            issued_at: String::new(),
        };
        let connections = manifest.connections.keys().map(|name| (name.clone(), databases.connection(name))).collect();
        let runtime = Arc::new(RuntimeBundle {
            connections,
            secrets,
            api_keys: Vec::new(),
            user_keys: Vec::new(),
            storage_key: None,
        });
        let env = EnvName { project: manifest.project.clone(), env: ENV.to_owned() };
        let previous = previous.into_iter().collect();
        let loaded = self.loader.load_on(Plan { env, pointer, manifest, runtime, previous }, &stores).await;
        loaded.map_err(|error| Failure::new(Exit::Refused, error.to_string()).into())
    }
}

impl Stage {
    /// Checks the release as a Hub does and loads it as a Bridge does.
    pub(super) async fn new(
        theatre: Arc<Theatre>,
        previous: Option<Arc<Generation>>,
        project: Project,
        candidate: &Candidate,
    ) -> anyhow::Result<Self> {
        // A case calls a logic itself: nothing is run by the clock or given events, by logics that may not be here.
        let mut whole = candidate.manifest.clone();
        whole.cron.clear();
        whole.events.subscriptions.clear();
        let text = String::from_utf8(whole.canonical()?)?;
        let manifest = verify::manifest(&text).map_err(|error| Failure::new(Exit::Refused, error.to_string()))?;
        for (digest, bytes) in &candidate.blobs {
            theatre.cache.put_blob(digest, bytes).context("cannot keep a component")?;
        }
        let empty = Databases::template(theatre.folder(), &theatre.root, &project, &[], theatre.terminal).await?;
        // It serves nobody: a case has secrets of its own.
        let secrets = secrets_of(&manifest).into_iter().map(|name| (name, Sealed::new(""))).collect();
        let base = Arc::new(theatre.load(manifest.clone(), &empty, secrets, previous).await?);
        Ok(Self { theatre, project, manifest, base, templates: BTreeMap::from([(Vec::new(), empty)]) })
    }

    /// Makes the templates of the cases' databases.
    pub(super) async fn prepare(&mut self, cases: impl IntoIterator<Item = &TestCase>) -> anyhow::Result<()> {
        for case in cases {
            if let Entry::Vacant(free) = self.templates.entry(case.given.seed.clone()) {
                let Theatre { root, terminal, .. } = &*self.theatre;
                let made = Databases::template(self.theatre.folder(), root, &self.project, free.key(), *terminal).await;
                free.insert(made?);
            }
        }
        Ok(())
    }

    /// What is compiled, for the next run.
    pub(super) fn base(&self) -> Arc<Generation> {
        self.base.clone()
    }

    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.theatre.metrics
    }

    /// As a Bridge bounds requests to tables by default.
    pub(super) fn crud(&self) -> &Arc<CrudSettings> {
        &self.theatre.crud
    }

    /// The databases of a case, with its rows in them.
    pub(super) async fn databases(&self, case: &TestCase) -> anyhow::Result<Databases> {
        let template = self.templates.get(&case.given.seed).context("there is a template for the seeds")?;
        let databases = template.copy(self.theatre.folder(), &self.project)?;
        databases.write(&case.given, &self.project).await?;
        Ok(databases)
    }

    /// What serves the calls of a case: the logics that it calls, as they were compiled, on its own databases.
    pub(super) async fn generation(&self, case: &TestCase, databases: &Databases) -> anyhow::Result<Arc<Generation>> {
        let mut manifest = self.manifest.clone();
        let called = called(&manifest, case);
        manifest.logics.retain(|name, _| called.contains(name));
        manifest.config.extend(case.given.config.clone());
        let secrets: BTreeMap<String, Sealed> =
            case.given.secrets.iter().map(|(name, value)| (name.clone(), Sealed::new(value.expose_secret()))).collect();
        let missing: Vec<String> =
            secrets_of(&manifest).into_iter().filter(|name| !secrets.contains_key(name)).collect();
        anyhow::ensure!(missing.is_empty(), "given.secrets lacks what the logic is granted: {}", missing.join(", "));
        self.theatre.load(manifest, databases, secrets, Some(self.base.clone())).await.map(Arc::new)
    }
}

/// The logics that a case calls, and those that these may call.
fn called(manifest: &Manifest, case: &TestCase) -> BTreeSet<String> {
    let mut called = BTreeSet::new();
    let mut next: Vec<&str> = case.steps.iter().map(|step| step.logic.as_str()).collect();
    while let Some(name) = next.pop() {
        let Some(logic) = manifest.logics.get(name).filter(|_| called.insert(name.to_owned())) else { continue };
        if let Body::Wasm(wasm) = &logic.body {
            next.extend(wasm.grants.logics.iter().map(String::as_str));
        }
    }
    called
}

fn secrets_of(manifest: &Manifest) -> BTreeSet<String> {
    let of = |body: &Body| match body {
        Body::Wasm(wasm) => wasm.grants.secrets.iter().cloned().collect(),
        Body::Sql(_) => Vec::new(),
    };
    manifest.logics.values().flat_map(|logic| of(&logic.body)).collect()
}
