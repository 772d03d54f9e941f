//! `events/triggers/*.yaml`: events that tell of written rows; and what writes such rows past them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    decode::{File, Word},
    diagnostic::Check,
    keys,
    mapping::{DraftMapping, Hints},
    node::{Node, Span, Yaml},
    sql_logic::Places,
};
use crate::{
    event::{Change, Events, TRIGGERS_MAX, Trigger, TriggerError},
    name::check_label,
    schema::Schema,
    sql_text,
};

/// All triggers, with the places of what they name.
#[derive(Default)]
pub(super) struct Triggers<'f> {
    drafts: Vec<Draft<'f>>,
    files: BTreeMap<String, &'f str>,
}

struct Draft<'f> {
    file: &'f File<'f>,
    name: String,
    trigger: Trigger,
    on: Span,
    table: Span,
    topic: Span,
    mapping: DraftMapping,
    /// Whether something is wrong with a word of `on`, which was told.
    is_on_told: bool,
}

impl<'f> Triggers<'f> {
    /// Reads a file.
    pub(super) fn read(&mut self, file: &'f File<'f>, root: &Node) {
        let Some(map) = file.map(root, &keys::TRIGGER) else { return };
        let named = map.get("name").and_then(|node| file.text(node));
        let Word { text: name, span } = named.unwrap_or_else(|| Word { text: stem(file.path), span: Span::START });
        let is_fine = file.check_name(&name, span, |name| check_label("a trigger's name", name));
        if let Some(earlier) = self.files.insert(name.clone(), file.path) {
            file.error(span, Check::Duplicate, format!("the trigger {name:?} is declared in {earlier} already"));
        }
        if self.files.len() == TRIGGERS_MAX + 1 {
            file.error(span, Check::TooMany, format!("a project has at most {TRIGGERS_MAX} triggers"));
        }
        let description = map.get("description").and_then(|node| file.text(node)).map(|word| word.text);
        let on = map.get("on").map(|node| (node.span, changes(file, node)));
        let (table, topic) = (map.get("table").and_then(|node| file.text(node)), map.get("topic"));
        let topic = topic.and_then(|node| file.text(node));
        let mapping = DraftMapping::read(file, map.get("mapping"), map.span);
        let (Some((on, changes)), Some(table), Some(topic), true) = (on, table, topic, is_fine) else { return };
        let is_on_told = changes.is_empty() && map.get("on").is_some_and(|node| !is_empty(node));
        self.drafts.push(Draft {
            file,
            name,
            trigger: Trigger {
                description,
                on: changes.into_iter().collect(),
                table: table.text,
                topic: topic.text,
                mapping: mapping.mapping.clone(),
            },
            on,
            table: table.span,
            topic: topic.span,
            mapping,
            is_on_told,
        });
    }

    /// What a release has of them; what does not hold is told at its place.
    pub(super) fn check(self, events: &Events, connections: &BTreeMap<String, Schema>) -> BTreeMap<String, Trigger> {
        for draft in &self.drafts {
            for error in draft.trigger.problems(events, connections) {
                draft.tell(&error, events, connections);
            }
        }
        self.drafts.into_iter().map(|draft| (draft.name, draft.trigger)).collect()
    }
}

impl Draft<'_> {
    fn tell(&self, error: &TriggerError, events: &Events, connections: &BTreeMap<String, Schema>) {
        let (file, message) = (self.file, error.to_string());
        match error {
            TriggerError::Never if self.is_on_told => {}
            TriggerError::Never => file.error(self.on, Check::InvalidValue, message),
            TriggerError::Table(name) => {
                let known = connections.values().flat_map(|schema| schema.tables.keys()).map(String::as_str);
                file.unknown(self.table, Check::UnknownTable, message, name, known);
            }
            TriggerError::Topic(name) => {
                let known = events.topics.keys().map(String::as_str);
                file.unknown(self.topic, Check::UnknownTopic, message, name, known);
            }
            TriggerError::Column { table, field, column } => {
                let table = connections.values().find_map(|schema| schema.tables.get(table));
                let known = table.into_iter().flat_map(|table| {
                    std::iter::once(table.id.name.as_str()).chain(table.columns.iter().map(|one| one.name.as_str()))
                });
                file.unknown(self.mapping.source(field), Check::UnknownColumn, message, column, known);
            }
            TriggerError::Mapping(error) => {
                let hints = Hints {
                    nullable: "say nullable: false for the column, or leave required out at the field",
                    source: &format!("a column of {:?}", self.trigger.table),
                };
                self.mapping.tell(file, (error, Check::InvalidTrigger), &events.topics, &hints);
            }
        }
    }
}

/// One word, or a list of them.
fn changes(file: &File<'_>, node: &Node) -> Vec<Change> {
    let word = |node: &Node| file.word(node, keys::CHANGES, Change::ALL);
    match &node.yaml {
        Yaml::List(items) => items.iter().filter_map(word).collect(),
        _ => word(node).into_iter().collect(),
    }
}

fn is_empty(node: &Node) -> bool {
    matches!(&node.yaml, Yaml::List(items) if items.is_empty())
}

/// The name of a file without its folders and its ending.
fn stem(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".yaml").unwrap_or(name).to_owned()
}

/// Warns where a text writes what a trigger tells of: only the Bridge's own writes are told. `published` are topics of which the text's logic tells
/// itself.
pub(super) fn warn_of_texts(
    file: &File<'_>,
    places: &Places<'_>,
    triggers: &BTreeMap<String, Trigger>,
    published: &BTreeSet<&str>,
) {
    for written in sql_text::written(places.sql) {
        let fires = |(_, trigger): &(&String, &Trigger)| {
            trigger.table.eq_ignore_ascii_case(written.table)
                && trigger.on.contains(&written.change)
                && !published.contains(trigger.topic.as_str())
        };
        if let Some((name, trigger)) = triggers.iter().find(fires) {
            warn(file, places.span(written.at, written.table.len()), (name, trigger), "this statement");
        }
    }
}

/// Warns where a logic is granted to write, in its own SQL, what a trigger tells of.
pub(super) fn warn_of_grant(
    file: &File<'_>,
    (table, span): (&str, Span),
    verbs: impl Fn(Change) -> bool,
    triggers: &BTreeMap<String, Trigger>,
) {
    let fires =
        |(_, trigger): &(&String, &Trigger)| trigger.table == table && trigger.on.iter().any(|change| verbs(*change));
    if let Some((name, trigger)) = triggers.iter().find(fires) {
        warn(file, span, (name, trigger), "the logic's own SQL");
    }
}

fn warn(file: &File<'_>, span: Span, (name, trigger): (&String, &Trigger), what: &str) {
    let message = format!("{what} writes {:?} and does not fire the trigger {name:?}", trigger.table);
    let hint =
        format!("write through requests to tables (grants: crud), or publish {:?} where it is written", trigger.topic);
    file.warning(span, Check::PastTrigger, message, hint);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_files_are_those_of_the_model() {
        assert!(keys::CHANGES.iter().zip(Change::ALL).all(|(word, change)| *word == change.as_str()));
        assert_eq!(keys::CHANGES.len(), Change::ALL.len());
        assert_eq!(stem("events/triggers/more/a.yaml"), "a");
    }
}
