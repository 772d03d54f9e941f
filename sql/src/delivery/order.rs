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

/// What [`Scope::first_of_keys`] answers.
pub const FIRST: [Own; 2] = [delivery::ORDER_KEY, delivery::ID];

/// Keys of an older form are those of other subscriptions too. As words that lead no index, so that the key does.
const MINE: &str = " AND COALESCE(e.project, '') = :project AND COALESCE(e.env, '') = :env AND COALESCE(e.subscription, '') = :subscription";

const PENDING: &str = "project = :project AND env = :env AND subscription = :subscription AND state = 'pending'";

impl Scope<'_> {
    pub(super) fn of_subscription(
        &self,
        what: &[Own],
        subscription: &str,
        in_order: bool,
        now: &Value,
        most: u32,
    ) -> Statement {
        let columns = columns(what);
        // By one column only: engines sort all that waits for a second one, and read it for that. What came in one turn is taken as the index has it.
        let text = if in_order {
            // The window is of what the index of it has, and nothing of a payload: engines keep it apart.
            format!(
                "SELECT {columns} FROM (SELECT w.id FROM (SELECT id, order_key, due_at FROM stk_delivery WHERE {PENDING} \
                 AND due_at <= :now ORDER BY due_at LIMIT {WINDOW}) w WHERE w.order_key IS NULL OR w.id = {} ORDER BY w.due_at LIMIT {most}) f \
                 JOIN stk_delivery d ON d.id = f.id ORDER BY d.due_at",
                first("w.order_key", MINE)
            )
        } else {
            format!(
                "SELECT {columns} FROM stk_delivery d WHERE {PENDING} AND d.due_at <= :now ORDER BY d.due_at LIMIT {most}"
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
            "SELECT {} FROM stk_delivery d WHERE d.id IN ({}) AND d.state = 'pending' AND d.due_at <= :now ORDER BY d.due_at LIMIT {most}",
            columns(what),
            places("i", ids.len())
        );
        self.statement(&text, &named("i", &ids, &[("now", time(now))]), what)
    }

    /// How many events of a subscription are due, up to [`WINDOW`].
    pub fn due_count(&self, subscription: &str, now: &Value) -> Statement {
        let text = format!(
            "SELECT count(*) AS attempt FROM (SELECT id FROM stk_delivery WHERE {PENDING} AND due_at <= :now ORDER BY due_at LIMIT {WINDOW}) w"
        );
        let values = [("subscription".into(), text_of(subscription)), ("now".into(), time(now))];
        let mut statement = self.statement(&text, &values, &[]);
        statement.columns.push(OutputColumn { name: "attempt".to_owned(), kind: Type::Bigint });
        statement
    }

    /// The first event of each key that is after one, up to another: [`FIRST`], of [`KEYS_MAX`] keys at most. Each key is a probe of the index, however many
    /// events it has. On MySQL it is one key only: MariaDB leads no index by a bound that is of another row, and would read all that is after it.
    pub fn first_of_keys(&self, (after, through): (&str, &str)) -> Statement {
        let next = |after: &str| {
            format!(
                "SELECT e.order_key FROM stk_delivery e WHERE e.order_key > {after} AND e.order_key <= :through \
                 AND e.state = 'pending' ORDER BY e.order_key LIMIT 1"
            )
        };
        let text = if self.dialect == Dialect::Mysql {
            format!("SELECT k.order_key, {} AS id FROM ({}) k", first("k.order_key", ""), next(":after"))
        } else {
            format!(
                "WITH RECURSIVE one_of (order_key, n) AS (SELECT ({}), 1 UNION ALL SELECT ({}), n + 1 FROM one_of \
                 WHERE one_of.order_key IS NOT NULL AND n < {KEYS_MAX}) \
                 SELECT order_key, {} AS id FROM one_of WHERE order_key IS NOT NULL",
                next(":after"),
                next("one_of.order_key"),
                first("one_of.order_key", "")
            )
        };
        let values = [("after", after), ("through", through)].map(|(name, value)| (name.to_owned(), text_of(value)));
        self.statement(&text, &values, &FIRST)
    }
}

/// The one of a key that was published before all others that are not done. A key is of one subscription alone, and leads the index.
fn first(key: &str, mine: &str) -> String {
    format!(
        "(SELECT e.id FROM stk_delivery e WHERE e.order_key = {key} AND e.state = 'pending'{mine} ORDER BY e.published_at, e.event LIMIT 1)"
    )
}

/// Columns of `d`; of payloads those that are small.
fn columns(what: &[Own]) -> String {
    let column = |own: &Own| match format!("d.{}", own.column().name) {
        payload if payload == "d.payload" => small(&payload),
        other => other,
    };
    what.iter().map(column).collect::<Vec<_>>().join(", ")
}
