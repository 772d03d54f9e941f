//! A project folder of a test's own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A temporary project folder; removed at the end.
pub struct ProjectFolder {
    dir: TempDir,
}

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl ProjectFolder {
    /// From (path, content) pairs.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let folder = Self { dir: tempfile::tempdir()? };
        for (path, content) in files {
            folder.write(path, content)?;
        }
        Ok(folder)
    }

    /// A copy of a folder of the repository, without what is built or cached in it.
    pub fn copy_of(path: &str) -> Result<Self> {
        let folder = Self { dir: tempfile::tempdir()? };
        copy(&repository().join(path), folder.path())?;
        Ok(folder)
    }

    /// Puts a copy of a folder of the repository into it.
    pub fn add_copy(&self, from: &str, to: &str) -> Result<()> {
        copy(&repository().join(from), &self.path().join(to))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file as an editor does: aside, then renamed.
    pub fn write(&self, path: &str, content: &str) -> Result<()> {
        let target = self.path().join(path);
        let parent = target.parent().context("a file has a folder")?;
        fs::create_dir_all(parent)?;
        let aside = parent.join(".write-aside");
        fs::write(&aside, content)?;
        fs::rename(&aside, &target).with_context(|| format!("write {}", target.display()))
    }

    /// Reads a file.
    pub fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.path().join(path)).with_context(|| format!("read {path}"))
    }

    /// Replaces one text in a file; it must be there.
    pub fn edit(&self, path: &str, from: &str, to: &str) -> Result<()> {
        let old = self.read(path)?;
        anyhow::ensure!(old.contains(from), "{path} does not contain {from:?}");
        self.write(path, &old.replace(from, to))
    }
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_str(), Some(".stk" | "target" | "node_modules")) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(name))?;
        } else {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}
