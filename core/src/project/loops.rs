//! Events that lead to events of their own topic: a handler publishes, or writes rows of which a trigger tells, what in the end it is given again. A Bridge
//! ends such a chain where it is too deep, and what is lost there is found in dead letters; who writes one rarely means it. A subscription with a filter is
//! taken to end it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{LogicSource, ProjectLogic, decode::File, diagnostic::Check, node::Span};
use crate::{
    access::{Permissions, Rule, decide::PUBLIC},
    event::{Change, Events},
    logic::{CrudGrant, Grants},
};

/// Where each subscription names its handler.
pub(super) type Handlers<'f> = BTreeMap<String, (&'f File<'f>, Span)>;

/// What is looked at.
#[derive(Clone, Copy)]
pub(super) struct Chains<'p> {
    /// Topics, subscriptions and triggers.
    pub(super) events: &'p Events,
    /// Handlers, and what they call.
    pub(super) logics: &'p BTreeMap<String, ProjectLogic>,
    /// Whose rows a service may write.
    pub(super) permissions: &'p Permissions,
}

/// From a topic to one of which events come of its events.
struct Step<'p> {
    subscription: &'p str,
    /// What the events go through, in words.
    through: Vec<String>,
    topic: &'p str,
}

impl<'p> Chains<'p> {
    /// Warns of each loop once, where the first of its subscriptions names its handler.
    pub(super) fn warn(self, places: &Handlers<'_>) {
        let mut told: BTreeSet<&str> = BTreeSet::new();
        for topic in self.events.topics.keys().map(String::as_str) {
            if told.contains(topic) {
                continue;
            }
            let steps = self.shortest(topic);
            let Some((file, span)) = steps.first().and_then(|first| places.get(first.subscription)) else { continue };
            told.extend(steps.iter().map(|step| step.topic));
            let path = steps.iter().map(|step| format!(" → {} → {}", step.through.join(" → "), step.topic));
            let message =
                format!("events of {topic:?} lead to events of {topic:?}: {topic}{}", path.collect::<String>());
            let hint =
                "let a filter of a subscription end it; where 16 events have caused one another, the next is refused";
            file.warning(*span, Check::EventLoop, message, hint);
        }
    }

    /// The shortest way from a topic back to it; empty where there is none.
    fn shortest(self, start: &'p str) -> Vec<Step<'p>> {
        let mut came: BTreeMap<&str, (&str, Step<'p>)> = BTreeMap::new();
        let mut next = VecDeque::from([start]);
        while let Some(topic) = next.pop_front() {
            for step in self.steps(topic) {
                let to = step.topic;
                if came.contains_key(to) {
                    continue;
                }
                came.insert(to, (topic, step));
                if to == start {
                    return Self::way(start, came);
                }
                next.push_back(to);
            }
        }
        Vec::new()
    }

    fn way(start: &'p str, mut came: BTreeMap<&str, (&'p str, Step<'p>)>) -> Vec<Step<'p>> {
        let (mut steps, mut at) = (Vec::new(), start);
        while let Some((from, step)) = came.remove(at) {
            steps.push(step);
            at = from;
        }
        steps.reverse();
        steps
    }

    fn steps(self, topic: &str) -> Vec<Step<'p>> {
        let subscribed = self.events.subscriptions.iter().filter(|(_, one)| one.topic == topic && one.filter.is_none());
        let mut steps = Vec::new();
        for (name, subscription) in subscribed {
            for (mut through, topic) in self.leads(&subscription.handler) {
                through.insert(0, format!("subscription {name}"));
                steps.push(Step { subscription: name, through, topic });
            }
        }
        steps
    }

    /// The topics of which events come of a call of a logic, and of those that it calls; each with what they go through.
    fn leads(self, handler: &'p str) -> Vec<(Vec<String>, &'p str)> {
        let (mut found, mut seen) = (Vec::new(), BTreeSet::from([handler]));
        let mut next = VecDeque::from([(handler, Vec::new())]);
        while let Some((name, mut through)) = next.pop_front() {
            let Some(logic) = self.logics.get(name) else { continue };
            through.push(format!("logics/{name}"));
            let source = match &logic.source {
                LogicSource::Wasm(source) => source,
                LogicSource::Sql(body) => {
                    found.extend(body.publish.iter().map(|publish| (through.clone(), publish.topic.as_str())));
                    continue;
                }
            };
            found.extend(source.grants.events.iter().map(|topic| (through.clone(), topic.as_str())));
            for (trigger, of) in &self.events.triggers {
                if of.on.iter().any(|change| self.may(&source.grants, &of.table, *change)) {
                    let through = through.iter().cloned().chain([format!("trigger {trigger}")]);
                    found.push((through.collect(), of.topic.as_str()));
                }
            }
            let called = source.grants.logics.iter().map(String::as_str);
            next.extend(called.filter(|name| seen.insert(*name)).map(|name| (name, through.clone())));
        }
        found
    }

    /// Whether a rule lets its own requests write rows so. Its SQL fires no trigger, and a handler has no caller as whom it could ask.
    fn may(self, grants: &Grants, table: &str, change: Change) -> bool {
        let (Some(CrudGrant::Service { roles }), Some(rules)) = (&grants.crud, self.permissions.tables.get(table))
        else {
            return false;
        };
        let rules = match change {
            Change::Insert => &rules.insert,
            Change::Update => &rules.update,
            Change::Delete => &rules.delete,
        };
        let is_for_it = |rule: &Rule| rule.roles.iter().any(|role| role == PUBLIC || roles.contains(role));
        rules.iter().any(is_for_it)
    }
}
