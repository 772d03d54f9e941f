//! Buckets of a project and the names of what is in them. Where the bytes are, and how they get there, is the Bridge's matter.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::Bytes;

pub mod key;
pub mod pattern;

pub use key::{KeyError, ObjectKey, ObjectPrefix};
pub use pattern::{KeyPattern, PatternError, Variable};

/// Buckets of a project.
pub const BUCKETS_MAX: usize = 50;

/// The largest object where a bucket says nothing.
pub const OBJECT_BYTES_MAX: Bytes = Bytes(5_000_000_000);

/// What a release says of storage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Storage {
    /// By alias: the name that the project uses.
    pub buckets: BTreeMap<String, Bucket>,
}

/// A place for objects. Each env has its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bucket {
    /// What keeps the objects.
    pub provider: Provider,
    /// The largest object.
    pub max_object: Bytes,
}

/// What keeps objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "StorageProvider")]
pub enum Provider {
    /// A directory of the Bridge.
    Local,
}

/// A section that no project file can say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// More than anybody reads.
    #[error("a project has at most {BUCKETS_MAX} buckets")]
    TooMany,
    /// Not a name.
    #[error("{0:?} is no name of a bucket: small letters, digits, _ and -, 63 characters at most, a letter first")]
    Name(String),
    /// An object of nothing, or larger than any may be.
    #[error("bucket {0:?}: objects have 1 byte to {OBJECT_BYTES_MAX}")]
    Size(String),
}

impl Storage {
    /// Whether there is no bucket.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Whether it can be meant.
    pub fn check(&self) -> Result<(), StorageError> {
        if self.buckets.len() > BUCKETS_MAX {
            return Err(StorageError::TooMany);
        }
        for (alias, bucket) in &self.buckets {
            check_alias(alias)?;
            if bucket.max_object == Bytes(0) || bucket.max_object > OBJECT_BYTES_MAX {
                return Err(StorageError::Size(alias.clone()));
            }
        }
        Ok(())
    }
}

/// Whether a text can be the name of a bucket.
pub fn check_alias(alias: &str) -> Result<(), StorageError> {
    let is_fine = alias.len() <= 63
        && alias.starts_with(|first: char| first.is_ascii_lowercase())
        && alias.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
    if is_fine { Ok(()) } else { Err(StorageError::Name(alias.to_owned())) }
}
