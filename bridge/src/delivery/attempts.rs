//! What is tried now: each attempt is a task, and what has not come to its end when the Bridge ends is given back.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_sql::delivery::Scope;
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinError, JoinSet},
};

use super::clock::Clock;
use crate::{
    app::App,
    config::EnvName,
    crud::value::moment,
    db::{Database, DbError},
};

/// For one claim to be given back.
const GIVE_BACK_MAX: Duration = Duration::from_secs(1);

/// The end of a Bridge is seen here a moment after it began.
const SEEN_AFTER: Duration = Duration::from_secs(2);

/// What an attempt is of.
#[derive(Clone, Debug)]
pub(super) struct Of {
    /// Who claims the row.
    pub(super) claim: String,
    /// The row.
    pub(super) delivery: String,
    /// Who is given it.
    pub(super) subscription: String,
    /// Of its payload.
    pub(super) bytes: usize,
}

/// When to look again, where it is to be tried again.
pub(super) type Again = Option<Instant>;

/// By claim and row: one claim may be of many.
type Key = (String, String);

/// Those that go on.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    trying: BTreeMap<Key, (Of, AbortHandle)>,
    tasks: JoinSet<(Key, Again)>,
}

impl Attempts {
    /// Begins one.
    pub(super) fn begin(&mut self, of: Of, attempt: impl Future<Output = Again> + Send + 'static) {
        let key = (of.claim.clone(), of.delivery.clone());
        let begun = key.clone();
        let task = self.tasks.spawn(async move { (begun, attempt.await) });
        self.trying.insert(key, (of, task));
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.trying.is_empty()
    }

    /// How many of a subscription.
    pub(super) fn of(&self, subscription: &str) -> u32 {
        let of = self.trying.values().filter(|(of, _)| of.subscription == subscription);
        u32::try_from(of.count()).unwrap_or(u32::MAX)
    }

    /// Bytes of all payloads.
    pub(super) fn bytes(&self) -> usize {
        self.trying.values().map(|(of, _)| of.bytes).sum()
    }

    /// The end of one; waits where there is none.
    pub(super) async fn ended(&mut self) -> Again {
        match self.tasks.join_next().await {
            Some(ended) => self.note(ended),
            None => std::future::pending().await,
        }
    }

    /// The end of one that has ended, if there is any.
    pub(super) fn try_ended(&mut self) -> Option<Again> {
        let ended = self.tasks.try_join_next()?;
        Some(self.note(ended))
    }

    fn note(&mut self, ended: Result<(Key, Again), JoinError>) -> Again {
        match ended {
            Ok((key, again)) => {
                self.trying.remove(&key);
                again
            }
            // A panic of ours: the claim ends by itself, and its place is free then.
            Err(error) => {
                tracing::error!(%error, "an attempt ended without a word");
                self.trying.retain(|_, (_, task)| !task.is_finished());
                None
            }
        }
    }

    /// Lets all come to their end; where the Bridge ends, for as long as it may take for its own, and gives the rest back.
    pub(super) async fn end(
        mut self,
        app: &App,
        env: &EnvName,
        database: Option<(&Arc<Database>, &Clock)>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let most = app.config.drain_timeout.saturating_sub(SEEN_AFTER);
        let is_over = async {
            if !app.is_draining() {
                drop(stopped.wait_for(|stopped| *stopped).await);
            }
            tokio::time::sleep(most).await;
        };
        tokio::pin!(is_over);
        while !self.is_empty() {
            tokio::select! {
                _ = self.ended() => {}
                () = &mut is_over => {
                    self.tasks.abort_all();
                    break;
                }
            }
        }
        while self.tasks.join_next().await.is_some() {}
        let Some((database, clock)) = database else { return };
        for (of, _) in self.trying.into_values() {
            if give_back(env, database, clock, &of).await.is_err() {
                tracing::info!(delivery = of.delivery, "a claim could not be given back; it ends by itself");
            }
        }
    }
}

async fn give_back(env: &EnvName, database: &Database, clock: &Clock, of: &Of) -> Result<(), DbError> {
    let scope = Scope { project: &env.project, env: &env.env, dialect: database.dialect() };
    let give = scope.give_back(&of.delivery, &of.claim, &moment(clock.now()));
    database.execute(&give, Instant::now() + GIVE_BACK_MAX).await.map(drop)
}
