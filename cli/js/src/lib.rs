//! From one JavaScript module to a component: the module runs once in an engine that is itself WebAssembly, and the state of
//! that machine, frozen, is the component.
//!
//! The engine is QuickJS, with the runtime and the glue of the crate componentize-qjs, or [`starlingmonkey`]. Both are driven
//! from here and not by their own front doors for two reasons: the machine must see no clock and no randomness while it is
//! made, so that the same source is the same component, byte for byte; and the machine is compiled once, not with every build.
//!
//! This crate knows neither TypeScript nor bundling nor the project: it is given one ES module that imports nothing but
//! interfaces of the host.

// The crate is on the wasmtime that componentize-qjs is on, not on the one that runs logic.
extern crate wasi_preview1_component_adapter_provider_47 as wasi_preview1_component_adapter_provider;
extern crate wasmtime_47 as wasmtime;
extern crate wasmtime_wasi_47 as wasmtime_wasi;
extern crate wit_component_258 as wit_component;
extern crate wit_parser_258 as wit_parser;

mod machine;
mod sealed;
mod snapshot;
pub mod starlingmonkey;
mod world;

use std::{collections::BTreeSet, path::Path};

/// What is made a component.
#[derive(Clone, Copy, Debug)]
pub struct Module<'a> {
    /// An ES module. It exports each of `exports` by the interface's name in camelCase, and imports nothing but `imports`.
    pub code: &'a str,
    /// Interfaces of the host that the code names, for example `santokit:sql/connections@0.1.0`. The component has these
    /// imports and no others.
    pub imports: &'a BTreeSet<String>,
    /// The interfaces that the component exports.
    pub exports: &'a [&'a str],
    /// The WIT packages that these interfaces are in, each after those that it refers to.
    pub packages: &'a [&'a str],
}

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum JsError {
    /// The code imports what the packages do not have.
    #[error("the imports of the module do not fit the host's interfaces: {0}")]
    World(String),
    /// The module does not parse, or throws while it is loaded.
    #[error("{0}")]
    Module(String),
    /// The module calls the host while it is loaded, where there is no host yet. This is the interface and function.
    #[error("the module calls the host ({0}) while it is loaded")]
    CallsHost(String),
    /// This program's own failure.
    #[error("the JavaScript runtime cannot be made a component: {0}")]
    Runtime(String),
}

/// Runs the module and freezes it.
///
/// `cache` is an absolute path; the compiled runtime is kept below it. Takes CPU time, so that the caller should not be on a
/// thread that serves; it must be on one of a tokio runtime.
pub fn componentize(module: &Module<'_>, cache: &Path) -> Result<Vec<u8>, JsError> {
    let machine = machine::link(module)?;
    let frozen = snapshot::take(&machine, module.code, cache)?;
    let own = |error| JsError::Runtime(format!("{error:#}"));
    let closed = componentize_qjs::stubwasi::stub_internal_imports(&frozen).map_err(own)?;
    componentize_qjs::stubwasi::stub_wasi_imports(&closed).map_err(own)
}

/// What of this crate a component depends on, for the key of a cache.
pub fn version() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), " componentize-qjs 0.4.5")
}
