//! `stk audit verify`: by the Hub, which knows what it remembers; or here, entry by entry, where a file, a head that was kept or a
//! key is named. Then nothing of what the Hub says is believed but what its key has signed.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use santokit_core::{
    audit::{Head, Verdict, Walk},
    release::{Envelope, VerifyingKey},
};
use serde_json::{Value as Json, json};

use super::{Shell, source::Source};
use crate::{
    context::HubTarget,
    failure::{Exit, Failure},
    report::{Tone, cell, printable},
};

/// Flags of `stk audit verify`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk audit verify\n  stk audit verify --since-head head.json --key ed25519:…\n  stk audit verify --file audit.ndjson --key ed25519:…"
)]
pub struct Options {
    /// A head that was kept (`stk audit head --out`, or an answer of `stk apply --json`); more than one may be named
    #[arg(long = "since-head", value_name = "FILE")]
    pub heads: Vec<PathBuf>,
    /// A file of `stk audit export`; no Hub is asked
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The Hub's public key; without one, that of the Hub or the file is taken, which proves less
    #[arg(long = "key", env = "STK_TRUSTED_KEYS", value_delimiter = ',', value_name = "ed25519:…")]
    pub keys: Vec<String>,
    /// The Hub.
    #[command(flatten)]
    pub target: HubTarget,
}

/// Runs it.
pub(super) async fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let keys: Vec<VerifyingKey> = options.keys.iter().map(|key| parse(key)).collect::<anyhow::Result<_>>()?;
    let is_here = options.file.is_some() || !options.heads.is_empty() || !keys.is_empty();
    // The Hub alone knows what it remembers.
    let said = match options.file {
        Some(_) => None,
        None => Some(shell.hub(&options.target.target())?.0.get(&["v1", "audit", "verify"]).await?),
    };
    if let Some(said) = &said
        && (!is_here || said["verified"] != true)
    {
        return conclude(said, shell);
    }
    let mut source = match &options.file {
        Some(path) => Source::of_file(path)?,
        None => Source::of_hub(shell.hub(&options.target.target())?.0).await?,
    };
    let keys = if keys.is_empty() {
        let from = if options.file.is_some() { "the file" } else { "the Hub" };
        shell.terminal.warn(&format!("no --key: it comes from {from} itself, which proves less"));
        source.keys.clone()
    } else {
        keys
    };
    let known = options.heads.iter().map(|path| kept(path, &keys)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut walk = Walk::new(keys, known);
    walk.begin(source.checkpoint.as_ref());
    let bar = shell.terminal.progress(None, "entries");
    while let Some(row) = source.next().await? {
        if !walk.step(&row) {
            break;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let is_broken = walk.broken().is_some();
    if options.file.is_some() && !is_broken && source.head.is_none() {
        walk.fail(walk.seq(), "the file ends without a head: it was cut");
    }
    conclude(&told(&walk.end(source.head.as_ref()), options.heads.len()), shell)
}

/// A head that somebody kept: by itself, or in an answer.
fn kept(path: &Path, keys: &[VerifyingKey]) -> anyhow::Result<(Head, String)> {
    let shown = path.display();
    let text = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
    let json: Json = serde_json::from_slice(&text).with_context(|| format!("{shown} is no JSON"))?;
    let found = [&json, &json["signed"], &json["auditHead"]];
    let envelope = found.into_iter().find_map(|json| serde_json::from_value::<Envelope>(json.clone()).ok());
    let envelope = envelope.with_context(|| format!("{shown} holds no head of an audit log"))?;
    let head = Head::open(&envelope, keys).map_err(|error| {
        Failure::new(Exit::Refused, format!("the head in {shown} does not hold: {error}"))
            .hint("it is of another Hub, or was changed")
    })?;
    Ok((head, format!("the head in {shown}")))
}

fn told(verdict: &Verdict, heads: usize) -> Json {
    json!({
        "verified": verdict.broken.is_none(), "entries": verdict.entries, "unsigned": verdict.unsigned,
        "brokenAt": verdict.broken.as_ref().map(|broken| broken.at),
        "why": verdict.broken.as_ref().map(|broken| broken.why.clone()),
        "head": verdict.head, "checkpoint": verdict.checkpoint,
        "comparedHeads": heads - verdict.uncompared.min(heads), "uncomparedHeads": verdict.uncompared,
    })
}

fn conclude(verdict: &Json, shell: &Shell) -> anyhow::Result<()> {
    let is_whole = verdict["verified"] == true;
    shell.terminal.answer(verdict, |terminal| {
        if !is_whole {
            return;
        }
        let head = &verdict["head"];
        let count = cell(&verdict["entries"]);
        terminal.say(&format!(
            "{} {count} entries, the last of {}",
            terminal.tone(Tone::Good, "whole:"),
            cell(&head["ts"])
        ));
        if let Some(checkpoint) = verdict.get("checkpoint").filter(|checkpoint| checkpoint.is_object()) {
            let (seq, until) = (cell(&checkpoint["seq"]), cell(&checkpoint["until"]));
            terminal.say(&format!("  entries 1 to {seq}, until {until}, were removed when their time was over"));
        }
        if verdict["unsigned"].as_i64().is_some_and(|count| count > 0) {
            terminal.say(&format!("  the first {} are older than signatures", cell(&verdict["unsigned"])));
        }
        if verdict["uncomparedHeads"].as_i64().is_some_and(|count| count > 0) {
            terminal.warn("a head is of entries that were removed since: it could not be compared");
        }
    });
    if is_whole {
        return Ok(());
    }
    let why = printable(&cell(&verdict["why"]));
    Err(Failure::new(
        Exit::Refused,
        format!("the audit log is not whole at entry {}: {why}", cell(&verdict["brokenAt"])),
    )
    .reported(shell.terminal.is_json())
    .into())
}

fn parse(key: &str) -> anyhow::Result<VerifyingKey> {
    VerifyingKey::parse(key.trim())
        .map_err(|error| Failure::usage(format!("{key:?}: {error}")).hint("a key is ed25519:<base64>").into())
}
