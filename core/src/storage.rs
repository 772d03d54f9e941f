//! Buckets of a project and the names of what is in them. Where the bytes are, and how they get there, is the Bridge's matter.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::Bytes;

mod apart;
pub mod glob;
pub mod key;
pub mod media;
pub mod pattern;
pub mod place;
pub mod policy;
pub mod told;

pub use apart::Filled;
pub use glob::KeyGlob;
pub use key::{KeyError, ObjectKey, ObjectPrefix};
pub use media::MediaRange;
pub use pattern::{KeyPattern, PatternError, Variable};
pub use place::{PlaceError, S3Place};
pub use policy::{CompiledPolicies, ObjectVerb, Policy, PolicyError, UploadBounds, UploadRule};
pub use told::BucketEvents;

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
    /// What applications may ask of its keys, by a pattern of them. Where there is none, only logics do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, Policy>,
    /// The topics that are told of its objects.
    #[serde(default, skip_serializing_if = "BucketEvents::is_empty")]
    pub events: BucketEvents,
    /// Where it lies, with the provider `s3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Place>,
}

/// What keeps objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "StorageProvider")]
pub enum Provider {
    /// A directory of the Bridge.
    Local,
    /// A store that speaks S3.
    S3,
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
    /// Who may ask for what.
    #[error("bucket {bucket:?}: {error}")]
    Policy {
        /// Its alias.
        bucket: String,
        /// What is wrong.
        error: Box<PolicyError>,
    },
    /// Where it lies.
    #[error("bucket {bucket:?}: {error}")]
    Place {
        /// Its alias.
        bucket: String,
        /// What is wrong.
        error: PlaceError,
    },
    /// A place of S3 without its provider, or the provider without a place.
    #[error("bucket {0:?}: a place in S3 is said with the provider s3, and with no other")]
    Provider(String),
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
            CompiledPolicies::compile(&bucket.policies)
                .map_err(|error| StorageError::Policy { bucket: alias.clone(), error: Box::new(error) })?;
            if (bucket.provider == Provider::S3) != bucket.s3.is_some() {
                return Err(StorageError::Provider(alias.clone()));
            }
            let place = bucket.s3.as_ref().map_or(Ok(()), S3Place::check);
            place.map_err(|error| StorageError::Place { bucket: alias.clone(), error })?;
        }
        place::check_apart(&self.buckets).map_err(|error| {
            let bucket = match &error {
                PlaceError::Overlap(_, second) => second.clone(),
                _ => String::new(),
            };
            StorageError::Place { bucket, error }
        })
    }

    /// Names of the secrets that open its buckets.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.buckets.values().filter_map(|bucket| bucket.s3.as_ref()).flat_map(S3Place::secrets)
    }
}

/// Whether a text can be the name of a bucket.
pub fn check_alias(alias: &str) -> Result<(), StorageError> {
    let is_fine = alias.len() <= 63
        && alias.starts_with(|first: char| first.is_ascii_lowercase())
        && alias.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
    if is_fine { Ok(()) } else { Err(StorageError::Name(alias.to_owned())) }
}
