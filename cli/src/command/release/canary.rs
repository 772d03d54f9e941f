//! `stk release canary`: a share of an env's callers gets another release, until it is promoted, aborted, or taken back by its gates.
//! The Hub decides; here it is asked, shown, and the Bridges are waited for.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::{Shell, Target, promote::show_obstacles};
use crate::{
    client::HubClient,
    command::apply::{Applied, finish, may_ask, show_changes, wait_for_bridges},
    report::{Terminal, Tone, cell, printable},
};

/// Longer than a Bridge's poll.
const WAIT_SECONDS: u64 = 60;
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Flags of `stk release canary`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Example:\n  stk release canary rel_01J… --percent 5 --auto-rollback 'error-rate>5%' --env prod\n  stk release canary rel_01J… --percent 25 --env prod\n  stk release canary status --env prod\n  stk release canary promote --env prod"
)]
pub struct Canary {
    /// Instead of beginning one.
    #[command(subcommand)]
    command: Option<Command>,
    /// The candidate's id; of the one that runs already: change its share
    #[arg(required = true)]
    release: Option<String>,
    /// The share of the callers that gets it, 1 to 99
    #[arg(long, required = true, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=99))]
    percent: Option<u64>,
    /// Take everyone back when a gate closes, for example 'error-rate>5%', 'error-rate>+2%', 'p95>1.5x' or 'p95>500ms'; `off`: never
    #[arg(long, value_name = "GATE", value_delimiter = ',')]
    auto_rollback: Vec<String>,
    /// How many requests a gate needs to have seen; default: 100
    #[arg(long, value_name = "N")]
    min_requests: Option<u32>,
    /// How far back gates look, 10s to 1h; default: 5m
    #[arg(long, value_name = "DURATION")]
    window: Option<String>,
    /// Let components have the powers that they gain
    #[arg(long)]
    accept_grants: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
    /// What all take that change something.
    #[command(flatten)]
    going: Going,
    /// The Hub, project and env.
    #[command(flatten)]
    target: Target,
}

/// What becomes of a canary.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// What was counted of both releases, and what the Bridges do
    #[command(after_help = "Example:\n  stk release canary status --env prod")]
    Status {
        /// The Hub, project and env.
        #[command(flatten)]
        target: Target,
    },
    /// Let everyone have the candidate
    #[command(after_help = "Example:\n  stk release canary promote --env prod")]
    Promote {
        /// What all take that change something.
        #[command(flatten)]
        going: Going,
        /// The Hub, project and env.
        #[command(flatten)]
        target: Target,
    },
    /// Take everyone back to the baseline
    #[command(after_help = "Example:\n  stk release canary abort --env prod")]
    Abort {
        /// How many seconds to wait for the Bridges; 0 does not wait
        #[arg(long, default_value_t = WAIT_SECONDS, value_name = "SECONDS")]
        wait: u64,
        /// The Hub, project and env.
        #[command(flatten)]
        target: Target,
    },
}

/// What all take that change something.
#[derive(Debug, clap::Args)]
struct Going {
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on although a database or a Bridge cannot work with it
    #[arg(long)]
    force: bool,
    /// How many seconds to wait for the Bridges; 0 does not wait
    #[arg(long, default_value_t = WAIT_SECONDS, value_name = "SECONDS")]
    wait: u64,
}

/// An env of a Hub.
struct At<'a> {
    hub: HubClient,
    project: &'a str,
    env: &'a str,
    terminal: Terminal,
}

/// Runs it.
pub(super) async fn run(options: &Canary, shell: &Shell) -> anyhow::Result<()> {
    let target = match &options.command {
        None => &options.target,
        Some(Command::Status { target } | Command::Promote { target, .. } | Command::Abort { target, .. }) => target,
    };
    let (hub, context) = shell.hub(target)?;
    let at = At { hub, project: context.project()?, env: context.env()?, terminal: shell.terminal };
    match &options.command {
        None => begin(options, &at, shell).await,
        Some(Command::Status { .. }) => {
            let answer = at.hub.get(&at.path(&["canary"])).await?;
            at.terminal.answer(&answer, |terminal| show(terminal, &answer));
            Ok(())
        }
        Some(Command::Promote { going, .. }) => promote(going, &at).await,
        Some(Command::Abort { wait, .. }) => abort(*wait, &at).await,
    }
}

