//! Running the module once in the engine, and freezing what it has become.

use std::path::Path;

use tokio::runtime::Handle;
use wasmtime::{Engine, Linker, Module, Store};
use wasmtime_wizer::{WasmtimeWizer, Wizer};

use super::{
    preview1::{self, Surroundings},
    splicer::Spliced,
};
use crate::{
    JsError,
    sealed::{self, Ticker},
};

/// What the engine calls the module in a stack. The same on every machine, because the stack may be kept.
const MODULE: &str = "santokit-bundle.js";
const BINDINGS: &str = "bindings.js";

/// What the engine prints before an exception that the module throws.
const THROWN: &str = "Exception while evaluating top-level script";

/// The engine's function that reads its arguments from standard input, loads the scripts and looks for the exports.
const LOAD: &str = "componentize.wizer";

/// The core module that engine and module have become.
pub(super) fn take(spliced: &Spliced, code: &str, cache: &Path) -> Result<Vec<u8>, JsError> {
    let own = |error: wasmtime::Error| JsError::Runtime(format!("{error:#}"));
    let engine = sealed::engine(cache).map_err(own)?;
    let mut wizer = Wizer::new();
    wizer.init_func(LOAD);
    let (context, instrumented) = wizer.instrument(&spliced.wasm).map_err(own)?;
    let module = Module::new(&engine, &instrumented).map_err(own)?;
    let mut store = store(&engine, spliced, code);
    let _ticker = Ticker::start(&engine);
    Handle::current().block_on(async {
        let mut linker = Linker::new(&engine);
        preview1::link(&mut linker).map_err(own)?;
        // The host's interfaces, and what of WASI stays closed: to call them now is the developer's mistake.
        linker.define_unknown_imports_as_traps(&module).map_err(own)?;
        let instance = linker.instantiate_async(&mut store, &module).await.map_err(own)?;
        for name in ["_initialize", LOAD] {
            let function = instance.get_typed_func::<(), ()>(&mut store, name).map_err(own)?;
            let ran = function.call_async(&mut store, ()).await;
            ran.map_err(|error| explained(&error, store.data()))?;
        }
        let mut machine = WasmtimeWizer { store: &mut store, instance };
        let frozen = wizer.snapshot(context, &mut machine).await.map_err(own)?;
        // Whether it found the exports; asked last, because the question leaves traces.
        let check = instance.get_typed_func::<(), i32>(&mut store, "check_init").map_err(own)?;
        match check.call_async(&mut store, ()).await.map_err(own)? {
            0 => Ok(frozen),
            // What it prints is advice for another tool.
            _ => Err(JsError::Module("the default export is no logic: make it with logic(…)".to_owned())),
        }
    })
}

/// The engine with its arguments, its settings, and a folder with nothing but the two scripts.
fn store(engine: &Engine, spliced: &Spliced, code: &str) -> Store<Surroundings> {
    let settings = [("SOURCE_NAME", MODULE), ("DEBUG", ""), ("FEATURE_CLOCKS", "")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let surroundings = Surroundings::new(
        settings.into_iter().chain(spliced.settings.iter().cloned()),
        format!("--initializer-script-path /{BINDINGS} --strip-path-prefix / /{MODULE}"),
        [(MODULE, code), (BINDINGS, &spliced.bindings)],
    );
    let mut store = Store::new(engine, surroundings);
    store.set_epoch_deadline(sealed::LOADING_TICKS_MAX);
    store
}

/// The engine prints what was thrown and ends.
fn explained(error: &wasmtime::Error, surroundings: &Surroundings) -> JsError {
    let printed = surroundings.printed();
    match (sealed::stopped(error), printed.strip_prefix(THROWN)) {
        // The same once more, as a promise that nobody waited for.
        (JsError::Module(_), Some(thrown)) => {
            JsError::Module(thrown.split("\nAdditionally, ").next().unwrap_or_default().trim().to_owned())
        }
        (JsError::Module(stopped), None) => JsError::Module([&stopped, printed.as_str()].join("\n").trim().to_owned()),
        (other, _) => other,
    }
}
