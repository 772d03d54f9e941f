//! The statements by which Bridges share events among subscriptions, claim them and say what became of them. Fixed texts: only how many names a list
//! has and a number of rows differ; values are bound. All that they need of an engine is a transaction.

use santokit_core::{schema::Type, value::Value};

use crate::{
    binding::BoundStatement,
    dialect::Dialect,
    schema::bookkeeping::{Own, delivery, outbox},
    statement::{Bound, OutputColumn, Statement},
};

mod broker;
mod dead;
mod given;
mod order;

pub use broker::{HANDED_OVER, WAITING};
pub use dead::{DEAD, Which};
pub use order::{FIRST, KEYS_MAX, WINDOW};

/// Of which project and env.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The project's name.
    pub project: &'a str,
    /// The env's name.
    pub env: &'a str,
    /// Which SQL is spoken.
    pub dialect: Dialect,
}

/// The name under which acknowledgements are kept beside events.
pub const ACKNOWLEDGED: &str = "$ack";

/// The name under which marks of what is done once are kept beside events.
pub const ONCE: &str = "$once";

/// What [`Scope::unshared`] answers.
pub const UNSHARED: [Own; 8] = [
    outbox::ID,
    outbox::TOPIC,
    outbox::PAYLOAD,
    outbox::PUBLISHED_AT,
    outbox::PUBLISHED_BY,
    outbox::CAUSED_BY,
    outbox::DEPTH,
    outbox::EXPIRES_AT,
];

/// What [`Scope::due`] answers.
pub const DUE: [Own; 11] = [
    delivery::ID,
    delivery::EVENT,
    delivery::TOPIC,
    delivery::SUBSCRIPTION,
    delivery::PAYLOAD,
    delivery::PUBLISHED_AT,
    delivery::CAUSED_BY,
    delivery::DEPTH,
    delivery::ATTEMPT,
    delivery::CLAIM,
    delivery::HISTORY,
];

/// What [`Scope::orphaned`] answers.
pub const ORPHANED: [Own; 6] =
    [delivery::ID, delivery::EVENT, delivery::SUBSCRIPTION, delivery::ATTEMPT, delivery::CLAIM, delivery::HISTORY];

/// Bytes of a payload that is read with its row. One that has more is asked for by itself, so that a hundred rows are no hundred megabytes.
pub const PAYLOAD_INLINE_MAX: usize = 64 << 10;

/// Selects that are written one after the other.
const TERMS_MAX: usize = 100;

/// A history of no attempts.
const NO_ATTEMPTS: &[u8] = b"[]";

const OURS: &str = "project = :project AND env = :env";

