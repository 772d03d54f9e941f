//! `stk env`: envs of a project.

use serde_json::json;

use super::Shell;
use crate::{context::Target, report::cell};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make an env
    #[command(after_help = "Example:\n  stk env create prod --project shop")]
    Create {
        /// Its name
        name: String,
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
    /// Show all
    #[command(after_help = "Example:\n  stk env list --project shop")]
    List {
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::Create { name, target } => {
            let (hub, context) = shell.hub(&target)?;
            let project = context.project()?;
            let made = hub.post(&["v1", "projects", project, "envs"], &json!({"name": name})).await?;
            shell.terminal.answer(&made, |terminal| {
                terminal.say(&format!(
                    "env {project}/{name} is made; next: stk connections set main --env {name} --engine sqlite --url-stdin"
                ));
            });
        }
        Command::List { target } => {
            let (hub, context) = shell.hub(&target)?;
            let all = hub.get(&["v1", "projects", context.project()?, "envs"]).await?;
            super::list(shell, &all, "envs", &["name", "createdAt"], |row| {
                vec![cell(&row["name"]), cell(&row["createdAt"])]
            });
        }
    }
    Ok(())
}
