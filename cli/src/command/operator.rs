//! `stk operator`: everyone who works with a Hub, for who runs it.

use serde_json::{Value as Json, json};

use super::Shell;
use crate::{
    client::HubClient,
    context::Target,
    failure::Failure,
    report::{Tone, cell},
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show all
    #[command(after_help = "Example:\n  stk operator list")]
    List {
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// End what somebody may do: sessions and tokens end at once, roles are kept
    #[command(after_help = "Example:\n  stk operator disable grace@example.com --yes")]
    Disable {
        /// Email or id
        operator: String,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Let somebody work again, with the roles from before
    #[command(after_help = "Example:\n  stk operator enable grace@example.com")]
    Enable {
        /// Email or id
        operator: String,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Make a code with which somebody who has lost the password or the second factor comes in again; it is shown once
    #[command(after_help = "Example:\n  stk operator reset grace@example.com --yes")]
    Reset {
        /// Email or id
        operator: String,
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
        Command::List { target } => {
            let (hub, _) = shell.hub(&target)?;
            let all = hub.get(&["v1", "operators"]).await?;
            super::list(shell, &all, "operators", &["id", "email", "name", "created", "disabled"], |row| {
                ["id", "email", "name", "createdAt", "disabledAt"].iter().map(|key| cell(&row[*key])).collect()
            });
        }
        Command::Disable { operator, yes, target } => {
            let (hub, _) = shell.hub(&target)?;
            let id = id_of(&hub, &operator).await?;
            shell.confirm(yes, &format!("End everything that {operator} may do?"))?;
            let done = hub.post(&["v1", "operators", &id, "disable"], &json!({})).await?;
            shell.terminal.answer(&done, |terminal| terminal.say(&format!("{operator} may do nothing any more")));
        }
        Command::Enable { operator, target } => {
            let (hub, _) = shell.hub(&target)?;
            let id = id_of(&hub, &operator).await?;
            let done = hub.post(&["v1", "operators", &id, "enable"], &json!({})).await?;
            shell.terminal.answer(&done, |terminal| terminal.say(&format!("{operator} may log in again")));
        }
        Command::Reset { operator, yes, target } => {
            let (hub, _) = shell.hub(&target)?;
            let id = id_of(&hub, &operator).await?;
            let question = format!("Let {operator} set a new password? Their second factor and sessions end with it");
            shell.confirm(yes, &question)?;
            let made = hub.post(&["v1", "operators", &id, "reset"], &json!({})).await?;
            shell.terminal.answer(&made, |terminal| {
                let (email, until) = (cell(&made["email"]), cell(&made["expiresAt"]));
                terminal.say(&terminal.tone(Tone::Strong, &cell(&made["code"])));
                terminal.note(&format!(
                    "this is the only time that it is shown; send it to {email}, who uses it once, until {until}: STK_RESET_CODE=<the code> stk login --email {email}"
                ));
            });
        }
    }
    Ok(())
}

async fn id_of(hub: &HubClient, operator: &str) -> anyhow::Result<String> {
    if !operator.contains('@') {
        return Ok(operator.to_owned());
    }
    let all = hub.get(&["v1", "operators"]).await?;
    let is_it = |row: &&Json| row["email"].as_str().is_some_and(|email| email.eq_ignore_ascii_case(operator));
    let found = all["operators"].as_array().and_then(|rows| rows.iter().find(is_it));
    found.and_then(|row| row["id"].as_str().map(str::to_owned)).ok_or_else(|| {
        Failure::failed(format!("{operator} is no operator of this Hub")).hint("`stk operator list` shows them").into()
    })
}
