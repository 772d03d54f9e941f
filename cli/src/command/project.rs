//! `stk project`: projects of the Hub.

use serde_json::json;

use super::Shell;
use crate::{context::Target, report::cell};

mod ceilings;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a project
    #[command(after_help = "Example:\n  stk project create shop")]
    Create {
        /// Its name, unique in the Hub
        name: String,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Show all
    #[command(after_help = "Example:\n  stk project list --json")]
    List {
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// The most that components of a project may have, whatever their manifests ask for
    #[command(subcommand)]
    Ceilings(ceilings::Command),
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::Create { name, target } => {
            let (hub, _) = shell.hub(&target)?;
            let made = hub.post(&["v1", "projects"], &json!({"name": name})).await?;
            shell.terminal.answer(&made, |terminal| {
                terminal.say(&format!("project {name} is made; next: stk env create prod --project {name}"));
            });
        }
        Command::List { target } => {
            let (hub, _) = shell.hub(&target)?;
            let all = hub.get(&["v1", "projects"]).await?;
            super::list(shell, &all, "projects", &["name", "createdAt"], |row| {
                vec![cell(&row["name"]), cell(&row["createdAt"])]
            });
        }
        Command::Ceilings(command) => ceilings::run(command, shell).await?,
    }
    Ok(())
}
