//! Rows of delivery as they are read, and as they are written when events are shared.

use std::time::Instant;

use chrono::{DateTime, Utc};
use santokit_core::{access::predicate::Predicate, value::Value};
use santokit_sql::{
    dialect::Dialect,
    plan::{Cell, Column, Insert},
    render,
    schema::bookkeeping::{DELIVERY, Own, delivery},
    statement::Statement,
};
use serde_json::{Map, Value as Json};

use super::{history::History, tried::Tried};
use crate::{crud::value::moment, db::DbError};

/// Bytes of payloads in one statement: servers take no larger one than some megabytes.
const STATEMENT_BYTES_MAX: usize = 4 << 20;

/// An event that this Bridge tries now.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    /// Of the row.
    pub(super) id: String,
    /// Who claims it.
    pub(super) claim: String,
    /// The event's id.
    pub(super) event: String,
    /// Its topic.
    pub(super) topic: String,
    /// Who is given it.
    pub(super) subscription: String,
    /// Checked when it was published.
    pub(super) payload: Map<String, Json>,
    /// RFC 3339.
    pub(super) published_at: String,
    /// The event that was being handled then.
    pub(super) caused_by: Option<String>,
    /// How many events caused one another until it.
    pub(super) depth: u32,
    /// From 1.
    pub(super) attempt: u32,
    /// What became of the attempts before.
    pub(super) history: History,
    /// When the claim ends.
    pub(super) ends: Instant,
    /// Of its payload.
    pub(super) bytes: usize,
}

/// An event as it is shared.
pub(super) struct Unshared {
    /// Its id.
    pub(super) id: String,
    /// Its topic.
    pub(super) topic: String,
    /// A JSON object; none where it is large, and was not asked for yet.
    pub(super) payload: Option<Vec<u8>>,
    /// When.
    pub(super) published_at: Value,
    /// By whom.
    pub(super) published_by: Value,
    /// The event that was being handled then.
    pub(super) caused_by: Value,
    /// How many events caused one another until it.
    pub(super) depth: Value,
}

/// A row that is due.
pub(super) struct Due {
    /// What there was before.
    pub(super) tried: Tried,
    /// The event's topic.
    pub(super) topic: String,
    /// Who is given it.
    pub(super) subscription: String,
    /// A JSON object; none where it is large, and was not asked for yet.
    pub(super) payload: Option<Vec<u8>>,
    /// RFC 3339.
    pub(super) published_at: String,
    /// The event that was being handled then.
    pub(super) caused_by: Option<String>,
    /// How many events caused one another until it.
    pub(super) depth: u32,
}

/// What is left of a subscription that is gone.
pub(super) struct Orphaned {
    /// What there was before.
    pub(super) tried: Tried,
    /// Who was given it.
    pub(super) subscription: String,
}

impl Orphaned {
    pub(super) fn of(row: Vec<Value>) -> Option<Self> {
        let [id, event, subscription, attempt, claim, history] = <[Value; 6]>::try_from(row).ok()?;
        Some(Self { tried: tried((id, event), (&attempt, claim, history))?, subscription: text(subscription)? })
    }
}

impl Due {
    pub(super) fn of(row: Vec<Value>) -> Option<Self> {
        let [id, event, topic, subscription, payload, published_at, caused_by, depth, attempt, claim, history] =
            <[Value; 11]>::try_from(row).ok()?;
        Some(Self {
            tried: tried((id, event), (&attempt, claim, history))?,
            topic: text(topic)?,
            subscription: text(subscription)?,
            payload: bytes(payload),
            published_at: text(published_at)?,
            caused_by: text(caused_by),
            depth: whole(&depth),
        })
    }

    /// With its attempt counted.
    pub(super) fn claimed(self, claim: String, ends: Instant) -> Claimed {
        let payload = self.payload.unwrap_or_default();
        Claimed {
            payload: serde_json::from_slice(&payload).unwrap_or_default(),
            bytes: payload.len(),
            id: self.tried.id,
            claim,
            event: self.tried.event,
            topic: self.topic,
            subscription: self.subscription,
            published_at: self.published_at,
            caused_by: self.caused_by,
            depth: self.depth,
            attempt: self.tried.attempts,
            history: self.tried.history.unwrap_or_default(),
            ends,
        }
    }
}

/// What a row says of what there was before.
pub(super) fn tried((id, event): (Value, Value), (attempts, claim, history): (&Value, Value, Value)) -> Option<Tried> {
    Some(Tried {
        id: text(id)?,
        event: text(event)?,
        attempts: whole(attempts),
        claim: text(claim),
        history: bytes(history).map(|history| History::of(Some(&history))),
    })
}

