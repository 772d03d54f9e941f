//! What the outbound requests of one invocation have in common: the bytes of their bodies, counted together, and that one is sent after
//! the other, so that each is held exactly to what those before it have left.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{Mutex, MutexGuard};

use crate::call::WrongCalls;

/// Of one invocation.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    turn: Mutex<()>,
    bytes: AtomicU64,
    /// Of bodies that are not sent yet.
    held: AtomicU64,
    /// Of what went on beside the guest.
    denied: AtomicU64,
    failed: AtomicU64,
}

/// A request that has its turn, or what runs in place of one. Given up, it counts with what it sends: nobody knows how far it came.
#[derive(Debug)]
pub(crate) struct Turn<'o> {
    outbound: &'o Outbound,
    bytes: u64,
    /// Given on when all is counted.
    _held: MutexGuard<'o, ()>,
}

/// Bytes of a body that lie here; gone with it.
#[derive(Debug)]
pub(crate) struct Held {
    outbound: Arc<Outbound>,
    bytes: u64,
}

impl Outbound {
    /// Waits for the requests before. Until it is dropped, nothing else counts.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        Turn { outbound: self, bytes: 0, _held: self.turn.lock().await }
    }

    /// Bytes of bodies that went either way.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts some.
    pub(crate) fn count(&self, bytes: u64) {
        let more = |counted: u64| Some(counted.saturating_add(bytes));
        // It is never refused.
        let _ = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Counts a request that is answered with an error.
    pub(crate) fn went_wrong(&self, is_denied: bool) {
        (if is_denied { &self.denied } else { &self.failed }).fetch_add(1, Ordering::Relaxed);
    }

    /// So many were.
    pub(crate) fn wrong(&self) -> WrongCalls {
        WrongCalls { denied: self.denied.load(Ordering::Relaxed), failed: self.failed.load(Ordering::Relaxed) }
    }

    /// Nothing yet.
    pub(crate) fn hold(self: &Arc<Self>) -> Held {
        Held { outbound: Arc::clone(self), bytes: 0 }
    }
}

impl Turn<'_> {
    /// A body of so many bytes is on its way.
    pub(crate) fn begin(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    /// It has ended, with so many bytes that went either way.
    pub(crate) fn end(mut self, bytes: u64) {
        self.bytes = bytes;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.outbound.count(self.bytes);
    }
}

impl Held {
    /// Holds more; all that is held, by this body and by others.
    pub(crate) fn add(&mut self, bytes: u64) -> u64 {
        self.bytes = self.bytes.saturating_add(bytes);
        self.outbound.held.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.outbound.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_together_until_it_is_sent() {
        let outbound = Arc::new(Outbound::default());
        let (mut one, mut other) = (outbound.hold(), outbound.hold());
        assert_eq!((one.add(3), other.add(4), one.add(1)), (3, 7, 8));
        drop(one);
        assert_eq!(other.add(0), 4);
        outbound.count(5);
        outbound.count(u64::MAX);
        assert_eq!(outbound.bytes(), u64::MAX);
    }

    #[tokio::test]
    async fn a_request_counts_with_its_turn_however_it_ends() {
        let outbound = Outbound::default();
        let mut first = outbound.turn().await;
        first.begin(10);
        assert!(outbound.turn.try_lock().is_err(), "one after the other");
        first.end(25);
        assert_eq!(outbound.bytes(), 25);
        let mut given_up = outbound.turn().await;
        given_up.begin(10);
        drop(given_up);
        assert_eq!(outbound.bytes(), 35);
        drop(outbound.turn().await);
        assert_eq!(outbound.bytes(), 35);
    }
}
