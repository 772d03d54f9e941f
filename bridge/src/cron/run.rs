//! One run of a job: its logic, told of the run or called with nothing by the platform itself, within its time; signs of life meanwhile; and how it ended. It runs on
//! the generation on which it began, whatever is served since.

use std::{sync::Arc, time::Duration};

use chrono::SecondsFormat;
use santokit_core::{
    access::{Actor, ActorKind},
    id::Kind,
    problem::Problem,
};
use santokit_wasm::RunInfo;
use serde_json::{Map, Value as Json};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::Instrument;

use super::{
    LoadedJob,
    store::{self, Claim, Ended, Place, StoreError},
};
use crate::{
    app::App,
    call::{BegunBy, CallContext},
    db::Database,
    edge::auth::Pinned,
    generation::Generation,
};

/// Between two tries to keep how a run ended.
const RETRY: Duration = Duration::from_secs(1);

/// A call that was stopped at its time ends within this.
const END_MAX: Duration = Duration::from_secs(1);

/// A run that has begun.
pub struct Running {
    /// What runs.
    pub job: Arc<LoadedJob>,
    /// Which run it is.
    pub claim: Claim,
    /// Where it is kept.
    pub database: Arc<Database>,
    /// Of what.
    pub generation: Arc<Generation>,
    /// Whose it is.
    pub place: Place,
}

impl Running {
    /// Runs it to its end, and keeps how that was.
    pub async fn run(self, app: Arc<App>) {
        let span = tracing::info_span!(
            "cron.run",
            job = self.job.name,
            run = self.claim.run,
            cause = self.claim.cause.as_str(),
            outcome = tracing::field::Empty
        );
        let (name, run) = (self.job.name.as_str(), self.claim.run.as_str());
        let env = self.place.env.to_string();
        tracing::info!(env, job = name, run, cause = self.claim.cause.as_str(), "a run begins");
        let ended = tokio::select! {
            ended = self.call(&app).instrument(span.clone()) => ended,
            () = self.keep_alive() => Ended { outcome: "lost", error: Some("it was given up".to_owned()) },
        };
        span.record("outcome", ended.outcome);
        app.metrics.cron.ran(name, ended.outcome);
        let reason = ended.error.as_deref().unwrap_or_default();
        if ended.outcome == "ok" {
            tracing::info!(env, job = name, run, "a run has ended");
        } else {
            tracing::warn!(env, job = name, run, outcome = ended.outcome, reason, "a run has failed");
        }
        if ended.outcome != "lost" {
            self.keep(&ended).await;
        }
    }

    /// Calls the logic, in a task of its own: a panic of it is not one of the scheduler.
    async fn call(&self, app: &Arc<App>) -> Ended {
        let Some(entry) = self.generation.logics.get(&self.job.job.handler).cloned() else {
            return Ended { outcome: "error", error: Some("the release has no such logic".to_owned()) };
        };
        let actor = Actor { kind: ActorKind::System, subject: None, roles: Vec::new(), claims: Map::new() };
        let pinned = Pinned { actor, generation: Arc::clone(&self.generation) };
        let context = app.context(pinned, Kind::Request.generate().into());
        // What it asks of a database ends with it.
        let context = CallContext { begun_by: BegunBy::Job(self.job.job.timeout), ..context };
        let run = RunInfo {
            id: self.claim.run.clone(),
            job: self.job.name.clone(),
            due_at: self.claim.tick.map(|tick| tick.to_rfc3339_opts(SecondsFormat::Micros, true)),
            cause: self.claim.cause.as_str().to_owned(),
        };
        let called = async move { entry.run(context, run).await };
        // Dropped, it ends the task.
        let mut task = tokio::task::JoinSet::new();
        task.spawn(called.in_current_span());
        let limit = self.job.job.timeout;
        match tokio::time::timeout(limit.duration() + END_MAX, task.join_next()).await {
            Err(_) => Ended { outcome: "timeout", error: Some(format!("it took longer than {limit}")) },
            Ok(Some(Ok(Ok(())))) => Ended { outcome: "ok", error: None },
            Ok(Some(Ok(Err(problem)))) => failed(&problem),
            Ok(Some(Err(_)) | None) => Ended { outcome: "error", error: Some("its task panicked".to_owned()) },
        }
    }

