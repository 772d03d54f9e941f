//! `Idempotency-Key`: a write that is sent again under its key is done once. What it answered is kept in the same transaction, in the
//! table `stk_idempotency` of the same database, for a day.

use std::time::Duration;

use chrono::{DateTime, Utc};
use santokit_core::{
    access::{Actor, predicate::Predicate},
    code::Code,
    problem::{Outcome, Problem},
    release::Digest,
    value::Value,
};
use santokit_sql::{
    dialect::Dialect,
    failure::FailureKind,
    plan::{Cell, Column, Comparison, Condition, Conflict, Insert, OnConflict, Select, Source, Target, Update},
    render,
    schema::bookkeeping::{IDEMPOTENCY as TABLE, Own, idempotency as columns},
};
use serde_json::{Map, Value as Json};

use super::{
    answer::Answer,
    execute::{Runner, generated},
    expired::Expiring,
    value,
};
use crate::db::{DbError, Flow};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_hours(24);

/// Longest key.
pub const KEY_MAX: usize = 255;

const EXPIRING: Expiring = Expiring { table: TABLE, id: columns::ID, expires_at: columns::EXPIRES_AT, after: None };

/// A key, and the call that it is for.
#[derive(Clone, Debug)]
pub struct Remembered {
    id: String,
    project: String,
    env: String,
    actor: String,
    path: String,
    key: String,
    body: String,
}

/// What is known of a key.
#[derive(Debug)]
pub enum Known {
    /// Nothing: the call runs now, and the key is taken.
    New,
    /// The answer from the first time.
    Answered(Answer),
}

impl Remembered {
    /// Of a call. `body` are its params.
    pub fn new(
        (project, env): (&str, &str),
        actor: &Actor,
        path: &str,
        key: &str,
        body: &Map<String, Json>,
    ) -> Outcome<Self> {
        let actor = format!("{}:{}", actor.kind.as_str(), actor.subject.as_deref().unwrap_or_default());
        let body = serde_json::to_vec(body).map_err(Problem::internal)?;
        Ok(Self {
            id: id_of(&[project, env, &actor, path, key]),
            project: project.to_owned(),
            env: env.to_owned(),
            path: path.to_owned(),
            key: key.to_owned(),
            body: hex(&body),
            actor,
        })
    }

    /// Whether a key that was sent can be one: 1 to 255 visible ASCII characters.
    pub fn check_key(key: &[u8]) -> Outcome<String> {
        let is_fine = (1..=KEY_MAX).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
        match String::from_utf8(key.to_vec()) {
            Ok(key) if is_fine => Ok(key),
            _ => Err(Problem::new(
                Code::BadRequest,
                format!("Idempotency-Key must be 1 to {KEY_MAX} visible ASCII characters"),
            )),
        }
    }

    fn row(&self, now: DateTime<Utc>) -> Vec<(Column, Value)> {
        let text = |column: Own, text: &str| (column.column(), Value::Text(text.to_owned()));
        vec![
            text(columns::ID, &self.id),
            text(columns::PROJECT, &self.project),
            text(columns::ENV, &self.env),
            text(columns::ACTOR, &self.actor),
            text(columns::PATH, &self.path),
            text(columns::KEY, &self.key),
            text(columns::BODY_HASH, &self.body),
            text(columns::STATE, "running"),
            (columns::CREATED_AT.column(), value::moment(now)),
            (columns::EXPIRES_AT.column(), value::moment(now + KEPT)),
        ]
    }
}