async fn begin(options: &Canary, at: &At<'_>, shell: &Shell) -> anyhow::Result<()> {
    let (started, terminal) = (Instant::now(), at.terminal);
    let mut body = json!({
        "releaseId": options.release, "percent": options.percent, "minRequests": options.min_requests, "window": options.window,
        "acceptGrants": options.accept_grants, "force": options.going.force, "dryRun": options.going.dry_run,
    });
    match options.auto_rollback.as_slice() {
        [] => {}
        [off] if off == "off" => body["gates"] = json!([]),
        gates => body["gates"] = json!(gates),
    }
    let path = at.path(&["canary"]);
    let answer = match at.hub.put(&path, &body).await {
        Err(error) if may_ask(&error, options.yes, terminal) => {
            terminal.failure(&error);
            shell.confirm(false, "Let these components have these powers?")?;
            body["acceptGrants"] = json!(true);
            at.hub.put(&path, &body).await?
        }
        other => other?,
    };
    if options.going.dry_run {
        terminal.answer(&answer, |terminal| {
            show_changes(terminal, &answer);
            show_obstacles(terminal, &answer);
            show_terms(terminal, &answer);
            terminal.say("dry run: nothing was changed");
        });
        return Ok(());
    }
    if !terminal.is_json() {
        show_changes(terminal, &answer);
        show_terms(terminal, &answer);
    }
    let bridges = at.settled(&answer, true, options.going.wait).await?;
    finish(&Applied { release_id: cell(&answer["releaseId"]), answer }, &bridges, started.elapsed(), terminal)
}

async fn promote(going: &Going, at: &At<'_>) -> anyhow::Result<()> {
    let (started, terminal) = (Instant::now(), at.terminal);
    let body = json!({"force": going.force, "dryRun": going.dry_run});
    let answer = at.hub.post(&at.path(&["canary", "promote"]), &body).await?;
    let release_id = cell(&answer["releaseId"]);
    if going.dry_run {
        terminal.answer(&answer, |terminal| {
            terminal.say(&format!("{}/{} would point to {release_id}", at.project, at.env));
            terminal.say("dry run: nothing was changed");
        });
        return Ok(());
    }
    if !terminal.is_json() {
        terminal.say(&format!("{}/{} points to {release_id}, for everyone", at.project, at.env));
    }
    let bridges = match going.wait {
        0 => json!([]),
        seconds => wait_for_bridges(&at.hub, at.project, at.env, &release_id, seconds, terminal).await?,
    };
    finish(&Applied { release_id, answer }, &bridges, started.elapsed(), terminal)
}

async fn abort(wait: u64, at: &At<'_>) -> anyhow::Result<()> {
    let (started, terminal) = (Instant::now(), at.terminal);
    at.hub.delete(&at.path(&["canary"])).await?;
    let answer = at.hub.get(&at.path(&["canary"])).await?;
    let release_id = cell(&answer["baseline"]);
    if !terminal.is_json() {
        terminal.say(&format!("everyone gets {release_id} again"));
    }
    let bridges = at.settled(&answer, false, wait).await?;
    finish(&Applied { release_id, answer }, &bridges, started.elapsed(), terminal)
}

