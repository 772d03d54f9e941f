//! `stk cron`: how the jobs of an env stand, what came of their runs, a run by hand, and letting a job run again. Any Bridge of the env
//! answers: what they agree on is in the database.

use std::time::Duration;

use reqwest::{Client, Url};
use santokit_core::{admin::Deed, name::check_label};
use serde_json::{Value as Json, json};

use super::{
    Shell,
    bridge::operator::{At, Bridges},
};
use crate::{
    failure::Failure,
    report::{Terminal, cell, printable},
};

/// The Bridge answers from its database.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// The jobs of an env: when they run next, and whether they run at all
    List(ListOptions),
    /// One job, its last runs, and when it was stopped and let run again
    #[command(after_help = "Example:\n  stk cron status nightly-report --env prod")]
    Status(JobOptions),
    /// Run a job now, beside its schedule
    #[command(after_help = "Example:\n  stk cron trigger nightly-report --env prod")]
    Trigger(JobOptions),
    /// Let a job run by itself again that has failed too often
    #[command(after_help = "Example:\n  stk cron resume nightly-report --env prod")]
    Resume(JobOptions),
}

/// Flags of `stk cron list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stk cron list --env prod\n  stk cron list --env prod --json")]
pub struct ListOptions {
    /// Which Bridge, in which env
    #[command(flatten)]
    at: At,
}

/// Flags of what is done to one job.
#[derive(Debug, clap::Args)]
pub struct JobOptions {
    /// The job
    job: String,
    /// Which Bridge, in which env
    #[command(flatten)]
    at: At,
}

/// Runs it.
pub async fn run(command: &Command, shell: &Shell) -> anyhow::Result<()> {
    match command {
        Command::List(options) => {
            let answer = ask(&options.at, shell, (Deed::Cron, None)).await?;
            shell
                .terminal
                .answer(&answer, |terminal| show_jobs(terminal, answer["jobs"].as_array().map(Vec::as_slice)));
        }
        Command::Status(options) => {
            let answer = ask(&options.at, shell, (Deed::Cron, Some(options.name()?))).await?;
            shell.terminal.answer(&answer, |terminal| {
                show_jobs(terminal, Some(std::slice::from_ref(&answer["job"])));
                let rows = |of: &str| answer[of].as_array().map(Vec::as_slice).unwrap_or_default();
                show_runs(terminal, rows("runs"));
                show_breaker(terminal, rows("breaker"));
            });
        }
        Command::Trigger(options) => {
            let job = options.name()?;
            let answer = ask(&options.at, shell, (Deed::CronTrigger, Some(job))).await?;
            shell.terminal.answer(&answer, |terminal| {
                let run = printable(&cell(&answer["run"]));
                terminal.say(&format!("run {run} of {job} has begun; `stk cron status {job}` shows what comes of it"));
            });
        }
        Command::Resume(options) => {
            let job = options.name()?;
            let answer = ask(&options.at, shell, (Deed::CronResume, Some(job))).await?;
            shell.terminal.answer(&answer, |terminal| {
                terminal.say(&if answer["wasOpen"] == json!(true) {
                    format!("{job} runs by itself again")
                } else {
                    format!("{job} was not stopped; its failures are forgotten")
                });
            });
        }
    }
    Ok(())
}

impl JobOptions {
    fn name(&self) -> anyhow::Result<&str> {
        check_label("a job's name", &self.job).map_err(|error| Failure::usage(error.to_string()))?;
        Ok(&self.job)
    }
}

async fn ask(at: &At, shell: &Shell, (deed, job): (Deed, Option<&str>)) -> anyhow::Result<Json> {
    let (what, is_done) = match deed {
        Deed::CronTrigger => (Some("trigger"), true),
        Deed::CronResume => (Some("resume"), true),
        _ => (None, false),
    };
    let below: Vec<&str> = [Some("cron"), job, what].into_iter().flatten().collect();
    let bridges = Bridges::of(at, shell, Some(ANSWER_MAX)).await?;
    let request = |http: &Client, url: Url| if is_done { http.post(url) } else { http.get(url) };
    bridges.ask((deed, job), &below, request).await
}

fn show_jobs(terminal: Terminal, jobs: Option<&[Json]>) {
    let jobs = jobs.unwrap_or_default();
    if jobs.is_empty() {
        terminal.say("there are no jobs: one is a file of cron/");
        return;
    }
    terminal.table(
        &["job", "runs", "state", "next", "last tick", "failures", "skipped", "handler"],
        jobs.iter().map(|job| {
            ["job", "times", "state", "next", "lastTick", "failures", "skipped", "handler"]
                .map(|key| printable(&cell(&job[key])))
                .to_vec()
        }),
    );
}

fn show_runs(terminal: Terminal, runs: &[Json]) {
    if runs.is_empty() {
        return;
    }
    terminal.say("");
    terminal.table(
        &["run", "tick", "cause", "by", "outcome", "started", "ended", "bridge", "error"],
        runs.iter().map(|run| {
            ["id", "tick", "cause", "by", "outcome", "startedAt", "endedAt", "bridge", "error"]
                .map(|key| printable(&cell(&run[key])))
                .to_vec()
        }),
    );
}

/// When the job has failed too often, and who let it run again.
fn show_breaker(terminal: Terminal, rows: &[Json]) {
    if rows.is_empty() {
        return;
    }
    terminal.say("");
    terminal.table(
        &["breaker", "at", "by", "bridge"],
        rows.iter().map(|row| ["outcome", "startedAt", "by", "bridge"].map(|key| printable(&cell(&row[key]))).to_vec()),
    );
}
