//! Runs of jobs: what is told of one. Handling them is an export: see [`on_cron!`](crate::on_cron).

use crate::bindings::running::exports::santokit::events::cron_handler as wit;
use crate::{LogicError, panic};

/// What is told of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// `run_…`.
    pub id: String,
    /// The job's name.
    pub job: String,
    /// The tick that it is for: RFC 3339 with microseconds, in UTC. `None` where an operator runs it.
    pub due_at: Option<String>,
    /// What has begun it: `schedule`, `catchUp` or `manual`. Others may come.
    pub cause: String,
}

/// Calls the handler. Not for direct use.
#[doc(hidden)]
pub fn run(run: wit::Run, handle: fn(Run) -> Result<(), LogicError>) -> Result<(), wit::CronError> {
    panic::install_hook();
    let wit::Run { id, job, due_at, cause } = run;
    handle(Run { id, job, due_at, cause }).map_err(|error| {
        let (code, message, details) = error.into_parts();
        wit::CronError { code, message, details }
    })
}
