//! `publish` in the front matter of a SQL logic: events that are stored with what its statements did.

use std::collections::BTreeSet;

use super::{
    decode::{File, Map},
    diagnostic::Check,
    keys,
    logics::{DraftParam, Known},
    mapping::{DraftMapping, Hints},
    node::{Node, Span},
    sql_logic::SYSTEM_VARIABLES,
};
use crate::{
    logic::{PUBLISHED_MAX, Publish, PublishError},
    param::Param,
};

/// What a logic publishes, before its statements are known.
#[derive(Default)]
pub(super) struct Published {
    drafts: Vec<Draft>,
}

struct Draft {
    topic: Span,
    mapping: DraftMapping,
    publish: Publish,
}

impl Published {
    /// Reads it from a front matter.
    pub(super) fn read(file: &File<'_>, map: &Map<'_>) -> Self {
        let Some(node) = map.get("publish") else { return Self::default() };
        let items = file.list(node);
        if items.len() > PUBLISHED_MAX {
            let message = format!("a logic publishes at most {PUBLISHED_MAX} events; this one has {}", items.len());
            file.error(node.span, Check::TooMany, message);
        }
        Self { drafts: items.iter().filter_map(|item| draft(file, item)).collect() }
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// The params and variables that payloads are made of.
    pub(super) fn given(&self) -> BTreeSet<&str> {
        self.drafts.iter().flat_map(|draft| draft.publish.given()).collect()
    }

    /// The topics.
    pub(super) fn topics(&self) -> BTreeSet<&str> {
        self.drafts.iter().map(|draft| draft.publish.topic.as_str()).collect()
    }

    /// What a release has of it; what does not hold is told at its place. `last` is the statement whose rows are answered.
    pub(super) fn check(
        self,
        file: &File<'_>,
        known: &Known,
        params: &[DraftParam],
        last: Option<&str>,
    ) -> Vec<Publish> {
        let params: Vec<Param> = params.iter().map(|param| param.param.clone()).collect();
        for draft in &self.drafts {
            for error in draft.publish.problems(&known.topics, &params, last) {
                draft.tell(file, &error, known, &params);
            }
        }
        self.drafts.into_iter().map(|draft| draft.publish).collect()
    }
}

impl Draft {
    fn tell(&self, file: &File<'_>, error: &PublishError, known: &Known, params: &[Param]) {
        let message = error.to_string();
        match error {
            PublishError::Topic(name) => {
                let message = format!("there is no topic {name:?} in events/topics");
                file.unknown(self.topic, Check::UnknownTopic, message, name, known.topics.keys().map(String::as_str));
            }
            PublishError::Given { field, name } => {
                let names = params.iter().map(|param| param.name.as_str()).chain(SYSTEM_VARIABLES.iter().copied());
                file.unknown(self.mapping.source(field), Check::UnknownPlaceholder, message, name, names);
            }
            PublishError::NoRows { field, .. } => {
                let hint = "let the last statement answer it (SELECT, RETURNING), or write :name for a param";
                file.error_hint(self.mapping.source(field), Check::InvalidPublish, message, hint);
            }
            PublishError::Column { field, column } => {
                let hint = format!("let the last statement answer it, for example with AS {column}");
                file.error_hint(self.mapping.source(field), Check::UnknownColumn, message, hint);
            }
            PublishError::Mapping(error) => {
                let hints = Hints {
                    nullable: "say required: true for the param, or leave required out at the field",
                    source: "a :param, a :variable, or a column of the last row that is answered",
                };
                self.mapping.tell(file, (error, Check::InvalidPublish), &known.topics, &hints);
            }
        }
    }
}

fn draft(file: &File<'_>, item: &Node) -> Option<Draft> {
    let map = file.map(item, &keys::SQL_PUBLISH)?;
    let mapping = DraftMapping::read(file, map.get("mapping"), map.span);
    let topic = file.text(map.get("topic")?)?;
    let publish = Publish { topic: topic.text, mapping: mapping.mapping.clone() };
    Some(Draft { topic: topic.span, mapping, publish })
}
