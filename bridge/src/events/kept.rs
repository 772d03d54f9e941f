//! Events in the outbox: many in few statements, and those whose time is over out of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_core::{
    access::predicate::Predicate,
    problem::{Outcome, Problem},
    value::Value,
};
use santokit_sql::{
    dialect::Dialect,
    plan::{Cell, Column, Insert},
    render,
    schema::bookkeeping::{OUTBOX, outbox},
    statement::Statement,
};

use super::{Event, Topics};
use crate::{
    crud::expired::Expiring,
    db::{Database, Mode, Share},
};

/// A sweep is a few statements; what waits longer comes again.
const SWEEP_MAX: Duration = Duration::from_secs(5);

/// Bytes of payloads in one statement: servers take no larger one than some megabytes.
const STATEMENT_BYTES_MAX: usize = 4 << 20;

/// What was shared among its subscriptions: before, it is somebody's.
pub(crate) const EXPIRING: Expiring =
    Expiring { table: OUTBOX, id: outbox::ID, expires_at: outbox::EXPIRES_AT, after: Some(outbox::SHARED_AT) };

/// What keeps events, in their order.
pub fn inserts(events: &[Event], dialect: Dialect) -> Outcome<Vec<Statement>> {
    let (mut statements, mut rows, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut columns: Vec<Column> = Vec::new();
    for event in events {
        let (named, values): (Vec<Column>, Vec<Value>) =
            event.row()?.into_iter().map(|(own, value)| (own.column(), value)).unzip();
        bytes += values.iter().map(Value::size_bytes).sum::<usize>();
        rows.push(values.into_iter().map(Cell::Value).collect());
        columns = named;
        if bytes > STATEMENT_BYTES_MAX {
            statements.extend(insert(&columns, std::mem::take(&mut rows), dialect)?);
            bytes = 0;
        }
    }
    if !rows.is_empty() {
        statements.extend(insert(&columns, rows, dialect)?);
    }
    Ok(statements)
}

fn insert(columns: &[Column], rows: Vec<Vec<Cell>>, dialect: Dialect) -> Outcome<Vec<Statement>> {
    let insert = Insert {
        table: OUTBOX.to_owned(),
        key: outbox::ID.column(),
        auto_increment: false,
        columns: columns.to_vec(),
        rows,
        conflict: None,
        check: Predicate::ALWAYS,
        returning: Vec::new(),
        visible: Predicate::ALWAYS,
        tells_new: false,
    };
    render::insert(&insert, dialect).map_err(Problem::internal)
}

/// Removes some events whose time has come, where nobody is at it. Its failure is nobody's.
pub fn sweep(database: &Arc<Database>, topics: &Arc<Topics>) {
    if !topics.begin_sweep() {
        return;
    }
    let (database, topics) = (Arc::clone(database), Arc::clone(topics));
    // Not in the time of who publishes, nor in its transaction, for whose end it may have to wait.
    tokio::spawn(async move {
        let deadline = Instant::now() + SWEEP_MAX;
        let swept = async {
            let mut session = database.session(Mode::Write, Share::Guest, deadline).await?;
            let swept = EXPIRING.sweep(&mut session, database.now(), deadline).await;
            session.end();
            swept
        };
        if let Err(error) = swept.await {
            tracing::debug!(error = &error as &dyn std::error::Error, "events whose time has come were not removed");
        }
        topics.end_sweep();
    });
}