impl Scope<'_> {
    /// Whether there is something to do for these subscriptions: one row where there is, with what is to be done.
    pub fn is_there(&self, topics: &[&str], subscriptions: &[&str], now: &Value) -> Statement {
        let text = format!(
            "SELECT id FROM stk_outbox WHERE {OURS} AND shared_at IS NULL AND {} UNION ALL SELECT id FROM stk_delivery WHERE {OURS} \
             AND {} AND state = 'pending' AND due_at <= :now LIMIT 1",
            sharable(topics),
            among("s", subscriptions)
        );
        let mut values = named("t", topics, &[("now", time(now))]);
        values.extend(named("s", subscriptions, &[]));
        self.statement(&text, &values, &[outbox::ID])
    }

    /// When the next of what waits for these subscriptions is due: one row where there is any.
    pub fn next_due(&self, subscriptions: &[&str], now: &Value) -> Statement {
        let next = |place: &str| {
            format!(
                "SELECT (SELECT due_at FROM stk_delivery WHERE {OURS} AND subscription = {place} AND state = 'pending' AND due_at > :now \
                 ORDER BY due_at LIMIT 1) AS due_at"
            )
        };
        let text = match subscriptions.len() {
            0 => "SELECT due_at FROM stk_delivery WHERE 1 = 0".to_owned(),
            count => {
                format!(
                    "SELECT due_at FROM ({}) n WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1",
                    each(count, "due_at", next)
                )
            }
        };
        self.statement(&text, &named("s", subscriptions, &[("now", time(now))]), &[delivery::DUE_AT])
    }

    /// Tells whoever listens on a channel of PostgreSQL.
    pub fn tell(&self, channel: &str, word: &str) -> Statement {
        let values = [("channel".into(), text_of(channel)), ("word".into(), text_of(word))];
        self.statement("SELECT pg_notify(:channel, :word)", &values, &[])
    }

    /// Takes the turn, which ends with the transaction. Where nobody has had it, no row is touched.
    pub fn take_turn(&self, id: &str, holder: &str, now: &Value) -> Statement {
        let text = format!("UPDATE stk_turn SET holder = :holder, taken_at = :now WHERE id = :id{}", self.relaxed());
        self.statement(
            &text,
            &[("holder".into(), text_of(holder)), ("now".into(), time(now)), ("id".into(), text_of(id))],
            &[],
        )
    }

    /// The first turn.
    pub fn first_turn(&self, id: &str, holder: &str, now: &Value) -> Statement {
        let text = "INSERT INTO stk_turn (id, holder, taken_at) VALUES (:id, :holder, :now)";
        self.statement(
            text,
            &[("holder".into(), text_of(holder)), ("now".into(), time(now)), ("id".into(), text_of(id))],
            &[],
        )
    }

    /// Events that were not shared yet, of these topics or past their time: [`UNSHARED`], in order. Where a payload is large there is none of it:
    /// [`Scope::event_payload`].
    pub fn unshared(&self, topics: &[&str], now: &Value, most: u32) -> Statement {
        let text = format!(
            "SELECT id, topic, {}, published_at, published_by, caused_by, depth, expires_at FROM stk_outbox WHERE {OURS} \
             AND shared_at IS NULL AND {} ORDER BY published_at, id LIMIT {most}",
            small("payload"),
            sharable(topics)
        );
        self.statement(&text, &named("t", topics, &[("now", time(now))]), &UNSHARED)
    }

    /// The payload of an event.
    pub fn event_payload(&self, id: &str) -> Statement {
        let text = "SELECT payload FROM stk_outbox WHERE id = :id";
        self.statement(text, &[("id".into(), text_of(id))], &[outbox::PAYLOAD])
    }

    /// The payload of what a subscription is given.
    pub fn payload(&self, id: &str) -> Statement {
        let text = "SELECT payload FROM stk_delivery WHERE id = :id";
        self.statement(text, &[("id".into(), text_of(id))], &[delivery::PAYLOAD])
    }

    /// Marks are nobody's to share. Said of those that are not shared yet, so that nobody reads past them for as long as they stand.
    pub fn marks(&self, now: &Value) -> Statement {
        let text =
            format!("UPDATE stk_outbox SET shared_at = :now WHERE {OURS} AND shared_at IS NULL AND topic = '{ONCE}'");
        self.statement(&text, &[("now".into(), time(now))], &[])
    }

    /// Says of events that they were shared. Found by their ids alone: told of the env as well, PostgreSQL reads all that the env has kept, a hundred times as long.
    pub fn shared(&self, ids: &[&str], now: &Value) -> Statement {
        let ids = padded(ids);
        let text = format!("UPDATE stk_outbox SET shared_at = :now WHERE id IN ({})", places("i", ids.len()));
        self.statement(&text, &named("i", &ids, &[("now", time(now))]), &[])
    }

    /// How many events each of these subscriptions has that are being handled.
    pub fn claimed(&self, subscriptions: &[&str], now: &Value) -> Statement {
        self.counted(subscriptions, "claim IS NOT NULL AND claim <> :broker", now)
    }

    /// Each subscription by itself: with all of them in one list, PostgreSQL reads what every other one has as well.
    fn counted(&self, subscriptions: &[&str], which: &str, now: &Value) -> Statement {
        let of = |place: &str| {
            format!(
                "SELECT {place} AS subscription, (SELECT count(*) FROM stk_delivery WHERE {OURS} AND subscription = {place} \
                 AND state = 'pending' AND {which} AND due_at > :now) AS attempt"
            )
        };
        let text = match subscriptions.len() {
            0 => "SELECT subscription, attempt FROM stk_delivery WHERE 1 = 0".to_owned(),
            count => each(count, "subscription, attempt", of),
        };
        let values = named("s", subscriptions, &[("now", time(now)), ("broker", text_of(HANDED_OVER))]);
        let mut statement = self.statement(&text, &values, &[delivery::SUBSCRIPTION]);
        statement.columns.push(OutputColumn { name: "attempt".to_owned(), kind: Type::Bigint });
        statement
    }

    /// Events of a subscription that can be tried now: [`DUE`]. Where they are in order, none of which an earlier one with its key is not done, of the first
    /// [`WINDOW`]. Where a payload is large there is none of it: [`Scope::payload`].
    pub fn due(&self, subscription: &str, in_order: bool, now: &Value, most: u32) -> Statement {
        self.of_subscription(&DUE, subscription, in_order, now, most)
    }

    /// The subscription that has rows and comes after one: to go from one to the next reads as many rows as there are subscriptions.
    pub fn next_subscription(&self, after: &str) -> Statement {
        let text = format!(
            "SELECT subscription FROM stk_delivery WHERE {OURS} AND subscription > :after ORDER BY subscription LIMIT 1"
        );
        self.statement(&text, &[("after".into(), text_of(after))], &[delivery::SUBSCRIPTION])
    }

    /// Events of a subscription at which no Bridge has worked since then: [`ORPHANED`]. Where one of them is due later than that, a Bridge that knows the
    /// subscription has shared it, tries it or has put it off, and the others wait for their turn there.
    pub fn orphaned(&self, subscription: &str, since: &Value, most: u32) -> Statement {
        let of = |alias: &str| {
            format!(
                "{alias}.project = :project AND {alias}.env = :env AND {alias}.subscription = :subscription AND {alias}.state = 'pending'"
            )
        };
        let text = format!(
            "SELECT d.id, d.event, d.subscription, d.attempt, d.claim, d.history FROM stk_delivery d WHERE {} AND d.due_at <= :now \
             AND (SELECT l.due_at FROM stk_delivery l WHERE {} ORDER BY l.due_at DESC LIMIT 1) <= :now ORDER BY d.due_at LIMIT {most}",
            of("d"),
            of("l")
        );
        self.statement(&text, &[("subscription".into(), text_of(subscription)), ("now".into(), time(since))], &ORPHANED)
    }

    /// Begins an attempt.
    pub fn claim(&self, id: &str, claim: &str, until: &Value, history: Option<&[u8]>) -> Statement {
        let text = "UPDATE stk_delivery SET claim = :claim, attempt = attempt + 1, due_at = :until, history = :history WHERE id = :id";
        let values = [
            ("id".into(), text_of(id)),
            ("claim".into(), text_of(claim)),
            ("until".into(), time(until)),
            ("history".into(), bytes(history)),
        ];
        self.statement(text, &values, &[])
    }

    /// Begins an attempt of each, by one claim; by their ids alone, as they are said to be shared.
    pub fn claim_all(&self, ids: &[&str], claim: &str, until: &Value) -> Statement {
        let ids = padded(ids);
        let text = format!(
            "UPDATE stk_delivery SET claim = :claim, attempt = attempt + 1, due_at = :until WHERE id IN ({})",
            places("i", ids.len())
        );
        self.statement(&text, &named("i", &ids, &[("claim", text_of(claim)), ("until", time(until))]), &[])
    }

    /// Whether an event was acknowledged: a row where it was.
    pub fn acknowledged(&self, id: &str) -> Statement {
        self.statement("SELECT id FROM stk_outbox WHERE id = :id", &[("id".into(), text_of(id))], &[outbox::ID])
    }

    /// Ends what is handled, for who claims it.
    pub fn done(&self, id: &str, claim: Option<&str>) -> Statement {
        self.of_claim("DELETE FROM stk_delivery", id, claim, &[])
    }

    /// Ends what is handled, in one statement, for who claims it: one of these claims. They need not be in pairs: what has another of them is tried
    /// again by who has handled it, and handled it is.
    pub fn all_done(&self, ids: &[&str], claims: &[&str]) -> Statement {
        let (ids, claims) = (padded(ids), padded(claims));
        let text = format!(
            "DELETE FROM stk_delivery WHERE id IN ({}) AND state = 'pending' AND claim IN ({}){}",
            places("i", ids.len()),
            places("c", claims.len()),
            self.relaxed()
        );
        let mut values = named("i", &ids, &[]);
        values.extend(named("c", &claims, &[]));
        self.statement(&text, &values, &[])
    }

    /// Says when it is tried again.
    pub fn again(&self, id: &str, claim: &str, due: &Value, (error, history): (&str, &[u8])) -> Statement {
        let head = "UPDATE stk_delivery SET claim = NULL, due_at = :due, error = :error, history = :history";
        let values =
            [("due".into(), time(due)), ("error".into(), text_of(error)), ("history".into(), bytes(Some(history)))];
        self.of_claim(head, id, Some(claim), &values)
    }

    /// Gives a claim back as if the attempt had not begun. Its history, though empty, says that there was one: it can have been whole.
    pub fn give_back(&self, id: &str, claim: &str, due: &Value) -> Statement {
        let head = "UPDATE stk_delivery SET claim = NULL, due_at = :due, attempt = attempt - 1, history = COALESCE(history, :history)";
        let values = [("due".into(), time(due)), ("history".into(), bytes(Some(NO_ATTEMPTS)))];
        self.of_claim(head, id, Some(claim), &values)
    }

    /// Makes it a dead letter.
    pub fn bury(
        &self,
        id: &str,
        claim: Option<&str>,
        (now, expires): (&Value, &Value),
        (error, history): (&str, &[u8]),
    ) -> Statement {
        let head = "UPDATE stk_delivery SET state = 'dead', claim = NULL, due_at = :due, expires_at = :expires, error = :error, \
             history = :history";
        let values = [
            ("due".into(), time(now)),
            ("expires".into(), time(expires)),
            ("error".into(), text_of(error)),
            ("history".into(), bytes(Some(history))),
        ];
        self.of_claim(head, id, claim, &values)
    }

    /// A change of a row, by who claims it; of one that nobody claims where `claim` is none.
    fn of_claim(&self, head: &str, id: &str, claim: Option<&str>, more: &[(String, Bound)]) -> Statement {
        let mine = if claim.is_some() { " AND claim = :claim" } else { "" };
        let text = format!("{head} WHERE id = :id AND state = 'pending'{mine}");
        let mut values = vec![("id".to_owned(), text_of(id))];
        values.extend(claim.map(|claim| ("claim".to_owned(), text_of(claim))));
        values.extend(more.iter().cloned());
        self.statement(&text, &values, &[])
    }

    /// At the end of a statement that changes rows: the transaction that it is in need not be on disk when its commit is answered. All that a lost one costs is
    /// that the same is done again, and what others write to be kept is kept with what was written before it.
    fn relaxed(&self) -> &'static str {
        match self.dialect {
            Dialect::Postgres => " RETURNING set_config('synchronous_commit', 'off', true)",
            Dialect::Sqlite | Dialect::Mysql => "",
        }
    }

    pub(crate) fn statement(&self, text: &str, values: &[(String, Bound)], columns: &[Own]) -> Statement {
        let bound = BoundStatement::new(text, self.dialect);
        let value = |name: &String| match name.as_str() {
            "project" => text_of(self.project),
            "env" => text_of(self.env),
            name => {
                let found = values.iter().find(|(known, _)| known == name);
                found.map_or(Bound { kind: Type::String, value: Value::Null }, |(_, bound)| bound.clone())
            }
        };
        let columns = columns.iter().map(|own| own.column());
        Statement {
            params: bound.names.iter().map(value).collect(),
            sql: bound.sql,
            columns: columns.map(|column| OutputColumn { name: column.name, kind: column.kind }).collect(),
        }
    }
}

