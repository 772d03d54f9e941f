//! `stk storage`: whether the buckets of an env work, and what in them no row names. A Bridge of the env looks, for it alone has what opens them.

use std::time::Duration;

use santokit_core::{admin::Deed, quantity::Millis, storage::check_alias};
use serde_json::{Value as Json, json};

use super::{
    Shell,
    bridge::operator::{At, Bridges},
};
use crate::{
    failure::Failure,
    report::{cell, printable},
};

/// A store that does not answer is waited for.
const ANSWER_MAX: Duration = Duration::from_mins(3);

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Try a bucket step by step, and say what is wrong with it
    #[command(after_help = "Example:\n  stk storage test images --env prod")]
    Test(TestOptions),
    /// List the objects of a bucket that no row names
    #[command(after_help = "Example:\n  stk storage orphans images --env prod --older-than 7d")]
    Orphans(OrphansOptions),
}

/// Flags of `stk storage test`.
#[derive(Debug, clap::Args)]
pub struct TestOptions {
    /// What is asked, and whom.
    #[command(flatten)]
    of: Of,
}

/// Flags of `stk storage orphans`.
#[derive(Debug, clap::Args)]
pub struct OrphansOptions {
    /// What is asked, and whom.
    #[command(flatten)]
    of: Of,
    /// Only objects that were put so long ago: one that was just put may not be named yet
    #[arg(long, value_name = "DURATION", default_value = "1d")]
    older_than: Millis,
}

/// Which bucket, and where.
#[derive(Debug, clap::Args)]
struct Of {
    /// The bucket, as `config/storage.yaml` calls it
    bucket: String,
    /// Which Bridge, in which env
    #[command(flatten)]
    at: At,
}

/// Runs it.
pub async fn run(command: &Command, shell: &Shell) -> anyhow::Result<()> {
    let of = match command {
        Command::Test(options) => &options.of,
        Command::Orphans(options) => &options.of,
    };
    check_alias(&of.bucket).map_err(|error| Failure::usage(error.to_string()))?;
    match command {
        Command::Test(_) => test(of, shell).await,
        Command::Orphans(options) => orphans(options, shell).await,
    }
}

async fn test(of: &Of, shell: &Shell) -> anyhow::Result<()> {
    let bridges = Bridges::of(&of.at, shell, Some(ANSWER_MAX)).await?;
    let below = ["storage", &of.bucket, "test"];
    let answer = bridges.ask((Deed::Storage, None), &below, reqwest::Client::post).await?;
    let steps = answer["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    shell.terminal.answer(&answer, |terminal| {
        let rows =
            steps.iter().map(|step| ["step", "outcome", "message"].map(|key| printable(&cell(&step[key]))).to_vec());
        terminal.table(&["step", "outcome", "what"], rows);
        for step in steps.iter().filter(|step| step["hint"].is_string()) {
            terminal.say(&format!("{}: {}", printable(&cell(&step["step"])), printable(&cell(&step["hint"]))));
        }
    });
    if steps.iter().any(|step| step["outcome"] == json!("failed")) {
        return Err(Failure::failed(format!("the bucket {} does not work", of.bucket)).into());
    }
    Ok(())
}

/// Page by page: a bucket may be large, and one answer is not.
async fn orphans(options: &OrphansOptions, shell: &Shell) -> anyhow::Result<()> {
    let bridges = Bridges::of(&options.of.at, shell, Some(ANSWER_MAX)).await?;
    let below = ["storage", &options.of.bucket, "orphans"];
    let older_than = options.older_than.duration().as_secs().to_string();
    let (mut found, mut looked, mut bytes) = (Vec::new(), 0, 0);
    let mut after: Option<String> = None;
    let last = loop {
        let mut query = vec![("olderThan", older_than.as_str())];
        query.extend(after.as_deref().map(|after| ("after", after)));
        let page = bridges.ask((Deed::Storage, None), &below, |http, url| http.get(url).query(&query));
        let mut page = page.await?;
        looked += page["looked"].as_u64().unwrap_or(0);
        let orphans = page["orphans"].as_array_mut().map(std::mem::take).unwrap_or_default();
        bytes += orphans.iter().filter_map(|orphan| orphan["size"].as_u64()).sum::<u64>();
        found.extend(orphans);
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break page,
        }
    };
    let mut answer = json!({
        "bucket": options.of.bucket, "looked": looked, "orphans": found, "bytes": bytes, "waiting": last["waiting"],
    });
    if last["first"].is_object() {
        answer["first"] = last["first"].clone();
    }
    shell.terminal.answer(&answer, |terminal| {
        let rows = answer["orphans"].as_array().into_iter().flatten();
        let rows = rows.map(|orphan| ["key", "size", "put"].map(|key| printable(&cell(&orphan[key]))).to_vec());
        terminal.table(&["key", "bytes", "put"], rows);
        terminal.say(&format!("{} of {looked} objects, {bytes} bytes, are named by no row", found_count(&answer)));
        if answer["waiting"].as_u64().is_some_and(|waiting| waiting > 0) {
            let first = &answer["first"];
            let error = if first["error"].is_string() {
                format!(": {}", printable(&cell(&first["error"])))
            } else {
                String::new()
            };
            terminal.say(&format!(
                "{} more were let go by rows and are being removed, since {}{error}",
                cell(&answer["waiting"]),
                printable(&cell(&first["since"]))
            ));
        }
    });
    Ok(())
}

fn found_count(answer: &Json) -> usize {
    answer["orphans"].as_array().map_or(0, Vec::len)
}
