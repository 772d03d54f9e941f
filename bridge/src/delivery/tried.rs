//! What there was before of a row that is due: whether its event was handled already, and an attempt of which nobody has said what became of it. It is
//! looked at before each attempt, by Bridges that take turns and by those that hand events over to a broker alike.

use std::time::Instant;

use chrono::{DateTime, Utc};
use santokit_sql::delivery::HANDED_OVER;

use super::{
    history::{Attempt, History},
    subscriptions::LoadedSubscription,
    turn::{Turn, acknowledgement},
};
use crate::{
    crud::value::moment,
    db::{DbError, Session},
};

/// The part of a row that says it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tried {
    /// Of the row.
    pub(super) id: String,
    /// The event's id.
    pub(super) event: String,
    /// Attempts that were begun, and were not given back, since it was shared or replayed.
    pub(super) attempts: u32,
    /// Who has tried it last, and has not said what became of it.
    pub(super) claim: Option<String>,
    /// What became of the attempts before; none where nobody has begun one yet.
    pub(super) history: Option<History>,
}

impl Tried {
    /// Whether somebody has tried it whose claim is over. What a broker has had for too long nobody has tried.
    pub(super) fn is_unanswered(&self) -> bool {
        self.claim.as_deref().is_some_and(|claim| claim != HANDED_OVER)
    }

    /// Whether an attempt was begun at all: one that was given back, or that was before a replay, can have been whole.
    fn was_begun(&self) -> bool {
        self.attempts > 0 || self.history.is_some()
    }

    /// What became of the attempts before.
    pub(super) fn history(&mut self) -> &mut History {
        self.history.get_or_insert_default()
    }
}

impl Turn<'_> {
    /// Whether a row is to be tried: not where its event was handled, nor where the attempt that nobody answers for was the last one. That one is noted.
    pub(super) async fn is_to_be_tried(
        &self,
        session: &mut Session,
        tried: &mut Tried,
        (name, loaded): (&str, &LoadedSubscription),
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> Result<bool, DbError> {
        if self.is_acknowledged(session, tried, name, now, deadline).await? {
            return Ok(false);
        }
        if tried.is_unanswered() {
            // Its Bridge has ended in the middle, or lost the database for longer than the claim.
            let attempt = Attempt::new(tried.attempts, (self.bridge, self.release), now);
            let attempt = attempt.because("NO_ANSWER", "the Bridge that tried it has not said what became of it");
            if tried.attempts > loaded.subscription.retry.max_retries {
                let history = std::mem::take(tried.history());
                self.bury(session, (&tried.id, name), (loaded, attempt, history), now, deadline).await?;
                return Ok(false);
            }
            tried.history().add(attempt);
        }
        Ok(true)
    }

    /// Whether an attempt before was whole: its own transaction has said so, and the word of its end did not come. Then it is done.
    pub(super) async fn is_acknowledged(
        &self,
        session: &mut Session,
        tried: &Tried,
        name: &str,
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> Result<bool, DbError> {
        if !tried.was_begun() {
            return Ok(false);
        }
        let id = acknowledgement(self.env, &tried.id);
        if session.rows(&self.scope(session).acknowledged(&id), deadline).await?.is_empty() {
            return Ok(false);
        }
        let done = self.scope(session).done(&tried.id, None);
        session.execute(&done, deadline).await?;
        let shared = self.scope(session).shared(&[&id], &moment(now));
        session.execute(&shared, deadline).await?;
        self.metrics.events.delivered(name);
        tracing::info!(env = %self.env, subscription = name, event = tried.event, "was handled: its transaction says so");
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_was_given_back_or_was_before_a_replay_was_begun() {
        let row = |attempts: u32, claim: Option<&str>, history: Option<History>| Tried {
            attempts,
            claim: claim.map(str::to_owned),
            history,
            ..Tried::default()
        };
        assert!(!row(0, None, None).was_begun());
        for begun in [row(1, None, None), row(0, None, Some(History::default()))] {
            assert!(begun.was_begun() && !begun.is_unanswered(), "{begun:?}");
        }
        assert!(row(1, Some("claim"), None).is_unanswered());
        let handed_over = row(0, Some(HANDED_OVER), None);
        assert!(!handed_over.is_unanswered() && !handed_over.was_begun());
    }
}
