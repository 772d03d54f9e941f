//! Objects of a bucket that no row names, for an operator: where a column of the release names objects of it. It removes nothing.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, Utc};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    storage::{ObjectKey, ObjectPrefix},
    value::Value,
};
use santokit_sql::delivery::Scope;
use serde_json::{Value as Json, json};

use super::{Bucket, asked::problem_of, dropped::naming};
use crate::{
    db::{Database, DbError, Mode},
    generation::Generation,
};

/// Objects that are looked at in one answer.
const PAGE: u32 = 500;

/// For the statements about one page.
const ASK_MAX: Duration = Duration::from_secs(30);

/// Which are meant.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Where the last answer ended.
    pub after: Option<&'a ObjectKey>,
    /// Put before then: an object that was just put may not be named yet.
    pub before: DateTime<Utc>,
}

/// A page of them, with where to go on.
pub async fn page(generation: &Generation, bucket: &Bucket, asked: Asked<'_>) -> Outcome<Json> {
    let alias = bucket.alias.as_str();
    if generation.tables.naming(alias).next().is_none() {
        let message = format!("no column of type file names objects of {alias:?}: none of them is an orphan");
        return Err(Problem::new(Code::BadRequest, message).hint("a column says it with bucket:, in schema/*.yaml"));
    }
    let page = bucket.list(&ObjectPrefix::default(), asked.after, PAGE).await.map_err(|error| problem_of(&error))?;
    let keys: Vec<&str> = page.objects.iter().map(|object| object.key.as_str()).collect();
    let mut named: BTreeSet<String> = BTreeSet::new();
    let (mut waiting, mut waits_since) = (0, None);
    for database in generation.databases.values() {
        if !keys.is_empty() {
            named.extend(names(generation, database, (alias, &keys)).await.map_err(unasked)?);
        }
        if generation.tables.naming(alias).any(|(entry, _)| entry.connection == database.name()) {
            let (count, since, error) = waits(generation, database, alias).await.map_err(unasked)?;
            waiting += count;
            waits_since = waits_since.or_else(|| since.map(|since| json!({"since": since, "error": error})));
        }
    }
    let before = u64::try_from(asked.before.timestamp_millis()).unwrap_or(0);
    let orphans = page.objects.iter().filter(|object| is_old(object.modified, before) && !named.contains(&object.key));
    let orphans = orphans.map(|object| {
        let put = DateTime::from_timestamp_millis(i64::try_from(object.modified).unwrap_or(0)).unwrap_or_default();
        json!({"key": object.key, "size": object.size, "put": put.to_rfc3339_opts(SecondsFormat::Secs, true)})
    });
    let mut answer = json!({"looked": keys.len(), "orphans": orphans.collect::<Vec<Json>>(), "waiting": waiting});
    if let Some(first) = waits_since {
        answer["first"] = first;
    }
    if let Some(next) = &page.next {
        answer["next"] = json!(next);
    }
    Ok(answer)
}

/// Whether an object was put before a moment. Of one whose store says no time nobody knows: a row may be about to name it.
const fn is_old(modified: u64, before: u64) -> bool {
    modified != 0 && modified < before
}

/// Those of some keys that rows of a database name.
async fn names(
    generation: &Generation,
    database: &Database,
    (bucket, keys): (&str, &[&str]),
) -> Result<Vec<String>, Unasked> {
    let mut named = Vec::new();
    for statement in naming(&generation.tables, database, bucket, keys, PAGE.into())? {
        let rows = database.rows(Mode::Read, &statement, Instant::now() + ASK_MAX).await?;
        named.extend(rows.into_iter().flatten().filter_map(|value| match value {
            Value::Text(key) => Some(key),
            _ => None,
        }));
    }
    Ok(named)
}

/// How many objects rows have let go that are there still, since when the first is, and what is in the way.
async fn waits(
    generation: &Generation,
    database: &Database,
    bucket: &str,
) -> Result<(i64, Option<String>, Option<String>), Unasked> {
    let env = &generation.env;
    let scope = Scope { project: &env.project, env: &env.env, dialect: database.dialect() };
    let rows = database.rows(Mode::Read, &scope.waiting_objects(bucket), Instant::now() + ASK_MAX).await?;
    let text = |value: &Value| match value {
        Value::Text(text) | Value::Typed(_, text) => Some(text.clone()),
        _ => None,
    };
    Ok(match rows.first().map(Vec::as_slice) {
        Some([Value::Int64(count), since, error]) => (*count, text(since), text(error)),
        _ => (0, None, None),
    })
}

/// Why it cannot be asked.
#[derive(Debug, thiserror::Error)]
enum Unasked {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(transparent)]
    Statement(#[from] santokit_sql::render::RenderError),
}

fn unasked(error: Unasked) -> Box<Problem> {
    match error {
        Unasked::Database(error) => error.problem(),
        Unasked::Statement(error) => Problem::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_time_is_not_old() {
        assert!(is_old(1, 2) && !is_old(2, 2) && !is_old(3, 2));
        assert!(!is_old(0, 2));
    }
}
