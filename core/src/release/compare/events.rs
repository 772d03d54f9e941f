//! Changes of topics that take from those who publish or handle their events what they rely on. Events that wait have the form of before,
//! and so have publishers that a release does not know: a change that neither can see is compatible.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Manifest;
use crate::{
    event::Topic,
    logic::Body,
    param::Param,
    storage::{Bucket, told::Happened},
};

/// A change that does not fit what was there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Break {
    /// The topic.
    pub topic: String,
    /// The field; none where the topic is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What happened to it.
    pub what: Broken,
    /// Who of the release before publishes the topic: `bucket …`, `logic …`, `trigger …`, `requests`.
    pub publishers: Vec<String>,
    /// Who of the release before handles its events: `subscription …`.
    pub handlers: Vec<String>,
}

/// What no longer fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Broken {
    /// The topic is gone: its events that wait are handled by nobody.
    TopicRemoved,
    /// Publishers that send it are refused, and who reads it finds nothing.
    FieldRemoved,
    /// Publishers of before do not send it, nor have the events that wait it.
    FieldRequired,
    /// Who reads it relied on its being there. Nobody who publishes is affected.
    FieldOptional,
    /// A value of before is none of the new type.
    TypeChanged,
    /// A value of before may be refused.
    BoundsTightened,
}

impl Broken {
    /// In words.
    pub const fn told(self) -> &'static str {
        match self {
            Broken::TopicRemoved | Broken::FieldRemoved => "is gone",
            Broken::FieldRequired => "is required now",
            Broken::FieldOptional => "need not be there any more",
            Broken::TypeChanged => "is of another type",
            Broken::BoundsTightened => "has other bounds",
        }
    }
}

/// What breaks who, sorted by topic and field.
pub(super) fn breaks(before: &Manifest, after: &Manifest) -> Vec<Break> {
    let mut found = Vec::new();
    for (name, then) in &before.events.topics {
        let of_topic = match after.events.topics.get(name) {
            None => vec![(None, Broken::TopicRemoved)],
            Some(now) => of_fields(then, now),
        };
        if of_topic.is_empty() {
            continue;
        }
        let (publishers, handlers) = (publishers(before, name), handlers(before, name));
        let is_told = |what: Broken| what != Broken::FieldOptional || !handlers.is_empty();
        found.extend(of_topic.into_iter().filter(|(_, what)| is_told(*what)).map(|(field, what)| Break {
            topic: name.clone(),
            field,
            what,
            publishers: publishers.clone(),
            handlers: handlers.clone(),
        }));
    }
    found.sort();
    found
}

fn of_fields(then: &Topic, now: &Topic) -> Vec<(Option<String>, Broken)> {
    let mut found = Vec::new();
    for before in &then.fields {
        let after = now.fields.iter().find(|after| after.name == before.name);
        let broken = match after {
            None => Some(Broken::FieldRemoved),
            Some(after) if !takes(before, after) => Some(Broken::TypeChanged),
            Some(after) if after.required && !before.required => Some(Broken::FieldRequired),
            Some(after) if is_tighter(before, after) => Some(Broken::BoundsTightened),
            Some(_) => None,
        };
        // It may have other bounds as well.
        let optional = after.filter(|after| before.required && !after.required && takes(before, after));
        let broken = broken.into_iter().chain(optional.map(|_| Broken::FieldOptional));
        found.extend(broken.map(|broken| (Some(before.name.clone()), broken)));
    }
    let is_new = |after: &&Param| after.required && then.fields.iter().all(|before| before.name != after.name);
    found.extend(now.fields.iter().filter(is_new).map(|after| (Some(after.name.clone()), Broken::FieldRequired)));
    found
}

/// Whether every value of before is one of the new type, and who reads it can tell no difference.
fn takes(before: &Param, after: &Param) -> bool {
    before.kind == after.kind && (after.items.is_none() || before.items == after.items)
}

