//! `stk team`: members of an org who are given a role in projects together.

use serde_json::json;

use super::{
    Shell,
    org::{member_id, show},
};
use crate::{context::Target, report::cell};

/// Which org.
#[derive(Debug, clap::Args)]
pub struct InOrg {
    /// Of which org
    #[arg(long, value_name = "ORG", default_value = "default")]
    org: String,
    /// The Hub.
    #[command(flatten)]
    target: Target,
}

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a team
    #[command(after_help = "Example:\n  stk team create shippers --org acme")]
    Create {
        /// Its name, unique in the org
        name: String,
        /// The org.
        #[command(flatten)]
        at: InOrg,
    },
    /// Show all
    #[command(after_help = "Example:\n  stk team list --org acme")]
    List {
        /// The org.
        #[command(flatten)]
        at: InOrg,
    },
    /// Remove one; its members lose what they had by it
    #[command(after_help = "Example:\n  stk team delete shippers --org acme --yes")]
    Delete {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        /// The org.
        #[command(flatten)]
        at: InOrg,
    },
    /// Show who is in it
    #[command(after_help = "Example:\n  stk team members shippers --org acme")]
    Members {
        /// The team's name
        name: String,
        /// The org.
        #[command(flatten)]
        at: InOrg,
    },
    /// Put a member of the org into it
    #[command(after_help = "Example:\n  stk team add shippers grace@example.com --org acme")]
    Add {
        /// The team's name
        name: String,
        /// Email or id
        member: String,
        /// The org.
        #[command(flatten)]
        at: InOrg,
    },
    /// Take a member out of it
    #[command(after_help = "Example:\n  stk team remove shippers grace@example.com --org acme")]
    Remove {
        /// The team's name
        name: String,
        /// Email or id
        member: String,
        /// The org.
        #[command(flatten)]
        at: InOrg,
    },
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::Create { name, at: InOrg { org, target } } => {
            let (hub, _) = shell.hub(&target)?;
            let made = hub.post(&["v1", "orgs", &org, "teams"], &json!({"name": name})).await?;
            shell.terminal.answer(&made, |terminal| {
                terminal
                    .say(&format!("team {name} is made; next: stk project members set team:{name} --role deployer"));
            });
        }
        Command::List { at: InOrg { org, target } } => {
            let (hub, _) = shell.hub(&target)?;
            let all = hub.get(&["v1", "orgs", &org, "teams"]).await?;
            super::list(shell, &all, "teams", &["name", "createdAt"], |row| {
                vec![cell(&row["name"]), cell(&row["createdAt"])]
            });
        }
        Command::Delete { name, yes, at: InOrg { org, target } } => {
            let (hub, _) = shell.hub(&target)?;
            shell.confirm(yes, &format!("Remove team {name} of org {org}?"))?;
            hub.delete(&["v1", "orgs", &org, "teams", &name]).await?;
            shell
                .terminal
                .answer(&json!({"deleted": name}), |terminal| terminal.say(&format!("team {name} is removed")));
        }
        Command::Members { name, at: InOrg { org, target } } => {
            let (hub, _) = shell.hub(&target)?;
            show(shell, &hub.get(&["v1", "orgs", &org, "teams", &name, "members"]).await?);
        }
        Command::Add { name, member, at: InOrg { org, target } } => {
            let (hub, _) = shell.hub(&target)?;
            let id = member_id(&hub, &org, &member).await?;
            let added = hub.put(&["v1", "orgs", &org, "teams", &name, "members", &id], &json!({})).await?;
            shell.terminal.answer(&added, |terminal| terminal.say(&format!("{member} is in team {name}")));
        }
        Command::Remove { name, member, at: InOrg { org, target } } => {
            let (hub, _) = shell.hub(&target)?;
            let id = member_id(&hub, &org, &member).await?;
            hub.delete(&["v1", "orgs", &org, "teams", &name, "members", &id]).await?;
            shell
                .terminal
                .answer(&json!({"removed": id}), |terminal| terminal.say(&format!("{member} is out of team {name}")));
        }
    }
    Ok(())
}
