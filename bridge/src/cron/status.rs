//! What operators see of jobs, and that they let one run again.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    value::Value,
};
use serde::Serialize;
use serde_json::{Map, Value as Json};

pub use super::store::Place;
use super::{
    LoadedJob,
    decide::State,
    store::{self, OPENED, RESUMED, SHOWN, StoreError},
};
use crate::{db::json_value, generation::Generation};

/// Runs that are shown of a job.
const SHOWN_MAX: u64 = 50;

/// A job as it stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// Its name.
    pub job: String,
    /// The logic.
    pub handler: String,
    /// Five fields, or an interval.
    pub times: String,
    /// Whether it runs by itself, as the release says.
    pub enabled: bool,
    /// `waiting`, `running`, `disabled` or `open`: it has failed too often.
    pub state: &'static str,
    /// When it runs next by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The last tick that was dealt with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_tick: Option<String>,
    /// Runs that failed one after another.
    pub failures: i64,
    /// Ticks at which a run went on still.
    pub skipped: i64,
    /// Since when it does not run by itself any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<String>,
    /// The run that goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// Every job of a generation.
pub async fn list(generation: &Generation) -> Outcome<Vec<JobStatus>> {
    let mut all = Vec::new();
    for job in generation.jobs.iter() {
        all.push(of(generation, job).await?);
    }
    Ok(all)
}

/// A job with what came of it, the newest first.
#[derive(Debug, Serialize)]
pub struct JobHistory {
    /// As it stands.
    pub job: JobStatus,
    /// Its last runs.
    pub runs: Vec<Json>,
    /// When it has failed too often, and who let it run again: also where many runs have been since.
    pub breaker: Vec<Json>,
}

/// A job, and its history.
pub async fn one(generation: &Generation, place: &Place, name: &str) -> Outcome<JobHistory> {
    let job = job_of(generation, name)?;
    let status = of(generation, job).await?;
    let database = database_of(generation, job)?;
    let runs = store::history(database, job, place, (&[], SHOWN_MAX)).await.map_err(away)?;
    let breaker = store::history(database, job, place, (&[OPENED, RESUMED], SHOWN_MAX)).await.map_err(away)?;
    let all = |rows: Vec<Vec<Value>>| rows.into_iter().map(shown).collect();
    Ok(JobHistory { job: status, runs: all(runs), breaker: all(breaker) })
}

/// Lets a job run by itself again, as an operator wants it. False: it did.
pub async fn resume(generation: &Generation, place: &Place, name: &str, by: &str) -> Outcome<bool> {
    let job = job_of(generation, name)?;
    store::resume(database_of(generation, job)?, place, job, by).await.map_err(away)
}

async fn of(generation: &Generation, job: &LoadedJob) -> Outcome<JobStatus> {
    let (state, now) = store::state(database_of(generation, job)?, job).await.map_err(away)?;
    let opened_at = state.as_ref().and_then(|state| state.opened_at);
    let is_running = state.as_ref().is_some_and(|state| state.is_running(now));
    let runs_by_itself = job.job.enabled && opened_at.is_none();
    Ok(JobStatus {
        job: job.name.clone(),
        handler: job.job.handler.clone(),
        times: job.told_times(),
        enabled: job.job.enabled,
        state: match (opened_at, is_running) {
            (_, true) => "running",
            (Some(_), false) => "open",
            (None, false) if !job.job.enabled => "disabled",
            (None, false) => "waiting",
        },
        next: runs_by_itself.then(|| job.times.next_after(now)).flatten().map(time),
        last_tick: state.as_ref().map(|state| time(state.last_tick)),
        failures: state.as_ref().map_or(0, |state: &State| state.failures),
        skipped: state.as_ref().map_or(0, |state| state.skipped),
        opened_at: opened_at.map(time),
        run: state.and_then(|state| state.run).filter(|_| is_running),
    })
}

fn job_of<'g>(generation: &'g Generation, name: &str) -> Outcome<&'g Arc<LoadedJob>> {
    generation.jobs.get(name).ok_or_else(|| {
        let near = santokit_core::name::nearest(name, generation.jobs.iter().map(|job| job.name.as_str()));
        let problem = Problem::new(Code::NotFound, "there is no such job");
        match near {
            Some(near) => problem.hint(format!("did you mean {near}?")),
            None => problem,
        }
    })
}

fn database_of<'g>(generation: &'g Generation, job: &LoadedJob) -> Outcome<&'g crate::db::Database> {
    let missing = || Problem::new(Code::ServiceUnavailable, "the job's database is not available");
    generation.databases.get(&job.job.connection).map(Arc::as_ref).ok_or_else(missing)
}

fn away(error: StoreError) -> Box<Problem> {
    Problem::new(Code::ServiceUnavailable, "the job's database does not answer now").because(error)
}

/// A run as an object.
fn shown(row: Vec<Value>) -> Json {
    let names = ["id", "releaseId", "tick", "cause", "by", "bridge", "startedAt", "endedAt", "outcome", "error"];
    let kinds = SHOWN.iter().map(|own| own.column().kind.as_str());
    let fields =
        names.iter().zip(kinds).zip(row).map(|((name, kind), value)| ((*name).to_owned(), json_value(kind, value)));
    Json::Object(fields.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
