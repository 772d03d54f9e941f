//! What a fresh Debian or Ubuntu machine with only Rust needs. Looks first and installs what is missing, so that a
//! second run changes nothing. What cannot be had gets one message that says what to do.

mod c_compiler;
mod cargo_deny;
mod node;
mod wasm_target;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::machine;
use crate::terminal::{note, step};

/// What the machine is set up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Purpose {
    /// Build `stk` and the example's guests in Rust and TypeScript
    Demo,
    /// The same, and git: tests build guests and check the project's files
    Tests,
    /// All that, and what the gates run: rustfmt, clippy, cargo-deny
    Ci,
}

/// Installs what is missing for a purpose.
pub(crate) fn ensure(root: &Path, purpose: Purpose) -> anyhow::Result<()> {
    step("set-up", || {
        c_compiler::ensure()?;
        node::ensure()?;
        wasm_target::ensure(root)?;
        if purpose == Purpose::Demo {
            return Ok(());
        }
        if !machine::has("git") {
            machine::install(&["git"])?;
        }
        note("git: found");
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
