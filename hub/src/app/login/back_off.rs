//! How long an account, or an address, must wait after failed logins.
//!
//! It is in memory, in a table of a fixed size: who is not logged in must not make the Hub write, or grow. Several Hubs count each
//! for itself, and a restart forgets; neither gives an attacker more than a few tries. Accounts that share a place of the table
//! wait for one another, which the salt keeps anybody from arranging.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

const PLACES: usize = 1 << 16;
/// So many failures cost nothing: people mistype.
const FREE: u32 = 5;
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::hours(1);

/// Failures by account or address.
pub struct BackOff {
    salt: RandomState,
    places: Mutex<Vec<Place>>,
    free: u32,
    longest: Duration,
}

#[derive(Clone, Copy, Default)]
struct Place {
    failures: u32,
    last: DateTime<Utc>,
}

impl BackOff {
    /// For accounts: five tries, then 1 s, 2 s, 4 s and so on up to five minutes.
    pub fn of_accounts() -> Self {
        Self::new(FREE, Duration::from_mins(5))
    }

    /// For addresses, behind which there may be many people: ten times as many tries, and never longer than a minute.
    pub fn of_addresses() -> Self {
        Self::new(10 * FREE, Duration::from_mins(1))
    }

    fn new(free: u32, longest: Duration) -> Self {
        Self { salt: RandomState::new(), places: Mutex::new(vec![Place::default(); PLACES]), free, longest }
    }

    /// How long it must wait still; none where it may try. A try is counted as a failure until [`BackOff::succeed`], so that many
    /// at once are not all let in.
    pub fn attempt(&self, key: &str, now: DateTime<Utc>) -> Option<Duration> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = &mut places[self.place(key)];
        if now - place.last > FORGOTTEN_AFTER {
            *place = Place::default();
        }
        let until = place.last + self.wait(place.failures);
        if place.failures >= self.free && until > now {
            return (until - now).to_std().ok().map(|wait| wait.max(Duration::from_secs(1)));
        }
        *place = Place { failures: place.failures.saturating_add(1), last: now };
        None
    }

    /// Forgets its failures.
    pub fn succeed(&self, key: &str) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)[self.place(key)] = Place::default();
    }

    /// Takes one failure back: what was tried was right, but others behind the same address are not.
    pub fn excuse(&self, key: &str) {
        let place = &mut self.places.lock().unwrap_or_else(PoisonError::into_inner)[self.place(key)];
        place.failures = place.failures.saturating_sub(1);
    }

    fn wait(&self, failures: u32) -> Duration {
        let doubled = failures.saturating_sub(self.free).min(16);
        Duration::from_secs(1 << doubled).min(self.longest)
    }

    fn place(&self, key: &str) -> usize {
        // The remainder is smaller than the table.
        usize::try_from(self.salt.hash_one(key) % PLACES as u64).unwrap_or_default()
    }
}

impl fmt::Debug for BackOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackOff(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_are_forgotten() {
        let (back_off, mut now) = (BackOff::of_accounts(), DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
        for _ in 0..5 {
            assert_eq!(back_off.attempt("a", now), None);
        }
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let wait = Duration::from_secs(seconds);
            assert_eq!(back_off.attempt("a", now), Some(wait));
            now += wait;
            assert_eq!(back_off.attempt("a", now), None, "after {seconds} s");
        }
        assert_eq!(back_off.attempt("b", now), None);
        back_off.succeed("a");
        assert_eq!(back_off.attempt("a", now), None);
        for _ in 0..10 {
            back_off.attempt("a", now);
        }
        assert_eq!(back_off.attempt("a", now + FORGOTTEN_AFTER + TimeDelta::seconds(1)), None);
    }

    #[test]
    fn an_address_has_more_tries_and_what_is_right_is_not_counted() {
        let (back_off, now) = (BackOff::of_addresses(), DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
        for _ in 0..1_000 {
            assert_eq!(back_off.attempt("127.0.0.1", now), None);
            back_off.excuse("127.0.0.1");
        }
        for _ in 0..50 {
            assert_eq!(back_off.attempt("127.0.0.1", now), None);
        }
        assert!(back_off.attempt("127.0.0.1", now).is_some());
    }
}
