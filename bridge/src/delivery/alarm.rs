//! Dead letters that pile up: how many of an env a connection has is a number, and where they are many it is told.

use std::time::Instant;

use santokit_sql::delivery::Scope;

use super::rows::whole;
use crate::{
    config::EnvName,
    crud::value::moment,
    db::{Database, DbError, Mode},
    metrics::Metrics,
};

/// More of them are told, each minute while they are there. They are counted up to one more.
const MANY: u32 = 1_000;

/// Looks how many there are. Its failure is nobody's: what is wrong with the database is told elsewhere.
pub(super) async fn look(
    metrics: &Metrics,
    (env, connection): (&EnvName, &str),
    database: &Database,
    deadline: Instant,
) {
    let count = match count(env, database, deadline).await {
        Ok(count) => count,
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "dead letters were not counted");
            return;
        }
    };
    metrics.events.dead(env, connection, count);
    if count > MANY {
        tracing::warn!(%env, connection, "more than {MANY} dead letters wait for somebody; `stk events dlq list` shows them");
    }
}

async fn count(env: &EnvName, database: &Database, deadline: Instant) -> Result<u32, DbError> {
    let scope = Scope { project: &env.project, env: &env.env, dialect: database.dialect() };
    let statement = scope.how_many_dead(&moment(database.now()), MANY + 1);
    let rows = database.rows(Mode::Read, &statement, deadline).await?;
    let count = rows.into_iter().next().and_then(|row| row.into_iter().next());
    Ok(count.as_ref().map(whole).unwrap_or_default())
}
