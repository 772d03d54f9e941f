//! What a turn reads of a backlog is what it takes: each of its statements is led by an index, past events that wait and past marks.

use santokit_core::value::Value;
use santokit_sql::{delivery::Scope, dialect::Dialect, statement::Statement};
use santokit_tests::StkDev;
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};

use super::{project, subscribe};

#[tokio::test(flavor = "multi_thread")]
async fn an_index_leads_each_look_at_a_backlog() {
    let folder = project("backlog", "");
    subscribe(&folder, "ordered", "note", "orderBy: key\n");
    let _dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let url = format!("sqlite:{}", folder.path().join(".stk/dev/main.db").display());
    let mut db = SqliteConnection::connect(&url).await.unwrap();
    let scope = Scope { project: "backlog", env: "dev", dialect: Dialect::Sqlite };
    let now = Value::Typed("timestamp".to_owned(), "2026-01-31T08:00:00.000000Z".to_owned());
    let names = ["ordered", "other"];
    for (what, statement, wanted) in [
        ("is_there", scope.is_there(&["work"], &names, &now), ["shared_at=?", "subscription=?"]),
        ("next_due", scope.next_due(&names, &now), ["subscription=?", "due_at>?"]),
        ("unshared", scope.unshared(&["work"], &now, 100), ["env=?", "shared_at=?"]),
        ("claimed", scope.claimed(&names, &now), ["subscription=?", "due_at>?"]),
        ("due", scope.due("ordered", false, &now, 100), ["subscription=?", "due_at<?"]),
        ("due in order", scope.due("ordered", true, &now, 100), ["due_at<?", "order_key=? AND state=?"]),
        ("due_count", scope.due_count("ordered", &now), ["subscription=?", "due_at<?"]),
        ("first_of_keys", scope.first_of_keys(("", "g")), ["order_key>? AND order_key<?", "order_key=? AND state=?"]),
        ("next_subscription", scope.next_subscription(""), ["env=?", "subscription>?"]),
        ("orphaned", scope.orphaned("gone", &now, 100), ["due_at<?", "state=?"]),
    ] {
        let plan = plan(&mut db, &statement).await;
        let told = plan.join("\n");
        assert!(!told.contains("SCAN stk_"), "{what} reads a whole table:\n{told}");
        for part in wanted {
            assert!(told.contains(part), "{what}: no index leads by {part}:\n{told}");
        }
        // The order of sharing and of claiming is that of the index: who takes a hundred reads a hundred.
        let sorts = plan.iter().any(|line| line.ends_with("USE TEMP B-TREE FOR ORDER BY"));
        // What is found in order was found in a window, and is no more than a hundred.
        assert!(!sorts || ["next_due", "due in order"].contains(&what), "{what} sorts all that waits:\n{told}");
    }
}

/// A release may have 5,000 subscriptions, and SQLite takes 500 selects in one.
#[tokio::test]
async fn any_number_of_subscriptions_is_asked_at_once() {
    let mut db = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let made = "CREATE TABLE stk_delivery (project, env, subscription, state, claim, due_at)";
    sqlx::query(made).execute(&mut db).await.unwrap();
    let scope = Scope { project: "many", env: "dev", dialect: Dialect::Sqlite };
    let now = Value::Typed("timestamp".to_owned(), "2026-01-31T08:00:00.000000Z".to_owned());
    for count in [1, 100, 101, 5_000] {
        let names: Vec<String> = (0..count).map(|number| format!("s{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for statement in [scope.claimed(&names, &now), scope.out(&names, &now), scope.next_due(&names, &now)] {
            assert!(!plan(&mut db, &statement).await.is_empty(), "{count}");
        }
    }
}

async fn plan(db: &mut SqliteConnection, statement: &Statement) -> Vec<String> {
    let text = format!("EXPLAIN QUERY PLAN {}", statement.sql);
    let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(db).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>("detail")).collect()
}
