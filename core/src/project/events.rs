//! `events/topics/*.yaml`: kinds of events; and which of them a logic may publish.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    decode::{File, Word},
    diagnostic::Check,
    keys,
    logics::{self, Known},
    node::{Node, Span},
};
use crate::{
    event::{Events, EventsError, RETENTION, RETENTION_MAX, TOPICS_MAX, Topic, check_topic, is_retention},
    quantity::Millis,
    schema::Schema,
};

/// All topics, with the file of each: two of one name are a mistake.
#[derive(Default)]
pub(super) struct Topics<'f> {
    topics: BTreeMap<String, Topic>,
    files: BTreeMap<String, &'f str>,
}

impl<'f> Topics<'f> {
    /// Reads a file.
    pub(super) fn read(&mut self, file: &File<'f>, root: &Node) {
        let Some(map) = file.map(root, &keys::TOPIC) else { return };
        let name = map.get("name").and_then(|node| file.name(node, check_topic));
        let description = map.get("description").and_then(|node| file.text(node)).map(|word| word.text);
        let fields = logics::fields(file, &map);
        if let Some(node) = map.get("delivery") {
            file.word(node, keys::DELIVERIES, &[()]);
        }
        let retention = map.get("retention").and_then(|node| {
            let retention = file.quantity::<Millis>(node)?;
            if !is_retention(retention) {
                let message = format!("events are kept for 1ms to {RETENTION_MAX}");
                file.error(node.span, Check::InvalidValue, message);
            }
            Some(retention)
        });
        let Some(Word { text: name, span }) = name else { return };
        if let Some(earlier) = self.files.insert(name.clone(), file.path) {
            file.error(span, Check::Duplicate, format!("the topic {name:?} is declared in {earlier} already"));
        }
        if self.topics.len() == TOPICS_MAX {
            file.error(span, Check::TooMany, EventsError::TooMany.to_string());
        }
        self.topics.insert(name, Topic { description, fields, retention: retention.unwrap_or(RETENTION) });
    }

    /// What a release has of them. They are kept beside the tables of the default connection, where nothing else is said.
    pub(super) fn events(self, files: &[&File<'_>], default: Option<&Schema>) -> Events {
        let has_tables = default.is_some_and(|schema| !schema.tables.is_empty());
        let first = files.iter().find(|file| self.files.values().any(|path| *path == file.path));
        if let (false, Some(file)) = (has_tables, first) {
            let message = "events are kept beside the tables of the default connection, and it has none";
            file.error_hint(Span::START, Check::MissingFile, message, "declare a table in schema/ first");
        }
        Events { topics: self.topics, ..Events::default() }
    }
}

/// `grants.events` of a logic: the topics that it may publish.
pub(super) fn grants(file: &File<'_>, node: &Node, known: &Known) -> BTreeSet<String> {
    let Some(map) = file.map(node, &keys::EVENTS_GRANT) else { return BTreeSet::new() };
    let Some(publish) = map.get("publish") else { return BTreeSet::new() };
    let topic = |word: &Word| {
        let is_known = known.topics.contains_key(&word.text);
        if !is_known {
            let message = format!("there is no topic {:?} in events/topics", word.text);
            file.unknown(word.span, Check::UnknownTopic, message, &word.text, known.topics.keys().map(String::as_str));
        }
        is_known
    };
    file.texts(publish).into_iter().filter(topic).map(|word| word.text).collect()
}
