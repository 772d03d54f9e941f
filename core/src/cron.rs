//! Jobs of a project: which logic runs when. When exactly is a matter of values here, with the time given in; that one run is made of a tick
//! is the Bridge's.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{limit::InvocationLimits, logic::Logic, name::check_label, param::Param, quantity::Millis, schema::Schema};

mod schedule;
mod times;

pub use schedule::{Schedule, ScheduleError};
pub use times::{Every, EveryError, Times};

/// Jobs of a project.
pub const JOBS_MAX: usize = 100;

/// Wall time of a run where a job says nothing.
pub const TIMEOUT: Millis = Millis(30_000);

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CronJob")]
pub struct Job {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Five fields, in UTC; this, or `every`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// From midnight UTC on; this, or `schedule`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Millis>,
    /// The logic.
    pub handler: String,
    /// Beside whose tables runs are agreed on and kept.
    pub connection: String,
    /// Wall time of a run.
    pub timeout: Millis,
    /// Whether it runs by itself.
    pub enabled: bool,
    /// Whether a tick that was missed runs once when a Bridge is there again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub catch_up: bool,
}

/// A job that no project file can say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// Both, or neither.
    #[error("a job has one of \"schedule\" and \"every\"")]
    Times,
    /// A schedule that cannot be read.
    #[error("schedule: {0}")]
    Schedule(ScheduleError),
    /// An interval that no day has a whole number of.
    #[error("every: {0}")]
    Every(EveryError),
}

impl Job {
    /// When it runs.
    pub fn times(&self) -> Result<Times, JobError> {
        match (&self.schedule, self.every) {
            (Some(text), None) => Schedule::parse(text).map(Times::Schedule).map_err(JobError::Schedule),
            (None, Some(every)) => Every::of(every).map(Times::Every).map_err(JobError::Every),
            _ => Err(JobError::Times),
        }
    }
}

/// Whether jobs can be meant, beside these logics and tables.
pub fn check(
    jobs: &BTreeMap<String, Job>,
    logics: &BTreeMap<String, Logic>,
    connections: &BTreeMap<String, Schema>,
) -> Result<(), String> {
    if jobs.len() > JOBS_MAX {
        return Err(format!("a project has at most {JOBS_MAX} jobs"));
    }
    for (name, job) in jobs {
        let told = |error: String| format!("job {name:?}: {error}");
        check_label("a job's name", name).map_err(|error| told(error.to_string()))?;
        job.times().map_err(|error| told(error.to_string()))?;
        if job.timeout == Millis(0) || job.timeout > InvocationLimits::ceiling().timeout {
            return Err(told(format!("a run has 1ms to {}", InvocationLimits::ceiling().timeout)));
        }
        let logic = logics.get(&job.handler).ok_or_else(|| told(format!("there is no logic {:?}", job.handler)))?;
        if let Some(why) = cannot_handle(&logic.params, logic.mount().is_some()) {
            return Err(told(format!("the logic {:?} {why}", job.handler)));
        }
        if !logic.is_run() {
            return Err(told(format!("the logic {:?} has no export that a job can run", job.handler)));
        }
        if connections.get(&job.connection).is_none_or(|schema| schema.tables.is_empty()) {
            return Err(told(format!("connection {:?} has no tables, beside which runs are kept", job.connection)));
        }
    }
    Ok(())
}

/// Why a logic cannot be a handler: nobody gives it anything.
pub fn cannot_handle(params: &[Param], is_mounted: bool) -> Option<String> {
    if is_mounted {
        return Some("answers requests of HTTP and takes no calls".to_owned());
    }
    let needed = params.iter().find(|param| param.required)?;
    Some(format!("needs the param {:?}, and a job has none", needed.name))
}
