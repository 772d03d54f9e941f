//! What a test fixes of a call, and what it sees of it beyond the answer. No request has one: only `stk logic test` makes them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use santokit_wasm::{CallError, Fixed, LogLine, Usage};

/// A call that is looked at from inside.
#[derive(Debug, Default)]
pub struct Rehearsal {
    /// The time that rules, statements and the guest see.
    pub now: Option<DateTime<Utc>>,
    /// What the guest's random numbers are made from.
    pub random_seed: Option<u64>,
    seen: Mutex<Seen>,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// What the guest logged; it is not in the process's own log.
    pub lines: Vec<LogLine>,
    /// What a component used.
    pub usage: Option<Usage>,
    /// Why a component has no answer, with the place.
    pub failure: Option<CallError>,
}

impl Rehearsal {
    /// With a clock that stands still and random numbers that repeat, if it says so.
    pub fn new(now: Option<DateTime<Utc>>, random_seed: Option<u64>) -> Self {
        Self { now, random_seed, seen: Mutex::default() }
    }

    /// What was seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fixed(&self) -> Fixed {
        Fixed { now: self.now.map(Into::into), random_seed: self.random_seed }
    }
}
