//! Delivery of events: for each env and each connection with tables one worker, which takes turns with those of other Bridges (`turn`), and
//! tries what it has claimed (`attempt`). Decision 0034 says why no event is lost and what keeps one from being handled twice.
//!
//! Events are delivered on the baseline. A handler that fails, hangs or kills its Bridge has places of its own: other subscriptions go on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use santokit_core::event::PAYLOAD_BYTES_MAX;
use santokit_sql::delivery::Scope;
use tokio::{
    sync::{Notify, watch},
    task::{AbortHandle, JoinSet},
};

use crate::{
    app::App,
    db::{Database, DbError, Mode, Share},
    events::{EXPIRING, Topics},
    generation::Generation,
    release::EnvSlot,
};

mod alarm;
mod attempt;
mod attempts;
mod clock;
pub mod dead;
mod handing;
mod hearing;
mod held;
mod history;
mod order;
mod relay;
mod rows;
mod sharing;
mod subscriptions;
mod tried;
mod turn;
mod words;

pub use history::{Attempt, History};
pub use subscriptions::{Admitted, LoadedSubscription, Subscriptions};

use attempt::Place;
use attempts::{Attempts, Of};
use clock::Clock;
use hearing::Hearing;
use relay::Relay;
use rows::Claimed;
use turn::{More, Turn, is_only_busy};
use words::Words;

/// How often an env is looked at that has no release, or none with events.
const IDLE: Duration = Duration::from_secs(2);

/// Between two looks for events of subscriptions that are gone, at most; where they are given less time, a tenth of it.
const ORPHANS: Duration = Duration::from_secs(30);

/// Between two looks for events that were published long ago and not shared yet, where there are no places for them.
const OLD: Duration = Duration::from_secs(1);

/// How often what has expired is removed, and how long it may take.
const SWEEP: Duration = Duration::from_mins(1);
const SWEEP_MAX: Duration = Duration::from_secs(5);

/// Bytes of payloads of what is tried at once on a connection, about, and of those, what one turn takes.
const HELD_BYTES_MAX: usize = 64 << 20;
const TAKEN_BYTES_MAX: usize = 16 << 20;

/// How events are taken and delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliverySettings {
    /// Bytes of an event's payload, at most.
    pub payload_max: usize,
    /// How often a worker looks without being told.
    pub poll_interval: Duration,
    /// How long nobody has tried an event whose subscription the release does not have, before it is a dead letter.
    pub orphaned_after: Duration,
    /// How long dead letters are kept.
    pub dead_letter_retention: Duration,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            payload_max: PAYLOAD_BYTES_MAX,
            poll_interval: Duration::from_secs(2),
            orphaned_after: Duration::from_mins(10),
            dead_letter_retention: Duration::from_hours(14 * 24),
        }
    }
}

/// The worker of one connection.
struct Worker {
    app: Arc<App>,
    slot: Arc<EnvSlot>,
    connection: String,
    stopped: watch::Receiver<bool>,
    attempts: Attempts,
    /// Where a broker hands events over.
    relay: Option<Relay>,
    /// Of which release what a broker has of other subscriptions was let go.
    let_go: Option<Arc<Generation>>,
    /// When what was put off is due.
    again: BTreeSet<Instant>,
    swept: Instant,
    /// None where there may be more at once.
    orphans_looked: Option<Instant>,
    old_looked: Option<Instant>,
    /// Whether the last turn has left something to be tried, for which there was no place.
    is_full: bool,
    words: Option<Words>,
    clock: Option<Arc<Clock>>,
    /// What this Bridge publishes, by the topics that it is published by.
    published: Option<(Arc<Topics>, watch::Receiver<u64>)>,
    /// Told when another Bridge has published, and when a broker's ticket is done.
    heard: Arc<Notify>,
    hearing: Option<Hearing>,
}

