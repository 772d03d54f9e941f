//! The files of a project, as the caller read them. It knows which paths matter; it must not touch a file system.

use std::collections::BTreeMap;

/// Relative paths (with `/`) and their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceTree {
    files: BTreeMap<String, Vec<u8>>,
}

/// Names of folders that hold tools' output or other people's code: nothing in them is part of a project.
const FOREIGN: &[&str] = &["node_modules", "target", "__pycache__"];

/// Folders whose YAML files all belong to the project.
const YAML_FOLDERS: &[&str] = &["schema/", "config/", "events/", "cron/"];

/// Whether the parser wants to see the file. Everything else in a project folder is the author's own.
///
/// Kinds of files that this version cannot serve are wanted too, so that they are refused and not ignored.
pub fn is_project_file(path: &str) -> bool {
    let foreign = |part: &str| part.starts_with('.') || FOREIGN.contains(&part);
    if path.split('/').any(foreign) {
        return false;
    }
    let yaml = has_extension(path, "yaml") || has_extension(path, "yml");
    let name = path.rsplit('/').next().unwrap_or(path);
    match path.split_once('/') {
        None => yaml && (name.starts_with("santokit.")),
        Some(("logics", _)) => has_extension(path, "sql") || matches!(name, "logic.yaml" | "logic.yml"),
        Some(("queries", _)) => has_extension(path, "sql") || yaml,
        Some(_) => yaml && YAML_FOLDERS.iter().any(|folder| path.starts_with(folder)),
    }
}

/// Names are taken as they are written: `.YAML` is another ending.
pub(super) fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
}

impl SourceTree {
    /// An empty project.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a file. Paths are relative and use `/`.
    pub fn insert(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), bytes.into());
    }

    /// The bytes of a file.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// All files, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }
}

impl<P: Into<String>, B: Into<Vec<u8>>> FromIterator<(P, B)> for SourceTree {
    fn from_iter<T: IntoIterator<Item = (P, B)>>(files: T) -> Self {
        Self { files: files.into_iter().map(|(path, bytes)| (path.into(), bytes.into())).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_files() {
        for path in [
            "santokit.yaml",
            "santokit.dev.yaml",
            "santokit.yml",
            "schema/a.yaml",
            "schema/more/a.yaml",
            "config/permissions.yaml",
            "logics/top.sql",
            "logics/pricing/quote/logic.yaml",
            "queries/a.sql",
            "events/topics/a.yaml",
            "cron/a.yaml",
        ] {
            assert!(is_project_file(path), "{path}");
        }
        for path in [
            "README.md",
            "schema/README.md",
            "logics/a/src/lib.rs",
            "logics/a/node_modules/x/logic.yaml",
            ".stk/context.yaml",
            "logics/a/target/x.sql",
            "seed/a.sql",
            "docker-compose.yaml",
            "logics/a/package.yaml",
        ] {
            assert!(!is_project_file(path), "{path}");
        }
    }
}
