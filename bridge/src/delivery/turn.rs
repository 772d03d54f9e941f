//! A turn: events that nobody was given yet are shared among the subscriptions, and what is due is claimed, in one transaction. One Bridge at a time has
//! the turn of an env's events on a connection; it takes milliseconds. What is claimed is tried outside of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use santokit_core::{release::Digest, value::Value};
use santokit_sql::{
    delivery::Scope,
    failure::FailureKind,
    schema::bookkeeping::{Own, delivery},
    statement::Statement,
};
use ulid::Ulid;

use super::{
    clock::Clock,
    history::{Attempt, History},
    order::{Asked, Wanted},
    rows::{Claimed, Due, Orphaned, bytes, text, whole},
    sharing::Fresh,
    subscriptions::{LoadedSubscription, Subscriptions},
};
use crate::{
    config::EnvName,
    crud::value::moment,
    db::{Database, DbError, Mode, Session, Share},
    metrics::Metrics,
};

/// Events that are shared in one turn.
pub(super) const SHARED_MAX: u32 = 100;

/// Events that are looked at for one subscription.
pub(super) const DUE_MAX: u32 = 100;

/// How long a turn may take.
pub(super) const TURN_MAX: Duration = Duration::from_secs(10);

/// What clocks and rounding may make of a moment.
const DUE_SLACK: Duration = Duration::from_millis(5);

/// How long after an attempt's time its claim ends: for the word of its end.
pub(super) const MARGIN: Duration = Duration::from_secs(5);

/// What a turn works with.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    /// Whose events.
    pub(super) env: &'a EnvName,
    /// `rel_…` of the release that decides.
    pub(super) release: &'a str,
    /// This Bridge.
    pub(super) bridge: &'a str,
    /// Of the release.
    pub(super) subscriptions: &'a Subscriptions,
    /// How long nobody has tried an event whose subscription the release does not have, before it is dead.
    pub(super) orphaned_after: Duration,
    /// How long dead letters are kept.
    pub(super) dead_kept: Duration,
    /// Whether to look for such, which reads all that waits, and for marks.
    pub(super) looks_for_orphans: bool,
    /// Whether what was published long ago is shared though nobody has a place for it.
    pub(super) shares_old: bool,
    /// Bytes of payloads that may be taken.
    pub(super) room: usize,
    /// The time.
    pub(super) clock: &'a Clock,
    /// The numbers.
    pub(super) metrics: &'a Metrics,
}

/// What a turn has left.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct More {
    /// Whether there may be more that nobody was given yet, or more to be tried for which there is a place.
    pub(super) at_once: bool,
    /// Whether there may be more of subscriptions that are gone.
    pub(super) of_orphans: bool,
    /// Whether there may be more that was published long ago.
    pub(super) of_old: bool,
}

/// What came of a turn.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// To be tried now.
    pub(super) claimed: Vec<Claimed>,
    /// What is left.
    pub(super) more: More,
    /// Whether there may be more for which there was no place.
    pub(super) is_full: bool,
}

impl Taken {
    /// Adds what was found of a subscription that has so many places, and claimed of it; the places that are left where nothing is left that waits.
    fn add(&mut self, found: usize, claimed: Vec<Claimed>, places: u32) -> u32 {
        let some = u32::try_from(claimed.len()).unwrap_or(u32::MAX);
        if found >= places as usize {
            self.more.at_once |= claimed.len() < found;
            self.is_full |= claimed.len() == found;
        }
        self.claimed.extend(claimed);
        if found < places as usize { places.saturating_sub(some) } else { 0 }
    }
}

