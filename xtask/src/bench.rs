//! The benchmarks: builds as for a release, runs, and puts the ratios into docs/PERFORMANCE.md.
//!
//! Each figure is beside its baseline, measured in the same run: on another machine the times differ, the ratios little.

mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value as Json;

use crate::process::{cargo, run};
use crate::setup::{self, Purpose};
use crate::terminal::{note, step};
use crate::{guests, project_copy};

/// Those that a no-op is looked for in; `starling` is TypeScript on StarlingMonkey.
const LANGUAGES: [&str; 5] = ["rust", "c", "ts", "starling", "python"];

/// Runs all of it.
pub(crate) fn all(root: &Path) -> anyhow::Result<()> {
    setup::ensure(root, Purpose::Tests)?;
    let programs = step("build for the benchmarks", || programs(root))?;
    let stk = find(&programs, "stk")?;
    let wasmtime = step("wasmtime, to stand beside", || setup::wasmtime(root))?;
    let components = step("guests", || components(root, stk))?;
    let mut lines = Vec::new();
    lines.extend(step("a call in a fresh instance", || {
        let mut command = Command::new(find(&programs, "invocation")?);
        measured(command.args(components.iter().map(|(name, path)| format!("{name}={}", path.display()))))
    })?);
    lines.extend(step("instances made ahead", || {
        let mut command = Command::new(find(&programs, "supply")?);
        measured(command.args(components.iter().map(|(name, path)| format!("{name}={}", path.display()))))
    })?);
    lines.extend(step("requests and SQL", || {
        let mut command = Command::new(find(&programs, "performance")?);
        measured(command.env("STK_BIN", stk).env("WASMTIME_BIN", &wasmtime).envs(guests::shared_folders(root)))
    })?);
    lines.extend(step("requests to tables", || {
        let mut command = Command::new(find(&programs, "throughput")?);
        measured(command.env("STK_BIN", stk))
    })?);
    table::write(&root.join("docs/PERFORMANCE.md"), &lines)?;
    note("docs/PERFORMANCE.md has the tables");
    Ok(())
}

/// All programs by name. In one build: apart, each would want its libraries with other features, and build them anew.
fn programs(root: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut build = cargo(root);
    build.args(["build", "--locked", "--profile", "bench", "--message-format", "json-render-diagnostics"]);
    build.args(["-p", "stk", "-p", "santokit-wasm", "-p", "santokit-tests"]);
    build.args([
        "--bin",
        "stk",
        "--bench",
        "invocation",
        "--bench",
        "supply",
        "--bench",
        "performance",
        "--bench",
        "throughput",
    ]);
    let output = build.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the build failed ({})", output.status);
    }
    let program = |line: &str| {
        let message: Json = serde_json::from_str(line).ok()?;
        let path = message["executable"].as_str()?;
        Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(path)))
    };
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(program).collect())
}

fn find<'a>(programs: &'a BTreeMap<String, PathBuf>, name: &str) -> anyhow::Result<&'a Path> {
    programs.get(name).map(PathBuf::as_path).with_context(|| format!("cargo built no program {name:?}"))
}

/// The components of the no-ops, by language.
fn components(root: &Path, stk: &Path) -> anyhow::Result<Vec<(&'static str, PathBuf)>> {
    let project = root.join("target/guests/performance");
    project_copy::renew(&root.join("tests/performance/project"), &project)?;
    let output = project.join(".stk/components");
    let mut command = Command::new(stk);
    command.args(["logic", "build", "--output"]).arg(&output);
    run(command.current_dir(&project).envs(guests::shared_folders(root)))?;
    let components = LANGUAGES.map(|language| (language, output.join(format!("noop_{language}.wasm"))));
    Ok(components.into_iter().filter(|(_, path)| path.is_file()).collect())
}

/// The lines of JSON that a benchmark prints.
fn measured(command: &mut Command) -> anyhow::Result<Vec<Json>> {
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start the benchmark")?;
    if !output.status.success() {
        bail!("the benchmark failed ({})", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<Json> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for line in &lines {
        note(&line.to_string());
    }
    if lines.is_empty() {
        bail!("the benchmark printed nothing");
    }
    Ok(lines)
}
