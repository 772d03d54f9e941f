//! The repository's own source as text: what exists is found where it is written, not in a second list.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, ensure};
use santokit_tests::folder::repository;

/// A file, from the repository's root.
pub(super) fn read(path: &str) -> Result<String> {
    fs::read_to_string(repository().join(path)).with_context(|| path.to_owned())
}

/// Every Rust file of a folder without its tests: (path, text).
pub(super) fn product(folder: &str) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    walk(&repository().join(folder), &mut files)?;
    ensure!(!files.is_empty(), "{folder} has no source");
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<(String, String)>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if name != "tests" {
                walk(&path, files)?;
            }
        } else if path.extension().is_some_and(|kind| kind == "rs") && name != "tests.rs" {
            let text = fs::read_to_string(&path)?;
            let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            files.push((path.display().to_string(), product));
        }
    }
    Ok(())
}

/// Whether `path/to/file.rs::function` is a test.
pub(super) fn is_test(place: &str) -> Result<bool> {
    let (path, name) = place.split_once("::").context("a test is named file.rs::function")?;
    let text = read(path)?;
    let Some(at) = text.find(&format!("fn {name}(")) else { return Ok(false) };
    let before = text[..at].trim_end().trim_end_matches("async").trim_end();
    let last = before.lines().last().unwrap_or_default().trim();
    Ok(last.starts_with("#[test]") || last.starts_with("#[tokio::test"))
}

/// The names that a folder gives as `details.limit`.
pub(super) fn limits(folder: &str) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for (_, text) in product(folder)? {
        for (at, _) in text.match_indices("Problem::limit(").chain(text.match_indices("findings.limit(")) {
            let second = text[at..].split_once(',').map(|(_, rest)| rest.trim_start()).unwrap_or_default();
            names.extend(literal(second));
        }
        for (at, call) in text.match_indices(" full(").chain(text.match_indices("(full(")) {
            names.extend(literal(&text[at + call.len()..]));
        }
    }
    Ok(names)
}

fn literal(text: &str) -> Option<String> {
    let (name, _) = text.strip_prefix('"')?.split_once('"')?;
    Some(name.to_owned())
}

/// Every function of the WIT packages: `package/interface.function`, `package/interface.resource.function`.
pub(super) fn wit_functions() -> Result<BTreeSet<String>> {
    let mut functions = BTreeSet::new();
    for entry in fs::read_dir(repository().join("wit"))? {
        let folder = entry?.path();
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder)? {
            functions.extend(functions_of(&fs::read_to_string(file?.path())?));
        }
    }
    ensure!(!functions.is_empty(), "wit/ has no function");
    Ok(functions)
}

fn functions_of(text: &str) -> Vec<String> {
    let (mut package, mut functions) = ("", Vec::new());
    // The names of the blocks that are open; only interfaces and resources have one.
    let mut open: Vec<&str> = Vec::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix("package ") {
            package = name.split('@').next().unwrap_or_default();
        }
        if let Some((name, _)) = line.split_once(": func(") {
            let named: Vec<&str> = open.iter().copied().chain([name]).collect();
            functions.push(format!("{package}/{}", named.join(".")));
        }
        for brace in line.chars().filter(|c| matches!(c, '{' | '}')) {
            if brace == '{' {
                open.push(line.trim_end_matches('{').split_whitespace().last().unwrap_or_default());
            } else {
                open.pop();
            }
        }
    }
    functions
}
