//! The reconciler of canaries: once a second, what the Bridges have counted is held against the gates of each canary that runs, and one
//! whose gate has closed is ended. Several Hubs of a store may look at once; the first that writes ends it.

use std::{sync::Arc, time::Duration};

use santokit_core::problem::{Outcome, Problem};

use super::{
    super::{App, hub_itself, projects::At},
    Ending, Fleet, Record,
};
use crate::store::canaries;

const LOOK_EVERY: Duration = Duration::from_secs(1);

impl App {
    /// Ends canaries whose gates close. It never ends itself.
    pub async fn watch_canaries(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(problem) = self.judge_canaries().await {
                let cause = problem.cause.as_deref().map(|cause| cause as &dyn std::error::Error);
                tracing::warn!(reason = problem.message, cause, "cannot look at canaries");
            }
        }
    }

    async fn judge_canaries(&self) -> Outcome<()> {
        let mut closed = Vec::new();
        let mut db = self.store.read().await?;
        for (project, env, document) in canaries::running(&mut db).await? {
            let record: Record = serde_json::from_str(&document).map_err(Problem::internal)?;
            let fleet = Fleet::of(&mut db, At { project: &project, env: &env }, &record).await?;
            if let Some(reason) = fleet.verdict(&record) {
                closed.push((project, env, record.terms.salt, reason));
            }
        }
        drop(db);
        for (project, env, salt, reason) in closed {
            let (at, ending) = (At { project: &project, env: &env }, (Ending::RolledBack, Some(reason)));
            self.take_back(&hub_itself(), at, Some(&salt), ending).await?;
        }
        Ok(())
    }
}
