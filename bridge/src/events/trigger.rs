//! Triggers, ready for rows: which columns of a written row are wanted, and the events that rows become. It runs no statement.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use santokit_core::{
    access::{ActorKind, table::Verb},
    code::Code,
    event::{Change, Trigger},
    problem::{Outcome, Problem},
    schema::Table,
};
use santokit_sql::plan::{Column, Conflict, OnConflict};
use serde_json::{Map, Value as Json};

use super::{Event, Occasion, Topics, mapped::Mapper};

/// Bytes that the payloads of one write may have in all: they are in memory until they are stored.
pub const WRITE_BYTES_MAX: usize = 50_000_000;

/// The triggers of a table.
#[derive(Debug, Default)]
pub struct TableTriggers {
    triggers: Vec<LoadedTrigger>,
}

/// A trigger with the columns of its table.
#[derive(Debug)]
struct LoadedTrigger {
    name: String,
    on: Vec<Change>,
    topic: String,
    /// The fields of the payload, and the columns that they are.
    fields: Vec<(String, Column)>,
}

/// What publishes the events of rows: the topics of a release.
#[derive(Debug)]
pub struct RowEvents {
    /// The release's.
    pub topics: Arc<Topics>,
    /// `rel_…`.
    pub release_id: String,
}

/// What a write fires.
#[derive(Debug)]
pub struct Firing<'t> {
    triggers: Vec<&'t LoadedTrigger>,
    /// What is wanted of each row: its key first.
    columns: Vec<Column>,
    /// Whether it matters which of the rows are new.
    is_either: bool,
}

/// A row that was written.
#[derive(Clone, Debug, PartialEq)]
pub struct FiringRow {
    /// What happened to it.
    pub change: Change,
    /// A value for each column that is wanted.
    pub values: Vec<Json>,
}

/// Whose events they are, and who is told what is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Cause<'c> {
    /// Project and env.
    pub env: (&'c str, &'c str),
    /// When.
    pub now: DateTime<Utc>,
    /// Who has written.
    pub kind: ActorKind,
    /// For the log.
    pub request_id: &'c str,
    /// The event that is handled by who has written, if one is.
    pub occasion: Option<&'c Occasion>,
}

impl TableTriggers {
    /// Those of a table. The error is for operators.
    pub fn of(name: &str, table: &Table, triggers: &BTreeMap<String, Trigger>) -> Result<Self, String> {
        let load = |(trigger_name, trigger): (&String, &Trigger)| {
            let field = |(field, column): (&String, &String)| {
                let found = Column::of(table, column).map(|found| (field.clone(), found));
                found.ok_or_else(|| format!("trigger {trigger_name:?}: there is no column {column:?}"))
            };
            Ok(LoadedTrigger {
                name: trigger_name.clone(),
                on: trigger.on.iter().copied().collect(),
                topic: trigger.topic.clone(),
                fields: trigger.mapping.iter().map(field).collect::<Result<_, String>>()?,
            })
        };
        let own = triggers.iter().filter(|(_, trigger)| trigger.table == name);
        Ok(Self { triggers: own.map(load).collect::<Result<_, String>>()? })
    }

    /// What a write fires, if it fires anything. `conflict` is that of an insert.
    pub fn fired(&self, key: Column, verb: Verb, conflict: Option<&Conflict>) -> Option<Firing<'_>> {
        let is_either = matches!(conflict, Some(Conflict { action: OnConflict::Update { .. }, .. }));
        let changes: &[Change] = match verb {
            Verb::Select => &[],
            Verb::Insert if is_either => &[Change::Insert, Change::Update],
            Verb::Insert => &[Change::Insert],
            Verb::Update => &[Change::Update],
            Verb::Delete => &[Change::Delete],
        };
        let fires = |trigger: &&LoadedTrigger| trigger.on.iter().any(|change| changes.contains(change));
        let triggers: Vec<&LoadedTrigger> = self.triggers.iter().filter(fires).collect();
        if triggers.is_empty() {
            return None;
        }
        let mut columns = vec![key];
        for (_, column) in triggers.iter().flat_map(|trigger| &trigger.fields) {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        Some(Firing { triggers, columns, is_either })
    }
}