/// Delivers an env's events until the Bridge ends.
pub async fn run(app: Arc<App>, slot: Arc<EnvSlot>, mut stopped: watch::Receiver<bool>) {
    let mut workers: JoinSet<()> = JoinSet::new();
    let mut started: BTreeMap<String, AbortHandle> = BTreeMap::new();
    let mut left: BTreeSet<String> = BTreeSet::new();
    loop {
        // A panic of ours must not be the end of what a connection has: what was claimed is claimed again when its time is over.
        while let Some(ended) = workers.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(env = %slot.name, %error, "who delivers events has ended, and begins again");
            }
        }
        started.retain(|_, worker| !worker.is_finished());
        let generation = slot.generation().filter(|_| !app.is_draining());
        let connections = generation.iter().flat_map(|generation| generation.schemas.iter());
        for (connection, schema) in connections {
            if !schema.tables.is_empty() && !started.contains_key(connection) {
                let worker = Worker::new(&app, &slot, connection, &stopped);
                started.insert(connection.clone(), workers.spawn(worker.run()));
            }
        }
        if let Some(generation) = &generation {
            for connection in started.keys() {
                tell_of_left(&slot, generation, connection, &mut left);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(IDLE) => {}
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
    }
    // Each has a bound of its own for what it tries.
    while workers.join_next().await.is_some() {}
}

/// Tells once of events that nobody looks after any more, because a release has taken their connection away, or its last table.
fn tell_of_left(slot: &EnvSlot, generation: &Generation, connection: &str, left: &mut BTreeSet<String>) {
    if generation.schemas.get(connection).is_some_and(|schema| !schema.tables.is_empty()) {
        left.remove(connection);
    } else if left.insert(connection.to_owned()) {
        tracing::warn!(
            env = %slot.name, connection, release = generation.release_id,
            "the release has no tables on a connection any more: events that wait there, and dead letters, stay there until a release has some again"
        );
    }
}

impl Worker {
    fn new(app: &Arc<App>, slot: &Arc<EnvSlot>, connection: &str, stopped: &watch::Receiver<bool>) -> Self {
        let heard = Arc::default();
        let relay = |broker| Relay::new(broker, (&slot.name, connection), &heard, stopped);
        Self {
            app: Arc::clone(app),
            slot: Arc::clone(slot),
            connection: connection.to_owned(),
            stopped: stopped.clone(),
            attempts: Attempts::default(),
            relay: app.broker.as_ref().map(relay),
            let_go: None,
            again: BTreeSet::new(),
            swept: Instant::now(),
            orphans_looked: Some(Instant::now()),
            old_looked: Some(Instant::now()),
            is_full: false,
            words: None,
            clock: None,
            published: None,
            heard,
            hearing: None,
        }
    }

    async fn run(mut self) {
        while !*self.stopped.borrow() && !self.app.is_draining() {
            let generation = self.slot.generation();
            let database = generation.as_ref().and_then(|of| of.databases.get(&self.connection).cloned());
            let (Some(generation), Some(database)) = (generation, database) else {
                self.be_idle().await;
                continue;
            };
            if generation.subscriptions.has_topics() {
                self.hear(&generation, &database);
            } else {
                // Where a release has no topics any more, what there was of them is looked after all the same, now and then.
                self.take_no_tickets();
                if !self.is_time_for_orphans() {
                    self.rest(IDLE).await;
                    continue;
                }
            }
            let looked = self.clock(&database).now();
            let has_more = self.turn(&generation, &database).await;
            self.sweep(&database).await;
            if has_more {
                self.note_ended().await;
            } else {
                let most = self.until_due(&generation, &database, looked).await;
                self.rest(most).await;
            }
        }
        self.end().await;
    }

    async fn be_idle(&mut self) {
        self.take_no_tickets();
        self.rest(IDLE).await;
    }

    fn take_no_tickets(&mut self) {
        if let Some(relay) = &mut self.relay {
            relay.rest();
        }
    }

    /// Knows the time, and once for each release lets go what a broker has of subscriptions that it does not have.
    async fn be_ready(
        &mut self,
        generation: &Arc<Generation>,
        database: &Database,
        clock: &Clock,
    ) -> Result<(), DbError> {
        clock.look().await?;
        let is_done = self.let_go.as_ref().is_some_and(|of| Arc::ptr_eq(of, generation));
        if self.relay.is_none() || is_done {
            return Ok(());
        }
        let let_go = handing::let_go(&self.slot.name, database, &generation.subscriptions, clock).await?;
        if let_go > 0 {
            let (env, connection) = (&self.slot.name, &self.connection);
            tracing::info!(%env, connection, let_go, "NATS had events of subscriptions that the release does not have: they wait in the database");
        }
        self.let_go = Some(Arc::clone(generation));
        Ok(())
    }

