//! How many calls have a processor at this moment. Those that wait for a host do not count.

use std::{
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
};

/// Of all calls of a sandbox.
#[derive(Debug)]
pub(super) struct Busy {
    now: AtomicUsize,
    processors: usize,
}

/// Counts the polls of a future.
pub(crate) struct Counted<'a, F> {
    busy: &'a Busy,
    future: F,
}

impl Busy {
    pub(super) fn new() -> Self {
        Self { now: AtomicUsize::new(0), processors: std::thread::available_parallelism().map_or(1, usize::from) }
    }

    pub(super) fn count<F: Future + Unpin>(&self, future: F) -> Counted<'_, F> {
        Counted { busy: self, future }
    }

    /// Whether calls have all processors.
    pub(super) fn is_full(&self) -> bool {
        self.now.load(Ordering::Relaxed) >= self.processors
    }

    /// Whether they would with one that does not count, which is the one that asks.
    pub(super) fn is_full_beside_one(&self) -> bool {
        self.now.load(Ordering::Relaxed) + 1 >= self.processors.max(2)
    }
}

impl<F: Future + Unpin> Future for Counted<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.busy.now.fetch_add(1, Ordering::Relaxed);
        let poll = Pin::new(&mut self.future).poll(context);
        self.busy.now.fetch_sub(1, Ordering::Relaxed);
        poll
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, pin::pin, task::Waker};

    use super::*;

    #[test]
    fn a_call_counts_while_it_runs_and_not_while_it_waits() {
        let busy = Busy { now: AtomicUsize::new(0), processors: 1 };
        let mut context = Context::from_waker(Waker::noop());
        let running = pin!(async {
            assert!(busy.is_full());
            pending::<()>().await;
        });
        assert!(pin!(busy.count(running)).poll(&mut context).is_pending());
        assert!(!busy.is_full());
    }
}
