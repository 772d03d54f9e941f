//! `stk logic test`: runs cases of logics in the sandbox, each on a database of its own.

use super::super::Shell;
use crate::logic_test::{self, Plan};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Only cases that call this logic
    pub name: Option<String>,
    /// Only cases with this text in their name or their file's path
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Run again what a save affects, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// End with 0 where there is no case
    #[arg(long)]
    pub allow_empty: bool,
}

/// Runs them.
pub async fn run(options: Options, shell: &Shell) -> anyhow::Result<()> {
    let Options { name, filter, watch, allow_empty } = options;
    let plan = Plan { logic: name, filter, allow_empty, watch };
    logic_test::run(&shell.folder()?, &plan, shell.terminal).await
}
