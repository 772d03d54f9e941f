//! Running the module once, and freezing what it has become.
//!
//! A fresh instance starts from these frozen bytes, so that none of them may be a secret.

use std::path::Path;

use tokio::runtime::Handle;
use wasmtime::{
    Engine, Store,
    component::{Component, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView, p2, p2::pipe::MemoryOutputPipe};
use wasmtime_wizer::{WasmtimeWizerComponent, Wizer};

use crate::{
    JsError,
    machine::Machine,
    sealed::{self, Ticker},
};

// What the runtime of componentize-qjs exports to be started with a script, and imports to load further modules.
wasmtime::component::bindgen!({
    inline: "
        package local:init;

        interface module-loader {
            resolve: func(referrer: string, specifier: string) -> result<string, string>;
            load: func(path: string) -> result<string, string>;
        }

        world init {
            import module-loader;
            export init: func(shim: string, script: string, entry-path: option<string>, disable-gc: bool) -> result<_, string>;
        }
    ",
    world: "init",
});

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

/// The component that the module has become; its imports are still those of the machine.
pub(crate) fn take(machine: &Machine, code: &str, cache: &Path) -> Result<Vec<u8>, JsError> {
    let own = |error: wasmtime::Error| JsError::Runtime(format!("{error:#}"));
    let engine = sealed::engine(&cache.join("quickjs")).map_err(own)?;
    let wizer = Wizer::new();
    let (context, instrumented) = wizer.instrument_component(&machine.component).map_err(own)?;
    let component = Component::new(&engine, &instrumented).map_err(own)?;
    let (printed, mut store) = store(&engine);
    let linker = linker(&engine, &component).map_err(own)?;
    let instance = linker.instantiate(&mut store, &component).map_err(own)?;
    let _ticker = Ticker::start(&engine);
    Init::new(&mut store, &instance)
        .map_err(own)?
        .call_init(&mut store, &machine.shim, code, None, false)
        .map_err(|error| sealed::stopped(&error))?
        .map_err(|error| JsError::Module(sealed::said(&error, &printed)))?;
    let mut machine = WasmtimeWizerComponent { store: &mut store, instance };
    Handle::current().block_on(wizer.snapshot_component(context, &mut machine)).map_err(own)
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

fn store(engine: &Engine) -> (MemoryOutputPipe, Store<State>) {
    let (printed, mut wasi) = sealed::wasi();
    let mut store = Store::new(engine, State { wasi: wasi.build(), table: ResourceTable::new() });
    store.set_epoch_deadline(sealed::LOADING_TICKS_MAX);
    (printed, store)
}

fn linker(engine: &Engine, component: &Component) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    linker.allow_shadowing(true);
    // The host's interfaces: to call them while the module is loaded is the developer's mistake.
    linker.define_unknown_imports_as_traps(component)?;
    p2::add_to_linker_sync(&mut linker)?;
    let mut loader = linker.instance("local:init/module-loader")?;
    let nothing = || Err::<String, String>("the module is whole; nothing else can be loaded".to_owned());
    loader.func_wrap("resolve", move |_, (_, _): (String, String)| Ok((nothing(),)))?;
    loader.func_wrap("load", move |_, (_,): (String,)| Ok((nothing(),)))?;
    Ok(linker)
}
