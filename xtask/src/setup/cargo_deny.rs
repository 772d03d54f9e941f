//! cargo-deny, at a fixed version, in the target folder: the gate must not depend on what a machine happens to have.

use std::path::{Path, PathBuf};

use crate::process::{answer, cargo, run};
use crate::terminal::note;

const VERSION: &str = "0.20.2";

/// Finds or installs cargo-deny; its path.
pub(super) fn ensure(root: &Path) -> anyhow::Result<PathBuf> {
    let tools = root.join("target/tools");
    let program = tools.join("bin/cargo-deny");
    if is_current(&program) {
        return Ok(program);
    }
    note(&format!("installing cargo-deny {VERSION} (some minutes, once)"));
    let mut install = cargo(root);
    install.args(["install", "--locked", "--quiet", &format!("cargo-deny@{VERSION}"), "--root"]).arg(&tools);
    // It runs for a second: building it fast matters, its speed does not.
    install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    install.env("CARGO_PROFILE_RELEASE_LTO", "off");
    install.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    install.env("CARGO_TARGET_DIR", tools.join("build"));
    run(&mut install)?;
    // The artefacts are large and never needed again.
    let _ = std::fs::remove_dir_all(tools.join("build"));
    Ok(program)
}

fn is_current(program: &Path) -> bool {
    program
        .to_str()
        .and_then(|program| answer(program, &["--version"]))
        .is_some_and(|version| version.ends_with(VERSION))
}
