//! The statements by which events are found that can be tried now. Those of one key are in order, and behind one that is not done there can be any number
//! that are due: no statement reads past all of them. A look goes through a window of what is due; where that holds nothing but what waits for others,
//! the first event of each key is asked for, a key at a time.

use santokit_core::{schema::Type, value::Value};

use super::{
    DUE, Dialect, OutputColumn, Own, Scope, Statement, WAITING, delivery, named, padded, places, small, text_of, time,
};

/// Events that are due, of which a look finds those that wait for no other.
pub const WINDOW: u32 = 500;

/// Keys of which the first event is asked for at once.
pub const KEYS_MAX: u32 = 1_000;

const PENDING: &str = "project = :project AND env = :env AND subscription = :subscription AND state = 'pending'";

/// Whether none that was published before it, with its key, is not done.
const IS_FIRST: &str = "(w.order_key IS NULL OR NOT EXISTS (SELECT 1 FROM stk_delivery e WHERE e.project = :project AND e.env = :env \
     AND e.subscription = :subscription AND e.state = 'pending' AND e.order_key = w.order_key \
     AND (e.published_at < w.published_at OR (e.published_at = w.published_at AND e.event < w.event))))";

impl Scope<'_> {
    pub(super) fn of_subscription(
        &self,
        what: &[Own],
        subscription: &str,
        in_order: bool,
        now: &Value,
        most: u32,
    ) -> Statement {
        let (due, within) = (self.due_order(""), self.due_order("d."));
        let columns = columns(what);
        let text = if in_order {
            // The window is of what the index of it has, and nothing of a payload: engines keep it apart.
            format!(
                "SELECT {columns} FROM (SELECT w.id FROM (SELECT id, order_key, published_at, event, due_at FROM stk_delivery WHERE {PENDING} \
                 AND due_at <= :now ORDER BY {due} LIMIT {WINDOW}) w WHERE {IS_FIRST} ORDER BY {} LIMIT {most}) f \
                 JOIN stk_delivery d ON d.id = f.id ORDER BY {within}",
                self.due_order("w.")
            )
        } else {
            format!(
                "SELECT {columns} FROM stk_delivery d WHERE {PENDING} AND d.due_at <= :now ORDER BY {within} LIMIT {most}"
            )
        };
        let values = [("subscription".into(), text_of(subscription)), ("now".into(), time(now))];
        self.statement(&text, &values, what)
    }

    /// Of these, what can be tried now: [`DUE`].
    pub fn due_among(&self, ids: &[&str], now: &Value, most: u32) -> Statement {
        self.among_ids(&DUE, ids, now, most)
    }

    /// Of these, what can be handed over now: [`WAITING`].
    pub fn waiting_among(&self, ids: &[&str], now: &Value, most: u32) -> Statement {
        self.among_ids(&WAITING, ids, now, most)
    }

    fn among_ids(&self, what: &[Own], ids: &[&str], now: &Value, most: u32) -> Statement {
        let ids = padded(ids);
        let text = format!(
            "SELECT {} FROM stk_delivery d WHERE d.id IN ({}) AND d.state = 'pending' AND d.due_at <= :now ORDER BY {} LIMIT {most}",
            columns(what),
            places("i", ids.len()),
            self.due_order("d.")
        );
        self.statement(&text, &named("i", &ids, &[("now", time(now))]), what)
    }

    /// How many events of a subscription are due, up to [`WINDOW`].
    pub fn due_count(&self, subscription: &str, now: &Value) -> Statement {
        let text = format!(
            "SELECT count(*) AS attempt FROM (SELECT id FROM stk_delivery WHERE {PENDING} AND due_at <= :now LIMIT {WINDOW}) w"
        );
        let values = [("subscription".into(), text_of(subscription)), ("now".into(), time(now))];
        let mut statement = self.statement(&text, &values, &[]);
        statement.columns.push(OutputColumn { name: "attempt".to_owned(), kind: Type::Bigint });
        statement
    }

    /// The first event of each key that is after one, up to another: their ids, of [`KEYS_MAX`] keys at most. Each key is a probe of the index, however
    /// many events it has.
    pub fn first_of_keys(&self, subscription: &str, (after, through): (&str, &str)) -> Statement {
        let of = "e.project = :project AND e.env = :env AND e.subscription = :subscription AND e.state = 'pending'";
        // Not `min()`: where its bound is of another row, MariaDB reads all that is after it.
        let next = |after: &str| {
            format!(
                "(SELECT e.order_key FROM stk_delivery e WHERE {of} AND e.order_key > {after} AND e.order_key <= :through \
                 ORDER BY e.order_key LIMIT 1)"
            )
        };
        let text = format!(
            "WITH RECURSIVE one_of (order_key, n) AS (SELECT {}, 1 UNION ALL SELECT {}, n + 1 FROM one_of \
             WHERE one_of.order_key IS NOT NULL AND n < {KEYS_MAX}) \
             SELECT (SELECT e.id FROM stk_delivery e WHERE {of} AND e.order_key = one_of.order_key ORDER BY e.published_at, e.event LIMIT 1) AS id \
             FROM one_of WHERE one_of.order_key IS NOT NULL",
            next(":after"),
            next("one_of.order_key")
        );
        let values = [("subscription", subscription), ("after", after), ("through", through)];
        let values = values.map(|(name, value)| (name.to_owned(), text_of(value)));
        self.statement(&text, &values, &[delivery::ID])
    }

    /// Events of a subscription that are due and in no order: their ids.
    pub fn keyless(&self, subscription: &str, now: &Value, most: u32) -> Statement {
        let text = format!(
            "SELECT id FROM stk_delivery WHERE {PENDING} AND order_key IS NULL AND due_at <= :now LIMIT {most}"
        );
        let values = [("subscription".into(), text_of(subscription)), ("now".into(), time(now))];
        self.statement(&text, &values, &[delivery::ID])
    }

    /// What is due longest comes first. MySQL would sort all that waits for a second column, and read it for that. Of those that came in one turn it takes
    /// the first by their ids.
    fn due_order(&self, of: &str) -> String {
        match self.dialect {
            Dialect::Mysql => format!("{of}due_at"),
            Dialect::Sqlite | Dialect::Postgres => format!("{of}due_at, {of}published_at, {of}event"),
        }
    }
}

/// Columns of `d`; of payloads those that are small.
fn columns(what: &[Own]) -> String {
    let column = |own: &Own| match format!("d.{}", own.column().name) {
        payload if payload == "d.payload" => small(&payload),
        other => other,
    };
    what.iter().map(column).collect::<Vec<_>>().join(", ")
}
