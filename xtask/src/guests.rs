//! Guests, built by the `stk` of this tree as a user would build them: the examples, and one program per behaviour for
//! the tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::process::run;
use crate::terminal::step;

/// Where guests are.
const FOLDERS: [&str; 3] = ["tests/guests", "examples", "plugins"];

/// Builds every guest with the `stk` that was built before.
pub(crate) fn build(root: &Path) -> anyhow::Result<()> {
    step("guests", || {
        let mut logics = Vec::new();
        for folder in FOLDERS {
            collect(&root.join(folder), &mut logics)?;
        }
        if logics.is_empty() {
            bail!("there are no guests under {}", FOLDERS.join(", "));
        }
        for logic in logics {
            let name = logic.strip_prefix(root).unwrap_or(&logic);
            run(Command::new(root.join("target/debug/stk")).current_dir(root).args(["logic", "build"]).arg(name))?;
        }
        Ok(())
    })
}

/// Settings of `stk` that let all guests of this repository share what they are built with. The tests use the same.
pub(crate) fn shared_folders(root: &Path) -> [(&'static str, PathBuf); 2] {
    let shared = root.join("target/guests");
    [("STK_GUEST_TARGET_DIR", shared.join("rust")), ("STK_JS_TOOLCHAIN_DIR", shared.join("js"))]
}

/// Folders with a `logic.yaml`, in order.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    if folder.join("logic.yaml").is_file() {
        found.push(folder.to_owned());
        return Ok(());
    }
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut inside = Vec::new();
    for entry in entries {
        inside.push(entry.with_context(|| format!("cannot read {}", folder.display()))?.path());
    }
    inside.sort();
    let is_source = |path: &PathBuf| {
        path.is_dir()
            && path
                .file_name()
                .is_some_and(|name| !["target", "node_modules", ".stk"].iter().any(|other| name == *other))
    };
    inside.iter().filter(|path| is_source(path)).try_for_each(|path| collect(path, found))
}
