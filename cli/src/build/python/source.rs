//! Which files belong to a Python logic. They are data here: nothing is run on this machine.

use std::path::{Path, PathBuf};

use santokit_python::File;

use super::super::BuildError;

/// Where the handler is, the first that exists. Without an extension it is the module's name.
const ENTRIES: [&str; 2] = ["main", "handler"];

/// Folders that hold nothing of a logic.
const SKIPPED_FOLDERS: [&str; 6] = ["__pycache__", "node_modules", "target", "tests", "venv", "env"];

/// Files that say how a logic is made.
const SKIPPED_FILES: [&str; 4] = ["logic.yaml", "requirements.txt", "pyproject.toml", "RECORD"];

/// What a logic and its packages may have together: they are in memory in every call.
const BYTES_MAX: u64 = 24 << 20;
const DEPTH_MAX: usize = 16;

/// The module that is imported.
pub(super) fn entry(dir: &Path) -> Result<String, BuildError> {
    let found = ENTRIES.iter().find(|name| dir.join(format!("{name}.py")).is_file());
    found.map(|name| (*name).to_owned()).ok_or_else(|| BuildError::NoSource {
        language: "python",
        dir: dir.to_owned(),
        expected: "main.py or handler.py".to_owned(),
    })
}

/// The logic's files and those of its packages, in order.
pub(super) fn files(dir: &Path, packages: Option<&Path>) -> Result<Vec<File>, BuildError> {
    let mut files = Vec::new();
    let mut left = BYTES_MAX;
    for (root, vendored) in [(Some(dir), false), (packages, true)] {
        if let Some(root) = root {
            collect(root, root, vendored, 0, &mut left, &mut files)?;
        }
    }
    Ok(files)
}

/// Adds the types of the project's rows and params as the module `project`, if the source names it and has none of its own.
/// Answers what was read.
pub(super) fn add_project(types: &Path, files: &mut Vec<File>) -> Result<Vec<PathBuf>, BuildError> {
    let own = files.iter().filter(|file| !file.vendored);
    let has_own = own.clone().any(|file| matches!(file.path.as_str(), "project.py" | "project/__init__.py"));
    let names_it = own.clone().any(|file| {
        String::from_utf8_lossy(&file.content)
            .lines()
            .map(str::trim_start)
            .any(|line| line.starts_with("from project import") || line.starts_with("import project"))
    });
    if has_own || !names_it || !types.is_file() {
        return Ok(Vec::new());
    }
    let content = std::fs::read(types).map_err(|error| BuildError::io("read", types, error))?;
    files.push(File { path: "project.py".to_owned(), content, vendored: true });
    Ok(vec![types.to_owned()])
}

fn collect(
    root: &Path,
    folder: &Path,
    vendored: bool,
    depth: usize,
    left: &mut u64,
    files: &mut Vec<File>,
) -> Result<(), BuildError> {
    let failed = |error| BuildError::io("read", folder, error);
    let mut children: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(failed)?
        .map(|child| child.map(|child| child.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    children.sort();
    for path in children {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            // A package may have a module of such a name, and an environment may have any name.
            let skipped = !vendored && (SKIPPED_FOLDERS.contains(&&*name) || path.join("pyvenv.cfg").is_file());
            let skipped = skipped || name == "__pycache__" || (vendored && name == "bin");
            if !skipped && depth < DEPTH_MAX {
                collect(root, &path, vendored, depth + 1, left, files)?;
            }
        } else if !SKIPPED_FILES.contains(&&*name) && path.extension().is_none_or(|extension| extension != "pyc") {
            files.push(read(root, &path, vendored, left)?);
        }
    }
    Ok(())
}

fn read(root: &Path, path: &Path, vendored: bool, left: &mut u64) -> Result<File, BuildError> {
    let failed = |error| BuildError::io("read", path, error);
    let length = std::fs::metadata(path).map_err(failed)?.len();
    *left = left.checked_sub(length).ok_or_else(|| {
        super::failure(format!(
            "the logic's files and packages have more than {} MiB; leave out what it does not need",
            BYTES_MAX >> 20
        ))
    })?;
    let relative = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    Ok(File { path: relative, content: std::fs::read(path).map_err(failed)?, vendored })
}

#[cfg(test)]
mod tests {
    use super::{entry, files};

    #[test]
    fn a_logic_is_its_files_and_not_what_lies_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        assert!(entry(folder.path()).unwrap_err().to_string().contains("main.py or handler.py"));
        for (path, text) in [
            ("main.py", "m"),
            ("prices/__init__.py", ""),
            ("prices/data.json", "{}"),
            ("prices/__pycache__/data.cpython-314.pyc", "p"),
            ("tests/test_main.py", "t"),
            ("my-env/pyvenv.cfg", "home = /usr"),
            ("my-env/lib/x.py", "x"),
            (".venv/x.py", "x"),
            ("logic.yaml", "y"),
            ("requirements.txt", "r"),
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        assert_eq!(entry(folder.path()).unwrap(), "main");
        let paths: Vec<String> = files(folder.path(), None).unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(paths, ["main.py", "prices/__init__.py", "prices/data.json"]);
    }
}
