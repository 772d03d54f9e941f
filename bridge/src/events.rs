//! Events: whether a payload is as its topic declares it, and the row of the outbox that keeps one. It runs no statement: what publishes decides in
//! whose transaction that is.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use santokit_core::{
    access::{CompiledRules, Permissions, predicate::Predicate},
    event::{Events, PAYLOAD_BYTES_MAX, Topic},
    id::Kind,
    param::{CompiledParams, ParamError},
    problem::{Outcome, Problem},
    release::logins::Publisher,
    schema::Type,
    value::Value,
};
use santokit_sql::{
    dialect::Dialect,
    plan::{Comparison, Condition, Select, Source},
    render,
    schema::{
        bookkeeping::{OUTBOX, Own, outbox},
        logins::publisher::{self, Call},
    },
    statement::{Bound, Statement},
};
use serde_json::{Map, Value as Json};
use tokio::sync::watch;

use crate::{
    crud::value::moment,
    db::{Database, DbError, Session},
    edge::rate::RateLimiter,
};

pub(crate) mod chain;
mod kept;
pub mod mapped;
mod occasion;
mod publish;
pub mod trigger;

pub(crate) use kept::EXPIRING;
pub use kept::{inserts, sweep};
pub use occasion::{ACKNOWLEDGED, Acknowledgement, DEPTH_MAX, Failure, Occasion, Publishing};
pub(crate) use occasion::{lines, variable};
pub use publish::topic_path;

/// The topics of a release, ready for payloads.
#[derive(Debug, Default)]
pub struct Topics {
    by_name: BTreeMap<String, LoadedTopic>,
    /// Where events go that are in nobody's transaction.
    default_connection: String,
    /// One at a time, however many are published: each takes a connection.
    is_swept: AtomicBool,
    /// Changes when an event may have come, by whichever release of the env.
    published: Arc<watch::Sender<u64>>,
    /// Who may publish by a request, by topic.
    rules: BTreeMap<String, CompiledRules>,
    /// How often a topic may be published; none where nobody counts.
    rates: Option<Arc<RateLimiter>>,
    /// Bytes of a payload, where it is less than what the platform takes.
    payload_max: Option<usize>,
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
    /// The event that was being handled.
    pub caused_by: Option<String>,
    /// How many events caused one another until it.
    pub depth: u32,
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
        Ok(Self { by_name, default_connection: default_connection.to_owned(), ..Self::default() })
    }

    /// With who may publish by a request. The error is for operators.
    pub fn with_rules(mut self, permissions: &Permissions) -> Result<Self, String> {
        for (topic, rules) in &permissions.events {
            let compiled =
                CompiledRules::compile(&rules.publish).map_err(|error| format!("topic {topic:?}: {error}"))?;
            self.rules.insert(topic.clone(), compiled);
        }
        Ok(self)
    }

    /// With what counts how often a topic is published.
    #[must_use]
    pub fn counted_by(self, rates: Option<Arc<RateLimiter>>) -> Self {
        Self { rates, ..self }
    }

    /// With payloads of no more than so many bytes.
    #[must_use]
    pub fn bounded_to(self, payload_max: Option<usize>) -> Self {
        Self { payload_max, ..self }
    }

    /// Tells whom those of another release tell: of an env there is one who delivers, whatever a caller's release is.
    #[must_use]
    pub fn telling_with(self, other: Option<&Self>) -> Self {
        match other {
            Some(other) => Self { published: Arc::clone(&other.published), ..self },
            None => self,
        }
    }

    /// Bytes that a payload may have.
    pub fn payload_max(&self) -> usize {
        self.payload_max.map_or(PAYLOAD_BYTES_MAX, |most| most.min(PAYLOAD_BYTES_MAX))
    }

    /// Takes one from what may be published of a topic; `TOO_MANY_REQUESTS` where there is nothing left.
    pub async fn admit(&self, env: (&str, &str), topic: &str) -> Outcome<()> {
        match &self.rates {
            Some(rates) => rates.admit_publish(env, topic).await,
            None => Ok(()),
        }
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

    /// Tells who delivers that an event may have come.
    pub fn wake(&self) {
        self.published.send_modify(|times| *times = times.wrapping_add(1));
    }

    /// Sees that, from now on. Each connection's worker does.
    pub fn published(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
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

    /// What a field is.
    pub fn kind(&self, field: &str) -> Option<Type> {
        self.fields.declared().find(|declared| declared.name == field).map(|declared| declared.kind)
    }

    /// Whether a payload may have a field.
    pub fn has(&self, field: &str) -> bool {
        self.fields.has(field)
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

    /// A new id: behind all that this Bridge has made before, also within a millisecond.
    pub fn id() -> String {
        static IDS: LazyLock<Mutex<ulid::Generator>> = LazyLock::new(|| Mutex::new(ulid::Generator::new()));
        let made = IDS.lock().unwrap_or_else(PoisonError::into_inner).generate();
        format!("{}{}", Kind::Event.prefix(), made.unwrap_or_else(|_| ulid::Ulid::new()))
    }

    /// Says of events that are kept now when that is, by the clock of their database: Bridges whose own differ have that one in common. What is kept on SQLite
    /// has this machine's already.
    pub(crate) async fn date(events: &mut [Self], database: &Database, deadline: Instant) {
        if events.is_empty() || database.dialect() == Dialect::Sqlite {
            return;
        }
        let now = database.time(deadline).await;
        for event in events {
            event.expires_at = now + (event.expires_at - event.published_at);
            event.published_at = now;
        }
    }

    /// Whether so many have led to it that it is refused.
    pub fn is_too_deep(&self) -> bool {
        self.depth > DEPTH_MAX
    }

    /// What keeps it.
    pub fn insert(&self, dialect: Dialect) -> Outcome<Statement> {
        let statements = inserts(std::slice::from_ref(self), dialect)?;
        statements.into_iter().next().ok_or_else(|| Problem::internal("an event has no statement"))
    }

    /// The topic of an event that is kept, and what it was caused by.
    pub(crate) async fn cause(
        session: &mut Session,
        id: &str,
        deadline: Instant,
    ) -> Result<Option<(String, Option<String>)>, DbError> {
        let filter = Condition::Compare(outbox::ID.column(), Comparison::Equal, Value::Text(id.to_owned()));
        let select = Select {
            source: Source { filter, ..Source::of(OUTBOX, Predicate::ALWAYS) },
            columns: vec![outbox::TOPIC.column(), outbox::CAUSED_BY.column()],
            distinct: false,
            order: Vec::new(),
            after: None,
            limit: Some(1),
            offset: 0,
        };
        let Ok(statement) = render::select(&select, session.dialect()) else { return Ok(None) };
        let found = session.rows(&statement, deadline).await?.into_iter().next();
        Ok(found.and_then(|row| match <[Value; 2]>::try_from(row) {
            Ok([Value::Text(topic), Value::Text(cause)]) => Some((topic, Some(cause))),
            Ok([Value::Text(topic), _]) => Some((topic, None)),
            _ => None,
        }))
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
            (outbox::CAUSED_BY, self.caused_by.as_deref().map_or(Value::Null, text)),
            (outbox::DEPTH, Value::Int64(self.depth.into())),
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
