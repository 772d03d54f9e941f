//! Projects and what is said about them. A case is a folder in `cases/project`: its files are a project, `expected.txt` what
//! the parser says. `UPDATE_GOLDEN=1` writes the expectations anew. A kind of finding without a case fails.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use santokit_core::{
    project::{
        BuiltComponent, Check, ComponentSource, JsEngine, Language, LogicSource, Project, SourceTree, is_project_file,
        parse, render,
    },
    release::{Digest, Manifest},
};

const EXPECTED: &str = "expected.txt";

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/project");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn read(root: &Path, folder: &Path, tree: &mut SourceTree) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, tree);
            continue;
        }
        let relative = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        if is_project_file(&relative) {
            tree.insert(relative, fs::read(&path).unwrap());
        }
    }
}

fn project(root: &Path) -> SourceTree {
    let mut tree = SourceTree::new();
    read(root, root, &mut tree);
    tree
}

fn said(tree: &SourceTree) -> String {
    match parse(tree) {
        Ok(project) => format!("ok: {}\n{}", summary(&project), render(&project.warnings)),
        Err(found) => render(&found),
    }
}

/// Enough of a good project to see that it was understood.
fn summary(project: &Project) -> String {
    let tables = project.connections.iter().map(|(name, schema)| format!("{name}: {}", schema.tables.len()));
    let logics: Vec<&str> = project.logics.keys().map(String::as_str).collect();
    let queries =
        project.queries.iter().map(|(name, query)| format!(", query {name} ({})", query.query.returns.as_str()));
    let tables = tables.collect::<Vec<_>>().join(" ");
    format!("project {}, tables {tables}, logics {}{}", project.name, logics.join(" "), queries.collect::<String>())
}

#[test]
fn every_case_is_said_as_expected() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut failed = Vec::new();
    for case in cases() {
        let said = said(&project(&case));
        let path = case.join(EXPECTED);
        if update {
            fs::write(&path, &said).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != said {
            failed.push(format!("{}:\n{said}", case.display()));
        }
    }
    assert!(failed.is_empty(), "UPDATE_GOLDEN=1 writes these anew:\n{}", failed.join("\n"));
}

#[test]
fn every_kind_of_finding_has_a_case() {
    let texts: String =
        cases().iter().map(|case| fs::read_to_string(case.join(EXPECTED)).unwrap_or_default()).collect();
    let missing: BTreeSet<&str> =
        Check::ALL.iter().map(|check| check.as_str()).filter(|slug| !texts.contains(&format!("[{slug}]"))).collect();
    assert!(missing.is_empty(), "no case in tests/cases/project shows {missing:?}");
}

#[test]
fn every_kind_of_finding_is_documented() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/findings.md")).unwrap();
    for check in Check::ALL {
        assert!(page.contains(&format!("| `{check}` |")), "docs/reference/findings.md lacks {check}");
    }
}

#[test]
fn the_example_project_has_no_mistake() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop");
    let project = parse(&project(&root)).map_err(|found| render(&found)).unwrap();
    assert_eq!(project.name, "shop");
    assert!(project.warnings.is_empty(), "{}", render(&project.warnings));
}

#[test]
fn a_project_becomes_a_manifest_that_can_be_read_again() {
    let project = parse(&project(&cases().into_iter().find(|case| case.ends_with("good")).unwrap())).unwrap();
    assert_eq!(project.manifest(&BTreeMap::new()).unwrap_err().logic, "pricing/quote");
    let built = BuiltComponent {
        digest: Digest::of(b"component"),
        size_bytes: 9,
        language: "command".to_owned(),
        imports: BTreeSet::from(["santokit:sql/types@0.1.0".to_owned()]),
        handles: santokit_core::component::calls(),
        sbom: None,
    };
    let manifest = project.manifest(&BTreeMap::from([("pricing/quote".to_owned(), built)])).unwrap();
    let canonical = manifest.canonical().unwrap();
    let again: Manifest = serde_json::from_slice(&canonical).unwrap();
    assert_eq!(again, manifest);
    assert_eq!(again.digest().unwrap(), manifest.digest().unwrap());
    let text = String::from_utf8(canonical).unwrap();
    assert!(!text.contains("stk_app") && !text.contains("archive.db"), "the dev file is no part of a release");
}

