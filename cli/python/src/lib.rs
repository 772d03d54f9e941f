//! From the files of one Python logic to a component: an interpreter that is itself a component (the *machine*, made once by
//! componentize-py from the Python SDK) loads them, and its state, frozen, is the component of the logic.
//!
//! The machine is driven here and not made anew for each build: that takes a second in place of fifteen, the build has no
//! files, clock or randomness to take in, so that the same machine and source are the same component, and only what a
//! logic adds is new to the compiler of a Bridge.
//!
//! This crate knows neither projects nor pip: it is given the machine and the files.

// The crate is on the wasmtime that the freezer is on, not on the one that runs logic.
extern crate wasmtime_47 as wasmtime;
extern crate wasmtime_wasi_47 as wasmtime_wasi;
extern crate wit_component_258 as wit_component;
extern crate wit_parser_258 as wit_parser;

mod close;
mod snapshot;

use std::path::Path;

/// A file of a logic.
#[derive(Clone, Debug)]
pub struct File {
    /// Relative to the logic's folder, with slashes.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
    /// Whether it is a package of somebody else's.
    pub vendored: bool,
}

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// A file is no Python, or raises while it is loaded. The first line says it in short, the rest has the traceback.
    #[error("{0}")]
    Source(String),
    /// This program's own failure.
    #[error("the Python logic cannot be made a component: {0}")]
    Machine(String),
}

/// A component, and what of the machine it is.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its bytes.
    pub wasm: Vec<u8>,
    /// Interfaces that the source can reach, of those that need a grant, and exports that it has a function for: without a version.
    pub named: Vec<String>,
}

/// Loads the files into the machine, imports the module `entry`, and freezes it.
///
/// `cache` is an absolute path; the compiled machine is kept below it. Takes CPU time, so that the caller should not be on a
/// thread that serves; it must be on one of a tokio runtime.
pub fn componentize(machine: &[u8], files: &[File], entry: &str, cache: &Path) -> Result<Component, PythonError> {
    let frozen = snapshot::take(machine, files, entry, cache)?;
    let wasm = close::leave_out(&frozen.component, |import| close::is_needless(import, &frozen.reachable));
    Ok(Component { wasm: wasm.map_err(PythonError::Machine)?, named: frozen.reachable })
}

/// Compiles the machine for later builds, so that the first of them need not.
pub fn prepare(machine: &[u8], cache: &Path) -> Result<(), PythonError> {
    snapshot::compile(machine, cache)
}
