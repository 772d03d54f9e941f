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

/// What can be measured by itself: what is done, and the program that does it.
const PARTS: [(&str, &str); 7] = [
    ("a call in a fresh instance", "invocation"),
    ("instances made ahead", "supply"),
    ("what one project costs another", "isolation"),
    ("requests and SQL", "performance"),
    ("requests to tables", "throughput"),
    ("objects", "storage"),
    ("events beside a queue library", "events"),
];

/// What is asked for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these; the tables of the others stay as they were
    #[arg(value_parser = PARTS.map(|(_, name)| name))]
    parts: Vec<String>,
}

/// Runs what is asked for, or all of it.
pub(crate) fn run_parts(root: &Path, asked: &Arguments) -> anyhow::Result<()> {
    setup::ensure(root, Purpose::Tests)?;
    let programs = step("build for the benchmarks", || programs(root))?;
    let stk = find(&programs, "stk")?;
    let components = step("guests", || components(root, stk))?;
    let arguments = || components.iter().map(|(name, path)| format!("{name}={}", path.display()));
    let noop = components.iter().find(|(name, _)| *name == "c").map(|(_, path)| format!("noop={}", path.display()));
    let mut parts = Vec::new();
    let is_asked = |name: &str| asked.parts.is_empty() || asked.parts.iter().any(|part| part == name);
    for (title, name) in PARTS.into_iter().filter(|(_, name)| is_asked(name)) {
        let mut command = Command::new(find(&programs, name)?);
        match name {
            "isolation" => command.args(&noop).env("STK_BIN", stk),
            "performance" => {
                let wasmtime = step("wasmtime, to stand beside", || setup::wasmtime(root))?;
                command.env("STK_BIN", stk).env("WASMTIME_BIN", wasmtime).envs(guests::shared_folders(root))
            }
            "throughput" | "storage" => command.env("STK_BIN", stk),
            "events" => {
                let library = step("a queue library, to stand beside", || setup::queue_library(root))?;
                let event = root.join("target/guests/performance/.stk/components/event_rust.wasm");
                command.arg(format!("event={}", event.display())).arg(format!("library={}", library.display()));
                command.env("STK_BIN", stk)
            }
            _ => command.args(arguments()),
        };
        parts.push((title, command));
    }

    // What one part cannot measure is no reason to lose what the others have: its tables stay as they were.
    let (mut lines, mut failed) = (Vec::new(), Vec::new());
    for (title, mut command) in parts {
        match step(title, || measured(&mut command)) {
            Ok(measured) => lines.extend(measured),
            Err(error) => failed.push(format!("{title}: {error:#}")),
        }
    }
    table::write(&root.join("docs/PERFORMANCE.md"), &lines)?;
    note("docs/PERFORMANCE.md has the tables");
    if failed.is_empty() { Ok(()) } else { bail!("not all was measured:\n{}", failed.join("\n")) }
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
        "--bench",
        "isolation",
        "--bench",
        "storage",
        "--bench",
        "events",
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