    /// Says that this Bridge lives, until the run is given up: by another Bridge, or here where that could not be said in time.
    async fn keep_alive(&self) {
        let (lease, run) = (self.place.lease, self.claim.run.as_str());
        let failed = |error: &StoreError| tell(error, "a run could not be renewed", (&self.job.name, run));
        hold(lease, || store::renew(&self.database, &self.job, run, lease), failed).await;
    }

    /// Keeps how it ended; for as long as nobody else can have given it up.
    async fn keep(&self, ended: &Ended) {
        let (name, run) = (self.job.name.as_str(), self.claim.run.as_str());
        let tries = self.place.lease.as_secs().max(1);
        for _ in 0..tries {
            match store::end(&self.database, &self.job, &self.place, (run, ended)).await {
                Ok(Some(true)) => {
                    tracing::error!(
                        job = name,
                        run,
                        "a job has failed too often and does not run any more: `stk cron resume`"
                    );
                    return;
                }
                Ok(Some(false)) => return,
                Ok(None) => {
                    tracing::warn!(job = name, run, "a run was given up before it ended");
                    return;
                }
                Err(error) => {
                    tell(&error, "how a run ended could not be kept", (name, run));
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

/// Renews a lease until that is refused, or until it has ended without: then others may begin the next run, beside which this one must not go on.
async fn hold<R>(lease: Duration, renew: impl Fn() -> R, failed: impl Fn(&StoreError))
where
    R: Future<Output = Result<bool, StoreError>>,
{
    let mut until = Instant::now() + lease;
    loop {
        sleep_until((Instant::now() + lease / 3).min(until)).await;
        let asked = Instant::now();
        match timeout_at(until, renew()).await {
            Ok(Ok(true)) => until = asked + lease,
            Ok(Ok(false)) => return,
            Ok(Err(error)) => failed(&error),
            Err(_) => {}
        }
        if Instant::now() >= until {
            return;
        }
    }
}

fn tell(error: &StoreError, what: &str, (job, run): (&str, &str)) {
    tracing::warn!(job, run, error = error as &dyn std::error::Error, "{what}");
}

/// Why a call failed, for operators: codes and the platform's words, and what the guest itself has said.
fn failed(problem: &Problem) -> Ended {
    let limit = problem.details.get("limit").and_then(Json::as_str);
    let own = problem.details.get("code").and_then(Json::as_str).map(|code| format!(" {code}")).unwrap_or_default();
    let outcome = if matches!(limit, Some("timeout" | "queryTimeout")) { "timeout" } else { "error" };
    Ended { outcome, error: Some(format!("{}{own}: {}", problem.code, problem.message)) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const LEASE: Duration = Duration::from_millis(900);

    /// How often it was renewed, how often that failed, and how long it was held.
    async fn held<R>(renew: impl Fn(u32) -> R) -> (u32, u32, Duration)
    where
        R: Future<Output = Result<bool, StoreError>>,
    {
        let (asked, failed, began) = (AtomicU32::new(0), AtomicU32::new(0), Instant::now());
        let count = |_: &StoreError| {
            failed.fetch_add(1, Ordering::Relaxed);
        };
        let holding = hold(LEASE, || renew(asked.fetch_add(1, Ordering::Relaxed)), count);
        tokio::time::timeout(LEASE * 50, holding).await.unwrap();
        (asked.into_inner(), failed.load(Ordering::Relaxed), began.elapsed())
    }

    #[tokio::test]
    async fn a_run_is_held_for_as_long_as_its_lease_is_renewed() {
        let (asked, failed, took) = held(async |number| Ok::<_, StoreError>(number < 6)).await;
        assert_eq!((asked, failed), (7, 0));
        assert!(took > LEASE * 2, "{took:?}");
        // One that fails between two that do not is none.
        let renew = async |number: u32| match number {
            0..6 if number % 2 == 1 => Err(StoreError::Row("x")),
            number => Ok(number < 6),
        };
        let (asked, failed, _) = held(renew).await;
        assert_eq!((asked, failed), (7, 3));
    }

    #[tokio::test]
    async fn a_run_whose_database_is_away_ends_when_others_may_begin_the_next() {
        let (asked, failed, took) = held(async |_| Err(StoreError::Row("x"))).await;
        assert!(asked == failed && asked >= 2 && took >= LEASE && took < LEASE * 3, "{asked} {failed} {took:?}");
        let (asked, _, took) = held(async |_| std::future::pending().await).await;
        assert!(asked == 1 && took >= LEASE && took < LEASE * 3, "{asked} {took:?}");
    }
}
