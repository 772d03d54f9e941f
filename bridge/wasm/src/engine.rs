//! The engine and its settings, and loading: gate, compile, link, probe.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use santokit_core::{
    component::{ComponentError, Handled, World},
    limit::InvocationLimits,
    quantity::Bytes,
};
use wasmtime::{
    CacheStore, Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Store,
    WasmBacktraceDetails,
    component::{self, Component, InstancePre, Linker},
};
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};

use crate::{
    admission::{Admission, Turn},
    bindings::{
        Logic, LogicPre,
        handling::{Handling, HandlingPre},
        running::{Running, RunningPre},
    },
    call::{self, EventInfo, Given, Invocation, RunInfo},
    capability,
    compile::{self, CompiledStore, Compiler, Named, WorkerConfig},
    compiled_functions::CompiledFunctions,
    error::CallError,
    host::Host,
    serve::{self, Exchange, Served},
    state::State,
    supply::{Shelf, Supply, SupplyConfig, SupplyUsage},
};

/// What an operator can set.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Live instances at once, 16 or more.
    pub instances_max: u32,
    /// Of them, at most so many of one project; none: all.
    pub project_instances_max: Option<u32>,
    /// Of those of a project, at most so many of one env; none: all.
    pub env_instances_max: Option<u32>,
    /// Of those of an env, at most so many of one logic; none: half of them.
    pub logic_instances_max: Option<u32>,
    /// Largest memory of one invocation, whatever its manifest says.
    pub memory_bytes_max: usize,
    /// How often a busy guest yields.
    pub tick: Duration,
    /// Compilations at once; of one owner, one less, if that is not none.
    pub compiles_max: usize,
    /// Compiled functions that are kept for components that share code with earlier ones, in bytes; 0 keeps none.
    pub compiled_bytes_max: usize,
    /// Whether backtraces name source files and lines, from the component's own debug information. Reading it takes 20 ms for
    /// each trap of a small Rust guest and, where it is made to, gigabytes; no limit of the invocation covers that. So it is
    /// for components that one trusts: those of `stk dev`. Names of functions are given either way.
    pub debug_info: bool,
    /// Whether [`Usage::fuel`](crate::Usage::fuel) is counted. Every piece of code then counts as it goes, which costs some percent of
    /// a guest's time: for looking into a logic.
    pub fuel: bool,
    /// Where components are compiled. None: in this process, which is for components that one trusts.
    pub worker: Option<WorkerConfig>,
    /// Instances that are made ahead of the calls.
    pub supply: SupplyConfig,
}

/// Compiles and runs components for one kind of host.
pub struct Sandbox<H: 'static> {
    engine: Engine,
    linker: Linker<State<H>>,
    admission: Admission,
    memory_bytes_max: usize,
    counts_fuel: bool,
    compiler: Compiler,
    supply: Supply<H>,
    /// By owner and digest, while some generation holds it: a swap compiles only what changed.
    compiled: Mutex<HashMap<String, Weak<Compiled<H>>>>,
}

/// A component that is ready to be called.
pub struct LoadedLogic<H: 'static> {
    sandbox: Arc<Sandbox<H>>,
    compiled: Arc<Compiled<H>>,
    turn: Turn,
}

pub(crate) struct Compiled<H: 'static> {
    pub(crate) pre: Pre<H>,
    /// Whether its code counts.
    pub(crate) counts_fuel: bool,
    /// Whether it has functions that the supply may call.
    pub(crate) is_touchable: bool,
    /// Of the operator, for whatever is made without a call.
    pub(crate) memory_bytes_max: usize,
    /// Instances that wait for a call; gone with the last release that has the component.
    pub(crate) shelf: Shelf<H>,
}

/// A component that is linked, as what it is used.
pub(crate) enum Pre<H: 'static> {
    Logic { pre: InstancePre<State<H>>, is_called: bool, is_given_events: bool, is_run: bool },
    Http(ProxyPre<State<H>>),
}

/// An instance of it.
pub(crate) enum Instance {
    Logic { called: Option<Logic>, given_events: Option<Handling>, run: Option<Running> },
    Http(Proxy),
}

/// Why the sandbox cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox cannot be made: {0}")]
pub struct SandboxError(String);

/// Why a component is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not acceptable, by looking at it.
    #[error(transparent)]
    Refused(#[from] ComponentError),
    /// The compiler refuses it.
    #[error("the component does not compile: {0}")]
    Compile(String),
    /// Its imports or exports are not of our types.
    #[error("the component does not fit this version's interfaces: {0}")]
    Link(String),
    /// It cannot be instantiated.
    #[error("the component cannot be instantiated: {0}")]
    Probe(CallError),
    /// The host's own failure.
    #[error("loading failed: {0}")]
    Host(String),
}

