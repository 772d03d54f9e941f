//! `events/subscriptions/*.yaml`: which logic is given the events of a topic.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    LogicSource, ProjectLogic,
    access::DraftCondition,
    decode::{File, Word},
    diagnostic::Check,
    keys, loops,
    node::{Node, Span},
};
use crate::{
    access::cel::Scope,
    event::{
        CONCURRENCY, CONCURRENCY_MAX, Events, EventsError, RETRIES_MAX, Retry, SUBSCRIPTIONS_MAX, Subscription,
        TIMEOUT, Topic, check_subscription, check_topic, is_order, is_timeout,
    },
    limit::InvocationLimits,
    param::Param,
    quantity::Millis,
};

/// What stands before a logic's name in `handler`, as in a path of a call.
const HANDLERS: &str = "logics/";

/// All subscriptions, before what they name is known.
#[derive(Default)]
pub(super) struct Subscriptions<'f> {
    drafts: Vec<Draft<'f>>,
}

/// A subscription that can be read.
struct Draft<'f> {
    file: &'f File<'f>,
    name: Word,
    topic: Word,
    handler: Word,
    filter: Option<DraftCondition>,
    order_by: Option<Word>,
    retry: Retry,
    dead_letter: bool,
    concurrency: u32,
    timeout: Millis,
}

impl<'f> Subscriptions<'f> {
    /// Reads a file.
    pub(super) fn read(&mut self, file: &'f File<'f>, root: &Node) {
        let Some(map) = file.map(root, &keys::SUBSCRIPTION) else { return };
        let name = map.get("name").and_then(|node| file.name(node, check_subscription));
        let topic = map.get("topic").and_then(|node| file.name(node, check_topic));
        let handler = map.get("handler").and_then(|node| handler(file, node));
        let filter = map.get("filter").and_then(|node| DraftCondition::read(file, node, Scope::Event));
        let order_by = map.get("orderBy").and_then(|node| file.text(node));
        let retry = map.get("retry").and_then(|node| retry(file, node)).unwrap_or_default();
        let dead_letter = map.get("deadLetter").and_then(|node| file.boolean(node)).unwrap_or(true);
        let concurrency = map.get("concurrency").and_then(|node| {
            let whole = file.whole(node)?;
            let concurrency = u32::try_from(whole).ok().filter(|number| (1..=CONCURRENCY_MAX).contains(number));
            if concurrency.is_none() {
                file.error(node.span, Check::InvalidValue, format!("concurrency is 1 to {CONCURRENCY_MAX}"));
            }
            concurrency
        });
        let timeout = map.get("timeout").and_then(|node| {
            let timeout = file.quantity::<Millis>(node)?;
            if !is_timeout(timeout) {
                let message = format!("an attempt takes 1ms to {}", InvocationLimits::ceiling().timeout);
                file.error(node.span, Check::InvalidValue, message);
            }
            Some(timeout)
        });
        let (Some(name), Some(topic), Some(handler)) = (name, topic, handler) else { return };
        let concurrency = concurrency.unwrap_or(CONCURRENCY);
        let timeout = timeout.unwrap_or(TIMEOUT);
        self.drafts.push(Draft {
            file,
            name,
            topic,
            handler,
            filter,
            order_by,
            retry,
            dead_letter,
            concurrency,
            timeout,
        });
    }

    /// The logic that each subscription names, with the subscription's name.
    pub(super) fn handlers(&self) -> BTreeMap<String, String> {
        self.drafts.iter().map(|draft| (draft.handler.text.clone(), draft.name.text.clone())).collect()
    }

    /// Checks what they name, and adds them to the topics; where they name their handlers.
    pub(super) fn join(
        self,
        events: &mut Events,
        logics: &BTreeMap<String, ProjectLogic>,
        known: &BTreeSet<String>,
    ) -> loops::Handlers<'f> {
        let mut places = loops::Handlers::new();
        let mut files: BTreeMap<String, &str> = BTreeMap::new();
        for draft in self.drafts {
            let Draft { file, name, .. } = &draft;
            if let Some(earlier) = files.insert(name.text.clone(), file.path) {
                let message = format!("the subscription {:?} is declared in {earlier} already", name.text);
                file.error(name.span, Check::Duplicate, message);
            }
            let topic = events.topics.get(&draft.topic.text);
            if topic.is_none() {
                let message = format!("there is no topic {:?} in events/topics", draft.topic.text);
                let topics = events.topics.keys().map(String::as_str);
                file.unknown(draft.topic.span, Check::UnknownTopic, message, &draft.topic.text, topics);
            }
            if events.subscribed(&draft.topic.text).count() == SUBSCRIPTIONS_MAX {
                let message = EventsError::TooManySubscriptions(draft.topic.text.clone()).to_string();
                file.error(draft.topic.span, Check::TooMany, message);
            }
            if let Some(topic) = topic {
                draft.check_fields(topic);
            }
            draft.check_handler(topic, logics, known);
            let place = (draft.file, draft.handler.span);
            let (name, subscription) = draft.finish();
            places.insert(name.clone(), place);
            events.subscriptions.insert(name, subscription);
        }
        places
    }
}

