//! One attempt: the handler is given the event, and what became of it is said in the event's row, by who claims it. Whoever has lost the claim
//! says nothing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use rand::RngExt;
use santokit_core::{
    access::Actor,
    code::Code,
    event::Retry,
    id::Kind,
    problem::{Outcome, Problem},
};
use santokit_sql::delivery::Scope;
use santokit_wasm::EventInfo;
use tracing::Instrument;

use super::{
    attempts::Again,
    clock::Clock,
    held::Room,
    history::Attempt,
    rows::{Claimed, Due},
    sharing::{UNKNOWN, UNKNOWN_FILTER},
    subscriptions::{Admitted, LoadedSubscription},
    turn::{MARGIN, acknowledgement, dead},
    words::{WORD_MAX, Word, Words},
};
use crate::{
    app::App,
    broker::Ticket,
    crud::value::moment,
    db::{Database, DbError, Mode, Share},
    edge::auth::Pinned,
    events::{Acknowledgement, Occasion},
    generation::Generation,
};

/// Between two tries at saying the end.
const WORD_AGAIN: Duration = Duration::from_millis(250);

/// Where an attempt takes place.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The Bridge.
    pub(super) app: Arc<App>,
    /// What it is tried on, from its begin to its end.
    pub(super) generation: Arc<Generation>,
    /// The connection that the event is on.
    pub(super) connection: String,
    /// That database.
    pub(super) database: Arc<Database>,
    /// Where it is said what became of it.
    pub(super) words: Words,
    /// The time.
    pub(super) clock: Arc<Clock>,
}

/// What became of it.
enum Ended {
    /// With the row by which its own transaction may have said so.
    Handled(Option<String>),
    /// All instances were busy: it was not tried.
    NotTried,
    /// By an attempt, whose transaction may all the same have said that the event is handled: the answer to its commit can be lost.
    Failed(Box<Attempt>, Option<String>),
    /// Nobody could say whether it is the subscription's: no attempt was made, and none would find it out.
    Unknown(Box<Attempt>),
}

impl Place {
    /// Tries it, and says what became of it. When to look again, if it is to be tried again.
    pub(super) async fn attempt(self, claimed: Claimed) -> Again {
        let span = tracing::info_span!(
            "bridge.event",
            env = %self.generation.env,
            topic = claimed.topic,
            subscription = claimed.subscription,
            event = claimed.event,
            attempt = claimed.attempt,
        );
        self.attempt_in_span(claimed).instrument(span).await
    }

    /// Tries what a ticket is for, unless it is void. The error is that of its row, which cannot be reached.
    pub(super) async fn attempt_by(
        self,
        ticket: &Ticket,
        subscription: &str,
        claim: String,
        room: Room,
    ) -> Result<Again, DbError> {
        let Some(loaded) = self.generation.subscriptions.get(subscription) else { return Ok(None) };
        let kept = loaded.subscription.timeout.duration() + MARGIN;
        let (ends, deadline) = (Instant::now() + kept, Instant::now() + WORD_MAX);
        let until = moment(self.clock.now() + TimeDelta::from_std(kept).unwrap_or(TimeDelta::MAX));
        let env = &self.generation.env;
        let scope = Scope { project: &env.project, env: &env.env, dialect: self.database.dialect() };
        let mut session = self.database.session(Mode::Write, Share::Platform, deadline).await?;
        // A ticket says which row, and not whose it is.
        let begin = scope.begin((&ticket.delivery, subscription), ticket.attempts, &claim, &until);
        if session.execute(&begin, deadline).await?.affected == 0 {
            session.end();
            return Ok(None);
        }
        let rows = session.rows(&scope.begun(&ticket.delivery, &claim), deadline).await?;
        session.end();
        match rows.into_iter().next().and_then(Due::of) {
            Some(due) => {
                let claimed = due.claimed(claim, ends);
                let _held = room.of(claimed.bytes);
                Ok(self.attempt(claimed).await)
            }
            None => Ok(None),
        }
    }

