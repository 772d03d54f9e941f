//! `stk bridge force-sync`: each Bridge is asked itself, at its listener for operators, with a token that the Hub makes for this one
//! request.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, Url};
use santokit_core::problem::ProblemBody;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::{
    client::{HubClient, unreachable},
    command::Shell,
    context::Target,
    failure::{Exit, Failure, exit_of, to_json},
    report::{Terminal, Tone, cell, printable, took},
};

const CONNECT_MAX: Duration = Duration::from_secs(5);
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

/// What a Bridge answers that refuses.
#[derive(Deserialize)]
struct Body {
    error: ProblemBody,
}

/// Runs it.
pub(super) async fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(&options.target)?;
    let at = (context.project()?, context.env()?);
    let bridges = match &options.bridge {
        Some(id) => vec![id.clone()],
        None => all(&hub, at).await?,
    };
    let http = Client::builder().connect_timeout(CONNECT_MAX).timeout(ANSWER_MAX);
    let http = http.redirect(reqwest::redirect::Policy::none()).build().context("cannot make an HTTP client")?;
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

/// Every Bridge that can be asked.
async fn all(hub: &HubClient, (project, env): (&str, &str)) -> anyhow::Result<Vec<String>> {
    let answer = hub.get(&["v1", "projects", project, "envs", env, "bridges"]).await?;
    let bridges = answer["bridges"].as_array().into_iter().flatten();
    let can_be_asked = bridges.filter(|bridge| bridge["standing"]["admin"].is_object());
    let ids: Vec<String> = can_be_asked.map(|bridge| cell(&bridge["id"])).collect();
    if ids.is_empty() {
        return Err(Failure::failed(format!("no Bridge of {project}/{env} has a listener for operators"))
            .hint("start them with STK_BRIDGE_ADMIN_LISTEN and STK_BRIDGE_ADMIN_URL; without, they look within a poll by themselves")
            .into());
    }
    Ok(ids)
}

async fn one(
    hub: &HubClient,
    http: &Client,
    (project, env): (&str, &str),
    bridge: &str,
    url: Option<&str>,
) -> anyhow::Result<Json> {
    let path = ["v1", "projects", project, "envs", env, "bridges", bridge, "tokens"];
    let made = hub.post(&path, &json!({"deed": "sync"})).await?;
    let told = url.map(str::to_owned).or_else(|| made["url"].as_str().map(str::to_owned)).ok_or_else(|| {
        Failure::usage(format!("Bridge {bridge} does not say where it takes operators"))
            .hint("say --url URL, or set STK_BRIDGE_ADMIN_URL at the Bridge")
    })?;
    let mut url = Url::parse(&told).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(|| {
        Failure::usage(format!("{told:?} is no address of a Bridge")).hint("it looks like https://10.0.0.7:9443")
    })?;
    url.path_segments_mut()
        .map_err(|()| Failure::usage("the Bridge's address has no path"))?
        .pop_if_empty()
        .extend(["admin", "envs", project, env, "sync"]);
    let request = http.post(url).bearer_auth(made["token"].as_str().context("the Hub answers a token")?);
    let response = request.send().await.map_err(|error| unreachable("the Bridge", &told, &error))?;
    let (status, bytes) = (response.status(), response.bytes().await.context("the Bridge's answer was cut off")?);
    if status.is_success() {
        return serde_json::from_slice(&bytes).context("the Bridge's answer is no JSON; is it a Bridge?");
    }
    Err(match serde_json::from_slice::<Body>(&bytes) {
        Ok(body) => Failure::from_body(body.error),
        Err(_) => {
            Failure::failed(format!("{told} answered {status}")).hint("is it the Bridge's listener for operators?")
        }
    }
    .into())
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
