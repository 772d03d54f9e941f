//! A Rust compiler for guests: the first way that works.
//!
//! 1. The toolchain has the wasm target. 2. rustup can add it. 3. Debian has a second compiler with its library
//!    source, from which cargo builds the standard library. `stk` picks in the same order when it builds a guest.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

use crate::machine;
use crate::process::{answer, run};
use crate::terminal::note;

const TARGET: &str = "wasm32-unknown-unknown";
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "lld-22"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Finds or installs a compiler for guests.
pub(super) fn ensure(root: &Path) -> anyhow::Result<()> {
    if has_target() {
        note(&format!("Rust target {TARGET}: installed"));
        return Ok(());
    }
    if is_debian_ready() {
        note("Rust for guests: Debian's compiler with its library source");
        return Ok(());
    }
    if machine::has("rustup") {
        note(&format!("adding the Rust target {TARGET} (rustup)"));
        let added = run(Command::new("rustup").args(["target", "add", TARGET]).current_dir(root));
        if added.is_ok() && has_target() {
            return Ok(());
        }
        note("rustup cannot add it; trying Debian's compiler");
    }
    let installed = machine::install(&DEBIAN_PACKAGES);
    if installed.is_ok() && is_debian_ready() {
        return Ok(());
    }
    let reason = installed.err().map_or_else(|| "its packages are incomplete".to_owned(), |error| error.to_string());
    bail!("no Rust compiler for guests: run `rustup target add {TARGET}` (Debian's compiler: {reason})")
}

/// Whether the toolchain that builds the host has the target's standard library.
fn has_target() -> bool {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let Some(folder) = answer(&rustc, &["--print", "target-libdir", "--target", TARGET]) else { return false };
    std::fs::read_dir(folder)
        .is_ok_and(|files| files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libcore-")))
}

/// Whether Debian's compiler, its library source and a linker are there.
fn is_debian_ready() -> bool {
    let Some(sysroot) = answer(DEBIAN_RUSTC, &["--print", "sysroot"]) else { return false };
    let source = Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml");
    let linkers = ["wasm-ld-22", "wasm-ld", "wasm-ld-21", "wasm-ld-20", "wasm-ld-19"];
    source.is_file() && linkers.iter().any(|linker| Path::new("/usr/bin").join(linker).is_file())
}
