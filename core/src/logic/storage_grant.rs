//! Which objects a component may touch, and how.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::storage::{KeyPattern, PatternError};

/// Grants of one component.
const GRANTS_MAX: usize = 20;
/// Powers of one component, each a deed on keys of a bucket: as many lines has a comparison of releases.
const POWERS_MAX: usize = 200;

/// Deeds on some keys of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StorageGrant {
    /// The bucket's alias.
    pub bucket: String,
    /// Patterns: `*` stands for one segment, at the end for all that follow; `{auth.sub}` for the caller.
    pub keys: BTreeSet<String>,
    /// What may be done.
    pub ops: BTreeSet<StorageOp>,
}

/// What may be done to objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StorageOp {
    /// Read an object, or what is known of it.
    Get,
    /// Write one, in the place of what was there.
    Put,
    /// See which there are.
    List,
    /// Remove one.
    Delete,
    /// Give a URL away by which others read it (with `get`) or write it (with `put`).
    Presign,
}

/// What a grant cannot say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageGrantError {
    /// Not a pattern.
    #[error("{pattern:?} is no pattern of keys: {error}")]
    Pattern {
        /// As written.
        pattern: String,
        /// What is wrong.
        error: PatternError,
    },
    /// A list would show what is not granted.
    #[error("{0:?} cannot be listed: list is for keys that end with /*, without another *; give it a grant of its own")]
    List(String),
    /// One of the lists has nothing in it.
    #[error("a storage grant needs keys and ops")]
    Empty,
    /// A URL is for what the logic may do itself.
    #[error("presign is beside get or put: a URL is for what the logic may do itself")]
    Presign,
    /// More than anybody reads.
    #[error("a logic has at most {GRANTS_MAX} storage grants, and {POWERS_MAX} ops on keys in all of them")]
    TooMany,
}

impl StorageOp {
    /// Every one.
    pub const ALL: &'static [Self] = &[Self::Get, Self::Put, Self::List, Self::Delete, Self::Presign];

    /// As written in project files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::List => "list",
            Self::Delete => "delete",
            Self::Presign => "presign",
        }
    }
}

impl StorageGrant {
    /// Whether all grants of a component can be meant.
    pub fn check_all(grants: &[Self]) -> Result<(), StorageGrantError> {
        let powers = |grant: &Self| grant.keys.len().saturating_mul(grant.ops.len());
        if grants.len() > GRANTS_MAX || grants.iter().map(powers).fold(0, usize::saturating_add) > POWERS_MAX {
            return Err(StorageGrantError::TooMany);
        }
        for grant in grants {
            if powers(grant) == 0 {
                return Err(StorageGrantError::Empty);
            }
            Self::check_ops(&grant.ops)?;
            grant.keys.iter().try_for_each(|pattern| Self::check_pattern(pattern, &grant.ops))?;
        }
        Ok(())
    }

    /// Whether these can be granted together.
    pub fn check_ops(ops: &BTreeSet<StorageOp>) -> Result<(), StorageGrantError> {
        let is_lost =
            ops.contains(&StorageOp::Presign) && ![StorageOp::Get, StorageOp::Put].iter().any(|op| ops.contains(op));
        if is_lost { Err(StorageGrantError::Presign) } else { Ok(()) }
    }

    /// Whether a text is a pattern of keys to which these can be done.
    pub fn check_pattern(pattern: &str, ops: &BTreeSet<StorageOp>) -> Result<(), StorageGrantError> {
        let wrong = |error| StorageGrantError::Pattern { pattern: pattern.to_owned(), error };
        let read = KeyPattern::parse(pattern).map_err(wrong)?;
        if ops.contains(&StorageOp::List) && !read.is_folder() {
            return Err(StorageGrantError::List(pattern.to_owned()));
        }
        Ok(())
    }

    /// One line for each power. A pattern can have spaces, and stands last.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.ops
            .iter()
            .flat_map(|op| self.keys.iter().map(|keys| format!("storage {} {} {keys}", self.bucket, op.as_str())))
    }
}
