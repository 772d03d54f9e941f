//! `stk release`: what there is, what runs, which may run where, and whether a release is what its signers signed. Each command
//! that is more than a question is a file below.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use santokit_core::{
    logic::Body,
    release::{Digest, SignedRelease, verify as verification},
};
use serde_json::{Value as Json, json};

use super::Shell;
use crate::{
    context::Target,
    report::{Tone, cell, printable},
};

mod canary;
mod compare;
mod list;
mod pin;
mod promote;
mod sign;
mod transfer;
mod verify;

pub use verify::hub_keys;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// All releases of a project, the newest first; with an env, which of them it could go back to
    #[command(after_help = "Example:\n  stk release list")]
    List {
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
    /// Which release an env runs
    #[command(after_help = "Example:\n  stk release current --env prod")]
    Current {
        /// The Hub, project and env.
        #[command(flatten)]
        target: Target,
    },
    /// What is in a release
    #[command(after_help = "Example:\n  stk release show rel_01J… --output release.json --blobs components/")]
    Show {
        /// Its id
        id: String,
        /// Write the signed release to a file, to verify it elsewhere
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write its components into a folder, for the same purpose
        #[arg(long, value_name = "DIR")]
        blobs: Option<PathBuf>,
        /// The Hub and project.
        #[command(flatten)]
        target: Target,
    },
    /// What differs between two releases: tables, rules, what callers and components may do
    Compare(compare::Options),
    /// Let an env run a release that exists: the pointer moves, nothing is built
    Promote(promote::Promote),
    /// Let an env run again what it ran before
    Rollback(promote::Rollback),
    /// Let a share of the callers have a release, and take them back when it is worse
    Canary(canary::Canary),
    /// Write a release with its components into one file
    Export(transfer::Export),
    /// Bring a release from a file into a Hub; no env runs it yet
    Import(transfer::Import),
    /// Keep a release to go back to
    Pin(pin::Pin),
    /// Keep it no more than others
    Unpin(pin::Unpin),
    /// Add a signature, which Bridges can require
    Sign(sign::Options),
    /// Check signatures, digests and the imports of every component
    Verify(verify::Options),
}

/// Runs one.
pub async fn run(command: Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::List { target } => list::run(&target, shell).await?,
        Command::Current { target } => {
            let (hub, context) = shell.hub(&target)?;
            let current = hub.get(&["v1", "projects", context.project()?, "envs", context.env()?, "current"]).await?;
            shell.terminal.answer(&current, |terminal| {
                terminal.say(&format!(
                    "{} sequence {} {}",
                    cell(&current["releaseId"]),
                    cell(&current["sequence"]),
                    cell(&current["digest"])
                ));
                for bridge in current["bridges"].as_array().into_iter().flatten() {
                    let runs = bridge["releaseId"] == current["releaseId"];
                    let word = terminal
                        .tone(if runs { Tone::Good } else { Tone::Warn }, if runs { "running" } else { "behind" });
                    let said = printable(&format!(
                        "{} {} {}",
                        cell(&bridge["id"]),
                        cell(&bridge["state"]),
                        cell(&bridge["refused"]["message"])
                    ));
                    terminal.say(&format!("  {word} {said}"));
                }
            });
        }
        Command::Show { id, output, blobs, target } => {
            show(&id, output.as_deref(), blobs.as_deref(), &target, shell).await?;
        }
        Command::Compare(options) => compare::run(&options, shell).await?,
        Command::Promote(options) => promote::promote(&options, shell).await?,
        Command::Rollback(options) => promote::rollback(&options, shell).await?,
        Command::Canary(options) => canary::run(&options, shell).await?,
        Command::Export(options) => transfer::export(&options, shell).await?,
        Command::Import(options) => transfer::import(&options, shell).await?,
        Command::Pin(options) => pin::pin(&options, shell).await?,
        Command::Unpin(options) => pin::unpin(&options, shell).await?,
        Command::Sign(options) => sign::run(&options, shell).await?,
        Command::Verify(options) => verify::run(&options, shell).await?,
    }
    Ok(())
}

async fn show(
    id: &str,
    output: Option<&Path>,
    blobs: Option<&Path>,
    target: &Target,
    shell: &Shell,
) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(target)?;
    let answer = hub.get(&["v1", "projects", context.project()?, "releases", id]).await?;
    let signed = signed_release(&answer)?;
    if let Some(path) = output {
        std::fs::write(path, serde_json::to_vec_pretty(&signed)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        shell.terminal.note(&format!("written to {}", path.display()));
    }
    let manifest = verification::manifest(&signed.manifest)?;
    if let Some(dir) = blobs {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        for digest in manifest.components() {
            let bytes = hub.bytes(&["v1", "projects", context.project()?, "blobs", digest.as_str()]).await?;
            let path = dir.join(format!("{}.wasm", digest.hex()));
            std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    shell.terminal.answer(&answer, |terminal| {
        terminal.say(&format!(
            "{} of {}, {}",
            terminal.tone(Tone::Strong, id),
            manifest.project,
            Digest::of(signed.manifest.as_bytes())
        ));
        for (name, schema) in &manifest.connections {
            terminal.say(&format!(
                "  connection {name}: tables {}",
                schema.tables.keys().cloned().collect::<Vec<_>>().join(", ")
            ));
        }
        for (name, logic) in &manifest.logics {
            match &logic.body {
                Body::Sql(sql) => {
                    let topics: Vec<String> =
                        sql.publish.iter().map(|one| format!(", publishes {}", one.topic)).collect();
                    terminal.say(&format!("  logic {name}: sql{}", topics.concat()));
                }
                Body::Wasm(wasm) => terminal
                    .say(&format!("  logic {name}: {} {} bytes {}", wasm.language, wasm.size_bytes, wasm.component)),
            }
        }
        for line in manifest.capability_lines() {
            terminal.say(&format!("  grants {line}"));
        }
    });
    Ok(())
}

/// The Hub answers it bare or beside other fields.
fn signed_release(answer: &Json) -> anyhow::Result<SignedRelease> {
    let bare = json!({"manifest": answer["manifest"], "envelope": answer["envelope"]});
    let value = answer.get("release").unwrap_or(&bare);
    serde_json::from_value(value.clone()).context("this is no signed release")
}
