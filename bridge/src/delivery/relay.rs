//! A worker's side of the broker: a stream and consumers as the release wants them, tickets handed over, and taken from it. While the broker is away
//! events wait in the outbox, and whoever operates the Bridge is told: by the log, by numbers and by `/readyz`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::jetstream::{
    AckKind, Message,
    consumer::{Consumer, pull},
};
use futures_util::StreamExt;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use ulid::Ulid;

use super::{
    HELD_BYTES_MAX,
    attempt::Place,
    attempts::{Attempts, Of},
    handing::{self, answer_within},
    held::Held,
    turn::{More, Turn, is_only_busy},
};
use crate::{
    broker::{Broker, BrokerError, Names, Ticket, Wanted},
    config::EnvName,
    db::DbError,
    generation::Generation,
};

/// How long the broker waits for a ticket before it says that it has none.
const PULL: Duration = Duration::from_secs(30);

/// How often it says meanwhile that it is there.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Where the row of a ticket cannot be read, the ticket comes again.
const AGAIN: Duration = Duration::from_secs(1);

/// As many events as are counted while they wait.
const COUNTED_MAX: u32 = 100_000;

/// Of one connection.
pub(super) struct Relay {
    broker: Arc<Broker>,
    names: Names,
    /// What consumers are as wanted by.
    ready_for: Option<Arc<Generation>>,
    /// Raised where the stream or a consumer turns out to be gone.
    is_broken: Arc<AtomicBool>,
    /// Told with it, and of each attempt that has ended.
    heard: Arc<Notify>,
    pulling: JoinSet<()>,
    /// Ends those that pull for a release.
    stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
    /// For the payloads of all that is tried, whichever release it was begun on.
    held: Held,
}

/// Why nothing is handed over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unrelayed {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Takes the tickets of one subscription.
struct Puller {
    place: Place,
    subscription: String,
    is_broken: Arc<AtomicBool>,
    heard: Arc<Notify>,
    held: Held,
}

impl Relay {
    /// Of an env's connection.
    pub(super) fn new(
        broker: &Arc<Broker>,
        (env, connection): (&EnvName, &str),
        heard: &Arc<Notify>,
        stopped: &watch::Receiver<bool>,
    ) -> Self {
        Self {
            broker: Arc::clone(broker),
            names: broker.names((&env.project, &env.env), connection),
            ready_for: None,
            is_broken: Arc::default(),
            heard: Arc::clone(heard),
            pulling: JoinSet::new(),
            stop: watch::Sender::new(false),
            stopped: stopped.clone(),
            held: Held::new(HELD_BYTES_MAX),
        }
    }

    /// Shares and hands over what there is.
    pub(super) async fn turn(&mut self, turn: &Turn<'_>, place: &Place) -> More {
        match self.try_turn(turn, place).await {
            Ok(more) => {
                if let Some(away) = self.broker.works(&self.names) {
                    tracing::info!(env = %turn.env, connection = place.connection, seconds = away.as_secs(), "NATS hands events over again");
                }
                place.app.metrics.events.broker(turn.env, &place.connection, true);
                more
            }
            Err(Unrelayed::Database(error)) if is_only_busy(&error) => More::default(),
            Err(Unrelayed::Database(error)) => {
                tracing::warn!(env = %turn.env, connection = place.connection, error = &error as &dyn std::error::Error, "events cannot be looked at now");
                More::default()
            }
            Err(Unrelayed::Broker(error)) => {
                self.alarm(turn, place, &error).await;
                More::default()
            }
        }
    }

    async fn try_turn(&mut self, turn: &Turn<'_>, place: &Place) -> Result<More, Unrelayed> {
        self.broker.connected()?;
        self.be_ready(turn, place).await?;
        let database = &place.database;
        if !turn.is_worth_it(database).await? {
            place.app.metrics.events.waiting(turn.env, &place.connection, 0);
            return Ok(More::default());
        }
        let handed = turn.hand_over(database).await?;
        if !handed.given.is_empty() {
            if let Err(error) = self.broker.hand_over(&self.names, &handed.given).await {
                // The stream may be gone.
                self.ready_for = None;
                return Err(error.into());
            }
            handing::handed(turn.env, database, turn.subscriptions, &handed).await?;
        }
        Ok(More { at_once: handed.is_sharing, of_orphans: handed.is_burying, of_old: false })
    }

