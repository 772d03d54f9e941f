//! What SQLite allocates for a connection, counted and bounded. One test: it is about the whole process.

use santokit_sqlite::memory::{self, Memory};
use sqlx::{AssertSqlSafe, Connection, Executor, Row, SqliteConnection, sqlite::SqliteConnectOptions};

const LARGE: &str = "SELECT hex(zeroblob(4000000)) AS v";

#[tokio::test]
async fn a_connection_has_its_own_account() {
    assert!(memory::install());
    let options = SqliteConnectOptions::new().in_memory(true);
    let mut one = SqliteConnection::connect_with(&options).await.unwrap();
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    let (of_one, of_other) = (Memory::of(&mut one).await.unwrap(), Memory::of(&mut other).await.unwrap());

    // A row is counted until it is dropped, on whatever thread.
    let row = one.fetch_one(LARGE).await.unwrap();
    assert!(of_one.live() > 8_000_000 && of_other.live() < 1_000_000, "{of_one:?} {of_other:?}");
    assert_eq!(row.get::<&str, _>("v").len(), 8_000_000);
    one.ping().await.unwrap();
    let with_row = of_one.live();
    std::thread::spawn(move || drop(row)).join().unwrap();
    assert!(of_one.live() + 8_000_000 <= with_row, "{} {with_row}", of_one.live());

    // Beyond its bound it is refused, and no other connection is.
    of_one.bound(1 << 20);
    let refused = one.fetch_one(LARGE).await.unwrap_err();
    assert_eq!(
        refused.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref(),
        Some("7"),
        "{refused}"
    );
    assert!(of_one.is_refused() && !of_other.is_refused());
    assert!(other.fetch_one(LARGE).await.is_ok());
    assert!(one.fetch_one("SELECT 1").await.is_ok(), "the connection goes on");

    // What was there before does not count against a statement, and what it had is free again.
    let before = of_one.live();
    for _ in 0..50 {
        of_one.bound(1 << 20);
        assert!(one.fetch_one(LARGE).await.is_err());
    }
    assert!(of_one.live() < before + (1 << 20), "{} {before}", of_one.live());
    of_one.unbound();
    assert!(one.fetch_one(AssertSqlSafe(LARGE)).await.is_ok() && !of_one.is_refused());
}
