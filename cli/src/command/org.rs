//! `stk org`: orgs, who is in them, and invites.

use serde_json::json;

use super::Shell;
use crate::{
    client::HubClient,
    context::Target,
    failure::Failure,
    prompt,
    report::{Tone, cell},
};

mod ceilings;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make an org, of which you are the owner
    #[command(after_help = "Example:\n  stk org create acme")]
    Create {
        /// Its name, unique in the Hub
        name: String,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Show those that you are in
    #[command(after_help = "Example:\n  stk org list")]
    List {
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Remove one that has no project
    #[command(after_help = "Example:\n  stk org delete acme --yes")]
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
    /// Invite somebody; the invite is shown once, for you to send
    #[command(after_help = "Example:\n  stk org invite grace@example.com --org acme --role admin")]
    Invite {
        /// Whom
        email: String,
        /// Into which org
        #[arg(long, value_name = "ORG", default_value = "default")]
        org: String,
        /// owner, admin or member
        #[arg(long, value_name = "ROLE", default_value = "member")]
        role: String,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Take an invite into another org, as who is logged in
    #[command(after_help = "Example:\n  STK_INVITE=stk_inv_… stk org accept")]
    Accept {
        /// The invite; else it is asked for
        #[arg(long, env = "STK_INVITE", hide_env_values = true, value_name = "INVITE")]
        invite: Option<String>,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Who is in an org, and who was invited
    #[command(subcommand)]
    Members(Members),
    /// The most that components of all projects of an org may have; owners say it
    #[command(subcommand)]
    Ceilings(ceilings::Command),
}

/// Of the members of an org.
#[derive(Debug, clap::Subcommand)]
pub enum Members {
    /// Show them
    #[command(after_help = "Example:\n  stk org members list --org acme")]
    List {
        /// Of which org
        #[arg(long, value_name = "ORG", default_value = "default")]
        org: String,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Say what a member is
    #[command(after_help = "Example:\n  stk org members set grace@example.com --role owner --org acme")]
    Set {
        /// Email or id
        member: String,
        /// owner, admin or member
        #[arg(long, value_name = "ROLE")]
        role: String,
        /// Of which org
        #[arg(long, value_name = "ORG", default_value = "default")]
        org: String,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Take a member out of an org, its teams and projects
    #[command(after_help = "Example:\n  stk org members remove grace@example.com --org acme --yes")]
    Remove {
        /// Email or id
        member: String,
        /// Of which org
        #[arg(long, value_name = "ORG", default_value = "default")]
        org: String,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::Create { name, target } => {
            let (hub, _) = shell.hub(&target)?;
            let made = hub.post(&["v1", "orgs"], &json!({"name": name})).await?;
            shell.terminal.answer(&made, |terminal| {
                terminal.say(&format!("org {name} is made; next: stk org invite EMAIL --org {name}"));
            });
        }
        Command::List { target } => {
            let (hub, _) = shell.hub(&target)?;
            let all = hub.get(&["v1", "orgs"]).await?;
            super::list(shell, &all, "orgs", &["name", "role"], |row| vec![cell(&row["name"]), cell(&row["role"])]);
        }
        Command::Delete { name, yes, target } => {
            let (hub, _) = shell.hub(&target)?;
            shell.confirm(yes, &format!("Remove org {name}?"))?;
            hub.delete(&["v1", "orgs", &name]).await?;
            shell
                .terminal
                .answer(&json!({"deleted": name}), |terminal| terminal.say(&format!("org {name} is removed")));
        }
        Command::Invite { email, org, role, target } => {
            let (hub, _) = shell.hub(&target)?;
            let made = hub.post(&["v1", "orgs", &org, "invites"], &json!({"email": email, "role": role})).await?;
            invited(shell, &made);
        }
        Command::Accept { invite, target } => {
            let (hub, _) = shell.hub(&target)?;
            let invite = match invite {
                Some(invite) => invite,
                None => prompt::hidden(shell.terminal, "Invite:", "give it as STK_INVITE")?,
            };
            let taken = hub.post(&["v1", "auth", "accept"], &json!({"invite": invite})).await?;
            shell.terminal.answer(&taken, |terminal| {
                terminal.say(&format!("you are {} of org {}", cell(&taken["role"]), cell(&taken["org"])));
            });
        }
        Command::Members(command) => members(command, shell).await?,
        Command::Ceilings(command) => ceilings::run(command, shell).await?,
    }
    Ok(())
}

async fn members(command: Members, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Members::List { org, target } => {
            let (hub, _) = shell.hub(&target)?;
            let all = hub.get(&["v1", "orgs", &org, "members"]).await?;
            show(shell, &all);
        }
        Members::Set { member, role, org, target } => {
            let (hub, _) = shell.hub(&target)?;
            let id = member_id(&hub, &org, &member).await?;
            let set = hub.put(&["v1", "orgs", &org, "members", &id], &json!({"role": role})).await?;
            shell.terminal.answer(&set, |terminal| terminal.say(&format!("{member} is {role} of org {org}")));
        }
        Members::Remove { member, org, yes, target } => {
            let (hub, _) = shell.hub(&target)?;
            let id = member_id(&hub, &org, &member).await?;
            shell.confirm(yes, &format!("Take {member} out of org {org}?"))?;
            hub.delete(&["v1", "orgs", &org, "members", &id]).await?;
            shell
                .terminal
                .answer(&json!({"removed": id}), |terminal| terminal.say(&format!("{member} is out of org {org}")));
        }
    }
    Ok(())
}

/// The id of a member of an org who is named by email or id.
pub(super) async fn member_id(hub: &HubClient, org: &str, member: &str) -> anyhow::Result<String> {
    if !member.contains('@') {
        return Ok(member.to_owned());
    }
    let all = hub.get(&["v1", "orgs", org, "members"]).await?;
    let mut rows = all["members"].as_array().into_iter().flatten();
    let found = rows.find(|row| row["email"].as_str().is_some_and(|email| email.eq_ignore_ascii_case(member)));
    found.and_then(|row| row["operator"].as_str().map(str::to_owned)).ok_or_else(|| {
        Failure::failed(format!("{member} is no member of org {org}")).hint("`stk org members list` shows them").into()
    })
}

/// A list of members.
pub(super) fn show(shell: &Shell, all: &serde_json::Value) {
    super::list(shell, all, "members", &["email", "name", "role", "id"], |row| {
        ["email", "name", "role", "operator"].iter().map(|key| cell(&row[*key])).collect()
    });
}

/// An invite that was made.
pub(super) fn invited(shell: &Shell, made: &serde_json::Value) {
    shell.terminal.answer(made, |terminal| {
        terminal.say(&terminal.tone(Tone::Strong, &cell(&made["invite"])));
        terminal.note(&format!(
            "send it to {}: it is shown once, works once, and until {}; there: stk join, or stk org accept",
            cell(&made["email"]),
            cell(&made["expiresAt"])
        ));
    });
}