impl Unshared {
    pub(super) fn of(row: Vec<Value>) -> Option<Self> {
        let [id, topic, payload, published_at, published_by, caused_by, depth, _expires_at] =
            <[Value; 8]>::try_from(row).ok()?;
        Some(Self {
            id: text(id)?,
            topic: text(topic)?,
            payload: bytes(payload),
            published_at,
            published_by,
            caused_by,
            depth,
        })
    }

    /// Bytes of its payload.
    pub(super) fn size(&self) -> usize {
        self.payload.as_ref().map_or(0, Vec::len)
    }

    /// When it was published; of what cannot be read, never.
    pub(super) fn published(&self) -> Option<DateTime<Utc>> {
        let at = text(self.published_at.clone())?;
        DateTime::parse_from_rfc3339(&at).ok().map(|at| at.to_utc())
    }

    /// As it is tried at once.
    pub(super) fn claimed(
        &self,
        (id, subscription): (&str, &str),
        claim: &str,
        payload: Map<String, Json>,
        ends: Instant,
    ) -> Option<Claimed> {
        Some(Claimed {
            id: id.to_owned(),
            claim: claim.to_owned(),
            event: self.id.clone(),
            topic: self.topic.clone(),
            subscription: subscription.to_owned(),
            payload,
            published_at: text(self.published_at.clone())?,
            caused_by: text(self.caused_by.clone()),
            depth: whole(&self.depth),
            attempt: 1,
            history: History::default(),
            ends,
            bytes: self.size(),
        })
    }

    /// As it is kept for a subscription that has an order, waiting from now on.
    pub(super) fn row(
        &self,
        (id, subscription): (&str, &str),
        order_key: String,
        now: DateTime<Utc>,
    ) -> Vec<(Own, Value)> {
        Vec::from([
            (delivery::ID, Value::Text(id.to_owned())),
            (delivery::EVENT, Value::Text(self.id.clone())),
            (delivery::TOPIC, Value::Text(self.topic.clone())),
            (delivery::SUBSCRIPTION, Value::Text(subscription.to_owned())),
            (delivery::PAYLOAD, Value::Bytes(self.payload.clone().unwrap_or_default())),
            (delivery::PUBLISHED_AT, self.published_at.clone()),
            (delivery::PUBLISHED_BY, self.published_by.clone()),
            (delivery::CAUSED_BY, self.caused_by.clone()),
            (delivery::DEPTH, self.depth.clone()),
            (delivery::STATE, Value::Text("pending".to_owned())),
            (delivery::ATTEMPT, Value::Int64(0)),
            (delivery::DUE_AT, moment(now)),
            (delivery::CLAIM, Value::Null),
            (delivery::ORDER_KEY, Value::Text(order_key)),
            (delivery::CREATED_AT, moment(now)),
        ])
    }
}

/// What keeps rows, in few statements.
pub(super) fn inserts(rows: Vec<Vec<(Own, Value)>>, dialect: Dialect) -> Result<Vec<Statement>, DbError> {
    let (mut statements, mut some, mut bytes, count) = (Vec::new(), Vec::new(), 0, rows.len());
    for (number, row) in rows.into_iter().enumerate() {
        let (columns, values): (Vec<Column>, Vec<Value>) =
            row.into_iter().map(|(own, value)| (own.column(), value)).unzip();
        bytes += values.iter().map(Value::size_bytes).sum::<usize>();
        some.push(values.into_iter().map(Cell::Value).collect());
        if bytes > STATEMENT_BYTES_MAX || number + 1 == count {
            let insert = Insert {
                table: DELIVERY.to_owned(),
                key: delivery::ID.column(),
                auto_increment: false,
                columns,
                rows: std::mem::take(&mut some),
                conflict: None,
                check: Predicate::ALWAYS,
                returning: Vec::new(),
                visible: Predicate::ALWAYS,
                tells_new: false,
            };
            let rendered = render::insert(&insert, dialect);
            statements.extend(rendered.map_err(|_| DbError::unavailable("a delivery has no statement"))?);
            bytes = 0;
        }
    }
    Ok(statements)
}

pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Typed(_, text) => Some(text),
        _ => None,
    }
}

pub(super) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        Value::Text(text) => Some(text.into_bytes()),
        _ => None,
    }
}

pub(super) fn whole(value: &Value) -> u32 {
    match value {
        Value::Int64(number) => u32::try_from(*number).unwrap_or(0),
        Value::Text(text) | Value::Typed(_, text) => text.parse().unwrap_or(0),
        _ => 0,
    }
}
