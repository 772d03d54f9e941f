//! Finding the files of cases and reading them; all that is wrong with any of them is told at once.

use std::{fs, path::Path};

use anyhow::Context as _;
use santokit_core::{
    project::{
        Project,
        test_file::{self, TestCase, is_test_file},
    },
    release::Digest,
};

use serde_json::json;

use crate::{
    failure::Failure,
    folder::{FOREIGN, Folder, read_bounded},
    report::Terminal,
};

const DEPTH_MAX: usize = 16;

/// A case and where it stands.
#[derive(Debug)]
pub(super) struct Found {
    /// Relative to the project.
    pub(super) path: String,
    /// Of the file's bytes.
    pub(super) digest: Digest,
    pub(super) case: TestCase,
}

impl Found {
    /// The logics that it calls.
    pub(super) fn logics(&self) -> impl Iterator<Item = &str> {
        self.case.steps.iter().map(|step| step.logic.as_str())
    }
}

/// Every case of the project, in the order of files and of the cases in them.
pub(super) fn read(folder: &Folder, project: &Project, terminal: Terminal) -> anyhow::Result<Vec<Found>> {
    let mut paths = Vec::new();
    for top in ["tests", "logics"] {
        if folder.root().join(top).is_dir() {
            collect(folder.root(), top, 0, &mut paths)?;
        }
    }
    paths.sort();
    let (mut cases, mut findings) = (Vec::new(), Vec::new());
    for path in paths {
        let bytes = read_bounded(&folder.root().join(&path))?;
        let digest = Digest::of(&bytes);
        match test_file::parse(&path, &bytes, project) {
            Ok(read) => {
                let found = |case| Found { path: path.clone(), digest: digest.clone(), case };
                cases.extend(read.into_iter().map(found));
            }
            Err(found) => findings.extend(found),
        }
    }
    if findings.is_empty() {
        return Ok(cases);
    }
    let failure = Failure::failed(format!("{} errors in the files of cases", findings.len()));
    if terminal.is_json() {
        return Err(failure.detail("diagnostics", json!(findings)).into());
    }
    terminal.say(&terminal.diagnostics(&findings));
    Err(failure.into())
}

fn collect(root: &Path, dir: &str, depth: usize, paths: &mut Vec<String>) -> anyhow::Result<()> {
    let shown = || format!("cannot read {dir}");
    for entry in fs::read_dir(root.join(dir)).with_context(shown)? {
        let entry = entry.with_context(shown)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = format!("{dir}/{name}");
        if entry.file_type().with_context(shown)?.is_dir() {
            let is_own = !name.starts_with('.') && !FOREIGN.contains(&name.as_str());
            if is_own && depth < DEPTH_MAX {
                collect(root, &path, depth + 1, paths)?;
            }
        } else if is_test_file(&path) && entry.path().is_file() {
            paths.push(path);
        }
    }
    Ok(())
}
