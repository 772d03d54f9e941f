//! Logs and traces of a process. Logs are lines on standard error, JSON for machines or readable for people; traces go to an
//! OTLP endpoint if one is named. What may stand in them is decided where they are written: secrets have types without `Debug`.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use reqwest::Url;
use tracing::{Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    layer::{Filter, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::failure::Failure;

mod excerpt;
mod lines;

use lines::Lines;

/// How long a process waits for its last traces to be taken.
const ENDING_MAX: Duration = Duration::from_secs(3);

/// Part of all traces unless `STK_OTEL_SAMPLE_RATE` says another.
const SAMPLE_RATE: f64 = 0.1;

/// For whom a process logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFor {
    /// A command: warnings only, readable.
    Command,
    /// `stk dev`: readable requests and guest logs.
    Developer,
    /// One invocation that is looked into: spans with their times as well.
    Trace,
    /// A server of this name; JSON, or readable with `STK_LOG_FORMAT=readable`.
    Server(&'static str),
}

/// What has to be ended with the process.
#[derive(Debug)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Sets up logs and traces. Not within an async runtime. `STK_LOG` filters (`debug`, `santokit_bridge=debug,info`). `project` is
/// the developer's folder, of which lines are shown where a guest fails.
pub fn start(log_for: LogFor, colours: bool, project: Option<PathBuf>) -> anyhow::Result<Telemetry> {
    let (default, json, service) = match log_for {
        LogFor::Command => ("warn,sqlx=error", false, "stk"),
        LogFor::Developer => (
            "warn,sqlx=error,santokit_bridge=info,santokit_bridge::release=warn,santokit_bridge::serve=warn,santokit_wasm=info,guest=info",
            false,
            "stk-dev",
        ),
        LogFor::Trace => ("warn,sqlx=error,santokit_bridge=debug,santokit_wasm=debug,guest=trace", false, "stk"),
        LogFor::Server(name) => {
            let format = variable("STK_LOG_FORMAT").unwrap_or_else(|| "json".to_owned());
            if !matches!(format.as_str(), "json" | "readable") {
                return Err(Failure::usage(format!("STK_LOG_FORMAT is {format:?}"))
                    .hint("use json or readable")
                    .into());
            }
            ("info,sqlx=error", format == "json", name)
        }
    };
    let filter = variable("STK_LOG").unwrap_or_else(|| default.to_owned());
    let filter = EnvFilter::try_new(&filter).map_err(|error| {
        Failure::usage(format!("STK_LOG cannot be read: {error}")).hint("for example STK_LOG=debug")
    })?;
    let traces = match log_for {
        LogFor::Command | LogFor::Trace => None,
        LogFor::Developer | LogFor::Server(_) => exporter(service)?,
    };
    // Our own spans only: a library's events would carry statements and addresses.
    let ours = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("santokit"));
    let ours = ours.with_max_level_hint(LevelFilter::DEBUG);
    let tracing = traces
        .as_ref()
        .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("santokit")))
        .map(|layer| layer.with_location(false).with_threads(false).with_target(false).with_filter(ours));
    let lines = Lines {
        json,
        colours,
        is_developer: matches!(log_for, LogFor::Developer | LogFor::Trace),
        times_spans: log_for == LogFor::Trace,
        project,
    };
    tracing_subscriber::registry()
        .with(tracing)
        .with(lines.with_filter(shown(filter)))
        .try_init()
        .context("logs cannot be set up")?;
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    Ok(Telemetry { traces })
}

impl Telemetry {
    /// Sends what is left. Not within an async runtime.
    pub fn end(self) {
        if let Some(Err(error)) = self.traces.map(|provider| provider.shutdown_with_timeout(ENDING_MAX)) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn exporter(service: &'static str) -> anyhow::Result<Option<SdkTracerProvider>> {
    let own = variable("STK_OTEL_ENDPOINT");
    let mut is_wanted = false;
    for name in ["STK_OTEL_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
        let Some(endpoint) = variable(name) else { continue };
        acceptable(name, &endpoint)?;
        is_wanted = true;
    }
    if !is_wanted {
        return Ok(None);
    }
    let rate = match variable("STK_OTEL_SAMPLE_RATE") {
        None => SAMPLE_RATE,
        Some(text) => text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate)).ok_or_else(|| {
            Failure::usage(format!("STK_OTEL_SAMPLE_RATE is {text:?}"))
                .hint("give a number from 0 to 1, for example 0.1")
        })?,
    };
    if rate == 0.0 {
        // Not even what a caller has sampled.
        return Ok(None);
    }
    let mut builder = opentelemetry_otlp::SpanExporter::builder().with_http();
    if let Some(endpoint) = own {
        let endpoint = endpoint.trim_end_matches('/');
        let path = if endpoint.ends_with("/v1/traces") { "" } else { "/v1/traces" };
        builder = builder.with_endpoint(format!("{endpoint}{path}"));
    }
    let exporter = builder.build().context("the exporter of traces cannot be made; check STK_OTEL_ENDPOINT")?;
    let mut resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if variable("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name(service);
    }
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(rate))))
        .with_resource(resource.build())
        .build();
    Ok(Some(provider))
}

/// A password in an address would not be used, but would be seen.
fn acceptable(name: &str, endpoint: &str) -> anyhow::Result<()> {
    let url = Url::parse(endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| {
        Failure::usage(format!("{name} is no address")).hint("it looks like http://127.0.0.1:4318, OTLP over HTTP")
    })?;
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    Err(Failure::usage(format!("{name} holds a user or a password"))
        .hint("give credentials in OTEL_EXPORTER_OTLP_HEADERS, for example authorization=Bearer%20…")
        .into())
}

/// What lines are written of. It must be known what cannot be among it: where any level could, each record of a library that logs with `log` (the
/// engine, its compiler, TLS) is made and looked at, which was most of the work of loading a component.
fn shown<S: Subscriber>(filter: EnvFilter) -> impl Filter<S> {
    filter.and(filter_fn(is_seen).with_max_level_hint(LevelFilter::TRACE))
}

/// The exporter's finer events hold its address with all that is in it.
fn is_seen(metadata: &Metadata<'_>) -> bool {
    !metadata.target().starts_with("opentelemetry") || *metadata.level() <= Level::WARN
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::Registry;

    use super::*;

    #[test]
    fn what_nobody_sees_is_not_looked_at() {
        for (filter, most) in [
            ("error", LevelFilter::ERROR),
            ("warn,santokit_bridge=info", LevelFilter::INFO),
            ("info,guest=trace", LevelFilter::TRACE),
        ] {
            assert_eq!(shown::<Registry>(EnvFilter::new(filter)).max_level_hint(), Some(most), "{filter}");
        }
    }
}
