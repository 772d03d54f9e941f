//! `cron/*.yaml`: jobs, and whether what they name is there.

use std::collections::BTreeMap;

use super::{
    ProjectLogic,
    decode::{File, Map, Word},
    diagnostic::Check,
    keys,
    logics::{self, Known},
    node::{Node, Span},
};
use crate::{
    cron::{Every, JOBS_MAX, Job, Schedule, TIMEOUT, cannot_handle},
    name::check_label,
    quantity::Millis,
};

/// All jobs, with the places of their handlers.
#[derive(Default)]
pub(super) struct Jobs<'f> {
    drafts: Vec<Draft<'f>>,
    files: BTreeMap<String, &'f str>,
}

struct Draft<'f> {
    file: &'f File<'f>,
    name: String,
    job: Job,
    handler: Span,
}

impl<'f> Jobs<'f> {
    /// Reads a file.
    pub(super) fn read(&mut self, file: &'f File<'f>, root: &Node, known: &Known) {
        let Some(map) = file.map(root, &keys::CRON) else { return };
        let name = map.get("name").and_then(|node| file.name(node, |name| check_label("a job's name", name)));
        let (schedule, every) = times(file, &map);
        let handler = map.get("handler").and_then(|node| handler(file, node));
        let flag = |key| map.get(key).and_then(|node| file.boolean(node));
        let connection = connection(file, &map, known);
        let Some(Word { text: name, span }) = name else { return };
        if let Some(earlier) = self.files.insert(name.clone(), file.path) {
            file.error(span, Check::Duplicate, format!("the job {name:?} is declared in {earlier} already"));
        }
        if self.files.len() == JOBS_MAX + 1 {
            file.error(span, Check::TooMany, format!("a project has at most {JOBS_MAX} jobs"));
        }
        let Some(Word { text: logic, span: handler }) = handler else { return };
        let job = Job {
            description: map.get("description").and_then(|node| file.text(node)).map(|word| word.text),
            schedule,
            every,
            handler: logic,
            connection,
            timeout: logics::timeout(file, &map).unwrap_or(TIMEOUT),
            enabled: flag("enabled").unwrap_or(true),
            catch_up: flag("catchUp").unwrap_or(false),
        };
        self.drafts.push(Draft { file, name, job, handler });
    }

    /// The logics that they call, each with a place where that is said.
    pub(super) fn handlers(&self) -> BTreeMap<String, String> {
        let place =
            |Draft { file, handler, .. }: &Draft<'_>| format!("{}:{}:{}", file.path, handler.line, handler.column);
        self.drafts.iter().map(|draft| (draft.job.handler.clone(), place(draft))).collect()
    }

    /// What a release has of them. `names` are the logics' names, also of those that cannot be read.
    pub(super) fn check(self, known: &Known, logics: &BTreeMap<String, ProjectLogic>) -> BTreeMap<String, Job> {
        for Draft { file, job, handler, .. } in &self.drafts {
            let name = &job.handler;
            if !known.logics.contains(name) {
                let names = known.logics.iter().map(String::as_str);
                file.unknown(*handler, Check::UnknownLogic, format!("there is no logic {name:?}"), name, names);
            }
            // What is wrong with one that cannot be read is told there.
            let Some(logic) = logics.get(name) else { continue };
            if let Some(why) = cannot_handle(&logic.params, logic.mount().is_some()) {
                let hint = "a handler is called with no params";
                file.error_hint(*handler, Check::InvalidJob, format!("the logic {name:?} {why}"), hint);
            }
        }
        self.drafts.into_iter().map(|draft| (draft.name, draft.job)).collect()
    }
}

/// `schedule` or `every`, each checked at its place.
fn times(file: &File<'_>, map: &Map<'_>) -> (Option<String>, Option<Millis>) {
    match (map.entry("schedule"), map.entry("every")) {
        (Some(_), Some(second)) => {
            file.error_hint(
                second.span,
                Check::Conflict,
                "a job has one of \"schedule\" and \"every\"",
                "leave one of them out",
            );
        }
        (None, None) => {
            let hint = "for example schedule: \"0 3 * * *\" for three at night in UTC, or every: 15m";
            file.error_hint(map.span, Check::MissingKey, "a job needs one of \"schedule\" and \"every\"", hint);
        }
        _ => {}
    }
    let schedule = map.get("schedule").and_then(|node| file.text(node)).map(|Word { text, span }| {
        if let Err(error) = Schedule::parse(&text) {
            let place = file.place_in(span, &text, (1, error.column));
            let span = place.map_or(span, |place| Span { width: error.width, ..place });
            file.error(span, Check::InvalidSchedule, error.message);
        }
        text
    });
    let every = map.get("every").and_then(|node| {
        let every: Millis = file.quantity(node)?;
        if let Err(error) = Every::of(every) {
            file.error(node.span, Check::InvalidSchedule, error.to_string());
        }
        Some(every)
    });
    (schedule, every)
}

/// `logics/NAME`.
fn handler(file: &File<'_>, node: &Node) -> Option<Word> {
    let Word { text, span } = file.text(node)?;
    let name = text.strip_prefix("logics/").map(|name| Word { text: name.to_owned(), span });
    if name.is_none() {
        let hint = format!("write logics/{text}");
        file.error_hint(span, Check::InvalidValue, "a handler is named logics/NAME", hint);
    }
    name
}

/// Beside whose tables runs are kept: there must be some.
fn connection(file: &File<'_>, map: &Map<'_>, known: &Known) -> String {
    let connection = logics::connection(file, map, known);
    if known.connections.get(&connection).is_some_and(|schema| schema.tables.is_empty()) {
        let span = map.get("connection").map_or(Span::START, |node| node.span);
        let message = format!("runs are kept beside the tables of connection {connection:?}, and it has none");
        file.error_hint(span, Check::MissingFile, message, "declare a table in schema/ first");
    }
    connection
}
