//! `stk connections`: databases of an env. URLs hold credentials: they are read from standard input or a variable, and never shown.

use serde_json::{Value as Json, json};

use super::{Shell, secret_text};
use crate::{
    context::Target,
    failure::Failure,
    report::{Terminal, Tone, cell, printable},
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Add or change one
    #[command(
        after_help = "Example:\n  echo sqlite:/var/lib/shop/main.db | stk connections set main --env prod --engine sqlite --url-stdin\n  echo postgres://shop:secret@db.example.com/shop?sslmode=verify-full | stk connections set main --engine postgres --url-stdin"
    )]
    Set {
        /// Its name, as the project's files use it
        name: String,
        /// sqlite, postgres, or mysql, which is MariaDB too
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
    /// Try one from the Hub, and say what is wrong with it
    #[command(after_help = "Example:\n  stk connections test main --env prod")]
    Test {
        /// Its name
        name: String,
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
        Command::Test { name, target } => {
            let (hub, context) = shell.hub(&target)?;
            let path = ["v1", "projects", context.project()?, "envs", context.env()?, "connections", &name, "test"];
            let found = hub.post(&path, &json!({})).await?;
            shell.terminal.answer(&found, |terminal| say_checks(terminal, &found));
            if found["ok"] != json!(true) {
                let failure = Failure::failed(format!("connection {name} cannot be used"));
                return Err(failure.reported(shell.terminal.is_json()).into());
            }
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

/// One line a check, for the URL of the Bridge and, where there is another, that of the Hub.
fn say_checks(terminal: Terminal, found: &Json) {
    for (of, whose) in [("bridge", "url"), ("hub", "adminUrl")] {
        let checks = found[of]["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
        for check in checks {
            let tone = match check["state"].as_str() {
                Some("ok") => Tone::Good,
                Some("warning") => Tone::Warn,
                _ => Tone::Bad,
            };
            let state = terminal.tone(tone, &printable(&cell(&check["state"])));
            terminal.say(&format!(
                "{whose} {}: {state}: {}",
                cell(&check["name"]),
                printable(&cell(&check["message"]))
            ));
            if let Some(hint) = check["hint"].as_str() {
                terminal.say(&format!("  {}", printable(hint)));
            }
        }
    }
}
