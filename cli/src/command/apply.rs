//! `stk apply`: files to a release that an env runs. It builds here, uploads what the Hub does not have, lets the Hub decide,
//! and waits until the Bridges say that they run it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use santokit_core::{code::Code, release::VERSION};
use serde_json::{Value as Json, json};

use super::Shell;
use crate::{
    client::HubClient,
    context::Target,
    failure::{Exit, Failure},
    folder::{Candidate, NotReady},
    report::{Terminal, Tone, cell, took},
};

/// Longer than a Bridge's poll.
const WAIT_SECONDS: u64 = 60;
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Flags of `stk apply`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stk apply --env prod --dry-run\n  stk apply --env prod --accept-grants")]
pub struct Options {
    /// The Hub, project and env.
    #[command(flatten)]
    pub target: Target,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Let components have the powers that they gain
    #[arg(long)]
    pub accept_grants: bool,
    /// Let the schema take away, or allow less than before
    #[arg(long)]
    pub force: bool,
    /// Let the schema become one that the release before does not know: nobody needs that one now
    #[arg(long)]
    pub migration_window: bool,
    /// Go on from databases that somebody else has changed
    #[arg(long)]
    pub accept_drift: bool,
    /// Refuse it where a Bridge of the env is too old for it, whatever its steps are
    #[arg(long)]
    pub check_bridge_versions: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// How many seconds to wait for the Bridges; 0 does not wait
    #[arg(long, default_value_t = WAIT_SECONDS, value_name = "SECONDS")]
    pub wait: u64,
}

/// What the operator allows.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Consent {
    /// Nothing is changed.
    pub dry_run: bool,
    /// Components may gain powers.
    pub accept_grants: bool,
    /// The schema may take away, or allow less than before.
    pub force: bool,
    /// The schema may become one that the release before does not know.
    pub migration_window: bool,
    /// Databases that somebody else changed are built upon.
    pub accept_drift: bool,
    /// It is refused where a Bridge is too old for it.
    pub check_bridge_versions: bool,
}

/// What the Hub made of it.
#[derive(Debug)]
pub struct Applied {
    /// `rel_…`; empty after a dry run of new content.
    pub release_id: String,
    /// All that it said.
    pub answer: Json,
}

/// Runs it.
pub async fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let terminal = shell.terminal;
    let folder = shell.folder()?;
    let (hub, context) = shell.hub(&options.target)?;
    let env = context.env()?;
    let project = folder.project().map_err(|error| explain(error, terminal))?;
    let progress = move |line: &str| terminal.note(line);
    let candidate = folder.candidate(project, &progress).await.map_err(|error| explain(error, terminal))?;
    if let Some(project) = options.target.project.as_ref().filter(|project| **project != candidate.project.name) {
        let found = &candidate.project.name;
        return Err(Failure::usage(format!("this folder is project {found}, not {project}")).into());
    }
    if !candidate.project.warnings.is_empty() {
        terminal.note(&terminal.diagnostics(&candidate.project.warnings));
    }
    let mut consent = Consent {
        dry_run: options.dry_run,
        accept_grants: options.accept_grants,
        force: options.force,
        migration_window: options.migration_window,
        accept_drift: options.accept_drift,
        check_bridge_versions: options.check_bridge_versions,
    };
    let started = Instant::now();
    let applied = match submit(&hub, env, &candidate, consent, terminal).await {
        Err(error) if may_ask(&error, options.yes, terminal) => {
            terminal.failure(&error);
            shell.confirm(false, "Let these components have these powers?")?;
            consent.accept_grants = true;
            submit(&hub, env, &candidate, consent, terminal).await?
        }
        other => other?,
    };
    if options.dry_run {
        terminal.answer(&applied.answer, |terminal| {
            show_changes(terminal, &applied.answer);
            terminal.say("dry run: nothing was changed");
        });
        return Ok(());
    }
    if !terminal.is_json() {
        show_changes(terminal, &applied.answer);
        terminal.say(&format!("{}/{env} points to {}", candidate.project.name, applied.release_id));
    }
    let bridges = if options.wait == 0 {
        json!([])
    } else {
        wait_for_bridges(&hub, &candidate.project.name, env, &applied.release_id, options.wait, terminal).await?
    };
    finish(&applied, &bridges, started.elapsed(), terminal)
}

