//! `stk context`: which Hub, project and env the commands of a folder mean.

use std::io::Read;

use anyhow::Context as _;
use serde_json::json;

use super::Shell;
use crate::{
    context::{Context, FILE, Target},
    failure::Failure,
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Keep what the flags name
    #[command(
        after_help = "Example:\n  echo $TOKEN | stk context set --hub-url https://hub.example.com --env prod --token-stdin"
    )]
    Set {
        /// What to keep.
        #[command(flatten)]
        target: Target,
        /// Read the token from standard input, so that it stands in no shell history
        #[arg(long, conflicts_with = "token")]
        token_stdin: bool,
    },
    /// Show what is kept; the token is masked
    #[command(after_help = "Example:\n  stk context show --json")]
    Show {
        /// Flags over what is kept.
        #[command(flatten)]
        target: Target,
    },
    /// Forget it
    #[command(after_help = "Example:\n  stk context clear")]
    Clear,
}

/// Runs one.
pub fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    let dir = shell.context_dir();
    match command {
        Command::Set { mut target, token_stdin } => {
            if token_stdin {
                let mut text = String::new();
                std::io::stdin().take(4096).read_to_string(&mut text).context("cannot read the token")?;
                target.token = Some(text.trim().to_owned());
            }
            if target.token.as_deref() == Some("") {
                return Err(Failure::usage("the token is empty").into());
            }
            let context = Context::load(&dir)?.under(&target);
            let path = context.save(&dir)?;
            show(&context, shell);
            shell.terminal.say(&format!("kept in {}", path.display()));
        }
        Command::Show { target } => show(&shell.context(&target)?, shell),
        Command::Clear => {
            match std::fs::remove_file(dir.join(FILE)) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("cannot remove {FILE}")),
            }
            shell.terminal.answer(&json!({"cleared": true}), |terminal| terminal.say("cleared"));
        }
    }
    Ok(())
}

fn show(context: &Context, shell: &Shell) {
    let token = context.token.as_ref().map(|_| "***");
    let value = json!({"hubUrl": context.hub_url, "project": context.project, "env": context.env, "token": token});
    shell.terminal.answer(&value, |terminal| {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        terminal.table(
            &["hub", "project", "env", "token"],
            [vec![
                or_none(&context.hub_url),
                or_none(&context.project),
                or_none(&context.env),
                token.unwrap_or("-").to_owned(),
            ]],
        );
    });
}
