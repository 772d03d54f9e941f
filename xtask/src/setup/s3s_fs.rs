//! s3s-fs, a store that speaks S3 over a folder, at a fixed version, in the target folder: no system has a package of it.

use std::path::Path;

use crate::process::{answer, cargo, run};
use crate::terminal::note;

const VERSION: &str = "0.14.1";
/// A store that is named is as good; tests look in the same order.
const VARIABLE: &str = "STK_TEST_S3_URL";

/// Finds or installs it.
pub(super) fn ensure(root: &Path) -> anyhow::Result<()> {
    let tools = root.join("target/tools");
    let program = tools.join("bin/s3s-fs");
    if std::env::var_os(VARIABLE).is_some() || is_current(&program) {
        note("a store that speaks S3: found");
        return Ok(());
    }
    note(&format!("installing s3s-fs {VERSION} (some minutes, once)"));
    let mut install = cargo(root);
    install.args([
        "install",
        "--locked",
        "--quiet",
        &format!("s3s-fs@{VERSION}"),
        "--features",
        "binary",
        "--debug",
        "--root",
    ]);
    install.arg(&tools);
    // Tests give it little to do: building it fast matters, its speed does not.
    install.env("CARGO_PROFILE_DEV_DEBUG", "0");
    install.env("CARGO_TARGET_DIR", tools.join("build"));
    run(&mut install)?;
    // The artefacts are large and never needed again.
    let _ = std::fs::remove_dir_all(tools.join("build"));
    Ok(())
}

fn is_current(program: &Path) -> bool {
    program
        .to_str()
        .and_then(|program| answer(program, &["--version"]))
        .is_some_and(|version| version.ends_with(VERSION))
}
