//! Events that a logic in SQL publishes: of which topics, and what their payloads are made of. Whether that can hold is decided here, by whoever
//! checks a project or a release; that they are stored is the Bridge's matter.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Body, Logic, SqlBody, TransactionMode};
use crate::{
    event::{
        Events, MappingError, Topic,
        mapping::{self, Mapped},
    },
    param::Param,
    schema::{Items, Schema, Type},
    sql_text,
};

/// Events of one call.
pub const PUBLISHED_MAX: usize = 20;

/// What the elements of `:auth.roles` are.
static ROLE: Items = Items { kind: Type::String, items: None };

/// An event that is published when the statements have succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SqlPublish")]
pub struct Publish {
    /// What is published.
    pub topic: String,
    /// What the payload's fields are, by field: `:name` is a param or a system variable, anything else a column of the last row that is answered.
    pub mapping: BTreeMap<String, String>,
}

/// What a field of a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'m> {
    /// `:name`: a param or a system variable, as in the statements.
    Given(&'m str),
    /// `name`: a column of the last row that the last statement answers.
    Answered(&'m str),
}

/// What is wrong with an event of a logic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no such topic.
    #[error("there is no topic {0:?}")]
    Topic(String),
    /// Nothing that statements could name.
    #[error(":{name} is neither a param nor a system variable")]
    Given {
        /// The field that it would be.
        field: String,
        /// As it stands, without its colon.
        name: String,
    },
    /// A column of nothing.
    #[error("the field {field:?} would be the column {column:?}, and the last statement answers no rows")]
    NoRows {
        /// The field.
        field: String,
        /// The column.
        column: String,
    },
    /// A column that is not answered.
    #[error("the last statement answers no column {column:?}")]
    Column {
        /// The field that it would be.
        field: String,
        /// As it stands.
        column: String,
    },
    /// What its mapping makes is no payload of the topic.
    #[error(transparent)]
    Mapping(#[from] MappingError),
}

impl<'m> Source<'m> {
    /// As it is written.
    pub fn of(text: &'m str) -> Self {
        match text.strip_prefix(':') {
            Some(name) => Self::Given(name),
            None => Self::Answered(text),
        }
    }
}

impl Publish {
    /// The params and variables that it names, without their colons.
    pub fn given(&self) -> impl Iterator<Item = &str> {
        self.mapping.values().filter_map(|text| match Source::of(text) {
            Source::Given(name) => Some(name),
            Source::Answered(_) => None,
        })
    }

    /// Whether its payload needs a row that is answered.
    pub fn needs_row(&self) -> bool {
        self.mapping.values().any(|text| matches!(Source::of(text), Source::Answered(_)))
    }

    /// Whatever is wrong with it, beside these topics, in a logic with these params and this last statement. What a variable is that depends on
    /// who calls, is known when it is called.
    pub fn problems(
        &self,
        topics: &BTreeMap<String, Topic>,
        params: &[Param],
        last: Option<&str>,
    ) -> Vec<PublishError> {
        let Some(topic) = topics.get(&self.topic) else { return vec![PublishError::Topic(self.topic.clone())] };
        mapping::check::<PublishError>((&self.topic, topic), &self.mapping, |field, text| match Source::of(text) {
            Source::Given(name) => given(name, params)
                .map(Some)
                .ok_or_else(|| PublishError::Given { field: field.to_owned(), name: name.to_owned() }),
            Source::Answered(column) => {
                let (field, column) = (field.to_owned(), column.to_owned());
                match last {
                    Some(last) if sql_text::answers_rows(last) && sql_text::may_answer(last, &column) => Ok(None),
                    Some(last) if sql_text::answers_rows(last) => Err(PublishError::Column { field, column }),
                    _ => Err(PublishError::NoRows { field, column }),
                }
            }
        })
    }
}

impl Logic {
    /// Whether what it publishes can be meant, beside these topics and tables; the first that cannot, and why.
    pub fn check_published(&self, events: &Events, connections: &BTreeMap<String, Schema>) -> Result<(), String> {
        let Body::Sql(SqlBody { statements, publish }) = &self.body else { return Ok(()) };
        if publish.is_empty() {
            return Ok(());
        }
        if publish.len() > PUBLISHED_MAX {
            return Err(format!("a logic publishes at most {PUBLISHED_MAX} events"));
        }
        if self.transaction != TransactionMode::Required {
            return Err("what publishes events is a transaction".to_owned());
        }
        if connections.get(&self.connection).is_none_or(|schema| schema.tables.is_empty()) {
            return Err(format!("events are kept beside tables, and connection {:?} has none", self.connection));
        }
        for one in publish {
            if let Some(error) =
                one.problems(&events.topics, &self.params, statements.last().map(String::as_str)).first()
            {
                return Err(format!("publish {:?}: {error}", one.topic));
            }
        }
        Ok(())
    }
}

/// A param or a system variable.
fn given<'p>(name: &str, params: &'p [Param]) -> Option<Mapped<'p>> {
    let what = format!(":{name}");
    if let Some((kind, items)) = variable(name) {
        return Some(Mapped { what, kind, items, nullable: false });
    }
    let param = params.iter().find(|param| param.name == name)?;
    let nullable = !param.required && param.default.as_ref().is_none_or(serde_json::Value::is_null);
    Some(Mapped { what, kind: param.kind, items: param.items.as_deref(), nullable })
}

