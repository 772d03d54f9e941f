//! The numbers of canaries: one series for each of the two releases, whatever they are called.

use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec, Registry};
use santokit_core::wire::{CanaryReport, CanaryState};

use super::{SECONDS, counter, gauge, histogram};
use crate::{
    config::EnvName,
    release::canary::{Ending, Side},
};

/// What becomes of requests while a canary lasts.
#[derive(Debug)]
pub struct CanaryMetrics {
    requests: IntCounterVec,
    duration: HistogramVec,
    serving: IntGaugeVec,
}

impl CanaryMetrics {
    pub(super) fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            requests: counter(
                r,
                "canary_requests_total",
                "Requests while a canary lasts.",
                &["project", "env", "release", "outcome"],
            )?,
            duration: histogram(
                r,
                "canary_request_duration_seconds",
                "Time to answer a request that was read, while a canary lasts.",
                &["project", "env", "release"],
                SECONDS,
            )?,
            serving: gauge(r, "canary_serving", "1 while a candidate is served to its share.", &["project", "env"])?,
        })
    }

    /// A request ended.
    pub fn request(&self, env: &EnvName, side: Side, ending: Ending, took: Duration) {
        let (project, env, release) = (env.project.as_str(), env.env.as_str(), side.as_str());
        self.requests.with_label_values(&[project, env, release, ending.as_str()]).inc();
        self.duration.with_label_values(&[project, env, release]).observe(took.as_secs_f64());
    }

    /// Whether a candidate is served, at a scrape.
    pub fn serving(&self, env: &EnvName, report: Option<&CanaryReport>) {
        let is_served = report.is_some_and(|report| report.state == CanaryState::Serving);
        self.serving.with_label_values(&[env.project.as_str(), env.env.as_str()]).set(i64::from(is_served));
    }
}
