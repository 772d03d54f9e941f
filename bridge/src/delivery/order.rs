//! What of a subscription in order can be tried now. Most looks find it in a window of what is due. Where all of that waits for others, which a key with a
//! long backlog brings about while its first event is tried or put off, the first event of each key is asked for: a look costs as much as there are keys,
//! to a bound, and not as there are events.

use std::{collections::BTreeSet, time::Instant};

use santokit_core::{release::Digest, value::Value};
use santokit_sql::{
    delivery::{KEYS_MAX, Scope, WINDOW},
    statement::Statement,
};
use ulid::Ulid;

use super::{
    rows::{text, whole},
    turn::Turn,
};
use crate::db::{DbError, Session};

/// After every key: they are hexadecimal digits.
const AFTER_ALL: &str = "g";

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

    /// The first event of each key, and events without one, whether they are due or not. Of more keys than a look asks for, others come next time: it
    /// begins anywhere among them.
    async fn heads(
        &self,
        session: &mut Session,
        wanted: Wanted<'_>,
        deadline: Instant,
    ) -> Result<Vec<String>, DbError> {
        let begin = Digest::of(Ulid::new().to_string().as_bytes()).to_string();
        let begin = begin.trim_start_matches("sha256:");
        let mut ids = Vec::new();
        for range in [(begin, AFTER_ALL), ("", begin)] {
            if ids.len() < KEYS_MAX as usize {
                let heads = self.scope(session).first_of_keys(wanted.subscription, range);
                let rows = session.rows(&heads, deadline).await?;
                ids.extend(rows.iter().filter_map(|row| id(row)));
            }
        }
        let keyless = self.scope(session).keyless(wanted.subscription, wanted.now, wanted.most);
        ids.extend(session.rows(&keyless, deadline).await?.iter().filter_map(|row| id(row)));
        Ok(ids)
    }
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
