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
    /// Remove one with its connections, secrets, keys and history; its databases are left as they are
    #[command(after_help = "Example:\n  stk env delete staging --project shop --yes")]
    Delete {
        /// Its name
        name: String,
        /// Although Bridges serve it, or logins for guests' SQL are left behind in its databases
        #[arg(long)]
        force: bool,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
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
        Command::Delete { name, force, yes, target } => {
            let (hub, context) = shell.hub(&target)?;
            let project = context.project()?;
            let question = format!("Remove env {project}/{name} with its connections, secrets and keys?");
            shell.confirm(yes, &format!("{question} Nothing brings them back"))?;
            let path = ["v1", "projects", project, "envs", &name];
            let gone = hub.delete_with(&path, &[("force", if force { "true" } else { "false" })]).await?;
            shell.terminal.answer(&gone, |terminal| {
                terminal.say(&format!("env {project}/{name} is removed"));
                for (key, said) in
                    [("bridges", "serves it still, until it is ended"), ("leftLogins", "is left in its database")]
                {
                    for one in gone[key].as_array().into_iter().flatten() {
                        terminal.warn(&format!("{} {said}", cell(one)));
                    }
                }
            });
        }
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