impl Default for SandboxConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, |cores| u32::try_from(cores.get()).unwrap_or(64));
        Self {
            instances_max: (64 * cores).clamp(256, 4_096),
            project_instances_max: None,
            env_instances_max: None,
            logic_instances_max: None,
            memory_bytes_max: 256 << 20,
            tick: Duration::from_millis(5),
            compiles_max: 2,
            compiled_bytes_max: 64 << 20,
            debug_info: false,
            fuel: false,
            worker: None,
            supply: SupplyConfig::default(),
        }
    }
}

impl SandboxError {
    pub(crate) fn new(reason: String) -> Self {
        Self(reason)
    }
}

impl<H: Host> Sandbox<H> {
    /// A sandbox that keeps nothing compiled on disk.
    pub fn new(config: &SandboxConfig) -> Result<Arc<Self>, SandboxError> {
        Self::with_store(config, None)
    }

    /// Makes the engine and starts its ticker, which ends with it.
    pub fn with_store(config: &SandboxConfig, store: Option<CompiledStore>) -> Result<Arc<Self>, SandboxError> {
        // Where the address space is too small for the pool, instances are made on demand: slower, and just as bounded.
        let engine = guest_engine(config, true).or_else(|error| {
            tracing::warn!(error = %error, "no pooling allocator; instances are made on demand");
            guest_engine(config, false)
        })?;
        let mut linker = Linker::new(&engine);
        capability::link(&mut linker).map_err(|error| SandboxError(format!("{error:#}")))?;
        Ok(Arc::new(Self {
            compiler: Compiler::new(&engine, config, store),
            supply: Supply::start(&engine, config.supply)?,
            engine,
            linker,
            admission: Admission::new(config),
            memory_bytes_max: config.memory_bytes_max,
            counts_fuel: config.fuel,
            compiled: Mutex::default(),
        }))
    }

    /// Checks, compiles, links and probes a component. `digest` names its bytes, which the caller has verified.
    pub async fn load(self: &Arc<Self>, bytes: &[u8], digest: &str) -> Result<LoadedLogic<H>, LoadError> {
        self.load_for("", bytes, digest).await
    }

    /// The same for one of several owners: what compiling a component of one comes to, and what it costs, stays with that one.
    pub async fn load_for(
        self: &Arc<Self>,
        owner: &str,
        bytes: &[u8],
        digest: &str,
    ) -> Result<LoadedLogic<H>, LoadError> {
        self.load_as(World::Logic, owner, bytes, digest).await
    }

    /// The same, as what the component is used. One of two worlds is loaded for each.
    pub async fn load_as(
        self: &Arc<Self>,
        world: World,
        owner: &str,
        bytes: &[u8],
        digest: &str,
    ) -> Result<LoadedLogic<H>, LoadError> {
        let named = Named { owner, digest };
        let key = format!("{world:?} {}", named.key());
        if let Some(compiled) = self.known(&key) {
            return Ok(LoadedLogic { sandbox: Arc::clone(self), compiled, turn: self.admission.turn() });
        }
        let compile::Compiled { component, is_touchable } = self.compiler.compile(bytes.to_vec(), &named).await?;
        let link = |error: wasmtime::Error| LoadError::Link(format!("{error:#}"));
        let pre = self.linker.instantiate_pre(&component).and_then(|pre| Pre::new(pre, world)).map_err(link)?;
        let compiled = Arc::new(Compiled {
            pre,
            counts_fuel: self.counts_fuel,
            is_touchable,
            memory_bytes_max: self.memory_bytes_max,
            shelf: self.supply.shelf(weight(&component)),
        });
        // One instantiation without a host: what fails here would fail in every call.
        call::make(&self.engine, &compiled, self.memory_bytes_max).await.map(drop).map_err(LoadError::Probe)?;
        let mut known = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, compiled| compiled.strong_count() > 0);
        known.insert(key, Arc::downgrade(&compiled));
        drop(known);
        Ok(LoadedLogic { sandbox: Arc::clone(self), compiled, turn: self.admission.turn() })
    }

    fn known(&self, key: &str) -> Option<Arc<Compiled<H>>> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner).get(key).and_then(Weak::upgrade)
    }

    /// What was made ahead, and what of it is held.
    pub fn supply(&self) -> SupplyUsage {
        self.supply.usage()
    }
}