/// Events that this release has subscriptions for, or that nobody will ask for any more. Acknowledgements are neither.
fn sharable(topics: &[&str]) -> String {
    match topics.len() {
        0 => format!("expires_at <= :now AND topic <> '{ACKNOWLEDGED}'"),
        count => format!("(topic IN ({}) OR (expires_at <= :now AND topic <> '{ACKNOWLEDGED}'))", places("t", count)),
    }
}

/// A payload that is small; NULL where it is not.
fn small(column: &str) -> String {
    format!("CASE WHEN length({column}) <= {PAYLOAD_INLINE_MAX} THEN {column} END AS payload")
}

/// A subscription that is among these.
fn among(prefix: &str, names: &[&str]) -> String {
    match names.len() {
        0 => "1 = 0".to_owned(),
        count => format!("subscription IN ({})", places(prefix, count)),
    }
}

/// What is asked of each subscription, one after the other. SQLite takes 500 in one; of more they are many in many.
fn each(count: usize, columns: &str, asked: impl Fn(&str) -> String) -> String {
    let terms: Vec<String> = (0..count).map(|number| asked(&format!(":s{number}"))).collect();
    if count <= TERMS_MAX {
        return terms.join(" UNION ALL ");
    }
    let some = terms.chunks(TERMS_MAX).map(|some| format!("SELECT {columns} FROM ({}) g", some.join(" UNION ALL ")));
    some.collect::<Vec<_>>().join(" UNION ALL ")
}