/// Whether a value that was fine may not be: a bound that is new, or another one than before. Numbers are compared by their text: one that
/// is looser is told as well, where that cannot be seen at once.
fn is_tighter(before: &Param, after: &Param) -> bool {
    let (before, after) = (&before.bounds, &after.bounds);
    let listed = match (&before.one_of, &after.one_of) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(before), Some(after)) => before.iter().any(|word| !after.contains(word)),
    };
    let shorter = match (before.max_length, after.max_length) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(before), Some(after)) => after < before,
    };
    let changed = |before: &Option<String>, after: &Option<String>| after.is_some() && before != after;
    listed
        || shorter
        || changed(&before.min, &after.min)
        || changed(&before.max, &after.max)
        || changed(&before.pattern, &after.pattern)
}

fn publishers(manifest: &Manifest, topic: &str) -> Vec<String> {
    let publishes = |body: &Body| match body {
        Body::Wasm(wasm) => wasm.grants.events.contains(topic),
        Body::Sql(sql) => sql.publish.iter().any(|one| one.topic == topic),
    };
    let logics = manifest.logics.iter().filter(|(_, logic)| publishes(&logic.body));
    let logics = logics.map(|(name, _)| format!("logic {name}"));
    let triggers = manifest.events.triggers.iter().filter(|(_, trigger)| trigger.topic == topic);
    let triggers = triggers.map(|(name, _)| format!("trigger {name}"));
    let rules = manifest.permissions.events.get(topic).filter(|rules| !rules.publish.is_empty());
    let tells = |bucket: &Bucket| Happened::ALL.iter().any(|happened| bucket.events.topic(*happened) == Some(topic));
    let buckets = manifest.storage.buckets.iter().filter(|(_, bucket)| tells(bucket));
    let buckets = buckets.map(|(alias, _)| format!("bucket {alias}"));
    let all: BTreeSet<String> =
        logics.chain(triggers).chain(buckets).chain(rules.map(|_| "requests".to_owned())).collect();
    all.into_iter().collect()
}

fn handlers(manifest: &Manifest, topic: &str) -> Vec<String> {
    let of_topic = manifest.events.subscriptions.iter().filter(|(_, one)| one.topic == topic);
    of_topic.map(|(name, _)| format!("subscription {name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::RETENTION,
        schema::{Bounds, Type},
    };

    fn field(name: &str, kind: Type, required: bool) -> Param {
        Param { name: name.to_owned(), kind, required, default: None, items: None, bounds: Bounds::NONE }
    }

    fn topic(fields: Vec<Param>) -> Topic {
        Topic { description: None, fields, retention: RETENTION }
    }

    #[test]
    fn what_neither_publishers_nor_handlers_can_see_is_compatible() {
        let then = topic(vec![field("id", Type::String, true), field("total", Type::Decimal, false)]);
        let mut now = then.clone();
        now.fields.push(field("note", Type::String, false));
        assert_eq!(of_fields(&then, &now), []);
        let told = |change: &dyn Fn(&mut Topic)| {
            let mut now = then.clone();
            change(&mut now);
            of_fields(&then, &now).into_iter().map(|(_, broken)| broken).collect::<Vec<_>>()
        };
        assert_eq!(told(&|now| drop(now.fields.pop())), [Broken::FieldRemoved]);
        assert_eq!(told(&|now| now.fields[1].required = true), [Broken::FieldRequired]);
        assert_eq!(told(&|now| now.fields[0].required = false), [Broken::FieldOptional]);
        assert_eq!(told(&|now| now.fields.push(field("new", Type::Int, true))), [Broken::FieldRequired]);
        assert_eq!(told(&|now| now.fields[1].kind = Type::Float), [Broken::TypeChanged]);
        assert_eq!(told(&|now| now.fields[0].bounds.max_length = Some(3)), [Broken::BoundsTightened]);
        assert_eq!(told(&|now| now.fields[0].bounds.one_of = Some(vec![])), [Broken::BoundsTightened]);
        let both = told(&|now| {
            now.fields[0].required = false;
            now.fields[0].bounds.max_length = Some(3);
        });
        assert_eq!(both, [Broken::BoundsTightened, Broken::FieldOptional]);
    }
}
