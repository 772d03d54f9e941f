//! Topics that are told of what applications do with the objects of a bucket. A payload has what the topic declares of a few fields; whether it can
//! is decided here, by whoever checks a project or a release.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Storage;
use crate::{
    event::{Events, Topic},
    schema::{Bounds, Type},
};

/// Which topics are told of the objects of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BucketEvents {
    /// That there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
    /// That one is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
}

/// What has become of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happened {
    /// It is there, or is another one.
    Upload,
    /// It is gone.
    Delete,
}

/// Why a topic cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToldError {
    /// There is no such topic.
    #[error("there is no topic {0:?}")]
    Topic(String),
    /// Nobody would know the value.
    #[error("the topic {topic:?} requires {field:?}; of {what} it can be told {}", .known.join(", "))]
    Missing {
        /// Which.
        topic: String,
        /// What it requires.
        field: String,
        /// An upload, or a delete.
        what: &'static str,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// The value is of another type, or has no such bounds.
    #[error("the field {field:?} of the topic {topic:?} must be of type {kind}, without bounds")]
    Misfit {
        /// Which.
        topic: String,
        /// Its field.
        field: String,
        /// What it must be.
        kind: &'static str,
    },
}

/// What a payload can have.
const FIELDS: [(&str, Type); 5] = [
    ("bucket", Type::String),
    ("key", Type::String),
    ("size", Type::Bigint),
    ("contentType", Type::String),
    ("etag", Type::String),
];

impl Happened {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Upload, Self::Delete];

    /// As in project files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Delete => "delete",
        }
    }

    /// What a payload can have.
    fn fields(self) -> &'static [(&'static str, Type)] {
        match self {
            Self::Upload => &FIELDS,
            // Of what is gone nothing else is known.
            Self::Delete => &FIELDS[..2],
        }
    }
}

impl BucketEvents {
    /// Whether nobody is told anything.
    pub const fn is_empty(&self) -> bool {
        self.upload.is_none() && self.delete.is_none()
    }

    /// Who is told.
    pub fn topic(&self, happened: Happened) -> Option<&str> {
        match happened {
            Happened::Upload => self.upload.as_deref(),
            Happened::Delete => self.delete.as_deref(),
        }
    }
}

/// What does not fit the topics, by bucket.
pub fn problems<'s>(storage: &'s Storage, events: &Events) -> Vec<(&'s str, Happened, ToldError)> {
    let mut found = Vec::new();
    for (alias, bucket) in &storage.buckets {
        for happened in Happened::ALL {
            let Some(name) = bucket.events.topic(happened) else { continue };
            let errors = match events.topics.get(name) {
                Some(topic) => misfits(name, topic, happened),
                None => vec![ToldError::Topic(name.to_owned())],
            };
            found.extend(errors.into_iter().map(|error| (alias.as_str(), happened, error)));
        }
    }
    found
}

fn misfits(name: &str, topic: &Topic, happened: Happened) -> Vec<ToldError> {
    let misfit = |field: &crate::param::Param| {
        let of = happened.fields().iter().find(|(known, _)| *known == field.name);
        match of {
            Some((_, kind)) if field.kind != *kind || field.bounds != Bounds::NONE => {
                Some(ToldError::Misfit { topic: name.to_owned(), field: field.name.clone(), kind: kind.as_str() })
            }
            None if field.required => Some(ToldError::Missing {
                topic: name.to_owned(),
                field: field.name.clone(),
                what: match happened {
                    Happened::Upload => "an upload",
                    Happened::Delete => "a delete",
                },
                known: happened.fields().iter().map(|(known, _)| *known).collect(),
            }),
            _ => None,
        }
    };
    topic.fields.iter().filter_map(misfit).collect()
}
