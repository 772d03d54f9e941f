//! The project's own tasks: set-up, demo, tests and gates. `cargo xtask --help` lists them.
//!
//! Must not depend on the other packages of the workspace: it has to run before they can be built.

mod bench;
mod demo;
mod gate;
mod guests;
mod machine;
mod plugins;
mod process;
mod project_copy;
mod setup;
mod terminal;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the Santokit project", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Set up this machine and show the main job: a shop whose Wasm logic is swapped while requests flow
    Demo(demo::Arguments),
    /// Set up this machine and run all tests
    Test(TestArguments),
    /// Everything a change must pass: format, lints, tidy, deny, build of host and guests, all tests
    Ci,
    /// Install what is missing on this machine
    Setup(SetupArguments),
    /// Check and build the example projects with the `stk` of this tree
    Guests,
    /// Make the components of the plugins again, with the `stk` of this tree
    Plugins,
    /// Check the rules that no compiler knows: direction of dependencies, sizes, dead files, links
    Tidy,
    /// Check packages, licences and sources of dependencies
    Deny,
    /// Format all Rust code, host and guests
    Fmt(FmtArguments),
    /// Run clippy; a warning is an error
    Lint,
    /// Run the benchmarks and put their ratios into docs/PERFORMANCE.md
    Bench(bench::Arguments),
}

#[derive(clap::Args)]
struct TestArguments {
    /// Passed on to `cargo test --workspace`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    cargo: Vec<String>,
}

#[derive(clap::Args)]
struct SetupArguments {
    /// For what
    #[arg(value_enum, default_value = "tests")]
    purpose: setup::Purpose,
}

#[derive(clap::Args)]
struct FmtArguments {
    /// Change nothing; fail where something would change
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::failed(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    let root = workspace_root()?;
    match task {
        Task::Demo(arguments) => demo::run(&root, &arguments),
        Task::Test(arguments) => gate::test(&root, &arguments.cargo),
        Task::Ci => gate::all(&root),
        Task::Setup(arguments) => setup::ensure(&root, arguments.purpose),
        Task::Guests => {
            setup::ensure(&root, setup::Purpose::Demo)?;
            gate::build_stk(&root)?;
            guests::build(&root)
        }
        Task::Plugins => {
            setup::ensure(&root, setup::Purpose::Demo)?;
            gate::build_stk(&root)?;
            plugins::build(&root)
        }
        Task::Tidy => tidy::run(&root),
        Task::Deny => gate::deny(&root),
        Task::Fmt(arguments) => gate::format(&root, arguments.check),
        Task::Lint => gate::lint(&root),
        Task::Bench(arguments) => bench::run_parts(&root, &arguments),
    }
}

/// The folder of the workspace, whatever folder this was started in.
fn workspace_root() -> anyhow::Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().map(Path::to_path_buf).context("xtask is not inside a workspace")
}
