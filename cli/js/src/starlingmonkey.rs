//! The same on StarlingMonkey, the SpiderMonkey of Firefox as WebAssembly: larger, slower to compile, faster at some heavy code.
//!
//! What the npm package componentize-js does with Node and the programs wizer and jco is done here with its two WebAssembly
//! files alone: the *splicer* puts glue for the module's world into the engine, the engine runs the module once and is
//! frozen, and the splicer closes what is left of WASI.

mod preview1;
mod splicer;
mod wizen;

use std::path::Path;

use crate::{JsError, Module, world};

/// The two files of the package.
#[derive(Clone, Copy, Debug)]
pub struct Toolchain<'a> {
    /// `spidermonkey-embedding-splicer.core.wasm`.
    pub splicer: &'a Path,
    /// `starlingmonkey_embedding.wasm`.
    pub engine: &'a Path,
}

/// Runs the module and freezes it.
///
/// `cache` is an absolute path; compiled code is kept below it. Takes CPU time, so that the caller should not be on a
/// thread that serves; it must be on one of a tokio runtime.
pub fn componentize(module: &Module<'_>, toolchain: Toolchain<'_>, cache: &Path) -> Result<Vec<u8>, JsError> {
    // Said here in our own words; the splicer's are about its own files.
    world::of(module)?;
    let cache = cache.join("starlingmonkey");
    let mut splicer = splicer::Splicer::start(module, toolchain.splicer, &cache)?;
    let engine = std::fs::read(toolchain.engine)
        .map_err(|error| JsError::Runtime(format!("{}: {error}", toolchain.engine.display())))?;
    let machine = splicer.splice(&engine)?;
    let frozen = wizen::take(&machine, module.code, &cache)?;
    let closed = splicer.stub_wasi(&frozen)?;
    splicer::component(&closed)
}

/// What of this a component depends on besides the two files, for the key of a cache.
pub fn version() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), " starlingmonkey 1")
}
