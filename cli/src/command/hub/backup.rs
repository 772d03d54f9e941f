//! `stk hub backup` and `stk hub restore`. A backup is asked of a running Hub; a restore works on the store itself, with the settings
//! that the Hub will start with.

use std::{
    fs::{self, OpenOptions},
    io::{BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use santokit_hub::app::{
    backup::archive,
    restore::{self, RestoreError, Restored},
};
use serde_json::json;

use super::{HubTarget, Shell, config};
use crate::{
    failure::{Exit, Failure},
    report::Tone,
};

/// Flags of `stk hub backup`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stk hub backup --out santokit-$(date +%F).tar")]
pub struct Backup {
    /// Where to; a file that is there is not replaced
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The Hub.
    #[command(flatten)]
    pub target: HubTarget,
}

/// Flags of `stk hub restore`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  STK_MASTER_KEY=… stk hub restore --from santokit.tar --data-dir /var/lib/santokit\n\nThe drill: docs/reference/recovery.md"
)]
pub struct Restore {
    /// A file of `stk hub backup`
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// Replace the data that is there; that of SQLite is kept beside it
    #[arg(long)]
    pub force: bool,
    /// Settings in YAML, as for `stk hub serve`
    #[arg(long, env = "STK_HUB_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the database, blobs and keys are kept
    #[arg(long)]
    pub data_dir: Option<String>,
}

pub(super) async fn backup(options: &Backup, shell: &Shell) -> anyhow::Result<()> {
    let (hub, _) = shell.hub(&options.target.target())?;
    let (path, shown) = (&options.out, options.out.display());
    if path.exists() {
        return Err(Failure::usage(format!("{shown} is there already")).hint("name another file").into());
    }
    let aside = path.with_extension("unfinished");
    let done = async {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside);
        let mut out = BufWriter::new(file.with_context(|| format!("cannot write {}", aside.display()))?);
        let bar = shell.terminal.progress(None, "backing up");
        let bytes = hub.download(&["v1", "backup"], &mut out, |bytes| bar.set_position(bytes)).await?;
        out.flush()?;
        out.get_ref().sync_all()?;
        bar.finish_and_clear();
        // What came is what the Hub meant: the end of it names all before it.
        let checked =
            archive::check(&aside).map_err(|error| Failure::failed(format!("the backup is of no use: {error}")))?;
        fs::rename(&aside, path).with_context(|| format!("cannot write {shown}"))?;
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            fs::File::open(dir).and_then(|dir| dir.sync_all()).with_context(|| format!("cannot write {shown}"))?;
        }
        Ok::<_, anyhow::Error>((bytes, checked.contents))
    };
    let (bytes, contents) = done.await.inspect_err(|_| drop(fs::remove_file(&aside)))?;
    let rows: i64 = contents.members.iter().filter_map(|member| member.rows).sum();
    let blobs = contents.members.iter().filter(|member| member.rows.is_none()).count();
    let answer = json!({
        "file": path, "bytes": bytes, "rows": rows, "components": blobs, "schemaVersion": contents.schema_version,
        "createdAt": contents.created_at, "auditHead": contents.head, "hasMasterKey": false,
    });
    shell.terminal.answer(&answer, |terminal| {
        terminal.say(&format!(
            "{} {shown}: {rows} rows, {blobs} component(s), {bytes} bytes",
            terminal.tone(Tone::Good, "written")
        ));
        terminal.note(
            "the master key is not in it, and without it no secret in it can be read: keep STK_MASTER_KEY elsewhere",
        );
    });
    Ok(())
}

pub(super) async fn restore(options: Restore, shell: &Shell) -> anyhow::Result<()> {
    let config = config(None, options.data_dir.clone(), options.config.as_deref())?;
    let bar = shell.terminal.progress(None, "restoring");
    let done = restore::restore(&config, &options.from, options.force).await;
    bar.finish_and_clear();
    told(&done.map_err(|error| failure(&error, &options.from))?, shell);
    Ok(())
}

fn told(restored: &Restored, shell: &Shell) {
    let Restored { contents, rows, blobs, verdict, lost, aside } = restored;
    let answer = json!({
        "createdAt": contents.created_at, "engine": contents.engine, "rows": rows, "components": blobs,
        "auditVerified": verdict.broken.is_none(), "auditBrokenAt": verdict.broken.as_ref().map(|broken| broken.at),
        "auditEntries": verdict.entries, "auditHead": verdict.head, "lostHead": lost, "keptAside": aside,
    });
    shell.terminal.answer(&answer, |terminal| {
        let good = terminal.tone(Tone::Good, "restored");
        terminal.say(&format!("{good} the Hub of {}: {rows} rows, {blobs} component(s)", contents.created_at));
        match &verdict.broken {
            None => terminal.say(&format!("  the audit log is whole: {} entries", verdict.entries)),
            Some(broken) => {
                terminal.warn(&format!("the audit log is not whole at entry {}: {}", broken.at, broken.why));
            }
        }
        if let Some(lost) = lost {
            terminal.warn(&format!(
                "what was done until {} (entry {}) is later than the backup, and lost",
                lost.ts, lost.seq
            ));
        }
        if let Some(aside) = aside {
            terminal.say(&format!("  what was there is in {}", aside.display()));
        }
        terminal.note("start the Hub, then apply each env again: Bridges go on with what they run until then");
    });
}

fn failure(error: &RestoreError, file: &Path) -> anyhow::Error {
    let (exit, hint) = match error {
        RestoreError::NotEmpty => (Exit::Refused, "say --force if it is meant; that of SQLite is kept beside it"),
        RestoreError::Running => (Exit::Refused, "end every Hub on it, then restore"),
        RestoreError::MasterKey(_) => {
            (Exit::Refused, "set STK_MASTER_KEY, or put the file master-key into the data directory")
        }
        RestoreError::Archive { .. } => (Exit::Refused, "nothing was changed; take another backup"),
        RestoreError::Newer(_) => (Exit::Refused, "nothing was changed"),
        _ => (Exit::Failed, "nothing was changed"),
    };
    let mut why = error.to_string();
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        let more = source.to_string();
        if !why.contains(&more) {
            why = format!("{why}: {more}");
        }
        cause = source;
    }
    Failure::new(exit, why).hint(hint).detail("file", json!(file)).into()
}
