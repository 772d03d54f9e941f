//! The scheduler of an env: it looks at each job when its time has come, runs what it has claimed, and gives up what others have lost. Where it
//! ends it begins nothing more, and waits for what runs.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    Asked, LoadedJob,
    run::Running,
    store::{self, Done, Looked, Place, StoreError},
};
use crate::{app::App, db::Database, generation::Generation, release::EnvSlot};

/// How often it is seen whether there is another release, and whether something is due.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// After a failure of the database a job is looked at again.
const RETRY: Duration = Duration::from_secs(5);

/// How often runs are removed whose time is over.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// What is known of a job here.
struct Known {
    job: Arc<LoadedJob>,
    /// From when on its ticks are this Bridge's matter, as the last look has told.
    since: Option<DateTime<Utc>>,
    /// Whether it has failed too often, as was seen last.
    is_open: bool,
    /// When it is looked at.
    due: Instant,
    /// Whether that goes on.
    is_looked_at: bool,
}

/// What came of a look.
struct Look {
    job: Arc<LoadedJob>,
    database: Option<Arc<Database>>,
    generation: Arc<Generation>,
    /// Who waits for the id of a run.
    asked: Option<tokio::sync::oneshot::Sender<Outcome<String>>>,
    found: Result<Looked, StoreError>,
}

struct Scheduler {
    app: Arc<App>,
    slot: Arc<EnvSlot>,
    jobs: HashMap<String, Known>,
    looks: JoinSet<Look>,
    runs: JoinSet<()>,
    /// Dropped, they end: what they leave the next Bridge removes.
    sweeps: JoinSet<()>,
    /// When they began last.
    swept: Option<Instant>,
}

/// Runs the jobs of an env until the Bridge ends.
pub async fn run(
    app: Arc<App>,
    slot: Arc<EnvSlot>,
    mut asked: mpsc::Receiver<Asked>,
    mut stopped: watch::Receiver<bool>,
) {
    let drain = app.config.drain_timeout;
    let mut scheduler = Scheduler {
        app,
        slot,
        jobs: HashMap::new(),
        looks: JoinSet::new(),
        runs: JoinSet::new(),
        sweeps: JoinSet::new(),
        swept: None,
    };
    loop {
        let wait = scheduler.turn();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            Some(look) = scheduler.looks.join_next() => scheduler.looked(look.ok()),
            Some(_) = scheduler.runs.join_next() => {}
            Some(_) = scheduler.sweeps.join_next() => {}
            Some(asked) = asked.recv() => scheduler.ask(asked),
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
    }
    let ending = async {
        while let Some(look) = scheduler.looks.join_next().await {
            scheduler.looked(look.ok());
        }
        while scheduler.runs.join_next().await.is_some() {}
    };
    if tokio::time::timeout(drain, ending).await.is_err() {
        tracing::warn!("runs that did not end in time are given up");
    }
}

impl Known {
    /// What is known of a job, beside what was known of one of that name.
    fn of(job: &Arc<LoadedJob>, before: Option<Known>, now: Instant) -> Self {
        match before {
            Some(before) if before.job == *job => before,
            before => {
                // Where the ticks are the same, in the same place, they have been this Bridge's matter all the time.
                let same = before.filter(|before| job.has_ticks_of(&before.job));
                let (since, is_open) = same.map_or((None, false), |same| (same.since, same.is_open));
                Known { job: Arc::clone(job), since, is_open, due: now, is_looked_at: false }
            }
        }
    }
}

impl Scheduler {
    /// Begins the looks that are due; how long nothing else is.
    fn turn(&mut self) -> Duration {
        // Who ends begins nothing more.
        let Some(generation) = self.slot.generation().filter(|_| !self.app.is_draining()) else { return LOOK_AGAIN };
        let now = Instant::now();
        let mut before = std::mem::take(&mut self.jobs);
        let known = |job: &Arc<LoadedJob>| (job.name.clone(), Known::of(job, before.remove(&job.name), now));
        self.jobs = generation.jobs.iter().map(known).collect();
        let open = self.jobs.values().filter(|known| known.is_open);
        self.slot.stop_jobs(open.map(|known| known.job.name.clone()).collect());
        self.sweep(&generation, now);
        let place = self.place(&generation);
        let mut wait = LOOK_AGAIN;
        for known in self.jobs.values_mut().filter(|known| !known.is_looked_at) {
            let left = known.due.saturating_duration_since(now);
            if !left.is_zero() {
                wait = wait.min(left);
                continue;
            }
            known.is_looked_at = true;
            let (job, generation, place) = (Arc::clone(&known.job), Arc::clone(&generation), place.clone());
            let since = known.since;
            self.looks.spawn(async move {
                let database = generation.databases.get(&job.job.connection).cloned();
                let found = match &database {
                    Some(database) => store::look(database, &place, &job, since).await,
                    None => Err(StoreError::Row("a connection that is not there")),
                };
                Look { job, database, generation, asked: None, found }
            });
        }
        wait
    }

