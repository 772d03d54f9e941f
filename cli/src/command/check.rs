//! `stk check`: every finding of a project at once, without building anything.

use santokit_core::project::has_errors;
use serde_json::json;

use super::Shell;
use crate::{failure::Failure, report::Tone};

/// Flags of `stk check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stk check\n  stk check --json | jq '.diagnostics[].message'")]
pub struct Options {
    /// Warnings fail too
    #[arg(long)]
    pub strict: bool,
}

/// Runs it.
pub fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let folder = shell.folder()?;
    let (findings, summary) = match folder.parse()? {
        Ok(project) => {
            let tables: usize = project.connections.values().map(|schema| schema.tables.len()).sum();
            let logics = project.logics.len();
            let queries = match project.queries.len() {
                0 => String::new(),
                count => format!(", {count} queries"),
            };
            let summary = format!("{}: {tables} tables, {logics} logics{queries}", project.name);
            (project.warnings.clone(), Some(summary))
        }
        Err(findings) => (findings, None),
    };
    let is_clean = if options.strict { findings.is_empty() } else { !has_errors(&findings) };
    let is_ok = summary.is_some() && is_clean;
    let terminal = shell.terminal;
    if terminal.is_json() {
        terminal.answer(&json!({"ok": is_ok, "diagnostics": findings}), |_| {});
    } else {
        if !findings.is_empty() {
            terminal.say(&terminal.diagnostics(&findings));
        }
        if let (true, Some(summary)) = (is_ok, &summary) {
            terminal.say(&format!("{} {summary}", terminal.tone(Tone::Good, "ok")));
        }
    }
    if is_ok {
        return Ok(());
    }
    Err(Failure::failed(format!("{} finding(s) in {}", findings.len(), folder.root().display()))
        .reported(terminal.is_json())
        .into())
}
