//! Sharing: events that nobody was given yet become a row for each subscription that is given them, within a turn. Where a subscription has a place and
//! nothing that waits, its row begins as claimed.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use santokit_core::value::Value;
use santokit_sql::schema::bookkeeping::Own;
use serde_json::{Map, Value as Json};
use ulid::Ulid;

use super::{
    history::{Attempt, History},
    rows::{Claimed, Unshared, inserts},
    subscriptions::{Admitted, LoadedSubscription},
    turn::{MARGIN, SHARED_MAX, Turn},
};
use crate::{
    crud::value::moment,
    db::{DbError, Session},
};

/// Bytes of payloads that a turn shares, about: each event is one row for each of its subscriptions, and all rows of a turn are in memory.
const SHARED_BYTES_MAX: usize = 16 << 20;

/// For so long an event waits to be shared where no subscription has a place for one. After it every subscription that there is has it for its own, also
/// one that is gone later.
const OLD: TimeDelta = TimeDelta::seconds(10);

/// Of a dead letter of which the filter does not know whether it is the subscription's.
pub(super) const UNKNOWN: &str = "FILTER";
pub(super) const UNKNOWN_FILTER: &str = "the filter cannot be evaluated on this payload";

/// What may be tried at once of what is shared in a turn, and what is.
#[derive(Debug, Default)]
pub(super) struct Fresh<'a> {
    allowed: BTreeMap<&'a str, Allowed>,
    /// Whether as many are shared as there are places, and not all.
    is_of_places: bool,
    /// Bytes of payloads that may be taken.
    pub(super) room: usize,
    /// To be tried now.
    pub(super) claimed: Vec<Claimed>,
    /// Whether there are more than places.
    pub(super) is_full: bool,
    /// Whether there may be more that are old.
    pub(super) has_more_old: bool,
}

/// Of one subscription.
#[derive(Debug)]
struct Allowed {
    left: u32,
    /// None where what is shared is looked at again before it is tried.
    claim: Option<Claim>,
}

#[derive(Debug)]
struct Claim {
    word: String,
    until: Value,
    ends: Instant,
}

/// What becomes of the events of a turn.
#[derive(Default)]
struct Sharing<'s> {
    /// The events of each subscription: those that are tried at once, and those that wait.
    given: BTreeMap<&'s str, [Vec<String>; 2]>,
    /// Rows with an order, which the database does not make by itself.
    rows: Vec<Vec<(Own, Value)>>,
    /// Those whose filter does not know.
    unknown: Vec<(String, &'s str, &'s LoadedSubscription)>,
}

impl<'a> Fresh<'a> {
    /// Shares no more than there are places, of those that are allowed next; where nobody could ever have one, all.
    pub(super) fn of_places(is_nobodys: bool) -> Self {
        Self { is_of_places: !is_nobodys, ..Self::default() }
    }

    /// Whether no subscription has a place for one more.
    fn is_exhausted(&self) -> bool {
        self.is_of_places && self.allowed.values().all(|allowed| allowed.left == 0)
    }

    /// How many are read: not all of them need be anybody's.
    fn most(&self) -> u32 {
        let most = self.allowed.values().map(|allowed| allowed.left).max().unwrap_or(0);
        if self.is_of_places { most.saturating_mul(2).clamp(10, SHARED_MAX) } else { SHARED_MAX }
    }

    /// Lets a subscription have so many rows more, of which it takes what is first in its order.
    pub(super) fn await_rows(&mut self, name: &'a str, left: u32) {
        self.allowed.insert(name, Allowed { left, claim: None });
    }

    /// Lets a subscription try so many.
    pub(super) fn allow(&mut self, name: &'a str, loaded: &LoadedSubscription, left: u32, now: DateTime<Utc>) {
        let kept: Duration = loaded.subscription.timeout.duration() + MARGIN;
        let until = moment(now + TimeDelta::from_std(kept).unwrap_or(TimeDelta::MAX));
        let claim = Claim { word: Ulid::new().to_string(), until, ends: Instant::now() + kept };
        self.allowed.insert(name, Allowed { left, claim: Some(claim) });
    }

    /// Takes a place for a row; its claim and when that ends.
    fn take(&mut self, (id, name): (&str, &str), event: &Unshared, payload: &Map<String, Json>) -> Option<()> {
        let allowed = self.allowed.get_mut(name)?;
        let Some(left) = allowed.left.checked_sub(1) else {
            self.is_full = true;
            return None;
        };
        allowed.left = left;
        let claim = allowed.claim.as_ref()?;
        // What waits for its payload's room waits in its row.
        let Some(_) = self.room.checked_sub(1) else {
            self.is_full = true;
            return None;
        };
        self.room = self.room.saturating_sub(event.size());
        self.claimed.push(event.claimed((id, name), &claim.word, payload.clone(), claim.ends)?);
        Some(())
    }

    /// The word by which a subscription claims what it is given at once, and until when.
    fn claim(&self, name: &str) -> Option<(&str, &Value)> {
        let claim = self.allowed.get(name)?.claim.as_ref()?;
        Some((&claim.word, &claim.until))
    }
}

