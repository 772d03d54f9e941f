//! Requests of guests: understood first, so that it is known which database they are for, and run on a connection of their own or as
//! a part of a transaction that is open already. What the tables say to them is what they say to everybody.

use std::time::{Duration, Instant};

use santokit_core::{
    access::table::Verb,
    problem::{Outcome, Problem},
};
use serde_json::{Map, Value as Json};

use super::{Crud, Planned, TableCall, answer::Answer, names::Entry};
use crate::db::{DbError, Session};

/// A request that was understood, and that is allowed as far as that can be known before it runs.
#[derive(Debug)]
pub struct Work<'c> {
    connection: &'c str,
    asked: Asked<'c>,
}

#[derive(Debug)]
enum Asked<'c> {
    Call { entry: &'c Entry, verb: Verb, planned: Planned },
    Batch(Vec<TableCall>),
}

/// The level of a request inside of a transaction, far above those that guests begin.
const LEVEL: usize = 1_000;
/// Undoing a request takes no longer; it is also done where the request has used up its time.
const UNDO_MAX: Duration = Duration::from_secs(1);

impl Work<'_> {
    /// The connection that its tables are on.
    pub fn connection(&self) -> &str {
        self.connection
    }
}

impl<'c> Crud<'c> {
    /// Reads a call of a table, or a batch where none is named.
    pub fn understand(&self, call: Option<(&str, Verb)>, params: &Map<String, Json>) -> Outcome<Work<'c>> {
        let Some((table, verb)) = call else {
            let (connection, calls) = self.read_batch(params)?;
            return Ok(Work { connection, asked: Asked::Batch(calls) });
        };
        let (entry, planned) = self.plan(table, verb, params)?;
        Ok(Work { connection: &entry.connection, asked: Asked::Call { entry, verb, planned } })
    }

    /// Runs it on a connection of its own.
    pub async fn alone(&self, work: &Work<'_>) -> Outcome<Answer> {
        match &work.asked {
            Asked::Call { entry, verb, planned } => self.run(entry, *verb, planned, None).await,
            Asked::Batch(calls) => self.run_batch(work.connection, calls, None).await,
        }
    }

    /// Runs it in a transaction that is open on its database. It is done as a whole, or undone: `false` beside a problem means that
    /// it could not be undone, so that the transaction must not be stored.
    pub async fn within(
        &self,
        work: &Work<'_>,
        session: &mut Session,
        ends: Instant,
    ) -> Result<Answer, (Box<Problem>, bool)> {
        let deadline = self.deadline().min(ends);
        session.savepoint(LEVEL, deadline).await.map_err(|error| (error.problem(), true))?;
        let mut runner = self.runner(session, work.connection, deadline);
        let answered = match &work.asked {
            Asked::Call { entry, verb, planned } => {
                runner.run(entry, planned).await.map_err(|problem| self.refused(problem, entry, *verb))
            }
            Asked::Batch(calls) => self.run_calls(&mut runner, calls, work.connection).await,
        };
        let until = deadline.max(Instant::now() + UNDO_MAX);
        match answered {
            Ok(answer) => {
                let released = session.release(LEVEL, until).await.map_err(DbError::problem);
                released.map(|()| answer).map_err(|problem| (problem, false))
            }
            Err(problem) => {
                let is_undone =
                    session.rollback_to(LEVEL, until).await.is_ok() && session.release(LEVEL, until).await.is_ok();
                Err((problem, is_undone))
            }
        }
    }
}
