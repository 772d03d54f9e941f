//! `stk storage`: whether the buckets of an env work, and what in them no row names. A Bridge of the env looks, for it alone has what opens them.

use std::time::Duration;

use anyhow::Context as _;
use santokit_core::{admin::Deed, quantity::Millis, storage::check_alias};
use serde_json::{Value as Json, json};

use super::{
    Shell,
    bridge::operator::{self, Asked},
};
use crate::{
    context::Target,
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
    /// One Bridge, from `stk bridge status`; default: any of the env that has a listener for operators
    #[arg(long, value_name = "ID")]
    bridge: Option<String>,
    /// Where that Bridge takes operators; default: what its own settings say
    #[arg(long, value_name = "URL", requires = "bridge")]
    url: Option<String>,
    /// The Hub, project and env.
    #[command(flatten)]
    target: Target,
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
    let answer = of.ask(shell, ("test", &[])).await?;
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
    let older_than = options.older_than.duration().as_secs().to_string();
    let (mut found, mut looked, mut bytes) = (Vec::new(), 0, 0);
    let mut after: Option<String> = None;
    let last = loop {
        let mut query = vec![("olderThan", older_than.as_str())];
        query.extend(after.as_deref().map(|after| ("after", after)));
        let mut page = options.of.ask(shell, ("orphans", &query)).await?;
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

impl Of {
    /// Asks the Bridge that was named, or the first that answers.
    async fn ask(&self, shell: &Shell, (what, query): (&str, &[(&str, &str)])) -> anyhow::Result<Json> {
        let (hub, context) = shell.hub(&self.target)?;
        let place = (context.project()?, context.env()?);
        let bridges = match &self.bridge {
            Some(id) => vec![id.clone()],
            None => operator::bridges(&hub, place).await?,
        };
        let http = operator::client(Some(ANSWER_MAX))?;
        let mut unreached = None;
        for bridge in &bridges {
            let below = ["storage", &self.bucket, what];
            let asked = Asked::below(&hub, place, bridge, Deed::Storage, (self.url.as_deref(), &below)).await?;
            let request = match what {
                "test" => http.post(asked.url.clone()),
                _ => http.get(asked.url.clone()).query(query),
            };
            match asked.send(request).await {
                Ok(response) => {
                    let bytes = response.bytes().await.context("the Bridge's answer was cut off")?;
                    return serde_json::from_slice(&bytes).context("the Bridge answers JSON");
                }
                // It has answered: another would say the same.
                Err(error) if error.downcast_ref::<Failure>().is_some_and(|failure| failure.code.is_some()) => {
                    return Err(error);
                }
                Err(error) => drop(unreached.get_or_insert(error)),
            }
        }
        Err(unreached.unwrap_or_else(|| Failure::failed("no Bridge answers").into()))
    }
}
