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

/// What may be tried at once of what is shared in a turn, and what is.
#[derive(Debug, Default)]
pub(super) struct Fresh<'a> {
    allowed: BTreeMap<&'a str, Allowed>,
    /// To be tried now.
    pub(super) claimed: Vec<Claimed>,
    /// Whether there are more than places.
    pub(super) is_full: bool,
}

/// Of one subscription.
#[derive(Debug)]
struct Allowed {
    left: u32,
    claim: String,
    until: Value,
    ends: Instant,
}

/// What becomes of the events of a turn.
#[derive(Default)]
struct Sharing<'s> {
    rows: Vec<Vec<(Own, Value)>>,
    /// Those whose filter does not know.
    unknown: Vec<(String, &'s str, &'s LoadedSubscription)>,
}

impl<'a> Fresh<'a> {
    /// Lets a subscription try so many.
    pub(super) fn allow(&mut self, name: &'a str, loaded: &LoadedSubscription, left: u32, now: DateTime<Utc>) {
        let kept: Duration = loaded.subscription.timeout.duration() + MARGIN;
        let until = moment(now + TimeDelta::from_std(kept).unwrap_or(TimeDelta::MAX));
        self.allowed.insert(name, Allowed { left, claim: Ulid::new().to_string(), until, ends: Instant::now() + kept });
    }

    /// Takes a place for a row; its claim and when that ends.
    fn take(
        &mut self,
        (id, name): (&str, &str),
        event: &Unshared,
        payload: &Map<String, Json>,
    ) -> Option<(String, Value)> {
        let allowed = self.allowed.get_mut(name)?;
        let Some(left) = allowed.left.checked_sub(1) else {
            self.is_full = true;
            return None;
        };
        allowed.left = left;
        self.claimed.push(event.claimed((id, name), &allowed.claim, payload.clone(), allowed.ends)?);
        Some((allowed.claim.clone(), allowed.until.clone()))
    }
}

impl Turn<'_> {
    /// Gives new events to the subscriptions of their topics; whether there may be more.
    pub(super) async fn share(
        &self,
        session: &mut Session,
        fresh: &mut Fresh<'_>,
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> Result<bool, DbError> {
        let topics = self.subscriptions.topics();
        let scope = self.scope(session);
        let rows = session.rows(&scope.unshared(&topics, &moment(now), SHARED_MAX), deadline).await?;
        let found: Vec<Unshared> = rows.into_iter().filter_map(Unshared::of).collect();
        // Many rows in few statements: a turn is as long as its round trips.
        let (mut sharing, mut bytes, mut ids) = (Sharing::default(), 0_usize, Vec::new());
        for event in &found {
            if bytes > SHARED_BYTES_MAX {
                break;
            }
            let rows = self.share_one(event, now, fresh, &mut sharing);
            bytes = bytes.saturating_add(event.payload.len().saturating_mul(rows));
            ids.push(event.id.as_str());
        }
        for insert in inserts(sharing.rows, session.dialect())? {
            session.execute(&insert, deadline).await?;
        }
        for (id, name, loaded) in sharing.unknown {
            // Its words can hold values of the payload.
            let attempt = Attempt::new(0, (self.bridge, self.release), now);
            let attempt = attempt.because("FILTER", "the filter cannot be evaluated on this payload");
            self.bury(session, (&id, name), (loaded, attempt, History::default()), now, deadline).await?;
        }
        if !ids.is_empty() {
            session.execute(&self.scope(session).shared(&ids, &moment(now)), deadline).await?;
        }
        Ok(found.len() >= SHARED_MAX as usize || ids.len() < found.len())
    }

    /// A row for each subscription that is given it; how many.
    fn share_one<'s>(
        &'s self,
        event: &Unshared,
        now: DateTime<Utc>,
        fresh: &mut Fresh<'_>,
        sharing: &mut Sharing<'s>,
    ) -> usize {
        let before = sharing.rows.len();
        let payload: Map<String, Json> = serde_json::from_slice(&event.payload).unwrap_or_default();
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
            let (key, is_known) = (loaded.order_key(&payload), admitted == Admitted::Yes);
            sharing.rows.push(self.owned(event.row((&id, name), key, claim, now)));
            if !is_known {
                sharing.unknown.push((id, name, loaded));
            }
        }
        sharing.rows.len() - before
    }
}