impl Firing<'_> {
    /// What is wanted of each row: its key first.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Whether it matters which of the rows are new: others are changed by the same write.
    pub fn is_either(&self) -> bool {
        self.is_either
    }

    /// The events of rows, in the order of the rows. A payload that its topic does not take is a problem of the write; how deep they are is looked at by who
    /// keeps them.
    pub fn events(&self, rows: &[FiringRow], of: &RowEvents, cause: Cause<'_>) -> Outcome<Vec<Event>> {
        let (mut events, mut bytes) = (Vec::new(), 0);
        for row in rows {
            for trigger in self.triggers.iter().filter(|trigger| trigger.on.contains(&row.change)) {
                let (event, size) = self.event(trigger, row, of, cause)?;
                bytes += size;
                if bytes > WRITE_BYTES_MAX {
                    return Err(too_heavy());
                }
                events.push(event);
            }
        }
        Ok(events)
    }

    fn event(
        &self,
        trigger: &LoadedTrigger,
        row: &FiringRow,
        RowEvents { topics, release_id }: &RowEvents,
        cause: Cause<'_>,
    ) -> Outcome<(Event, usize)> {
        let value = |(field, column): &(String, Column)| {
            let at = self.columns.iter().position(|wanted| wanted == column)?;
            let value = row.values.get(at).filter(|value| !value.is_null())?;
            Some((field.clone(), value.clone()))
        };
        let payload: Map<String, Json> = trigger.fields.iter().filter_map(value).collect();
        Mapper::Trigger(&trigger.name).event(&trigger.topic, payload, (topics, release_id), cause)
    }
}

/// More than is kept in memory for one write.
pub fn too_heavy() -> Box<Problem> {
    let message = format!("the events of this write would have more than {WRITE_BYTES_MAX} bytes");
    Problem::limit(Code::BadRequest, "eventPayload", message).hint("write fewer rows at once")
}

#[cfg(test)]
mod tests {
    use santokit_core::event::Events;
    use santokit_wasm::EventInfo;
    use serde_json::json;

    use super::*;
    use crate::events::DEPTH_MAX;

    fn firing_of(on: &str) -> (TableTriggers, RowEvents) {
        let events: Events = serde_json::from_value(json!({
            "topics": {"t": {"retention": 86_400_000, "fields": [
                {"name": "id", "type": "string", "required": true, "maxLength": 5},
                {"name": "note", "type": "string"}]}},
            "triggers": {"a": {"on": [on], "table": "x", "topic": "t", "mapping": {"id": "key", "note": "note"}}},
        }))
        .unwrap();
        let table = serde_json::from_value(json!({
            "id": {"name": "key", "generate": "ulid", "type": "string"},
            "columns": [{"name": "note", "type": "string", "nullable": true}],
        }))
        .unwrap();
        let topics = Arc::new(Topics::of(&events, "main").unwrap());
        let triggers = TableTriggers::of("x", &table, &events.triggers).unwrap();
        (triggers, RowEvents { topics, release_id: "rel_1".to_owned() })
    }

    fn key() -> Column {
        Column { name: "key".into(), kind: santokit_core::schema::Type::String, nullable: false, is_listed: false }
    }

