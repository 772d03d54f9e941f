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
    /// From now on apply, promote and rollback want a second factor; it takes one to say so
    #[command(after_help = "Example:\n  stk env protect prod --project shop")]
    Protect {
        /// Its name
        name: String,
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
    /// They want none any more; it takes one to say so
    #[command(after_help = "Example:\n  stk env unprotect prod --project shop")]
    Unprotect {
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
        Command::Protect { name, target } => protect(shell, &name, &target, true).await?,
        Command::Unprotect { name, target } => protect(shell, &name, &target, false).await?,
        Command::List { target } => {
            let (hub, context) = shell.hub(&target)?;
            let all = hub.get(&["v1", "projects", context.project()?, "envs"]).await?;
            super::list(shell, &all, "envs", &["name", "createdAt", "protected"], |row| {
                ["name", "createdAt", "protected"].iter().map(|key| cell(&row[*key])).collect()
            });
        }
    }
    Ok(())
}

async fn protect(shell: &Shell, env: &str, target: &Target, is_protected: bool) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(target)?;
    let path = ["v1", "projects", context.project()?, "envs", env, "protection"];
    let answer = hub.put(&path, &json!({"protected": is_protected})).await?;
    shell.terminal.answer(&answer, |terminal| {
        let how = if is_protected { "wants a second factor" } else { "wants no second factor any more" };
        terminal.say(&format!("what env {env} runs {how}"));
    });
    Ok(())
}
