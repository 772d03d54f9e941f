//! `stk audit`: what was done at the Hub, and whether the log of it is whole. What proves something is verified here and not by
//! the Hub: see [`verify`].

use std::{path::PathBuf, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use santokit_core::quantity::Millis;
use serde_json::{Value as Json, json};

use super::Shell;
use crate::{
    context::{HubTarget, write_private},
    failure::Failure,
    report::{Tone, cell, printable},
};

mod export;
mod source;
mod verify;

/// How long `--follow` waits before it looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Most entries of one answer.
const PAGE_MAX: u32 = 1_000;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Who did what, and when
    Log(Box<Log>),
    /// Where the log ends, signed: keep it elsewhere, and nothing before it can be changed or cut unnoticed
    #[command(after_help = "Example:\n  stk audit head --out head.json")]
    Head {
        /// Write it to a file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The Hub.
        #[command(flatten)]
        target: HubTarget,
    },
    /// Whether the log is whole
    Verify(verify::Options),
    /// Write the whole log as lines of JSON that can be verified without a Hub
    Export(export::Options),
}

/// Flags of `stk audit log`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk audit log --project shop --env prod --since 24h\n  stk audit log --action release. --follow\n  stk audit log --request req_01J… --json"
)]
pub struct Log {
    /// Entries from then on: a time (RFC 3339), or how long ago (2h, 7d)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Entries before then
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Who did it: an id, or `hub`
    #[arg(long, value_name = "ID")]
    pub actor: Option<String>,
    /// What was done, for example release.promote; `release.` is all of a domain
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
    /// In which request
    #[arg(long, value_name = "ID")]
    pub request: Option<String>,
    /// How many at most, the newest
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    pub limit: u32,
    /// Go on with what is added, until Ctrl-C
    #[arg(long, conflicts_with = "until")]
    pub follow: bool,
    /// Of an org; default: all that you may read
    #[arg(long, value_name = "NAME")]
    pub org: Option<String>,
    /// Of a project
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// Of an env
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// The Hub.
    #[command(flatten)]
    pub target: HubTarget,
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::Log(options) => log(&options, shell).await,
        Command::Head { out, target } => head(out, &target, shell).await,
        Command::Verify(options) => verify::run(&options, shell).await,
        Command::Export(options) => export::run(&options, shell).await,
    }
}

async fn log(options: &Log, shell: &Shell) -> anyhow::Result<()> {
    let (hub, _) = shell.hub(&options.target.target())?;
    let mut wanted = vec![("limit", options.limit.to_string())];
    for (key, value) in [
        ("since", time(options.since.as_deref(), "--since")?),
        ("until", time(options.until.as_deref(), "--until")?),
        ("actor", options.actor.clone()),
        ("action", options.action.clone()),
        ("requestId", options.request.clone()),
        ("org", options.org.clone()),
        ("project", options.project.clone()),
        ("env", options.env.clone()),
    ] {
        wanted.extend(value.map(|value| (key, value)));
    }
    let newest = [wanted.as_slice(), &[("before", i64::MAX.to_string())]].concat();
    let answer = hub.find(&["v1", "audit"], &newest).await?;
    let mut entries = answer["entries"].as_array().cloned().unwrap_or_default();
    entries.reverse();
    if !options.follow {
        let listed = json!({"entries": entries, "more": answer["more"]});
        shell.terminal.answer(&listed, |terminal| {
            if entries.is_empty() {
                terminal.say("none");
            }
            for entry in &entries {
                terminal.say(&told(entry, shell));
            }
            if answer["more"] == true {
                terminal.note("there are more; say --limit, or an earlier --until");
            }
        });
        return Ok(());
    }
    let mut asked = super::ending()?;
    // Where there is none yet, the first one comes as soon as it is there.
    let mut seen = entries.last().and_then(|entry| entry["seq"].as_i64()).unwrap_or_default();
    loop {
        for entry in &entries {
            shell.terminal.event("entry", json!({"entry": entry}), &told(entry, shell));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = asked.asked() => return Ok(()),
        }
        let page = [wanted.as_slice(), &[("after", seen.to_string())]].concat();
        entries = hub.find(&["v1", "audit"], &page).await?["entries"].as_array().cloned().unwrap_or_default();
        seen = entries.last().and_then(|entry| entry["seq"].as_i64()).unwrap_or(seen);
    }
}

/// An entry on a line.
fn told(entry: &Json, shell: &Shell) -> String {
    let place = match (&entry["project"], &entry["env"]) {
        (Json::String(project), Json::String(env)) => format!(" {project}/{env}"),
        (Json::String(project), _) => format!(" {project}"),
        _ => String::new(),
    };
    let mut rest = format!("{place} by {}", cell(&entry["actorId"]));
    for (key, value) in entry["detail"].as_object().into_iter().flatten() {
        rest.extend([" ", key, "=", &cell(value)]);
    }
    let action = shell.terminal.tone(Tone::Strong, &printable(&cell(&entry["action"])));
    format!("{} {} {action}{}", cell(&entry["seq"]), cell(&entry["ts"]), printable(&rest))
}

async fn head(out: Option<PathBuf>, target: &HubTarget, shell: &Shell) -> anyhow::Result<()> {
    let (hub, _) = shell.hub(&target.target())?;
    let answer = hub.get(&["v1", "audit", "head"]).await?;
    if answer["head"].is_null() {
        let failure = Failure::failed("the Hub has no head of its audit log that it has signed");
        return Err(failure.hint("`stk audit verify` says what is wrong").into());
    }
    if let Some(path) = &out {
        write_private(path, &serde_json::to_vec_pretty(&answer["signed"])?)?;
        shell.terminal.note(&format!("written to {}", path.display()));
    }
    shell.terminal.answer(&answer, |terminal| {
        let head = &answer["head"];
        terminal.say(&format!("entry {} of {}", cell(&head["seq"]), cell(&head["ts"])));
        terminal.say(&format!("  {}", cell(&head["hash"])));
        if out.is_none() {
            terminal.note("keep it with --out FILE; `stk audit verify --since-head FILE` compares the log with it");
        }
    });
    Ok(())
}

/// A time, or how long ago.
fn time(text: Option<&str>, flag: &str) -> anyhow::Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    let written = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(Some(written(time.to_utc())));
    }
    let ago = text
        .parse::<Millis>()
        .ok()
        .and_then(|ago| Utc::now().checked_sub_signed(chrono::Duration::from_std(ago.duration()).ok()?));
    let ago = ago.ok_or_else(|| {
        Failure::usage(format!("{flag} {text:?} is no time")).hint("say 24h, 7d, or 2030-01-01T00:00:00Z")
    })?;
    Ok(Some(written(ago)))
}
