//! `stk apikey`: keys that applications call with. The key itself is shown once, when it is made.

use serde_json::json;

use super::Shell;
use crate::{
    context::Target,
    report::{Tone, cell},
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a key and show it, once
    #[command(after_help = "Example:\n  stk apikey create web --env prod --role app")]
    Create {
        /// What it is for
        name: String,
        /// A role that it may act as; more than one may be named
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<String>,
        /// When it stops, RFC 3339; default: never
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        /// The Hub, project and env.
        #[command(flatten)]
        target: Target,
    },
    /// Show all, without the keys themselves
    #[command(after_help = "Example:\n  stk apikey list --env prod")]
    List {
        /// The Hub, project and env.
        #[command(flatten)]
        target: Target,
    },
    /// End one; every Bridge knows within one poll
    #[command(after_help = "Example:\n  stk apikey revoke key_01J… --env prod --yes")]
    Revoke {
        /// Its id, from `stk apikey list`
        id: String,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        /// The Hub, project and env.
        #[command(flatten)]
        target: Target,
    },
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::Create { name, roles, expires_at, target } => {
            let (hub, context) = shell.hub(&target)?;
            let mut body = json!({"name": name, "roles": roles});
            if let Some(expires_at) = expires_at {
                body["expiresAt"] = json!(expires_at);
            }
            let made =
                hub.post(&["v1", "projects", context.project()?, "envs", context.env()?, "apikeys"], &body).await?;
            shell.terminal.answer(&made, |terminal| {
                terminal.say(&terminal.tone(Tone::Strong, &cell(&made["key"])));
                terminal.note("this is the only time that it is shown");
            });
        }
        Command::List { target } => {
            let (hub, context) = shell.hub(&target)?;
            let all = hub.get(&["v1", "projects", context.project()?, "envs", context.env()?, "apikeys"]).await?;
            super::list(shell, &all, "apiKeys", &["id", "name", "roles", "expires", "revoked", "last used"], |row| {
                ["id", "name", "roles", "expiresAt", "revokedAt", "lastUsedAt"]
                    .iter()
                    .map(|key| cell(&row[*key]))
                    .collect()
            });
        }
        Command::Revoke { id, yes, target } => {
            let (hub, context) = shell.hub(&target)?;
            shell.confirm(yes, &format!("End key {id} of {}/{}?", context.project()?, context.env()?))?;
            hub.delete(&["v1", "projects", context.project()?, "envs", context.env()?, "apikeys", &id]).await?;
            shell.terminal.answer(&json!({"revoked": id}), |terminal| terminal.say(&format!("key {id} is ended")));
        }
    }
    Ok(())
}
