//! `stk mfa`: the second factor of an operator.

use serde_json::{Value as Json, json};

use super::{
    Shell,
    login::{code, password},
};
use crate::{
    context::Target,
    report::{Tone, cell},
};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Begin: show the secret for an authenticator, once
    #[command(after_help = "Example:\n  stk mfa enrol")]
    Enrol {
        /// Read the password from standard input; else it is STK_PASSWORD, or asked for
        #[arg(long)]
        password_stdin: bool,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// Confirm it with a code, and show the recovery codes, once
    #[command(after_help = "Example:\n  stk mfa confirm --code 123456")]
    Confirm {
        /// What the authenticator shows; else it is asked for
        #[arg(long, env = "STK_CODE", hide_env_values = true, value_name = "CODE")]
        code: Option<String>,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
    /// End it
    #[command(after_help = "Example:\n  stk mfa disable")]
    Disable {
        /// What the authenticator shows, or a recovery code; else it is asked for
        #[arg(long, env = "STK_CODE", hide_env_values = true, value_name = "CODE")]
        code: Option<String>,
        /// Read the password from standard input; else it is STK_PASSWORD, or asked for
        #[arg(long)]
        password_stdin: bool,
        /// The Hub.
        #[command(flatten)]
        target: Target,
    },
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    let path = |verb| ["v1", "auth", "mfa", verb];
    match command {
        Command::Enrol { password_stdin, target } => {
            let (hub, _) = shell.hub(&target)?;
            let body = json!({"password": password(shell, password_stdin, "Password:", false)?});
            let answer = hub.post(&path("enrol"), &body).await?;
            shell.terminal.answer(&answer, |terminal| {
                terminal.say(&format!("secret  {}", terminal.tone(Tone::Strong, &cell(&answer["secret"]))));
                terminal.say(&format!("link    {}", cell(&answer["uri"])));
                terminal.note("give one of them to an authenticator, then: stk mfa confirm");
            });
        }
        Command::Confirm { code: given, target } => {
            let (hub, _) = shell.hub(&target)?;
            let answer = hub.post(&path("confirm"), &json!({"code": code(shell, given)?})).await?;
            shell.terminal.answer(&answer, |terminal| {
                terminal.note("the second factor is on; keep these codes, each of which stands in for it once:");
                for code in answer["recoveryCodes"].as_array().into_iter().flatten() {
                    terminal.say(code.as_str().unwrap_or_default());
                }
            });
        }
        Command::Disable { code: given, password_stdin, target } => {
            let (hub, _) = shell.hub(&target)?;
            let password = password(shell, password_stdin, "Password:", false)?;
            let body = json!({"password": password, "code": code(shell, given)?});
            let _none: Json = hub.post(&path("disable"), &body).await?;
            shell.terminal.answer(&json!({"secondFactor": false}), |terminal| terminal.say("the second factor is off"));
        }
    }
    Ok(())
}
