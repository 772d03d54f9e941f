//! The gates that a change must pass, in an order that fails early and shares what is built.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, anyhow, bail};

use crate::process::{cargo, run};
use crate::setup::Purpose;
use crate::terminal::{passed, step};
use crate::{guests, setup, tidy};

/// Every gate.
pub(crate) fn all(root: &Path) -> anyhow::Result<()> {
    setup::ensure(root, Purpose::Ci)?;
    format(root, true)?;
    step("tidy", || tidy::run(root))?;
    deny(root)?;
    lint(root)?;
    build_host(root)?;
    guests::build(root)?;
    run_tests(root, &[])?;
    passed("every gate passed");
    Ok(())
}

/// All tests, with everything that they need.
pub(crate) fn test(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    setup::ensure(root, Purpose::Tests)?;
    build_host(root)?;
    guests::build(root)?;
    run_tests(root, arguments)
}

/// Formats host and guests, or checks that nothing would change.
pub(crate) fn format(root: &Path, check: bool) -> anyhow::Result<()> {
    step("format", || {
        // By file and not by package: packages of guests do not resolve before `stk` has written their SDK.
        let files = tidy::rust_files(root)?;
        let mut command = Command::new("rustfmt");
        command.current_dir(root).args(["--edition", "2024", "--quiet"]).args(files);
        if check {
            command.arg("--check");
        }
        run(&mut command).map_err(|_| anyhow!("some files are not formatted (above): run `cargo xtask fmt`"))
    })
}

/// Clippy over everything, tests included.
pub(crate) fn lint(root: &Path) -> anyhow::Result<()> {
    step("lints", || {
        let mut command = cargo(root);
        command.args(["clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]);
        run(&mut command)?;
        run(guest_sdk(root, "clippy").args(["--quiet", "--all-targets", "--", "-D", "warnings"]))?;
        // Its pages are its API's documentation: a link that leads nowhere is an error.
        run(guest_sdk(root, "doc").args(["--quiet", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    })
}

/// Packages, licences and sources. Advisories need a database from the network and are not part of the gate.
pub(crate) fn deny(root: &Path) -> anyhow::Result<()> {
    let program = setup::cargo_deny(root)?;
    step("dependencies", || {
        let mut command = Command::new(program);
        command.current_dir(root).args(["--locked", "--log-level", "error", "check", "bans", "licenses", "sources"]);
        run(&mut command)?;
        only_in_build_scripts(root, "ring")
    })
}

/// cargo-deny does not tell what runs in a build script from what runs in a program of ours; cargo does.
fn only_in_build_scripts(root: &Path, package: &str) -> anyhow::Result<()> {
    let mut command = cargo(root);
    command.args(["tree", "--locked", "--workspace", "--target", "all", "--edges", "normal", "--prefix", "none"]);
    let output = command.args(["--format", "{p}"]).output().context("cannot start `cargo tree`")?;
    if !output.status.success() {
        bail!("`cargo tree` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let start = format!("{package} v");
    if String::from_utf8_lossy(&output.stdout).lines().any(|line| line.starts_with(&start)) {
        bail!("{package} is in a program of ours; `cargo tree --edges normal --invert {package}` shows who brings it");
    }
    Ok(())
}

/// The command `stk` and nothing else.
pub(crate) fn build_stk(root: &Path) -> anyhow::Result<()> {
    step("build stk (the first time takes some minutes)", || {
        run(cargo(root).args(["build", "--locked", "--package", "stk"]))
    })
}

/// All of the workspace at once: with the same selection of packages as the tests, so that what is built is shared.
fn build_host(root: &Path) -> anyhow::Result<()> {
    step("build", || {
        let mut command = cargo(root);
        run(command.args(["build", "--locked", "--workspace"]))
    })
}

fn run_tests(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    step("tests", || {
        let mut command = cargo(root);
        run(command.args(["test", "--locked", "--workspace"]).args(arguments))?;
        if arguments.is_empty() { run(&mut guest_sdk(root, "test")) } else { Ok(()) }
    })
}

/// The guest SDK is a workspace of its own; what of it needs no guest is linted and tested on the host.
fn guest_sdk(root: &Path, action: &str) -> Command {
    let mut command = cargo(root);
    command.args([
        action,
        "--locked",
        "--manifest-path",
        "sdk-guest/rust/Cargo.toml",
        "--target-dir",
        "target/guest-sdk",
    ]);
    command
}
