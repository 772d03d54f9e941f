//! The statements of dead letters: which there are, and what becomes of them. What is decided about many is done in portions, by their ids.

use santokit_core::{schema::Type, value::Value};

use super::{ACKNOWLEDGED, OURS, Scope, named, padded, places, text_of, time};
use crate::{
    schema::bookkeeping::{Own, delivery, outbox},
    statement::{Bound, OutputColumn, Statement},
};

/// Which dead letters.
#[derive(Clone, Debug, Default)]
pub struct Which<'a> {
    /// By their ids; all where there are none.
    pub ids: &'a [String],
    /// Of this topic.
    pub topic: Option<&'a str>,
    /// Of this subscription.
    pub subscription: Option<&'a str>,
    /// Dead since then or later.
    pub since: Option<Value>,
    /// Dead before then.
    pub until: Option<Value>,
    /// Dead since then or before.
    pub through: Option<Value>,
    /// Behind this one in the order of a list.
    pub after: Option<&'a str>,
}

/// What [`Scope::dead`] answers, before the bytes that the payload has.
pub const DEAD: [Own; 11] = [
    delivery::ID,
    delivery::EVENT,
    delivery::TOPIC,
    delivery::SUBSCRIPTION,
    delivery::PUBLISHED_AT,
    delivery::PUBLISHED_BY,
    delivery::CAUSED_BY,
    delivery::DEPTH,
    delivery::ATTEMPT,
    delivery::DUE_AT,
    delivery::ERROR,
];

/// Behind a row in the order of a list: by when it died, then by its id.
const BEHIND: &str = " AND (due_at > (SELECT due_at FROM stk_delivery WHERE id = :after) \
     OR (due_at = (SELECT due_at FROM stk_delivery WHERE id = :after) AND id > :after))";

impl Scope<'_> {
    /// Dead letters, the oldest first: [`DEAD`], the size of the payload, and where they are wanted whole the payload and the history. A thousand of those are
    /// more than is held for a list.
    pub fn dead(&self, which: &Which<'_>, is_whole: bool, most: u32) -> Statement {
        let (condition, values) = which.condition();
        let names: Vec<String> = DEAD.iter().map(|own| own.column().name).collect();
        let more = if is_whole { ", payload, history" } else { "" };
        let text = format!(
            "SELECT {}, length(payload) AS payload_bytes{more} FROM stk_delivery WHERE {OURS} AND state = 'dead'{condition} \
             ORDER BY due_at, id LIMIT {most}",
            names.join(", ")
        );
        let mut statement = self.statement(&text, &values, &DEAD);
        statement.columns.push(OutputColumn { name: "payload_bytes".to_owned(), kind: Type::Bigint });
        if is_whole {
            let whole = [delivery::PAYLOAD, delivery::HISTORY].map(Own::column);
            statement.columns.extend(whole.map(|column| OutputColumn { name: column.name, kind: column.kind }));
        }
        statement
    }

    /// The ids of some, the oldest first.
    pub fn dead_ids(&self, which: &Which<'_>, most: u32) -> Statement {
        let (condition, values) = which.condition();
        let text = format!(
            "SELECT id FROM stk_delivery WHERE {OURS} AND state = 'dead'{condition} ORDER BY due_at, id LIMIT {most}"
        );
        self.statement(&text, &values, &[delivery::ID])
    }

    /// Since when the last of them is dead: one row where there are any.
    pub fn last_dead(&self, which: &Which<'_>) -> Statement {
        let (condition, values) = which.condition();
        let text = format!(
            "SELECT due_at FROM stk_delivery WHERE {OURS} AND state = 'dead'{condition} ORDER BY due_at DESC LIMIT 1"
        );
        self.statement(&text, &values, &[delivery::DUE_AT])
    }

    /// How many are kept, up to a bound: one row. They are found by their end, which nothing else has.
    pub fn how_many_dead(&self, now: &Value, most: u32) -> Statement {
        let text = format!(
            "SELECT count(*) AS attempt FROM (SELECT id FROM stk_delivery WHERE expires_at > :now AND {OURS} AND state = 'dead' \
             LIMIT {most}) d"
        );
        let mut statement = self.statement(&text, &[("now".to_owned(), time(now))], &[]);
        statement.columns.push(OutputColumn { name: "attempt".to_owned(), kind: Type::Bigint });
        statement
    }

    /// Lets dead letters be tried again, from the first attempt. They are found by their ids alone, as those that are claimed.
    pub fn replay(&self, ids: &[&str], now: &Value) -> Statement {
        let ids = padded(ids);
        let text = format!(
            "UPDATE stk_delivery SET state = 'pending', claim = NULL, attempt = 0, due_at = :now, expires_at = NULL \
             WHERE id IN ({}) AND state = 'dead'",
            places("i", ids.len())
        );
        self.statement(&text, &named("i", &ids, &[("now", time(now))]), &[])
    }

    /// Removes dead letters.
    pub fn purge(&self, ids: &[&str]) -> Statement {
        let ids = padded(ids);
        let text = format!("DELETE FROM stk_delivery WHERE id IN ({}) AND state = 'dead'", places("i", ids.len()));
        self.statement(&text, &named("i", &ids, &[]), &[])
    }

    /// Dead letters whose time is over, of whichever env: their ids, and whose they are. By their index: nothing else tells a server that has counted no rows
    /// yet that few of them are.
    pub fn expired(&self, now: &Value, most: u32) -> Statement {
        let text = format!(
            "SELECT id, project, env FROM stk_delivery WHERE expires_at <= :now AND state = 'dead' ORDER BY expires_at LIMIT {most}"
        );
        let columns = [delivery::ID, delivery::PROJECT, delivery::ENV];
        self.statement(&text, &[("now".to_owned(), time(now))], &columns)
    }

    /// Removes them; not those that are tried again meanwhile.
    pub fn expire(&self, ids: &[&str], now: &Value) -> Statement {
        let ids = padded(ids);
        let text = format!(
            "DELETE FROM stk_delivery WHERE id IN ({}) AND state = 'dead' AND expires_at <= :now",
            places("i", ids.len())
        );
        self.statement(&text, &named("i", &ids, &[("now", time(now))]), &[])
    }

    /// The ids of those rows that are there, dead or not.
    pub fn still_there(&self, ids: &[&str]) -> Statement {
        let ids = padded(ids);
        let text = format!("SELECT id FROM stk_delivery WHERE id IN ({})", places("i", ids.len()));
        self.statement(&text, &named("i", &ids, &[]), &[delivery::ID])
    }

    /// Removes acknowledgements of what is not there any more. A sweep passes by them: they are shared with nobody.
    pub fn forget_acknowledged(&self, ids: &[&str]) -> Statement {
        let ids = padded(ids);
        let topic = outbox::TOPIC.column().name;
        let text =
            format!("DELETE FROM stk_outbox WHERE id IN ({}) AND {topic} = '{ACKNOWLEDGED}'", places("i", ids.len()));
        self.statement(&text, &named("i", &ids, &[]), &[])
    }
}

