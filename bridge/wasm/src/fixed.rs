//! The clocks and random numbers of guests. In a test that asks for it the time of day stands still and the numbers repeat. What is
//! recorded has numbers from a seed of its own, and each time that it is given is seen; a replay gives both again.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rand::{
    Rng, SeedableRng,
    rngs::{ChaCha8Rng, ChaCha20Rng},
};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use crate::host::{Clock, Fixed, Seed, Times};

/// Where the random numbers of an invocation come from.
pub(crate) enum Randomness {
    /// The operating system.
    System,
    /// A seed of a test: the same numbers in every version of this program.
    Seeded(Box<ChaCha8Rng>),
    /// A seed that nobody guesses.
    Secret(Box<ChaCha20Rng>),
}

/// The step of every clock that a guest has. Finer time would help it to measure its neighbours and the processor's caches.
pub(crate) const STEP: Duration = Duration::from_micros(1);

/// Who sees the times that a guest is given.
pub(crate) type Seen = Option<Arc<dyn Times>>;

/// WASI's time of day; it may stand still.
struct TimeOfDay(Fixed, Seen);

/// WASI's time since it was first asked for.
struct Elapsed(Instant, Seen);

impl Randomness {
    pub(crate) fn of(fixed: Fixed) -> Self {
        match fixed.random_seed {
            None => Self::System,
            Some(Seed::Number(seed)) => Self::Seeded(Box::new(ChaCha8Rng::seed_from_u64(seed))),
            Some(Seed::Secret(seed)) => Self::Secret(Box::new(ChaCha20Rng::from_seed(seed))),
        }
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        match self {
            Self::System => rand::rng().fill_bytes(bytes),
            Self::Seeded(random) => random.fill_bytes(bytes),
            Self::Secret(random) => random.fill_bytes(bytes),
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

/// A time as a guest is given it.
pub(crate) fn told(seen: &Seen, clock: Clock, time: Duration) -> Duration {
    match seen {
        None => time,
        Some(times) => times.tell(clock, time),
    }
}

/// The clocks and numbers of WASI, through which the guest's own standard library asks.
pub(crate) fn fix(wasi: &mut WasiCtxBuilder, fixed: Fixed, times: &Seen) {
    wasi.wall_clock(TimeOfDay(fixed, times.clone())).monotonic_clock(Elapsed(Instant::now(), times.clone()));
    // Other streams than that of `santokit:runtime/random`, or all would give the same numbers.
    match fixed.random_seed {
        None => {}
        Some(Seed::Number(seed)) => {
            let random = |stream| {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                random.set_stream(stream);
                random
            };
            wasi.secure_random(random(1)).insecure_random(random(2)).insecure_random_seed(seed.into());
        }
        Some(Seed::Secret(seed)) => {
            let random = |stream| {
                let mut random = ChaCha20Rng::from_seed(seed);
                random.set_stream(stream);
                random
            };
            let mut bytes = [0; 16];
            random(3).fill_bytes(&mut bytes);
            let number = u128::from_le_bytes(bytes);
            wasi.secure_random(random(1)).insecure_random(random(2)).insecure_random_seed(number);
        }
    }
}

impl HostWallClock for TimeOfDay {
    fn resolution(&self) -> Duration {
        STEP
    }

    fn now(&self) -> Duration {
        told(&self.1, Clock::WasiNow, now(self.0))
    }
}

impl HostMonotonicClock for Elapsed {
    fn resolution(&self) -> u64 {
        STEP.subsec_nanos().into()
    }

    fn now(&self) -> u64 {
        let elapsed = told(&self.1, Clock::WasiElapsed, coarse(self.0.elapsed()));
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }
}
