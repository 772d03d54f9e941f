//! The tables of jobs: by them all Bridges agree who runs a tick.
//!
//! `stk_cron_jobs` has a row for each job, which whoever deals with a tick locks:
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string, 64 characters | primary key: SHA-256 in hex of project, env and name |
//! | `project`, `env`, `job` | string | whose job it is, and its name |
//! | `times` | string | the schedule that `last_tick` is of; `never` of a job that does not run by itself |
//! | `last_tick` | timestamp | the last tick that was dealt with; a job that is new begins with now |
//! | `failures` | int | runs that failed one after another |
//! | `skipped` | bigint | ticks at which a run went on still |
//! | `opened_at` | timestamp, may be null | since when it does not run by itself any more |
//! | `run` | string, may be null | the run that goes on |
//! | `lease_until` | timestamp, may be null | until when its Bridge is believed to be alive |
//!
//! `stk_cron_runs` is what came of ticks. No two rows of a job are of one tick: `claim` is unique.
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string, 40 characters | primary key: `run_…`; sorts by time |
//! | `claim` | string, 64 characters, unique | SHA-256 in hex of project, env, name and tick; of a run that an operator began, of its id |
//! | `project`, `env`, `job`, `release` | string | of what it is a run |
//! | `tick` | timestamp, may be null | the point in time that it is for |
//! | `cause` | string | `schedule`, `catchUp`, `manual` or `breaker` |
//! | `by` | string, may be null | the operator |
//! | `bridge` | string | who runs it |
//! | `started_at`, `ended_at` | timestamp, the second may be null | by the clock of this database |
//! | `outcome` | string | `running`, then `ok`, `error`, `timeout` or `lost`; `skipped` and `missed` did not run; `opened` and `resumed` are no runs, but when the job was stopped and let run again |
//! | `error` | string, may be null | what went wrong, for operators |
//! | `expires_at` | timestamp, indexed | from when on the row may be removed |

use santokit_core::schema::{Generate, Index, PrimaryKey, Table};

use super::Own;

/// The table of jobs.
pub const JOBS: &str = "stk_cron_jobs";

/// The table of runs.
pub const RUNS: &str = "stk_cron_runs";

/// The columns of [`JOBS`].
pub mod jobs {
    use santokit_core::schema::Type;

    use super::Own;

    /// Primary key: SHA-256 in hex.
    pub const ID: Own = Own::of("id", Type::String);
    /// Whose job it is.
    pub const PROJECT: Own = Own::text("project", 40);
    /// Of which env.
    pub const ENV: Own = Own::text("env", 40);
    /// Its name.
    pub const JOB: Own = Own::text("job", 40);
    /// The schedule that the last tick is of.
    pub const TIMES: Own = Own::text("times", 200);
    /// The last tick that was dealt with.
    pub const LAST_TICK: Own = Own::of("last_tick", Type::Timestamp);
    /// Runs that failed one after another.
    pub const FAILURES: Own = Own::of("failures", Type::Int);
    /// Ticks at which a run went on still.
    pub const SKIPPED: Own = Own::of("skipped", Type::Bigint);
    /// Since when it does not run by itself any more.
    pub const OPENED_AT: Own = Own::of("opened_at", Type::Timestamp).nullable();
    /// The run that goes on.
    pub const RUN: Own = Own::text("run", 40).nullable();
    /// Until when its Bridge is believed to be alive.
    pub const LEASE_UNTIL: Own = Own::of("lease_until", Type::Timestamp).nullable();

    /// In the order of the table, without the key.
    pub(super) const ALL: [Own; 10] =
        [PROJECT, ENV, JOB, TIMES, LAST_TICK, FAILURES, SKIPPED, OPENED_AT, RUN, LEASE_UNTIL];
}

/// The columns of [`RUNS`].
pub mod runs {
    use santokit_core::schema::Type;

    use super::Own;

    /// Primary key: `run_…`.
    pub const ID: Own = Own::of("id", Type::String);
    /// No two runs of a job are of one tick.
    pub const CLAIM: Own = Own::text("claim", 64);
    /// Whose job it is.
    pub const PROJECT: Own = Own::text("project", 40);
    /// Of which env.
    pub const ENV: Own = Own::text("env", 40);
    /// Its name.
    pub const JOB: Own = Own::text("job", 40);
    /// Of which release.
    pub const RELEASE: Own = Own::text("release", 40);
    /// The point in time that it is for.
    pub const TICK: Own = Own::of("tick", Type::Timestamp).nullable();
    /// What began it.
    pub const CAUSE: Own = Own::text("cause", 16);
    /// The operator.
    pub const BY: Own = Own::text("by", 100).nullable();
    /// Who runs it.
    pub const BRIDGE: Own = Own::text("bridge", 40);
    /// When it began.
    pub const STARTED_AT: Own = Own::of("started_at", Type::Timestamp);
    /// When it ended.
    pub const ENDED_AT: Own = Own::of("ended_at", Type::Timestamp).nullable();
    /// What came of it.
    pub const OUTCOME: Own = Own::text("outcome", 16);
    /// What went wrong.
    pub const ERROR: Own = Own::of("error", Type::String).nullable();
    /// From when on the row may be removed.
    pub const EXPIRES_AT: Own = Own::of("expires_at", Type::Timestamp);

    /// In the order of the table, without the key.
    pub(super) const ALL: [Own; 14] =
        [CLAIM, PROJECT, ENV, JOB, RELEASE, TICK, CAUSE, BY, BRIDGE, STARTED_AT, ENDED_AT, OUTCOME, ERROR, EXPIRES_AT];
}

/// Both tables.
pub(super) fn tables() -> [(String, Table); 2] {
    let index = |columns: &[Own], unique: bool| Index {
        columns: columns.iter().map(|column| column.name.to_owned()).collect(),
        unique,
    };
    let of_runs = vec![
        index(&[runs::CLAIM], true),
        index(&[runs::PROJECT, runs::ENV, runs::JOB, runs::STARTED_AT], false),
        index(&[runs::EXPIRES_AT], false),
    ];
    let jobs = table(jobs::ID, &jobs::ALL, vec![index(&[jobs::PROJECT, jobs::ENV], false)]);
    [(JOBS.to_owned(), jobs), (RUNS.to_owned(), table(runs::ID, &runs::ALL, of_runs))]
}

fn table(id: Own, columns: &[Own], indexes: Vec<Index>) -> Table {
    Table {
        id: PrimaryKey { name: id.name.to_owned(), generate: Generate::Client, kind: id.kind },
        columns: columns.iter().map(|column| column.declared()).collect(),
        indexes,
        deprecated: None,
        sunset: None,
    }
}
