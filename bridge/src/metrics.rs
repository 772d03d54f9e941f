//! The Bridge's numbers, by the names that dashboards know (`stk_bridge_…`). Labels are few and bounded: path templates, never
//! paths; names from a release, never from a request.

use std::{collections::BTreeMap, time::Duration};

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};
use santokit_core::wire::{EnvReport, EnvState};

use crate::config::EnvName;

mod canary;
mod cron;
mod events;
mod host_calls;
mod objects;
mod recordings;
mod supply;

pub use canary::CanaryMetrics;
pub use cron::CronMetrics;
pub use events::EventMetrics;
pub use host_calls::HostCallMetrics;
pub use objects::ObjectMetrics;
pub use recordings::RecordingMetrics;
pub use supply::SupplyMetrics;

const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// 1 MiB to 256 MiB, doubling.
const BYTES: &[f64] = &[
    1_048_576.0,
    2_097_152.0,
    4_194_304.0,
    8_388_608.0,
    16_777_216.0,
    33_554_432.0,
    67_108_864.0,
    134_217_728.0,
    268_435_456.0,
];

/// All metrics of one Bridge, in a registry of its own: two Bridges in one process do not mix.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    db_query_duration: HistogramVec,
    db_pool_active: IntGaugeVec,
    db_pool_idle: IntGaugeVec,
    permission_denials: IntCounterVec,
    cache_age: IntGaugeVec,
    cache_state: IntGaugeVec,
    poll_failures: IntCounterVec,
    logic_invocations: IntCounterVec,
    logic_duration: HistogramVec,
    logic_cpu: HistogramVec,
    logic_memory: HistogramVec,
    logic_limit_hits: IntCounterVec,
    limit_hits: IntCounterVec,
    declared_query_duration: HistogramVec,
    rates: RateMetrics,
    /// Of canaries.
    pub canary: CanaryMetrics,
    /// Of events.
    pub events: EventMetrics,
    /// Of calls into the host.
    pub host_calls: HostCallMetrics,
    /// Of instances made ahead.
    pub supply: SupplyMetrics,
    /// Of jobs.
    pub cron: CronMetrics,
    /// Of recordings.
    pub recordings: RecordingMetrics,
    /// Of objects.
    pub objects: ObjectMetrics,
}

/// What becomes of callers that send too much.
#[derive(Debug)]
struct RateMetrics {
    limited: IntCounterVec,
    fallbacks: IntCounterVec,
    shared: IntGaugeVec,
}

impl RateMetrics {
    fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            limited: counter(r, "rate_limited_total", "Requests refused by a rate.", &["limit"])?,
            fallbacks: counter(
                r,
                "rate_limit_fallbacks_total",
                "Requests counted by this Bridge alone because Redis was away.",
                &[],
            )?,
            shared: gauge(
                r,
                "rate_limit_shared",
                "1 while requests are counted in Redis, 0 while this Bridge counts alone.",
                &[],
            )?,
        })
    }
}