/// As many as the next power of two, the last one again and again: a connection keeps what it has prepared by the text, and how many there are differs each time.
fn padded<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let more = names.len().next_power_of_two() - names.len();
    names.iter().copied().chain(names.last().copied().into_iter().cycle().take(more)).collect()
}

/// `:t0, :t1, …`
pub(crate) fn places(prefix: &str, count: usize) -> String {
    (0..count).map(|number| format!(":{prefix}{number}")).collect::<Vec<_>>().join(", ")
}

pub(crate) fn named(prefix: &str, names: &[&str], more: &[(&str, Bound)]) -> Vec<(String, Bound)> {
    let names = names.iter().enumerate().map(|(number, name)| (format!("{prefix}{number}"), text_of(name)));
    names.chain(more.iter().map(|(name, bound)| ((*name).to_owned(), bound.clone()))).collect()
}

pub(crate) fn text_of(text: &str) -> Bound {
    Bound { kind: Type::String, value: Value::Text(text.to_owned()) }
}

pub(crate) fn time(value: &Value) -> Bound {
    Bound { kind: Type::Timestamp, value: value.clone() }
}

fn bytes(bytes: Option<&[u8]>) -> Bound {
    Bound { kind: Type::Bytes, value: bytes.map_or(Value::Null, |bytes| Value::Bytes(bytes.to_vec())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Value {
        Value::Typed("timestamp".to_owned(), "2026-01-31T08:00:00.000000Z".to_owned())
    }

    #[test]
    fn lists_have_few_lengths_and_no_other_names() {
        let names: Vec<String> = (0..100).map(|number| format!("n{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let of = |count: usize| padded(&names[..count]);
        assert_eq!((of(1).len(), of(3).len(), of(64).len(), of(65).len(), of(100).len()), (1, 4, 64, 128, 128));
        assert_eq!((of(3)[3], of(100)[99], of(100)[127]), ("n2", "n99", "n99"));
    }

    fn of_dead(scope: &Scope<'_>) -> [Statement; 11] {
        let ids = ["d1".to_owned(), "it's".to_owned()];
        let which = Which {
            ids: &ids,
            topic: Some("t"),
            subscription: Some("s"),
            since: Some(now()),
            until: Some(now()),
            through: Some(now()),
            after: Some("d0"),
        };
        [
            scope.dead(&which, false, 9),
            scope.dead(&which, true, 9),
            scope.dead_ids(&which, 9),
            scope.last_dead(&which),
            scope.replay(&["d", "e", "it's"], &now()),
            scope.purge(&["d"]),
            scope.expired(&now(), 9),
            scope.expire(&["d", "e", "it's"], &now()),
            scope.still_there(&["d"]),
            scope.forget_acknowledged(&["a"]),
            scope.how_many_dead(&now(), 9),
        ]
    }

    #[test]
    fn every_placeholder_of_every_statement_has_its_value() {
        for dialect in Dialect::ALL {
            let scope = Scope { project: "shop", env: "dev", dialect: *dialect };
            let said = ("error", &b"[]"[..]);
            for statement in [
                scope.is_there(&["a", "b"], &["s"], &now()),
                scope.is_there(&[], &[], &now()),
                scope.next_due(&["s"], &now()),
                scope.tell("c", "w"),
                scope.take_turn("t", "b", &now()),
                scope.first_turn("t", "b", &now()),
                scope.marks(&now()),
                scope.unshared(&[], &now(), 9),
                scope.unshared(&["a"], &now(), 9),
                scope.shared(&["e"], &now()),
                scope.event_payload("e"),
                scope.payload("d"),
                scope.give(&["e", "f", "it's"], "s", Some(("c", &now())), &now()),
                scope.claimed(&["s"], &now()),
                scope.out(&["s"], &now()),
                scope.all_done(&["d", "e", "it's"], &["c"]),
                scope.unshared_ids(&["a"], &now(), 9),
                scope.waiting("s", true, &now(), 9),
                scope.hand_over(&["d"], &now(), &now()),
                scope.begin(("d", "s"), 1, "c", &now()),
                scope.begun("d", "c"),
                scope.unanswered("d", "c", b"[]"),
                scope.lost(&now()),
                scope.let_go(&["s"], &now()),
                scope.let_go(&[], &now()),
                scope.due("s", true, &now(), 9),
                scope.due("s", false, &now(), 9),
                scope.due_among(&["d", "e", "it's"], &now(), 9),
                scope.waiting_among(&["d"], &now(), 9),
                scope.due_count("s", &now()),
                scope.first_of_keys(("a", "b")),
                scope.next_subscription("s"),
                scope.orphaned("s", &now(), 9),
                scope.claim("d", "c", &now(), Some(b"[]")),
                scope.claim_all(&["d"], "c", &now()),
                scope.acknowledged("a"),
                scope.done("d", Some("c")),
                scope.again("d", "c", &now(), said),
                scope.give_back("d", "c", &now()),
                scope.bury("d", None, (&now(), &now()), said),
            ]
            .into_iter()
            .chain(of_dead(&scope))
            {
                let is_null = |bound: &&Bound| bound.value == Value::Null;
                assert_eq!(statement.params.iter().find(is_null), None, "{}", statement.sql);
                // Between an event and its subscription stands one.
                let sql = statement.sql.replace("':'", "");
                assert!(!sql.contains("it's") && !sql.contains(':'), "{}", statement.sql);
            }
        }
    }
}
