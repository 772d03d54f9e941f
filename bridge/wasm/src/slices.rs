//! How guests that compute for long share the processors with everything else in the process.
//!
//! A guest yields at each tick. Where many compute at once that is not enough: whoever wants no more than a moment (another guest's call, a
//! request that has just arrived) stands behind all of their ticks, and the threads that would notice a request are the ones that compute. So a
//! guest that has used up a tick goes on by slices: no more guests at once than there are processors, first come first served, an env with many
//! of them as one with few; and meanwhile another thread does what the guest's thread would have done, which the kernel lets in between.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::block_in_place,
};

use crate::clock::CpuClock;

/// What the guests of one env may have of the processors, and what there is in all.
#[derive(Clone, Debug)]
pub(crate) struct Slices {
    /// None where there is no env.
    mine: Option<Arc<Semaphore>>,
    all: Arc<Semaphore>,
}

/// A processor for a tick: first of the env, then of all, so that no env has more in the common queue than it can use at once.
type Slice = (Option<OwnedSemaphorePermit>, OwnedSemaphorePermit);

/// Polls the future of a call, and the next time after a tick only within a slice.
pub(crate) struct Sliced<F> {
    future: F,
    clock: Arc<CpuClock>,
    slices: Slices,
    waiting: Option<Pin<Box<dyn Future<Output = Option<Slice>> + Send>>>,
}

impl Slices {
    /// For guests that nobody shares with.
    pub(crate) fn new() -> Self {
        Self { mine: None, all: Arc::new(Semaphore::new(processors())) }
    }

    /// Of another env.
    pub(crate) fn of_another(&self) -> Self {
        Self { mine: Some(Arc::new(Semaphore::new(processors()))), all: Arc::clone(&self.all) }
    }

    pub(crate) fn slice<F: Future + Unpin>(&self, future: F, clock: &Arc<CpuClock>) -> Sliced<F> {
        Sliced { future, clock: Arc::clone(clock), slices: self.clone(), waiting: None }
    }

    /// None cannot be: they are never closed.
    async fn take(self) -> Option<Slice> {
        let mine = match self.mine {
            Some(mine) => Some(mine.acquire_owned().await.ok()?),
            None => None,
        };
        Some((mine, self.all.acquire_owned().await.ok()?))
    }
}

impl<F: Future + Unpin> Future for Sliced<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if self.waiting.is_none() {
            // One that waited for its host has no need to wait here: what it then takes is at most a tick.
            if !self.clock.take_used_up() {
                return Pin::new(&mut self.future).poll(context);
            }
            let slices = self.slices.clone();
            self.waiting = Some(Box::pin(slices.take()));
        }
        let slice = match &mut self.waiting {
            Some(waiting) => ready!(waiting.as_mut().poll(context)),
            None => None,
        };
        self.waiting = None;
        let poll = aside(|| Pin::new(&mut self.future).poll(context));
        drop(slice);
        poll
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs something long where another thread can take over what this one would do next.
#[expect(
    clippy::disallowed_methods,
    reason = "at most as many as there are processors at once, and only while guests compute for long"
)]
fn aside<T>(work: impl FnOnce() -> T) -> T {
    let has_others = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if has_others { block_in_place(work) } else { work() }
}

#[cfg(test)]
mod tests {
    use std::{task::Waker, time::Duration};

    use super::*;

    /// Ready after so many polls, each of which uses a tick up.
    struct Long(usize, Arc<CpuClock>);

    impl Future for Long {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            self.0 -= 1;
            self.1.note_used_up();
            context.waker().wake_by_ref();
            if self.0 == 0 { Poll::Ready(()) } else { Poll::Pending }
        }
    }

    fn long(slices: &Slices, polls: usize) -> Sliced<Long> {
        let clock = Arc::new(CpuClock::default());
        slices.slice(Long(polls, Arc::clone(&clock)), &clock)
    }

    #[test]
    fn the_first_tick_is_free_and_each_after_it_wants_a_processor() {
        let mut context = Context::from_waker(Waker::noop());
        let slices = Slices { mine: Some(Arc::new(Semaphore::new(1))), all: Arc::new(Semaphore::new(1)) };
        let mut one = long(&slices, 3);
        assert!(Pin::new(&mut one).poll(&mut context).is_pending());
        assert!(one.waiting.is_none());
        let held = Arc::clone(&slices.all).try_acquire_owned().unwrap();
        for _ in 0..3 {
            assert!(Pin::new(&mut one).poll(&mut context).is_pending());
            assert_eq!(one.future.0, 2, "it runs no further");
        }
        drop(held);
        assert!(Pin::new(&mut one).poll(&mut context).is_pending());
        // It holds none between two slices.
        assert_eq!((slices.mine.unwrap().available_permits(), slices.all.available_permits()), (1, 1));
        assert!(Pin::new(&mut one).poll(&mut context).is_ready());
    }

    /// An env with many guests has no more of a processor than one with a single guest.
    #[tokio::test]
    async fn envs_take_turns() {
        let all = Arc::new(Semaphore::new(1));
        let env = || Slices { mine: Some(Arc::new(Semaphore::new(1))), all: Arc::clone(&all) };
        let (crowd, single) = (env(), env());
        let crowd: Vec<_> = (0..20).map(|_| tokio::spawn(long(&crowd, 1_000_000))).collect();
        tokio::task::yield_now().await;
        tokio::time::timeout(Duration::from_secs(20), long(&single, 200)).await.unwrap();
        for one in crowd {
            assert!(!one.is_finished());
            one.abort();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn the_only_thread_of_a_runtime_goes_on_meanwhile() {
        let clock = Arc::new(CpuClock::default());
        clock.note_used_up();
        let (done, waits) = std::sync::mpsc::channel();
        let mut future =
            std::future::poll_fn(move |_| Poll::Ready(waits.recv_timeout(Duration::from_secs(20)).is_ok()));
        let slices = Slices::new();
        let long = tokio::spawn(async move {
            let pinned = Pin::new(&mut future);
            slices.slice(pinned, &clock).await
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        tokio::spawn(async move { done.send(()) }).await.unwrap().unwrap();
        assert!(long.await.unwrap());
    }
}
