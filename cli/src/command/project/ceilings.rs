//! `stk project ceilings`: the most that components of a project may have.

use std::path::PathBuf;

use super::{Shell, Target};
use crate::command::ceilings::{self, Holder};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Set them from a file (YAML): `allow`, `deny` and `limits`
    #[command(after_help = "Example:\n  stk project ceilings set ceilings.yaml --project shop")]
    Set {
        /// The file
        file: PathBuf,
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
    /// Show them
    #[command(after_help = "Example:\n  stk project ceilings show --project shop")]
    Show {
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
    /// Remove them: then only what a release is consented to counts
    #[command(after_help = "Example:\n  stk project ceilings clear --project shop --yes")]
    Clear {
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
}

/// Runs one.
pub(super) async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    let (Command::Set { target, .. } | Command::Show { target } | Command::Clear { target, .. }) = &command;
    let (hub, context) = shell.hub(target)?;
    let holder = Holder {
        kind: "project",
        name: context.project()?,
        segments: ["v1", "projects", context.project()?, "ceilings"],
    };
    match &command {
        Command::Set { file, .. } => ceilings::set(shell, &hub, holder, file).await,
        Command::Show { .. } => ceilings::show(shell, &hub, holder).await,
        Command::Clear { yes, .. } => ceilings::clear(shell, &hub, holder, *yes).await,
    }
}
