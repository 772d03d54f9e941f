//! Writes of rows that a trigger tells of: what is wanted of each row comes with the write, and its events are kept behind it in the same
//! transaction. What a caller is answered is the same as without triggers.

use std::collections::HashSet;

use santokit_core::{
    access::predicate::Predicate,
    code::Code,
    event::Change,
    problem::{Outcome, Problem},
    value::Value,
};
use santokit_sql::{
    plan::{Column, Keys, Select, Source},
    render,
};
use serde_json::Value as Json;

use super::{
    Crud, Planned,
    answer::Answer,
    execute::{Runner, generated, too_many_rows},
    insert::key_text,
};
use crate::{
    db::{DbError, Flow, Row, json_value},
    events::{
        self, DEPTH_MAX, Event, chain,
        trigger::{Cause, Firing, FiringRow, WRITE_BYTES_MAX, too_heavy},
    },
};

/// What is wanted of written rows, and what was found.
pub struct Fired<'f> {
    /// Of each: the key first.
    pub columns: &'f [Column],
    /// Where they begin in what a statement answers.
    pub from: usize,
    /// What happens to the rows.
    pub change: Change,
    /// Whether some may be changed that are there already.
    pub is_either: bool,
    /// The keys of rows that were there already.
    pub old: HashSet<String>,
    /// The rows.
    pub rows: Vec<FiringRow>,
    /// Rows that there may be.
    pub most: usize,
    bytes: usize,
    is_over: bool,
}

impl Fired<'_> {
    /// Takes a row that a write has answered. `is_new` is what the engine says, where it does.
    pub fn take(&mut self, row: &Row<'_>, is_new: Option<bool>) -> Result<(), sqlx::Error> {
        if self.rows.len() >= self.most || self.bytes > WRITE_BYTES_MAX {
            // It is rolled back in any case.
            self.is_over = true;
            return Ok(());
        }
        let (mut values, mut key) = (Vec::with_capacity(self.columns.len()), String::new());
        for (at, column) in self.columns.iter().enumerate() {
            let value = row.value(self.from + at)?;
            self.bytes += value.size_bytes();
            if at == 0 {
                key = key_text(&value);
            }
            values.push(json_value(column.kind.as_str(), value));
        }
        let is_old = is_new.map_or_else(|| self.old.contains(&key), |is_new| !is_new);
        let change = if self.is_either && is_old { Change::Update } else { self.change };
        self.rows.push(FiringRow { change, values });
        Ok(())
    }

    /// Notes rows that are there already.
    pub fn known<'k>(&mut self, keys: impl IntoIterator<Item = &'k Value>) {
        self.old.extend(keys.into_iter().map(key_text));
    }
}

impl Runner<'_> {
    /// Runs a plan that writes, and publishes what its rows are.
    pub(super) async fn fire(&mut self, firing: &Firing<'_>, planned: &Planned) -> Outcome<Answer> {
        let mut planned = planned.clone();
        let (change, returning) = match &mut planned {
            Planned::Select(_) => return Err(Problem::internal("a select fires no trigger")),
            Planned::Insert(insertion) => {
                insertion.insert.tells_new |= firing.is_either() && self.session.dialect().tells_new();
                (Change::Insert, &mut insertion.insert.returning)
            }
            Planned::Update(update) => (Change::Update, &mut update.update.returning),
            Planned::Delete(removal) => (Change::Delete, &mut removal.delete.returning),
        };
        let from = returning.len();
        returning.extend_from_slice(firing.columns());
        let mut fired = Fired {
            columns: firing.columns(),
            from,
            change,
            is_either: firing.is_either(),
            old: HashSet::new(),
            rows: Vec::new(),
            most: self.limits.result_rows,
            bytes: 0,
            is_over: false,
        };
        let answer = self.written(&planned, Some(&mut fired)).await?;
        if fired.bytes > WRITE_BYTES_MAX {
            return Err(too_heavy());
        }
        if fired.is_over {
            return Err(too_many_rows(self.limits));
        }
        self.publish(firing, &fired.rows).await?;
        Ok(answer)
    }

    /// Keeps the events of rows.
    async fn publish(&mut self, firing: &Firing<'_>, rows: &[FiringRow]) -> Outcome<()> {
        let crud = self.crud;
        let of = crud.tables.row_events().ok_or_else(|| Problem::internal("triggers have no topics"))?;
        let Crud { env, now, request_id, .. } = *crud;
        let cause = Cause { env, now, kind: crud.actor.kind, request_id, occasion: crud.events.occasion() };
        let mut events = firing.events(rows, of, cause)?;
        if let Some(deep) = events.iter().find(|event| event.is_too_deep()) {
            return Err(self.too_deep(deep).await);
        }
        if let Some(database) = crud.databases.get(self.connection) {
            Event::date(&mut events, database, self.deadline).await;
        }
        for statement in events::inserts(&events, self.session.dialect())? {
            self.each(&statement, &mut |_| Ok(Flow::Continue)).await.map_err(DbError::problem)?;
        }
        if !events.is_empty() {
            crud.events.note();
        }
        for event in &events {
            self.metrics.events.published(&event.topic);
        }
        if let Some(database) = crud.databases.get(self.connection)
            && events.iter().any(Event::is_swept_after)
        {
            events::sweep(database, &of.topics);
        }
        Ok(())
    }

    /// So many events have led to the write that another one is refused, and the write with it. Only a handler's own writes go so deep: it is told of what.
    async fn too_deep(&mut self, event: &Event) -> Box<Problem> {
        let crud = self.crud;
        let (of, own) = ((event.topic.as_str(), event.caused_by.clone()), (self.connection, &mut *self.session));
        let chain = chain::told(of, crud.databases, Some(own), self.deadline).await;
        let (by, topic) = (&event.published_by, &event.topic);
        tracing::warn!(requestId = crud.request_id, by, topic, %chain, "a chain of events is too deep: a row is not written");
        let message =
            format!("{DEPTH_MAX} events have caused one another, and the event of this write is refused: {chain}");
        Problem::new(Code::BadRequest, message)
    }

    /// What is wanted of rows, by their keys: for an engine whose writes answer nothing.
    pub(super) async fn take_fired(
        &mut self,
        (table, key): (&str, &Column),
        keys: &[Value],
        fired: &mut Fired<'_>,
    ) -> Outcome<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut source = Source::of(table, Predicate::ALWAYS);
        source.keys = Some(Keys { column: key.clone(), values: keys.to_vec() });
        let columns = fired.columns.to_vec();
        let select =
            Select { source, columns, distinct: false, order: Vec::new(), after: None, limit: None, offset: 0 };
        let statement = generated(|| render::select(&select, self.session.dialect()))?;
        let from = std::mem::replace(&mut fired.from, 0);
        let first = fired.rows.len();
        let read = self.each(&statement, &mut |row| fired.take(row, None).map(|()| Flow::Continue)).await;
        fired.from = from;
        read.map_err(DbError::problem)?;
        // In the order of the write, as the others answer.
        let order: std::collections::HashMap<Json, usize> =
            keys.iter().enumerate().map(|(at, value)| (json_value(key.kind.as_str(), value.clone()), at)).collect();
        fired.rows[first..].sort_by_key(|row| row.values.first().and_then(|key| order.get(key)).copied());
        Ok(())
    }
}
