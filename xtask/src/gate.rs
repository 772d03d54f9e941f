//! The gates that a change must pass, in an order that fails early and shares what is built.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, anyhow, bail};

use crate::process::{answer, cargo, run};
use crate::setup::Purpose;
use crate::terminal::{passed, step};
use crate::{guests, plugins, setup, tidy};

/// `-D warnings`, as `cargo clippy` hands it on to clippy's compiler.
const DENY_WARNINGS: &str = "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";

/// How many tests run at once, as the test runner reads it.
const TEST_THREADS: &str = "RUST_TEST_THREADS";

/// Every gate.
pub(crate) fn all(root: &Path) -> anyhow::Result<()> {
    setup::ensure(root, Purpose::Ci)?;
    format(root, true)?;
    step("tidy", || tidy::run(root))?;
    deny(root)?;
    lint_guest_sdk(root)?;
    build_linted(root)?;
    guests::build(root)?;
    run_tests(root, &[], &linted())?;
    passed("every gate passed");
    Ok(())
}

/// All tests, with everything that they need.
pub(crate) fn test(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    setup::ensure(root, Purpose::Tests)?;
    build_host(root)?;
    guests::build(root)?;
    run_tests(root, arguments, &[])
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
        run(&mut command)
    })?;
    lint_guest_sdk(root)
}

fn lint_guest_sdk(root: &Path) -> anyhow::Result<()> {
    step("lints of the guest SDK", || {
        run(guest_sdk(root, "clippy").args(["--quiet", "--all-targets", "--", "-D", "warnings"]))?;
        // Its pages are its API's documentation: a link that leads nowhere is an error.
        run(guest_sdk(root, "doc").args(["--quiet", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
        plugins::each(root, "clippy", &["--quiet", "--all-targets", "--", "-D", "warnings"])
    })
}

/// Packages, licences and sources. Advisories need a database from the network and are not part of the gate.
pub(crate) fn deny(root: &Path) -> anyhow::Result<()> {
    let program = setup::cargo_deny(root)?;
    step("dependencies", || {
        let mut command = Command::new(program);
        command.current_dir(root).args(["--locked", "--log-level", "error", "check", "bans", "licenses", "sources"]);
        run(&mut command)?;
        only_in_build_scripts(root, "ring")?;
        // Nothing else of the gate resolves it, and one that is behind is found by who wants to fuzz.
        let mut fuzz = cargo(root);
        run(fuzz.args(["tree", "--quiet", "--locked", "--depth", "0", "--manifest-path", "tests/fuzz/Cargo.toml"]))
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

/// All of the workspace at once: with the same selection of packages and targets as the tests, so that what is built is shared. What only tests
/// depend on can add features to what everything depends on.
fn build_host(root: &Path) -> anyhow::Result<()> {
    step("build", || {
        let mut command = cargo(root);
        run(command.args(["build", "--locked", "--workspace", "--bins", "--tests"]))
    })
}

/// Builds everything, tests and benchmarks too, with clippy's compiler. `cargo clippy` would check each dependency once more than the build
/// does, which is minutes of a run on a new machine; clippy's compiler lints the workspace while it builds it.
fn build_linted(root: &Path) -> anyhow::Result<()> {
    step("build and lints", || {
        let mut command = cargo(root);
        command.args(["build", "--locked", "--workspace", "--all-targets"]).args(linted());
        run(command.env("CLIPPY_ARGS", DENY_WARNINGS))
    })
}

/// How cargo is told to compile the workspace's own packages by clippy's compiler. As arguments, which the programs that tests start do not
/// inherit: guests are compiled by the plain one.
fn linted() -> [String; 2] {
    let beside = answer("rustc", &["--print", "sysroot"]).map(|root| Path::new(&root).join("bin/clippy-driver"));
    let driver = beside.filter(|path| path.is_file()).unwrap_or_else(|| "clippy-driver".into());
    ["--config".to_owned(), format!("build.rustc-workspace-wrapper={:?}", driver.display().to_string())]
}

fn run_tests(root: &Path, arguments: &[String], compiler: &[String]) -> anyhow::Result<()> {
    step("tests", || {
        let mut command = cargo(root);
        command.args(["test", "--locked", "--workspace"]).args(compiler);
        if std::env::var_os(TEST_THREADS).is_none() {
            // Tests wait for processes, servers and time as much as they compute.
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            command.env(TEST_THREADS, (2 * processors).to_string());
        }
        run(command.args(arguments).env("CLIPPY_ARGS", DENY_WARNINGS))?;
        if arguments.is_empty() {
            run(&mut guest_sdk(root, "test"))?;
            plugins::each(root, "test", &["--quiet"])?;
        }
        Ok(())
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
