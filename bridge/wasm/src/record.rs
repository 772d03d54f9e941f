//! Invocations as they can be run again: what a guest was given, what it sent, and how it ended.
//!
//! A [`Recorder`] stands between the sandbox and a host and keeps what passes, as far as there is room; it answers what the host
//! answers, and never waits. What must not be kept is left out when a [`Recording`] is made of it, which is no matter of the invocation. A
//! [`Replayer`] is a host that has nothing but a recording.

mod answer;
mod args;
mod compare;
mod piece;
mod placeholder;
mod recorder;
mod redact;
mod replay;
mod replayer;
mod tape;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use compare::Difference;
pub use recorder::Recorder;
pub use redact::TooMuch;
pub use replay::{Divergence, Played, Replay, ReplayError, Replayed, Side, Verdict};
pub use replayer::Replayer;
pub use tape::{About, Tape, TapeLimits};

use crate::{error::CallError, host::Clock};

/// The form of recordings. A replay reads no other.
pub const FORMAT: u32 = 1;

/// What is known of an invocation, besides what is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// [`FORMAT`].
    pub format: u32,
    /// `rec_…`.
    pub id: String,
    /// The logic's name.
    pub logic: String,
    /// The project's name.
    pub project: String,
    /// The env's name.
    pub env: String,
    /// `rel_…`.
    pub release_id: String,
    /// Digest of the component.
    pub component: String,
    /// Of the request.
    pub request_id: String,
    /// When it began: RFC 3339, UTC.
    pub at: String,
    /// When it is removed, likewise.
    pub until: String,
    /// How it ended.
    pub outcome: Outcome,
    /// From begin to end.
    pub wall_us: u64,
    /// On a CPU.
    pub cpu_us: u64,
    /// Host calls that are in it.
    pub calls: usize,
    /// Values that were left out.
    pub redacted: usize,
    /// Why it is not whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// With an answer.
    Answer,
    /// The guest said no.
    Refused,
    /// The guest trapped.
    Trap,
    /// By a limit.
    Limit,
    /// With what is no JSON.
    Output,
    /// By the platform's fault.
    Host,
}

/// An invocation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recording {
    /// What is known of it.
    pub head: Head,
    /// `request`, `logic`, …
    pub trigger: String,
    /// What the guest is told of its caller.
    pub caller: Json,
    /// What the guest was called with.
    pub input: Json,
    /// What its random numbers were made from, base64 of 32 bytes.
    pub seed: String,
    /// Times that it was given, in microseconds, in the order of each clock.
    pub times: BTreeMap<Clock, Vec<u64>>,
    /// What it asked of the host, in order.
    pub calls: Vec<HostCall>,
    /// The answer, or why there is none.
    pub ending: Json,
}

/// A call into the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostCall {
    /// `sql`, `http`, …
    pub capability: String,
    /// What of it.
    pub op: String,
    /// What the guest sent.
    pub args: Json,
    /// What it was given. None: it ended before there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
    /// How long the host took.
    pub took_us: u64,
}

impl Outcome {
    /// Of how a call ended.
    pub fn of(outcome: &Result<Vec<u8>, CallError>) -> Self {
        match outcome {
            Ok(_) => Self::Answer,
            Err(CallError::Logic(_)) => Self::Refused,
            Err(CallError::Trap { .. }) => Self::Trap,
            Err(CallError::Limit { .. }) => Self::Limit,
            Err(CallError::Output(_) | CallError::Answer(_)) => Self::Output,
            Err(CallError::Busy { .. } | CallError::Host(_)) => Self::Host,
        }
    }

    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Refused => "refused",
            Self::Trap => "trap",
            Self::Limit => "limit",
            Self::Output => "output",
            Self::Host => "host",
        }
    }
}
