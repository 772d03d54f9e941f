//! Which key is which file: SQLite, one for an env, which several Bridges on one disk may share.

use std::{collections::HashSet, path::Path, time::Duration};

use santokit_wasm::{Condition, StorageError};
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::now;
use crate::storage::signed::{KEY_BYTES, UrlKey};

const CONNECTIONS: u32 = 4;
const WAIT: Duration = Duration::from_secs(5);
/// Of what an index holds and means: 1 counts each object as a block at least, knows when it was made, and which uploads were put together.
const VERSION: i64 = 1;
/// What an object takes on a disk, however small it is. Without it the number of objects would have no bound.
pub(super) const BLOCK: u64 = 4 << 10;
/// Rows that one statement removes: others write in between.
const REMOVED_AT_ONCE: u32 = 1_000;
const PARTS: &str = "#parts";

/// Text is compared by its bytes. The sum is kept: a write must not read all rows.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS objects (
        bucket TEXT NOT NULL, key TEXT NOT NULL, file TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, etag TEXT NOT NULL,
        content_type TEXT NOT NULL, modified INTEGER NOT NULL, PRIMARY KEY (bucket, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS used (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL) STRICT;
    INSERT INTO used (one, bytes) VALUES (1, 0) ON CONFLICT DO NOTHING;
    CREATE TABLE IF NOT EXISTS url_keys (one INTEGER PRIMARY KEY CHECK (one = 1), bytes BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS made (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS joined (upload TEXT PRIMARY KEY, file TEXT NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
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

/// What has become of an object that was to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Removed {
    /// It had this file.
    File(String),
    /// There was none.
    Absent,
    /// Another one is there, which is younger.
    Younger,
    /// There is none, and nobody knows whether there was one: the index is younger.
    Unknown,
}

impl Index {
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
        let index = Self(pool);
        index.bring_up().await?;
        Ok(index)
    }

    /// Makes what is not there yet.
    #[expect(clippy::disallowed_methods, reason = "the texts are constants")]
    async fn bring_up(&self) -> Result<(), StorageError> {
        let version =
            "SELECT user_version, (SELECT count(*) FROM sqlite_schema WHERE name = 'objects') FROM pragma_user_version";
        let (found, _) = sqlx::query_as::<_, (i64, i64)>(version).fetch_one(&self.0).await.map_err(failed)?;
        if found >= VERSION {
            return Ok(());
        }
        let mut db = self.begin().await?;
        let (found, tables) = sqlx::query_as::<_, (i64, i64)>(version).fetch_one(&mut *db).await.map_err(failed)?;
        if found >= VERSION {
            return Ok(());
        }
        sqlx::raw_sql(TABLES).execute(&mut *db).await.map_err(failed)?;
        let sum = "UPDATE used SET bytes = (SELECT coalesce(sum(max(size, $1)), 0) FROM objects)";
        sqlx::query(sum).bind(signed(BLOCK)).execute(&mut *db).await.map_err(failed)?;
        // One that was there before anybody noted it is older than all that is asked of it.
        let at = if tables == 0 { signed(now()) } else { 0 };
        let made = "INSERT INTO made (one, at) VALUES (1, $1) ON CONFLICT DO NOTHING";
        sqlx::query(made).bind(at).execute(&mut *db).await.map_err(failed)?;
        sqlx::raw_sql("PRAGMA user_version = 1").execute(&mut *db).await.map_err(failed)?;
        db.commit().await.map_err(failed)
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

    /// Names a file; what it named before, if anything. An upload in parts that it was is noted with it.
    pub(super) async fn put(
        &self,
        (bucket, key): (&str, &str),
        row: &mut Row,
        upload: Option<&str>,
        condition: &Condition,
        bytes_max: u64,
    ) -> Result<Option<String>, StorageError> {
        let mut db = self.begin().await?;
        let before = held(&mut db, bucket, key, condition).await?;
        // From now on it is there, and not since its bytes were: what was let go meanwhile is another one.
        row.modified = now();
        let freed = before.as_ref().map_or(0, |before| signed(charge(before.size)));
        count(&mut db, signed(charge(row.size)) - freed, bytes_max).await?;
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
        if let Some(upload) = upload {
            let joined = sqlx::query(
                "INSERT INTO joined (upload, file, at) VALUES ($1, $2, $3) \
                 ON CONFLICT (upload) DO UPDATE SET file = excluded.file, at = excluded.at",
            );
            let joined = joined.bind(upload).bind(&row.file).bind(signed(row.modified));
            joined.execute(&mut *db).await.map_err(failed)?;
        }
        db.commit().await.map_err(failed)?;
        Ok(before.map(|before| before.file))
    }

    /// The object that an upload in parts has become, as long as it is there.
    pub(super) async fn joined(&self, upload: &str) -> Result<Option<(String, Row)>, StorageError> {
        let row = sqlx::query_as::<_, (String, String, i64, String, String, i64)>(
            "SELECT key, file, size, etag, content_type, modified FROM objects WHERE file = (SELECT file FROM joined WHERE upload = $1)",
        );
        let row = row.bind(upload).fetch_optional(&self.0).await.map_err(failed)?;
        Ok(row.map(|(key, file, size, etag, content_type, modified)| {
            (key, Row::from((file, size, etag, content_type, modified)))
        }))
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
        forget(&mut db, bucket, key, &before).await?;
        db.commit().await.map_err(failed)?;
        Ok(Some(before.file))
    }

    /// Forgets a key whose object was put at a moment or before, in milliseconds.
    pub(super) async fn remove_until(&self, bucket: &str, key: &str, until: u64) -> Result<Removed, StorageError> {
        let mut db = self.begin().await?;
        match held(&mut db, bucket, key, &Condition::None).await? {
            Some(found) if found.modified > until => Ok(Removed::Younger),
            Some(found) => {
                forget(&mut db, bucket, key, &found).await?;
                db.commit().await.map_err(failed)?;
                Ok(Removed::File(found.file))
            }
            None => {
                let made = sqlx::query_as::<_, (i64,)>("SELECT at FROM made").fetch_optional(&mut *db).await;
                let (made,) = made.map_err(failed)?.unwrap_or_default();
                Ok(if unsigned(made) > until { Removed::Unknown } else { Removed::Absent })
            }
        }
    }

    /// Forgets all keys of a bucket that begin so; their files.
    pub(super) async fn remove_under(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, StorageError> {
        let mut db = self.begin().await?;
        let gone = sqlx::query_as::<_, (String, i64)>(
            "DELETE FROM objects WHERE bucket = $1 AND key >= $2 AND key < coalesce($3, x'') RETURNING file, size",
        );
        let gone = gone.bind(bucket).bind(prefix).bind(end_of(prefix)).fetch_all(&mut *db).await.map_err(failed)?;
        forgotten(db, gone).await
    }

    /// Forgets parts that are older than a moment, in milliseconds, of all buckets; their files, of some at once. None where all are forgotten.
    pub(super) async fn remove_old_parts(&self, since: u64) -> Result<Vec<String>, StorageError> {
        let mut bucket = String::new();
        // From one name to the next, and past all that is of it.
        let next = "SELECT min(bucket) FROM objects WHERE bucket > $1";
        loop {
            let (next,): (Option<String>,) =
                sqlx::query_as(next).bind(&bucket).fetch_one(&self.0).await.map_err(failed)?;
            let Some(next) = next else { return Ok(Vec::new()) };
            bucket = next;
            if !bucket.ends_with(PARTS) {
                continue;
            }
            let mut db = self.begin().await?;
            let gone = sqlx::query_as::<_, (String, i64)>(
                "DELETE FROM objects WHERE bucket = $1 AND key IN \
                 (SELECT key FROM objects WHERE bucket = $1 AND modified < $2 LIMIT $3) RETURNING file, size",
            );
            let gone = gone.bind(&bucket).bind(signed(since)).bind(REMOVED_AT_ONCE);
            let gone = gone.fetch_all(&mut *db).await.map_err(failed)?;
            if !gone.is_empty() {
                return forgotten(db, gone).await;
            }
        }
    }

    /// Forgets which uploads were put together before a moment, in milliseconds.
    pub(super) async fn forget_joined(&self, since: u64) -> Result<(), StorageError> {
        let gone = sqlx::query("DELETE FROM joined WHERE at < $1").bind(signed(since));
        gone.execute(&self.0).await.map_err(failed).map(drop)
    }

    /// Those of some files that are objects.
    pub(super) async fn named(&self, files: &[String]) -> Result<HashSet<String>, StorageError> {
        let files = serde_json::to_string(files).map_err(|_| StorageError::Unavailable)?;
        let named = "SELECT file FROM objects WHERE file IN (SELECT value FROM json_each($1))";
        let named = sqlx::query_as::<_, (String,)>(named).bind(files).fetch_all(&self.0).await.map_err(failed)?;
        Ok(named.into_iter().map(|(file,)| file).collect())
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

/// In the same transaction: the row of an object, and what it counts.
async fn forget(db: &mut Transaction<'_, Sqlite>, bucket: &str, key: &str, row: &Row) -> Result<(), StorageError> {
    count(db, -signed(charge(row.size)), u64::MAX).await?;
    let gone = sqlx::query("DELETE FROM objects WHERE bucket = $1 AND key = $2").bind(bucket).bind(key);
    gone.execute(&mut **db).await.map_err(failed).map(drop)
}

/// What rows that were removed have counted; their files.
async fn forgotten(mut db: Transaction<'_, Sqlite>, gone: Vec<(String, i64)>) -> Result<Vec<String>, StorageError> {
    let freed = gone.iter().fold(0, |freed: i64, (_, size)| freed.saturating_add(signed(charge(unsigned(*size)))));
    count(&mut db, -freed, u64::MAX).await?;
    db.commit().await.map_err(failed)?;
    Ok(gone.into_iter().map(|(file, _)| file).collect())
}

/// What an object counts.
pub(super) fn charge(size: u64) -> u64 {
    size.max(BLOCK)
}

/// Adds to the sum, which is not to pass its bound. What makes it smaller always may.
async fn count(db: &mut Transaction<'_, Sqlite>, more: i64, most: u64) -> Result<(), StorageError> {
    let sum = sqlx::query_as::<_, (i64,)>("UPDATE used SET bytes = max(0, bytes + $1) RETURNING bytes").bind(more);
    let (bytes,) = sum.fetch_one(&mut **db).await.map_err(failed)?;
    if more > 0 && unsigned(bytes) > most {
        return Err(no_room());
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

pub(super) fn no_room() -> StorageError {
    StorageError::Full("the objects of this env have no more room".to_owned())
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
