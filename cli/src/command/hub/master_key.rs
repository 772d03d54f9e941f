//! `stk hub rotate-master-key`: it works on the store itself, with the settings that the Hub starts with.

use std::path::PathBuf;

use santokit_hub::app::master_key::{self, RotateError};
use serde_json::json;

use super::{Shell, config};
use crate::{
    failure::{Exit, Failure},
    report::Tone,
};

/// Flags of `stk hub rotate-master-key`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk hub rotate-master-key --data-dir /var/lib/santokit\n  STK_MASTER_KEY=<the old one> stk hub rotate-master-key --new-key-file new-master-key\n\nThe old key is the one of the settings. Every Hub must have ended; Bridges go on."
)]
pub struct Options {
    /// The new key: the base64 of 32 bytes; made where the file is not there. Without it the new key is made beside the file
    /// master-key of the data directory, and takes its place
    #[arg(long, value_name = "FILE")]
    pub new_key_file: Option<PathBuf>,
    /// Settings in YAML, as for `stk hub serve`
    #[arg(long, env = "STK_HUB_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the database, blobs and keys are kept
    #[arg(long)]
    pub data_dir: Option<String>,
}

pub(super) async fn run(options: Options, shell: &Shell) -> anyhow::Result<()> {
    let config = config(None, options.data_dir, options.config.as_deref())?;
    if config.master_key.is_some() && options.new_key_file.is_none() {
        return Err(Failure::usage("where the new master key is to be is not said")
            .hint("say --new-key-file FILE: the old one is a setting, and so the new one will be")
            .into());
    }
    let bar = shell.terminal.progress(None, "sealing");
    let done = master_key::rotate(&config, options.new_key_file.as_deref()).await;
    bar.finish_and_clear();
    let done = done.map_err(|error| failure(&error))?;
    let answer = json!({
        "records": done.records, "doneBefore": done.done_before, "newKeyFile": done.new_key, "oldKeyFile": done.old_key,
    });
    shell.terminal.answer(&answer, |terminal| {
        let good = terminal.tone(Tone::Good, "rotated");
        let again = if done.records == 0 { ", which an earlier run had done" } else { "" };
        terminal.say(&format!(
            "{good}: {} records are sealed with the new master key{again}",
            done.records + done.done_before
        ));
        terminal.say(&format!("  it is in {}", done.new_key.display()));
        if let Some(old) = &done.old_key {
            terminal.say(&format!("  the old one is in {}", old.display()));
        }
        if done.old_key.is_none() {
            terminal.note("start every Hub with it as STK_MASTER_KEY");
        }
        terminal.note("backups that were made before need the old one: keep it apart, as long as you keep them");
    });
    Ok(())
}

pub(super) fn failure(error: &RotateError) -> Failure {
    let (exit, hint) = match error {
        RotateError::OldKey => (Exit::Refused, "give the STK_MASTER_KEY that the Hub has now"),
        RotateError::NoKey => (Exit::Refused, "set STK_MASTER_KEY, or say which --data-dir"),
        RotateError::Running => (Exit::Refused, "end every Hub on it; Bridges go on meanwhile"),
        RotateError::Same => (Exit::Refused, "name another file with --new-key-file"),
        RotateError::Record(_) => (Exit::Refused, "set that record anew at the Hub, then rotate"),
        RotateError::Version => (Exit::Refused, "nothing was changed"),
        RotateError::NewKey { .. } => {
            (Exit::Usage, "`openssl rand -base64 32` makes one; or name a file that is not there")
        }
        _ => (Exit::Failed, "nothing was changed"),
    };
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Failure::new(exit, format!("{error}{cause}")).hint(hint)
}
