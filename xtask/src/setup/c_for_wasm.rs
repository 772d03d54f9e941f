//! What compiles guests in C: a clang that finds a wasm linker and the C library for wasm. `stk` takes the same, or zig.
//! A test compiles with this clang itself, so that a zig alone is enough for the demo only.

use std::process::{Command, Stdio};

use anyhow::bail;

use crate::machine;
use crate::terminal::note;

const DEBIAN_PACKAGES: [&str; 4] = ["clang", "lld", "libclang-rt-dev-wasm32", "wasi-libc"];

/// Enough to see that linker, library and the compiler's own runtime library are there: a printed float needs them all.
const PROGRAM: &str = "#include <stdio.h>\nint main(int count, char **all) { return printf(\"%Lf %s\", (long double)count, *all) < 0; }\n";

/// The target's names, the older first: wasi-libc is installed under one of them.
const TARGETS: [&str; 2] = ["wasm32-wasi", "wasm32-wasip1"];

/// Finds or installs it.
pub(super) fn ensure() -> anyhow::Result<()> {
    if !compiles() {
        machine::install(&DEBIAN_PACKAGES)?;
        if !compiles() {
            bail!("`clang --target=wasm32-wasi` cannot compile a C program; install {}", DEBIAN_PACKAGES.join(" "));
        }
    }
    note("C for guests: clang works");
    Ok(())
}

fn compiles() -> bool {
    TARGETS.iter().any(|target| is_compiled_for(target).unwrap_or(false))
}

fn is_compiled_for(target: &str) -> std::io::Result<bool> {
    let mut child = Command::new("clang")
        .arg(format!("--target={target}"))
        .args(["-x", "c", "-", "-o", "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A compiler that ended at once has said enough with its status.
        drop(std::io::Write::write_all(&mut stdin, PROGRAM.as_bytes()));
    }
    Ok(child.wait()?.success())
}