impl<H: Host> LoadedLogic<H> {
    pub(crate) fn parts(&self) -> (&Engine, &Compiled<H>, usize) {
        (&self.sandbox.engine, &self.compiled, self.sandbox.memory_bytes_max)
    }

    /// As a logic of an env of a project, whose calls have no more instances at once than their shares.
    #[must_use]
    pub fn shared_by(self, project: &str, env: &str, logic: &str) -> Self {
        let turn = self.sandbox.admission.turn_of(project, env, logic);
        Self { turn, ..self }
    }

    /// Calls the handler in a fresh instance. Dropping the future stops the guest and rolls back what it has open.
    pub async fn call(&self, host: H, input: Vec<u8>, limits: &InvocationLimits) -> Invocation<H> {
        self.call_within(host, input, limits, limits.timeout.duration()).await
    }

    /// Gives it a request of HTTP, in a fresh instance. Dropping the future stops the guest, and its answer breaks off.
    pub async fn serve(&self, host: H, exchange: Exchange, limits: &InvocationLimits) -> Served<H> {
        let _admitted = match self.turn.wait(limits.timeout.duration()).await {
            Ok(admitted) => admitted,
            Err(setting) => {
                let outcome = Err(CallError::Busy { setting });
                return Served { outcome, host: Some(host), usage: call::Usage::default() };
            }
        };
        let limits = self.limits(limits);
        serve::run(&self.sandbox.engine, &self.compiled, host, exchange, &limits, self.turn.slices()).await
    }

    /// The same, for who keeps an instance meanwhile: it waits no longer than so for a free one. If all waited for one another, none
    /// would become free.
    pub async fn call_within(
        &self,
        host: H,
        input: Vec<u8>,
        limits: &InvocationLimits,
        patience: Duration,
    ) -> Invocation<H> {
        self.give(host, Given::Params(input), limits, patience).await
    }

    /// Gives it an event, in a fresh instance. The answer is `null`. Dropping the future stops the guest and rolls back what it has open.
    pub async fn handle(
        &self,
        host: H,
        event: EventInfo,
        payload: Vec<u8>,
        limits: &InvocationLimits,
    ) -> Invocation<H> {
        self.give(host, Given::Event(event, payload), limits, limits.timeout.duration()).await
    }

    /// Tells it of a run of a job, in a fresh instance. The answer is `null`.
    pub async fn run(&self, host: H, run: RunInfo, limits: &InvocationLimits) -> Invocation<H> {
        self.give(host, Given::Run(run), limits, limits.timeout.duration()).await
    }

    async fn give(&self, host: H, given: Given, limits: &InvocationLimits, patience: Duration) -> Invocation<H> {
        let _admitted = match self.turn.wait(patience).await {
            Ok(admitted) => admitted,
            Err(setting) => {
                let outcome = Err(CallError::Busy { setting });
                return Invocation { outcome, host: Some(host), usage: call::Usage::default() };
            }
        };
        let limits = self.limits(limits);
        call::run(&self.sandbox.engine, &self.compiled, host, given, &limits, self.turn.slices()).await
    }
}

impl<H: Host> LoadedLogic<H> {
    /// Where instances are made on demand there is no pool that would hold the operator's ceiling.
    fn limits(&self, limits: &InvocationLimits) -> InvocationLimits {
        let memory = limits.memory.min(Bytes(self.sandbox.memory_bytes_max as u64));
        InvocationLimits { memory, ..limits.clone() }
    }
}

impl<H: Host> Pre<H> {
    fn new(pre: InstancePre<State<H>>, world: World) -> wasmtime::Result<Self> {
        match world {
            World::Logic => {
                let exports = |handled: Handled| pre.component().get_export_index(None, handled.export()).is_some();
                let (is_called, is_given_events) = (exports(Handled::Call), exports(Handled::Event));
                let is_run = exports(Handled::Cron);
                // Their types are looked at now. What exports none of them is no logic.
                if is_called || !is_given_events && !is_run {
                    LogicPre::new(pre.clone())?;
                }
                if is_given_events {
                    HandlingPre::new(pre.clone())?;
                }
                if is_run {
                    RunningPre::new(pre.clone())?;
                }
                Ok(Self::Logic { pre, is_called, is_given_events, is_run })
            }
            World::Http => ProxyPre::new(pre).map(Self::Http),
        }
    }

