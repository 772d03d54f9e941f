//! Events become rows of a subscription inside the database: nothing of them travels twice, and the text of the statement is the same for any number of
//! events, so that it stays prepared. Written out, a hundred events are a statement of fifteen hundred values, and a new one each time.

use santokit_core::{schema::Type, value::Value};

use super::{Bound, Dialect, Scope, Statement, named, padded, places, text_of, time};

impl Scope<'_> {
    /// Gives events to a subscription that has no order: as claimed until then, or to be tried from now on.
    pub fn give(&self, events: &[&str], subscription: &str, claim: Option<(&str, &Value)>, now: &Value) -> Statement {
        let events = padded(events);
        let id = match self.dialect {
            Dialect::Mysql => "CONCAT(o.id, ':', :subscription)",
            Dialect::Sqlite | Dialect::Postgres => "o.id || ':' || :subscription",
        };
        let text = format!(
            "INSERT INTO stk_delivery (id, project, env, event, topic, subscription, payload, published_at, published_by, caused_by, depth, state, \
             attempt, due_at, claim, created_at) SELECT {id}, o.project, o.env, o.id, o.topic, :subscription, o.payload, o.published_at, \
             o.published_by, o.caused_by, o.depth, 'pending', :attempt, :due, :claim, :now FROM stk_outbox o WHERE o.id IN ({})",
            places("i", events.len())
        );
        let attempt = Bound { kind: Type::Int, value: Value::Int64(claim.is_some().into()) };
        let word = claim.map_or(Value::Null, |(word, _)| Value::Text(word.to_owned()));
        let more = [
            ("subscription", text_of(subscription)),
            ("attempt", attempt),
            ("due", time(claim.map_or(now, |(_, until)| until))),
            ("claim", Bound { kind: Type::String, value: word }),
            ("now", time(now)),
        ];
        self.statement(&text, &named("i", &events, &more), &[])
    }
}
