//! How guests that compute for long share the processors with everything else in the process.
//!
//! A guest yields at each tick. Where many compute at once that is not enough: whoever wants no more than a moment (another guest's call, a
//! request that has just arrived) stands behind all of their ticks, and the threads that would notice a request are the ones that compute. So a
//! guest that has used up a tick goes on by slices: no more guests at once than there are processors, first come first served, a project with
//! many of them as one with few, and within it an env; and meanwhile another thread does what the guest's thread would have done, which the
//! kernel lets in between.

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

/// What the guests of one may have of the processors, of what its project may have, of what there is in all.
#[derive(Clone, Debug)]
pub(crate) struct Slices {
    /// The narrowest first; the last is what there is.
    queues: Arc<[Arc<Semaphore>]>,
}

/// A processor for a tick: first of the env, then of its project, then of all, so that none has more in a common queue than it can use
/// at once.
type Slice = Vec<OwnedSemaphorePermit>;

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
        Self { queues: Arc::new([Arc::new(Semaphore::new(Self::processors()))]) }
    }

    /// For guests that stand in these queues before they come to its own, the narrowest first.
    pub(crate) fn behind(&self, queues: [Arc<Semaphore>; 2]) -> Self {
        Self { queues: queues.into_iter().chain(self.queues.iter().cloned()).collect() }
    }

    /// How many guests can compute at once.
    pub(crate) fn processors() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    pub(crate) fn slice<F: Future + Unpin>(&self, future: F, clock: &Arc<CpuClock>) -> Sliced<F> {
        Sliced { future, clock: Arc::clone(clock), slices: self.clone(), waiting: None }
    }

    /// None cannot be: they are never closed.
    async fn take(self) -> Option<Slice> {
        let mut slice = Slice::with_capacity(self.queues.len());
        for queue in self.queues.iter() {
            slice.push(Arc::clone(queue).acquire_owned().await.ok()?);
        }
        Some(slice)
    }
}

#[cfg(test)]
impl Slices {
    /// In how many queues both stand.
    pub(crate) fn in_common_with(&self, other: &Self) -> usize {
        self.queues.iter().filter(|queue| other.queues.iter().any(|one| Arc::ptr_eq(queue, one))).count()
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
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Waker,
        time::Duration,
    };

    use super::*;

    /// Ready after so many polls, each of which takes so long and uses a tick up.
    struct Long(usize, Arc<CpuClock>, Duration);

    impl Future for Long {
        type Output = ();

        #[expect(clippy::disallowed_methods, reason = "a guest that computes has its thread for so long")]
        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            self.0 -= 1;
            std::thread::sleep(self.2);
            self.1.note_used_up();
            context.waker().wake_by_ref();
            if self.0 == 0 { Poll::Ready(()) } else { Poll::Pending }
        }
    }

    fn single() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(1))
    }

    fn of(queues: &[&Arc<Semaphore>]) -> Slices {
        Slices { queues: queues.iter().map(|&queue| Arc::clone(queue)).collect() }
    }

    fn long(slices: &Slices, polls: usize, each: Duration) -> Sliced<Long> {
        let clock = Arc::new(CpuClock::default());
        slices.slice(Long(polls, Arc::clone(&clock), each), &clock)
    }

    #[test]
    fn the_first_tick_is_free_and_each_after_it_wants_a_processor() {
        let mut context = Context::from_waker(Waker::noop());
        let slices = of(&[&single(), &single()]);
        let mut one = long(&slices, 3, Duration::ZERO);
        assert!(Pin::new(&mut one).poll(&mut context).is_pending());
        assert!(one.waiting.is_none());
        let held = Arc::clone(&slices.queues[1]).try_acquire_owned().unwrap();
        for _ in 0..3 {
            assert!(Pin::new(&mut one).poll(&mut context).is_pending());
            assert_eq!(one.future.0, 2, "it runs no further");
        }
        drop(held);
        assert!(Pin::new(&mut one).poll(&mut context).is_pending());
        // It holds none between two slices.
        assert!(slices.queues.iter().all(|queue| queue.available_permits() == 1));
        assert!(Pin::new(&mut one).poll(&mut context).is_ready());
    }

    /// An env with many guests has no more of a processor than one with a single guest.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn envs_take_turns() {
        let (all, project) = (single(), single());
        let crowd = vec![of(&[&single(), &project, &all]); 20];
        goes_on_beside(&crowd, &of(&[&single(), &project, &all])).await;
    }

    /// Nor has a project with many envs more than one with a single env.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn projects_take_turns() {
        let (all, project) = (single(), single());
        let crowd: Vec<Slices> = (0..20).map(|_| of(&[&single(), &project, &all])).collect();
        goes_on_beside(&crowd, &of(&[&single(), &single(), &all])).await;
    }

    const TICK: Duration = Duration::from_millis(1);

    /// One comes to its end while a crowd, which has far more to do, has had about as many polls: behind all of the crowd each time, it would be
    /// after twenty times as many.
    async fn goes_on_beside(crowd: &[Slices], alone: &Slices) {
        let polls = Arc::new(AtomicUsize::new(0));
        let crowd: Vec<_> =
            crowd.iter().map(|one| tokio::spawn(counted(long(one, 1_000_000, TICK), Arc::clone(&polls)))).collect();
        tokio::task::yield_now().await;
        // As a task, beside those that wait while another is in its slice.
        let one = tokio::spawn(long(alone, 200, TICK));
        tokio::time::timeout(Duration::from_mins(1), one).await.unwrap().unwrap();
        let polls = polls.load(Ordering::Relaxed);
        assert!(polls < 200 * 12, "the crowd had {polls} polls meanwhile");
        for one in crowd {
            assert!(!one.is_finished());
            one.abort();
        }
    }

    /// Counts the polls that come to what is polled.
    async fn counted(mut long: Sliced<Long>, polls: Arc<AtomicUsize>) {
        std::future::poll_fn(|context| {
            let before = long.future.0;
            let poll = Pin::new(&mut long).poll(context);
            polls.fetch_add(before - long.future.0, Ordering::Relaxed);
            poll
        })
        .await;
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
