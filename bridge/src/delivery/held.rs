//! Room for payloads in memory, where a broker hands events over. How large one is is known when its row was read: until then it counts as the largest
//! that there is. Whoever waits here has claimed nothing yet.

use std::sync::Arc;

use santokit_core::event::PAYLOAD_BYTES_MAX;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that are counted as one.
const PORTION: usize = 1 << 10;

/// Of a connection.
#[derive(Clone, Debug)]
pub(super) struct Held(Arc<Semaphore>);

/// Of one payload, until it is dropped.
#[derive(Debug)]
pub(super) struct Room(Option<OwnedSemaphorePermit>);

impl Held {
    /// Of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / PORTION)))
    }

    /// Room for the largest, as soon as there is some.
    pub(super) async fn room(&self) -> Room {
        let largest = u32::try_from(PAYLOAD_BYTES_MAX.div_ceil(PORTION)).unwrap_or(u32::MAX);
        // The error is that of a semaphore that was closed, which this one never is.
        Room(Arc::clone(&self.0).acquire_many_owned(largest).await.ok())
    }
}

impl Room {
    /// As much of it as is needed; others have the rest.
    pub(super) fn of(mut self, bytes: usize) -> Self {
        let Some(all) = &mut self.0 else { return self };
        let needed = bytes.div_ceil(PORTION).clamp(1, all.num_permits());
        Self(all.split(needed))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn what_was_not_read_yet_counts_as_the_largest() {
        let held = Held::new(3 * PAYLOAD_BYTES_MAX.next_multiple_of(PORTION));
        let mut rooms = vec![held.room().await, held.room().await, held.room().await];
        assert!(held.room().now_or_never().is_none(), "all of it is taken");
        let small = rooms.pop().unwrap().of(1);
        assert!(held.room().now_or_never().is_none(), "it takes one portion");
        let whole = rooms.pop().unwrap().of(PAYLOAD_BYTES_MAX);
        assert!(held.room().now_or_never().is_none(), "it takes all that it had");
        drop(small);
        assert!(held.room().now_or_never().is_some());
        let none = rooms.pop().unwrap().of(0);
        let again = held.room().await;
        assert!(held.room().now_or_never().is_none());
        drop((none, whole));
        assert!(held.room().now_or_never().is_some());
        drop(again);
    }
}
