//! `stk logic recordings`: which invocations were recorded at the Bridges of an env; and one of them, for `stk logic replay`.

use std::time::Duration;

use anyhow::Context as _;
use santokit_core::{code::Code, id::Kind, name::check_logic};
use santokit_wasm::record::Recording;
use serde_json::{Value as Json, json};

use crate::{
    command::{
        Shell,
        bridge::operator::{Asked, At, Bridges},
    },
    failure::{Exit, Failure, exit_of, to_json},
    report::{Terminal, cell, printable},
};

/// One is at most some megabytes.
const ANSWER_MAX: Duration = Duration::from_mins(2);
/// What is larger is no answer of a Bridge: base64 and JSON make more of the 64 MiB that one may have.
const ANSWER_BYTES_MAX: usize = 512 << 20;

/// Flags of `stk logic recordings`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk logic recordings --env prod\n  stk logic recordings purchase --env prod --json"
)]
pub struct Options {
    /// The logic; default: all
    logic: Option<String>,
    /// Which Bridge, in which env
    #[command(flatten)]
    pub(super) at: At,
}

/// Bridges that may have recorded something.
pub(super) struct Recorders {
    pub(super) bridges: Bridges,
    /// Whether somebody has said which one.
    is_named: bool,
}

/// Runs it.
pub(super) async fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    if let Some(logic) = &options.logic {
        check_logic(logic).map_err(|error| Failure::usage(error.to_string()))?;
    }
    let recorders = Recorders::of(&options.at, shell).await?;
    let (rows, worst) = recorders.list(options.logic.as_deref(), shell.terminal).await;
    let bridges = &recorders.bridges;
    let answer = json!({"project": bridges.project, "env": bridges.env, "recordings": rows});
    shell.terminal.answer(&answer, |terminal| show(terminal, &rows));
    match worst {
        None => Ok(()),
        Some(exit) => Err(Failure::new(exit, "not every Bridge could be read").into()),
    }
}

fn show(terminal: Terminal, rows: &[Json]) {
    if rows.is_empty() {
        terminal.say("there are no recordings: see `record` of logic.yaml, and STK_BRIDGE_RECORDINGS_ENV_BYTES");
        return;
    }
    terminal.table(
        &["recording", "at", "logic", "ended", "calls", "ms", "release", "until"],
        rows.iter().map(|row| {
            let ended = cell(&row["outcome"]);
            let ended = if row["cut"].is_null() { ended } else { format!("{ended} (cut)") };
            #[expect(clippy::cast_precision_loss, reason = "for people")]
            let millis = row["wallUs"].as_u64().unwrap_or(0) as f64 / 1e3;
            let texts = ["id", "at", "logic"].map(|key| printable(&cell(&row[key])));
            let rest =
                [ended, cell(&row["calls"]), format!("{millis:.1}"), cell(&row["releaseId"]), cell(&row["until"])];
            texts.into_iter().chain(rest.map(|text| printable(&text))).collect()
        }),
    );
}

impl Recorders {
    pub(super) async fn of(at: &At, shell: &Shell) -> anyhow::Result<Self> {
        Ok(Self { bridges: Bridges::of(at, shell, Some(ANSWER_MAX)).await?, is_named: at.bridge.is_some() })
    }

    /// Of all of them, the newest first; and the worst that happened.
    pub(super) async fn list(&self, logic: Option<&str>, terminal: Terminal) -> (Vec<Json>, Option<Exit>) {
        let (mut rows, mut worst) = (Vec::new(), None);
        for bridge in &self.bridges.ids {
            match self.list_of(bridge, logic).await {
                Ok(found) => rows.extend(found),
                Err(error) => {
                    worst = Some(worst.map_or(exit_of(&error), |before: Exit| before.max(exit_of(&error))));
                    terminal.note(&format!("Bridge {bridge}: {}", cell(&to_json(&error)["error"]["message"])));
                }
            }
        }
        rows.sort_by(|one, other| cell(&other["id"]).cmp(&cell(&one["id"])));
        (rows, worst)
    }

    async fn list_of(&self, bridge: &str, logic: Option<&str>) -> anyhow::Result<Vec<Json>> {
        let asked = self.asked(bridge, None).await?;
        let query: Vec<(&str, &str)> = logic.map(|logic| ("logic", logic)).into_iter().collect();
        let answer: Json =
            serde_json::from_slice(&self.bytes(&asked, &query).await?).context("the Bridge answers JSON")?;
        let mut rows: Vec<Json> = answer["recordings"].as_array().cloned().unwrap_or_default();
        for row in &mut rows {
            row["bridge"] = json!(bridge);
        }
        Ok(rows)
    }

    /// The recording, of whichever Bridge has it.
    pub(super) async fn read(&self, id: &str) -> anyhow::Result<Recording> {
        if !Kind::Recording.is_valid(id) {
            return Err(Failure::usage(format!("{id:?} is no id of a recording"))
                .hint("`stk logic recordings` lists them")
                .into());
        }
        let mut unread = None;
        for bridge in &self.bridges.ids {
            match self.read_of(bridge, id).await {
                Ok(recording) => return Ok(recording),
                Err(error) if self.is_named => return Err(error),
                Err(error) => {
                    let is_elsewhere =
                        error.downcast_ref::<Failure>().is_some_and(|failure| failure.code == Some(Code::NotFound));
                    if !is_elsewhere {
                        unread.get_or_insert(error);
                    }
                }
            }
        }
        let Bridges { project, env, .. } = &self.bridges;
        Err(unread.unwrap_or_else(|| {
            Failure::failed(format!("no Bridge of {project}/{env} has recording {id}, or no more"))
                .hint("`stk logic recordings` lists what is there")
                .into()
        }))
    }

    async fn read_of(&self, bridge: &str, id: &str) -> anyhow::Result<Recording> {
        let asked = self.asked(bridge, Some(id)).await?;
        let bytes = self.bytes(&asked, &[]).await?;
        serde_json::from_slice(&bytes).context("the Bridge's answer is no recording that this version reads")
    }

    async fn asked(&self, bridge: &str, recording: Option<&str>) -> anyhow::Result<Asked> {
        let Bridges { hub, project, env, url, .. } = &self.bridges;
        Asked::of_recordings(hub, (project, env), bridge, recording, url.as_deref()).await
    }

    async fn bytes(&self, asked: &Asked, query: &[(&str, &str)]) -> anyhow::Result<Vec<u8>> {
        let mut response = asked.send(self.bridges.http.get(asked.url.clone()).query(query)).await?;
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.context("the Bridge's answer was cut off")? {
            anyhow::ensure!(bytes.len() + part.len() <= ANSWER_BYTES_MAX, "what comes is no answer of a Bridge");
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }
}
