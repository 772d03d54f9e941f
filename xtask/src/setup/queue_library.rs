//! The queue library that the benchmark of events stands beside, with what its lock file names, in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::machine;
use crate::process::run;

/// Installs it where it is not, or where another version is asked for.
pub(super) fn ensure(root: &Path) -> anyhow::Result<PathBuf> {
    if !machine::has("node") || !machine::has("npm") {
        bail!("the benchmark of events stands beside a library for Node.js: install `node` and `npm`");
    }
    let (from, folder) = (root.join("tests/events/library"), root.join("target/tools/queue-library"));
    fs::create_dir_all(&folder)?;
    let lock = fs::read(from.join("package-lock.json"))?;
    let is_there = folder.join("node_modules").is_dir();
    if is_there && fs::read(folder.join("package-lock.json")).is_ok_and(|installed| installed == lock) {
        return Ok(folder);
    }
    for file in ["package.json", "package-lock.json"] {
        fs::copy(from.join(file), folder.join(file))?;
    }
    run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&folder))?;
    Ok(folder)
}
