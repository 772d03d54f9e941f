//! The sequences of pointers: each move has a higher one than all before it, also than those that a restored Hub has lost.

use super::{Db, StoreError};

const POINTERS: &str = "pointers";

/// What follows a pointer's sequence; that of an env that has none is 0.
pub async fn next(db: &mut Db, after: i64) -> Result<i64, StoreError> {
    let floor = sqlx::query_as::<_, (i64,)>("SELECT value FROM sequences WHERE name = $1").bind(POINTERS);
    let floor = floor.fetch_optional(db).await?.map_or(0, |(floor,)| floor);
    Ok(after.max(floor) + 1)
}

/// Lets the next ones be above one that will not be known any more: an env that is made anew must not begin below what Bridges saw.
pub async fn raise(db: &mut Db, to: i64) -> Result<(), StoreError> {
    let done = sqlx::query(
        "INSERT INTO sequences (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value \
         WHERE sequences.value < excluded.value",
    );
    done.bind(POINTERS).bind(to).execute(db).await?;
    Ok(())
}

/// Lets the next ones be far above all that there are.
pub async fn advance(db: &mut Db, by: i64) -> Result<(), StoreError> {
    let highest = sqlx::query_as::<_, (i64,)>("SELECT coalesce(max(sequence), 0) FROM pointers");
    let highest = highest.fetch_one(&mut *db).await?.0;
    let floor = next(db, highest).await? - 1 + by;
    let done = sqlx::query(
        "INSERT INTO sequences (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    );
    done.bind(POINTERS).bind(floor).execute(db).await?;
    Ok(())
}
