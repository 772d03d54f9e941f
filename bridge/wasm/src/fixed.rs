//! A clock that stands still and random numbers that repeat, for a test that asks for them. Nothing that is served has either.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};
use wasmtime_wasi::{HostWallClock, WasiCtxBuilder};

use crate::host::Fixed;

/// Where the random numbers of an invocation come from.
pub(crate) enum Randomness {
    /// The operating system.
    System,
    /// A seed: the same numbers in every version of this program.
    Seeded(Box<ChaCha8Rng>),
}

/// A time of day that does not go on.
struct Still(Duration);

impl Randomness {
    pub(crate) fn of(fixed: Fixed) -> Self {
        fixed.random_seed.map_or(Self::System, |seed| Self::Seeded(Box::new(ChaCha8Rng::seed_from_u64(seed))))
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        match self {
            Self::System => rand::rng().fill_bytes(bytes),
            Self::Seeded(random) => random.fill_bytes(bytes),
        }
    }
}

/// The time of day, as whole microseconds: finer time would help a guest to measure its neighbours.
pub(crate) fn now(fixed: Fixed) -> Duration {
    let now = fixed.now.unwrap_or_else(SystemTime::now).duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::new(now.as_secs(), now.subsec_micros() * 1_000)
}

/// The same for WASI, through which the guest's own standard library asks.
pub(crate) fn fix(wasi: &mut WasiCtxBuilder, fixed: Fixed) {
    if fixed.now.is_some() {
        wasi.wall_clock(Still(now(fixed)));
    }
    if let Some(seed) = fixed.random_seed {
        // Another stream than that of `santokit:runtime/random`, or both would give the same numbers.
        let random = |stream| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(stream);
            random
        };
        wasi.secure_random(random(1)).insecure_random(random(2)).insecure_random_seed(seed.into());
    }
}

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}
