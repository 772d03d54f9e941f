//! `stk org ceilings`: the most that components of all projects of an org may have.

use std::path::PathBuf;

use super::{Shell, Target};
use crate::command::ceilings::{self, Holder};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Set them from a file (YAML): `allow`, `deny` and `limits`
    #[command(after_help = "Example:\n  stk org ceilings set ceilings.yaml --org acme")]
    Set {
        /// The file
        file: PathBuf,
        /// Of which org
        #[arg(long, value_name = "ORG", default_value = "default")]
        org: String,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Show them
    #[command(after_help = "Example:\n  stk org ceilings show --org acme")]
    Show {
        /// Of which org
        #[arg(long, value_name = "ORG", default_value = "default")]
        org: String,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Remove them: then only what is said of each project counts
    #[command(after_help = "Example:\n  stk org ceilings clear --org acme --yes")]
    Clear {
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        /// Of which org
        #[arg(long, value_name = "ORG", default_value = "default")]
        org: String,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
}

/// Runs one.
pub(super) async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    let (Command::Set { org, target, .. } | Command::Show { org, target } | Command::Clear { org, target, .. }) =
        &command;
    let (hub, _) = shell.hub(target)?;
    let holder = Holder { kind: "org", name: org, segments: ["v1", "orgs", org, "ceilings"] };
    match &command {
        Command::Set { file, .. } => ceilings::set(shell, &hub, holder, file).await,
        Command::Show { .. } => ceilings::show(shell, &hub, holder).await,
        Command::Clear { yes, .. } => ceilings::clear(shell, &hub, holder, *yes).await,
    }
}
