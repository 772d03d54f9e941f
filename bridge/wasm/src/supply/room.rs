//! What all shelves together may hold: so many places of the pool, so many bytes of memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts what is held.
#[derive(Debug)]
pub(super) struct Room {
    places_max: u32,
    bytes_max: u64,
    held: Mutex<(u32, u64)>,
}

/// A part of the room, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    places: u32,
    bytes: u64,
}

impl Room {
    pub(super) fn new(places_max: u32, bytes_max: u64) -> Self {
        Self { places_max, bytes_max, held: Mutex::default() }
    }

    /// A part of it, if that is free.
    pub(super) fn place(self: &Arc<Self>, places: u32, bytes: u64) -> Option<Place> {
        let mut held = self.lock();
        let (all_places, all_bytes) = (held.0.checked_add(places)?, held.1.checked_add(bytes)?);
        if all_places > self.places_max || all_bytes > self.bytes_max {
            return None;
        }
        *held = (all_places, all_bytes);
        drop(held);
        Some(Place { room: Arc::clone(self), places, bytes })
    }

    /// Places and bytes.
    pub(super) fn held(&self) -> (u32, u64) {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, (u32, u64)> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Makes it as large as what stands in it; none if there is not so much room.
    pub(super) fn sized(mut self, bytes: u64) -> Option<Self> {
        let mut held = self.room.lock();
        let all = (held.1 - self.bytes).checked_add(bytes).filter(|all| *all <= self.room.bytes_max);
        if let Some(all) = all {
            held.1 = all;
        }
        drop(held);
        all?;
        self.bytes = bytes;
        Some(self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.room.lock();
        *held = (held.0 - self.places, held.1 - self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_held_than_there_is_room_for() {
        let room = Arc::new(Room::new(3, 100));
        let first = room.place(1, 0).unwrap().sized(60).unwrap();
        assert!(room.place(1, 41).is_none());
        assert!(room.place(3, 0).is_none());
        assert!(room.place(u32::MAX, 0).is_none() && room.place(1, u64::MAX).is_none());
        let second = room.place(2, 40).unwrap();
        assert_eq!(room.held(), (3, 100));
        // What does not fit is not held either.
        assert!(second.sized(41).is_none());
        assert_eq!(room.held(), (1, 60));
        drop(first);
        assert_eq!(room.held(), (0, 0));
    }
}