impl Draft<'_> {
    /// The filter reads what payloads have, and events are ordered by what has an order.
    fn check_fields(&self, topic: &Topic) {
        let file = self.file;
        let fields = || topic.fields.iter().map(|field| field.name.as_str());
        if let Some(condition) = &self.filter {
            for name in condition.read_params().iter().filter(|name| !fields().any(|field| field == name.as_str())) {
                let message = format!("the filter reads event.payload.{name}, which the topic does not have");
                file.unknown(condition.span(), Check::InvalidCondition, message, name, fields());
            }
        }
        let Some(order_by) = &self.order_by else { return };
        match topic.fields.iter().find(|field| field.name == order_by.text) {
            None => {
                let message = format!("the topic {:?} has no field {:?}", self.topic.text, order_by.text);
                file.unknown(order_by.span, Check::InvalidValue, message, &order_by.text, fields());
            }
            Some(field) if !is_order(field.kind) => {
                let message = format!("events cannot be ordered by a field of type {}", field.kind.as_str());
                file.error(order_by.span, Check::NotForType, message);
            }
            Some(_) => {}
        }
    }

    /// It is there, takes events, and in SQL its params are of the payload. What a component exports is known when it is built.
    fn check_handler(&self, topic: Option<&Topic>, logics: &BTreeMap<String, ProjectLogic>, known: &BTreeSet<String>) {
        let (file, Word { text: name, span }) = (self.file, &self.handler);
        let Some(logic) = logics.get(name) else {
            // One that cannot be read has a finding of its own.
            if !known.contains(name) {
                let message = format!("there is no logic {name:?}");
                file.unknown(*span, Check::UnknownLogic, message, name, known.iter().map(String::as_str));
            }
            return;
        };
        if logic.mount().is_some() {
            let hint = "name one that is not mounted";
            file.error_hint(*span, Check::Conflict, format!("the logic {name:?} is mounted and takes no events"), hint);
        }
        if let (LogicSource::Sql(_), Some(topic)) = (&logic.source, topic) {
            for param in &logic.params {
                self.check_param(param, topic, *span);
            }
        }
    }

    fn check_param(&self, param: &Param, topic: &Topic, span: Span) {
        let (file, name) = (self.file, &param.name);
        match topic.fields.iter().find(|field| field.name == *name) {
            Some(field) if field.kind != param.kind => {
                let (wanted, has) = (param.kind.as_str(), field.kind.as_str());
                let message =
                    format!("the logic's param {name:?} is of type {wanted}, and the topic's field of type {has}");
                file.error(span, Check::NotForType, message);
            }
            Some(field) if param.required && !field.required => {
                let message = format!("the logic needs its param {name:?}, and not every payload has that field");
                let hint = "make the topic's field required, or the param not";
                file.error_hint(span, Check::Conflict, message, hint);
            }
            None if param.required => {
                let message = format!("the logic needs its param {name:?}, and the topic has no such field");
                let hint = "what SQL takes of the event itself are :event.id, :event.topic, :event.attempt, …";
                file.error_hint(span, Check::Conflict, message, hint);
            }
            _ => {}
        }
    }

    fn finish(self) -> (String, Subscription) {
        let subscription = Subscription {
            topic: self.topic.text,
            handler: self.handler.text,
            filter: self.filter.map(DraftCondition::into_source),
            retry: self.retry,
            dead_letter: self.dead_letter,
            concurrency: self.concurrency,
            order_by: self.order_by.map(|word| word.text),
            timeout: self.timeout,
        };
        (self.name.text, subscription)
    }
}

/// `logics/NAME`: the name, at its place.
fn handler(file: &File<'_>, node: &Node) -> Option<Word> {
    let Word { text, span } = file.text(node)?;
    let Some(name) = text.strip_prefix(HANDLERS) else {
        let message = "a handler is a logic of the project, by its path";
        file.error_hint(span, Check::InvalidValue, message, format!("write {HANDLERS}{text}"));
        return None;
    };
    Some(Word { text: name.to_owned(), span })
}

fn retry(file: &File<'_>, node: &Node) -> Option<Retry> {
    let map = file.map(node, &keys::RETRY)?;
    let default = Retry::default();
    let max_retries = map.get("maxRetries").and_then(|node| {
        let whole = u32::try_from(file.whole(node)?).ok().filter(|number| *number <= RETRIES_MAX);
        if whole.is_none() {
            file.error(node.span, Check::InvalidValue, format!("an event is tried again at most {RETRIES_MAX} times"));
        }
        whole
    });
    let time = |key| map.get(key).and_then(|node| file.quantity::<Millis>(node));
    let min_backoff = time("minBackoff").unwrap_or(default.min_backoff);
    // Who says only the least, and says much, means no less for the most.
    let max_backoff = time("maxBackoff").unwrap_or(default.max_backoff.max(min_backoff));
    let never = map.get("never").map(|node| file.texts(node)).unwrap_or_default();
    let never = never.into_iter().map(|word| word.text).collect();
    let retry = Retry { max_retries: max_retries.unwrap_or(default.max_retries), min_backoff, max_backoff, never };
    if let Err(why) = retry.check() {
        file.error(node.span, Check::InvalidBounds, why);
    }
    Some(retry)
}
