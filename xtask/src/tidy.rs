//! The rules that no compiler knows, checked over every file that git tracks or would track.
//!
//! Each rule is a module with a function that adds to a list of violations; all of them are reported together.

mod decisions;
mod layers;
mod links;
mod manifest;
mod mentions;
mod modules;
mod names;
mod sdks;
mod source;
mod wit;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::terminal::{failed, passed};

/// One place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// Relative to the root.
    path: PathBuf,
    /// From 1; the whole file if absent.
    line: Option<usize>,
    /// What is wrong, and what to do.
    message: String,
}

/// The files of the project and what is in them.
#[derive(Debug)]
pub(crate) struct Tree {
    files: Vec<File>,
}

/// A file of the project.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root.
    path: PathBuf,
    /// Empty where it is not text.
    text: String,
}

/// Checks everything; an error if there is any violation.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let tree = Tree::read(root)?;
    let mut violations = check(&tree);
    violations.extend(layers::check(&tree, &layers::packages(root)?));
    violations.sort();
    violations.dedup();
    for violation in &violations {
        failed(&violation.to_string());
    }
    if !violations.is_empty() {
        bail!("tidy found {} violations", violations.len());
    }
    passed(&format!("tidy: {} files", tree.files.len()));
    Ok(())
}

/// Every Rust file that is ours, relative to the root.
pub(crate) fn rust_files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let tree = Tree::read(root)?;
    Ok(tree.with_extension("rs").filter(|file| !source::is_template(file)).map(|file| file.path.clone()).collect())
}

/// The rules that need only the files.
fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    names::check(tree, &mut violations);
    source::check(tree, &mut violations);
    modules::check(tree, &mut violations);
    manifest::check(tree, &mut violations);
    links::check(tree, &mut violations);
    decisions::check(tree, &mut violations);
    mentions::check(tree, &mut violations);
    wit::check(tree, &mut violations);
    sdks::check(tree, &mut violations);
    violations
}

impl Tree {
    /// Every file that git tracks, and every new one that it does not ignore.
    fn read(root: &Path) -> anyhow::Result<Self> {
        let output = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            .current_dir(root)
            .output()
            .context("cannot start git, which lists the files; install it")?;
        if !output.status.success() {
            bail!("git cannot list the files: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let mut paths: Vec<&str> =
            str::from_utf8(&output.stdout).context("a file name is not UTF-8")?.split_terminator('\0').collect();
        paths.sort_unstable();
        paths.dedup();
        // A file that was just removed is still tracked.
        let files = paths
            .into_iter()
            .filter_map(|path| {
                let bytes = std::fs::read(root.join(path)).ok()?;
                Some(File { path: path.into(), text: String::from_utf8(bytes).unwrap_or_default() })
            })
            .collect();
        Ok(Self { files })
    }

    /// The files with this extension.
    fn with_extension(&self, extension: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| file.path.extension().is_some_and(|own| own == extension))
    }

    /// The file at a path.
    fn get(&self, path: &Path) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether there is a file, or a folder with files, at a path.
    fn holds(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.files.iter().any(|file| file.path.starts_with(path))
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| File { path: (*path).into(), text: (*text).to_owned() }).collect();
        Self { files }
    }
}

impl Violation {
    fn at(path: &Path, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: Some(line), message: message.into() }
    }

    fn of(path: &Path, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path.display(), self.message),
            None => write!(f, "{}: {}", self.path.display(), self.message),
        }
    }
}

/// A path without `.` and `..`, as far as it stays inside the root.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            other => normal.push(other),
        }
    }
    Some(normal)
}
