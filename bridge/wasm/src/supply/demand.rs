//! How many instances of a component are in use at once, lately.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A maximum that decays: what was needed once is not kept for ever, what is needed again and again is.
#[derive(Debug, Default)]
pub(super) struct Demand {
    now: AtomicUsize,
    /// The most since the last look.
    window: AtomicUsize,
    /// What is left of earlier windows.
    decayed: AtomicUsize,
    /// Looks without a call.
    quiet: AtomicUsize,
    /// Calls that found none where there should have been one, since the maker was told.
    missed: AtomicUsize,
    /// What they have shown to be needed besides.
    extra: AtomicUsize,
}

/// Short calls, one after the other, want more between two looks of the maker than are in use at once; so many more at most.
const EXTRA_MAX: usize = 16;

impl Demand {
    pub(super) fn begin(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        // Mostly it is no new maximum, and nothing is written that others read.
        if now > self.window.load(Ordering::Relaxed) {
            self.window.fetch_max(now, Ordering::Relaxed);
        }
    }

    pub(super) fn end(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn miss(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many should wait: twice what was in use at once, for calls that come while others are being made, and what was missed.
    pub(super) fn wanted(&self) -> usize {
        self.recent().saturating_mul(2).saturating_add(self.extra.load(Ordering::Relaxed))
    }

    /// Notes what was missed.
    pub(super) fn learn(&self) {
        let missed = self.missed.swap(0, Ordering::Relaxed);
        if missed > 0 {
            self.extra.store((self.extra.load(Ordering::Relaxed) + missed).min(EXTRA_MAX), Ordering::Relaxed);
        }
    }

    /// The most at once, lately.
    pub(super) fn recent(&self) -> usize {
        self.window.load(Ordering::Relaxed).max(self.decayed.load(Ordering::Relaxed))
    }

    /// Looks, once in a while. After so many looks without a call nothing is needed any more; before, one is.
    pub(super) fn look(&self, quiet_max: usize) -> usize {
        let window = self.window.swap(self.now.load(Ordering::Relaxed), Ordering::Relaxed);
        let quiet = if window > 0 { 0 } else { self.quiet.load(Ordering::Relaxed) + 1 };
        self.quiet.store(quiet, Ordering::Relaxed);
        let before = self.decayed.load(Ordering::Relaxed);
        let least = usize::from(quiet < quiet_max && before.max(window) > 0);
        let decayed = window.max(before - before.div_ceil(8)).max(least);
        let decayed = if quiet < quiet_max { decayed } else { 0 };
        self.decayed.store(decayed, Ordering::Relaxed);
        let extra = self.extra.load(Ordering::Relaxed);
        self.extra.store(extra - extra.div_ceil(8), Ordering::Relaxed);
        decayed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_what_is_used_at_once_and_forgets_it_slowly() {
        let demand = Demand::default();
        assert_eq!((demand.recent(), demand.look(10)), (0, 0));
        for _ in 0..16 {
            demand.begin();
        }
        assert_eq!(demand.recent(), 16);
        for _ in 0..16 {
            demand.end();
        }
        assert_eq!(demand.look(10), 16);
        let looks: Vec<usize> = (0..10).map(|_| demand.look(10)).collect();
        assert_eq!(looks, [14, 12, 10, 8, 7, 6, 5, 4, 3, 0]);
    }

    #[test]
    fn what_is_missed_is_wanted_and_forgotten() {
        let demand = Demand::default();
        demand.begin();
        assert_eq!(demand.wanted(), 2);
        for _ in 0..5 {
            demand.miss();
        }
        demand.learn();
        assert_eq!(demand.wanted(), 7);
        demand.learn();
        assert_eq!(demand.wanted(), 7);
        for _ in 0..1_000 {
            demand.miss();
        }
        demand.learn();
        assert_eq!(demand.wanted(), 2 + EXTRA_MAX);
        for _ in 0..16 {
            demand.look(100);
        }
        assert_eq!(demand.wanted(), 2);
    }

    #[test]
    fn one_is_needed_until_it_was_quiet_long_enough() {
        let demand = Demand::default();
        demand.begin();
        demand.end();
        assert_eq!((0..6).map(|_| demand.look(4)).collect::<Vec<_>>(), [1, 1, 1, 1, 0, 0]);
        demand.begin();
        // A call that runs for long is one that is made.
        assert_eq!((0..6).map(|_| demand.look(4)).collect::<Vec<_>>(), [1; 6]);
    }
}