impl At<'_> {
    fn path<'p>(&'p self, rest: &[&'p str]) -> Vec<&'p str> {
        [&["v1", "projects", self.project, "envs", self.env], rest].concat()
    }

    /// Until every Bridge of the env has the pointer of an answer and does what it says, or the time is over; a row for each.
    async fn settled(&self, answer: &Json, wants_candidate: bool, seconds: u64) -> anyhow::Result<Json> {
        if seconds == 0 {
            return Ok(json!([]));
        }
        let (until, sequence) = (Instant::now() + Duration::from_secs(seconds), answer["sequence"].as_u64());
        let bar = self.terminal.progress(None, "waiting for the Bridges");
        loop {
            let reported = self.hub.get(&self.path(&["bridges"])).await?;
            let reported = reported["bridges"].as_array().into_iter().flatten();
            let rows: Vec<Json> = reported.map(|bridge| row(bridge, sequence, wants_candidate)).collect();
            if rows.iter().all(|row| row["state"] != "waiting") || Instant::now() > until {
                bar.finish_and_clear();
                return Ok(Json::Array(rows));
            }
            bar.inc(1);
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// What a Bridge does: running, refused, or not there yet.
fn row(bridge: &Json, sequence: Option<u64>, wants_candidate: bool) -> Json {
    let of_pointer = &bridge["refused"];
    let canary = &bridge["canary"];
    let (state, refused) = match canary["state"].as_str() {
        _ if of_pointer["sequence"].as_u64() == sequence => ("refused", of_pointer.clone()),
        _ if bridge["sequence"].as_u64() < sequence => ("waiting", Json::Null),
        _ if !wants_candidate => ("running", Json::Null),
        Some("serving") => ("running", Json::Null),
        Some("refused" | "stopped") => ("refused", json!({"message": canary["reason"]})),
        _ => ("waiting", Json::Null),
    };
    json!({"id": bridge["id"], "state": state, "refused": refused})
}

/// Who gets what.
fn show_terms(terminal: Terminal, answer: &Json) {
    terminal.say(&format!(
        "{}% of the callers get {}, the others {}",
        cell(&answer["percent"]),
        cell(&answer["releaseId"]),
        cell(&answer["baseline"]),
    ));
    let gates: Vec<String> = answer["gates"].as_array().into_iter().flatten().map(cell).collect();
    if gates.is_empty() {
        terminal.say("no gate: nobody is taken back but by `stk release canary abort`");
    } else {
        terminal.say(&format!(
            "everyone is taken back at {} of at least {} requests within {}",
            gates.join(" or "),
            cell(&answer["minRequests"]),
            cell(&answer["window"]),
        ));
    }
}

fn show(terminal: Terminal, answer: &Json) {
    let state = cell(&answer["state"]);
    let tone = match state.as_str() {
        "rolledBack" => Tone::Bad,
        "aborted" => Tone::Warn,
        _ => Tone::Good,
    };
    let why = answer["reason"].as_str().map(|reason| format!(": {}", printable(reason))).unwrap_or_default();
    terminal.say(&format!("{} since {}{why}", terminal.tone(tone, &state), since(answer)));
    show_terms(terminal, answer);
    let window = cell(&answer["window"]);
    let head = ["", "requests", "errors", &format!("in {window}"), "error rate", "p95"].map(str::to_owned);
    let rows = ["baseline", "candidate"].map(|side| {
        let (all, lately) = (&answer["counted"][side], &answer["counted"][side]["window"]);
        let rate = lately["errorRatePercent"].as_f64().unwrap_or_default();
        let p95 = lately["p95Ms"].as_f64().map(|p95| format!("{p95:.1} ms")).unwrap_or_default();
        vec![
            side.to_owned(),
            cell(&all["requests"]),
            cell(&all["errors"]),
            cell(&lately["requests"]),
            format!("{rate}%"),
            p95,
        ]
    });
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    terminal.table(&head, rows);
    for bridge in answer["bridges"].as_array().into_iter().flatten() {
        let state = cell(&bridge["state"]);
        let tone = if state == "serving" { Tone::Good } else { Tone::Warn };
        let why = printable(&cell(&bridge["reason"]));
        terminal.say(format!("  {} {} {why}", terminal.tone(tone, &state), cell(&bridge["id"])).trim_end());
    }
}

fn since(answer: &Json) -> String {
    cell(if answer["endedAt"].is_string() { &answer["endedAt"] } else { &answer["startedAt"] })
}
