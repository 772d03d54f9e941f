//! Loading the files once, and freezing what the interpreter has become.
//!
//! Nothing that differs between two runs may reach it: clocks stand still and random numbers repeat. A fresh instance
//! starts from these frozen bytes, so that none of them may be a secret either.

use std::{path::Path, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;
use wasmtime::{
    Cache, CacheConfig, Config, Engine, Store,
    component::{Component, Linker, ResourceTable, ResourceType, types::ComponentItem},
};
use wasmtime_wasi::{
    Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView, p2,
    p2::pipe::MemoryOutputPipe,
};
use wasmtime_wizer::{WasmtimeWizerComponent, Wizer};

use crate::{File, PythonError};

/// How much of what the interpreter itself says is kept, in bytes.
const PRINTED_MAX: usize = 16 << 10;
/// A module that does not come to an end while it is loaded is stopped.
const LOADING_TICKS_MAX: u64 = 600;
const TICK: Duration = Duration::from_millis(50);

wasmtime::component::bindgen!({
    inline: "
        package santokit:python@0.1.0;
        interface loader {
            record file { path: string, content: list<u8>, vendored: bool }
            load: func(files: list<file>, entry: string) -> result<list<string>, string>;
        }
        world machine { export loader; }
    ",
    world: "machine",
});

use exports::santokit::python::loader::File as LoaderFile;

/// A frozen interpreter with a logic in it.
pub(crate) struct Frozen {
    /// Its imports are still all of the machine's.
    pub(crate) component: Vec<u8>,
    /// Interfaces that the source can reach, of those that need a grant.
    pub(crate) reachable: Vec<String>,
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

/// A clock that stands still.
struct Still;

pub(crate) fn take(machine: &[u8], files: &[File], entry: &str, cache: &Path) -> Result<Frozen, PythonError> {
    let engine = engine(cache).map_err(own)?;
    let wizer = Wizer::new();
    let (context, instrumented) = wizer.instrument_component(machine).map_err(own)?;
    let component = Component::new(&engine, &instrumented).map_err(own)?;
    let (printed, mut store) = store(&engine);
    let instance =
        linker(&engine, &component).and_then(|linker| linker.instantiate(&mut store, &component)).map_err(own)?;
    let _ticker = Ticker::start(&engine);
    let files: Vec<LoaderFile> = files
        .iter()
        .map(|file| LoaderFile { path: file.path.clone(), content: file.content.clone(), vendored: file.vendored })
        .collect();
    let reachable = Machine::new(&mut store, &instance)
        .map_err(own)?
        .santokit_python_loader()
        .call_load(&mut store, &files, entry)
        .map_err(|error| stopped(&error, &printed))?
        .map_err(PythonError::Source)?;
    let mut state = WasmtimeWizerComponent { store: &mut store, instance };
    let component = Handle::current().block_on(wizer.snapshot_component(context, &mut state)).map_err(own)?;
    Ok(Frozen { component, reachable })
}

pub(crate) fn compile(machine: &[u8], cache: &Path) -> Result<(), PythonError> {
    let engine = engine(cache).map_err(own)?;
    let (_, instrumented) = Wizer::new().instrument_component(machine).map_err(own)?;
    Component::new(&engine, &instrumented).map(drop).map_err(own)
}

#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn own(error: wasmtime::Error) -> PythonError {
    PythonError::Machine(format!("{error:#}"))
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Still {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}

/// The interpreter's code is the same for every logic: wasmtime keeps it compiled.
fn engine(cache: &Path) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    let mut kept = CacheConfig::new();
    kept.with_directory(cache.join("compiled"));
    match Cache::new(kept) {
        Ok(cache) => drop(config.cache(Some(cache))),
        // Only slower without.
        Err(error) => tracing::warn!(error = %format!("{error:#}"), "the compiled Python interpreter cannot be kept"),
    }
    Engine::new(&config)
}

fn store(engine: &Engine) -> (MemoryOutputPipe, Store<State>) {
    let printed = MemoryOutputPipe::new(PRINTED_MAX);
    let wasi = WasiCtxBuilder::new()
        .stdout(printed.clone())
        .stderr(printed.clone())
        .secure_random(Deterministic::new(vec![0x5a]))
        .insecure_random(Deterministic::new(vec![0xa5]))
        .insecure_random_seed(0)
        .wall_clock(Still)
        .monotonic_clock(Still)
        .build();
    let mut store = Store::new(engine, State { wasi, table: ResourceTable::new() });
    store.set_epoch_deadline(LOADING_TICKS_MAX);
    (printed, store)
}

fn linker(engine: &Engine, component: &Component) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    p2::add_to_linker_sync(&mut linker)?;
    // The host's interfaces. The SDK says where they are called while a module is loaded; these are never reached.
    for (interface, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(exports) = item.ty else { continue };
        if !interface.starts_with("santokit:") {
            continue;
        }
        let mut instance = linker.instance(interface)?;
        for (name, export) in exports.exports(engine) {
            match export.ty {
                ComponentItem::ComponentFunc(_) => {
                    let called = format!("{interface}#{name}");
                    instance.func_new(name, move |_, _, _, _| {
                        Err(wasmtime::Error::msg(format!("{called} was called while the module was loaded")))
                    })?;
                }
                ComponentItem::Resource(_) => instance.resource(name, ResourceType::host::<()>(), |_, _| Ok(()))?,
                _ => {}
            }
        }
    }
    Ok(linker)
}

/// What made the interpreter stop in the middle.
fn stopped(error: &wasmtime::Error, printed: &MemoryOutputPipe) -> PythonError {
    if let Some(wasmtime::Trap::Interrupt) = error.downcast_ref::<wasmtime::Trap>() {
        return PythonError::Source("the module does not come to an end while it is loaded".to_owned());
    }
    let printed = printed.contents();
    let said = [format!("the interpreter stopped while it loaded the module: {}", error.root_cause())];
    let lines = said.into_iter().chain([String::from_utf8_lossy(&printed).trim().to_owned()]);
    PythonError::Source(lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"))
}

/// Moves the engine's epoch on until it is dropped, as this process uses the CPU: on a busy machine a module has as long as elsewhere.
struct Ticker(tokio::task::JoinHandle<()>);

impl Ticker {
    fn start(engine: &Engine) -> Self {
        let engine = engine.weak();
        Self(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(TICK);
            let mut counted = process_cpu();
            loop {
                ticks.tick().await;
                let Some(engine) = engine.upgrade() else { return };
                if process_cpu().saturating_sub(counted) >= TICK {
                    counted = process_cpu();
                    engine.increment_epoch();
                }
            }
        }))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What all threads of this process have used.
fn process_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
