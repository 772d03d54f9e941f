//! `stk audit export`: the whole log as lines of JSON. It is verified while it is written, so that no export is made of a log that
//! does not hold without saying so.

use std::{
    fs::OpenOptions,
    io::{BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use santokit_core::audit::Walk;
use serde_json::json;

use super::{Shell, source::Source};
use crate::{
    context::HubTarget,
    failure::{Exit, Failure},
};

/// Flags of `stk audit export`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk audit export --out audit.ndjson && stk audit verify --file audit.ndjson --key ed25519:…"
)]
pub struct Options {
    /// Write to a file; without it, to standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The Hub.
    #[command(flatten)]
    pub target: HubTarget,
}

/// Runs it.
pub(super) async fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let (hub, _) = shell.hub(&options.target.target())?;
    let source = Source::of_hub(hub).await?;
    let Some(path) = &options.out else {
        return write(source, &mut BufWriter::new(std::io::stdout()), shell).await.map(|_| ());
    };
    let aside = path.with_extension("unfinished");
    let (entries, broken) = {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside);
        let mut out = BufWriter::new(file.with_context(|| format!("cannot write {}", aside.display()))?);
        let done = write(source, &mut out, shell).await;
        let synced = out.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        synced.with_context(|| format!("cannot write {}", aside.display()))?;
        done.inspect_err(|_| drop(std::fs::remove_file(&aside)))?
    };
    rename(&aside, path)?;
    let answer = json!({"file": path, "entries": entries, "verified": broken.is_none(), "why": broken});
    shell.terminal.answer(&answer, |terminal| {
        terminal.say(&format!("{entries} entries written to {}", path.display()));
    });
    match broken {
        None => Ok(()),
        // It is written all the same: it is evidence.
        Some(why) => Err(Failure::new(Exit::Refused, format!("the log that was written is not whole: {why}"))
            .reported(shell.terminal.is_json())
            .into()),
    }
}

fn rename(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::rename(from, to).with_context(|| format!("cannot write {}", to.display()))
}

/// How many entries, and what is wrong with them.
async fn write(mut source: Source, out: &mut impl Write, shell: &Shell) -> anyhow::Result<(i64, Option<String>)> {
    let mut walk = Walk::new(source.keys.clone(), Vec::new());
    walk.begin(source.checkpoint.as_ref());
    let bar = shell.terminal.progress(None, "entries");
    let mut entries = 0;
    writeln!(out, "{}", source.first_line())?;
    while let Some(row) = source.next().await? {
        walk.step(&row);
        writeln!(out, "{}", row.to_json())?;
        entries += 1;
        bar.inc(1);
    }
    writeln!(out, "{}", json!({"kind": "head", "head": source.head}))?;
    out.flush()?;
    bar.finish_and_clear();
    let verdict = walk.end(source.head.as_ref());
    Ok((entries, verdict.broken.map(|broken| format!("entry {}: {}", broken.at, broken.why))))
}
