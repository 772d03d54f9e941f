//! Jobs: logics that run when their time comes, once for all Bridges. What there is to do at a time is decided in [`decide`], from values;
//! [`store`] has what Bridges agree on in the customer's database; [`scheduler`] waits, claims and runs.
//!
//! The time is that of the database. A Bridge whose clock is wrong neither runs too early nor twice.

use std::{collections::BTreeMap, sync::Arc};

use santokit_core::{
    cron::{Job, Times},
    problem::{Outcome, Problem},
    release::Digest,
};
use tokio::sync::{mpsc, oneshot};

use crate::config::EnvName;

pub mod decide;
pub mod run;
mod scheduler;
pub mod status;
pub mod store;

pub use scheduler::run;

/// The jobs of a release, by name.
#[derive(Debug, Default)]
pub struct Jobs {
    by_name: BTreeMap<String, Arc<LoadedJob>>,
}

/// A job, ready to run.
#[derive(Debug, PartialEq)]
pub struct LoadedJob {
    /// Its name.
    pub name: String,
    /// As the release has it.
    pub job: Job,
    /// When it runs.
    pub times: Times,
    /// Its row: SHA-256 in hex.
    id: String,
}

/// A run that an operator wants.
#[derive(Debug)]
pub struct Asked {
    /// The job's name.
    pub job: String,
    /// Who asks.
    pub by: String,
    /// The id of the run that has begun.
    pub answer: oneshot::Sender<Outcome<String>>,
}

/// Where operators ask the schedulers of envs.
#[derive(Debug, Default)]
pub struct Triggers {
    by_env: BTreeMap<String, mpsc::Sender<Asked>>,
}

/// Asked at once, and not begun yet.
const ASKED_MAX: usize = 16;

impl Jobs {
    /// Of a release. The error is for operators.
    pub fn of(env: &EnvName, jobs: &BTreeMap<String, Job>) -> Result<Self, String> {
        let load = |(name, job): (&String, &Job)| {
            let times = job.times().map_err(|error| format!("job {name:?}: {error}"))?;
            let id = key(&[&env.project, &env.env, name]);
            Ok((name.clone(), Arc::new(LoadedJob { name: name.clone(), job: job.clone(), times, id })))
        };
        Ok(Self { by_name: jobs.iter().map(load).collect::<Result<_, String>>()? })
    }

    /// A job by its name.
    pub fn get(&self, name: &str) -> Option<&Arc<LoadedJob>> {
        self.by_name.get(name)
    }

    /// Every job.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<LoadedJob>> {
        self.by_name.values()
    }
}

impl LoadedJob {
    /// What its ticks are of, as text.
    fn told_times(&self) -> String {
        let every = self.job.every.map(|every| format!("{}{every}", decide::EVERY));
        every.or_else(|| self.job.schedule.clone()).unwrap_or_default()
    }

    /// Whether its ticks are those of another, in the same place.
    fn has_ticks_of(&self, other: &Self) -> bool {
        let all = |of: &Self| (of.id.clone(), of.told_times(), of.job.enabled, of.job.connection.clone());
        all(self) == all(other)
    }
}

impl Triggers {
    /// A way to the scheduler of each env, and the other ends, in their order.
    pub fn open<'e>(envs: impl Iterator<Item = &'e EnvName>) -> (Self, Vec<mpsc::Receiver<Asked>>) {
        let way = |env: &EnvName| {
            let (sender, receiver) = mpsc::channel(ASKED_MAX);
            ((env.to_string(), sender), receiver)
        };
        let (by_env, receivers) = envs.map(way).unzip();
        (Self { by_env }, receivers)
    }

    /// Begins a run now; its id.
    pub async fn begin(&self, env: &EnvName, job: &str, by: &str) -> Outcome<String> {
        let ending = || Problem::new(santokit_core::code::Code::ServiceUnavailable, "this Bridge begins no runs now");
        let scheduler = self.by_env.get(&env.to_string()).ok_or_else(ending)?;
        let (answer, answered) = oneshot::channel();
        let asked = Asked { job: job.to_owned(), by: by.to_owned(), answer };
        scheduler.try_send(asked).map_err(|_| ending())?;
        answered.await.unwrap_or_else(|_| Err(ending()))
    }
}

/// SHA-256 in hex of parts, each with its length before it: no two lists of parts are one text.
fn key(parts: &[&str]) -> String {
    let text = parts.iter().fold(String::new(), |text, part| text + &part.len().to_string() + ":" + part);
    let digest = Digest::of(text.as_bytes());
    digest.as_str().rsplit(':').next().unwrap_or_default().to_owned()
}
