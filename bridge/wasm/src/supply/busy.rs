//! How many calls have a processor at this moment. Those that wait for a host do not count.

use std::{
    pin::Pin,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::pressure;

/// Of all calls of a sandbox.
#[derive(Debug)]
pub(super) struct Busy {
    now: AtomicUsize,
    /// How often a call began to run that left no processor for another thread.
    crowded: AtomicU64,
    processors: usize,
}

/// For so long no call must have taken the last processor: between two calls of one that calls without a pause are microseconds, and who
/// begins something then is in the way of the next.
const QUIET: Duration = Duration::from_micros(50);

/// Since when there is a processor that no call wants.
#[derive(Debug)]
pub(super) struct Quiet {
    crowded: u64,
    since: Instant,
}

/// Counts the polls of a future.
pub(crate) struct Counted<'a, F> {
    busy: &'a Busy,
    future: F,
}

impl Busy {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { now: AtomicUsize::new(0), crowded: AtomicU64::new(0), processors }
    }

    pub(super) fn count<F: Future + Unpin>(&self, future: F) -> Counted<'_, F> {
        Counted { busy: self, future }
    }

    /// Whether no processor is left beside one that does not count, which is the one that asks.
    pub(super) fn is_full_beside_one(&self) -> bool {
        self.is_crowd(self.now.load(Ordering::Relaxed) + 1)
    }

    fn is_crowd(&self, now: usize) -> bool {
        now >= self.processors.max(2)
    }
}

impl<F: Future + Unpin> Future for Counted<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        pressure::here();
        let others = self.busy.now.fetch_add(1, Ordering::Relaxed);
        // Beside a thread that makes instances.
        if self.busy.is_crowd(others + 2) {
            self.busy.crowded.fetch_add(1, Ordering::Relaxed);
        }
        let poll = Pin::new(&mut self.future).poll(context);
        self.busy.now.fetch_sub(1, Ordering::Relaxed);
        poll
    }
}

impl Quiet {
    pub(super) fn new() -> Self {
        Self { crowded: 0, since: Instant::now() }
    }

    /// Whether it was so for long enough.
    pub(super) fn is_quiet(&mut self, busy: &Busy, now: Instant) -> bool {
        let crowded = busy.crowded.load(Ordering::Relaxed);
        if crowded != self.crowded || busy.is_crowd(busy.now.load(Ordering::Relaxed) + 1) {
            *self = Self { crowded, since: now };
        }
        now.duration_since(self.since) >= QUIET
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, pin::pin, task::Waker};

    use super::*;

    #[test]
    fn a_call_counts_while_it_runs_and_not_while_it_waits() {
        let busy = Busy { processors: 2, ..Busy::new() };
        let mut context = Context::from_waker(Waker::noop());
        let running = pin!(async {
            assert!(busy.is_full_beside_one());
            pending::<()>().await;
        });
        assert!(pin!(busy.count(running)).poll(&mut context).is_pending());
        assert!(!busy.is_full_beside_one());
    }

    #[test]
    fn it_is_quiet_when_no_call_took_the_last_processor_for_a_while() {
        for (processors, is_taken) in [(1, true), (2, true), (3, false)] {
            let busy = Busy { processors, ..Busy::new() };
            let mut quiet = Quiet::new();
            let mut now = quiet.since + QUIET;
            assert!(quiet.is_quiet(&busy, now));
            let mut context = Context::from_waker(Waker::noop());
            assert!(pin!(busy.count(std::future::ready(()))).poll(&mut context).is_ready());
            assert_eq!(quiet.is_quiet(&busy, now), !is_taken, "{processors}");
            now += QUIET;
            assert!(quiet.is_quiet(&busy, now));
        }
    }
}
