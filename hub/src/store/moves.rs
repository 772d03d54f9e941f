//! Which releases an env has run: a row for each move of its pointer, in the order of their sequences. Rows are only added.

use super::{Db, StoreError, releases::PointerRow};

/// Notes where the pointer has moved; `how` is `apply`, `promote` or `rollback`.
pub async fn add(db: &mut Db, project: &str, env: &str, row: &PointerRow, how: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO pointer_moves (project, env, sequence, release, how, moved_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(project)
    .bind(env)
    .bind(row.sequence)
    .bind(&row.release)
    .bind(how)
    .bind(&row.issued_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Whether an env has ever run a release.
pub async fn has_run(db: &mut Db, project: &str, env: &str, release: &str) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT 1 FROM pointer_moves WHERE project = $1 AND env = $2 AND release = $3 LIMIT 1");
    Ok(found.bind(project).bind(env).bind(release).fetch_optional(db).await?.is_some())
}

/// What an env ran before it was first brought to a release that it may since have gone back to: going back twice goes two
/// releases back, not there and here again.
pub async fn before(db: &mut Db, project: &str, env: &str, release: &str) -> Result<Option<String>, StoreError> {
    let row = sqlx::query_as::<_, (String,)>(
        "SELECT release FROM pointer_moves WHERE project = $1 AND env = $2 AND release <> $3 AND sequence < \
         (SELECT max(sequence) FROM pointer_moves WHERE project = $1 AND env = $2 AND release = $3 AND how <> 'rollback') \
         ORDER BY sequence DESC LIMIT 1",
    );
    Ok(row.bind(project).bind(env).bind(release).fetch_optional(db).await?.map(|(release,)| release))
}

/// The moves of an env, the last one first: which release, and when.
pub async fn history(db: &mut Db, project: &str, env: &str, limit: i64) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT release, moved_at FROM pointer_moves WHERE project = $1 AND env = $2 ORDER BY sequence DESC LIMIT $3",
    );
    Ok(rows.bind(project).bind(env).bind(limit).fetch_all(db).await?)
}

/// The releases that an env ran before what it runs, each with the sequence of its last pointer; the last one first.
pub async fn earlier(
    db: &mut Db,
    project: &str,
    env: &str,
    current: &str,
    limit: i64,
) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT release, max(sequence) AS last FROM pointer_moves WHERE project = $1 AND env = $2 AND release <> $3 \
         GROUP BY release ORDER BY last DESC LIMIT $4",
    );
    Ok(rows.bind(project).bind(env).bind(current).bind(limit).fetch_all(db).await?)
}
