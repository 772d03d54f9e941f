//! The subscriptions of a release, ready for events: which events each is given, and what it takes of them.

use std::collections::BTreeMap;

use santokit_core::{
    access::filter::Filter,
    event::{Events, Subscription},
};
use serde_json::{Map, Value as Json};

use super::order::Keys;
use crate::config::EnvName;

/// Of a release.
#[derive(Debug, Default)]
pub struct Subscriptions {
    by_name: BTreeMap<String, LoadedSubscription>,
    /// All topics, also those that nobody has subscribed to.
    topics: Vec<String>,
}

/// A subscription, ready for events.
#[derive(Debug)]
pub struct LoadedSubscription {
    /// As the release says it.
    pub subscription: Subscription,
    filter: Option<Filter>,
    /// None where there is no order.
    keys: Option<Keys>,
}

/// What a filter says of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It is given to the subscription.
    Yes,
    /// It is not.
    No,
    /// It cannot be evaluated, so that nobody knows; the reason can hold values of the payload.
    Unknown(String),
}

impl Subscriptions {
    /// Of a release. The error is for operators.
    pub fn of(env: &EnvName, events: &Events) -> Result<Self, String> {
        let load = |(name, subscription): (&String, &Subscription)| {
            let filter = subscription.filter.as_deref().map(Filter::parse).transpose();
            let filter = filter.map_err(|error| format!("subscription {name:?}: filter: {error}"))?;
            let keys = subscription.order_by.is_some().then(|| Keys::new(env, name));
            Ok((name.clone(), LoadedSubscription { subscription: subscription.clone(), filter, keys }))
        };
        let by_name = events.subscriptions.iter().map(load).collect::<Result<_, String>>()?;
        Ok(Self { by_name, topics: events.topics.keys().cloned().collect() })
    }

    /// Whether events can come at all.
    pub fn has_topics(&self) -> bool {
        !self.topics.is_empty()
    }

    /// Whether the release has a topic.
    pub fn has_topic(&self, name: &str) -> bool {
        self.topics.iter().any(|topic| topic == name)
    }

    /// Whether somebody is given any.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The topics' names.
    pub fn topics(&self) -> Vec<&str> {
        self.topics.iter().map(String::as_str).collect()
    }

    /// The names of all.
    pub fn names(&self) -> Vec<&str> {
        self.by_name.keys().map(String::as_str).collect()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &LoadedSubscription)> {
        self.by_name.iter()
    }

    /// By its name.
    pub fn get(&self, name: &str) -> Option<&LoadedSubscription> {
        self.by_name.get(name)
    }

    /// Those of a topic.
    pub fn of_topic(&self, topic: &str) -> impl Iterator<Item = (&String, &LoadedSubscription)> {
        self.by_name.iter().filter(move |(_, loaded)| loaded.subscription.topic == topic)
    }
}

impl LoadedSubscription {
    /// Whether it is given an event.
    pub fn admits(&self, payload: &Map<String, Json>) -> Admitted {
        match self.filter.as_ref().map(|filter| filter.admits(payload)) {
            None | Some(Ok(true)) => Admitted::Yes,
            Some(Ok(false)) => Admitted::No,
            Some(Err(reason)) => Admitted::Unknown(reason),
        }
    }

    /// What the order of an event goes by: its own id where it has no such value, as it waits for no other; none where there is no order.
    pub fn order_key(&self, event: &str, payload: &Map<String, Json>) -> Option<String> {
        let field = self.subscription.order_by.as_ref()?;
        let keys = self.keys.as_ref()?;
        let value = payload.get(field).filter(|value| !value.is_null());
        // No JSON value begins as an id does.
        Some(value.map_or_else(|| keys.of(event.as_bytes()), |value| keys.of(value.to_string().as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use santokit_core::event::{Retry, TIMEOUT};
    use serde_json::json;

    use super::*;

    #[test]
    fn events_of_one_value_have_one_key_and_those_without_have_their_own() {
        let subscription = Subscription {
            topic: "t".to_owned(),
            handler: "h".to_owned(),
            filter: Some("event.payload.n > 1".to_owned()),
            retry: Retry::default(),
            dead_letter: true,
            concurrency: 1,
            order_by: Some("key".to_owned()),
            timeout: TIMEOUT,
        };
        let events = Events { subscriptions: [("s".to_owned(), subscription)].into(), ..Events::default() };
        let env = EnvName { project: "p".to_owned(), env: "e".to_owned() };
        let subscriptions = Subscriptions::of(&env, &events).unwrap();
        let one = subscriptions.get("s").unwrap();
        let of = |json: Json| json.as_object().unwrap().clone();
        let (a, b) = (of(json!({"key": "a", "n": 2})), of(json!({"key": "a", "n": 1})));
        let key = |payload: &Map<String, Json>| one.order_key("evt_1", payload).unwrap();
        assert_eq!(key(&a), one.order_key("evt_2", &b).unwrap());
        assert_eq!(key(&a).len(), 64);
        assert_ne!(key(&a), key(&of(json!({"key": 1}))));
        let (none, null) = (of(json!({})), of(json!({"key": null})));
        assert_eq!(key(&none), key(&null));
        assert_ne!(key(&none), one.order_key("evt_2", &none).unwrap(), "who has no key waits for nobody");
        assert_eq!((one.admits(&a), one.admits(&b)), (Admitted::Yes, Admitted::No));
        assert!(matches!(one.admits(&of(json!({}))), Admitted::Unknown(_)));
    }
}
