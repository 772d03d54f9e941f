//! What is removed when its time is over: releases that no env needs any more, and components that no release is made of. What is
//! needed is decided in [`app::retention`](crate::app::retention).

use std::collections::BTreeSet;

use super::{Db, StoreError, envs};

/// Projects that have more releases than so many.
pub async fn projects_with_more(db: &mut Db, than: i64) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query_as::<_, (String,)>(
        "SELECT project FROM releases GROUP BY project HAVING count(*) > $1 ORDER BY project",
    );
    Ok(texts(rows.bind(than).fetch_all(db).await?))
}

/// The releases of a project, the oldest first.
pub async fn releases(db: &mut Db, project: &str) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query_as::<_, (String,)>("SELECT id FROM releases WHERE project = $1 ORDER BY number");
    Ok(texts(rows.bind(project).fetch_all(db).await?))
}

/// What an env of a project points to, what is pinned, so many that each env ran last, and so many of those that none has run, the
/// newest: somebody may be about to promote one.
pub async fn needed(db: &mut Db, project: &str, kept: i64) -> Result<BTreeSet<String>, StoreError> {
    let mut needed = BTreeSet::new();
    for sql in
        ["SELECT release FROM pointers WHERE project = $1", "SELECT release FROM release_pins WHERE project = $1"]
    {
        let rows = sqlx::query_as::<_, (String,)>(sql).bind(project).fetch_all(&mut *db).await?;
        needed.extend(texts(rows));
    }
    for (env, _) in envs::envs(db, project).await? {
        let ran = sqlx::query_as::<_, (String, i64)>(
            "SELECT release, max(sequence) AS last FROM pointer_moves WHERE project = $1 AND env = $2 \
             GROUP BY release ORDER BY last DESC LIMIT $3",
        );
        let ran = ran.bind(project).bind(env).bind(kept).fetch_all(&mut *db).await?;
        needed.extend(ran.into_iter().map(|(release, _)| release));
    }
    let unused = sqlx::query_as::<_, (String,)>(
        "SELECT id FROM releases r WHERE project = $1 AND NOT EXISTS \
         (SELECT 1 FROM pointer_moves m WHERE m.release = r.id) ORDER BY number DESC LIMIT $2",
    );
    needed.extend(texts(unused.bind(project).bind(kept).fetch_all(db).await?));
    Ok(needed)
}

/// Removes a release, and from the histories of envs that they ran it.
pub async fn remove_release(db: &mut Db, id: &str) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM pointer_moves WHERE release = $1",
        "DELETE FROM release_blobs WHERE release = $1",
        "DELETE FROM releases WHERE id = $1",
    ] {
        sqlx::query(sql).bind(id).execute(&mut *db).await?;
    }
    Ok(())
}

/// Components of which no release of their project is made, and that nobody has wanted since a time: project, digest.
pub async fn unused_blobs(db: &mut Db, before: &str, limit: i64) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT project, digest FROM project_blobs b WHERE created_at < $1 AND NOT EXISTS \
         (SELECT 1 FROM release_blobs r WHERE r.project = b.project AND r.digest = b.digest) \
         ORDER BY project, digest LIMIT $2",
    );
    Ok(rows.bind(before).bind(limit).fetch_all(db).await?)
}

/// Takes a component from a project; where no other has it, its bytes are due to be removed.
pub async fn forget_blob(db: &mut Db, project: &str, digest: &str, at: &str) -> Result<(), StoreError> {
    let gone = sqlx::query("DELETE FROM project_blobs WHERE project = $1 AND digest = $2");
    gone.bind(project).bind(digest).execute(&mut *db).await?;
    let due = sqlx::query(
        "INSERT INTO removed_blobs (digest, removed_at) SELECT $1, $2 WHERE NOT EXISTS \
         (SELECT 1 FROM project_blobs WHERE digest = $1) ON CONFLICT (digest) DO UPDATE SET removed_at = excluded.removed_at",
    );
    due.bind(digest).bind(at).execute(db).await?;
    Ok(())
}

/// Components whose bytes have been due since before a time: digest, and whether a project has it again.
pub async fn due_blobs(db: &mut Db, before: &str, limit: i64) -> Result<Vec<(String, bool)>, StoreError> {
    let rows = sqlx::query_as::<_, (String, i64)>(
        "SELECT digest, (SELECT count(*) FROM project_blobs b WHERE b.digest = d.digest) FROM removed_blobs d \
         WHERE removed_at < $1 ORDER BY digest LIMIT $2",
    );
    let rows = rows.bind(before).bind(limit).fetch_all(db).await?;
    Ok(rows.into_iter().map(|(digest, projects)| (digest, projects > 0)).collect())
}

/// Forgets that a component's bytes are due.
pub async fn forget_due(db: &mut Db, digest: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM removed_blobs WHERE digest = $1").bind(digest).execute(db).await?;
    Ok(())
}

/// Notes that somebody wants a component of a project, where nobody has since a time.
pub async fn want_blob(db: &mut Db, (project, digest): (&str, &str), since: &str, at: &str) -> Result<(), StoreError> {
    let done =
        sqlx::query("UPDATE project_blobs SET created_at = $1 WHERE project = $2 AND digest = $3 AND created_at < $4");
    done.bind(at).bind(project).bind(digest).bind(since).execute(db).await?;
    Ok(())
}

/// Whether nobody has wanted a component of a project since a time.
pub async fn is_unwanted(db: &mut Db, project: &str, digest: &str, since: &str) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT 1 FROM project_blobs WHERE project = $1 AND digest = $2 AND created_at < $3");
    Ok(found.bind(project).bind(digest).bind(since).fetch_optional(db).await?.is_some())
}

fn texts(rows: Vec<(String,)>) -> Vec<String> {
    rows.into_iter().map(|(text,)| text).collect()
}
