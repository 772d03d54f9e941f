//! `stk release promote` and `stk release rollback`: an env runs another release that exists. The Hub decides; here it is asked,
//! and the Bridges are waited for as after an apply.

use std::time::Instant;

use serde_json::{Value as Json, json};

use super::{Shell, Target};
use crate::{
    command::apply::{Applied, finish, may_ask, show_changes, wait_for_bridges},
    report::{Terminal, cell, printable},
};

/// Longer than a Bridge's poll.
const WAIT_SECONDS: u64 = 60;

/// Flags of `stk release promote`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk release promote rel_01J… --env prod --dry-run\n  stk release promote rel_01J… --env prod --apply-schema"
)]
pub struct Promote {
    /// Its id
    release: String,
    /// Change the databases first, where they lack something for it
    #[arg(long)]
    apply_schema: bool,
    /// As of `stk apply`: let the schema become one that the release before does not know
    #[arg(long)]
    migration_window: bool,
    /// What both take.
    #[command(flatten)]
    consent: Consent,
    /// The Hub, project and env.
    #[command(flatten)]
    target: Target,
}

/// Flags of `stk release rollback`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk release rollback --env prod\n  stk release rollback --env prod --to rel_01J… --dry-run"
)]
pub struct Rollback {
    /// A release that the env has run; default: what it ran before this one
    #[arg(long, value_name = "RELEASE")]
    to: Option<String>,
    /// What both take.
    #[command(flatten)]
    consent: Consent,
    /// The Hub, project and env.
    #[command(flatten)]
    target: Target,
}

/// What both take.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[derive(Debug, clap::Args)]
struct Consent {
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Let components have the powers that they gain
    #[arg(long)]
    accept_grants: bool,
    /// Go on although a database or a Bridge cannot work with it
    #[arg(long)]
    force: bool,
    /// Do not go on where a Bridge of the env is too old for it, with --force neither
    #[arg(long)]
    check_bridge_versions: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
    /// How many seconds to wait for the Bridges; 0 does not wait
    #[arg(long, default_value_t = WAIT_SECONDS, value_name = "SECONDS")]
    wait: u64,
}

/// Runs `promote`.
pub(super) async fn promote(options: &Promote, shell: &Shell) -> anyhow::Result<()> {
    let body = json!({
        "releaseId": options.release, "applySchema": options.apply_schema, "migrationWindow": options.migration_window,
    });
    go("promote", body, &options.consent, &options.target, shell).await
}

/// Runs `rollback`.
pub(super) async fn rollback(options: &Rollback, shell: &Shell) -> anyhow::Result<()> {
    let body = json!({"releaseId": options.to});
    go("rollback", body, &options.consent, &options.target, shell).await
}

async fn go(how: &str, mut body: Json, consent: &Consent, target: &Target, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(target)?;
    let (project, env, terminal) = (context.project()?, context.env()?, shell.terminal);
    let path = ["v1", "projects", project, "envs", env, how];
    body["dryRun"] = json!(consent.dry_run);
    body["acceptGrants"] = json!(consent.accept_grants);
    body["force"] = json!(consent.force);
    body["checkBridgeVersions"] = json!(consent.check_bridge_versions);
    let started = Instant::now();
    let answer = match hub.post(&path, &body).await {
        Err(error) if may_ask(&error, consent.yes, terminal) => {
            terminal.failure(&error);
            shell.confirm(false, "Let these components have these powers?")?;
            body["acceptGrants"] = json!(true);
            hub.post(&path, &body).await?
        }
        other => other?,
    };
    if consent.dry_run {
        terminal.answer(&answer, |terminal| {
            show_changes(terminal, &answer);
            show_obstacles(terminal, &answer);
            terminal.say("dry run: nothing was changed");
        });
        return Ok(());
    }
    let release_id = cell(&answer["releaseId"]);
    if !terminal.is_json() {
        show_changes(terminal, &answer);
        let said = if answer["moved"] == true { "points to" } else { "points already to" };
        terminal.say(&format!("{project}/{env} {said} {release_id}"));
    }
    let bridges = if consent.wait == 0 {
        json!([])
    } else {
        wait_for_bridges(&hub, project, env, &release_id, consent.wait, terminal).await?
    };
    finish(&Applied { release_id, answer }, &bridges, started.elapsed(), terminal)
}

/// What stands in the way, or did before the databases were changed.
pub(super) fn show_obstacles(terminal: Terminal, answer: &Json) {
    for (key, said) in
        [("needs", "it lacks"), ("drift", "changed by somebody else"), ("incompatibleBridges", "too old")]
    {
        for line in answer[key].as_array().into_iter().flatten() {
            terminal.say(&format!("  {said}: {}", printable(&cell(line))));
        }
    }
}
