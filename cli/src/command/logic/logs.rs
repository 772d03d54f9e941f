//! `stk logic logs`: what guests have said lately at every Bridge of an env, and what they say from now on.

use std::time::Duration;

use futures_util::StreamExt as _;
use santokit_core::admin::Deed;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

use crate::{
    command::{
        Shell,
        bridge::operator::{Asked, At, Bridges},
    },
    failure::{Exit, Failure, exit_of, to_json},
    report::{Terminal, Tone, cell, printable},
};

/// A line that is longer is no line of a Bridge.
const LINE_BYTES_MAX: usize = 4 << 20;

/// Between two attempts at a Bridge that does not answer.
const AGAIN: Duration = Duration::from_secs(2);

/// Flags of `stk logic logs`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk logic logs purchase --env prod --follow\n  stk logic logs --env prod --level warn --request req_01J…"
)]
pub struct Options {
    /// The logic; default: all
    logic: Option<String>,
    /// Go on with what is said from now on
    #[arg(long, short)]
    follow: bool,
    /// This level and above
    #[arg(long, value_parser = ["trace", "debug", "info", "warn", "error"])]
    level: Option<String>,
    /// Of one request alone: the id that its answer has in `X-Request-Id`
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Which Bridge, in which env
    #[command(flatten)]
    at: At,
}

/// What one Bridge has to tell.
struct Told {
    bridge: String,
    line: Json,
}

/// One Bridge, and how far it was read.
struct Source<'a> {
    of: &'a Bridges,
    bridge: String,
    options: &'a Options,
    last: u64,
}

/// Runs it.
pub(super) async fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let bridges = Bridges::of(&options.at, shell, None).await?;
    let is_one = bridges.ids.len() == 1;
    let (tell, mut told) = mpsc::channel(1_000);
    let reading = async {
        let sources = bridges.ids.iter().map(|bridge| {
            let source = Source { of: &bridges, bridge: bridge.clone(), options, last: 0 };
            source.read(tell.clone())
        });
        let ended = futures_util::future::join_all(sources).await;
        drop(tell);
        ended
    };
    let showing = async {
        let mut lines = Vec::new();
        while let Some(one) = told.recv().await {
            // Of several Bridges in the order of time; what comes is shown as it comes.
            if options.follow { show(shell.terminal, &one, is_one) } else { lines.push(one) }
        }
        lines.sort_by(|one, other| cell(&one.line["ts"]).cmp(&cell(&other.line["ts"])));
        for one in &lines {
            show(shell.terminal, one, is_one);
        }
    };
    let (ended, ()) = tokio::join!(reading, showing);
    let mut worst: Option<Exit> = None;
    for (bridge, failed) in ended.into_iter().filter_map(|(bridge, ended)| Some((bridge, ended.err()?))) {
        worst = Some(worst.map_or(exit_of(&failed), |before| before.max(exit_of(&failed))));
        shell.terminal.note(&format!("Bridge {bridge}: {}", cell(&to_json(&failed)["error"]["message"])));
    }
    match worst {
        None => Ok(()),
        Some(exit) => Err(Failure::new(exit, "not every Bridge could be read").into()),
    }
}

impl Source<'_> {
    /// Until it has told all; with `--follow`, until nobody listens.
    async fn read(mut self, tell: mpsc::Sender<Told>) -> (String, anyhow::Result<()>) {
        let mut was_read = false;
        loop {
            let read = self.once(&tell).await;
            let ends = match &read {
                Ok(goes_on) => !goes_on,
                // A Bridge that restarts, or a Hub that is away for a moment, is waited for; one that was never read is told.
                Err(_) => !self.options.follow || !was_read,
            };
            if ends {
                return (self.bridge, read.map(drop));
            }
            was_read |= read.is_ok();
            if read.is_err() {
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// One answer. Whether to go on with another.
    async fn once(&mut self, tell: &mpsc::Sender<Told>) -> anyhow::Result<bool> {
        let options = self.options;
        let Bridges { hub, project, env, http, url, .. } = self.of;
        let asked = Asked::of(hub, (project, env), &self.bridge, Deed::Logs, url.as_deref()).await?;
        let mut query = vec![("after", self.last.to_string()), ("follow", options.follow.to_string())];
        for (name, value) in [("logic", &options.logic), ("level", &options.level), ("request", &options.request)] {
            query.extend(value.iter().map(|value| (name, value.clone())));
        }
        let mut parts = asked.send(http.get(asked.url.clone()).query(&query)).await?.bytes_stream();
        let mut rest: Vec<u8> = Vec::new();
        while let Some(part) = parts.next().await {
            let Ok(part) = part else { break };
            rest.extend_from_slice(&part);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let Ok(line) = serde_json::from_slice::<Json>(&line) else { continue };
                self.last = line["number"].as_u64().unwrap_or(self.last);
                if tell.send(Told { bridge: self.bridge.clone(), line }).await.is_err() {
                    return Ok(false);
                }
            }
            anyhow::ensure!(rest.len() <= LINE_BYTES_MAX, "what comes is no log of a Bridge");
        }
        Ok(options.follow)
    }
}

fn show(terminal: Terminal, told: &Told, is_one: bool) {
    let Told { bridge, line } = told;
    let mut fields = line.clone();
    fields["bridge"] = json!(bridge);
    if let Some(lost) = line["lost"].as_u64() {
        terminal.event("lost", fields, &format!("{lost} lines of Bridge {bridge} are not kept any more"));
        return;
    }
    let level = cell(&line["level"]);
    let tone = match level.as_str() {
        "error" => Tone::Bad,
        "warn" => Tone::Warn,
        _ => Tone::Strong,
    };
    let mut text = format!(
        "{} {} {} {} {}",
        cell(&line["ts"]),
        terminal.tone(tone, &level),
        printable(&cell(&line["logic"])),
        cell(&line["requestId"]),
        printable(&cell(&line["message"]))
    );
    let pairs = line["fields"].as_array().into_iter().flatten();
    text.extend(pairs.map(|pair| format!(" {}={}", printable(&cell(&pair[0])), printable(&cell(&pair[1])))));
    if !is_one {
        text.extend([" (", bridge, ")"]);
    }
    let frames = line["backtrace"].as_str().into_iter().flat_map(str::lines);
    text.extend(frames.map(|frame| format!("\n    {}", printable(frame))));
    terminal.event("line", fields, &text);
}
