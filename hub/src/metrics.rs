//! The Hub's numbers, by the names that dashboards know (`stk_hub_…`). Labels are path templates and results, never names.

use std::time::Duration;

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

const SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0];

/// All metrics of one Hub, in a registry of its own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    releases_created: IntCounter,
    schema_applies: IntCounterVec,
    /// Passwords that were checked.
    pub password_checks: IntCounter,
    /// Logins that failed.
    pub failed_logins: IntCounter,
    audit_write_lag: Histogram,
    audit_entries_a_day: IntGauge,
    audit_grows_fast: IntGauge,
    audit_intact: IntGauge,
    canary_ends: IntCounterVec,
}

impl Metrics {
    /// New, all zero.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let requests =
            IntCounterVec::new(Opts::new("stk_hub_requests_total", "Requests answered."), &["path", "status"])?;
        let duration = HistogramOpts::new("stk_hub_request_duration_seconds", "Time to answer a request.")
            .buckets(SECONDS.to_vec());
        let request_duration = HistogramVec::new(duration, &["path"])?;
        let releases_created = IntCounter::new("stk_hub_releases_created_total", "Releases made.")?;
        let applies = Opts::new("stk_hub_schema_applies_total", "Applications of a schema to a database.");
        let schema_applies = IntCounterVec::new(applies, &["result"])?;
        let lag = HistogramOpts::new(
            "stk_hub_audit_write_lag_seconds",
            "From the writing of an audit entry to the end of the transaction that keeps it.",
        );
        let audit_write_lag = Histogram::with_opts(lag.buckets(SECONDS.to_vec()))?;
        let audit_entries_a_day = IntGauge::new(
            "stk_hub_audit_entries_last_day",
            "Audit entries of the last 24 hours, as of the last look.",
        )?;
        let audit_intact =
            IntGauge::new("stk_hub_audit_intact", "Whether the audit log was whole when it was last verified.")?;
        audit_intact.set(1);
        let audit_grows_fast = IntGauge::new(
            "stk_hub_audit_grows_fast",
            "Whether the last day had more audit entries than auditEntriesADay.",
        )?;
        registry.register(Box::new(audit_grows_fast.clone()))?;
        registry.register(Box::new(audit_write_lag.clone()))?;
        registry.register(Box::new(audit_entries_a_day.clone()))?;
        registry.register(Box::new(audit_intact.clone()))?;
        let ends = Opts::new("stk_hub_canary_ends_total", "Canaries that have ended.");
        let canary_ends = IntCounterVec::new(ends, &["outcome"])?;
        registry.register(Box::new(canary_ends.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(request_duration.clone()))?;
        registry.register(Box::new(releases_created.clone()))?;
        registry.register(Box::new(schema_applies.clone()))?;
        let password_checks = IntCounter::new("stk_hub_password_checks_total", "Passwords checked.")?;
        let failed_logins = IntCounter::new("stk_hub_failed_logins_total", "Logins with a wrong password or code.")?;
        registry.register(Box::new(password_checks.clone()))?;
        registry.register(Box::new(failed_logins.clone()))?;
        Ok(Self {
            registry,
            requests,
            request_duration,
            releases_created,
            schema_applies,
            password_checks,
            failed_logins,
            audit_write_lag,
            audit_entries_a_day,
            audit_grows_fast,
            audit_intact,
            canary_ends,
        })
    }

    /// A request was answered.
    pub fn request(&self, template: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[template, &status.to_string()]).inc();
        self.request_duration.with_label_values(&[template]).observe(took.as_secs_f64());
    }

    /// A release was made.
    pub fn release_created(&self) {
        self.releases_created.inc();
    }

    /// A schema was applied: `applied`, `unchanged`, `refused` or `failed`.
    pub fn schema_applied(&self, result: &str) {
        self.schema_applies.with_label_values(&[result]).inc();
    }

    /// Takes the times that audit entries need to be kept.
    pub fn audit_write_lag(&self) -> Histogram {
        self.audit_write_lag.clone()
    }

    /// How many audit entries the last day had.
    pub fn audit_entries_a_day(&self, count: i64) {
        self.audit_entries_a_day.set(count);
    }

    /// Whether they were more than somebody expects.
    pub fn audit_grows_fast(&self, is_fast: bool) {
        self.audit_grows_fast.set(i64::from(is_fast));
    }

    /// Whether the audit log was found to be whole.
    pub fn audit_intact(&self, is_intact: bool) {
        self.audit_intact.set(i64::from(is_intact));
    }

    /// A canary ended: `promoted`, `aborted` or `rolledBack`.
    pub fn canary_ended(&self, outcome: &str) {
        self.canary_ends.with_label_values(&[outcome]).inc();
    }

    /// The text exposition.
    pub fn scrape(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}
