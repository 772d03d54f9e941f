//! What a guest is given of time and chance, where it is not just what the machine has: in a test, in a recording, in a replay.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

/// What stands still or repeats. For most requests that are served there is nothing of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fixed {
    /// The time of day.
    pub now: Option<SystemTime>,
    /// What random numbers are made from.
    pub random_seed: Option<Seed>,
}

/// What random numbers are made from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// A number that somebody has chosen, in a test.
    Number(u64),
    /// Of the operating system's: nobody guesses what is made from it.
    Secret([u8; 32]),
}

/// A clock of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Clock {
    /// `now` of `santokit:runtime/clock`.
    Now,
    /// `elapsed` of it.
    Elapsed,
    /// `remaining` of it.
    Remaining,
    /// WASI's time of day.
    WasiNow,
    /// WASI's time that only rises.
    WasiElapsed,
}

/// Sees every time that a guest is given, and may give another.
pub trait Times: Send + Sync + 'static {
    /// What the guest gets in place of a time.
    fn tell(&self, clock: Clock, time: Duration) -> Duration;
}

impl Fixed {
    /// Whether an instance that was made ahead, without it, is as good: one is only kept where its making asked for no time and no chance.
    /// What a test has fixed holds for the making too.
    pub(crate) fn is_for_served(self) -> bool {
        self.now.is_none() && !matches!(self.random_seed, Some(Seed::Number(_)))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Secret(_) => f.write_str("…"),
        }
    }
}