/// Uploads and applies; the Hub checks everything again.
pub async fn submit(
    hub: &HubClient,
    env: &str,
    candidate: &Candidate,
    consent: Consent,
    terminal: Terminal,
) -> anyhow::Result<Applied> {
    let project = candidate.manifest.project.as_str();
    for (digest, bytes) in &candidate.blobs {
        if !hub.has_blob(project, digest).await? {
            let bar = terminal.progress(None, &format!("uploading {} KiB", bytes.len() / 1024));
            hub.put_blob(project, digest, bytes.to_vec()).await?;
            bar.finish_and_clear();
        }
    }
    let manifest = String::from_utf8(candidate.manifest.canonical()?).context("canonical JSON is UTF-8")?;
    let mut body = json!({
        "manifest": manifest,
        "dryRun": consent.dry_run,
        "acceptGrants": consent.accept_grants,
        "force": consent.force,
        "migrationWindow": consent.migration_window,
        "acceptDrift": consent.accept_drift,
        "checkBridgeVersions": consent.check_bridge_versions,
        "tool": format!("stk {VERSION}"),
    });
    if let Some(revision) = source_revision().await {
        body["sourceRevision"] = json!(revision);
    }
    let answer = hub.post(&["v1", "projects", project, "envs", env, "apply"], &body).await?;
    Ok(Applied { release_id: cell(&answer["releaseId"]), answer })
}

/// Findings and compiler output belong to the answer, not into one line.
pub fn explain(error: anyhow::Error, terminal: Terminal) -> anyhow::Error {
    match error.downcast_ref::<NotReady>() {
        Some(NotReady::Findings(findings)) => {
            let mut failure = Failure::failed(error.to_string()).hint("`stk check` shows them without building");
            if terminal.is_json() {
                failure.details.insert("diagnostics".to_owned(), json!(findings));
            } else {
                terminal.say(&terminal.diagnostics(findings));
            }
            failure.into()
        }
        Some(not_ready) => {
            let mut failure = Failure::failed(error.to_string());
            match not_ready.output() {
                Some(output) if terminal.is_json() => {
                    failure.details.insert("output".to_owned(), json!(output));
                }
                Some(output) => terminal.note(&crate::report::printable(output.trim_end())),
                None => {}
            }
            failure.into()
        }
        None => error,
    }
}

/// Whether the consent to widened grants is all that is missing, and somebody is there to give it.
pub(super) fn may_ask(error: &anyhow::Error, yes: bool, terminal: Terminal) -> bool {
    let widened = error.downcast_ref::<Failure>().is_some_and(|failure| failure.code == Some(Code::GrantsWidened));
    widened && !yes && !terminal.is_json() && std::io::IsTerminal::is_terminal(&std::io::stdin())
}

/// What the Hub says is different, a line each.
pub(super) fn show_changes(terminal: Terminal, answer: &Json) {
    for (key, value) in answer["changes"].as_object().into_iter().flatten() {
        for line in value.as_array().into_iter().flatten() {
            terminal.say(&format!("  {key}: {}", crate::report::printable(&cell(line))));
        }
    }
}

