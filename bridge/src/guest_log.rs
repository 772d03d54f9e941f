//! What guests have said lately, for operators who look: the last lines of each env, in memory and bounded. The Bridge's own log has
//! them too; here is nothing that must not be lost.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{SecondsFormat, Utc};
use santokit_wasm::{InvocationInfo, Level, LogSource};
use serde::Serialize;
use tokio::sync::watch;

use crate::config::EnvName;

/// Lines of an env.
const LINES_MAX: usize = 5_000;
/// All of them together, about.
const BYTES_MAX: usize = 8 << 20;
/// What a line takes besides its texts.
const LINE_BYTES: usize = 200;

/// The logs of all envs of a Bridge.
#[derive(Debug, Default)]
pub struct GuestLogs(Mutex<HashMap<EnvName, Arc<GuestLog>>>);

/// The last lines of an env.
#[derive(Debug)]
pub struct GuestLog {
    ring: Mutex<Ring>,
    grown: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<Arc<GuestLine>>,
    bytes: usize,
    /// Of the line that was added last.
    last: u64,
}

/// A line.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GuestLine {
    /// From 1, since the Bridge started.
    pub number: u64,
    /// RFC 3339, UTC.
    pub ts: String,
    /// `trace`, `debug`, `info`, `warn`, `error`.
    pub level: &'static str,
    /// The logic's name.
    pub logic: String,
    /// Of the request.
    pub request_id: String,
    /// `rel_…`.
    pub release_id: String,
    /// `guest`, `stdout`, `stderr`, or `sandbox`: what the platform says of it.
    pub source: &'static str,
    /// As the guest wrote it.
    pub message: String,
    /// Keys and values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String)>,
    /// Where a guest was when it failed, one frame a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backtrace: Option<String>,
}

/// Who says a line, and of what.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The project's name.
    pub project: &'a str,
    /// The env's name.
    pub env: &'a str,
    /// The logic's name.
    pub logic: &'a str,
    /// Of the request.
    pub request_id: &'a str,
    /// `rel_…`.
    pub release_id: &'a str,
}

/// Which lines are asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this logic alone.
    pub logic: Option<String>,
    /// This level and above.
    pub level: Option<Level>,
    /// Of this request alone.
    pub request_id: Option<String>,
}

/// Lines that were found.
#[derive(Debug)]
pub struct Found {
    /// In their order.
    pub lines: Vec<Arc<GuestLine>>,
    /// After which one to go on.
    pub last: u64,
    /// Lines that nobody can have any more: they came, and went, since the one that was named.
    pub lost: u64,
}

/// Writes a line of a guest, or of what became of it, to the Bridge's own log, with whose it is: a guest runs without a request too, and the
/// request's span may be filtered out.
macro_rules! own_line {
    ($level:ident, $said:expr, $($more:tt)+) => {
        tracing::$level!(
            target: "guest",
            requestId = $said.request_id,
            project = $said.project,
            env = $said.env,
            releaseId = $said.release_id,
            logic = $said.logic,
            $($more)+
        )
    };
}
pub(crate) use own_line;

impl<'a> Said<'a> {
    pub(crate) fn of(invocation: &'a InvocationInfo) -> Self {
        let InvocationInfo { request_id, logic, project, env, release_id, .. } = invocation;
        Self { project, env, logic, request_id, release_id }
    }
}

impl GuestLogs {
    /// That of an env.
    pub fn of(&self, env: &EnvName) -> Arc<GuestLog> {
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(logs.entry(env.clone()).or_default())
    }
}

impl GuestLog {
    /// Adds a line; the oldest ones go.
    pub fn add(&self, said: Said<'_>, level: Level, source: LogSource, message: &str, more: More<'_>) {
        let mut ring = self.ring();
        let number = ring.last + 1;
        let line = GuestLine {
            number,
            ts: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            level: level_name(level),
            logic: said.logic.to_owned(),
            request_id: said.request_id.to_owned(),
            release_id: said.release_id.to_owned(),
            source: source_name(source),
            message: message.to_owned(),
            fields: more.fields.to_vec(),
            backtrace: more.backtrace.map(str::to_owned),
        };
        ring.bytes += line.bytes();
        ring.last = number;
        ring.lines.push_back(Arc::new(line));
        while ring.lines.len() > LINES_MAX || ring.bytes > BYTES_MAX {
            let Some(oldest) = ring.lines.pop_front() else { break };
            ring.bytes -= oldest.bytes();
        }
        drop(ring);
        self.grown.send_replace(number);
    }

