//! What of a subscription in order can be tried now. Most looks find it in a window of what is due. Where all of that waits for others, which a key with a
//! long backlog brings about while its first event is tried or put off, the first event of each key is asked for: a look costs as much as there are keys,
//! to a bound, and not as there are events.

use std::{collections::BTreeSet, time::Instant};

use santokit_core::{release::Digest, value::Value};
use santokit_sql::{
    delivery::{KEYS_MAX, Scope, WINDOW},
    dialect::Dialect,
    statement::Statement,
};
use ulid::Ulid;

use super::{
    rows::{text, whole},
    turn::Turn,
};
use crate::{
    config::EnvName,
    db::{DbError, Session},
};

/// Digits of a key that say whose it is; the others are of what its events have in common.
const PREFIX: usize = 16;

/// Keys that are asked for one by one, where the engine cannot go from one to the next.
const STEPS_MAX: usize = 100;

/// What is asked of rows.
#[derive(Clone, Copy)]
pub(super) enum Asked {
    /// What it takes to try them.
    Due,
    /// What it takes to hand them over to a broker.
    Waiting,
}

/// Of which subscription, and how many.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// What of each.
    pub(super) asked: Asked,
    /// Whose.
    pub(super) subscription: &'a str,
    /// Whether events of one key wait for one another.
    pub(super) in_order: bool,
    /// Those that are due then.
    pub(super) now: &'a Value,
    /// At most.
    pub(super) most: u32,
}

impl Turn<'_> {
    /// Rows that can be tried now, each beginning with its id.
    pub(super) async fn due(
        &self,
        session: &mut Session,
        wanted: Wanted<'_>,
        deadline: Instant,
    ) -> Result<Vec<Vec<Value>>, DbError> {
        let mut rows = session.rows(&wanted.first(self.scope(session)), deadline).await?;
        if !wanted.in_order || rows.len() >= wanted.most as usize {
            return Ok(rows);
        }
        let count = self.scope(session).due_count(wanted.subscription, wanted.now);
        let count = session.rows(&count, deadline).await?.into_iter().next().and_then(|row| row.into_iter().next());
        if count.is_none_or(|count| whole(&count) < WINDOW) {
            return Ok(rows);
        }
        let ids = self.heads(session, wanted, deadline).await?;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        if !ids.is_empty() {
            let found = session.rows(&wanted.among(self.scope(session), &ids), deadline).await?;
            let known: BTreeSet<String> = rows.iter().filter_map(|row| id(row)).collect();
            let others = found.into_iter().filter(|row| id(row).is_some_and(|id| !known.contains(&id)));
            rows.extend(others.take(wanted.most as usize - rows.len()));
        }
        Ok(rows)
    }

    /// The first event of each key, whether it is due or not. Of more keys than a look asks for, others come next time: it begins anywhere among them.
    async fn heads(
        &self,
        session: &mut Session,
        wanted: Wanted<'_>,
        deadline: Instant,
    ) -> Result<Vec<String>, DbError> {
        let keys = self.keys(wanted.subscription);
        let (first, last) = (keys.of_all(), keys.after_all());
        let begin = keys.of(Ulid::new().to_string().as_bytes());
        let mut ids = Vec::new();
        for (after, through) in [(&begin, &last), (&first, &begin)] {
            self.heads_between(session, (after.clone(), through), &mut ids, deadline).await?;
        }
        Ok(ids)
    }

    async fn heads_between(
        &self,
        session: &mut Session,
        (mut after, through): (String, &str),
        ids: &mut Vec<String>,
        deadline: Instant,
    ) -> Result<(), DbError> {
        let most = if session.dialect() == Dialect::Mysql { STEPS_MAX } else { KEYS_MAX as usize };
        while ids.len() < most {
            let heads = self.scope(session).first_of_keys((&after, through));
            let rows = session.rows(&heads, deadline).await?;
            let Some(last) = rows.last().and_then(|row| text(row.first()?.clone())) else { break };
            ids.extend(rows.into_iter().filter_map(|row| text(row.into_iter().nth(1)?)));
            after = last;
        }
        Ok(())
    }

    fn keys(&self, subscription: &str) -> Keys {
        Keys::new(self.env, subscription)
    }
}

/// The keys of one subscription: what of an event its order goes by, hashed. They begin alike, and no other's begin so.
#[derive(Debug)]
pub(super) struct Keys {
    /// Hexadecimal digits.
    prefix: String,
}

impl Keys {
    /// Of a subscription of an env.
    pub(super) fn new(env: &EnvName, subscription: &str) -> Self {
        let whole = format!("{}\0{}\0{subscription}", env.project, env.env);
        Self { prefix: digits(whole.as_bytes(), PREFIX) }
    }

    /// Of one value.
    pub(super) fn of(&self, value: &[u8]) -> String {
        format!("{}{}", self.prefix, digits(value, 64 - PREFIX))
    }

    /// Before every key.
    fn of_all(&self) -> String {
        self.prefix.clone()
    }

    /// After every key: `g` comes after all digits.
    fn after_all(&self) -> String {
        format!("{}g", self.prefix)
    }
}

/// The first digits of a digest.
fn digits(bytes: &[u8], count: usize) -> String {
    Digest::of(bytes).to_string().trim_start_matches("sha256:").chars().take(count).collect()
}

impl Wanted<'_> {
    fn first(self, scope: Scope<'_>) -> Statement {
        match self.asked {
            Asked::Due => scope.due(self.subscription, self.in_order, self.now, self.most),
            Asked::Waiting => scope.waiting(self.subscription, self.in_order, self.now, self.most),
        }
    }

    fn among(self, scope: Scope<'_>, ids: &[&str]) -> Statement {
        match self.asked {
            Asked::Due => scope.due_among(ids, self.now, self.most),
            Asked::Waiting => scope.waiting_among(ids, self.now, self.most),
        }
    }
}

fn id(row: &[Value]) -> Option<String> {
    text(row.first()?.clone())
}