/// Until every Bridge of the env runs the release or refuses it, or the time is over; a row for each.
pub(super) async fn wait_for_bridges(
    hub: &HubClient,
    project: &str,
    env: &str,
    release_id: &str,
    seconds: u64,
    terminal: Terminal,
) -> anyhow::Result<Json> {
    let until = Instant::now() + Duration::from_secs(seconds);
    let bar = terminal.progress(None, "waiting for the Bridges");
    loop {
        let answer = hub.get(&["v1", "projects", project, "envs", env, "bridges"]).await?;
        let bridges: Vec<Json> =
            answer["bridges"].as_array().into_iter().flatten().filter_map(|bridge| row(bridge, release_id)).collect();
        let settled = bridges.iter().all(|bridge| bridge["state"] != "waiting");
        if settled || Instant::now() > until {
            bar.finish_and_clear();
            return Ok(Json::Array(bridges));
        }
        bar.inc(1);
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What a Bridge says about the release: running, refused, or nothing yet.
fn row(bridge: &Json, release_id: &str) -> Option<Json> {
    let id = bridge.get("id")?;
    let report = bridge.get("report").unwrap_or(bridge);
    // A Bridge that cannot believe the pointer's signatures does not believe its name of the release either.
    let refused =
        report.get("refused").filter(|refused| refused["releaseId"] == release_id || refused["releaseId"] == "");
    let state = match refused {
        Some(_) => "refused",
        None if report["releaseId"] == release_id => "running",
        None => "waiting",
    };
    Some(json!({"id": id, "state": state, "refused": refused}))
}

/// Tells what became of it, and fails where a Bridge refuses or has not said.
pub(super) fn finish(applied: &Applied, bridges: &Json, elapsed: Duration, terminal: Terminal) -> anyhow::Result<()> {
    let rows = bridges.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_in = |state: &str| rows.iter().filter(|row| row["state"] == state).count();
    let (refused, waiting) = (is_in("refused"), is_in("waiting"));
    let mut answer = applied.answer.clone();
    if let Json::Object(fields) = &mut answer {
        fields.insert("bridges".to_owned(), bridges.clone());
    }
    terminal.answer(&answer, |terminal| {
        for row in rows {
            let state = cell(&row["state"]);
            let tone = if state == "running" { Tone::Good } else { Tone::Bad };
            let why = cell(&row["refused"]["message"]);
            terminal.say(&format!(
                "  {} {} {}",
                terminal.tone(tone, &state),
                cell(&row["id"]),
                crate::report::printable(&why)
            ));
        }
        if rows.is_empty() {
            terminal.say("no Bridge of this env has reported yet; it will load the release when it starts");
        } else if refused + waiting == 0 {
            terminal.say(&format!(
                "{} {} in {}",
                terminal.tone(Tone::Good, "running"),
                applied.release_id,
                took(elapsed)
            ));
        }
    });
    if refused > 0 {
        return Err(Failure::new(Exit::Refused, format!("{refused} Bridge(s) refuse {}", applied.release_id))
            .hint("they keep serving the release before; correct the cause and apply again")
            .reported(terminal.is_json())
            .into());
    }
    if waiting > 0 {
        return Err(Failure::new(Exit::Unreachable, format!("{waiting} Bridge(s) did not report in time"))
            .hint("they load it when they reach the Hub; look at their logs")
            .reported(terminal.is_json())
            .into());
    }
    Ok(())
}

/// The commit that is checked out, with `+changes` where files differ from it.
async fn source_revision() -> Option<String> {
    let git = async |arguments: &[&str]| {
        let output = tokio::process::Command::new("git").args(arguments).output().await.ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let revision = git(&["rev-parse", "HEAD"]).await?;
    let is_clean = git(&["status", "--porcelain"]).await?.is_empty();
    Some(if is_clean { revision } else { format!("{revision}+changes") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_runs_a_release_refuses_it_or_has_not_said() {
        let state = |report: Json| row(&report, "rel_new").unwrap()["state"].clone();
        let refused = |release: &str| json!({"id": "brg_1", "releaseId": "rel_old", "refused": {"releaseId": release}});
        assert_eq!(state(json!({"id": "brg_1", "releaseId": "rel_new", "refused": null})), "running");
        assert_eq!(state(json!({"id": "brg_1", "releaseId": "rel_old", "refused": null})), "waiting");
        assert_eq!(state(refused("rel_new")), "refused");
        assert_eq!(state(refused("rel_other")), "waiting");
        assert_eq!(state(refused("")), "refused", "the signatures of the pointer do not hold");
    }
}
