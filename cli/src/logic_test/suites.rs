//! Tests in the language of the logic: built as a component that stands beside the logic with its grants and limits, asked for
//! what tests it has, and then run like a case for each of them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use santokit_bridge::rehearsal::Rehearsal;
use santokit_core::{
    access::{Actor, Rule},
    param::Param,
    project::{
        ComponentSource, Language as Named, LogicSource, Project, ProjectLogic, WasmSource,
        test_file::{self, Begun, Expect, TestStep},
    },
    release::Digest,
    schema::{Bounds, Type},
};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::{case, files::Found, run::Plan, stage::Stage};
use crate::{
    build::{Language, build_tests},
    failure::Failure,
    folder::{FOREIGN, Folder, NotReady},
    report::Terminal,
};

/// No logic's name ends so: names have no dot.
const ENDING: &str = ".test";
const FILES: [&str; 4] = [".test.ts", ".test.js", ".test.mts", ".test.mjs"];
const DEPTH_MAX: usize = 16;

/// A test as its component lists it.
#[derive(Deserialize)]
struct Listed {
    name: String,
    file: Option<String>,
    line: u32,
    given: Option<Json>,
    #[serde(rename = "as")]
    caller: Option<Json>,
}

/// The logic that a component of tests belongs to.
pub(super) fn tested(name: &str) -> &str {
    name.strip_suffix(ENDING).unwrap_or(name)
}

/// Whether it is a component of tests.
pub(super) fn is_suite(name: &str) -> bool {
    name.ends_with(ENDING)
}

/// Builds the tests of each logic that has some, and adds them to the project as logics of their own. Their names.
pub(super) async fn add(
    folder: &Folder,
    project: &mut Project,
    plan: &Plan,
    terminal: Terminal,
) -> anyhow::Result<Vec<String>> {
    let mut suites = BTreeMap::new();
    for (name, logic) in &project.logics {
        let LogicSource::Wasm(source) = &logic.source else { continue };
        let language = match source.component {
            ComponentSource::Build(Named::Js(engine)) => Language::Js(engine),
            ComponentSource::Build(Named::Ts(engine)) => Language::Ts(engine),
            _ => continue,
        };
        if plan.logic.as_ref().is_some_and(|chosen| chosen != name) {
            continue;
        }
        let dir = folder.root().join(&source.dir);
        let mut files = Vec::new();
        collect(&dir, Path::new(""), 0, &mut files)?;
        if files.is_empty() {
            continue;
        }
        files.sort();
        let said = |line: &str| terminal.note(&format!("tests of {name}: {line}"));
        let built = build_tests(language, &dir, &files, &folder.cache(), &said).await;
        let wasm = built.map_err(|why| NotReady::Build { logic: format!("{name} (its tests)"), why })?;
        let path = folder.cache().join("tests").join(format!("{}.wasm", Digest::of(name.as_bytes()).hex()));
        fs::write(&path, &wasm).with_context(|| format!("cannot write {}", path.display()))?;
        suites.insert(format!("{name}{ENDING}"), beside(logic, source, &path));
    }
    let names = suites.keys().cloned().collect();
    project.logics.extend(suites);
    Ok(names)
}

/// What its logic may do and use, but called by number and by anyone.
fn beside(logic: &ProjectLogic, source: &WasmSource, path: &Path) -> ProjectLogic {
    let component = ComponentSource::Path(path.display().to_string());
    let number = Param {
        name: "test".to_owned(),
        kind: Type::Int,
        required: false,
        default: None,
        items: None,
        bounds: Bounds::NONE,
    };
    ProjectLogic {
        rules: vec![Rule { roles: vec!["public".to_owned()], condition: None, columns: None }],
        params: vec![number],
        source: LogicSource::Wasm(Box::new(WasmSource { component, subscription: None, ..source.clone() })),
        ..logic.clone()
    }
}

/// The tests of a component, as cases.
pub(super) async fn list(stage: &Stage, name: &str) -> anyhow::Result<Vec<Found>> {
    let asked = TestStep {
        line: 1,
        caller: Actor::anonymous(),
        logic: name.to_owned(),
        params: Map::new(),
        begun: Begun::default(),
        expect: Expect::default(),
    };
    let rehearsal = Arc::new(Rehearsal::new(None, None));
    let listed = case::call(stage, &stage.base(), &asked, &rehearsal).await;
    let listed = listed.map_err(|problem| {
        Failure::failed(format!("the tests of {} cannot be listed: {}", tested(name), problem.message))
    })?;
    let tests: Vec<Listed> = serde_json::from_str(listed.get()).context("the tests are listed as JSON")?;
    let mut all = Vec::new();
    for (number, test) in tests.into_iter().enumerate() {
        let mut case = json!({"name": test.name, "call": name, "params": {"test": number}});
        for (key, value) in [("given", test.given), ("as", test.caller)] {
            if let Some(value) = value {
                case[key] = value;
            }
        }
        let file = test.file.unwrap_or_else(|| "tests".to_owned());
        let path = format!("logics/{}/{file}", tested(name));
        // JSON is YAML: what a test is given is checked as in a file of cases.
        let text = json!({"cases": [case]}).to_string();
        let cases = test_file::parse(&path, text.as_bytes(), &stage.project).map_err(|findings| {
            let said = findings.into_iter().map(|finding| match finding.hint {
                Some(hint) => format!("{} ({hint})", finding.message),
                None => finding.message,
            });
            let said: Vec<String> = said.collect();
            Failure::failed(format!("{path}:{}: the test {:?}: {}", test.line, test.name, said.join("; ")))
        })?;
        for mut case in cases {
            case.line = test.line;
            all.push(Found { path: path.clone(), digest: Digest::of(text.as_bytes()), case });
        }
    }
    Ok(all)
}

fn collect(root: &Path, below: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let shown = || format!("cannot read {}", root.join(below).display());
    for entry in fs::read_dir(root.join(below)).with_context(shown)? {
        let entry = entry.with_context(shown)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if entry.file_type().with_context(shown)?.is_dir() {
            if depth < DEPTH_MAX && !name.starts_with('.') && !FOREIGN.contains(&name.as_str()) {
                collect(root, &below.join(&name), depth + 1, files)?;
            }
        } else if FILES.iter().any(|ending| name.ends_with(ending)) {
            files.push(below.join(name));
        }
    }
    Ok(())
}