    /// Takes a turn if there is something to do; whether there may be more at once.
    async fn turn(&mut self, generation: &Arc<Generation>, database: &Arc<Database>) -> bool {
        let app = Arc::clone(&self.app);
        let (words, clock) = (self.words(database), self.clock(database));
        if let Err(error) = self.be_ready(generation, database, &clock).await {
            if !is_only_busy(&error) {
                self.tell(&error);
            }
            return false;
        }
        let looked_for @ (looks_for_orphans, shares_old) = (self.is_time_for_orphans(), is_time(self.old_looked, OLD));
        // Also where it fails: it must not be what every turn fails of.
        if looks_for_orphans {
            self.orphans_looked = Some(Instant::now());
        }
        let turn = Turn {
            env: &self.slot.name,
            release: &generation.release_id,
            bridge: &app.config.id,
            subscriptions: &generation.subscriptions,
            orphaned_after: app.config.delivery.orphaned_after,
            dead_kept: app.config.delivery.dead_letter_retention,
            looks_for_orphans,
            shares_old,
            room: HELD_BYTES_MAX.saturating_sub(self.attempts.bytes()).min(TAKEN_BYTES_MAX),
            clock: &clock,
            metrics: &app.metrics,
        };
        let place = Place {
            app: Arc::clone(&self.app),
            generation: Arc::clone(generation),
            connection: self.connection.clone(),
            database: Arc::clone(database),
            words,
            clock: Arc::clone(&clock),
        };
        if let Some(relay) = self.relay.as_mut().filter(|_| generation.subscriptions.has_topics()) {
            let more = relay.turn(&turn, &place).await;
            return self.note(looked_for, more);
        }
        let places = self.places(generation);
        // What was left is there without a look.
        let is_worth_it = if std::mem::take(&mut self.is_full) { Ok(true) } else { turn.is_worth_it(database).await };
        let taken = match is_worth_it {
            Ok(false) => return self.note(looked_for, More::default()),
            Ok(true) => turn.take(database, &places).await,
            Err(error) => Err(error),
        };
        let taken = match taken {
            Ok(taken) => taken,
            Err(error) if is_only_busy(&error) => return false,
            Err(error) => {
                self.tell(&error);
                return false;
            }
        };
        for claimed in taken.claimed {
            self.try_it(&place, claimed);
        }
        // Without a free place there is nothing more to claim before one of them ends.
        self.is_full = taken.is_full;
        self.note(looked_for, taken.more)
    }

    fn tell(&self, error: &DbError) {
        let (env, connection) = (&self.slot.name, &self.connection);
        tracing::warn!(%env, connection, error = error as &dyn std::error::Error, "events cannot be looked at now");
    }

    /// Notes what was looked for now and then; whether there may be more at once.
    fn note(&mut self, (looks_for_orphans, shares_old): (bool, bool), more: More) -> bool {
        let looked = |has_more: bool| (!has_more).then(Instant::now);
        if looks_for_orphans {
            self.orphans_looked = looked(more.of_orphans);
        }
        if shares_old {
            self.old_looked = looked(more.of_old);
        }
        more.at_once || more.of_orphans || more.of_old
    }

    fn is_time_for_orphans(&self) -> bool {
        is_time(self.orphans_looked, (self.app.config.delivery.orphaned_after / 10).min(ORPHANS))
    }

    /// What time it is there.
    fn clock(&mut self, database: &Arc<Database>) -> Arc<Clock> {
        match &self.clock {
            Some(clock) if clock.is_of(database) => Arc::clone(clock),
            _ => Arc::clone(self.clock.insert(Arc::new(Clock::on(database)))),
        }
    }

    /// Where attempts say what became of them.
    fn words(&mut self, database: &Arc<Database>) -> Words {
        match &self.words {
            Some(words) if words.is_of(database) => words.clone(),
            _ => self.words.insert(Words::on(&self.slot.name, database)).clone(),
        }
    }

    /// How many more events of each subscription can be tried here.
    fn places(&self, generation: &Generation) -> BTreeMap<String, u32> {
        let places = generation.subscriptions.iter().map(|(name, loaded)| {
            let taken = self.attempts.of(name);
            (name.clone(), loaded.subscription.concurrency.saturating_sub(taken))
        });
        places.collect()
    }

