//! `mapping` of a trigger and of a SQL logic's `publish`: the fields of a payload and what each is, with their places.

use std::collections::BTreeMap;

use super::{
    decode::{File, Word},
    diagnostic::Check,
    node::{Node, Span},
};
use crate::event::{MappingError, Topic};

/// A mapping with the places of what it names.
pub(super) struct DraftMapping {
    /// What each field is, by field.
    pub(super) mapping: BTreeMap<String, String>,
    /// Of the whole, or where it should be.
    span: Span,
    /// By field: the place of the field, and that of what it is.
    fields: BTreeMap<String, (Span, Span)>,
}

/// What to do, where it depends on what is mapped.
pub(super) struct Hints<'h> {
    /// About a value that can be NULL.
    pub(super) nullable: &'h str,
    /// What a field can be.
    pub(super) source: &'h str,
}

impl DraftMapping {
    /// Reads it; `owner` is the place of what should have it.
    pub(super) fn read(file: &File<'_>, node: Option<&Node>, owner: Span) -> Self {
        let mut draft =
            Self { mapping: BTreeMap::new(), span: node.map_or(owner, |node| node.span), fields: BTreeMap::new() };
        for entry in node.map(|node| file.names(node)).unwrap_or_default() {
            let Some(Word { text, span }) = file.text(&entry.value) else { continue };
            draft.mapping.insert(entry.key.clone(), text);
            draft.fields.insert(entry.key.clone(), (entry.span, span));
        }
        draft
    }

    /// Where it stands what a field is.
    pub(super) fn source(&self, field: &str) -> Span {
        self.fields.get(field).map_or(self.span, |(_, source)| *source)
    }

    /// Tells what does not fit the topic.
    pub(super) fn tell(
        &self,
        file: &File<'_>,
        (error, check): (&MappingError, Check),
        topics: &BTreeMap<String, Topic>,
        hints: &Hints<'_>,
    ) {
        let message = error.to_string();
        match error {
            MappingError::Field { topic, field } => {
                let fields = topics.get(topic).map(|topic| topic.fields.as_slice()).unwrap_or_default();
                let known = fields.iter().map(|field| field.name.as_str());
                let span = self.fields.get(field).map_or(self.span, |(span, _)| *span);
                file.unknown(span, check, message, field, known);
            }
            MappingError::Misfit { field, .. } => file.error(self.source(field), check, message),
            MappingError::Nullable { field, .. } => {
                file.error_hint(self.source(field), check, message, hints.nullable);
            }
            MappingError::Missing(field) => {
                file.error_hint(self.span, check, message, format!("add {field}: and {}", hints.source));
            }
        }
    }
}
