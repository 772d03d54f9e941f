//! Triggers of a project: events that tell of rows which the Bridge itself has written, in the transaction of the rows. Whether a trigger
//! can hold is decided here, by whoever checks a project or a release; that it fires is the Bridge's matter.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Events,
    mapping::{self, Mapped, MappingError},
};
use crate::{
    name::check_label,
    schema::{Items, Schema, Table, Type},
};

/// Triggers of a project.
pub const TRIGGERS_MAX: usize = 100;

/// What is published of the rows of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trigger {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What must have happened to a row; at least one.
    pub on: BTreeSet<Change>,
    /// The table, of any connection: its events are kept beside it.
    pub table: String,
    /// What is published.
    pub topic: String,
    /// The columns of the row that the payload's fields are, by field.
    pub mapping: BTreeMap<String, String>,
}

/// What happens to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "RowChange")]
pub enum Change {
    /// It is new.
    Insert,
    /// It is another.
    Update,
    /// It is gone.
    Delete,
}

/// What is wrong with a trigger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// It would never fire.
    #[error("\"on\" names nothing that could happen to a row")]
    Never,
    /// There is no such table on any connection.
    #[error("there is no table {0:?}")]
    Table(String),
    /// There is no such topic.
    #[error("there is no topic {0:?}")]
    Topic(String),
    /// The table has no such column.
    #[error("the table {table:?} has no column {column:?}")]
    Column {
        /// Which.
        table: String,
        /// The field that it would be.
        field: String,
        /// As it stands.
        column: String,
    },
    /// What its mapping makes of a row is no payload of the topic.
    #[error(transparent)]
    Mapping(#[from] MappingError),
}

impl Change {
    /// Every kind.
    pub const ALL: &'static [Change] = &[Change::Insert, Change::Update, Change::Delete];

    /// As written in project files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Change::Insert => "insert",
            Change::Update => "update",
            Change::Delete => "delete",
        }
    }
}

impl Trigger {
    /// Whatever is wrong with it, beside these topics and tables.
    pub fn problems(&self, events: &Events, connections: &BTreeMap<String, Schema>) -> Vec<TriggerError> {
        let mut found = Vec::new();
        if self.on.is_empty() {
            found.push(TriggerError::Never);
        }
        let table = connections.values().find_map(|schema| schema.tables.get(&self.table));
        let topic = events.topics.get(&self.topic);
        if table.is_none() {
            found.push(TriggerError::Table(self.table.clone()));
        }
        if topic.is_none() {
            found.push(TriggerError::Topic(self.topic.clone()));
        }
        if let (Some(table), Some(topic)) = (table, topic) {
            found.extend(mapping::check::<TriggerError>((&self.topic, topic), &self.mapping, |field, column| {
                let (kind, items, nullable) = column_type(table, column).ok_or_else(|| TriggerError::Column {
                    table: self.table.clone(),
                    field: field.to_owned(),
                    column: column.to_owned(),
                })?;
                Ok(Some(Mapped { what: format!("the column {column:?}"), kind, items, nullable }))
            }));
        }
        found
    }
}

impl Events {
    /// Whether the triggers can be meant; the first one that cannot, and why.
    pub fn check_triggers(&self, connections: &BTreeMap<String, Schema>) -> Result<(), String> {
        if self.triggers.len() > TRIGGERS_MAX {
            return Err(format!("a project has at most {TRIGGERS_MAX} triggers"));
        }
        for (name, trigger) in &self.triggers {
            check_label("a trigger's name", name).map_err(|error| format!("trigger {name:?}: {error}"))?;
            if let Some(error) = trigger.problems(self, connections).first() {
                return Err(format!("trigger {name:?}: {error}"));
            }
        }
        Ok(())
    }
}

/// Of a column: its type, that of its elements, and whether it can be NULL.
fn column_type<'t>(table: &'t Table, name: &str) -> Option<(Type, Option<&'t Items>, bool)> {
    if table.id.name == name {
        return Some((table.id.kind, None, false));
    }
    let column = table.columns.iter().find(|column| column.name == name)?;
    Some((column.kind, column.items.as_deref(), column.nullable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Topic, param::Param, schema::Bounds};

    fn field(name: &str, kind: Type, required: bool) -> Param {
        Param { name: name.to_owned(), kind, required, default: None, items: None, bounds: Bounds::NONE }
    }

    fn shop() -> (Events, BTreeMap<String, Schema>) {
        let table = r#"{"id": {"name": "id", "generate": "ulid", "type": "string"}, "columns": [
            {"name": "total", "type": "decimal", "nullable": false},
            {"name": "count", "type": "int", "nullable": false},
            {"name": "note", "type": "string", "nullable": true}]}"#;
        let schema = Schema { tables: [("orders".to_owned(), serde_json::from_str(table).unwrap())].into() };
        let fields = vec![
            field("id", Type::String, true),
            field("total", Type::Decimal, false),
            field("count", Type::Bigint, false),
            field("note", Type::String, false),
            field("all", Type::Json, false),
        ];
        let topic = Topic { description: None, fields, retention: super::super::RETENTION };
        let events = Events { topics: [("order_placed".to_owned(), topic)].into(), ..Events::default() };
        (events, [("main".to_owned(), schema)].into())
    }

    fn trigger(mapping: &[(&str, &str)]) -> Trigger {
        Trigger {
            description: None,
            on: [Change::Insert].into(),
            table: "orders".to_owned(),
            topic: "order_placed".to_owned(),
            mapping: mapping.iter().map(|(field, column)| ((*field).to_owned(), (*column).to_owned())).collect(),
        }
    }

    #[test]
    fn what_a_row_has_must_be_what_a_payload_needs() {
        let (mut events, connections) = shop();
        let told = |trigger: &Trigger, events: &Events| -> Vec<String> {
            trigger.problems(events, &connections).iter().map(ToString::to_string).collect()
        };
        let fine = [("id", "id"), ("total", "total"), ("count", "count"), ("note", "note"), ("all", "total")];
        assert_eq!(told(&trigger(&fine), &events), Vec::<String>::new());
        assert!(told(&trigger(&[]), &events)[0].contains("required"));
        assert!(told(&trigger(&[("id", "id"), ("nope", "id")]), &events)[0].contains("no field"));
        assert!(told(&trigger(&[("id", "nope")]), &events)[0].contains("no column"));
        assert!(told(&trigger(&[("id", "id"), ("total", "count")]), &events)[0].contains("of type int"));
        assert!(told(&trigger(&[("id", "note")]), &events)[0].contains("can be NULL"));
        let nowhere = Trigger { table: "x".into(), topic: "y".into(), on: BTreeSet::new(), ..trigger(&fine) };
        assert_eq!(told(&nowhere, &events).len(), 3);
        events.triggers = [("a".to_owned(), trigger(&fine))].into();
        assert_eq!(events.check_triggers(&connections), Ok(()));
        events.triggers = [("stk a\n".to_owned(), trigger(&fine))].into();
        assert!(events.check_triggers(&connections).is_err());
    }
}