#[test]
fn javascript_has_an_engine_and_the_small_one_where_none_is_named() {
    for (component, language) in [
        ("{build: ts}", Language::Ts(JsEngine::QuickJs)),
        ("{build: js, engine: quickjs}", Language::Js(JsEngine::QuickJs)),
        ("{build: ts, engine: starlingmonkey}", Language::Ts(JsEngine::StarlingMonkey)),
        ("{engine: starlingmonkey, build: js}", Language::Js(JsEngine::StarlingMonkey)),
    ] {
        let logic = format!("component: {component}\nauth: public\n");
        let files = [("santokit.yaml", "version: 1\nname: a\n"), ("logics/a/logic.yaml", logic.as_str())];
        let project = parse(&files.into_iter().collect()).map_err(|found| render(&found)).unwrap();
        let LogicSource::Wasm(source) = &project.logics["a"].source else { panic!("a component") };
        assert_eq!(source.component, ComponentSource::Build(language), "{component}");
    }
}

#[test]
fn findings_of_the_dev_file_show_no_line_of_it() {
    let mut tree = SourceTree::new();
    tree.insert("santokit.yaml", "version: 1\nname: a\n");
    tree.insert(
        "santokit.dev.yaml",
        "apiKeys:\n  - {name: a, key: planted-secret, rolse: [a]}\nsecrets: {A: {value: [planted-secret]}}\n",
    );
    let found = parse(&tree).unwrap_err();
    assert_eq!(found.len(), 3, "{}", render(&found));
    assert!(!render(&found).contains("planted-secret"));
    assert!(!serde_json::to_string(&found).unwrap().contains("planted-secret"));
}

#[test]
fn any_bytes_are_taken() {
    let seeds: &[&str] = &[
        "a: &a [*a]",
        "{",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        "? ?",
        "a: b: c",
        "--- \n---\n...",
        "\t",
        "!!binary x",
        "<<: {a: b}",
        "a: !include x",
        "- - - - -",
        "'",
        "\"\\x",
        "%YAML 9.9\n---\n",
        "version: 99999999999999999999999999",
        "a: .inf",
        "*a",
        "&a",
        "version: 1\nversion: 1",
    ];
    for seed in seeds {
        for path in [
            "santokit.yaml",
            "schema/a.yaml",
            "config/permissions.yaml",
            "logics/a.sql",
            "logics/b/logic.yaml",
            "santokit.dev.yaml",
        ] {
            let mut tree = SourceTree::new();
            tree.insert(path, *seed);
            assert!(!parse(&tree).unwrap_err().is_empty());
            tree.insert(path, format!("---\n{seed}\n---\n{seed}"));
            assert!(!parse(&tree).unwrap_err().is_empty());
        }
    }
}

#[test]
fn a_large_file_is_read_in_time() {
    use std::fmt::Write as _;
    let mut schema = "version: 1\ntables:\n".to_owned();
    for table in 0..400 {
        writeln!(schema, "  t{table}:\n    columns:").unwrap();
        for column in 0..40 {
            writeln!(schema, "      c{column}: {{type: string}}").unwrap();
        }
    }
    let tree: SourceTree =
        [("santokit.yaml", "version: 1\nname: a\n"), ("schema/a.yaml", schema.as_str())].into_iter().collect();
    let begin = std::time::Instant::now();
    let project = parse(&tree).map_err(|found| render(&found)).unwrap();
    assert_eq!(project.connections["main"].tables.len(), 400);
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
}
