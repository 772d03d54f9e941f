//! The command `wasmtime` in the version of the lock file, in the target folder: what the benchmarks stand beside.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cargo_metadata::MetadataCommand;

use crate::process::{answer, cargo, run};
use crate::terminal::note;

/// What `wasmtime serve` needs to run at its full speed.
const FEATURES: &str =
    "run,serve,cranelift,component-model,component-model-async,pooling-allocator,parallel-compilation";

/// Finds or installs it; its path.
pub(super) fn ensure(root: &Path) -> anyhow::Result<PathBuf> {
    let version = version(root)?;
    let tools = root.join("target/tools");
    let program = tools.join("bin/wasmtime");
    let is_current = |program: &str| answer(program, &["--version"]).is_some_and(|said| said.contains(&version));
    if program.to_str().is_some_and(is_current) {
        return Ok(program);
    }
    note(&format!("installing wasmtime {version} (some minutes, once)"));
    let mut install = cargo(root);
    install.args(["install", "--locked", "--quiet", &format!("wasmtime-cli@{version}")]);
    install.args(["--no-default-features", "--features", FEATURES, "--root"]).arg(&tools);
    install.env("CARGO_TARGET_DIR", tools.join("build"));
    run(&mut install)?;
    // The artefacts are large and never needed again.
    let _ = std::fs::remove_dir_all(tools.join("build"));
    Ok(program)
}

/// The one that guests run in: `stk` has an older one too, for building JavaScript.
fn version(root: &Path) -> anyhow::Result<String> {
    let metadata =
        MetadataCommand::new().current_dir(root).exec().context("cargo metadata, which tells versions, failed")?;
    let versions =
        metadata.packages.iter().filter(|package| package.name == "wasmtime").map(|package| &package.version);
    let newest = versions.max().context("there is no wasmtime in the lock file")?;
    Ok(newest.to_string())
}