impl Which<'_> {
    fn condition(&self) -> (String, Vec<(String, Bound)>) {
        let (mut text, mut values) = (String::new(), Vec::new());
        if !self.ids.is_empty() {
            text = format!(" AND id IN ({})", places("i", self.ids.len()));
            let ids: Vec<&str> = self.ids.iter().map(String::as_str).collect();
            values.extend(named("i", &ids, &[]));
        }
        let mut add = |condition: &str, name: &str, value: Option<Bound>| {
            if let Some(value) = value {
                text.push_str(condition);
                values.push((name.to_owned(), value));
            }
        };
        add(" AND topic = :topic", "topic", self.topic.map(text_of));
        add(" AND subscription = :subscription", "subscription", self.subscription.map(text_of));
        add(" AND due_at >= :since", "since", self.since.as_ref().map(time));
        add(" AND due_at < :until", "until", self.until.as_ref().map(time));
        add(" AND due_at <= :through", "through", self.through.as_ref().map(time));
        add(BEHIND, "after", self.after.map(text_of));
        (text, values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    #[test]
    fn a_list_of_dead_letters_reads_no_payload() {
        let scope = Scope { project: "shop", env: "dev", dialect: Dialect::Postgres };
        let [list, one] = [false, true].map(|is_whole| scope.dead(&Which::default(), is_whole, 9));
        assert!(!list.sql.contains(" payload,") && !list.sql.contains("history"), "{}", list.sql);
        assert!(one.sql.contains(", payload, history FROM"), "{}", one.sql);
        assert_eq!((list.columns.len(), one.columns.len()), (DEAD.len() + 1, DEAD.len() + 3));
    }

    #[test]
    fn what_is_decided_is_said_of_ids_and_of_what_is_still_dead() {
        let scope = Scope { project: "shop", env: "dev", dialect: Dialect::Mysql };
        let now = Value::Typed("timestamp".to_owned(), "2026-01-31T08:00:00.000000Z".to_owned());
        for statement in [scope.replay(&["a", "b", "c"], &now), scope.purge(&["a", "b", "c"])] {
            assert!(statement.sql.ends_with("id IN (?, ?, ?, ?) AND state = 'dead'"), "{}", statement.sql);
        }
        let ids = scope.dead_ids(&Which { after: Some("d"), ..Which::default() }, 9);
        assert_eq!((ids.params.len(), ids.sql.matches('?').count()), (5, 5), "{}", ids.sql);
    }
}
