//! Python with virtual environments: `stk` keeps the tool that makes components of Python in one. Debian has them apart.

use std::process::Command;

use anyhow::bail;

use crate::machine;
use crate::process::succeeds;
use crate::terminal::note;

/// A machine may have the module `venv` and not what an environment is filled from.
const NEEDED: &str = "import sys, venv, ensurepip; sys.exit(0 if sys.version_info >= (3, 10) else 1)";

/// Finds or installs it.
pub(super) fn ensure() -> anyhow::Result<()> {
    if !works() {
        machine::install(&["python3", "python3-venv"])?;
        if !works() {
            bail!("`python3` is older than 3.10 or has no virtual environments; install python3 and python3-venv");
        }
    }
    note("Python: found, with virtual environments");
    Ok(())
}

fn works() -> bool {
    succeeds(Command::new("python3").args(["-c", NEEDED]))
}
