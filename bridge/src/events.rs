//! Events: whether a payload is as its topic declares it, and the row of the outbox that keeps one. It runs no statement: what publishes decides in
//! whose transaction that is.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use chrono::{DateTime, Utc};
use santokit_core::{
    access::predicate::Predicate,
    event::{Events, Topic},
    id::Kind,
    param::{CompiledParams, ParamError},
    problem::{Outcome, Problem},
    release::logins::Publisher,
    value::Value,
};
use santokit_sql::{
    dialect::Dialect,
    plan::{Cell, Column, Insert},
    render,
    schema::{
        bookkeeping::{OUTBOX, Own, outbox},
        logins::publisher::{self, Call},
    },
    statement::{Bound, Statement},
};
use serde_json::{Map, Value as Json};

use crate::crud::value::moment;

/// The topics of a release, ready for payloads.
#[derive(Debug, Default)]
pub struct Topics {
    by_name: BTreeMap<String, LoadedTopic>,
    /// Where events go that are in nobody's transaction.
    default_connection: String,
    /// One at a time, however many are published: each takes a connection.
    is_swept: AtomicBool,
}

/// A topic, ready for payloads.
#[derive(Debug)]
pub struct LoadedTopic {
    fields: CompiledParams,
    retention: Duration,
}

/// An event that is to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `evt_…`.
    pub id: String,
    /// Whose it is.
    pub project: String,
    /// Of which env.
    pub env: String,
    /// `rel_…`.
    pub release: String,
    /// Its topic.
    pub topic: String,
    /// Checked.
    pub payload: Map<String, Json>,
    /// The logic.
    pub published_by: String,
    /// When.
    pub published_at: DateTime<Utc>,
    /// From when on it may be removed.
    pub expires_at: DateTime<Utc>,
}

impl Topics {
    /// Of a release. The error is for operators.
    pub fn of(events: &Events, default_connection: &str) -> Result<Self, String> {
        let load = |(name, topic): (&String, &Topic)| {
            let fields = CompiledParams::compile(&topic.fields);
            let fields = fields.map_err(|error: ParamError| format!("topic {name:?}: {error}"))?.called("field");
            Ok((name.clone(), LoadedTopic { fields, retention: topic.retention.duration() }))
        };
        let by_name = events.topics.iter().map(load).collect::<Result<_, String>>()?;
        Ok(Self { by_name, default_connection: default_connection.to_owned(), is_swept: AtomicBool::new(false) })
    }

    /// A topic by its name.
    pub fn get(&self, name: &str) -> Option<&LoadedTopic> {
        self.by_name.get(name)
    }

    /// Begins to remove what has expired; false where somebody is at it.
    pub fn begin_sweep(&self) -> bool {
        !self.is_swept.swap(true, Ordering::AcqRel)
    }

    /// Ends that.
    pub fn end_sweep(&self) {
        self.is_swept.store(false, Ordering::Release);
    }

    /// Where events go that are in nobody's transaction.
    pub fn default_connection(&self) -> &str {
        &self.default_connection
    }
}

impl LoadedTopic {
    /// A payload as it is kept: with the types that are declared.
    pub fn check(&self, payload: Map<String, Json>) -> Outcome<Map<String, Json>> {
        self.fields.check(Json::Object(payload))
    }

    /// When an event of now may be removed.
    pub fn expires_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.retention
    }
}

impl Event {
    /// Whether some of what has expired is removed after it: after one in sixteen. The last digit of an id is as good as dice.
    pub fn is_swept_after(&self) -> bool {
        self.id.ends_with(['0', '8'])
    }

    /// A new id.
    pub fn id() -> String {
        Kind::Event.generate()
    }

    /// What keeps it.
    pub fn insert(&self, dialect: Dialect) -> Outcome<Statement> {
        let (columns, values): (Vec<Column>, Vec<Value>) =
            self.row()?.into_iter().map(|(own, value)| (own.column(), value)).unzip();
        let insert = Insert {
            table: OUTBOX.to_owned(),
            key: outbox::ID.column(),
            auto_increment: false,
            columns,
            rows: vec![values.into_iter().map(Cell::Value).collect()],
            conflict: None,
            check: Predicate::ALWAYS,
            returning: Vec::new(),
            visible: Predicate::ALWAYS,
        };
        let statements = render::insert(&insert, dialect).map_err(Problem::internal)?;
        statements.into_iter().next().ok_or_else(|| Problem::internal("an event has no statement"))
    }

    /// What keeps it in a transaction of a login.
    pub fn call(&self, dialect: Dialect, publisher: &Publisher) -> Outcome<Call> {
        let row = self.row()?;
        let given = |name: &str| {
            let (own, value) = row.iter().find(|(own, _)| own.column().name == name)?;
            Some(Bound { kind: own.column().kind, value: value.clone() })
        };
        let values: Option<Vec<Bound>> = publisher::given().map(given).collect();
        let values = values.ok_or_else(|| Problem::internal("an event lacks a column of its call"))?;
        Ok(Call::new(dialect, publisher, values))
    }

    fn row(&self) -> Outcome<[(Own, Value); 11]> {
        let text = |text: &str| Value::Text(text.to_owned());
        let payload = serde_json::to_vec(&self.payload).map_err(Problem::internal)?;
        Ok([
            (outbox::ID, text(&self.id)),
            (outbox::PROJECT, text(&self.project)),
            (outbox::ENV, text(&self.env)),
            (outbox::RELEASE, text(&self.release)),
            (outbox::TOPIC, text(&self.topic)),
            (outbox::PAYLOAD, Value::Bytes(payload)),
            (outbox::PUBLISHED_AT, moment(self.published_at)),
            (outbox::PUBLISHED_BY, text(&self.published_by)),
            // Handlers of events, whose own have a cause, are of a later version.
            (outbox::CAUSED_BY, Value::Null),
            (outbox::DEPTH, Value::Int64(0)),
            (outbox::EXPIRES_AT, moment(self.expires_at)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_publishes_much_brings_about_one_sweep_at_a_time() {
        let topics = Topics::default();
        assert!(topics.begin_sweep() && !topics.begin_sweep());
        topics.end_sweep();
        assert!(topics.begin_sweep());
    }
}
