//! `stk secrets`: values that logics may read if they are granted them. Never shown again once they are set.

use serde_json::json;

use super::{Shell, secret_text};
use crate::{context::Target, report::cell};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Add or change one; the value comes from standard input
    #[command(after_help = "Example:\n  printf %s \"$PAYMENT_KEY\" | stk secrets set PAYMENT_KEY --env prod")]
    Set {
        /// Its name, for example PAYMENT_KEY
        name: String,
        /// Take the value from this variable of the environment
        #[arg(long, value_name = "VARIABLE")]
        from_env: Option<String>,
        /// The Hub, project and env.
        #[command(flatten)]
        target: Target,
    },
    /// Show their names
    #[command(after_help = "Example:\n  stk secrets list --env prod")]
    List {
        /// The Hub, project and env.
        #[command(flatten)]
        target: Target,
    },
    /// Remove one
    #[command(after_help = "Example:\n  stk secrets delete PAYMENT_KEY --env prod --yes")]
    Delete {
        /// Its name
        name: String,
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
        Command::Set { name, from_env, target } => {
            let (hub, context) = shell.hub(&target)?;
            let given = from_env.as_deref().map(|variable| {
                std::env::var(variable).map_err(|_| {
                    anyhow::Error::from(crate::failure::Failure::usage(format!("the variable {variable} is not set")))
                })
            });
            let is_piped = given.is_none();
            let value = secret_text(given.transpose()?, is_piped, "the secret's value", "--from-env VARIABLE")?;
            let path = ["v1", "projects", context.project()?, "envs", context.env()?, "secrets", &name];
            let made = hub.put(&path, &json!({"value": value})).await?;
            shell.terminal.answer(&made, |terminal| terminal.say(&format!("secret {name} is set")));
        }
        Command::List { target } => {
            let (hub, context) = shell.hub(&target)?;
            let all = hub.get(&["v1", "projects", context.project()?, "envs", context.env()?, "secrets"]).await?;
            super::list(shell, &all, "secrets", &["name", "updatedAt"], |row| {
                vec![if row.is_string() { cell(row) } else { cell(&row["name"]) }, cell(&row["updatedAt"])]
            });
        }
        Command::Delete { name, yes, target } => {
            let (hub, context) = shell.hub(&target)?;
            shell.confirm(yes, &format!("Remove secret {name} of {}/{}?", context.project()?, context.env()?))?;
            hub.delete(&["v1", "projects", context.project()?, "envs", context.env()?, "secrets", &name]).await?;
            shell
                .terminal
                .answer(&json!({"deleted": name}), |terminal| terminal.say(&format!("secret {name} is removed")));
        }
    }
    Ok(())
}
