//! `stk bridge force-sync`: each Bridge is asked itself, at its listener for operators, with a token that the Hub makes for this one
//! request.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::Client;
use santokit_core::admin::Deed;
use serde_json::{Value as Json, json};

use super::operator::{self, Asked};
use crate::{
    client::HubClient,
    command::Shell,
    context::Target,
    failure::{Exit, Failure, exit_of, to_json},
    report::{Terminal, Tone, cell, printable, took},
};

/// Longer than a Bridge takes at most.
const ANSWER_MAX: Duration = Duration::from_mins(5);

/// Flags of `stk bridge force-sync`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk bridge force-sync --env prod\n  stk bridge force-sync brg_01J… --env prod --url https://10.0.0.7:9443"
)]
pub struct Options {
    /// Its id, from `stk bridge status`; default: every Bridge of the env that has a listener for operators
    bridge: Option<String>,
    /// Where the Bridge takes operators; default: what its own settings say
    #[arg(long, value_name = "URL", requires = "bridge")]
    url: Option<String>,
    /// The Hub, project and env.
    #[command(flatten)]
    target: Target,
}

/// Runs it.
pub(super) async fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(&options.target)?;
    let at = (context.project()?, context.env()?);
    let bridges = match &options.bridge {
        Some(id) => vec![id.clone()],
        None => operator::bridges(&hub, at).await?,
    };
    let http = operator::client(Some(ANSWER_MAX))?;
    let (mut rows, mut worst) = (Vec::new(), None);
    for bridge in &bridges {
        match one(&hub, &http, at, bridge, options.url.as_deref()).await {
            Ok(answer) => rows.push(answer),
            Err(error) => {
                rows.push(json!({"bridge": bridge, "error": to_json(&error)["error"]}));
                worst = Some(worst.map_or(exit_of(&error), |before: Exit| before.max(exit_of(&error))));
            }
        }
    }
    let answer = json!({"project": at.0, "env": at.1, "bridges": rows});
    shell.terminal.answer(&answer, |terminal| rows.iter().for_each(|row| show(terminal, row)));
    match worst {
        None => Ok(()),
        Some(exit) => {
            let failed = rows.iter().filter(|row| row["error"].is_object()).count();
            let failure = Failure::new(exit, format!("{failed} of {} Bridge(s) did not follow the Hub", bridges.len()));
            Err(failure.reported(shell.terminal.is_json()).into())
        }
    }
}

async fn one(
    hub: &HubClient,
    http: &Client,
    at: (&str, &str),
    bridge: &str,
    url: Option<&str>,
) -> anyhow::Result<Json> {
    let asked = Asked::of(hub, at, bridge, Deed::Sync, url).await?;
    let response = asked.send(http.post(asked.url.clone())).await?;
    let bytes = response.bytes().await.context("the Bridge's answer was cut off")?;
    serde_json::from_slice(&bytes).context("the Bridge's answer is no JSON; is it a Bridge?")
}

fn show(terminal: Terminal, row: &Json) {
    let id = cell(&row["bridge"]);
    if let Some(error) = row["error"].as_object() {
        let why = error.get("message").map(cell).unwrap_or_default();
        terminal.say(&format!("{} {id}: {}", terminal.tone(Tone::Bad, "failed"), printable(&why)));
        return;
    }
    let time = took(Duration::from_millis(row["tookMs"].as_u64().unwrap_or_default()));
    let runs = format!("{} (sequence {})", cell(&row["releaseId"]), cell(&row["sequence"]));
    match row["refused"].as_object() {
        Some(refused) => {
            let why = refused.get("message").map(cell).unwrap_or_default();
            terminal.say(&format!(
                "{} {id}: {}; it runs {runs}",
                terminal.tone(Tone::Warn, "refuses"),
                printable(&why)
            ));
        }
        None => terminal.say(&format!(
            "{} {id}: {} {runs} in {time}",
            terminal.tone(Tone::Good, "synced"),
            cell(&row["state"])
        )),
    }
}
