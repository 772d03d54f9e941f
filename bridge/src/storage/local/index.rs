//! Which key is which file: SQLite, one for an env, which several Bridges on one disk may share.

use std::{path::Path, time::Duration};

use santokit_wasm::{Condition, StorageError};
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::storage::signed::{KEY_BYTES, UrlKey};

const CONNECTIONS: u32 = 4;
const WAIT: Duration = Duration::from_secs(5);

/// Text is compared by its bytes. The sum is kept: a write must not read all rows.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS objects (
        bucket TEXT NOT NULL, key TEXT NOT NULL, file TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, etag TEXT NOT NULL,
        content_type TEXT NOT NULL, modified INTEGER NOT NULL, PRIMARY KEY (bucket, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS used (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL) STRICT;
    INSERT INTO used (one, bytes) VALUES (1, 0) ON CONFLICT DO NOTHING;
    CREATE TABLE IF NOT EXISTS url_keys (one INTEGER PRIMARY KEY CHECK (one = 1), bytes BLOB NOT NULL) STRICT;
";

/// A page of a list, from a key on or after it.
const SELECT_FROM: &str = "SELECT key, file, size, etag, content_type, modified FROM objects \
    WHERE bucket = $1 AND key >= $2 AND key < coalesce($3, x'') ORDER BY key LIMIT $4";
const SELECT_AFTER: &str = "SELECT key, file, size, etag, content_type, modified FROM objects \
    WHERE bucket = $1 AND key > $2 AND key < coalesce($3, x'') ORDER BY key LIMIT $4";

/// The index of an env's objects.
#[derive(Clone, Debug)]
pub(super) struct Index(SqlitePool);

/// What it says of an object.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) file: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) content_type: String,
    pub(super) modified: u64,
}

type Columns = (String, i64, String, String, i64);

impl Index {
    #[expect(clippy::disallowed_methods, reason = "the text is a constant")]
    pub(super) async fn open(path: &Path) -> Result<Self, StorageError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What was answered is there after a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(WAIT);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(WAIT);
        let pool = pool.connect_with(options).await.map_err(failed)?;
        sqlx::raw_sql(TABLES).execute(&pool).await.map_err(failed)?;
        Ok(Self(pool))
    }

    /// What URLs are signed with; made with the first use.
    pub(super) async fn url_key(&self) -> Result<UrlKey, StorageError> {
        let mut made = [0; KEY_BYTES];
        aws_lc_rs::rand::fill(&mut made).map_err(|_| unavailable_random())?;
        let mut db = self.begin().await?;
        let insert = "INSERT INTO url_keys (one, bytes) VALUES (1, $1) ON CONFLICT DO NOTHING";
        sqlx::query(insert).bind(made.as_slice()).execute(&mut *db).await.map_err(failed)?;
        let kept = sqlx::query_as("SELECT bytes FROM url_keys").fetch_one(&mut *db).await;
        let (kept,): (Vec<u8>,) = kept.map_err(failed)?;
        db.commit().await.map_err(failed)?;
        let kept: [u8; KEY_BYTES] = kept.try_into().map_err(|_| {
            tracing::error!("the key that signs URLs of objects is none");
            StorageError::Unavailable
        })?;
        Ok(UrlKey::new(&kept))
    }

    /// All objects of the env together.
    pub(super) async fn bytes(&self) -> Result<u64, StorageError> {
        let (bytes,): (i64,) = sqlx::query_as("SELECT bytes FROM used").fetch_one(&self.0).await.map_err(failed)?;
        Ok(unsigned(bytes))
    }

    pub(super) async fn row(&self, bucket: &str, key: &str) -> Result<Option<Row>, StorageError> {
        let row = sqlx::query_as::<_, Columns>(
            "SELECT file, size, etag, content_type, modified FROM objects WHERE bucket = $1 AND key = $2",
        );
        Ok(row.bind(bucket).bind(key).fetch_optional(&self.0).await.map_err(failed)?.map(Row::from))
    }

    pub(super) async fn rows(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, Row)>, StorageError> {
        // A range of the index, and no pattern: what begins so is not before it, and before the first text that does not. Any bytes are
        // behind all text.
        let (from, sql) = match after.filter(|after| *after >= prefix) {
            Some(after) => (after, SELECT_AFTER),
            None => (prefix, SELECT_FROM),
        };
        let rows = sqlx::query_as::<_, (String, String, i64, String, String, i64)>(sql);
        let rows =
            rows.bind(bucket).bind(from).bind(end_of(prefix)).bind(limit).fetch_all(&self.0).await.map_err(failed)?;
        let row = |(key, file, size, etag, content_type, modified)| {
            (key, Row::from((file, size, etag, content_type, modified)))
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Names a file; what it named before, if anything.
    pub(super) async fn put(
        &self,
        bucket: &str,
        key: &str,
        row: &Row,
        condition: &Condition,
        bytes_max: u64,
    ) -> Result<Option<String>, StorageError> {
        let mut db = self.begin().await?;
        let before = held(&mut db, bucket, key, condition).await?;
        let freed = before.as_ref().map_or(0, |before| signed(before.size));
        count(&mut db, signed(row.size) - freed, bytes_max).await?;
        sqlx::query(
            "INSERT INTO objects (bucket, key, file, size, etag, content_type, modified) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (bucket, key) DO UPDATE SET file = excluded.file, size = excluded.size, etag = excluded.etag, \
             content_type = excluded.content_type, modified = excluded.modified",
        )
        .bind(bucket)
        .bind(key)
        .bind(&row.file)
        .bind(signed(row.size))
        .bind(&row.etag)
        .bind(&row.content_type)
        .bind(signed(row.modified))
        .execute(&mut *db)
        .await
        .map_err(failed)?;
        db.commit().await.map_err(failed)?;
        Ok(before.map(|before| before.file))
    }

    /// Forgets a key; the file that it named, if there was one.
    pub(super) async fn remove(
        &self,
        bucket: &str,
        key: &str,
        condition: &Condition,
    ) -> Result<Option<String>, StorageError> {
        let mut db = self.begin().await?;
        let Some(before) = held(&mut db, bucket, key, condition).await? else { return Ok(None) };
        count(&mut db, -signed(before.size), u64::MAX).await?;
        let gone = sqlx::query("DELETE FROM objects WHERE bucket = $1 AND key = $2").bind(bucket).bind(key);
        gone.execute(&mut *db).await.map_err(failed)?;
        db.commit().await.map_err(failed)?;
        Ok(Some(before.file))
    }

    pub(super) async fn has_file(&self, file: &str) -> Result<bool, StorageError> {
        let found = sqlx::query("SELECT 1 FROM objects WHERE file = $1").bind(file).fetch_optional(&self.0).await;
        Ok(found.map_err(failed)?.is_some())
    }

    /// The lock of writers is taken at once: what is read is still so when it is written.
    async fn begin(&self) -> Result<Transaction<'_, Sqlite>, StorageError> {
        self.0.begin_with("BEGIN IMMEDIATE").await.map_err(failed)
    }
}

