//! From a component's bytes to machine code that can be loaded: what was compiled before comes from the disk, the rest from a compiler
//! that has a process, a memory and a time of its own.
//!
//! A component is hostile input to a compiler, and a compilation cannot be cut short from within its process (docs/decisions/0007).

mod client;
mod confine;
mod store;
pub(crate) mod touching;
mod worker;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use santokit_core::component;
use tokio::sync::Semaphore;
use wasmtime::{Engine, component::Component};

pub use store::{CompiledStore, StoreError};
pub use worker::{WorkerError, run_worker};

use crate::engine::{LoadError, SandboxConfig};
use client::Workers;

/// The program that compiles, and what one component may cost it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerConfig {
    /// A program that calls [`run_worker`] with its standard input and output.
    pub program: std::path::PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Bounds.
    pub limits: CompileLimits,
}

/// What compiling one component may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Address space of the process, in bytes.
    pub memory_bytes_max: usize,
    /// Time on the processors, all threads together; whole seconds.
    pub cpu: Duration,
    /// Time by the clock.
    pub timeout: Duration,
}

/// Compiles for one engine.
pub(crate) struct Compiler {
    engine: Engine,
    place: Place,
    store: Option<Arc<CompiledStore>>,
    permits: Semaphore,
    /// By owner, while it compiles or waits for it.
    turns: Mutex<HashMap<String, Arc<Semaphore>>>,
    compiles_max: usize,
}

/// A component that can be linked.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    /// Whether its functions for the supply are ours and not its own of the same names.
    pub(crate) is_touchable: bool,
}

enum Place {
    /// Here: for components that one trusts, whose functions are then kept for the next one.
    Process,
    /// In a process of its own.
    Workers(Workers),
}

/// A component's name for who has it.
pub(crate) struct Named<'a> {
    /// Whose it is. What a compiler answers for one is never run for another: the component may have taken the compiler over.
    pub(crate) owner: &'a str,
    /// Of its bytes.
    pub(crate) digest: &'a str,
}

impl Named<'_> {
    /// Under which its machine code is kept.
    fn kept_as(&self) -> String {
        format!("{} {}", self.key(), touching::VERSION)
    }

    /// Under which it is known here.
    pub(crate) fn key(&self) -> String {
        if self.owner.is_empty() { self.digest.to_owned() } else { format!("{} of {}", self.digest, self.owner) }
    }
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { memory_bytes_max: 4 << 30, cpu: Duration::from_mins(2), timeout: Duration::from_mins(4) }
    }
}

impl Compiler {
    pub(crate) fn new(engine: &Engine, config: &SandboxConfig, store: Option<CompiledStore>) -> Self {
        let place = config.worker.clone().map_or(Place::Process, |worker| Place::Workers(Workers::new(worker, config)));
        Self {
            engine: engine.clone(),
            place,
            store: store.map(Arc::new),
            permits: Semaphore::new(config.compiles_max.max(1)),
            turns: Mutex::default(),
            compiles_max: config.compiles_max,
        }
    }

    /// Looks at the component, and makes it ready to be linked.
    pub(crate) async fn compile(&self, bytes: Vec<u8>, named: &Named<'_>) -> Result<Compiled, LoadError> {
        let (engine, store, key) = (self.engine.clone(), self.store.clone(), named.kept_as());
        let looked = blocking(move || {
            let is_touchable = inspect(&bytes)?;
            Ok(match store.and_then(|store| store.get(&engine, &key)) {
                Some(component) => (is_touchable, Some(ready(component)?), Vec::new()),
                None => (is_touchable, None, touching::extend(bytes)),
            })
        });
        let (is_touchable, kept, bytes) = looked.await?;
        let component = if let Some(component) = kept {
            component
        } else {
            let host = |error: tokio::sync::AcquireError| LoadError::Host(error.to_string());
            let turn = self.turn(named.owner);
            let turn = turn.acquire().await.map_err(host)?;
            let permit = self.permits.acquire().await.map_err(host)?;
            let compiled = self.compile_anew(bytes, named).await;
            drop((permit, turn));
            compiled?
        };
        Ok(Compiled { component, is_touchable })
    }

    /// Of one owner, one less compile at once than of all, if that is not none: whatever its components cost, there is one for the others.
    fn turn(&self, owner: &str) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        let most = self.compiles_max.saturating_sub(1).max(1);
        Arc::clone(turns.entry(owner.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(most))))
    }

    async fn compile_anew(&self, bytes: Vec<u8>, named: &Named<'_>) -> Result<Component, LoadError> {
        let (engine, store, key) = (self.engine.clone(), self.store.clone(), named.kept_as());
        let code = match &self.place {
            Place::Process if store.is_none() => {
                return blocking(move || {
                    Component::new(&engine, bytes).map_err(|error| refused(&error)).and_then(ready)
                })
                .await;
            }
            Place::Process => {
                let engine = engine.clone();
                blocking(move || engine.precompile_component(&bytes).map_err(|error| refused(&error))).await?
            }
            Place::Workers(workers) => workers.compile(named.owner, &bytes).await?,
        };
        blocking(move || {
            let kept = store.and_then(|store| store.put(&engine, &key, &code));
            let component = kept.map_or_else(|| store::load(&engine, &code), Ok);
            // What this very engine has asked for is only refused for what the component wants of it: more than the pool has.
            component.map_err(|error| refused(&error)).and_then(ready)
        })
        .await
    }
}

/// Whether the functions of [`touching`], if there are any, are ours.
fn inspect(bytes: &[u8]) -> Result<bool, LoadError> {
    let inspection = component::inspect(bytes)?;
    component::check_some_world(&inspection)?;
    component::check_offered(&inspection.imports)?;
    Ok(!touching::is_taken(inspection.exports.iter()))
}

/// The image of its memory is made now, rather than in the first call.
fn ready(component: Component) -> Result<Component, LoadError> {
    component.initialize_copy_on_write_image().map_err(|error| refused(&error))?;
    Ok(component)
}

fn refused(error: &wasmtime::Error) -> LoadError {
    LoadError::Compile(format!("{error:#}"))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| LoadError::Host(error.to_string()))?
}
