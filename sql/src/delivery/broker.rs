//! The statements by which events are handed over to a broker, and taken back. A ticket names a row and how many attempts it has had: what it says is
//! true of the row, or the ticket is void.

use santokit_core::{schema::Type, value::Value};

use super::{Bound, DUE, OURS, Own, Scope, Statement, bytes, delivery, named, outbox, places, sharable, text_of, time};

/// In the place of a claim: a broker has it, until it is due again.
pub const HANDED_OVER: &str = "$broker";

/// What [`Scope::waiting`] answers.
pub const WAITING: [Own; 6] =
    [delivery::ID, delivery::EVENT, delivery::ATTEMPT, delivery::CLAIM, delivery::HISTORY, delivery::DUE_AT];

impl Scope<'_> {
    /// How many events each of these subscriptions has that a broker has.
    pub fn out(&self, subscriptions: &[&str], now: &Value) -> Statement {
        self.counted(subscriptions, "claim = :broker", now)
    }

    /// Whether events are there that were not shared yet, up to so many: a row for each.
    pub fn unshared_ids(&self, topics: &[&str], now: &Value, most: u32) -> Statement {
        let text = format!(
            "SELECT id FROM stk_outbox WHERE {OURS} AND shared_at IS NULL AND {} LIMIT {most}",
            sharable(topics)
        );
        self.statement(&text, &named("t", topics, &[("now", time(now))]), &[outbox::ID])
    }

    /// The same, with what a broker is told of them: [`WAITING`].
    pub fn waiting(&self, subscription: &str, in_order: bool, now: &Value, most: u32) -> Statement {
        self.of_subscription(&WAITING, subscription, in_order, now, most)
    }

    /// Says of events that a broker has them, until then; not of those that somebody tries already, or has put off.
    pub fn hand_over(&self, ids: &[&str], now: &Value, until: &Value) -> Statement {
        let text = format!(
            "UPDATE stk_delivery SET claim = :broker, due_at = :until WHERE {OURS} AND id IN ({}) AND state = 'pending' \
             AND (claim IS NULL OR claim = :broker) AND due_at <= :now",
            places("i", ids.len())
        );
        let more = [("broker", text_of(HANDED_OVER)), ("now", time(now)), ("until", time(until))];
        self.statement(&text, &named("i", ids, &more), &[])
    }

    /// Begins the attempt that a ticket is for: of a row that has had others, or that somebody tries, it is void.
    pub fn begin(&self, (id, subscription): (&str, &str), attempts: u32, claim: &str, until: &Value) -> Statement {
        let text = format!(
            "UPDATE stk_delivery SET claim = :claim, attempt = attempt + 1, due_at = :until WHERE {OURS} AND id = :id \
             AND subscription = :subscription AND state = 'pending' AND attempt = :attempts AND (claim IS NULL OR claim = :broker)"
        );
        let values = [
            ("id".into(), text_of(id)),
            ("subscription".into(), text_of(subscription)),
            ("attempts".into(), Bound { kind: Type::Int, value: Value::Int64(attempts.into()) }),
            ("claim".into(), text_of(claim)),
            ("until".into(), time(until)),
            ("broker".into(), text_of(HANDED_OVER)),
        ];
        self.statement(&text, &values, &[])
    }

    /// What was begun: [`DUE`].
    pub fn begun(&self, id: &str, claim: &str) -> Statement {
        let text = "SELECT id, event, topic, subscription, payload, published_at, caused_by, depth, attempt, claim, history \
             FROM stk_delivery WHERE id = :id AND claim = :claim";
        self.statement(text, &[("id".into(), text_of(id)), ("claim".into(), text_of(claim))], &DUE)
    }

    /// Says of an attempt whose claim is over that it was one.
    pub fn unanswered(&self, id: &str, claim: &str, history: &[u8]) -> Statement {
        let head = "UPDATE stk_delivery SET claim = NULL, history = :history";
        self.of_claim(head, id, Some(claim), &[("history".into(), bytes(Some(history)))])
    }

    /// A broker has lost what it had: all of it is due.
    pub fn lost(&self, now: &Value) -> Statement {
        let text = format!(
            "UPDATE stk_delivery SET claim = NULL, due_at = :now WHERE {OURS} AND state = 'pending' AND claim = :broker"
        );
        self.statement(&text, &[("now".into(), time(now)), ("broker".into(), text_of(HANDED_OVER))], &[])
    }
}
