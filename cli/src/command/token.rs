//! `stk token`: what CI, and people without a session, show to the Hub. The token itself is shown once, when it is made.

use serde_json::json;

use super::Shell;
use crate::{
    context::Target,
    report::{Tone, cell},
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a token and show it, once
    #[command(after_help = "Example:\n  stk token create ci --level deploy --for shop/prod --expires-in 90d")]
    Create {
        /// What it is for
        name: String,
        /// The most that it may do: read, deploy or admin
        #[arg(long, value_name = "LEVEL")]
        level: String,
        /// An env that it is for, or PROJECT/* for all of a project; more than one may be named; none is all that you may
        #[arg(long = "for", value_name = "PROJECT/ENV")]
        envs: Vec<String>,
        /// For how long; default: 90d, at most 366d
        #[arg(long, value_name = "TIME")]
        expires_in: Option<String>,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Show yours, without the tokens themselves
    #[command(after_help = "Example:\n  stk token list")]
    List {
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// End one, at once
    #[command(after_help = "Example:\n  stk token revoke key_01J… --yes")]
    Revoke {
        /// Its id, from `stk token list`
        id: String,
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
        Command::Create { name, level, envs, expires_in, target } => {
            let (hub, _) = shell.hub(&target)?;
            let mut body = json!({"name": name, "level": level, "envs": envs});
            if let Some(expires_in) = expires_in {
                body["expiresIn"] = json!(expires_in);
            }
            let made = hub.post(&["v1", "tokens"], &body).await?;
            shell.terminal.answer(&made, |terminal| {
                terminal.say(&terminal.tone(Tone::Strong, &cell(&made["token"])));
                terminal.note(&format!(
                    "this is the only time that it is shown; it ends at {}; commands take it as STK_TOKEN",
                    cell(&made["expiresAt"])
                ));
            });
        }
        Command::List { target } => {
            let (hub, _) = shell.hub(&target)?;
            let all = hub.get(&["v1", "tokens"]).await?;
            let head = ["id", "name", "level", "envs", "expires", "last used", "revoked"];
            super::list(shell, &all, "tokens", &head, |row| {
                let keys = ["id", "name", "level", "envs", "expiresAt", "lastUsedAt", "revokedAt"];
                keys.iter().map(|key| cell(&row[*key])).collect()
            });
        }
        Command::Revoke { id, yes, target } => {
            let (hub, _) = shell.hub(&target)?;
            shell.confirm(yes, &format!("End token {id}?"))?;
            hub.delete(&["v1", "tokens", &id]).await?;
            shell.terminal.answer(&json!({"revoked": id}), |terminal| terminal.say(&format!("token {id} is ended")));
        }
    }
    Ok(())
}