    /// Lines after one. A number that this Bridge has not reached is of one before it: then all.
    pub fn after(&self, number: u64, filter: &Filter) -> Found {
        let ring = self.ring();
        let number = if number > ring.last { 0 } else { number };
        let first = ring.lines.front().map_or(ring.last + 1, |line| line.number);
        let fresh = ring.lines.iter().filter(|line| line.number > number && filter.fits(line));
        let lost = if number == 0 { 0 } else { (first - 1).saturating_sub(number) };
        Found { lines: fresh.cloned().collect(), last: ring.last, lost }
    }

    /// Tells when there are more.
    pub fn grown(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for GuestLog {
    fn default() -> Self {
        Self { ring: Mutex::default(), grown: watch::Sender::new(0) }
    }
}

/// What a line can have besides its message.
#[derive(Clone, Copy, Debug, Default)]
pub struct More<'a> {
    /// Keys and values.
    pub fields: &'a [(String, String)],
    /// Where a guest was.
    pub backtrace: Option<&'a str>,
}

impl GuestLine {
    fn bytes(&self) -> usize {
        let fields: usize = self.fields.iter().map(|(key, value)| key.len() + value.len()).sum();
        LINE_BYTES + self.message.len() + fields + self.backtrace.as_deref().map_or(0, str::len)
    }
}

impl Filter {
    fn fits(&self, line: &GuestLine) -> bool {
        self.logic.as_ref().is_none_or(|logic| *logic == line.logic)
            && self.request_id.as_ref().is_none_or(|id| *id == line.request_id)
            && self.level.is_none_or(|least| rank(level_name(least)) <= rank(line.level))
    }
}

/// A level by its name.
pub fn level_of(name: &str) -> Option<Level> {
    [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error]
        .into_iter()
        .find(|level| level_name(*level) == name)
}

fn rank(name: &str) -> usize {
    ["trace", "debug", "info", "warn", "error"].iter().position(|known| *known == name).unwrap_or(0)
}

const fn level_name(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

const fn source_name(source: LogSource) -> &'static str {
    match source {
        LogSource::Guest => "guest",
        LogSource::Stdout => "stdout",
        LogSource::Stderr => "stderr",
        LogSource::Sandbox => "sandbox",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: Said<'_> =
        Said { project: "shop", env: "prod", logic: "buy", request_id: "req_1", release_id: "rel_1" };

    fn texts(found: &Found) -> Vec<&str> {
        found.lines.iter().map(|line| line.message.as_str()).collect()
    }

    #[test]
    fn lines_are_found_by_who_said_them_and_how_loud() {
        let log = GuestLog::default();
        log.add(SAID, Level::Info, LogSource::Guest, "one", More::default());
        log.add(Said { logic: "sell", ..SAID }, Level::Warn, LogSource::Guest, "two", More::default());
        log.add(Said { request_id: "req_2", ..SAID }, Level::Error, LogSource::Stderr, "three", More::default());
        let all = log.after(0, &Filter::default());
        assert_eq!((texts(&all), all.last, all.lost), (vec!["one", "two", "three"], 3, 0));
        let of = |filter: Filter| log.after(0, &filter).lines.iter().map(|line| line.number).collect::<Vec<_>>();
        assert_eq!(of(Filter { logic: Some("buy".to_owned()), ..Filter::default() }), [1, 3]);
        assert_eq!(of(Filter { level: Some(Level::Warn), ..Filter::default() }), [2, 3]);
        assert_eq!(of(Filter { request_id: Some("req_2".to_owned()), ..Filter::default() }), [3]);
        assert_eq!(texts(&log.after(2, &Filter::default())), ["three"]);
        assert_eq!(log.after(900, &Filter::default()).lines.len(), 3, "a number of a Bridge before this one");
    }

    /// A guest that floods its log takes no more than this.
    #[test]
    fn what_is_kept_is_bounded_and_what_went_is_told() {
        let log = GuestLog::default();
        for number in 0..LINES_MAX + 10 {
            log.add(SAID, Level::Info, LogSource::Guest, &number.to_string(), More::default());
        }
        let found = log.after(1, &Filter::default());
        assert_eq!((found.lines.len(), found.lost), (LINES_MAX, 9));
        let large = "x".repeat(1 << 20);
        for _ in 0..20 {
            log.add(SAID, Level::Info, LogSource::Guest, &large, More { fields: &[], backtrace: Some(&large) });
        }
        let ring = log.ring();
        assert!(ring.bytes <= BYTES_MAX && ring.lines.len() < 10, "{} lines, {} bytes", ring.lines.len(), ring.bytes);
    }
}
