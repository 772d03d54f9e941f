//! The statements about objects that rows have let go: what is written in the transaction of the rows, and what a Bridge says of an object while it
//! removes it. Fixed texts: only how many values a list has and a number of rows differ; values are bound.

use santokit_core::{schema::Type, value::Value};

use crate::{
    delivery::{Scope, named, places, text_of, time},
    dialect::Dialect,
    schema::bookkeeping::{Own, dropped},
    statement::{Bound, Statement},
};

/// What [`Scope::dropped`] answers.
pub const DUE: [Own; 4] = [dropped::ID, dropped::OBJECT, dropped::ATTEMPT, dropped::DROPPED_AT];

/// Objects in one statement.
pub const DROPPED_MAX: usize = 200;

/// An object that a row has let go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dropped {
    /// SHA-256 in hex of whose, which bucket and which key.
    pub id: String,
    /// As the project calls it.
    pub bucket: String,
    /// Its key.
    pub object: String,
}

impl Scope<'_> {
    /// Keeps that rows have let these go, at most [`DROPPED_MAX`]. What was kept already, and what somebody tries already, begins anew.
    pub fn drop_objects(&self, objects: &[Dropped], now: &Value) -> Statement {
        let rows: Vec<String> = (0..objects.len())
            .map(|at| format!("(:i{at}, :project, :env, :b{at}, :o{at}, 0, :now, NULL, NULL, :now)"))
            .collect();
        let again = match self.dialect {
            Dialect::Mysql => {
                "ON DUPLICATE KEY UPDATE due_at = VALUES(due_at), claim = NULL, error = NULL, dropped_at = VALUES(dropped_at)"
            }
            Dialect::Sqlite | Dialect::Postgres => {
                "ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, claim = NULL, error = NULL, dropped_at = excluded.dropped_at"
            }
        };
        let text = format!(
            "INSERT INTO stk_dropped (id, project, env, bucket, object, attempt, due_at, claim, error, dropped_at) VALUES {} {again}",
            rows.join(", ")
        );
        let of = |at: usize, object: &Dropped| {
            let bound = |prefix: &str, value: &str| (format!("{prefix}{at}"), text_of(value));
            [bound("i", &object.id), bound("b", &object.bucket), bound("o", &object.object)]
        };
        let mut values: Vec<(String, Bound)> =
            objects.iter().enumerate().flat_map(|(at, object)| of(at, object)).collect();
        values.push(("now".to_owned(), time(now)));
        self.statement(&text, &values, &[])
    }

    /// A row names them again: they are not let go. What somebody tries already stays.
    pub fn keep_objects(&self, ids: &[&str]) -> Statement {
        let text = format!("DELETE FROM stk_dropped WHERE claim IS NULL AND id IN ({})", places("i", ids.len()));
        self.statement(&text, &named("i", ids, &[]), &[])
    }

    /// Which of them somebody tries: a row where one is.
    pub fn going_objects(&self, ids: &[&str]) -> Statement {
        let text = format!("SELECT id FROM stk_dropped WHERE id IN ({}) LIMIT 1", places("i", ids.len()));
        self.statement(&text, &named("i", ids, &[]), &[dropped::ID])
    }

    /// What can be tried of a bucket now: [`DUE`].
    pub fn dropped(&self, bucket: &str, now: &Value, most: u32) -> Statement {
        let text = format!(
            "SELECT id, object, attempt, dropped_at FROM stk_dropped WHERE project = :project AND env = :env AND bucket = :bucket \
             AND due_at <= :now ORDER BY due_at LIMIT {most}"
        );
        self.statement(&text, &[("bucket".into(), text_of(bucket)), ("now".into(), time(now))], &DUE)
    }

    /// Begins an attempt; no row where somebody else has begun one.
    pub fn claim_object(&self, id: &str, claim: &str, (now, until): (&Value, &Value)) -> Statement {
        let text = "UPDATE stk_dropped SET claim = :claim, attempt = attempt + 1, due_at = :until WHERE id = :id AND due_at <= :now";
        let values = [
            ("id".into(), text_of(id)),
            ("claim".into(), text_of(claim)),
            ("now".into(), time(now)),
            ("until".into(), time(until)),
        ];
        self.statement(text, &values, &[])
    }

    /// It is gone, or is named again. A row that was let go anew meanwhile stays.
    pub fn forget_object(&self, id: &str, claim: &str) -> Statement {
        let text = "DELETE FROM stk_dropped WHERE id = :id AND claim = :claim";
        self.statement(text, &[("id".into(), text_of(id)), ("claim".into(), text_of(claim))], &[])
    }

    /// Says when it is tried again, and why.
    pub fn later_object(&self, id: &str, claim: &str, due: &Value, error: &str) -> Statement {
        let text =
            "UPDATE stk_dropped SET claim = NULL, due_at = :due, error = :error WHERE id = :id AND claim = :claim";
        let values = [
            ("id".into(), text_of(id)),
            ("claim".into(), text_of(claim)),
            ("due".into(), time(due)),
            ("error".into(), text_of(error)),
        ];
        self.statement(text, &values, &[])
    }

    /// How many of a bucket wait, and since when the first does.
    pub fn waiting_objects(&self, bucket: &str) -> Statement {
        let text = "SELECT count(*) AS attempt, min(dropped_at) AS dropped_at, max(error) AS error FROM stk_dropped \
             WHERE project = :project AND env = :env AND bucket = :bucket";
        let mut statement = self.statement(
            text,
            &[("bucket".into(), text_of(bucket))],
            &[dropped::ATTEMPT, dropped::DROPPED_AT, dropped::ERROR],
        );
        statement.columns[0].kind = Type::Bigint;
        statement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_of_every_statement_has_its_value() {
        let now = Value::Typed("timestamp".to_owned(), "2026-01-31T08:00:00.000000Z".to_owned());
        let object = |id: &str| Dropped { id: id.to_owned(), bucket: "b".to_owned(), object: "it's".to_owned() };
        for dialect in Dialect::ALL {
            let scope = Scope { project: "shop", env: "dev", dialect: *dialect };
            for statement in [
                scope.drop_objects(&[object("1"), object("2")], &now),
                scope.keep_objects(&["1", "2"]),
                scope.going_objects(&["1"]),
                scope.dropped("b", &now, 9),
                scope.claim_object("1", "c", (&now, &now)),
                scope.forget_object("1", "c"),
                scope.later_object("1", "c", &now, "error"),
                scope.waiting_objects("b"),
            ] {
                let is_null = |bound: &&Bound| bound.value == Value::Null;
                assert_eq!(statement.params.iter().find(is_null), None, "{}", statement.sql);
                assert!(!statement.sql.contains("it's") && !statement.sql.contains(':'), "{}", statement.sql);
            }
        }
    }
}
