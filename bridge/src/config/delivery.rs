//! The settings of delivery.

use std::time::Duration;

use super::{
    Settings,
    read::{Check, duration},
};
use crate::delivery::DeliverySettings;

/// The longest that what another Bridge published waits here.
const POLL_MAX: Duration = Duration::from_mins(1);

impl Settings {
    pub(super) fn delivery(&mut self, check: &mut Check) -> DeliverySettings {
        let default = DeliverySettings::default();
        let poll = self.events_poll_interval.take();
        let poll_interval = check.value("eventsPollInterval", poll, default.poll_interval, duration);
        let orphaned = self.events_orphaned_after.take();
        let orphaned_after = check.value("eventsOrphanedAfter", orphaned, default.orphaned_after, duration);
        if poll_interval.is_zero() || poll_interval > POLL_MAX {
            check.add("eventsPollInterval", "must be between 1ms and 1m");
        }
        DeliverySettings { poll_interval, orphaned_after }
    }
}
