//! The splicer: a program of componentize-js that is itself WebAssembly. It is given the engine and the module's world.
//!
//! In its package it is a core module for WASI preview 1, taken apart for Node; here it is put together again as a component.

use std::path::Path;

use tempfile::TempDir;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as ADAPTER,
};
use wasmtime::{
    Store,
    component::{Component, Linker, ResourceTable},
};
use wasmtime_wasi::{DirPerms, FilePerms, WasiCtx, WasiCtxView, WasiView, p2};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::{
    JsError, Module,
    sealed::{self, Ticker},
    world,
};

/// What it exports: the types as `splicer.d.ts` of componentize-js 0.23 has them.
const WIT: &str = include_str!("splicer.wit");

/// Where it finds the world.
const FOLDER: &str = "/wit";
const WORLD: &str = "logic";

wasmtime::component::bindgen!({ path: "src/starlingmonkey/splicer.wit", world: "splicing" });

use exports::local::spidermonkey_embedding_splicer::splicer::CoreTy;

/// Started, with the module's world before it.
pub(super) struct Splicer {
    store: Store<State>,
    calls: Splicing,
    _ticker: Ticker,
    _folder: TempDir,
}

/// The engine with glue for one world.
pub(super) struct Spliced {
    pub(super) wasm: Vec<u8>,
    /// A script that ties exports and imports of the module to the glue.
    pub(super) bindings: String,
    /// What the engine is told of the glue: names and values of its environment.
    pub(super) settings: Vec<(String, String)>,
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl Splicer {
    pub(super) fn start(module: &Module<'_>, program: &Path, cache: &Path) -> Result<Self, JsError> {
        let failed = |error: wasmtime::Error| JsError::Runtime(format!("the splicer cannot run: {error:#}"));
        let folder = folder_of(module).map_err(|error| failed(error.into()))?;
        let core = std::fs::read(program).map_err(|error| failed(error.into()))?;
        let whole = whole(core)?;
        let engine = sealed::engine(cache).map_err(failed)?;
        let component = Component::new(&engine, whole).map_err(failed)?;
        let (_, mut wasi) = sealed::wasi();
        wasi.preopened_dir(folder.path(), FOLDER, DirPerms::READ, FilePerms::READ).map_err(failed)?;
        let mut store = Store::new(&engine, State { wasi: wasi.build(), table: ResourceTable::new() });
        store.set_epoch_deadline(sealed::LOADING_TICKS_MAX);
        let mut linker = Linker::new(&engine);
        p2::add_to_linker_sync(&mut linker).map_err(failed)?;
        let calls = Splicing::instantiate(&mut store, &component, &linker).map_err(failed)?;
        Ok(Self { store, calls, _ticker: Ticker::start(&engine), _folder: folder })
    }

    /// Puts the glue into the engine. None of the engine's own features (network, files, timers) is asked for.
    pub(super) fn splice(&mut self, engine: &[u8]) -> Result<Spliced, JsError> {
        self.store.set_epoch_deadline(sealed::LOADING_TICKS_MAX);
        let program = self.calls.local_spidermonkey_embedding_splicer_splicer();
        let spliced = program
            .call_splice_bindings(&mut self.store, engine, &[], None, Some(FOLDER), Some(WORLD), false)
            .map_err(|error| JsError::Runtime(format!("the splicer failed: {error:#}")))?
            .map_err(JsError::World)?;
        let mut settings = vec![("EXPORT_CNT".to_owned(), spliced.exports.len().to_string())];
        for (number, (name, function)) in spliced.exports.iter().enumerate() {
            let params: Vec<&str> = function.params.iter().map(|param| word(*param)).collect();
            let star = |is_pointer: bool| if is_pointer { "*" } else { "" };
            settings.extend([
                (format!("EXPORT{number}_NAME"), name.clone()),
                (format!("EXPORT{number}_ARGS"), format!("{}{}", star(function.paramptr), params.join(","))),
                (format!("EXPORT{number}_RET"), format!("{}{}", star(function.retptr), function.ret.map_or("", word))),
                (format!("EXPORT{number}_RETSIZE"), function.retsize.to_string()),
            ]);
        }
        settings.push(("IMPORT_CNT".to_owned(), spliced.imports.len().to_string()));
        for (number, (_, name, arguments)) in spliced.imports.iter().enumerate() {
            settings.push((format!("IMPORT{number}_NAME"), name.clone()));
            settings.push((format!("IMPORT{number}_ARGCNT"), arguments.to_string()));
        }
        Ok(Spliced { wasm: spliced.wasm, bindings: spliced.js_bindings, settings })
    }

    /// Closes every import of WASI that the frozen engine has.
    pub(super) fn stub_wasi(&mut self, frozen: &[u8]) -> Result<Vec<u8>, JsError> {
        self.store.set_epoch_deadline(sealed::LOADING_TICKS_MAX);
        let splicer = self.calls.local_spidermonkey_embedding_splicer_splicer();
        splicer
            .call_stub_wasi(&mut self.store, frozen, &[], None, Some(FOLDER), Some(WORLD))
            .map_err(|error| JsError::Runtime(format!("the splicer failed: {error:#}")))?
            .map_err(JsError::Runtime)
    }
}

/// The component that the frozen engine is: its world stands in the module already.
pub(super) fn component(core: &[u8]) -> Result<Vec<u8>, JsError> {
    let mut encoder = ComponentEncoder::default();
    let whole = encoder.module(core).and_then(|encoder| encoder.adapter(PREVIEW1, ADAPTER));
    whole.and_then(ComponentEncoder::encode).map_err(|error| JsError::Runtime(format!("{error:#}")))
}

/// The splicer as a component.
fn whole(mut core: Vec<u8>) -> Result<Vec<u8>, JsError> {
    let mut resolve = Resolve::default();
    let described = resolve.push_str("splicer.wit", WIT).and_then(|package| {
        let world = resolve.select_world(&[package], Some("splicing"))?;
        embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8)
    });
    described.map_err(|error| JsError::Runtime(format!("the splicer is another: {error:#}")))?;
    component(&core)
}

/// The module's world and the packages that it refers to, as files.
fn folder_of(module: &Module<'_>) -> std::io::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("module.wit"), world::text(module))?;
    for (number, package) in module.packages.iter().enumerate() {
        let inner = folder.path().join("deps").join(number.to_string());
        std::fs::create_dir_all(&inner)?;
        std::fs::write(inner.join("package.wit"), package)?;
    }
    Ok(folder)
}

fn word(ty: CoreTy) -> &'static str {
    match ty {
        CoreTy::I32 => "i32",
        CoreTy::I64 => "i64",
        CoreTy::F32 => "f32",
        CoreTy::F64 => "f64",
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