impl Metrics {
    /// New, all zero.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let r = &registry;
        let metrics = Self {
            requests: counter(r, "requests_total", "Requests answered.", &["path", "status"])?,
            request_duration: histogram(
                r,
                "request_duration_seconds",
                "Time to answer a request.",
                &["path"],
                SECONDS,
            )?,
            db_query_duration: histogram(
                r,
                "db_query_duration_seconds",
                "Time of a statement.",
                &["connection"],
                SECONDS,
            )?,
            db_pool_active: gauge(
                r,
                "db_pool_active",
                "Database connections in use.",
                &["project", "env", "connection"],
            )?,
            db_pool_idle: gauge(r, "db_pool_idle", "Database connections at rest.", &["project", "env", "connection"])?,
            permission_denials: counter(
                r,
                "permission_denials_total",
                "Requests that a rule refused.",
                &["table", "op"],
            )?,
            cache_age: gauge(
                r,
                "release_cache_age_seconds",
                "Time since the Hub confirmed the release.",
                &["project", "env"],
            )?,
            cache_state: gauge(
                r,
                "release_cache_state",
                "1 for the state an env is in.",
                &["project", "env", "state"],
            )?,
            poll_failures: counter(r, "hub_poll_failures_total", "Polls of the Hub that failed.", &["project", "env"])?,
            logic_invocations: counter(r, "logic_invocations_total", "Invocations of a logic.", &["logic", "outcome"])?,
            logic_duration: histogram(r, "logic_duration_seconds", "Wall time of an invocation.", &["logic"], SECONDS)?,
            logic_cpu: histogram(r, "logic_cpu_seconds", "CPU time of an invocation.", &["logic"], SECONDS)?,
            logic_memory: histogram(r, "logic_memory_peak_bytes", "Most memory of an invocation.", &["logic"], BYTES)?,
            logic_limit_hits: counter(r, "logic_limit_hits_total", "Invocations stopped by a limit.", &["limit"])?,
            limit_hits: counter(r, "limit_hits_total", "Requests that a limit refused or stopped.", &["limit"])?,
            declared_query_duration: histogram(
                r,
                "declared_query_duration_seconds",
                "Time of a call of a declared query.",
                &["query", "outcome"],
                SECONDS,
            )?,
            rates: RateMetrics::new(r)?,
            canary: CanaryMetrics::new(r)?,
            events: EventMetrics::new(r)?,
            host_calls: HostCallMetrics::new(r)?,
            supply: SupplyMetrics::new(r)?,
            cron: CronMetrics::new(r)?,
            recordings: RecordingMetrics::new(r)?,
            objects: ObjectMetrics::new(r)?,
            registry,
        };
        Ok(metrics)
    }

    /// A request was answered.
    pub fn request(&self, template: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[template, &status.to_string()]).inc();
        self.request_duration.with_label_values(&[template]).observe(took.as_secs_f64());
    }

    /// A poll of the Hub failed.
    pub fn hub_poll_failed(&self, env: &EnvName) {
        self.poll_failures.with_label_values(&[env.project.as_str(), env.env.as_str()]).inc();
    }

    /// A declared query was called; the name is one of the release.
    pub fn declared_query(&self, name: &str, outcome: &str, took: Duration) {
        self.declared_query_duration.with_label_values(&[name, outcome]).observe(took.as_secs_f64());
    }

    /// A caller had no request left.
    pub fn rate_limited(&self, limit: &str) {
        self.rates.limited.with_label_values(&[limit]).inc();
    }

    /// Redis was away.
    pub fn rate_limit_fallback(&self) {
        self.rates.fallbacks.with_label_values::<&str>(&[]).inc();
    }

    /// Whether requests are counted with other Bridges, at a scrape.
    pub fn rate_limit_shared(&self, is_shared: bool) {
        self.rates.shared.with_label_values::<&str>(&[]).set(i64::from(is_shared));
    }

    /// A rule refused a caller. For logics the operation is `invoke`.
    pub fn denied(&self, name: &str, operation: &str) {
        self.permission_denials.with_label_values(&[name, operation]).inc();
    }

    /// A statement was run.
    pub fn query(&self, connection: &str, took: Duration) {
        self.db_query_duration.with_label_values(&[connection]).observe(took.as_secs_f64());
    }

    /// A pool, at a scrape.
    pub fn pool(&self, env: &EnvName, connection: &str, active: i64, idle: i64) {
        let labels = [env.project.as_str(), env.env.as_str(), connection];
        self.db_pool_active.with_label_values(&labels).set(active);
        self.db_pool_idle.with_label_values(&labels).set(idle);
    }

    /// An invocation ended: `ok`, `error` (the guest said no), `failed` (the guest's fault) or `host`.
    pub fn invocation(&self, logic: &str, outcome: &str, wall: Duration) {
        self.logic_invocations.with_label_values(&[logic, outcome]).inc();
        self.logic_duration.with_label_values(&[logic]).observe(wall.as_secs_f64());
    }

    /// What a component used.
    #[expect(clippy::cast_precision_loss, reason = "a histogram's buckets are coarser than 2^53 bytes")]
    pub fn component(&self, logic: &str, cpu: Duration, memory_peak_bytes: u64) {
        self.logic_cpu.with_label_values(&[logic]).observe(cpu.as_secs_f64());
        self.logic_memory.with_label_values(&[logic]).observe(memory_peak_bytes as f64);
    }

    /// A limit stopped an invocation.
    pub fn limit_hit(&self, limit: &str) {
        self.logic_limit_hits.with_label_values(&[limit]).inc();
    }

    /// A request was refused or stopped by a limit, whichever it is.
    pub fn refused_by(&self, limit: &str) {
        self.limit_hits.with_label_values(&[limit]).inc();
    }

    /// How often each limit refused or stopped a request.
    pub fn limits_hit(&self) -> BTreeMap<String, u64> {
        let families = self.limit_hits.collect();
        let metrics = families.iter().flat_map(prometheus::proto::MetricFamily::get_metric);
        let hit = metrics.filter_map(|metric| Some((metric.get_label().first()?.value().to_owned(), value(metric))));
        hit.collect()
    }

    /// How many polls of the Hub failed, for whichever env.
    pub fn polls_failed(&self) -> u64 {
        self.poll_failures.collect().iter().flat_map(prometheus::proto::MetricFamily::get_metric).map(value).sum()
    }

    /// The age and state of every env, at a scrape.
    pub fn standing(&self, report: &EnvReport) {
        let (project, env) = (report.project.as_str(), report.env.as_str());
        let age = i64::try_from(report.cache_age_seconds).unwrap_or(i64::MAX);
        self.cache_age.with_label_values(&[project, env]).set(age);
        for state in [EnvState::Empty, EnvState::Fresh, EnvState::Stale, EnvState::Expired] {
            self.cache_state.with_label_values(&[project, env, state.as_str()]).set(i64::from(state == report.state));
        }
    }

    /// The exposition text.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

