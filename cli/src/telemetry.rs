//! Logs and traces of a process. Logs are lines on standard error, JSON for machines or readable for people; traces go to an
//! OTLP endpoint if one is named. What may stand in them is decided where they are written: secrets have types without `Debug`.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    io::Write as _,
    time::Instant,
};

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use serde_json::{Map, Value as Json, json};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::filter_fn,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::{failure::Failure, report::printable};

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

/// Sets up logs and traces. Not within an async runtime. `STK_LOG` filters (`debug`, `santokit_bridge=debug,info`).
pub fn start(log_for: LogFor, colours: bool) -> anyhow::Result<Telemetry> {
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
    let tracing = traces
        .as_ref()
        .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("santokit")).with_filter(ours));
    let lines = Lines {
        json,
        colours,
        is_developer: matches!(log_for, LogFor::Developer | LogFor::Trace),
        times_spans: log_for == LogFor::Trace,
    };
    tracing_subscriber::registry()
        .with(tracing)
        .with(lines.with_filter(filter))
        .try_init()
        .context("logs cannot be set up")?;
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    Ok(Telemetry { traces })
}

impl Telemetry {
    /// Sends what is left. Not within an async runtime.
    pub fn end(self) {
        if let Some(Err(error)) = self.traces.map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn exporter(service: &'static str) -> anyhow::Result<Option<SdkTracerProvider>> {
    let own = variable("STK_OTEL_ENDPOINT");
    let standard = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    if own.is_none() && !standard.iter().any(|name| variable(name).is_some()) {
        return Ok(None);
    }
    let rate = match variable("STK_OTEL_SAMPLE_RATE") {
        None => SAMPLE_RATE,
        Some(text) => text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate)).ok_or_else(|| {
            Failure::usage(format!("STK_OTEL_SAMPLE_RATE is {text:?}"))
                .hint("give a number from 0 to 1, for example 0.1")
        })?,
    };
    let mut builder = opentelemetry_otlp::SpanExporter::builder().with_http();
    if let Some(endpoint) = own {
        let endpoint = endpoint.trim_end_matches('/');
        let path = if endpoint.ends_with("/v1/traces") { "" } else { "/v1/traces" };
        builder = builder.with_endpoint(format!("{endpoint}{path}"));
    }
    let exporter = builder.build().context("the exporter of traces cannot be made; check STK_OTEL_ENDPOINT")?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(rate))))
        .with_resource(Resource::builder().with_service_name(service).build())
        .build();
    Ok(Some(provider))
}

/// Writes one line for each event, with the fields of the spans that it is in.
#[expect(clippy::struct_excessive_bools, reason = "each is asked alone")]
struct Lines {
    json: bool,
    colours: bool,
    is_developer: bool,
    times_spans: bool,
}

/// When a span began.
struct Began(Instant);

/// Fields of a span or an event, in order of appearance.
#[derive(Default)]
struct Fields(Map<String, Json>);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, json!(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, json!(format!("{value:?}")));
    }
}

impl Fields {
    fn put(&mut self, field: &Field, value: Json) {
        // `otel.…` speaks to the exporter of traces; an empty text says nothing.
        if !field.name().starts_with("otel.") && value != json!("") {
            self.0.insert(field.name().to_owned(), value);
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(fields);
            span.extensions_mut().replace(Began(Instant::now()));
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_close(&self, id: span::Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id).filter(|_| self.times_spans) else { return };
        let depth = span.scope().count();
        let extensions = span.extensions();
        let took = extensions.get::<Began>().map(|began| began.0.elapsed()).unwrap_or_default();
        let fields = extensions.get::<Fields>().map(|fields| fields.0.clone()).unwrap_or_default();
        let message =
            format!("{}{} {:.3} ms", "  ".repeat(depth.saturating_sub(1)), span.name(), took.as_secs_f64() * 1e3);
        let line = self.readable(*span.metadata().level(), &message, &fields);
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(own) = span.extensions().get::<Fields>() {
                fields.0.extend(own.0.clone());
            }
        }
        event.record(&mut fields);
        let message = fields.0.shift_remove("message").as_ref().map(crate::report::cell).unwrap_or_default();
        let level = *event.metadata().level();
        let line = if self.json {
            Self::machine(level, event.metadata().target(), &message, fields.0)
        } else {
            self.readable(level, &message, &fields.0)
        };
        // Nobody can be told that the log cannot be written.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}

impl Lines {
    fn machine(level: Level, target: &str, message: &str, fields: Map<String, Json>) -> String {
        let ts = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let mut line = Map::new();
        line.insert("ts".to_owned(), json!(ts));
        line.insert("level".to_owned(), json!(level.as_str().to_lowercase()));
        line.insert("msg".to_owned(), json!(message));
        line.insert("target".to_owned(), json!(target));
        line.extend(fields);
        Json::Object(line).to_string()
    }

    fn readable(&self, level: Level, message: &str, fields: &Map<String, Json>) -> String {
        let time = chrono::Local::now().format("%H:%M:%S%.3f");
        let text = |key: &str| fields.get(key).map(crate::report::cell).unwrap_or_default();
        let mut shown: BTreeMap<&str, String> =
            fields.iter().map(|(key, value)| (key.as_str(), crate::report::cell(value))).collect();
        let mut message = message.to_owned();
        if self.is_developer {
            // One project, one env, one release: they stand in no line of their own.
            for key in ["project", "env", "releaseId"] {
                shown.remove(key);
            }
            if message == "request" {
                message =
                    format!("{} {} {} in {} ms", text("method"), text("path"), text("status"), text("durationMs"));
                for key in ["method", "path", "status", "durationMs"] {
                    shown.remove(key);
                }
            }
        }
        let (colour, reset, faint) = match (self.colours, level) {
            (false, _) => ("", "", ""),
            (true, Level::ERROR) => ("\u{1b}[31m", "\u{1b}[0m", "\u{1b}[2m"),
            (true, Level::WARN) => ("\u{1b}[33m", "\u{1b}[0m", "\u{1b}[2m"),
            (true, _) => ("", "\u{1b}[0m", "\u{1b}[2m"),
        };
        let mut line = format!("{faint}{time}{reset} {colour}{level:5}{reset} {}", printable(&message));
        for (key, value) in shown.into_iter().filter(|(_, value)| !matches!(value.as_str(), "" | "{}")) {
            // Writing to a string cannot fail.
            let _ = write!(line, " {faint}{key}={reset}{}", printable(&value));
        }
        line
    }
}