impl Turn<'_> {
    /// Gives new events to the subscriptions of their topics, as long as one of those has a place, and old ones all the same where it is time to; whether
    /// there may be more at once.
    pub(super) async fn share(
        &self,
        session: &mut Session,
        fresh: &mut Fresh<'_>,
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> Result<bool, DbError> {
        if fresh.is_exhausted() && !self.shares_old {
            fresh.is_full = true;
            return Ok(false);
        }
        let (topics, most) = (self.subscriptions.topics(), if self.shares_old { SHARED_MAX } else { fresh.most() });
        let rows = session.rows(&self.scope(session).unshared(&topics, &moment(now), most), deadline).await?;
        let found: Vec<Unshared> = rows.into_iter().filter_map(Unshared::of).collect();
        let count = found.len();
        // Many rows in few statements: a turn is as long as its round trips.
        let (mut sharing, mut bytes, mut ids) = (Sharing::default(), 0_usize, Vec::new());
        for mut event in found {
            if bytes > SHARED_BYTES_MAX {
                break;
            }
            let is_old = event.published().is_some_and(|at| at <= now - OLD);
            if fresh.is_exhausted() && !(self.shares_old && is_old) {
                fresh.is_full = true;
                break;
            }
            if event.payload.is_none() {
                let asked = self.scope(session).event_payload(&event.id);
                event.payload = Some(Self::payload(session, &asked, deadline).await?);
            }
            self.note_unclaimed(&event);
            let rows = self.share_one(&event, now, fresh, &mut sharing);
            bytes = bytes.saturating_add(event.size().saturating_mul(rows));
            ids.push(event.id);
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        fresh.has_more_old = self.shares_old && ids.len() >= SHARED_MAX as usize;
        let may_have_more = count >= most as usize || ids.len() < count;
        fresh.is_full |= may_have_more && fresh.is_exhausted();
        self.give(session, &mut sharing, fresh, now, deadline).await?;
        for (id, name, loaded) in sharing.unknown {
            // Its words can hold values of the payload.
            let attempt = Attempt::new(0, (self.bridge, self.release), now);
            let attempt = attempt.because(UNKNOWN, UNKNOWN_FILTER);
            self.bury(session, (&id, name), (loaded, attempt, History::default()), now, deadline).await?;
        }
        if !ids.is_empty() {
            session.execute(&self.scope(session).shared(&ids, &moment(now)), deadline).await?;
        }
        Ok(may_have_more && !fresh.is_exhausted())
    }

    /// An event whose time has come though no release here has had its topic: nobody was given it, and it goes.
    fn note_unclaimed(&self, event: &Unshared) {
        if !self.subscriptions.has_topic(&event.topic) && !event.topic.starts_with('$') {
            let (env, id, topic) = (self.env, &event.id, &event.topic);
            tracing::error!(%env, event = id, topic, "an event has expired of a topic that the release does not have: nobody was given it");
            self.metrics.events.unclaimed(env);
        }
    }

    /// Keeps what each subscription is given.
    async fn give(
        &self,
        session: &mut Session,
        sharing: &mut Sharing<'_>,
        fresh: &Fresh<'_>,
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> Result<(), DbError> {
        let now = moment(now);
        for (name, [at_once, waiting]) in &sharing.given {
            for (events, claim) in [(at_once, fresh.claim(name)), (waiting, None)] {
                let events: Vec<&str> = events.iter().map(String::as_str).collect();
                if !events.is_empty() {
                    session.execute(&self.scope(session).give(&events, name, claim, &now), deadline).await?;
                }
            }
        }
        for insert in inserts(std::mem::take(&mut sharing.rows), session.dialect())? {
            session.execute(&insert, deadline).await?;
        }
        Ok(())
    }

    /// A row for each subscription that is given it; how many.
    fn share_one<'s>(
        &'s self,
        event: &Unshared,
        now: DateTime<Utc>,
        fresh: &mut Fresh<'_>,
        sharing: &mut Sharing<'s>,
    ) -> usize {
        let mut count = 0;
        let json = event.payload.as_deref().unwrap_or_default();
        let payload: Map<String, Json> = serde_json::from_slice(json).unwrap_or_default();
        for (name, loaded) in self.subscriptions.of_topic(&event.topic) {
            let admitted = loaded.admits(&payload);
            if admitted == Admitted::No {
                continue;
            }
            let id = format!("{}:{name}", event.id);
            let claim = match admitted {
                Admitted::Yes => fresh.take((&id, name), event, &payload),
                Admitted::No | Admitted::Unknown(_) => None,
            };
            count += 1;
            if let Some(key) = loaded.order_key(&event.id, &payload) {
                sharing.rows.push(self.owned(event.row((&id, name), key, now)));
            } else {
                let [at_once, waiting] = sharing.given.entry(name.as_str()).or_default();
                if claim.is_some() { at_once } else { waiting }.push(event.id.clone());
            }
            if admitted != Admitted::Yes {
                sharing.unknown.push((id, name, loaded));
            }
        }
        count
    }
}
