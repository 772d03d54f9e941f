//! The guests of the examples, built by the `stk` of this tree as a user would build them. Tests build theirs when
//! they need them, with the same settings.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::process::run;
use crate::project_copy;
use crate::terminal::{note, step};

/// Checks and builds every example with the `stk` that was built before.
pub(crate) fn build(root: &Path) -> anyhow::Result<()> {
    step("guests", || {
        for name in examples(root)? {
            let copy = root.join("target/guests/examples").join(&name);
            project_copy::renew(&root.join("examples").join(&name), &copy)?;
            for arguments in [&["check"][..], &["logic", "build"]] {
                note(&format!("examples/{name}: stk {}", arguments.join(" ")));
                let mut stk = Command::new(root.join("target/debug/stk"));
                run(stk.args(arguments).current_dir(&copy).envs(shared_folders(root)))?;
            }
        }
        Ok(())
    })
}

/// Settings of `stk` that let all guests of this repository share what they are built with. The tests use the same.
pub(crate) fn shared_folders(root: &Path) -> [(&'static str, PathBuf); 4] {
    let shared = root.join("target/guests");
    [
        ("STK_GUEST_TARGET_DIR", shared.join("rust")),
        ("STK_JS_TOOLCHAIN_DIR", shared.join("js")),
        ("STK_C_TOOLCHAIN_DIR", shared.join("c")),
        ("STK_PYTHON_TOOLCHAIN_DIR", shared.join("python")),
    ]
}

/// Names of the example projects, in order.
fn examples(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join("examples");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        if entry.path().join("santokit.yaml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
