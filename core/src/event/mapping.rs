//! What the fields of a payload are made of, by a mapping: columns of a row for a trigger, what it was given and has answered for a logic in SQL.
//! Whether that can be a payload of the topic is decided here, for both alike.

use std::collections::BTreeMap;

use super::Topic;
use crate::{
    param::Param,
    schema::{Items, Type},
};

/// What a field is mapped to, as far as it is known before there is a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mapped<'m> {
    /// In words, for messages: `the column "id"`.
    pub(crate) what: String,
    pub(crate) kind: Type,
    /// Of the elements of an array.
    pub(crate) items: Option<&'m Items>,
    /// Whether there may be none by the author's own words.
    pub(crate) nullable: bool,
}

/// What is wrong with a mapping, whatever it maps to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The topic has no such field.
    #[error("the topic {topic:?} has no field {field:?}")]
    Field {
        /// Which.
        topic: String,
        /// As it stands.
        field: String,
    },
    /// A value is none of the field.
    #[error("{what} is of type {found} and the field {field:?} of type {expected}")]
    Misfit {
        /// The field.
        field: String,
        /// What it is mapped to, in words.
        what: String,
        /// The field's type.
        expected: &'static str,
        /// The other type.
        found: &'static str,
    },
    /// Every payload needs the field, and there is not always a value.
    #[error("the field {field:?} is required, and {what} can be NULL")]
    Nullable {
        /// The field.
        field: String,
        /// What it is mapped to, in words.
        what: String,
    },
    /// Every payload needs a field that is mapped to nothing.
    #[error("the field {0:?} is required, and \"mapping\" has nothing for it")]
    Missing(String),
}

/// Whatever is wrong with a mapping, beside its topic. `mapped` looks a source up: nothing is known of what only a database can say.
pub(crate) fn check<'m, E: From<MappingError>>(
    (name, topic): (&str, &Topic),
    mapping: &'m BTreeMap<String, String>,
    mapped: impl Fn(&'m str, &'m str) -> Result<Option<Mapped<'m>>, E>,
) -> Vec<E> {
    let mut found: Vec<E> = Vec::new();
    for (field, source) in mapping {
        let Some(declared) = topic.fields.iter().find(|declared| declared.name == *field) else {
            found.push(MappingError::Field { topic: name.to_owned(), field: field.clone() }.into());
            continue;
        };
        match mapped(field, source) {
            Err(error) => found.push(error),
            Ok(Some(mapped)) => found.extend(misfit(mapped, declared).map(E::from)),
            Ok(None) => {}
        }
    }
    let missing = topic.fields.iter().filter(|field| field.required && !mapping.contains_key(&field.name));
    found.extend(missing.map(|field| MappingError::Missing(field.name.clone()).into()));
    found
}

fn misfit(mapped: Mapped<'_>, declared: &Param) -> Option<MappingError> {
    let (field, what) = (declared.name.clone(), mapped.what);
    if !fits(mapped.kind, mapped.items, declared) {
        let (expected, found) = (declared.kind.as_str(), mapped.kind.as_str());
        return Some(MappingError::Misfit { field, what, expected, found });
    }
    (declared.required && mapped.nullable).then_some(MappingError::Nullable { field, what })
}

/// Whether the JSON of every value of a type can be that of a field.
fn fits(kind: Type, items: Option<&Items>, field: &Param) -> bool {
    match (kind, field.kind) {
        (_, Type::Json)
        | (Type::Int, Type::Bigint | Type::Float)
        | (Type::Bigint, Type::Decimal)
        | (Type::File, Type::String) => true,
        (Type::Array, Type::Array) => field.items.is_none() || field.items.as_deref() == items,
        (kind, expected) => kind == expected,
    }
}
