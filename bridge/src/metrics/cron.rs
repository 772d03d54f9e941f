//! The numbers of jobs.

use prometheus::{IntCounterVec, Registry};

use super::counter;

/// What became of ticks.
#[derive(Debug)]
pub struct CronMetrics {
    runs: IntCounterVec,
}

impl CronMetrics {
    pub(super) fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Runs of jobs, by what became of them; skipped and missed did not run.";
        Ok(Self { runs: counter(r, "cron_runs_total", help, &["job", "outcome"])? })
    }

    /// One of `ok`, `error`, `timeout`, `lost`, `skipped`.
    pub fn ran(&self, job: &str, outcome: &str) {
        self.runs.with_label_values(&[job, outcome]).inc();
    }

    /// Ticks that nobody has run: each of them counts.
    pub fn missed(&self, job: &str, ticks: usize) {
        self.runs.with_label_values(&[job, "missed"]).inc_by(u64::try_from(ticks).unwrap_or(u64::MAX));
    }
}
