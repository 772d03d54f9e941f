//! The clocks and random numbers of guests. In a test that asks for it the time of day stands still and the numbers repeat; nothing that is
//! served has either.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use crate::host::Fixed;

/// Where the random numbers of an invocation come from.
pub(crate) enum Randomness {
    /// The operating system.
    System,
    /// A seed: the same numbers in every version of this program.
    Seeded(Box<ChaCha8Rng>),
}

/// The step of every clock that a guest has. Finer time would help it to measure its neighbours and the processor's caches.
pub(crate) const STEP: Duration = Duration::from_micros(1);

/// WASI's time of day; it may stand still.
struct TimeOfDay(Fixed);

/// WASI's time since it was first asked for.
struct Elapsed(Instant);

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

/// The time of day, in whole steps.
pub(crate) fn now(fixed: Fixed) -> Duration {
    coarse(fixed.now.unwrap_or_else(SystemTime::now).duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// A time in whole steps.
pub(crate) fn coarse(time: Duration) -> Duration {
    let step = STEP.subsec_nanos();
    Duration::new(time.as_secs(), time.subsec_nanos() / step * step)
}

/// The clocks and numbers of WASI, through which the guest's own standard library asks.
pub(crate) fn fix(wasi: &mut WasiCtxBuilder, fixed: Fixed) {
    wasi.wall_clock(TimeOfDay(fixed)).monotonic_clock(Elapsed(Instant::now()));
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

impl HostWallClock for TimeOfDay {
    fn resolution(&self) -> Duration {
        STEP
    }

    fn now(&self) -> Duration {
        now(self.0)
    }
}

impl HostMonotonicClock for Elapsed {
    fn resolution(&self) -> u64 {
        STEP.subsec_nanos().into()
    }

    fn now(&self) -> u64 {
        u64::try_from(coarse(self.0.elapsed()).as_nanos()).unwrap_or(u64::MAX)
    }
}
