//! Rows of the platform's own whose time has come. They go in small portions, where somebody is at work in the same table anyway: no task
//! of a Bridge's looks for them, and a portion holds nobody up.

use std::time::Instant;

use chrono::{DateTime, Utc};
use santokit_core::{access::predicate::Predicate, value::Value};
use santokit_sql::{
    plan::{Comparison, Condition, Delete, Select, Source, Target},
    render,
    schema::bookkeeping::Own,
};

use super::value::moment;
use crate::db::{DbError, Session};

/// Rows that are removed at once.
const SWEPT_MAX: u64 = 50;

/// A table, its key, and the column that says from when on a row may go.
#[derive(Clone, Copy, Debug)]
pub struct Expiring {
    /// Its name.
    pub table: &'static str,
    /// Its primary key.
    pub id: Own,
    /// A timestamp.
    pub expires_at: Own,
    /// What a row must have before it may go, if it must have something.
    pub after: Option<Own>,
}

impl Expiring {
    /// Removes some of what has expired; how many rows.
    pub async fn sweep(self, session: &mut Session, now: DateTime<Utc>, deadline: Instant) -> Result<u64, DbError> {
        let expired = Condition::Compare(self.expires_at.column(), Comparison::LessOrEqual, moment(now));
        let after = self.after.map(|own| Condition::Not(Box::new(Condition::IsNull(own.column()))));
        let filter = Condition::All(std::iter::once(expired).chain(after).collect());
        let select = Select {
            source: Source { filter, ..Source::of(self.table, Predicate::ALWAYS) },
            columns: vec![self.id.column()],
            distinct: false,
            order: Vec::new(),
            after: None,
            limit: Some(SWEPT_MAX),
            offset: 0,
        };
        let Ok(statement) = render::select(&select, session.dialect()) else { return Ok(0) };
        let found = session.rows(&statement, deadline).await?;
        let ids: Vec<Value> = found.into_iter().flatten().collect();
        let removed = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        self.remove(session, ids, deadline).await?;
        Ok(removed)
    }

    /// Removes rows by their keys.
    pub async fn remove(self, session: &mut Session, ids: Vec<Value>, deadline: Instant) -> Result<(), DbError> {
        if ids.is_empty() {
            return Ok(());
        }
        let target = Target {
            table: self.table.to_owned(),
            key: self.id.column(),
            rule: Predicate::ALWAYS,
            filter: Condition::OneOf(self.id.column(), ids),
            keys: None,
        };
        let delete = Delete { target, returning: Vec::new() };
        let Ok(statement) = render::delete(&delete, session.dialect()) else { return Ok(()) };
        session.execute(&statement, deadline).await.map(drop)
    }
}