/// What a system variable of statements is.
fn variable(name: &str) -> Option<(Type, Option<&'static Items>)> {
    Some(match name {
        "auth.roles" => (Type::Array, Some(&ROLE)),
        "now" | "event.publishedAt" => (Type::Timestamp, None),
        "event.attempt" | "event.depth" => (Type::Int, None),
        "auth.sub" | "env" | "event.id" | "event.topic" | "event.causedBy" => (Type::String, None),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::project::SYSTEM_VARIABLES;

    const SELECT: &str = "SELECT id, total FROM orders";

    fn topics() -> BTreeMap<String, Topic> {
        let topic = json!({"retention": 1_000, "fields": [
            {"name": "id", "type": "string", "required": true}, {"name": "total", "type": "decimal"},
            {"name": "at", "type": "timestamp"}, {"name": "roles", "type": "array", "items": {"type": "string"}}]});
        [("placed".to_owned(), serde_json::from_value(topic).unwrap())].into()
    }

    fn params() -> Vec<Param> {
        let params = json!([{"name": "order", "type": "string", "required": true}, {"name": "note", "type": "string"},
            {"name": "kind", "type": "string", "default": "x"}, {"name": "total", "type": "int"}]);
        serde_json::from_value(params).unwrap()
    }

    fn publish(mapping: &Json) -> Publish {
        serde_json::from_value(json!({"topic": "placed", "mapping": mapping})).unwrap()
    }

    fn told(mapping: &Json, last: Option<&str>) -> Vec<String> {
        publish(mapping).problems(&topics(), &params(), last).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_system_variable_has_a_type() {
        for name in SYSTEM_VARIABLES {
            assert!(variable(name).is_some(), "{name}");
        }
    }

    #[test]
    fn what_a_call_has_must_be_what_a_payload_needs() {
        for mapping in [
            json!({"id": ":order"}),
            json!({"id": ":kind"}),
            json!({"id": ":auth.sub", "at": ":now", "roles": ":auth.roles"}),
            json!({"id": "id", "total": "total"}),
        ] {
            assert_eq!(told(&mapping, Some(SELECT)), Vec::<String>::new(), "{mapping}");
        }
        for (mapping, last, expected) in [
            (json!({"id": ":ordr"}), SELECT, "neither a param nor"),
            (json!({"id": ":note"}), SELECT, ":note can be NULL"),
            (json!({"id": ":now"}), SELECT, ":now is of type timestamp"),
            (json!({"id": ":order", "total": ":total"}), SELECT, ":total is of type int"),
            (json!({"id": "id", "nope": ":order"}), SELECT, "no field \"nope\""),
            (json!({"total": "total"}), SELECT, "\"mapping\" has nothing for it"),
            (json!({"id": "name"}), SELECT, "answers no column \"name\""),
            (json!({"id": ""}), SELECT, "answers no column \"\""),
            (json!({"id": "id"}), "DELETE FROM orders", "answers no rows"),
        ] {
            let told = told(&mapping, Some(last));
            assert!(told.len() == 1 && told[0].contains(expected), "{mapping}: {told:?}");
        }
        assert!(told(&json!({"id": "id"}), None)[0].contains("answers no rows"));
        let nowhere = Publish { topic: "x".to_owned(), ..publish(&json!({"id": ":order"})) };
        assert_eq!(nowhere.problems(&topics(), &params(), None), [PublishError::Topic("x".to_owned())]);
    }
}
