//! `stk connections`: databases of an env. URLs hold credentials: they are read from standard input or a variable, and never shown.

use serde_json::json;

use super::{Shell, secret_text};
use crate::{context::Target, report::cell};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Add or change one
    #[command(
        after_help = "Example:\n  echo sqlite:/var/lib/shop/main.db | stk connections set main --env prod --engine sqlite --url-stdin"
    )]
    Set {
        /// Its name, as the project's files use it
        name: String,
        /// sqlite, postgres or mysql
        #[arg(long, default_value = "sqlite")]
        engine: String,
        /// Its URL, for the Bridge
        #[arg(long, env = "STK_CONNECTION_URL", hide_env_values = true, value_name = "URL")]
        url: Option<String>,
        /// Read the URL from standard input
        #[arg(long, conflicts_with = "url")]
        url_stdin: bool,
        /// Another URL for the Hub, which changes the schema; default: the same
        #[arg(long, env = "STK_CONNECTION_ADMIN_URL", hide_env_values = true, value_name = "URL")]
        admin_url: Option<String>,
        /// The Hub, project and env.
        #[command(flatten)]
        target: Target,
    },
    /// Show all, without credentials
    #[command(after_help = "Example:\n  stk connections list --env prod")]
    List {
        /// The Hub, project and env.
        #[command(flatten)]
        target: Target,
    },
    /// Remove one
    #[command(after_help = "Example:\n  stk connections delete reports --env prod --yes")]
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
        Command::Set { name, engine, url, url_stdin, admin_url, target } => {
            let (hub, context) = shell.hub(&target)?;
            let url = secret_text(url, url_stdin, "the connection's URL", "--url-stdin")?;
            let mut body = json!({"engine": engine, "url": url});
            if let Some(admin_url) = admin_url {
                body["adminUrl"] = json!(admin_url);
            }
            let path = ["v1", "projects", context.project()?, "envs", context.env()?, "connections", &name];
            let made = hub.put(&path, &body).await?;
            shell.terminal.answer(&made, |terminal| terminal.say(&format!("connection {name} is set")));
        }
        Command::List { target } => {
            let (hub, context) = shell.hub(&target)?;
            let all = hub.get(&["v1", "projects", context.project()?, "envs", context.env()?, "connections"]).await?;
            super::list(shell, &all, "connections", &["name", "engine", "url"], |row| {
                vec![cell(&row["name"]), cell(&row["engine"]), cell(&row["url"])]
            });
        }
        Command::Delete { name, yes, target } => {
            let (hub, context) = shell.hub(&target)?;
            shell.confirm(yes, &format!("Remove connection {name} of {}/{}?", context.project()?, context.env()?))?;
            hub.delete(&["v1", "projects", context.project()?, "envs", context.env()?, "connections", &name]).await?;
            shell
                .terminal
                .answer(&json!({"deleted": name}), |terminal| terminal.say(&format!("connection {name} is removed")));
        }
    }
    Ok(())
}
