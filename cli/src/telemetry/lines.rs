//! Log lines on standard error: JSON for machines, or readable for people, with what has lines of its own (a guest's stack)
//! below the line that it belongs to. Text from elsewhere cannot steer the terminal, and cannot look like a line of its own.

use std::{
    fmt::{self, Write as _},
    io::Write as _,
    path::PathBuf,
    time::Instant,
};

use serde_json::{Map, Value as Json, json};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::excerpt;
use crate::report::{cell, printable};

/// What stands below a line: the stack of what was thrown, and that of a trap.
const STACKS: [&str; 2] = ["stack", "backtrace"];
/// Before what stands below a line.
const INDENT: &str = "    ";

/// Writes one line for each event, with the fields of the spans that it is in.
#[expect(clippy::struct_excessive_bools, reason = "each is asked alone")]
pub(super) struct Lines {
    pub(super) json: bool,
    pub(super) colours: bool,
    pub(super) is_developer: bool,
    pub(super) times_spans: bool,
    /// The developer's folder: where a stack leads into its sources, they are shown.
    pub(super) project: Option<PathBuf>,
}

/// When a span began.
struct Began(Instant);

/// Fields of a span or an event, in order of appearance.
#[derive(Default)]
struct Fields(Map<String, Json>);

/// The escape sequences of a line; empty where nobody looks.
struct Colours {
    level: &'static str,
    faint: &'static str,
    reset: &'static str,
}

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
        let name = match field.name() {
            "http.request.method" => "method",
            "http.route" => "path",
            "http.response.status_code" => "status",
            // The other names of OpenTelemetry's are for the exporter of traces.
            name if name.contains('.') => return,
            name => name,
        };
        // An empty text says nothing.
        if value != json!("") {
            self.0.insert(name.to_owned(), value);
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
        let line = self.readable(*span.metadata().level(), &message, fields);
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
        let message = fields.0.shift_remove("message").as_ref().map(cell).unwrap_or_default();
        let level = *event.metadata().level();
        let line = if self.json {
            machine(level, event.metadata().target(), &message, fields.0)
        } else {
            self.readable(level, &message, fields.0)
        };
        // Nobody can be told that the log cannot be written.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}

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

impl Lines {
    fn readable(&self, level: Level, message: &str, mut fields: Map<String, Json>) -> String {
        let mut message = message.to_owned();
        let mut shown = guest_fields(&mut fields);
        let logic = fields.get("logic").map(cell);
        let stacks = take_stacks(&mut shown, &mut fields);
        if self.is_developer {
            // One project, one env, one release: they stand in no line of their own.
            for key in ["project", "env", "releaseId"] {
                fields.remove(key);
            }
            let mut text = |key: &str| fields.remove(key).as_ref().map(cell).unwrap_or_default();
            if message == "request" {
                message =
                    format!("{} {} {} in {} ms", text("method"), text("path"), text("status"), text("durationMs"));
            } else {
                // They are in the request's own line.
                text("method");
                text("path");
            }
        }
        let mut own: Vec<(String, String)> = fields.iter().map(|(key, value)| (key.clone(), cell(value))).collect();
        own.sort();
        shown.extend(own);
        let Colours { level: colour, faint, reset } = self.colours(level);
        let time = chrono::Local::now().format("%H:%M:%S%.3f");
        let mut line = format!("{faint}{time}{reset} {colour}{level:5}{reset} {}", below(&message));
        for (key, value) in shown.iter().filter(|(_, value)| !matches!(value.as_str(), "" | "{}")) {
            // Writing to a string cannot fail.
            let _ = write!(line, " {faint}{}={reset}{}", below(key), below(value));
        }
        for stack in &stacks {
            let _ = write!(line, "\n{INDENT}{}", below(stack));
            if let (Some(project), Some(logic)) = (&self.project, &logic)
                && let Some(found) = excerpt::of(project, logic, stack)
            {
                self.write_excerpt(&mut line, &found, level);
            }
        }
        line
    }

    fn write_excerpt(&self, line: &mut String, found: &excerpt::Excerpt, level: Level) {
        let Colours { level: colour, faint, reset } = self.colours(level);
        let _ = write!(line, "\n{INDENT}{faint}-->{reset} {}:{}", below(&found.path), found.line);
        for (number, text) in &found.lines {
            let (mark, tone) = if *number == found.line { ('>', colour) } else { (' ', faint) };
            let _ = write!(line, "\n{INDENT}{tone}{mark} {number:4} |{reset} {}", printable(text));
        }
    }

    fn colours(&self, level: Level) -> Colours {
        let (level, reset, faint) = match (self.colours, level) {
            (false, _) => ("", "", ""),
            (true, Level::ERROR) => ("\u{1b}[31m", "\u{1b}[0m", "\u{1b}[2m"),
            (true, Level::WARN) => ("\u{1b}[33m", "\u{1b}[0m", "\u{1b}[2m"),
            (true, _) => ("", "\u{1b}[0m", "\u{1b}[2m"),
        };
        Colours { level, faint, reset }
    }
}

/// What a guest wrote beside its message: one text with all of it, taken apart.
fn guest_fields(fields: &mut Map<String, Json>) -> Vec<(String, String)> {
    let Some(text) = fields.get("fields").and_then(Json::as_str) else { return Vec::new() };
    let Ok(own) = serde_json::from_str::<Map<String, Json>>(text) else { return Vec::new() };
    fields.remove("fields");
    // What the host says of a line is not the guest's to say.
    let name = |key: String| if fields.contains_key(&key) { format!("fields.{key}") } else { key };
    own.into_iter().map(|(key, value)| (name(key), cell(&value))).collect()
}

/// The stacks, which are shown below; the shared part of a line is short.
fn take_stacks(shown: &mut Vec<(String, String)>, fields: &mut Map<String, Json>) -> Vec<String> {
    let mut stacks: Vec<String> =
        shown.extract_if(.., |(key, _)| STACKS.contains(&key.as_str())).map(|(_, value)| value).collect();
    stacks.extend(STACKS.iter().filter_map(|key| fields.remove(*key)).map(|value| cell(&value)));
    stacks.retain(|stack| !stack.is_empty());
    stacks
}

/// Text of several lines, all but the first indented.
fn below(text: &str) -> String {
    printable(text).replace('\n', &format!("\n{INDENT}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(colours: bool, project: Option<PathBuf>) -> Lines {
        Lines { json: false, colours, is_developer: true, times_spans: false, project }
    }

    fn fields(json: Json) -> Map<String, Json> {
        match json {
            Json::Object(fields) => fields,
            other => panic!("{other} is no object"),
        }
    }

    /// Without the time.
    fn shown(lines: &Lines, message: &str, json: Json) -> String {
        let line = lines.readable(Level::ERROR, message, fields(json));
        line.split_once(' ').map(|(_, rest)| rest.to_owned()).unwrap_or_default()
    }

    #[test]
    fn what_a_guest_throws_is_shown_with_its_place_in_the_source() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("logics/count/twice.ts");
        std::fs::create_dir_all(source.parent().unwrap()).unwrap();
        std::fs::write(&source, "one\ntwo\nthree\nfour\nfive\n").unwrap();
        let stack = json!({"stack": "at twice (twice.ts:3)\nat handle (index.ts:7)", "n": "13"}).to_string();
        let line = json!({"logic": "count", "requestId": "req_1", "project": "p", "fields": stack});
        let expected = "ERROR uncaught RangeError n=13 logic=count requestId=req_1\n    at twice (twice.ts:3)\n    \
            at handle (index.ts:7)\n    --> logics/count/twice.ts:3\n         1 | one\n         2 | two\n    >    3 | three\n         \
            4 | four\n         5 | five";
        let lines = lines(false, Some(folder.path().to_owned()));
        assert_eq!(shown(&lines, "uncaught RangeError", line), expected);
    }

    #[test]
    fn a_guest_cannot_write_a_line_that_looks_like_the_hosts() {
        let own = json!({"logic": "other", "x": "1\n12:00:00.000 ERROR gone"}).to_string();
        let line =
            shown(&lines(false, None), "a\n12:00:00.000 ERROR b\u{1b}[2J", json!({"logic": "mine", "fields": own}));
        let expected = "ERROR a\n    12:00:00.000 ERROR b\u{fffd}[2J fields.logic=other x=1\n    12:00:00.000 ERROR gone logic=mine";
        assert_eq!(line, expected);
    }

    #[test]
    fn colours_are_where_a_person_looks() {
        let line = json!({"logic": "count", "backtrace": "handle at ./src/lib.rs:3:9"});
        assert!(lines(true, None).readable(Level::ERROR, "trapped", fields(line.clone())).contains("\u{1b}[31mERROR"));
        assert!(!lines(false, None).readable(Level::ERROR, "trapped", fields(line)).contains('\u{1b}'));
    }
}
