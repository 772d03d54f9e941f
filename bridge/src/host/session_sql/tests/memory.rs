//! What a guest's statements can make the Bridge hold.

use super::*;

/// So many rows.
fn counting(rows: u32) -> String {
    format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})")
}

fn columns(one: &str, count: usize) -> String {
    vec![one; count].join(", ")
}

/// Each wants gigabytes.
fn bombs() -> Vec<String> {
    vec![
        // In the engine's registers.
        format!("SELECT {}", columns("hex(zeroblob(8000000))", 100)),
        // One value, and a copy of it for each column of the row.
        format!("WITH x (v) AS (SELECT hex(zeroblob(8000000))) SELECT {} FROM x", columns("v", 500)),
        // Nothing, until it is copied.
        format!("SELECT {}", columns("zeroblob(16000000)", 500)),
        // Sorted, grouped, compared: what else would be files without an end.
        format!(
            "{} SELECT count(*) FROM (SELECT hex(zeroblob(500000)) || i AS v FROM n ORDER BY v LIMIT -1 OFFSET 1)",
            counting(3_000)
        ),
        format!("{} SELECT count(*) FROM (SELECT DISTINCT hex(zeroblob(500000)) || i FROM n)", counting(3_000)),
        format!(
            "{} SELECT sum(length(v)) FROM (SELECT hex(zeroblob(500000)) || i AS v FROM n UNION SELECT 'x')",
            counting(3_000)
        ),
    ]
}

/// The most memory that this process has had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_takes_gigabytes() {
    let (_scratch, database) = database().await;
    for sql in bombs() {
        let mut guest = session(&database, None);
        let read = guest.read(MAIN, &sql, &[], BUDGET).await;
        let limit = match &read {
            Ok(reading) => reading.limit,
            Err(SqlError::Limit(limit)) => Some(*limit),
            Err(_) => None,
        };
        let read = read.map(|reading| reading.rows.rows.len());
        assert_eq!(limit, Some(LimitName::SqlBytes), "{}: {read:?}", &sql[..80.min(sql.len())]);
        let opened = guest.open_cursor(MAIN, &sql, Vec::new(), BUDGET).await;
        let limit = match opened {
            Ok((cursor, _)) => drain(&mut guest, cursor).await.1,
            Err(error) => Err(error),
        };
        assert_eq!(limit, Err(SqlError::Limit(LimitName::SqlBytes)), "{}", &sql[..80.min(sql.len())]);
        // Nobody else has anything of it, also who comes to the same connections.
        assert_eq!(count(&database, "true").await, Value::Int64(2));
    }
    assert!(peak() < 1 << 30, "{} MiB", peak() >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_takes_too_much_is_undone_and_the_next_is_not() {
    let (_scratch, database) = database().await;
    let mut guest = session(&database, None);
    let sorted = format!(
        "INSERT INTO open (text) {} SELECT substr(v, 1, 9) FROM (SELECT hex(zeroblob(500000)) || i AS v FROM n ORDER BY v)",
        counting(3_000)
    );
    assert_eq!(guest.run(MAIN, &sorted, &[]).await, Err(SqlError::Limit(LimitName::SqlBytes)));
    assert_eq!(count(&database, "true").await, Value::Int64(2));
    let transaction = guest.begin(MAIN).await.unwrap();
    assert_eq!(guest.run(MAIN, &sorted, &[]).await, Err(SqlError::Limit(LimitName::SqlBytes)));
    drop(guest.end(transaction, false).await);
    assert_eq!(guest.run(MAIN, "INSERT INTO open (text) VALUES ('after')", &[]).await, Ok(1));
    assert_eq!(count(&database, "true").await, Value::Int64(3));
}

/// What fits is not refused: many rows of some size, more of them than the driver keeps ready at once.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_budget_has_room_for_is_read() {
    let (_scratch, database) = database().await;
    let budget = RowBudget { rows: 1_000, bytes: 300 << 20 };
    let large = format!("{} SELECT hex(zeroblob(1000000)) FROM n", counting(100));
    let mut guest = session(&database, None);
    let reading = guest.read(MAIN, &large, &[], budget).await.unwrap();
    assert_eq!((reading.rows.rows.len(), reading.limit), (100, None));
    let sorted = format!(
        "{} SELECT sum(length(v)) FROM (SELECT hex(zeroblob(500)) || i AS v FROM n ORDER BY v)",
        counting(30_000)
    );
    assert!(guest.read(MAIN, &sorted, &[], BUDGET).await.unwrap().limit.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_cursors_read_ahead_what_one_may() {
    let (_scratch, database) = database().await;
    let budget = RowBudget { rows: 10_000, bytes: 8 << 20 };
    let mut guest = session(&database, None);
    let large = format!("{} SELECT hex(zeroblob(50000)) FROM n", counting(300));
    let empty = format!("{} SELECT {} FROM n", counting(20_000), columns("''", 200));
    for (sql, rows_max) in [(large, 84), (empty, 10_000)] {
        let mut cursors = Vec::new();
        for _ in 0..CURSORS_MAX {
            if let Ok((cursor, _)) = guest.open_cursor(MAIN, &sql, Vec::new(), budget).await {
                cursors.push(cursor);
            }
        }
        let mut rows = 0;
        for cursor in cursors {
            let (some, ended) = drain(&mut guest, cursor).await;
            assert!(matches!(ended, Err(SqlError::Limit(_))), "{ended:?}");
            rows += some;
            guest.close_cursor(cursor);
        }
        assert!((1..=rows_max).contains(&rows), "{rows} rows of {}", &sql[..100]);
        // What was given back is there again.
        let cursor = guest.open_cursor(MAIN, COUNTING, Vec::new(), WIDE).await.unwrap().0;
        assert_eq!(drain(&mut guest, cursor).await, (20_000, Ok(())));
        guest.close_cursor(cursor);
    }
}
