//! Copies of example projects under `target/`: what is built, seeded or edited in them never touches the repository.

use std::path::Path;

use anyhow::Context as _;

/// Makes `to` a copy of the project in `from`. What was built in an earlier copy stays, its database does not.
pub(crate) fn renew(from: &Path, to: &Path) -> anyhow::Result<()> {
    if to.is_dir() {
        for entry in std::fs::read_dir(to).with_context(|| format!("cannot read {}", to.display()))? {
            let entry = entry?;
            if entry.file_name() != ".stk" {
                remove(&entry.path())?;
            }
        }
        keep_only_cache(&to.join(".stk"))?;
    }
    copy_folder(from, to)
}

fn keep_only_cache(state: &Path) -> anyhow::Result<()> {
    let Ok(entries) = std::fs::read_dir(state) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_name() != "cache" {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> anyhow::Result<()> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}

/// Copies sources; what tools have left beside them stays behind.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if ["target", "node_modules", ".stk"].iter().any(|skipped| name == *skipped) {
            continue;
        }
        let target = to.join(&name);
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target).with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_leave_built_things_behind() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        std::fs::create_dir_all(from.join("a/target")).unwrap();
        std::fs::write(from.join("a/b"), "text").unwrap();
        let to = folder.path().join("to");
        std::fs::create_dir_all(to.join(".stk/cache")).unwrap();
        std::fs::create_dir_all(to.join(".stk/dev")).unwrap();
        std::fs::write(to.join("old"), "").unwrap();
        renew(&from, &to).unwrap();
        assert_eq!(std::fs::read_to_string(to.join("a/b")).unwrap(), "text");
        assert!(!to.join("a/target").exists() && !to.join("old").exists() && !to.join(".stk/dev").exists());
        assert!(to.join(".stk/cache").is_dir());
    }
}
