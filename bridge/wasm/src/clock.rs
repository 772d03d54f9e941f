//! CPU time of one invocation: what its future spends on a thread, poll by poll. Waiting does not count.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// Shared by the future that is measured and the epoch callback that looks at it from inside a poll.
#[derive(Debug, Default)]
pub(crate) struct CpuClock {
    spent_ns: AtomicU64,
    poll_started_ns: AtomicU64,
    is_used_up: AtomicBool,
}

/// Measures the polls of a future, which its owner has pinned: no allocation for each call.
pub(crate) struct Measured<F> {
    future: F,
    clock: Arc<CpuClock>,
}

impl CpuClock {
    /// To be asked from inside a poll of the measured future, on its thread.
    pub(crate) fn now(&self) -> Duration {
        let running = thread_cpu_ns().saturating_sub(self.poll_started_ns.load(Ordering::Relaxed));
        Duration::from_nanos(self.spent_ns.load(Ordering::Relaxed).saturating_add(running))
    }

    /// What all finished polls took.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent_ns.load(Ordering::Relaxed))
    }

    /// The poll ends because a tick does, and not because there is something to wait for.
    pub(crate) fn note_used_up(&self) {
        self.is_used_up.store(true, Ordering::Relaxed);
    }

    /// Whether the last poll ended so.
    pub(crate) fn take_used_up(&self) -> bool {
        // Read first: mostly it is not so, and then nothing is written.
        self.is_used_up.load(Ordering::Relaxed) && self.is_used_up.swap(false, Ordering::Relaxed)
    }

    /// Adds what was spent for the invocation elsewhere.
    pub(crate) fn charge(&self, spent: Duration) {
        self.spent_ns.fetch_add(u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn measure<F: Future + Unpin>(self: &Arc<Self>, future: F) -> Measured<F> {
        Measured { future, clock: Arc::clone(self) }
    }
}

impl<F: Future + Unpin> Future for Measured<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let started = thread_cpu_ns();
        self.clock.poll_started_ns.store(started, Ordering::Relaxed);
        let poll = Pin::new(&mut self.future).poll(context);
        self.clock.spent_ns.fetch_add(thread_cpu_ns().saturating_sub(started), Ordering::Relaxed);
        poll
    }
}

fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}
