//! What a fresh Debian or Ubuntu machine with only Rust needs. Looks first and installs what is missing, so that a
//! second run changes nothing. What cannot be had gets one message that says what to do.

mod c_compiler;
mod c_for_wasm;
mod cargo_deny;
mod python;
mod queue_library;
mod s3s_fs;
mod servers;
mod wasm_target;
mod wasmtime;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::machine;
use crate::terminal::{note, step};

/// What the machine is set up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Purpose {
    /// Build `stk` and the example's guests in Rust, TypeScript, Python and C
    Demo,
    /// The same, git, database servers and a store of S3: tests build guests, check the project's files and use real servers
    Tests,
    /// All that, and what the gates run: rustfmt, clippy, cargo-deny
    Ci,
}

/// Installs what is missing for a purpose.
pub(crate) fn ensure(root: &Path, purpose: Purpose) -> anyhow::Result<()> {
    step("set-up", || {
        c_compiler::ensure()?;
        wasm_target::ensure(root)?;
        c_for_wasm::ensure()?;
        python::ensure()?;
        if purpose == Purpose::Demo {
            return Ok(());
        }
        if !machine::has("git") {
            machine::install(&["git"])?;
        }
        note("git: found");
        servers::ensure()?;
        s3s_fs::ensure(root)?;
        if purpose == Purpose::Ci {
            cargo_deny::ensure(root)?;
        }
        Ok(())
    })
}

/// The cargo-deny that set-up found or installed.
pub(crate) fn cargo_deny(root: &Path) -> anyhow::Result<PathBuf> {
    cargo_deny::ensure(root)
}

/// The folder of the queue library that benchmarks stand beside.
pub(crate) fn queue_library(root: &Path) -> anyhow::Result<PathBuf> {
    queue_library::ensure(root)
}

/// The command `wasmtime` that benchmarks stand beside.
pub(crate) fn wasmtime(root: &Path) -> anyhow::Result<PathBuf> {
    wasmtime::ensure(root)
}