    /// Has runs removed whose time is over, if it is time for that; by the clock, since ticks that are skipped leave rows as well.
    fn sweep(&mut self, generation: &Generation, now: Instant) {
        if self.swept.is_some_and(|swept| now.duration_since(swept) < SWEEP_EVERY) || !self.sweeps.is_empty() {
            return;
        }
        self.swept = Some(now);
        let connections: BTreeSet<&str> = generation.jobs.iter().map(|job| job.job.connection.as_str()).collect();
        for database in connections.into_iter().filter_map(|name| generation.databases.get(name)) {
            let database = Arc::clone(database);
            self.sweeps.spawn(async move {
                match store::sweep(&database).await {
                    Ok(0) => {}
                    Ok(removed) => tracing::debug!(removed, "runs whose time is over were removed"),
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "runs whose time is over could not be removed");
                    }
                }
            });
        }
    }

    fn place(&self, generation: &Generation) -> Place {
        Place {
            env: self.slot.name.clone(),
            release_id: generation.release_id.clone(),
            bridge: self.app.config.id.clone(),
            lease: self.app.config.cron_lease,
        }
    }

    /// Begins a run for an operator.
    fn ask(&mut self, Asked { job: name, by, answer }: Asked) {
        let found = self.slot.generation().and_then(|generation| {
            let job = Arc::clone(generation.jobs.get(&name)?);
            let database = Arc::clone(generation.databases.get(&job.job.connection)?);
            Some((generation, job, database))
        });
        let Some((generation, job, database)) = found else {
            // Who asks may have gone.
            drop(answer.send(Err(Problem::new(Code::NotFound, "there is no such job"))));
            return;
        };
        let place = self.place(&generation);
        self.looks.spawn(async move {
            let begun = store::begin(&database, &place, &job, &by).await;
            let found = begun.map(|claim| Looked {
                now: DateTime::<Utc>::UNIX_EPOCH,
                since: DateTime::<Utc>::UNIX_EPOCH,
                is_open: false,
                done: claim.map_or(Done::Skipped, Done::Claimed),
                missed: None,
                lost: None,
            });
            Look { job, database: Some(database), generation, asked: Some(answer), found }
        });
    }

    /// Notes what came of a look, and runs what was claimed.
    fn looked(&mut self, look: Option<Look>) {
        let Some(Look { job, database, generation, asked, found }) = look else { return };
        let wait = self.next_look(&job, &found, asked.is_some());
        // What was looked at may be another job by now, which is looked at itself.
        let known = self.jobs.get_mut(&job.name).filter(|known| Arc::ptr_eq(&known.job, &job));
        if let (Some(wait), Some(known)) = (wait, known) {
            known.is_looked_at = false;
            known.due = Instant::now() + wait;
            if let Ok(looked) = &found {
                (known.since, known.is_open) = (Some(looked.since), looked.is_open);
            }
        }
        let answer = match found {
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(job = job.name, error, "a job could not be looked at");
                Err(Problem::new(Code::ServiceUnavailable, "the job's database is not available now"))
            }
            Ok(Looked { done, missed, lost, .. }) => {
                if let Some((run, opens)) = lost {
                    self.app.metrics.cron.ran(&job.name, "lost");
                    tracing::error!(job = job.name, run, opens, "a run is lost: its Bridge was not heard of any more");
                }
                if let Some(missed) = missed {
                    self.app.metrics.cron.missed(&job.name, missed.count);
                    tracing::warn!(job = job.name, "no Bridge was there: {missed}");
                }
                match done {
                    Done::Claimed(claim) => {
                        let id = claim.run.clone();
                        if let Some(database) = database {
                            let place = self.place(&generation);
                            let running = Running { job, claim, database, generation, place };
                            self.runs.spawn(running.run(Arc::clone(&self.app)));
                        }
                        Ok(id)
                    }
                    Done::Skipped => {
                        if asked.is_none() {
                            self.app.metrics.cron.ran(&job.name, "skipped");
                            tracing::warn!(job = job.name, "a tick is skipped: the run before it goes on");
                        }
                        Err(Problem::new(Code::Conflict, "a run of this job goes on")
                            .hint("`stk cron status` shows it"))
                    }
                    Done::Nothing | Done::Passed => return,
                }
            }
        };
        if let Some(asked) = asked {
            // Who asks may have gone.
            drop(asked.send(answer));
        }
    }

    /// How long the job need not be looked at; none where it was not a look of the schedule.
    fn next_look(&self, job: &LoadedJob, found: &Result<Looked, StoreError>, is_asked: bool) -> Option<Duration> {
        if is_asked {
            return None;
        }
        let Ok(looked) = found else { return Some(RETRY) };
        let next = job.times.next_after(looked.now).and_then(|next| (next - looked.now).to_std().ok());
        // Also for the runs of others, which may be lost.
        let lease = self.app.config.cron_lease;
        Some(next.unwrap_or(lease).min(lease))
    }
}
