//! The settings of jobs.

use std::time::Duration;

use super::{
    Settings,
    read::{Check, duration},
};

/// A shorter one is over before a Bridge has said that it lives.
const LEASE_MIN: Duration = Duration::from_secs(1);
/// For longer nobody waits to learn that a run is lost.
const LEASE_MAX: Duration = Duration::from_mins(10);

impl Settings {
    pub(super) fn cron_lease(&mut self, check: &mut Check) -> Duration {
        let lease = check.value("cronLease", self.cron_lease.take(), Duration::from_secs(30), duration);
        if !(LEASE_MIN..=LEASE_MAX).contains(&lease) {
            check.add("cronLease", "must be between 1s and 10m");
        }
        lease
    }
}
