//! What a step gives a logic in place of a call: an event of a topic, or a run of a job.

use serde_json::{Map, Value as Json};

use super::{
    super::{decode::Map as Keyed, diagnostic::Check, keys, node::Node},
    Reader, expected, object,
};
use crate::{param::CompiledParams, quantity::Millis, schema::Type};

/// By whom or what a logic is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Begun {
    /// The caller, with params.
    #[default]
    Caller,
    /// An event, with its payload as the params.
    Event(GivenEvent),
    /// A job.
    Run(GivenRun),
}

/// What a handler is told of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenEvent {
    /// `evt_…`
    pub id: String,
    /// Of the project.
    pub topic: String,
    /// From 1.
    pub attempt: u32,
    /// The event before it.
    pub caused_by: Option<String>,
}

/// What a handler is told of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenRun {
    /// `run_…`
    pub id: String,
    /// Of the project.
    pub job: String,
    /// RFC 3339, UTC.
    pub due_at: Option<String>,
    /// `schedule`, `catchUp` or `manual`.
    pub cause: String,
    /// Of the job.
    pub timeout: Millis,
}

impl Reader<'_> {
    /// How a step begins; of an event, its payload as it is kept.
    pub(super) fn begun(&self, map: &Keyed<'_>, logic: &str) -> Option<(Begun, Option<Map<String, Json>>)> {
        let file = self.file;
        let given = match (map.entry("event"), map.entry("run")) {
            (None, None) => return Some((Begun::Caller, None)),
            (Some(entry), None) | (None, Some(entry)) => entry,
            (Some(_), Some(entry)) => {
                file.error(entry.span, Check::Conflict, "a step has one of \"event\" and \"run\"");
                return None;
            }
        };
        for key in ["as", "params"] {
            if let Some(entry) = map.entry(key) {
                let message = format!("{key:?} is of a call: an event or a run has no caller and no params");
                file.error(entry.span, Check::Conflict, message);
            }
        }
        match given.key.as_str() {
            "event" => self.event(&given.value).map(|(event, payload)| (Begun::Event(event), Some(payload))),
            _ => self.run(&given.value, logic).map(|run| (Begun::Run(run), None)),
        }
    }

    /// A topic of the project.
    pub(super) fn topic(&self, node: &Node) -> Option<String> {
        let word = self.file.text(node)?;
        if self.project.events.topics.contains_key(&word.text) {
            return Some(word.text);
        }
        let known = self.project.events.topics.keys().map(String::as_str);
        let message = format!("there is no topic {:?}", word.text);
        self.file.unknown(word.span, Check::UnknownTopic, message, &word.text, known);
        None
    }

    /// Its payload is what a publisher's would have been kept as.
    fn event(&self, node: &Node) -> Option<(GivenEvent, Map<String, Json>)> {
        let file = self.file;
        let map = file.map(node, &keys::TEST_EVENT)?;
        let topic = self.topic(map.get("topic")?)?;
        let place = map.get("payload").unwrap_or(node);
        let payload = map.get("payload").map(|node| object(file, node)).unwrap_or_default();
        let fields = CompiledParams::compile(&self.project.events.topics.get(&topic)?.fields).ok()?.called("field");
        let payload = match fields.check(Json::Object(payload)) {
            Ok(payload) => payload,
            Err(problem) => {
                let said = problem.details.get("errors").map(ToString::to_string).unwrap_or_default();
                let message = format!("no payload of {topic:?}: {} {said}", problem.message);
                file.error(place.span, Check::InvalidValue, message);
                return None;
            }
        };
        let text = |key| map.get(key).and_then(|node| file.text(node)).map(|word| word.text);
        let attempt = map.get("attempt").and_then(|node| file.whole(node)).unwrap_or(1);
        let event = GivenEvent {
            id: text("id").unwrap_or_else(|| "evt_test".to_owned()),
            topic,
            attempt: u32::try_from(attempt).unwrap_or(u32::MAX).max(1),
            caused_by: text("causedBy"),
        };
        Some((event, payload))
    }

    fn run(&self, node: &Node, logic: &str) -> Option<GivenRun> {
        let file = self.file;
        let map = file.map(node, &keys::TEST_RUN)?;
        let word = file.text(map.get("job")?)?;
        let Some(job) = self.project.cron.get(&word.text) else {
            let known = self.project.cron.keys().map(String::as_str);
            let message = format!("there is no job {:?}", word.text);
            file.unknown(word.span, Check::InvalidValue, message, &word.text, known);
            return None;
        };
        if job.handler != logic {
            let message = format!("the handler of the job {:?} is {:?}, and not {logic:?}", word.text, job.handler);
            file.error(word.span, Check::Conflict, message);
        }
        let due_at = map.get("dueAt").and_then(|node| {
            let json = expected::normal(file, node, Type::Timestamp, file.text(node)?.text.into())?;
            json.as_str().map(str::to_owned)
        });
        let cause = map.get("cause").and_then(|node| file.word(node, &keys::TEST_CAUSES, &keys::TEST_CAUSES));
        let cause = cause.unwrap_or(if due_at.is_some() { "schedule" } else { "manual" });
        Some(GivenRun {
            id: map.get("id").and_then(|node| file.text(node)).map_or_else(|| "run_test".to_owned(), |word| word.text),
            job: word.text,
            due_at,
            cause: cause.to_owned(),
            timeout: job.timeout,
        })
    }
}
