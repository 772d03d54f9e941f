//! Events that a SQL logic publishes: payloads of what it was given and of the last row that it answers, stored behind its statements in the same
//! transaction.

use santokit_core::{
    code::Code,
    logic::{Publish, Source},
    problem::{Outcome, Problem},
    schema::Type,
};
use serde_json::{Map, Value as Json, value::RawValue};

use super::{Running, SqlCode, caller_problem};
use crate::{
    crud::access::is_told_reasons,
    db::{Session, json_value},
    events::{self, DEPTH_MAX, Event, LoadedTopic, Occasion, chain, mapped::Mapper, trigger::Cause},
};

type Row = Map<String, Json>;

impl SqlCode {
    /// Stores what is to be published, in the session's transaction; what that is.
    pub(super) async fn store(
        &self,
        session: &mut Session,
        running: &Running<'_>,
        answer: &RawValue,
    ) -> Outcome<Vec<Event>> {
        let last = if self.publish.iter().any(Publish::needs_row) { last_row(answer) } else { None };
        let mut events = running.events(&self.publish, last.as_ref())?;
        if let Some(database) = running.context.databases.get(&running.entry.logic.connection) {
            Event::date(&mut events, database, running.deadline).await;
        }
        for statement in events::inserts(&events, session.dialect())? {
            session.execute(&statement, running.deadline).await.map_err(caller_problem)?;
        }
        Ok(events)
    }
}

impl Running<'_> {
    /// Takes what it publishes from what may be published, before anything is done: nothing is done that could not be told.
    pub(super) async fn admit(&self, publish: &[Publish]) -> Outcome<()> {
        let Some(first) = publish.first() else { return Ok(()) };
        let context = self.context;
        let occasion = context.begun_by.occasion().map(|occasion| &**occasion);
        let (cause, depth) = Occasion::causes(occasion);
        if depth > DEPTH_MAX {
            return Err(self.too_deep(&first.topic, cause).await);
        }
        for one in publish {
            context.topics.admit((&context.project, &context.env), &one.topic).await?;
        }
        Ok(())
    }

    /// The events of what was done. What is made of a row is published where there is one.
    pub(super) fn events(&self, publish: &[Publish], last: Option<&Row>) -> Outcome<Vec<Event>> {
        let (context, by) = (self.context, Mapper::Logic(self.entry.name()));
        let cause = Cause {
            env: (&context.project, &context.env),
            now: context.now(),
            kind: context.actor.kind,
            request_id: &context.request_id,
            occasion: context.begun_by.occasion().map(|occasion| &**occasion),
        };
        let mut events = Vec::new();
        for one in publish.iter().filter(|one| last.is_some() || !one.needs_row()) {
            let topic = context.topics.get(&one.topic);
            let topic = topic.ok_or_else(|| Problem::internal("a logic publishes a topic that there is not"))?;
            let mut payload = Map::new();
            for (field, source) in &one.mapping {
                let value = self.field(topic, (field, Source::of(source)), last);
                let value = value.map_err(|problem| match problem.code {
                    Code::SchemaValidationFailed => by.unfit(&one.topic, &problem, cause),
                    _ => problem,
                })?;
                // As a column of a trigger: what there is not, is not sent.
                if !value.is_null() {
                    payload.insert(field.clone(), value);
                }
            }
            events.push(by.event(&one.topic, payload, (&context.topics, &context.release_id), cause)?.0);
        }
        Ok(events)
    }

    fn field(&self, topic: &LoadedTopic, (field, source): (&str, Source<'_>), last: Option<&Row>) -> Outcome<Json> {
        match source {
            Source::Given(name) => {
                let bound = self.value(name)?;
                Ok(json_value(bound.kind.as_str(), bound.value))
            }
            Source::Answered(column) => {
                let none = || {
                    let message = format!("field {field}: the last statement answers no column {column:?}");
                    Problem::new(Code::SchemaValidationFailed, message)
                };
                let value = last.and_then(|row| cell(row, column)).ok_or_else(none)?;
                Ok(shaped(topic.kind(field), value.clone()))
            }
        }
    }

    /// Tells of what was stored, which counts and is delivered when its transaction has ended.
    pub(super) fn announce(&self, stored: &[Event]) {
        let context = self.context;
        if stored.is_empty() {
            return;
        }
        for event in stored {
            context.metrics.events.published(&event.topic);
        }
        context.topics.wake();
        if stored.iter().any(Event::is_swept_after)
            && let Some(database) = context.databases.get(&self.entry.logic.connection)
        {
            events::sweep(database, &context.topics);
        }
    }

    /// Why nothing is done: so many events have led to it. With these, as far as they are still there.
    async fn too_deep(&self, topic: &str, cause: Option<String>) -> Box<Problem> {
        let (context, entry) = (self.context, self.entry);
        let chain = chain::told((topic, cause), &context.databases, None, self.deadline).await;
        tracing::warn!(logic = %entry.name(), requestId = %context.request_id, %chain, "a chain of events is too deep");
        let message = format!("{DEPTH_MAX} events have caused one another, and this one is refused");
        let is_told = is_told_reasons(context.actor.kind);
        Problem::new(Code::BadRequest, if is_told { format!("{message}: {chain}") } else { message })
    }
}

