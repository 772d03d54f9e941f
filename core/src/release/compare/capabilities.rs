//! Which component gains or loses which power. The consent to widened grants is about the same powers, found by the same code.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Manifest;

/// One power of one component, for example `sql main.orders select`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Power {
    /// The logic's name.
    pub logic: String,
    /// What it may, in the words of [`crate::logic::Grants::lines`].
    pub power: String,
}

/// The powers that only one of two releases has, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// Only the second one has these: they widen it.
    pub added: Vec<Power>,
    /// Only the first one has these.
    pub removed: Vec<Power>,
}

/// Compares the powers of components; where there was no release before, every power is gained.
pub fn capabilities(before: Option<&Manifest>, after: &Manifest) -> Capabilities {
    let (then, now) = (before.map(Manifest::powers).unwrap_or_default(), after.powers());
    let only = |of: &BTreeSet<Power>, other: &BTreeSet<Power>| of.difference(other).cloned().collect();
    Capabilities { added: only(&now, &then), removed: only(&then, &now) }
}

impl Capabilities {
    /// Whether the components may what they might.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

impl std::fmt::Display for Power {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.logic, self.power)
    }
}
