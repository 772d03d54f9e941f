//! `stk hub recover`: for who runs the Hub's machine, where nobody can log in any more who could let others in. It works on the store
//! itself, with the settings that the Hub starts with.

use std::path::PathBuf;

use santokit_hub::app::recover::{RecoverError, recover};
use serde_json::json;

use super::{Shell, config, master_key};
use crate::{
    failure::{Exit, Failure},
    report::Tone,
};

/// Flags of `stk hub recover`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk hub recover --data-dir /var/lib/santokit --email ada@example.com\n\nEvery Hub must have ended. Start it again, then: STK_RESET_CODE=… stk login --email ada@example.com"
)]
pub struct Options {
    /// Whose password is to be set anew; default: the one owner of the Hub
    #[arg(long, value_name = "EMAIL")]
    pub email: Option<String>,
    /// Settings in YAML, as for `stk hub serve`
    #[arg(long, env = "STK_HUB_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the database, blobs and keys are kept
    #[arg(long)]
    pub data_dir: Option<String>,
}

pub(super) async fn run(options: Options, shell: &Shell) -> anyhow::Result<()> {
    let config = config(None, options.data_dir, options.config.as_deref())?;
    let made = recover(&config, options.email.as_deref()).await.map_err(|error| failure(&error))?;
    let answer = json!({"email": made.email, "code": made.code.expose(), "expiresAt": made.expires_at});
    shell.terminal.answer(&answer, |terminal| {
        terminal.say(&terminal.tone(Tone::Strong, made.code.expose()));
        terminal.note(&format!(
            "for {}, once, until {}; start the Hub, then: STK_RESET_CODE=<the code> stk login --email {}",
            made.email, made.expires_at, made.email
        ));
    });
    Ok(())
}

fn failure(error: &RecoverError) -> Failure {
    match error {
        RecoverError::Data(error) => master_key::failure(error),
        RecoverError::Who(_) => Failure::usage(error.to_string()).hint("say --email EMAIL"),
        RecoverError::Refused(problem) => {
            let failure = Failure::new(Exit::Refused, problem.message.clone());
            match &problem.hint {
                Some(hint) => failure.hint(hint.clone()),
                None => failure,
            }
        }
        RecoverError::Store(_) => Failure::new(Exit::Failed, error.to_string()).hint("nothing was changed"),
    }
}