    async fn attempt_in_span(self, claimed: Claimed) -> Again {
        // It was there in the turn; what a release is, it stays.
        let loaded = self.generation.subscriptions.get(&claimed.subscription)?;
        let ended = match self.filtered(&claimed, loaded) {
            Some(ended) => ended,
            None => self.run(&claimed, loaded).await,
        };
        let (word, again) = self.word(&claimed, loaded, ended);
        if let Err(error) = self.say(&claimed, word).await {
            // The claim ends, and another attempt finds out whether this one was whole.
            tracing::warn!(error = &*error as &dyn std::error::Error, "what became of an event could not be said");
        }
        again
    }

    /// An event that is a dead letter because no filter could say whether it is the subscription's, and that was replayed: the filter of now says it.
    fn filtered(&self, claimed: &Claimed, loaded: &LoadedSubscription) -> Option<Ended> {
        // Also in a later attempt: the Bridge of the first one may have ended before it had asked.
        match claimed.history.has(UNKNOWN).then(|| loaded.admits(&claimed.payload))? {
            Admitted::Yes => None,
            Admitted::No => Some(Ended::Handled(None)),
            Admitted::Unknown(_) => {
                let attempt = self.begun(claimed).because(UNKNOWN, UNKNOWN_FILTER);
                Some(Ended::Unknown(attempt.into()))
            }
        }
    }

    fn begun(&self, claimed: &Claimed) -> Attempt {
        let bridge = (self.app.config.id.as_str(), self.generation.release_id.as_str());
        Attempt::new(claimed.attempt, bridge, self.clock.now())
    }

    async fn run(&self, claimed: &Claimed, loaded: &LoadedSubscription) -> Ended {
        let of = &loaded.subscription;
        let request_id: Arc<str> = Kind::Request.generate().into();
        let failed = |problem: &Problem, occasion: Option<&Occasion>| {
            let attempt = self.begun(claimed).failed(problem, occasion.and_then(Occasion::failure));
            Ended::Failed(attempt.into(), occasion.and_then(Occasion::told).map(str::to_owned))
        };
        let Some(entry) = self.generation.logics.get(&of.handler) else {
            return failed(&Problem::new(Code::NotFound, "the handler is not there"), None);
        };
        // Where the handler's transaction is on the event's database, that says it with what the handler did.
        let id = acknowledgement(&self.generation.env, &claimed.id);
        let acknowledgement = Acknowledgement { connection: self.connection.clone(), id };
        let occasion = Arc::new(Occasion::new(info(claimed), Some(acknowledgement)));
        let pinned = Pinned { actor: Actor::system(), generation: Arc::clone(&self.generation) };
        let context = self.app.context(pinned, Arc::clone(&request_id));
        let handling = entry.handle(context, &occasion, &claimed.payload);
        let handled: Outcome<()> = tokio::time::timeout(of.timeout.duration(), handling).await.unwrap_or_else(|_| {
            let limit = "timeout";
            Err(Problem::limit(Code::LogicFailed, limit, "the handler ran into the time of its subscription"))
        });
        match handled {
            Ok(()) => Ended::Handled(occasion.told().map(str::to_owned)),
            Err(problem) if is_busy(&problem) => Ended::NotTried,
            Err(problem) => {
                // What a guest says itself is in the event's row, and not here.
                match problem.code {
                    Code::LogicError => {
                        tracing::warn!(requestId = %request_id, code = %problem.code, "an event was refused by its handler");
                    }
                    code => {
                        tracing::warn!(requestId = %request_id, %code, cause = ?problem.cause, "an event was not handled: {}", problem.message);
                    }
                }
                failed(&problem, Some(&occasion))
            }
        }
    }

