//! The settings of recordings.

use std::{sync::Arc, time::Duration};

use santokit_core::{logic::KEEP_MAX, seal::SealKey};

use super::{
    Settings,
    read::{Check, duration, size},
};
use crate::recording::RecordingConfig;

/// A smaller one has hardly a call in it.
const BYTES_MIN: usize = 4 << 10;
/// Each that is made is in memory, and many are at once.
const BYTES_MAX: usize = 64 << 20;

impl Settings {
    /// With the key of the cache, under which they are sealed.
    pub(super) fn recording(&mut self, check: &mut Check) -> (Option<Arc<SealKey>>, RecordingConfig) {
        let key = check.optional("cacheKey", self.cache_key.take(), |text| {
            SealKey::parse(text).map(Arc::new).map_err(|error| error.to_string())
        });
        let env_bytes = check.value("recordingsEnvBytes", self.recordings_env_bytes.take(), 0, size);
        let bytes_max = check.value("recordingBytes", self.recording_bytes.take(), 1 << 20, size);
        let day = Duration::from_hours(24);
        let keep_max = check.value("recordingsKeep", self.recordings_keep.take(), day, duration);
        if env_bytes > 0 && key.is_none() {
            check.add("recordingsEnvBytes", "needs cacheKey: recordings are kept sealed, or not at all");
        }
        if !(BYTES_MIN..=BYTES_MAX).contains(&bytes_max) {
            check.add("recordingBytes", "must be between 4KiB and 64MiB");
        }
        if keep_max > KEEP_MAX.duration() {
            check.add("recordingsKeep", &format!("must be {KEEP_MAX} or less"));
        }
        (key.clone(), RecordingConfig { key, env_bytes_max: env_bytes as u64, bytes_max, keep_max })
    }
}
