//! A turn where a broker hands events over: they are shared as in every turn, and what is due is not claimed but given to the broker as tickets. When
//! it has said that it has them, their rows say so, until they are due again.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use santokit_core::value::Value;
use santokit_sql::delivery::Scope;

use super::{
    clock::Clock,
    order::{Asked, Wanted},
    rows::{text, tried},
    sharing::Fresh,
    subscriptions::{LoadedSubscription, Subscriptions},
    tried::Tried,
    turn::{DUE_MAX, MARGIN, TURN_MAX, Turn},
};
use crate::{
    broker::{Given, Ticket},
    config::EnvName,
    crud::value::moment,
    db::{Database, DbError, Mode, Session, Share},
};

/// So many tickets are out for each event that a subscription handles at once: enough that its Bridges need not wait for the next turn.
const OUT_FOR_EACH: u32 = 16;

/// What is to be handed over.
#[derive(Debug)]
pub(super) struct Handed {
    /// The tickets.
    pub(super) given: Vec<Given>,
    /// Whether there may be more that nobody was given yet.
    pub(super) is_sharing: bool,
    /// Whether there may be more of subscriptions that are gone.
    pub(super) is_burying: bool,
    /// When.
    pub(super) now: DateTime<Utc>,
}

/// A row that waits.
struct Waiting {
    tried: Tried,
    due_at: String,
}

impl Turn<'_> {
    /// Takes the turn; what is to be handed over.
    pub(super) async fn hand_over(&self, database: &Database) -> Result<Handed, DbError> {
        let deadline = Instant::now() + TURN_MAX;
        let mut session = database.begin(Mode::Write, Share::Platform, deadline).await?;
        self.own_the_turn(&mut session, deadline).await?;
        let now = self.clock.now();
        let is_sharing = self.share(&mut session, &mut Fresh::default(), now, deadline).await?;
        let is_burying = self.bury_orphaned(&mut session, now, deadline).await?;
        let out = self.scope(&session).out(&self.subscriptions.names(), &moment(now));
        let out = Self::counted(&mut session, &out, deadline).await?;
        let mut handed = Handed { given: Vec::new(), is_sharing, is_burying, now };
        for (name, loaded) in self.subscriptions.iter() {
            let most = loaded.subscription.concurrency.saturating_mul(OUT_FOR_EACH);
            let most = most.saturating_sub(out.get(name).copied().unwrap_or(0)).min(DUE_MAX);
            if most > 0 {
                let given = self.tickets(&mut session, (name, loaded), now, most, deadline).await?;
                handed.given.extend(given);
            }
        }
        session.commit(deadline).await?;
        session.end();
        Ok(handed)
    }

    async fn tickets(
        &self,
        session: &mut Session,
        (name, loaded): (&str, &LoadedSubscription),
        now: DateTime<Utc>,
        most: u32,
        deadline: Instant,
    ) -> Result<Vec<Given>, DbError> {
        let (in_order, now_there) = (loaded.subscription.order_by.is_some(), moment(now));
        let wanted = Wanted { asked: Asked::Waiting, subscription: name, in_order, now: &now_there, most };
        let rows = self.due(session, wanted, deadline).await?;
        let mut given = Vec::new();
        for Waiting { mut tried, due_at } in rows.into_iter().filter_map(Waiting::of) {
            if !self.is_to_be_tried(session, &mut tried, (name, loaded), now, deadline).await? {
                continue;
            }
            if let Some(claim) = tried.claim.clone().filter(|_| tried.is_unanswered()) {
                let history = tried.history().bytes();
                let said = self.scope(session).unanswered(&tried.id, &claim, &history);
                session.execute(&said, deadline).await?;
            }
            let ticket = Ticket { delivery: tried.id, attempts: tried.attempts };
            given.push(Given { subscription: name.to_owned(), ticket, due_at });
        }
        Ok(given)
    }
}

impl Waiting {
    fn of(row: Vec<Value>) -> Option<Self> {
        let [id, event, attempts, claim, history, due_at] = <[Value; 6]>::try_from(row).ok()?;
        Some(Self { tried: tried((id, event), (&attempts, claim, history))?, due_at: text(due_at)? })
    }
}

/// Says of tickets that the broker has them. Until this is said, another turn may give it the same again, which it knows for the same.
pub(super) async fn handed(
    env: &EnvName,
    database: &Database,
    subscriptions: &Subscriptions,
    handed: &Handed,
) -> Result<(), DbError> {
    let (scope, deadline) = (scope(env, database), Instant::now() + TURN_MAX);
    let mut by_subscription: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for given in &handed.given {
        by_subscription.entry(&given.subscription).or_default().push(&given.ticket.delivery);
    }
    for (name, ids) in by_subscription {
        let Some(loaded) = subscriptions.get(name) else { continue };
        let until = moment(handed.now + TimeDelta::from_std(kept(loaded)).unwrap_or(TimeDelta::MAX));
        database.execute(&scope.hand_over(&ids, &moment(handed.now), &until), deadline).await?;
    }
    Ok(())
}

/// All that a broker had is due: it has lost it.
pub(super) async fn lost(env: &EnvName, database: &Database, clock: &Clock) -> Result<u64, DbError> {
    let lost = scope(env, database).lost(&moment(clock.now()));
    Ok(database.execute(&lost, Instant::now() + TURN_MAX).await?.affected)
}

/// What a broker has of subscriptions that a release does not have waits in its rows alone: how long its tickets may wait is no sign that somebody knows it.
pub(super) async fn let_go(
    env: &EnvName,
    database: &Database,
    subscriptions: &Subscriptions,
    clock: &Clock,
) -> Result<u64, DbError> {
    let let_go = scope(env, database).let_go(&subscriptions.names(), &moment(clock.now()));
    Ok(database.execute(&let_go, Instant::now() + TURN_MAX).await?.affected)
}

/// How many events wait to be shared, up to so many.
pub(super) async fn unshared(
    (env, clock): (&EnvName, &Clock),
    database: &Database,
    subscriptions: &Subscriptions,
    most: u32,
) -> Result<usize, DbError> {
    let count = scope(env, database).unshared_ids(&subscriptions.topics(), &moment(clock.now()), most);
    Ok(database.rows(Mode::Read, &count, Instant::now() + TURN_MAX).await?.len())
}

/// When a ticket that is out is given to another Bridge, where nobody answers for it.
pub(super) fn answer_within(loaded: &LoadedSubscription) -> Duration {
    loaded.subscription.timeout.duration() + MARGIN * 2
}

/// How long a ticket may wait at the broker: as long as all before it can take.
fn kept(loaded: &LoadedSubscription) -> Duration {
    answer_within(loaded) * (OUT_FOR_EACH + 1)
}

fn scope<'a>(env: &'a EnvName, database: &Database) -> Scope<'a> {
    Scope { project: &env.project, env: &env.env, dialect: database.dialect() }
}
