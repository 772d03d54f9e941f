//! Rows as a Bridge leaves them that ended at a bad moment, or that another one sees differently: what was handled in a transaction is not handled again, and
//! what somebody works at is nobody's to give up.

use santokit_core::value::Value;
use santokit_sql::{delivery::Scope, dialect::Dialect};
use santokit_tests::{ProjectFolder, StkDev, stk};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};

use super::{Asking, on::On, project, subscribe};

const COLUMNS: &str = "id, project, env, event, topic, subscription, payload, published_at, published_by, depth, state, attempt, due_at, \
    history, created_at";

async fn database(folder: &ProjectFolder) -> SqliteConnection {
    let url = format!("sqlite:{}", folder.path().join(".stk/dev/main.db").display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("PRAGMA busy_timeout = 10000").execute(&mut database).await.unwrap();
    database
}

/// A row of an event that is kept, for a subscription.
async fn give(database: &mut SqliteConnection, (event, subscription): (&str, &str), state: &str, attempts: u32) {
    let text = format!(
        "INSERT INTO stk_delivery ({COLUMNS}) SELECT id || ':{subscription}', project, env, id, topic, '{subscription}', payload, \
         published_at, published_by, depth, '{state}', {attempts}, published_at, CAST('[]' AS BLOB), published_at FROM stk_outbox WHERE id = '{event}'"
    );
    let done = sqlx::query(AssertSqlSafe(text)).execute(database).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{event}");
}

cases! { handled_before:
    what_a_transaction_has_handled_is_not_handled_again_by_a_replay_nor_after_it_was_given_back = None, Tables;
    what_a_transaction_has_handled_is_not_handled_again_over_nats = None, Nats;
}

/// Its handler's transaction was committed, and that is all that is known of it: the attempt was its last one, or was given back at the end of a Bridge.
async fn handled_before(on: On) {
    let folder = project(on.project("tried"), "");
    subscribe(&folder, "whole", "whole", "retry: {maxRetries: 0}\n");
    let dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);
    let event = asking.publish(json!({"action": "note", "number": 1})).await;
    asking.until("handled", "it is handled", |rows| rows.len() == 1).await;
    asking.until_done().await;
    let mut database = database(&folder).await;
    give(&mut database, (&event, "whole"), "dead", 1).await;
    let id = format!("{event}:whole");
    let replayed = stk(folder.path(), &["events", "dlq", "replay", &id, "--json"], &[]).await.unwrap();
    assert_eq!((replayed.code, &replayed.json()["touched"]), (0, &json!(1)), "{replayed:?}");
    assert_eq!(asking.until_done().await, Vec::<serde_json::Value>::new(), "{}", dev.output());
    give(&mut database, (&event, "whole"), "pending", 0).await;
    assert_eq!(asking.until_done().await, Vec::<serde_json::Value>::new(), "{}", dev.output());
    assert_eq!(asking.rows("handled").await.len(), 1);
    assert!(dev.output().contains("was handled: its transaction says so"), "{}", dev.output());
}

/// A failure of a code that no further attempt would change is the last; another one is not.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_tried_again_is_a_dead_letter_at_once() {
    let folder = project("never", "");
    let retry =
        |never: &str| format!("retry: {{maxRetries: 2, minBackoff: 10ms, maxBackoff: 20ms, never: [{never}]}}\n");
    subscribe(&folder, "own", "loose", &retry("OTHER, NOT_NOW"));
    subscribe(&folder, "platforms", "whole", &retry("LOGIC_FAILED"));
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let asking = Asking::of(&dev);
    for action in ["fail", "panic"] {
        asking.publish(json!({"action": action})).await;
    }
    let are_dead = |rows: &[serde_json::Value]| rows.len() == 4 && rows.iter().all(|row| row["state"] == "dead");
    let rows = asking.until("rows", "all are dead letters", are_dead).await;
    for (subscription, code, attempts) in [
        ("own", "NOT_NOW", 1),
        ("own", "LOGIC_FAILED", 3),
        ("platforms", "LOGIC_FAILED", 1),
        ("platforms", "NOT_NOW", 3),
    ] {
        let is_it = |row: &&serde_json::Value| {
            row["subscription"] == subscription && row["error"].as_str().unwrap().starts_with(code)
        };
        let row = rows.iter().find(is_it).unwrap_or_else(|| panic!("{subscription} {code}: {rows:?}"));
        assert_eq!(row["attempt"], attempts, "{row}");
    }
}

/// A Bridge that has not heard of a release does not give up what waits for its subscriptions.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_another_bridge_works_at_are_no_orphans() {
    let folder = project("orphans", "");
    let _dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let mut database = database(&folder).await;
    let rows = [
        ("gone", "08:00:00", "NULL"),
        ("gone", "08:05:00", "NULL"),
        ("elsewhere", "08:00:00", "NULL"),
        ("elsewhere", "09:00:30", "'claim'"),
    ];
    for (number, (subscription, due, claim)) in rows.iter().enumerate() {
        // Of another env than the one that runs, so that nobody else gives them up.
        let text = format!(
            "INSERT INTO stk_delivery ({COLUMNS}, claim) VALUES ('evt_{number}:{subscription}', 'orphans', 'prod', 'evt_{number}', 'work', '{subscription}', \
             CAST('{{}}' AS BLOB), '2026-01-31T08:00:00.000000Z', 'publish', 0, 'pending', 0, '2026-01-31T{due}.000000Z', NULL, '2026-01-31T08:00:00.000000Z', {claim})"
        );
        sqlx::query(AssertSqlSafe(text)).execute(&mut database).await.unwrap();
    }
    let scope = Scope { project: "orphans", env: "prod", dialect: Dialect::Sqlite };
    let since = Value::Typed("timestamp".to_owned(), "2026-01-31T08:50:00.000000Z".to_owned());
    let mut found = Vec::new();
    for subscription in ["gone", "elsewhere"] {
        let statement = scope.orphaned(subscription, &since, 9);
        let mut query = sqlx::query(AssertSqlSafe(statement.sql.clone()));
        for bound in &statement.params {
            let (Value::Text(text) | Value::Typed(_, text)) = &bound.value else { panic!("{bound:?}") };
            query = query.bind(text.clone());
        }
        let rows = query.fetch_all(&mut database).await.unwrap();
        found.extend(rows.iter().map(|row| row.get::<String, _>("id")));
    }
    assert_eq!(found, ["evt_0:gone", "evt_1:gone"]);
}
