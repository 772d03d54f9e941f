//! A guest's SQL on a real SQLite file, as an attacker would send it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use santokit_core::{
    id::Kind,
    logic::SqlGrant,
    wire::{RuntimeConnection, Sealed},
};
use santokit_wasm::CursorId;
use sqlx::{Connection as _, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

use super::*;
use crate::db::DatabaseSettings;

mod memory;

const MAIN: ConnectionId = ConnectionId(0);
const BUDGET: RowBudget = RowBudget { rows: 100, bytes: 1 << 20 };

/// A folder that goes away with the test.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

async fn database() -> (Scratch, Arc<Database>) {
    let dir = std::env::temp_dir().join(format!("santokit-session-{}", Kind::Request.generate()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("data.db");
    make(&path).await;
    let url = Sealed::new(format!("sqlite:{}", path.display()));
    let database = Database::open(
        "main",
        &RuntimeConnection { engine: "sqlite".into(), url, guests: Vec::new() },
        &DatabaseSettings::default(),
    )
    .unwrap();
    (Scratch(dir), Arc::new(database))
}

async fn make(path: &Path) {
    santokit_sqlite::memory::install();
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for sql in [
        "CREATE TABLE open (id INTEGER PRIMARY KEY, text TEXT UNIQUE)",
        "CREATE TABLE blind (id INTEGER PRIMARY KEY, text TEXT)",
        "CREATE TABLE vault (id INTEGER PRIMARY KEY, text TEXT)",
        "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id) ON DELETE CASCADE)",
        "CREATE TABLE noisy (id INTEGER PRIMARY KEY)",
        "CREATE TRIGGER spreads AFTER INSERT ON noisy BEGIN INSERT INTO vault (text) VALUES ('from a trigger'); END",
        "CREATE VIEW window AS SELECT text FROM vault",
        "INSERT INTO open VALUES (1, 'a'), (2, 'b')",
        "INSERT INTO blind VALUES (1, 'hidden')",
        "INSERT INTO vault VALUES (1, 'secret')",
        "INSERT INTO parent VALUES (1)",
        "INSERT INTO child VALUES (1, 1)",
    ] {
        connection.execute(sql).await.unwrap();
    }
    connection.close().await.unwrap();
}

fn session(database: &Arc<Database>, transaction_on: Option<&str>) -> SqlSession {
    let table = |name: &str, verbs: &[Verb]| (name.to_owned(), verbs.iter().copied().collect());
    let tables = [
        table("open", &[Verb::Select, Verb::Insert, Verb::Update]),
        table("blind", &[Verb::Insert, Verb::Update]),
        table("parent", &[Verb::Select, Verb::Delete]),
        table("child", &[Verb::Select]),
        table("noisy", &[Verb::Select, Verb::Insert]),
        table("window", &[Verb::Select]),
    ];
    session_with(database, transaction_on, tables.into())
}

fn session_with(
    database: &Arc<Database>,
    transaction_on: Option<&str>,
    tables: BTreeMap<String, BTreeSet<Verb>>,
) -> SqlSession {
    let grants = Grants { sql: vec![SqlGrant { connection: "main".into(), tables }], ..Grants::default() };
    let databases = BTreeMap::from([("main".to_owned(), Arc::clone(database))]);
    let mut session = SqlSession::new(
        (Arc::new(granted_tables(&grants)), Arc::default()),
        Arc::new(databases),
        Arc::default(),
        transaction_on.map(str::to_owned),
        Instant::now() + Duration::from_secs(20),
        Arc::new(Metrics::new().unwrap()),
    );
    assert_eq!(session.open("main").unwrap(), MAIN);
    session
}

async fn count(database: &Arc<Database>, condition: &str) -> Value {
    let mut session = session(database, None);
    let sql = format!("SELECT count(*) FROM open WHERE {condition}");
    session.read(MAIN, &sql, &[], BUDGET).await.unwrap().rows.rows[0][0].clone()
}

#[tokio::test]
async fn what_is_not_granted_is_out_of_reach() {
    let (_scratch, database) = database().await;
    let mut guest = session(&database, None);
    for sql in [
        "SELECT text FROM vault",
        "SELECT 1 FROM vault",
        "SELECT (SELECT count(*) FROM vault)",
        "SELECT text FROM open WHERE EXISTS (SELECT 1 FROM vault)",
        "SELECT text FROM window",
        "SELECT * FROM sqlite_schema",
        "SELECT * FROM pragma_table_list",
        "SELECT * FROM dbstat",
        "SELECT load_extension('x')",
        "SELECT sqlite_log(1, 'x')",
        "SELECT text FROM blind",
        "UPDATE blind SET id = 1 WHERE id = 1 RETURNING text",
        "INSERT INTO blind (text) VALUES ('x') RETURNING text",
        "UPDATE blind SET id = id WHERE text = 'hidden'",
        "UPDATE open SET text = vault.text FROM vault",
        "INSERT INTO open (text) SELECT text FROM vault",
        "INSERT INTO vault (text) VALUES ('x')",
        "DELETE FROM open",
        "INSERT OR REPLACE INTO open VALUES (1, 'x')",
        "REPLACE INTO open VALUES (1, 'x')",
        "UPDATE OR REPLACE open SET text = 'b' WHERE id = 1",
        "INSERT INTO noisy DEFAULT VALUES",
        "DELETE FROM parent",
        "INSERT INTO temp.open VALUES (1, 'x')",
        "SELECT * FROM temp.sqlite_schema",
        "SELECT count(*) FROM vault",
        "SELECT count(*) FROM main.vault",
        "SELECT (WITH vault AS (SELECT 1) SELECT 1), (SELECT count(*) FROM vault)",
        "WITH vault AS (SELECT 1) SELECT count(*) FROM main.vault",
        "WITH vault AS (SELECT count(*) AS c FROM vault) SELECT c FROM vault",
        "SELECT count(*) FROM window",
    ] {
        let read = guest.read(MAIN, sql, &[], BUDGET).await;
        let is_refused = match &read {
            Err(SqlError::Denied(_)) => true,
            Err(SqlError::Database(error)) => {
                ["no such table", "circular reference"].iter().any(|start| error.message.starts_with(start))
            }
            _ => false,
        };
        assert!(is_refused, "{sql}: {read:?}");
    }
    assert_eq!(count(&database, "text IN ('a', 'b')").await, Value::Int64(2));
    for sql in [
        "INSERT INTO open VALUES (1, 'x') ON CONFLICT DO UPDATE SET text = excluded.text RETURNING id",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n",
        "SELECT count(*) FROM open",
        "SELECT count(*) FROM main.open",
        "WITH a AS (SELECT text FROM open) SELECT count(*) FROM a",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT count(*) FROM n",
        "SELECT count(*) FROM json_each('[1, 2]')",
        "SELECT key, value FROM json_each('[1, 2]')",
        "SELECT \"instr\"(text, 'x') FROM open WHERE text LIKE '%x%'",
    ] {
        let read = guest.read(MAIN, sql, &[], BUDGET).await;
        assert!(read.is_ok(), "{sql}: {read:?}");
    }
}

#[tokio::test]
async fn a_search_is_kept_short_and_the_next_user_is_not() {
    let (_scratch, database) = database().await;
    let mut guest = session(&database, None);
    let long = guest.read(MAIN, "SELECT instr(hex(zeroblob(400000)), 'x')", &[], BUDGET).await;
    assert!(matches!(&long, Err(SqlError::Database(error)) if error.code == "sqlite:18"), "{long:?}");
    assert!(guest.read(MAIN, "SELECT length(hex(zeroblob(400000)))", &[], BUDGET).await.is_ok());
    let longer = guest.read(MAIN, "SELECT length(hex(zeroblob(9000000)))", &[], BUDGET).await;
    assert!(longer.is_err(), "{longer:?}");
    let mut host = database.sqlite().unwrap().reader(Share::Platform).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let statement = Statement { sql: "SELECT length(hex(zeroblob(9000000)))", values: &[], access: None, deadline };
    assert!(statement.read(&mut host, &Schema::default(), BUDGET).await.is_ok());
}

/// One connection serves all of these, and keeps the statement.
#[tokio::test]
async fn a_statement_that_is_kept_ready_is_refused_to_whom_it_is_not_granted() {
    let (_scratch, database) = database().await;
    let text = "SELECT text FROM vault";
    let host = async || {
        let mut host = database.sqlite().unwrap().reader(Share::Platform).await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let statement = Statement { sql: text, values: &[], access: None, deadline };
        let read = statement.read(&mut host, &Schema::default(), BUDGET).await;
        host.give_back();
        read
    };
    let granted = |verb| BTreeMap::from([("vault".to_owned(), BTreeSet::from([verb]))]);
    for _ in 0..3 {
        assert!(host().await.is_ok());
        let other = session(&database, None).read(MAIN, text, &[], BUDGET).await;
        assert!(matches!(other, Err(SqlError::Denied(_))), "{other:?}");
        let own = session_with(&database, None, granted(Verb::Select)).read(MAIN, text, &[], BUDGET).await;
        assert!(own.is_ok(), "{own:?}");
        let writes = session_with(&database, None, granted(Verb::Insert)).read(MAIN, text, &[], BUDGET).await;
        assert!(matches!(writes, Err(SqlError::Denied(_))), "{writes:?}");
    }
    assert_eq!(database.pool_use(), (0, 1), "it was one connection");
}

#[tokio::test]
async fn what_a_star_stands_for_is_what_the_schema_says_now() {
    let (scratch, database) = database().await;
    let url = scratch.0.join("data.db");
    let mut owner = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(url)).await.unwrap();
    for columns in 2..5_usize {
        let guest = session(&database, None).read(MAIN, "SELECT * FROM open", &[], BUDGET).await.unwrap();
        let mut host = database.sqlite().unwrap().reader(Share::Platform).await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let statement = Statement { sql: "SELECT * FROM open", values: &[], access: None, deadline };
        let read = statement.read(&mut host, &Schema::default(), BUDGET).await.unwrap();
        host.give_back();
        for reading in [guest, read] {
            assert_eq!(reading.rows.columns.len(), columns);
            assert!(reading.rows.rows.iter().all(|row| row.len() == columns));
        }
        let more = sqlx::AssertSqlSafe(format!("ALTER TABLE open ADD COLUMN more{columns} TEXT"));
        owner.execute(more).await.unwrap();
    }
}

/// Whose rows nobody wants any more: it ends before the connection is anyone else's.
#[tokio::test]
async fn a_statement_that_is_cut_off_is_nobody_elses_burden() {
    let (_scratch, database) = database().await;
    let mut guest = session(&database, None);
    guest.deadline = Instant::now() + Duration::from_millis(500);
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 3 OR i < 0";
    let cut = guest.read(MAIN, endless, &[], RowBudget { rows: 1, bytes: 1 << 20 }).await.unwrap();
    assert_eq!(cut.limit, Some(LimitName::SqlRows));
    assert_eq!(database.pool_use(), (0, 1), "it was given back");
    assert_eq!(count(&database, "true").await, Value::Int64(2));
}

#[tokio::test]
async fn a_statement_without_an_end_is_stopped() {
    let (_scratch, database) = database().await;
    let mut guest = session(&database, None);
    guest.deadline = Instant::now() + Duration::from_millis(300);
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let started = Instant::now();
    let read = guest.read(MAIN, endless, &[], BUDGET).await;
    assert!(matches!(read, Err(SqlError::Timeout(_))), "{read:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
    let after = guest.read(MAIN, "SELECT 1", &[], BUDGET).await;
    assert!(matches!(after, Err(SqlError::Timeout(_))), "{after:?}");
    assert_eq!(count(&database, "true").await, Value::Int64(2));
}

#[tokio::test]
async fn levels_of_a_transaction_end_one_by_one() {
    let (_scratch, database) = database().await;
    let mut guest = session(&database, None);
    let outer = guest.begin(MAIN).await.unwrap();
    guest.run(MAIN, "INSERT INTO open VALUES (10, 'outer')", &[]).await.unwrap();
    let inner = guest.begin(MAIN).await.unwrap();
    guest.run(MAIN, "INSERT INTO open VALUES (11, 'inner')", &[]).await.unwrap();
    assert!(matches!(guest.end(outer, true).await, Err(SqlError::Invalid(_))));
    guest.end(inner, false).await.unwrap();
    guest.end(outer, true).await.unwrap();
    assert!(matches!(guest.end(outer, true).await, Err(SqlError::Invalid(_))));
    assert_eq!(count(&database, "text IN ('outer', 'inner')").await, Value::Int64(1));
}

#[tokio::test]
async fn an_invocation_that_is_one_transaction_is_stored_whole_or_not() {
    let (_scratch, database) = database().await;
    for (commit, expected) in [(false, 2), (true, 3)] {
        let mut guest = session(&database, Some("main"));
        guest.run(MAIN, "INSERT INTO open (text) VALUES ('mine')", &[]).await.unwrap();
        guest.hand_back(commit).await.0.unwrap();
        assert_eq!(count(&database, "true").await, Value::Int64(expected));
    }
    let mut guest = session(&database, Some("main"));
    guest.run(MAIN, "INSERT INTO open (text) VALUES ('lost')", &[]).await.unwrap();
    drop(guest);
    assert_eq!(count(&database, "true").await, Value::Int64(3));
}

#[tokio::test]
async fn an_idle_transaction_gives_the_writer_back_at_its_deadline() {
    let (_scratch, database) = database().await;
    let idle =
        OpenTransaction::begin(database.sqlite().unwrap(), Instant::now() + Duration::from_millis(300)).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(4);
    let next = OpenTransaction::begin(database.sqlite().unwrap(), deadline).await.unwrap();
    assert!(idle.hold().await.is_err());
    assert!(idle.commit().await.is_err());
    next.commit().await.unwrap();
}

#[tokio::test]
async fn nothing_is_stored_after_the_engine_has_rolled_back() {
    let (_scratch, database) = database().await;
    let mut guest = session(&database, Some("main"));
    guest.run(MAIN, "INSERT INTO open (text) VALUES ('first')", &[]).await.unwrap();
    let endless = "INSERT INTO open (text) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'n' || i FROM n";
    {
        // What a write that is interrupted does: SQLite rolls all of it back.
        let open = &guest.opened[0].transaction.as_ref().unwrap().open;
        let mut held = open.hold().await.unwrap();
        let deadline = Instant::now() + Duration::from_millis(200);
        let statement = Statement { sql: endless, values: &[], access: None, deadline };
        assert_eq!(statement.run(held.connection().unwrap()).await.unwrap_err().kind, FailureKind::Interrupted);
    }
    let alone = guest.run(MAIN, "INSERT INTO open (text) VALUES ('alone')", &[]).await;
    assert!(matches!(alone, Err(SqlError::Database(_))), "{alone:?}");
    assert!(guest.hand_back(true).await.0.is_err());
    assert_eq!(count(&database, "text IN ('first', 'alone')").await, Value::Int64(0));
}

const COUNTING: &str =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i FROM n";
/// Fails in the middle: there is no such number.
const OVERFLOWING: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
    SELECT abs(CASE WHEN i = 15000 THEN -9223372036854775808 ELSE i END) FROM n";
const WIDE: RowBudget = RowBudget { rows: 50_000, bytes: 8 << 20 };

/// How many rows come, and what is said instead of more.
async fn drain(guest: &mut SqlSession, cursor: CursorId) -> (u64, Result<(), SqlError>) {
    let mut rows = 0;
    loop {
        match guest.next_rows(cursor, RowBudget { rows: 300, bytes: 1 << 20 }).await {
            Ok(Some(batch)) => rows += batch.rows,
            Ok(None) => return (rows, Ok(())),
            Err(error) => return (rows, Err(error)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_with_many_cursors_has_one_reader() {
    let (_scratch, database) = database().await;
    let mut guest = session(&database, None);
    // What waits in all of them together is within the budget of one.
    let budget = RowBudget { rows: 400_000, ..WIDE };
    let mut cursors = Vec::new();
    for _ in 0..CURSORS_MAX {
        cursors.push(guest.open_cursor(MAIN, COUNTING, Vec::new(), budget).await.unwrap().0);
        assert!(database.pool_use().0 <= 1, "{:?}", database.pool_use());
    }
    let more = guest.open_cursor(MAIN, COUNTING, Vec::new(), budget).await;
    assert_eq!(more.unwrap_err(), SqlError::Limit(LimitName::Handles));
    for cursor in cursors {
        assert_eq!(drain(&mut guest, cursor).await, (20_000, Ok(())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_cursor_is_told_behind_its_rows() {
    let (_scratch, database) = database().await;
    let mut guest = session(&database, None);
    let few = guest.open_cursor(MAIN, COUNTING, Vec::new(), RowBudget { rows: 1_500, ..WIDE }).await.unwrap().0;
    let failing = guest.open_cursor(MAIN, OVERFLOWING, Vec::new(), WIDE).await.unwrap().0;
    // The failure is met while another one is opened, and is nobody's fault but its own.
    let whole = guest.open_cursor(MAIN, COUNTING, Vec::new(), WIDE).await.unwrap().0;
    assert_eq!(drain(&mut guest, whole).await, (20_000, Ok(())));
    assert_eq!(drain(&mut guest, few).await, (1_500, Err(SqlError::Limit(LimitName::SqlRows))));
    let (rows, told) = drain(&mut guest, failing).await;
    assert!(rows < 15_000 && matches!(told, Err(SqlError::Database(_))), "{rows} {told:?}");
    let refused = guest.open_cursor(MAIN, "SELECT text FROM vault", Vec::new(), WIDE).await;
    assert!(matches!(refused, Err(SqlError::Denied(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_closed_gives_its_connection_back() {
    let (_scratch, database) = database().await;
    let mut guest = session(&database, None);
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let cursor = guest.open_cursor(MAIN, endless, Vec::new(), RowBudget { rows: u64::MAX, bytes: u64::MAX }).await;
    guest.close_cursor(cursor.unwrap().0);
    while database.pool_use().0 > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(count(&database, "id = 1").await, Value::Int64(1));
}
