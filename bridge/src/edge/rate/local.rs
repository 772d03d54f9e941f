//! Budgets in the memory of one Bridge: as many as there are callers, up to a bound.

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock};

use crate::config::Rate;

/// Callers that are told apart. A stranger can make up any number of addresses, but no memory for them.
const OWNERS_MAX: usize = 100_000;

/// Budgets that all callers share when there are more of them.
const SHARED_MAX: u128 = 1_024;

/// How many requests pass between two looks at how many callers there are.
const LOOK_EACH: u32 = 256;

/// Budgets of one rate.
pub(super) struct Local {
    limiter: DefaultKeyedRateLimiter<u128>,
    /// Owners are known by a hash that nobody outside can foresee: of a length that does not depend on what was sent.
    hashers: [RandomState; 2],
    owners_max: usize,
    requests: AtomicU32,
    is_full: AtomicBool,
}

impl Local {
    pub(super) fn new(rate: Rate) -> Self {
        Self::with_bound(rate, OWNERS_MAX)
    }

    fn with_bound(rate: Rate, owners_max: usize) -> Self {
        // The configuration has seen to it that the interval is not zero.
        let interval = rate.interval().max(Duration::from_micros(1));
        let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(rate.requests));
        Self {
            limiter: DefaultKeyedRateLimiter::keyed(quota.allow_burst(rate.requests)),
            hashers: [RandomState::new(), RandomState::new()],
            owners_max,
            requests: AtomicU32::new(0),
            is_full: AtomicBool::new(false),
        }
    }

    /// Takes one request, or says when there is one again.
    pub(super) fn take(&self, owner: &impl Hash) -> Result<(), Duration> {
        if self.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOK_EACH) {
            self.look();
        }
        let [a, b] = &self.hashers;
        let owner = u128::from(a.hash_one(owner)) << 64 | u128::from(b.hash_one(owner));
        let owner = if self.is_full.load(Ordering::Relaxed) { owner % SHARED_MAX } else { owner };
        self.limiter.check_key(&owner).map_err(|until| until.wait_time_from(self.limiter.clock().now()))
    }

    /// Forgets budgets that are whole again.
    pub(super) fn tidy(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
        self.is_full.store(self.limiter.len() > self.owners_max, Ordering::Relaxed);
    }

    /// Between two times of tidying, there may be no room any more.
    fn look(&self) {
        if !self.is_full.load(Ordering::Relaxed) && self.limiter.len() > self.owners_max {
            self.tidy();
            if self.is_full.load(Ordering::Relaxed) {
                tracing::warn!(owners = self.owners_max, "too many callers to count each: new ones share budgets");
            }
        }
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("owners", &self.limiter.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        Rate::parse(text).unwrap().unwrap()
    }

    #[test]
    fn a_wait_is_as_long_as_it_is_said_to_be() {
        let local = Local::new(rate("4/2s"));
        for _ in 0..4 {
            local.take(&"a").unwrap();
        }
        let wait = local.take(&"a").unwrap_err();
        assert!(wait <= Duration::from_millis(500), "{wait:?}");
        #[expect(clippy::disallowed_methods, reason = "no runtime here")]
        std::thread::sleep(wait);
        assert_eq!(local.take(&"a"), Ok(()));
    }

    #[test]
    fn more_callers_than_there_is_room_for_share_what_there_is() {
        let local = Local::with_bound(rate("1/1h"), 1_000);
        let admitted = (0..50_000_u32).filter(|owner| local.take(owner).is_ok()).count();
        // Those that were told apart, those between two looks, and the shared ones.
        assert!((1_000..=1_000 + 256 + 1_024).contains(&admitted), "{admitted}");
        assert!(local.limiter.len() <= 1_000 + 256 + 1_024, "{}", local.limiter.len());
        local.tidy();
        assert!(local.is_full.load(Ordering::Relaxed));
    }

    #[test]
    fn what_is_whole_again_is_forgotten() {
        let local = Local::with_bound(rate("1000/1s"), 10);
        for owner in 0..5_000_u32 {
            local.take(&owner).unwrap();
        }
        #[expect(clippy::disallowed_methods, reason = "no runtime here")]
        std::thread::sleep(Duration::from_millis(50));
        local.tidy();
        assert_eq!((local.limiter.len(), local.is_full.load(Ordering::Relaxed)), (0, false));
    }
}