/// Of a counter of whole numbers.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it counts, and exactly up to 2^53")]
fn value(metric: &prometheus::proto::Metric) -> u64 {
    metric.get_counter().get_value() as u64
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("stk_bridge")
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn counter(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    registered(registry, IntCounterVec::new(opts(name, help), labels)?)
}

fn gauge(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    registered(registry, IntGaugeVec::new(opts(name, help), labels)?)
}

fn histogram(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
    buckets: &[f64],
) -> Result<HistogramVec, prometheus::Error> {
    let opts = HistogramOpts::from(opts(name, help)).buckets(buckets.to_vec());
    registered(registry, HistogramVec::new(opts, labels)?)
}

#[cfg(test)]
mod tests {
    use santokit_wasm::{Usage, WrongCalls};

    use super::*;

    #[test]
    fn names_are_those_of_the_contract() {
        let metrics = Metrics::new().unwrap();
        metrics.request("/logics/{name}", 200, Duration::from_millis(3));
        metrics.invocation("purchase", "ok", Duration::from_millis(2));
        metrics.component("purchase", Duration::from_millis(1), 1 << 20);
        let usage = Usage {
            host_calls: BTreeMap::from([("sql", 9), ("log", 2)]),
            host_calls_wrong: BTreeMap::from([("sql", WrongCalls { denied: 1, failed: 3 })]),
            ..Usage::default()
        };
        metrics.host_calls.add("purchase", &usage);
        metrics.limit_hit("cpu");
        metrics.refused_by("apiKeyRate");
        metrics.refused_by("apiKeyRate");
        assert_eq!(metrics.limits_hit(), BTreeMap::from([("apiKeyRate".to_owned(), 2)]));
        metrics.hub_poll_failed(&EnvName::parse("shop/dev").unwrap());
        metrics.hub_poll_failed(&EnvName::parse("shop/prod").unwrap());
        assert_eq!(metrics.polls_failed(), 2);
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        for line in [
            "stk_bridge_requests_total{path=\"/logics/{name}\",status=\"200\"} 1",
            "stk_bridge_request_duration_seconds_count{path=\"/logics/{name}\"} 1",
            "stk_bridge_logic_invocations_total{logic=\"purchase\",outcome=\"ok\"} 1",
            "stk_bridge_logic_host_calls_total{capability=\"log\",logic=\"purchase\",outcome=\"ok\"} 2",
            "stk_bridge_logic_host_calls_total{capability=\"sql\",logic=\"purchase\",outcome=\"ok\"} 5",
            "stk_bridge_logic_host_calls_total{capability=\"sql\",logic=\"purchase\",outcome=\"denied\"} 1",
            "stk_bridge_logic_host_calls_total{capability=\"sql\",logic=\"purchase\",outcome=\"failed\"} 3",
            "stk_bridge_logic_limit_hits_total{limit=\"cpu\"} 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
