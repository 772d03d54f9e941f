//! The numbers of recordings.

use prometheus::{IntCounterVec, Registry};

use super::counter;

/// What became of recordings.
#[derive(Debug)]
pub struct RecordingMetrics {
    recordings: IntCounterVec,
}

impl RecordingMetrics {
    pub(super) fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Recordings of invocations, by what became of them.";
        Ok(Self { recordings: counter(r, "logic_recordings_total", help, &["result"])? })
    }

    /// One of `whole`, `cut`, `busy`, `large`, `failed`.
    pub fn recorded(&self, result: &str) {
        self.recordings.with_label_values(&[result]).inc();
    }
}
