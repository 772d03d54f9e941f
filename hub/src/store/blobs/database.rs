//! Blobs as rows of at most a MiB: a statement and an answer stay small, however large a component is.

use futures_util::TryStreamExt;
use santokit_core::release::Digest;
use sqlx::AnyPool;

use crate::store::{Db, StoreError};

const CHUNK_BYTES: usize = 1 << 20;

/// Keeps bytes whose digest the caller has checked. Writers of one blob write the same, and wait for each other.
pub(super) async fn put(pool: &AnyPool, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
    if matches!(get(pool, digest).await, Ok(Some(_))) {
        return Ok(());
    }
    let mut transaction = pool.begin().await?;
    put_in(&mut transaction, digest, bytes).await?;
    Ok(transaction.commit().await?)
}

/// Likewise, in a transaction of the caller's.
pub(super) async fn put_in(db: &mut Db, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
    // It may be a damaged one.
    remove_in(db, digest).await?;
    // One of no bytes is one empty chunk.
    let chunks = bytes.chunks(CHUNK_BYTES).chain(bytes.is_empty().then_some(bytes));
    for (number, chunk) in (0_i64..).zip(chunks) {
        let done = sqlx::query(
            "INSERT INTO blob_chunks (digest, number, bytes) VALUES ($1, $2, $3) \
             ON CONFLICT (digest, number) DO UPDATE SET bytes = excluded.bytes",
        );
        done.bind(digest.as_str()).bind(number).bind(chunk.to_vec()).execute(&mut *db).await?;
    }
    Ok(())
}

/// Whether there are bytes.
pub(super) async fn has_in(db: &mut Db, digest: &Digest) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT 1 FROM blob_chunks WHERE digest = $1 LIMIT 1").bind(digest.as_str());
    Ok(found.fetch_optional(db).await?.is_some())
}

/// Removes bytes.
pub(super) async fn remove_in(db: &mut Db, digest: &Digest) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM blob_chunks WHERE digest = $1").bind(digest.as_str()).execute(db).await?;
    Ok(())
}

/// Reads bytes and checks them; none if there are none.
pub(super) async fn get(pool: &AnyPool, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
    let mut chunks = sqlx::query_as::<_, (Vec<u8>,)>("SELECT bytes FROM blob_chunks WHERE digest = $1 ORDER BY number")
        .bind(digest.as_str())
        .fetch(pool);
    let mut bytes = None::<Vec<u8>>;
    while let Some((chunk,)) = chunks.try_next().await? {
        bytes.get_or_insert_default().extend_from_slice(&chunk);
    }
    match bytes {
        Some(bytes) if !digest.matches(&bytes) => {
            Err(StoreError::Damaged(format!("blob {digest} is damaged in the database; upload it again")))
        }
        bytes => Ok(bytes),
    }
}
