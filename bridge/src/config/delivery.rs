//! The settings of delivery.

use std::time::Duration;

use santokit_core::event::PAYLOAD_BYTES_MAX;

use super::{
    Settings,
    read::{Check, duration, size},
};
use crate::delivery::DeliverySettings;

/// The longest that what another Bridge published waits here.
const POLL_MAX: Duration = Duration::from_mins(1);

/// Smaller ones would be of no use.
const PAYLOAD_BYTES_MIN: usize = 1 << 10;

/// What is done once is marked for 90 days: what is replayed later is done again.
const DEAD_MAX: Duration = Duration::from_hours(60 * 24);

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
        let dead = self.dead_letter_retention.take();
        let dead_letter_retention = check.value("deadLetterRetention", dead, default.dead_letter_retention, duration);
        if dead_letter_retention < Duration::from_secs(1) || dead_letter_retention > DEAD_MAX {
            check.add("deadLetterRetention", "must be between 1s and 60d");
        }
        let payload_max = check.value("eventPayload", self.event_payload.take(), default.payload_max, size);
        if !(PAYLOAD_BYTES_MIN..=PAYLOAD_BYTES_MAX).contains(&payload_max) {
            check.add("eventPayload", "must be between 1KiB and 1MB: it lowers the limit, and cannot raise it");
        }
        DeliverySettings { payload_max, poll_interval, orphaned_after, dead_letter_retention }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_bounded_below_what_the_platform_takes() {
        let read = |text: &str| {
            let mut check = Check::default();
            let mut settings = Settings { event_payload: Some(text.into()), ..Settings::default() };
            (settings.delivery(&mut check).payload_max, check.0)
        };
        assert_eq!(read("64KiB"), (64 << 10, Vec::new()));
        assert_eq!(read("1MB"), (PAYLOAD_BYTES_MAX, Vec::new()));
        for wrong in ["1MiB", "1000001", "1023", "0", "lots"] {
            let (_, told) = read(wrong);
            assert!(told.len() == 1 && told[0].starts_with("eventPayload: "), "{wrong}: {told:?}");
        }
        assert_eq!(Settings::default().delivery(&mut Check::default()).payload_max, PAYLOAD_BYTES_MAX);
    }

    #[test]
    fn dead_letters_are_kept_for_a_time_within_bounds() {
        let read = |text: &str| {
            let mut check = Check::default();
            let mut settings = Settings { dead_letter_retention: Some(text.into()), ..Settings::default() };
            (settings.delivery(&mut check).dead_letter_retention, check.0)
        };
        let days = |days: u64| Duration::from_hours(24 * days);
        assert_eq!(Settings::default().delivery(&mut Check::default()).dead_letter_retention, days(14));
        assert_eq!((read("1s"), read("60d")), ((Duration::from_secs(1), Vec::new()), (days(60), Vec::new())));
        for wrong in ["0s", "999ms", "61d", "for ever"] {
            let (_, told) = read(wrong);
            assert!(told.len() == 1 && told[0].starts_with("deadLetterRetention: "), "{wrong}: {told:?}");
        }
    }
}
