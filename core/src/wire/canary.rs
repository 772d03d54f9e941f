//! The part of a report that is about a canary: how a Bridge serves it, and what it has counted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::release::canary::Sample;

/// How a Bridge serves a canary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanaryReport {
    /// Of the canary: what was counted for another one is not of this one.
    pub salt: String,
    /// `rel_…` of the candidate.
    pub release_id: String,
    /// Whether anyone gets the candidate here.
    pub state: CanaryState,
    /// Why not, for operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of the release that the others get.
    pub baseline: Counts,
    /// Of the candidate.
    pub candidate: Counts,
}

/// What was counted of one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Within the canary's window.
    pub window: Sample,
    /// Since this Bridge has served the canary.
    pub requests: u64,
    /// Of them with 500 or above.
    pub errors: u64,
}

/// Whether anyone gets the candidate at a Bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CanaryState {
    /// The share does.
    Serving,
    /// Not yet: it could not be fetched so far.
    Loading,
    /// It cannot be loaded; the share is served by the baseline.
    Refused,
    /// A gate closed at this Bridge, which took everyone back.
    Stopped,
    /// The Hub has been away for too long; it goes on when the Hub is back.
    Away,
}