    /// What is said, and when to look again.
    fn word(&self, claimed: &Claimed, loaded: &LoadedSubscription, ended: Ended) -> (Word, Option<Instant>) {
        let (env, of) = (&self.generation.env, &loaded.subscription);
        let scope = Scope { project: &env.project, env: &env.env, dialect: self.database.dialect() };
        let (metrics, now) = (&self.app.metrics.events, self.clock.now());
        let (attempt, told, is_unknown) = match ended {
            Ended::Handled(acknowledgement) => {
                metrics.delivered(&claimed.subscription);
                metrics.lag(&claimed.subscription, lag(claimed, now));
                return (Word::Handled(acknowledgement), None);
            }
            Ended::NotTried => {
                metrics.busy(&claimed.subscription);
                let wait = back_off(&of.retry, 1);
                let back = scope.give_back(&claimed.id, &claimed.claim, &moment(now + wait.1));
                return (Word::Change(back), Some(wait.0));
            }
            Ended::Failed(attempt, told) => (*attempt, told, false),
            Ended::Unknown(attempt) => (*attempt, None, true),
        };
        // What a transaction may have handled all the same is looked at once more, whatever became of it.
        let is_final = is_unknown || (told.is_none() && of.retry.never.contains(&attempt.code));
        let (line, mut history) = (attempt.line(), claimed.history.clone());
        history.add(attempt);
        let tried_in_vain = claimed.attempt > of.retry.max_retries;
        // Where its transaction may have said that it is handled, a turn finds out whether it has, once more.
        let may_be_handled = told.is_some() && claimed.attempt == of.retry.max_retries.saturating_add(1);
        if is_final || (tried_in_vain && !may_be_handled) {
            metrics.dead_lettered(&claimed.subscription);
            if of.dead_letter {
                tracing::error!("an event was tried in vain, and is a dead letter");
            } else {
                tracing::error!("an event is given up, as the subscription says");
            }
            let mine = (claimed.id.as_str(), Some(claimed.claim.as_str()));
            let when = (now, self.app.config.delivery.dead_letter_retention);
            return (Word::Change(dead(scope, mine, loaded, (&line, &history), when)), None);
        }
        metrics.retried(&claimed.subscription);
        let (at, wait) = back_off(&of.retry, claimed.attempt);
        let due = moment(now + wait);
        let change = scope.again(&claimed.id, &claimed.claim, &due, (&line, &history.bytes()));
        (Word::Change(change), Some(at))
    }

    /// Says it, again and again while the claim lasts.
    async fn say(&self, claimed: &Claimed, word: Word) -> Result<(), Arc<DbError>> {
        loop {
            match self.words.say(claimed, word.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() + WORD_AGAIN >= claimed.ends => return Err(error),
                Err(_) => tokio::time::sleep(WORD_AGAIN).await,
            }
        }
    }
}

fn info(claimed: &Claimed) -> EventInfo {
    EventInfo {
        id: claimed.event.clone(),
        topic: claimed.topic.clone(),
        published_at: claimed.published_at.clone(),
        attempt: claimed.attempt,
        caused_by: claimed.caused_by.clone(),
        depth: claimed.depth,
    }
}

/// No instance was free: of that the handler knows nothing.
fn is_busy(problem: &Problem) -> bool {
    problem.code == Code::ServiceUnavailable && problem.details.contains_key("limit")
}

/// When an event is tried again after an attempt: twice as long after each, and not all at once.
fn back_off(retry: &Retry, attempt: u32) -> (Instant, TimeDelta) {
    let doubled = retry.min_backoff.0.saturating_mul(1_u64 << attempt.saturating_sub(1).min(20));
    let most = doubled.min(retry.max_backoff.0).max(1);
    let millis = rand::rng().random_range(most.div_ceil(2)..=most);
    let wait = Duration::from_millis(millis);
    (Instant::now() + wait, TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX))
}

fn lag(claimed: &Claimed, now: DateTime<Utc>) -> Duration {
    let published = DateTime::parse_from_rfc3339(&claimed.published_at).ok();
    published.and_then(|published| (now - published.to_utc()).to_std().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use santokit_core::quantity::Millis;

    use super::*;

    #[test]
    fn it_waits_twice_as_long_each_time_up_to_the_most() {
        let retry = Retry { max_retries: 10, min_backoff: Millis(100), max_backoff: Millis(1_000), never: Vec::new() };
        for (attempt, most) in [(1, 100), (2, 200), (4, 800), (5, 1_000), (11, 1_000)] {
            for _ in 0..20 {
                let (_, wait) = back_off(&retry, attempt);
                assert!((most / 2..=most).contains(&wait.num_milliseconds()), "{attempt}: {wait}");
            }
        }
        let longest = Retry { max_backoff: Millis(u64::MAX), min_backoff: Millis(u64::MAX), ..retry };
        assert!(back_off(&longest, 11).1 > TimeDelta::zero());
    }
}
