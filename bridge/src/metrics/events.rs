//! The numbers of events.

use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec, Registry};

use super::{counter, gauge, histogram};
use crate::config::EnvName;

/// From a moment to a day.
const LAG: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 86_400.0];

/// What becomes of events. Topics and subscriptions are a release's.
#[derive(Debug)]
pub struct EventMetrics {
    published: IntCounterVec,
    delivered: IntCounterVec,
    retried: IntCounterVec,
    dead_lettered: IntCounterVec,
    unclaimed: IntCounterVec,
    busy: IntCounterVec,
    lag: HistogramVec,
    broker: IntGaugeVec,
    waiting: IntGaugeVec,
    dead: IntGaugeVec,
}

impl EventMetrics {
    pub(super) fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        let (of, place) = (&["subscription"], &["project", "env", "connection"]);
        Ok(Self {
            published: counter(r, "events_published_total", "Events published.", &["topic"])?,
            delivered: counter(r, "events_delivered_total", "Events that a subscription has handled.", of)?,
            retried: counter(r, "events_retried_total", "Attempts that failed and are made again.", of)?,
            dead_lettered: counter(r, "events_dead_lettered_total", "Events that were tried in vain.", of)?,
            unclaimed: counter(
                r,
                "events_unclaimed_total",
                "Events that expired while no release had their topic.",
                &["project", "env"],
            )?,
            busy: counter(r, "events_busy_total", "Attempts put off because no instance of the handler was free.", of)?,
            lag: histogram(r, "event_lag_seconds", "Time from publishing an event to its being handled.", of, LAG)?,
            broker: gauge(r, "events_broker_up", "1 while NATS hands events over, 0 while they wait.", place)?,
            waiting: gauge(r, "events_waiting", "Events that wait while NATS is away.", place)?,
            dead: gauge(r, "events_dead", "Dead letters; 1,001 are more than are counted.", place)?,
        })
    }

    /// An event of a topic was stored, or will be with its transaction.
    pub fn published(&self, topic: &str) {
        self.published.with_label_values(&[topic]).inc();
    }

    /// A subscription has handled one.
    pub fn delivered(&self, subscription: &str) {
        self.delivered.with_label_values(&[subscription]).inc();
    }

    /// An attempt failed, and another one comes.
    pub fn retried(&self, subscription: &str) {
        self.retried.with_label_values(&[subscription]).inc();
    }

    /// The last attempt failed.
    pub fn dead_lettered(&self, subscription: &str) {
        self.dead_lettered.with_label_values(&[subscription]).inc();
    }

    /// One expired, and no release had its topic: a name that is nobody's, and no label.
    pub fn unclaimed(&self, env: &EnvName) {
        self.unclaimed.with_label_values(&[env.project.as_str(), env.env.as_str()]).inc();
    }

    /// No instance was free for one.
    pub fn busy(&self, subscription: &str) {
        self.busy.with_label_values(&[subscription]).inc();
    }

    /// Whether the broker hands over the events of a connection.
    pub fn broker(&self, env: &EnvName, connection: &str, is_up: bool) {
        self.broker.with_label_values(&[env.project.as_str(), env.env.as_str(), connection]).set(i64::from(is_up));
    }

    /// How many wait for it.
    pub fn waiting(&self, env: &EnvName, connection: &str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.waiting.with_label_values(&[env.project.as_str(), env.env.as_str(), connection]).set(count);
    }

    /// How many dead letters there are, up to a bound.
    pub fn dead(&self, env: &EnvName, connection: &str, count: u32) {
        self.dead.with_label_values(&[env.project.as_str(), env.env.as_str(), connection]).set(count.into());
    }

    /// How long one took from its publishing.
    pub fn lag(&self, subscription: &str, lag: Duration) {
        self.lag.with_label_values(&[subscription]).observe(lag.as_secs_f64());
    }
}