    /// The stream and the consumers are there, and tickets are asked for. Before, nothing is handed over.
    async fn be_ready(&mut self, turn: &Turn<'_>, place: &Place) -> Result<(), Unrelayed> {
        let is_broken = self.is_broken.swap(false, Ordering::AcqRel);
        if !is_broken && self.ready_for.as_ref().is_some_and(|of| Arc::ptr_eq(of, &place.generation)) {
            return Ok(());
        }
        self.ready_for = None;
        if self.broker.stream(&self.names).await? {
            let lost = handing::lost(turn.env, &place.database, turn.clock).await?;
            tracing::info!(env = %turn.env, stream = self.names.stream(), lost, "NATS has a new stream for events");
        }
        let mut consumers = Vec::new();
        for (name, loaded) in turn.subscriptions.iter() {
            let wanted = Wanted {
                subscription: name,
                at_once: loaded.subscription.concurrency,
                answer_within: answer_within(loaded),
            };
            consumers.push((name.clone(), wanted.at_once, self.broker.consumer(&self.names, wanted).await?));
        }
        // Those of before come to the end of what they try.
        self.stop.send_replace(true);
        self.stop = watch::Sender::new(false);
        self.is_broken = Arc::default();
        for (subscription, at_once, consumer) in consumers {
            let (place, is_broken, heard) = (place.clone(), Arc::clone(&self.is_broken), Arc::clone(&self.heard));
            let puller = Puller { place, subscription, is_broken, heard, held: self.held.clone() };
            self.pulling.spawn(puller.run(consumer, at_once, self.stop.subscribe(), self.stopped.clone()));
        }
        while self.pulling.try_join_next().is_some() {}
        self.ready_for = Some(Arc::clone(&place.generation));
        Ok(())
    }

    /// Tells that events wait, and how many.
    async fn alarm(&self, turn: &Turn<'_>, place: &Place, error: &BrokerError) {
        let metrics = &place.app.metrics.events;
        metrics.broker(turn.env, &place.connection, false);
        let waiting = handing::unshared((turn.env, turn.clock), &place.database, turn.subscriptions, COUNTED_MAX).await;
        if let Ok(waiting) = waiting {
            metrics.waiting(turn.env, &place.connection, waiting);
        }
        if let Some(since) = self.broker.fails(&self.names) {
            tracing::error!(
                env = %turn.env, connection = place.connection, waiting = waiting.ok(), seconds = since.as_secs(),
                cause = error as &dyn std::error::Error, "NATS is away: events wait in the database"
            );
        }
    }

    /// Asks for no more, for as long as there is no release with events.
    pub(super) fn rest(&mut self) {
        self.stop.send_replace(true);
        self.ready_for = None;
    }

    /// Asks for no more, and lets what is tried come to its end.
    pub(super) async fn end(mut self) {
        self.rest();
        while self.pulling.join_next().await.is_some() {}
    }
}

impl Puller {
    /// Takes tickets until it is stopped, or the broker has none to give any more; then lets what is tried come to its end.
    async fn run(
        self,
        consumer: Consumer<pull::Config>,
        at_once: u32,
        mut stop: watch::Receiver<bool>,
        stopped: watch::Receiver<bool>,
    ) {
        let mut attempts = Attempts::default();
        let batch = usize::try_from(at_once).unwrap_or(usize::MAX);
        let asked = consumer.stream().max_messages_per_batch(batch).expires(PULL).heartbeat(HEARTBEAT).messages().await;
        if let Ok(mut tickets) = asked {
            loop {
                tokio::select! {
                    ticket = tickets.next() => match ticket {
                        Some(Ok(message)) => self.take(&mut attempts, message),
                        gone => {
                            if let Some(Err(error)) = gone {
                                tracing::debug!(%error, subscription = self.subscription, "no more tickets");
                            }
                            self.breaks();
                            break;
                        }
                    },
                    // When what failed is due again stands in its row.
                    _ = attempts.ended() => self.heard.notify_one(),
                    _ = stop.wait_for(|stop| *stop) => break,
                }
            }
        } else {
            self.breaks();
        }
        let Place { app, generation, database, clock, .. } = &self.place;
        attempts.end(app, &generation.env, Some((database, clock)), stopped).await;
        // What it has left, or put off, is seen to by the worker.
        self.heard.notify_one();
    }

    /// Begins what a ticket is for. One that is no ticket of ours is out of the way.
    fn take(&self, attempts: &mut Attempts, message: Message) {
        let (place, subscription) = (self.place.clone(), self.subscription.clone());
        let ticket = Ticket::read(&message.payload);
        let delivery = ticket.as_ref().map(|ticket| ticket.delivery.clone()).unwrap_or_default();
        let claim = Ulid::new().to_string();
        // Which payload it has is read with its row, for which there must be room.
        let held = self.held.clone();
        let of = Of { claim: claim.clone(), delivery, subscription: subscription.clone(), bytes: 0 };
        attempts.begin(of, async move {
            let (answer, again) = match ticket {
                Some(ticket) => {
                    match Box::pin(place.attempt_by(&ticket, &subscription, claim, held.room().await)).await {
                        Ok(again) => (AckKind::Ack, again),
                        Err(error) => {
                            tracing::debug!(
                                error = &error as &dyn std::error::Error,
                                "a ticket waits for its database"
                            );
                            (AckKind::Nak(Some(AGAIN)), None)
                        }
                    }
                }
                None => (AckKind::Term, None),
            };
            if let Err(error) = message.ack_with(answer).await {
                // It comes again, and is void by then.
                tracing::debug!(%error, "the broker was not answered");
            }
            again
        });
    }

    fn breaks(&self) {
        self.is_broken.store(true, Ordering::Release);
        self.heard.notify_one();
    }
}
