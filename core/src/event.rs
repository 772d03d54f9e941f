//! Topics of a project: what events there are, and what their payloads look like; and subscriptions: who is told of them. Where events are kept and
//! how they are delivered is the Bridge's matter.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    name::{NameError, check_identifier, check_label},
    param::{CompiledParams, Param, ParamError},
    quantity::Millis,
};

pub(crate) mod mapping;
mod subscription;
mod trigger;

pub use mapping::MappingError;
pub use subscription::{
    BACKOFF_MAX, CONCURRENCY, CONCURRENCY_MAX, RETRIES_MAX, Retry, SUBSCRIPTIONS_MAX, Subscription, TIMEOUT, is_order,
    is_timeout,
};
pub use trigger::{Change, TRIGGERS_MAX, Trigger, TriggerError};

/// Topics of a project.
pub const TOPICS_MAX: usize = 100;

/// The largest payload.
pub const PAYLOAD_BYTES_MAX: usize = 1_000_000;

/// How long events are kept where a topic says nothing.
pub const RETENTION: Millis = Millis(7 * DAY);

/// The longest that a topic's events are kept.
pub const RETENTION_MAX: Millis = Millis(90 * DAY);

const DAY: u64 = 24 * 60 * 60 * 1_000;

/// What a release says of events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Events {
    /// By name.
    pub topics: BTreeMap<String, Topic>,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub subscriptions: BTreeMap<String, Subscription>,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers: BTreeMap<String, Trigger>,
}

/// A kind of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Topic {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What a payload has. A field that is not here is in none.
    pub fields: Vec<Param>,
    /// How long its events are kept.
    pub retention: Millis,
}

/// A section that no project file can say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventsError {
    /// More than anybody reads.
    #[error("a project has at most {TOPICS_MAX} topics")]
    TooMany,
    /// Not a name.
    #[error("topic {topic:?}: {error}")]
    Name {
        /// As it stands.
        topic: String,
        /// What is wrong.
        error: NameError,
    },
    /// A field that makes no sense.
    #[error("topic {topic:?}: {error}")]
    Field {
        /// Which.
        topic: String,
        /// What is wrong.
        error: ParamError,
    },
    /// A subscription that makes no sense.
    #[error("subscription {subscription:?}: {what}")]
    Subscription {
        /// Which.
        subscription: String,
        /// What is wrong.
        what: String,
    },
    /// More subscriptions than one topic has.
    #[error("topic {0:?} has more than {SUBSCRIPTIONS_MAX} subscriptions")]
    TooManySubscriptions(String),
    /// Kept for no time, or for longer than any may be.
    #[error("topic {0:?}: events are kept for 1ms to {RETENTION_MAX}")]
    Retention(String),
}

impl Events {
    /// Whether there is no topic.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.subscriptions.is_empty()
    }

    /// Whether it can be meant.
    pub fn check(&self) -> Result<(), EventsError> {
        if self.topics.len() > TOPICS_MAX {
            return Err(EventsError::TooMany);
        }
        for (name, topic) in &self.topics {
            let named = |error| EventsError::Name { topic: name.clone(), error };
            check_topic(name).map_err(named)?;
            for field in &topic.fields {
                check_identifier("a field's name", &field.name).map_err(named)?;
            }
            let field = |error| EventsError::Field { topic: name.clone(), error };
            CompiledParams::compile(&topic.fields).map_err(field)?;
            if !is_retention(topic.retention) {
                return Err(EventsError::Retention(name.clone()));
            }
            if self.subscribed(name).count() > SUBSCRIPTIONS_MAX {
                return Err(EventsError::TooManySubscriptions(name.clone()));
            }
        }
        for (name, subscription) in &self.subscriptions {
            let wrong =
                |error: NameError| EventsError::Subscription { subscription: name.clone(), what: error.to_string() };
            check_subscription(name).map_err(wrong)?;
            subscription.check(name, self.topics.get(&subscription.topic))?;
        }
        Ok(())
    }

    /// The subscriptions of a topic.
    pub fn subscribed(&self, topic: &str) -> impl Iterator<Item = (&String, &Subscription)> {
        self.subscriptions.iter().filter(move |(_, subscription)| subscription.topic == topic)
    }
}

/// Whether a text can be the name of a subscription.
pub fn check_subscription(name: &str) -> Result<(), NameError> {
    check_label("a subscription's name", name)
}

/// Whether a text can be the name of a topic.
pub fn check_topic(name: &str) -> Result<(), NameError> {
    check_label("a topic's name", name)
}

/// Whether events can be kept for so long.
pub fn is_retention(retention: Millis) -> bool {
    retention > Millis(0) && retention <= RETENTION_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Bounds, Type};

    fn events(name: &str, field: &str, retention: Millis) -> Events {
        let field = Param {
            name: field.to_owned(),
            kind: Type::String,
            required: true,
            default: None,
            items: None,
            bounds: Bounds::NONE,
        };
        let topic = Topic { description: None, fields: vec![field], retention };
        Events { topics: [(name.to_owned(), topic)].into(), ..Events::default() }
    }

    #[test]
    fn a_manifest_cannot_say_what_no_file_can() {
        assert_eq!(events("order_placed", "orderId", RETENTION).check(), Ok(()));
        assert!(matches!(events("Order", "a", RETENTION).check(), Err(EventsError::Name { .. })));
        assert!(matches!(events("a\nb", "a", RETENTION).check(), Err(EventsError::Name { .. })));
        assert!(matches!(events("a", "stk_a", RETENTION).check(), Err(EventsError::Name { .. })));
        for retention in [Millis(0), Millis(RETENTION_MAX.0 + 1)] {
            assert!(matches!(events("a", "a", retention).check(), Err(EventsError::Retention(_))));
        }
        let mut many = events("a", "a", RETENTION);
        for number in 0..TOPICS_MAX {
            many.topics.insert(format!("t{number}"), many.topics["a"].clone());
        }
        assert_eq!(many.check(), Err(EventsError::TooMany));
        let mut odd = events("a", "a", RETENTION);
        odd.topics.get_mut("a").unwrap().fields[0].bounds.pattern = Some("(".to_owned());
        assert!(matches!(odd.check(), Err(EventsError::Field { .. })));
    }
}