impl Runner<'_> {
    /// Takes the key, in the open transaction. Another call under the same key is waited for.
    pub async fn remember(&mut self, call: &Remembered, now: DateTime<Utc>) -> Outcome<Known> {
        // What was expired is removed and tried once more.
        for _ in 0..2 {
            if self.take(call, now).await? {
                return Ok(Known::New);
            }
            let Some(found) = self.look(call).await? else { return Err(running()) };
            if found.expires_at.is_none_or(|at| at <= now) {
                let ids = vec![Value::Text(call.id.clone())];
                EXPIRING.remove(self.session, ids, self.deadline).await.map_err(DbError::problem)?;
                continue;
            }
            if found.body != call.body {
                return Err(Problem::new(Code::Conflict, "the Idempotency-Key was used for another request")
                    .hint("take a new key for each new request"));
            }
            return found.answer.map(Known::Answered).ok_or_else(running);
        }
        Err(running())
    }

    /// Keeps the answer, in the same transaction as what it is about.
    pub async fn keep(&mut self, call: &Remembered, answer: &Answer) -> Outcome<()> {
        let update = Update {
            target: target(Condition::Compare(id(), Comparison::Equal, Value::Text(call.id.clone()))),
            set: vec![
                (columns::STATE.column(), Value::Text("done".to_owned())),
                (columns::STATUS.column(), Value::Int64(200)),
                (columns::ANSWER.column(), Value::Bytes(answer.data.clone())),
            ],
            check: Predicate::ALWAYS,
            returning: Vec::new(),
        };
        let statement = generated(|| render::update(&update, self.session.dialect()))?;
        self.each(&statement, &mut |_| Ok(Flow::Continue)).await.map_err(DbError::problem)?;
        Ok(())
    }

    /// One call in sixteen removes some of what has expired. It stands outside of the call's transaction, and its failure is nobody's.
    pub async fn sweep(&mut self, call: &Remembered, now: DateTime<Utc>) {
        // A digest's digits are as good as dice.
        if call.id.starts_with('0')
            && let Err(error) = EXPIRING.sweep(self.session, now, self.deadline).await
        {
            tracing::debug!(error = &error as &dyn std::error::Error, "expired idempotency keys were not removed");
        }
    }

    /// Whether the key was free, and is this call's now.
    async fn take(&mut self, call: &Remembered, now: DateTime<Utc>) -> Outcome<bool> {
        let dialect = self.session.dialect();
        let (columns, values): (Vec<Column>, Vec<Value>) = call.row(now).into_iter().unzip();
        let ignoring = Conflict { columns: vec![id()], action: OnConflict::Ignore };
        let insert = Insert {
            table: TABLE.to_owned(),
            key: id(),
            auto_increment: false,
            columns,
            rows: vec![values.into_iter().map(Cell::Value).collect()],
            // MySQL fails where a key is taken; what came before stays.
            conflict: (dialect != Dialect::Mysql).then_some(ignoring),
            check: Predicate::ALWAYS,
            returning: Vec::new(),
            visible: Predicate::ALWAYS,
            tells_new: false,
        };
        if dialect == Dialect::Mysql {
            self.session.savepoint(0, self.deadline).await.map_err(DbError::problem)?;
        }
        let statements = generated(|| render::insert(&insert, dialect))?;
        let statement = statements.first().ok_or_else(running)?;
        let done = self.each(statement, &mut |_| Ok(Flow::Continue)).await;
        match done {
            Ok(done) if statement.columns.is_empty() => Ok(done.affected > 0),
            Ok(done) => Ok(done.rows > 0),
            Err(error) if error.kind == FailureKind::Unique => {
                self.session.rollback_to(0, self.deadline).await.map_err(DbError::problem)?;
                Ok(false)
            }
            // Somebody else has it for longer than this call can wait.
            Err(error) if error.kind == FailureKind::Interrupted => Err(running()),
            Err(error) => Err(error.problem()),
        }
    }

    async fn look(&mut self, call: &Remembered) -> Outcome<Option<Found>> {
        let filter = Condition::Compare(id(), Comparison::Equal, Value::Text(call.id.clone()));
        let select = Select {
            source: Source { filter, ..Source::of(TABLE, Predicate::ALWAYS) },
            columns: vec![columns::BODY_HASH.column(), columns::ANSWER.column(), columns::EXPIRES_AT.column()],
            distinct: false,
            order: Vec::new(),
            after: None,
            limit: Some(1),
            offset: 0,
        };
        let statement = generated(|| render::select(&select, self.session.dialect()))?;
        let mut found = None;
        self.each(&statement, &mut |row| {
            found = Some((row.value(0)?, row.value(1)?, row.value(2)?));
            Ok(Flow::Continue)
        })
        .await
        .map_err(DbError::problem)?;
        Ok(found.map(|(body, answer, expires_at)| Found {
            body: match body {
                Value::Text(body) => body,
                _ => String::new(),
            },
            answer: match answer {
                // Of a write nothing is said beside its data.
                Value::Bytes(data) => Some(Answer::of(data)),
                _ => None,
            },
            expires_at: match expires_at {
                Value::Typed(_, text) => DateTime::parse_from_rfc3339(&text).ok().map(|at| at.to_utc()),
                _ => None,
            },
        }))
    }
}

/// A row of the table.
struct Found {
    body: String,
    answer: Option<Answer>,
    expires_at: Option<DateTime<Utc>>,
}

/// Another call under the same key runs now.
fn running() -> Box<Problem> {
    Problem::new(Code::Conflict, "a request with the same Idempotency-Key is running")
        .hint("send the same request again a little later")
        .retry_after(Duration::from_secs(1))
}

fn target(filter: Condition) -> Target {
    Target { table: TABLE.to_owned(), key: id(), rule: Predicate::ALWAYS, filter, keys: None }
}

fn id() -> Column {
    columns::ID.column()
}

/// SHA-256 in hex of a list, as an id of a row.
pub(crate) fn id_of(list: &[&str]) -> String {
    let mut parts = String::new();
    for part in list {
        // Its length before it: no two lists of parts are one text.
        parts.push_str(&part.len().to_string());
        parts.push(':');
        parts.push_str(part);
    }
    hex(parts.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    let digest = Digest::of(bytes);
    digest.as_str().rsplit(':').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_calls_share_an_id() {
        let actor = |subject: &str| Actor { subject: Some(subject.to_owned()), ..Actor::anonymous() };
        let body = Map::new();
        let id = |env, subject: &str, path, key| Remembered::new(env, &actor(subject), path, key, &body).unwrap().id;
        let all = [
            id(("a", "bc"), "u", "p", "k"),
            id(("ab", "c"), "u", "p", "k"),
            id(("a", "bc"), "u", "pk", ""),
            id(("a", "bc"), "", "up", "k"),
            id(("a", "bc"), "u1:p", "", "k"),
        ];
        let different: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert!(all.iter().all(|id| id.len() == 64));
    }

    #[test]
    fn a_key_is_short_and_visible() {
        assert!(Remembered::check_key(b"0c5e-1").is_ok());
        for bad in [&b""[..], b"a b", b"\xff", b"a\nb", &[b'x'; 256]] {
            assert!(Remembered::check_key(bad).is_err());
        }
    }
}