    /// An instance, as what is called and as the engine has it.
    pub(crate) async fn instantiate(
        &self,
        store: &mut Store<State<H>>,
    ) -> wasmtime::Result<(Instance, component::Instance)> {
        match self {
            Self::Logic { pre, is_called, is_given_events, is_run } => {
                let inner = pre.instantiate_async(&mut *store).await?;
                let called = is_called.then(|| Logic::new(&mut *store, &inner)).transpose()?;
                let given_events = is_given_events.then(|| Handling::new(&mut *store, &inner)).transpose()?;
                let run = is_run.then(|| Running::new(&mut *store, &inner)).transpose()?;
                Ok((Instance::Logic { called, given_events, run }, inner))
            }
            Self::Http(pre) => {
                let inner = pre.instance_pre().instantiate_async(&mut *store).await?;
                Ok((Instance::Http(Proxy::new(store, &inner)?), inner))
            }
        }
    }
}

/// The engine that runs guests, with its ticker: from the pool, or with instances made on demand.
///
/// Public for the suites of the specification, which hold both against it; whoever runs guests takes a [`Sandbox`].
#[doc(hidden)]
pub fn guest_engine(config: &SandboxConfig, is_pooled: bool) -> Result<Engine, SandboxError> {
    let functions = Arc::new(CompiledFunctions::new(config.compiled_bytes_max));
    let engine = settings(config, is_pooled.then(|| pool(config)), &functions)
        .and_then(|settings| Engine::new(&settings))
        .map_err(|error| SandboxError(format!("{error:#}")))?;
    start_ticker(&engine, config.tick)?;
    Ok(engine)
}

/// See docs/decisions/0002: components only, and everything off that no guest of ours needs.
pub(crate) fn settings(
    sandbox: &SandboxConfig,
    pool: Option<PoolingAllocationConfig>,
    functions: &Arc<CompiledFunctions>,
) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .gc_support(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .wasm_threads(false)
        .wasm_memory64(false)
        .wasm_stack_switching(false)
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .consume_fuel(sandbox.fuel)
        .memory_init_cow(true)
        .memory_may_move(false)
        .max_wasm_stack(1 << 20)
        .async_stack_size(2 << 20)
        .wasm_backtrace_details(if sandbox.debug_info {
            WasmBacktraceDetails::Enable
        } else {
            WasmBacktraceDetails::Disable
        })
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16))
        .native_unwind_info(false);
    if let Some(pool) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    if sandbox.compiled_bytes_max > 0 {
        config.enable_incremental_compilation(Arc::clone(functions) as Arc<dyn CacheStore>)?;
    }
    Ok(config)
}

/// How many usual instances one of a component is, for the pool: as many as its memories and tables are of those that one has there.
fn weight(component: &Component) -> u32 {
    // None: it instantiates what it is given, which no component here can be.
    component
        .resources_required()
        .map_or(4, |required| required.num_memories.max(required.num_tables.div_ceil(2)).max(1))
}

fn pool(config: &SandboxConfig) -> PoolingAllocationConfig {
    // Besides those of calls, so that no call ever lacks one that waits for another.
    let instances = config.instances_max.max(16).saturating_add(config.supply.instances_max);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        // A count, not a reservation: as many as each component may have.
        .total_core_instances(instances.saturating_mul(64))
        .total_memories(instances + instances / 4)
        .total_tables(instances.saturating_mul(2))
        .total_stacks(instances)
        .max_core_instances_per_component(64)
        .max_memories_per_component(4)
        .max_tables_per_component(8)
        .max_tables_per_module(2)
        .max_memories_per_module(1)
        .table_elements(100_000)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .max_memory_size(config.memory_bytes_max)
        // What is kept is overwritten after each call, touched or not; the rest is given back to the kernel. The whole memory of a usual guest in
        // Rust or C, for which the kernel then has nothing to do (docs/decisions/0047). Measured: docs/PERFORMANCE.md.
        .linear_memory_keep_resident(512 << 10)
        .table_keep_resident(64 << 10)
        // What stays resident is bounded by this many idle slots, whichever components come and go.
        .max_unused_warm_slots(instances / 8)
        // Pages that are written but swapped out would keep their content: only safe without swap, so not used.
        .pagemap_scan(Enabled::No);
    pool
}

#[expect(clippy::disallowed_methods, reason = "sleeps on a thread of its own")]
fn start_ticker(engine: &Engine, tick: Duration) -> Result<(), SandboxError> {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("wasm-ticker".to_owned())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(tick);
            }
        })
        .map(drop)
        .map_err(|error| SandboxError(error.to_string()))
}
