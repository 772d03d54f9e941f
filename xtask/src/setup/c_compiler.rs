//! A C compiler with its library's headers: SQLite and the cryptography library are compiled from C.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::bail;

use crate::machine;
use crate::terminal::note;

/// Enough to see that compiler, headers and linker are there.
const PROGRAM: &str = "#include <stdlib.h>\n#include <pthread.h>\nint main(void) { return 0; }\n";

/// Finds or installs a C compiler.
pub(super) fn ensure() -> anyhow::Result<()> {
    if !compiles() {
        machine::install(&["build-essential"])?;
        if !compiles() {
            bail!("`cc` cannot compile a C program; install a C compiler with its headers (build-essential)");
        }
    }
    note("C compiler: works");
    Ok(())
}

fn compiles() -> bool {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let started = Command::new(compiler)
        .args(["-x", "c", "-", "-pthread", "-o", "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = started else { return false };
    let written = child.stdin.take().is_some_and(|mut stdin| stdin.write_all(PROGRAM.as_bytes()).is_ok());
    child.wait().is_ok_and(|status| status.success()) && written
}