impl From<Columns> for Row {
    fn from((file, size, etag, content_type, modified): Columns) -> Self {
        Self { file, size: unsigned(size), etag, content_type, modified: unsigned(modified) }
    }
}

/// The object that is there, if what must be true of it is.
async fn held(
    db: &mut Transaction<'_, Sqlite>,
    bucket: &str,
    key: &str,
    condition: &Condition,
) -> Result<Option<Row>, StorageError> {
    let row = sqlx::query_as::<_, Columns>(
        "SELECT file, size, etag, content_type, modified FROM objects WHERE bucket = $1 AND key = $2",
    );
    let found = row.bind(bucket).bind(key).fetch_optional(&mut **db).await.map_err(failed)?.map(Row::from);
    let holds = match condition {
        Condition::None => true,
        Condition::Absent => found.is_none(),
        Condition::Is(etag) => found.as_ref().is_some_and(|found| found.etag == *etag),
    };
    if holds { Ok(found) } else { Err(StorageError::Precondition) }
}

/// Adds to the sum, which is not to pass its bound. What makes it smaller always may.
async fn count(db: &mut Transaction<'_, Sqlite>, more: i64, most: u64) -> Result<(), StorageError> {
    let sum = sqlx::query_as::<_, (i64,)>("UPDATE used SET bytes = max(0, bytes + $1) RETURNING bytes").bind(more);
    let (bytes,) = sum.fetch_one(&mut **db).await.map_err(failed)?;
    if more > 0 && unsigned(bytes) > most {
        return Err(StorageError::Full("the objects of this env have no more room".to_owned()));
    }
    Ok(())
}

/// The first text behind all that begin with a prefix; none where nothing is.
fn end_of(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // The order of UTF-8 is that of code points; surrogates are none.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            char::MAX => None,
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

fn unavailable_random() -> StorageError {
    tracing::error!("the machine has no random bytes");
    StorageError::Unavailable
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[expect(clippy::needless_pass_by_value, reason = "it is for map_err")]
fn failed(error: sqlx::Error) -> StorageError {
    tracing::error!(error = %error, "the index of objects does not answer");
    StorageError::Unavailable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_with_a_prefix_is_a_range() {
        for (prefix, first) in [
            ("", None),
            ("a", Some("b")),
            ("a/", Some("a0")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
            ("\u{d7ff}", Some("\u{e000}")),
            ("é", Some("ê")),
        ] {
            assert_eq!(end_of(prefix).as_deref(), first, "{prefix:?}");
        }
    }
}