/// Of a list of rows; an answer without rows has none.
fn last_row(answer: &RawValue) -> Option<Row> {
    let rows: Vec<&RawValue> = serde_json::from_str(answer.get()).ok()?;
    serde_json::from_str(rows.last()?.get()).ok()
}

/// A column by its name, or by one that differs in case alone: an engine may fold what is not quoted.
fn cell<'r>(row: &'r Row, column: &str) -> Option<&'r Json> {
    let folded = || row.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, value)| value);
    row.get(column).or_else(folded)
}

/// A value as its field has it, where an engine answers the same as another type: what is computed has no declared one. The topic's check has the
/// last word.
fn shaped(kind: Option<Type>, value: Json) -> Json {
    match (kind, value) {
        (Some(Type::Boolean), Json::Number(number)) if matches!(number.as_i64(), Some(0 | 1)) => {
            Json::Bool(number.as_i64() == Some(1))
        }
        (Some(Type::Decimal), Json::Number(number)) => Json::String(number.to_string()),
        (Some(Type::Int), Json::String(text)) => match text.parse::<i64>() {
            Ok(number) => number.into(),
            Err(_) => Json::String(text),
        },
        (Some(Type::Float), Json::String(text)) => match text.parse().ok().and_then(serde_json::Number::from_f64) {
            Some(number) => Json::Number(number),
            None => Json::String(text),
        },
        (Some(Type::Array), Json::String(text)) => match serde_json::from_str(&text) {
            Ok(list @ Json::Array(_)) => list,
            _ => Json::String(text),
        },
        (_, value) => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_row_is_that_of_an_answer_with_rows() {
        let row = |answer: &str| last_row(&RawValue::from_string(answer.to_owned()).unwrap()).map(Json::Object);
        assert_eq!(row(r#"[{"a": 1}, {"a": "2", "b": [3]}]"#), Some(json!({"a": "2", "b": [3]})));
        for none in ["[]", r#"{"affected": 3}"#, "null"] {
            assert_eq!(row(none), None, "{none}");
        }
    }

    #[test]
    fn what_engines_answer_differently_is_the_same_in_a_payload() {
        for (kind, value, expected) in [
            (Type::Boolean, json!(1), json!(true)),
            (Type::Boolean, json!(2), json!(2)),
            (Type::Decimal, json!(12.5), json!("12.5")),
            (Type::Int, json!("3"), json!(3)),
            (Type::Int, json!("three"), json!("three")),
            (Type::Float, json!("0.5"), json!(0.5)),
            (Type::Float, json!("NaN"), json!("NaN")),
            (Type::Array, json!("[1]"), json!([1])),
            (Type::Array, json!("{}"), json!("{}")),
            (Type::String, json!(3), json!(3)),
            (Type::Json, json!("[1]"), json!("[1]")),
        ] {
            assert_eq!(shaped(Some(kind), value.clone()), expected, "{value}");
        }
        let Json::Object(row) = json!({"Total": 1, "total": 2, "orderid": 3}) else { panic!("a row") };
        assert_eq!(
            (cell(&row, "total"), cell(&row, "orderId"), cell(&row, "id")),
            (Some(&json!(2)), Some(&json!(3)), None)
        );
    }
}