    fn try_it(&mut self, place: &Place, claimed: Claimed) {
        let of = Of {
            claim: claimed.claim.clone(),
            delivery: claimed.id.clone(),
            subscription: claimed.subscription.clone(),
            bytes: claimed.bytes,
        };
        self.attempts.begin(of, place.clone().attempt(claimed));
    }

    /// Sees what is published from now on, here and elsewhere. What was before is looked at after this.
    fn hear(&mut self, generation: &Generation, database: &Arc<Database>) {
        if !self.published.as_ref().is_some_and(|(topics, _)| Arc::ptr_eq(topics, &generation.topics)) {
            self.published = Some((Arc::clone(&generation.topics), generation.topics.published()));
        }
        if !self.hearing.as_ref().is_some_and(|hearing| hearing.is_of(database)) {
            self.hearing = Hearing::begin(&self.slot.name, &self.app.config.id, database, &self.heard);
        }
    }

    /// How long to rest at most: until what was not due yet when it was looked is, also what other Bridges try or have put off.
    async fn until_due(
        &mut self,
        generation: &Generation,
        database: &Arc<Database>,
        looked: DateTime<Utc>,
    ) -> Duration {
        let most = self.app.config.delivery.poll_interval;
        if !self.attempts.is_empty() {
            return most;
        }
        let clock = self.clock(database);
        let next = turn::next_due(&generation.env, &generation.subscriptions, (database, &clock), looked).await;
        next.unwrap_or_default().map_or(most, |wait| wait.min(most))
    }

    /// Until something may have come, or something is done, or it is time.
    async fn rest(&mut self, most: Duration) {
        let now = Instant::now();
        self.again.retain(|at| *at > now);
        let wait = self.again.first().map_or(most, |at| at.saturating_duration_since(now).min(most));
        let published = self.published.as_mut();
        let woken = async {
            match published {
                // It is kept with what sends it.
                Some((_, published)) => drop(published.changed().await),
                None => std::future::pending().await,
            }
        };
        let mut stopped = self.stopped.clone();
        tokio::select! {
            () = woken => if let Some(hearing) = &self.hearing {
                hearing.tell();
            },
            () = self.heard.notified() => {}
            () = tokio::time::sleep(wait) => {}
            again = self.attempts.ended() => self.again.extend(again),
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
        self.note_ended().await;
    }

    /// Notes what has ended, also those of which it was written in the same transaction: the places of all are given away in one turn.
    async fn note_ended(&mut self) {
        loop {
            tokio::task::yield_now().await;
            let mut any = false;
            while let Some(again) = self.attempts.try_ended() {
                self.again.extend(again);
                any = true;
            }
            if !any {
                return;
            }
        }
    }

    /// All that has expired, in portions: as many go as have come, whoever else removes some.
    async fn sweep(&mut self, database: &Arc<Database>) {
        if self.swept.elapsed() < SWEEP {
            return;
        }
        self.swept = Instant::now();
        let (now, deadline) = (self.clock(database).now(), self.swept + SWEEP_MAX);
        let scope = Scope { project: &self.slot.name.project, env: &self.slot.name.env, dialect: database.dialect() };
        let swept = async {
            // A portion is a transaction of its own, and others write between two.
            while Instant::now() < deadline && dead::expire(scope, database, now, deadline).await? > 0 {}
            let mut removed = 1;
            while removed > 0 && Instant::now() < deadline {
                let mut session = database.session(Mode::Write, Share::Platform, deadline).await?;
                removed = EXPIRING.sweep(&mut session, now, deadline).await?;
                session.end();
            }
            Ok::<(), DbError>(())
        };
        if let Err(error) = swept.await {
            tracing::debug!(error = &error as &dyn std::error::Error, "what has expired was not removed");
        }
        alarm::look(&self.app.metrics, (&self.slot.name, self.connection.as_str()), database, deadline).await;
    }

    /// Lets what is tried come to its end.
    async fn end(self) {
        if let Some(relay) = self.relay {
            relay.end().await;
        }
        let generation = self.slot.generation();
        let database = generation.as_ref().and_then(|of| of.databases.get(&self.connection));
        let clock = self.clock.as_deref();
        self.attempts.end(&self.app, &self.slot.name, database.zip(clock), self.stopped).await;
    }
}

/// Whether it is time to look again for what was looked for then.
fn is_time(looked: Option<Instant>, every: Duration) -> bool {
    looked.is_none_or(|looked| looked.elapsed() >= every)
}