    fn cause(kind: ActorKind) -> Cause<'static> {
        Cause { env: ("shop", "dev"), now: Utc::now(), kind, request_id: "req_1", occasion: None }
    }

    fn row(change: Change, values: &Json) -> FiringRow {
        FiringRow { change, values: values.as_array().unwrap().clone() }
    }

    #[test]
    fn a_row_becomes_the_events_of_what_happened_to_it() {
        let (triggers, of) = firing_of("update");
        assert!(triggers.fired(key(), Verb::Insert, None).is_none());
        assert!(triggers.fired(key(), Verb::Delete, None).is_none());
        let ignore = Conflict { columns: vec![key()], action: OnConflict::Ignore };
        assert!(triggers.fired(key(), Verb::Insert, Some(&ignore)).is_none());
        let firing = triggers.fired(key(), Verb::Update, None).unwrap();
        let names: Vec<&str> = firing.columns().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["key", "note"]);
        let rows = [row(Change::Insert, &json!(["new", "x"])), row(Change::Update, &json!(["old", null]))];
        let events = firing.events(&rows, &of, cause(ActorKind::User)).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(Json::Object(events[0].payload.clone()), json!({"id": "old"}));
        assert_eq!(events[0].published_by, "trigger:a");
    }

    #[test]
    fn a_row_whose_event_is_larger_than_the_setting_says_is_not_written() {
        let (triggers, RowEvents { topics, release_id }) = firing_of("insert");
        let topics = Arc::new(Arc::into_inner(topics).unwrap().bounded_to(Some(1_024)));
        let of = RowEvents { topics, release_id };
        let firing = triggers.fired(key(), Verb::Insert, None).unwrap();
        let events = |note: usize| {
            firing.events(&[row(Change::Insert, &json!(["new", "x".repeat(note)]))], &of, cause(ActorKind::ApiKey))
        };
        assert_eq!(events(1_000).unwrap().len(), 1);
        let problem = events(1_024).unwrap_err();
        assert_eq!(problem.details["limit"], "eventPayload");
        assert!(problem.message.contains("1024 bytes"), "{problem:?}");
    }

    #[test]
    fn a_write_of_a_handler_goes_on_with_the_chain_of_its_event_and_is_too_deep_at_its_end() {
        let (triggers, of) = firing_of("insert");
        let firing = triggers.fired(key(), Verb::Insert, None).unwrap();
        let rows = [row(Change::Insert, &json!(["new", "x"]))];
        let events = |depth: u32| {
            let info = EventInfo { id: "evt_1".to_owned(), depth, ..EventInfo::default() };
            let occasion = Occasion::new(info, None);
            firing.events(&rows, &of, Cause { occasion: Some(&occasion), ..cause(ActorKind::Service) })
        };
        let last = events(DEPTH_MAX - 1).unwrap();
        assert!(!last[0].is_too_deep());
        assert_eq!((last[0].caused_by.as_deref(), last[0].depth), (Some("evt_1"), DEPTH_MAX));
        assert!(events(DEPTH_MAX).unwrap()[0].is_too_deep());
        assert!(events(u32::MAX).unwrap()[0].is_too_deep());
        let first = firing.events(&rows, &of, cause(ActorKind::User)).unwrap();
        assert_eq!((first[0].caused_by.as_deref(), first[0].depth), (None, 0));
    }

    #[test]
    fn who_may_not_know_of_triggers_is_told_of_none() {
        let (triggers, of) = firing_of("insert");
        let firing = triggers.fired(key(), Verb::Insert, None).unwrap();
        let rows = [row(Change::Insert, &json!(["too long for it", "secret"]))];
        let problem = firing.events(&rows, &of, cause(ActorKind::User)).unwrap_err();
        let told = serde_json::to_string(&problem.body("req")).unwrap();
        assert_eq!(problem.code, Code::SchemaValidationFailed);
        for word in ["trigger", "\"t\"", "note", "secret"] {
            assert!(!told.contains(word), "{told}");
        }
        let problem = firing.events(&rows, &of, cause(ActorKind::ApiKey)).unwrap_err();
        let told = serde_json::to_string(&problem.body("req")).unwrap();
        assert!(told.contains("\\\"a\\\"") && told.contains("\"errors\"") && !told.contains("secret"), "{told}");
    }
}