impl Turn<'_> {
    pub(super) fn scope(&self, session: &Session) -> Scope<'_> {
        Scope { project: &self.env.project, env: &self.env.env, dialect: session.dialect() }
    }

    /// Whether there is something to do. Reading only, so that an idle database is left alone; but for marks, now and then.
    pub(super) async fn is_worth_it(&self, database: &Database) -> Result<bool, DbError> {
        let deadline = Instant::now() + TURN_MAX;
        let scope = Scope { project: &self.env.project, env: &self.env.env, dialect: database.dialect() };
        let now = self.clock.now();
        let statement = scope.is_there(&self.subscriptions.topics(), &self.subscriptions.names(), &moment(now));
        if !database.rows(Mode::Read, &statement, deadline).await?.is_empty() {
            return Ok(true);
        }
        if !self.looks_for_orphans {
            return Ok(false);
        }
        database.execute(&scope.marks(&moment(now)), deadline).await?;
        let mut after = String::new();
        while let Some(name) = named(database.rows(Mode::Read, &scope.next_subscription(&after), deadline).await?) {
            let orphaned = scope.orphaned(&name, &moment(now - self.orphaned_after()), 1);
            if self.subscriptions.get(&name).is_none()
                && !database.rows(Mode::Read, &orphaned, deadline).await?.is_empty()
            {
                return Ok(true);
            }
            after = name;
        }
        Ok(false)
    }

    /// Takes the turn. `places` is how many more events of each subscription this Bridge can try.
    pub(super) async fn take(&self, database: &Database, places: &BTreeMap<String, u32>) -> Result<Taken, DbError> {
        let deadline = Instant::now() + TURN_MAX;
        let mut session = database.begin(Mode::Write, Share::Platform, deadline).await?;
        self.own_the_turn(&mut session, deadline).await?;
        let now = self.clock.now();
        let of_orphans = self.bury_orphaned(&mut session, now, deadline).await?;
        let running = self.scope(&session).claimed(&self.subscriptions.names(), &moment(now));
        let running = Self::counted(&mut session, &running, deadline).await?;
        let most = |name: &str, loaded: &LoadedSubscription| {
            let of_all = loaded.subscription.concurrency.saturating_sub(running.get(name).copied().unwrap_or(0));
            of_all.min(places.get(name).copied().unwrap_or(0)).min(DUE_MAX)
        };
        let (ordered, loose): (Vec<_>, Vec<_>) = self
            .subscriptions
            .iter()
            .map(|(name, loaded)| (name.as_str(), loaded, most(name, loaded)))
            .filter(|(.., most)| *most > 0)
            .partition(|(_, loaded, _)| loaded.subscription.order_by.is_some());
        let (mut taken, mut room) = (Taken::default(), self.room);
        let mut fresh = Fresh::of_places(self.subscriptions.is_empty());
        // What waits comes before what is new; where nothing is left of it, what is new needs not wait. An order is looked at with both in their rows.
        for (name, loaded, most) in loose {
            let (found, claimed) = self.claim(&mut session, (name, loaded), (now, most), &mut room, deadline).await?;
            fresh.allow(name, loaded, taken.add(found, claimed, most), now);
        }
        for (name, _, most) in &ordered {
            fresh.await_rows(name, *most);
        }
        fresh.room = room;
        taken.more.at_once |= self.share(&mut session, &mut fresh, now, deadline).await?;
        (taken.is_full, taken.more.of_old) = (taken.is_full || fresh.is_full, fresh.has_more_old);
        (taken.more.of_orphans, room) = (of_orphans, fresh.room);
        taken.claimed.extend(fresh.claimed);
        for (name, loaded, most) in ordered {
            let (found, claimed) = self.claim(&mut session, (name, loaded), (now, most), &mut room, deadline).await?;
            taken.add(found, claimed, most);
        }
        session.commit(deadline).await?;
        session.end();
        Ok(taken)
    }

    /// The first statement of the transaction, so that all that it reads after it is what the turn before has left.
    pub(super) async fn own_the_turn(&self, session: &mut Session, deadline: Instant) -> Result<(), DbError> {
        let (scope, now) = (self.scope(session), moment(self.clock.now()));
        let id = digits(&format!("{}\0{}", self.env.project, self.env.env));
        if session.execute(&scope.take_turn(&id, self.bridge, &now), deadline).await?.affected == 0 {
            // Two who are first at once: one of them fails here, and comes again.
            session.execute(&scope.first_turn(&id, self.bridge, &now), deadline).await?;
        }
        Ok(())
    }

    /// Events of subscriptions that the release does not have any more, and that nobody tries; whether there may be more.
    pub(super) async fn bury_orphaned(
        &self,
        session: &mut Session,
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> Result<bool, DbError> {
        if !self.looks_for_orphans {
            return Ok(false);
        }
        session.execute(&self.scope(session).marks(&moment(now)), deadline).await?;
        let (mut rows, mut after) = (Vec::new(), String::new());
        while rows.len() < SHARED_MAX as usize {
            let next = self.scope(session).next_subscription(&after);
            let Some(name) = named(session.rows(&next, deadline).await?) else { break };
            if self.subscriptions.get(&name).is_none() {
                let orphaned = self.scope(session).orphaned(&name, &moment(now - self.orphaned_after()), SHARED_MAX);
                rows.extend(session.rows(&orphaned, deadline).await?);
            }
            after = name;
        }
        let has_more = rows.len() >= SHARED_MAX as usize;
        for mut due in rows.into_iter().filter_map(Orphaned::of) {
            if self.is_acknowledged(session, &due.tried, &due.subscription, now, deadline).await? {
                continue;
            }
            let attempt = Attempt::new(due.tried.attempts, (self.bridge, self.release), now);
            let why = format!("the release has no subscription {:?} any more", due.subscription);
            let attempt = attempt.because("NO_SUBSCRIPTION", &why);
            let line = attempt.line();
            due.tried.history().add(attempt);
            let (history, ends) = (due.tried.history().bytes(), now + self.dead_kept);
            let ends = (&moment(now), &moment(ends));
            let bury = self.scope(session).bury(&due.tried.id, None, ends, (&line, &history));
            session.execute(&bury, deadline).await?;
            let (env, event) = (self.env, &due.tried.event);
            tracing::warn!(%env, subscription = due.subscription, event, "a dead letter: {line}");
            self.metrics.events.dead_lettered(&due.subscription);
        }
        Ok(has_more)
    }

    fn orphaned_after(&self) -> TimeDelta {
        TimeDelta::from_std(self.orphaned_after).unwrap_or(TimeDelta::MAX)
    }

    /// How many each subscription has, by a statement that counts them.
    pub(super) async fn counted(
        session: &mut Session,
        statement: &Statement,
        deadline: Instant,
    ) -> Result<BTreeMap<String, u32>, DbError> {
        let rows = session.rows(statement, deadline).await?;
        let of = |row: Vec<Value>| match <[Value; 2]>::try_from(row) {
            Ok([Value::Text(name), count]) => Some((name, whole(&count))),
            _ => None,
        };
        Ok(rows.into_iter().filter_map(of).collect())
    }

    /// How many were found, and those of them that are to be tried, for whose payloads there is room.
    async fn claim(
        &self,
        session: &mut Session,
        (name, loaded): (&str, &LoadedSubscription),
        (now, most): (DateTime<Utc>, u32),
        room: &mut usize,
        deadline: Instant,
    ) -> Result<(usize, Vec<Claimed>), DbError> {
        let of = &loaded.subscription;
        let (in_order, now_there) = (of.order_by.is_some(), moment(now));
        let wanted = Wanted { asked: Asked::Due, subscription: name, in_order, now: &now_there, most };
        let rows = self.due(session, wanted, deadline).await?;
        let (mut all, mut seen, found) = (Vec::new(), BTreeSet::new(), rows.len());
        for mut due in rows.into_iter().filter_map(Due::of) {
            if *room == 0 {
                break;
            }
            if !seen.insert(due.tried.id.clone())
                || !self.is_to_be_tried(session, &mut due.tried, (name, loaded), now, deadline).await?
            {
                continue;
            }
            let payload = match due.payload.take() {
                Some(small) => small,
                None => Self::payload(session, &self.scope(session).payload(&due.tried.id), deadline).await?,
            };
            *room = room.saturating_sub(payload.len());
            due.payload = Some(payload);
            due.tried.attempts = due.tried.attempts.saturating_add(1);
            all.push(due);
        }
        // One word for all of them, and one statement: what was tried before and says nothing has a history of its own.
        let kept = of.timeout.duration() + MARGIN;
        let claim = Ulid::new().to_string();
        let until = moment(now + TimeDelta::from_std(kept).unwrap_or(TimeDelta::MAX));
        for tried in all.iter_mut().map(|due| &mut due.tried).filter(|tried| tried.is_unanswered()) {
            let history = tried.history().bytes();
            let begin = self.scope(session).claim(&tried.id, &claim, &until, Some(&history));
            session.execute(&begin, deadline).await?;
        }
        let fresh = all.iter().filter(|due| !due.tried.is_unanswered());
        let fresh: Vec<&str> = fresh.map(|due| due.tried.id.as_str()).collect();
        if !fresh.is_empty() {
            session.execute(&self.scope(session).claim_all(&fresh, &claim, &until), deadline).await?;
        }
        let ends = Instant::now() + kept;
        Ok((found, all.into_iter().map(|due| due.claimed(claim.clone(), ends)).collect()))
    }

    /// A large payload, by the statement that asks for it.
    pub(super) async fn payload(
        session: &mut Session,
        statement: &Statement,
        deadline: Instant,
    ) -> Result<Vec<u8>, DbError> {
        let row = session.rows(statement, deadline).await?.into_iter().next();
        Ok(row.and_then(|row| bytes(row.into_iter().next()?)).unwrap_or_default())
    }

    pub(super) async fn bury(
        &self,
        session: &mut Session,
        (id, name): (&str, &str),
        (loaded, attempt, mut history): (&LoadedSubscription, Attempt, History),
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> Result<(), DbError> {
        let line = attempt.line();
        history.add(attempt);
        let statement = dead(self.scope(session), (id, None), loaded, (&line, &history), (now, self.dead_kept));
        session.execute(&statement, deadline).await?;
        tracing::warn!(env = %self.env, subscription = name, delivery = id, "a dead letter: {line}");
        self.metrics.events.dead_lettered(name);
        Ok(())
    }
}

/// The one name that a statement answers.
fn named(rows: Vec<Vec<Value>>) -> Option<String> {
    text(rows.into_iter().next()?.into_iter().next()?)
}

/// How long it is until the next event is due that was not yet when it was looked: one that waits after a failure, or whose claim may end without a word.
pub(super) async fn next_due(
    env: &EnvName,
    subscriptions: &Subscriptions,
    (database, clock): (&Database, &Clock),
    looked: DateTime<Utc>,
) -> Result<Option<Duration>, DbError> {
    let deadline = Instant::now() + TURN_MAX;
    let scope = Scope { project: &env.project, env: &env.env, dialect: database.dialect() };
    let rows = database.rows(Mode::Read, &scope.next_due(&subscriptions.names(), &moment(looked)), deadline).await?;
    let next = rows.into_iter().next().and_then(|row| text(row.into_iter().next()?));
    let next = next.and_then(|next| DateTime::parse_from_rfc3339(&next).ok());
    // A moment later: what is due is due then.
    Ok(next.map(|next| (next.to_utc() - clock.now()).to_std().unwrap_or_default() + DUE_SLACK))
}

/// The statement by which an event is given up: it is kept with its last error, or removed where the subscription wants none kept.
pub(super) fn dead(
    scope: Scope<'_>,
    (id, claim): (&str, Option<&str>),
    loaded: &LoadedSubscription,
    (line, history): (&str, &History),
    (now, kept): (DateTime<Utc>, Duration),
) -> Statement {
    if !loaded.subscription.dead_letter {
        return scope.done(id, claim);
    }
    let ends = (&moment(now), &moment(now + kept));
    scope.bury(id, claim, ends, (line, &history.bytes()))
}

/// The id of the row by which the transaction of a handler says that an event is handled.
pub(super) fn acknowledgement(env: &EnvName, delivery: &str) -> String {
    let digits = digits(&format!("{}\0{}\0{delivery}", env.project, env.env));
    format!("ack_{}", digits.get(..32).unwrap_or_default())
}

impl Turn<'_> {
    /// What a row has besides.
    pub(super) fn owned(&self, row: Vec<(Own, Value)>) -> Vec<(Own, Value)> {
        let own = [
            (delivery::PROJECT, Value::Text(self.env.project.clone())),
            (delivery::ENV, Value::Text(self.env.env.clone())),
        ];
        row.into_iter().chain(own).collect()
    }
}

/// Whether a failure of a turn is no more than another Bridge's turn.
pub(super) fn is_only_busy(error: &DbError) -> bool {
    matches!(error.kind, FailureKind::Busy | FailureKind::Unique)
}

fn digits(text: &str) -> String {
    Digest::of(text.as_bytes()).as_str().rsplit(':').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_of_one_event_one_subscription_and_one_env() {
        let env = |project: &str, env: &str| EnvName { project: project.to_owned(), env: env.to_owned() };
        let one = acknowledgement(&env("shop", "dev"), "evt_1:a");
        assert_eq!((one.len(), one.starts_with("ack_")), (36, true));
        for other in [
            acknowledgement(&env("shop", "dev"), "evt_1:b"),
            acknowledgement(&env("shop", "prod"), "evt_1:a"),
            acknowledgement(&env("sho", "pdev"), "evt_1:a"),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(one, acknowledgement(&env("shop", "dev"), "evt_1:a"));
    }
}
