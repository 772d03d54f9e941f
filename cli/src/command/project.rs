//! `stk project`: projects of the Hub.

use serde_json::json;

use super::Shell;
use crate::{context::Target, report::cell};

mod ceilings;
mod members;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a project
    #[command(after_help = "Example:\n  stk project create shop")]
    Create {
        /// Its name, unique in the Hub
        name: String,
        /// In which org; default: the Hub's first, or the only one that you are in
        #[arg(long, value_name = "ORG")]
        org: Option<String>,
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
    /// Remove one that has no envs any more, with its releases and roles
    #[command(after_help = "Example:\n  stk project delete shop --yes")]
    Delete {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Invite somebody into a project, and into its org as a member
    Invite(members::Invite),
    /// Who was given a role in a project
    #[command(subcommand)]
    Members(members::Command),
    /// The most that components of a project may have, whatever their manifests ask for
    #[command(subcommand)]
    Ceilings(ceilings::Command),
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::Create { name, org, target } => {
            let (hub, _) = shell.hub(&target)?;
            let mut body = json!({"name": name});
            if let Some(org) = org {
                body["org"] = json!(org);
            }
            let made = hub.post(&["v1", "projects"], &body).await?;
            shell.terminal.answer(&made, |terminal| {
                terminal.say(&format!("project {name} is made; next: stk env create prod --project {name}"));
            });
        }
        Command::List { target } => {
            let (hub, _) = shell.hub(&target)?;
            let all = hub.get(&["v1", "projects"]).await?;
            super::list(shell, &all, "projects", &["name", "org", "createdAt"], |row| {
                vec![cell(&row["name"]), cell(&row["org"]), cell(&row["createdAt"])]
            });
        }
        Command::Delete { name, yes, target } => {
            let (hub, _) = shell.hub(&target)?;
            shell.confirm(yes, &format!("Remove project {name} with all of its releases? Nothing brings it back"))?;
            let gone = hub.delete(&["v1", "projects", &name]).await?;
            shell.terminal.answer(&gone, |terminal| {
                terminal.say(&format!("project {name} is removed, with {} releases", cell(&gone["releases"])));
            });
        }
        Command::Invite(options) => members::invite(options, shell).await?,
        Command::Members(command) => members::run(command, shell).await?,
        Command::Ceilings(command) => ceilings::run(command, shell).await?,
    }
    Ok(())
}
