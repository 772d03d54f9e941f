//! Events of one value in their order, no more at once than a subscription wants, and a handler that hangs or fails holds up nobody else.

use futures_util::{StreamExt as _, stream};
use santokit_sql::delivery::WINDOW;
use santokit_tests::{Engine, StkDev};
use serde_json::{Value as Json, json};

use super::{Asking, on::On, project, subscribe};

cases! { in_order:
    in_order_on_sqlite = None, Tables;
    in_order_on_postgres = Some(Engine::Postgres), Tables;
    in_order_on_mysql = Some(Engine::Mysql), Tables;
    in_order_over_nats_on_sqlite = None, Nats;
    in_order_over_nats_on_postgres = Some(Engine::Postgres), Nats;
    in_order_over_nats_on_mysql = Some(Engine::Mysql), Nats;
}

/// The first of a key fails twice: those after it wait, those of another key do not.
async fn in_order(on: On) {
    let folder = project(on.project("ordered"), &on.connection(None));
    let retry = "retry: {maxRetries: 5, minBackoff: 200ms, maxBackoff: 400ms}\n";
    subscribe(&folder, "ordered", "note", &format!("orderBy: key\nconcurrency: 8\n{retry}"));
    // The row of nothing fails; how many of its key were there before it says in which place it came.
    folder
        .write(
            "logics/note.sql",
            "---\nparams:\n  key: {type: string}\n  number: {type: int}\n---\n\
             INSERT INTO handled (id, event, logic, attempt, depth, said) \
             SELECT CASE WHEN :number = 0 AND :event.attempt < 3 THEN NULL ELSE :event.id END, :event.id, 'sql', :event.attempt, count(*), :key \
             FROM handled WHERE said = :key\n",
        )
        .unwrap();
    let dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for number in 0..6 {
        of_a.push(asking.publish(json!({"action": "-", "key": "a", "number": number})).await);
        of_b.push(asking.publish(json!({"action": "-", "key": "b", "number": number + 1})).await);
    }
    // All of the other key are done while the first still fails.
    let count = |rows: &[Json], key: &str| rows.iter().filter(|row| row["said"] == key).count();
    let rows = asking.until("handled", "all of b", |rows| count(rows, "b") == 6).await;
    assert!(count(&rows, "a") < 6, "{rows:?}");
    let rows = asking.until("handled", "all twelve", |rows| rows.len() == 12).await;
    for (key, published) in [("a", of_a), ("b", of_b)] {
        let mut handled: Vec<&Json> = rows.iter().filter(|row| row["said"] == key).collect();
        handled.sort_by_key(|row| row["depth"].as_i64());
        let handled: Vec<&str> = handled.iter().map(|row| row["event"].as_str().unwrap()).collect();
        assert_eq!(handled, published, "{key}");
    }
    let first = rows.iter().find(|row| row["said"] == "a" && row["depth"] == 0).unwrap();
    assert_eq!(first["attempt"], 3, "{first}");
}

cases! { behind:
    a_long_backlog_of_one_key_hides_no_other_on_sqlite = None, Tables;
    a_long_backlog_of_one_key_hides_no_other_on_postgres = Some(Engine::Postgres), Tables;
    a_long_backlog_of_one_key_hides_no_other_on_mysql = Some(Engine::Mysql), Tables;
    a_long_backlog_of_one_key_hides_no_other_over_nats = None, Nats;
}

/// Behind an event that is put off wait more of its key than a look goes through: what comes after them, of other keys and of none, is found.
async fn behind(on: On) {
    let folder = project(on.project("behind"), &on.connection(None));
    let retry = "retry: {maxRetries: 1, minBackoff: 1h, maxBackoff: 1h}\n";
    subscribe(&folder, "ordered", "note", &format!("orderBy: key\nconcurrency: 4\n{retry}"));
    folder
        .write(
            "logics/note.sql",
            "---\nparams:\n  key: {type: string}\n  number: {type: int}\n---\n\
             INSERT INTO handled (id, event, logic, attempt, depth, said) \
             SELECT CASE WHEN :number = 0 THEN NULL ELSE :event.id END, :event.id, 'sql', :event.attempt, count(*), :key \
             FROM handled WHERE said = :key\n",
        )
        .unwrap();
    let dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);
    let first = asking.publish(json!({"action": "-", "key": "a", "number": 0})).await;
    let is_put_off = |rows: &[Json]| rows.iter().any(|row| row["event"] == json!(first) && !row["error"].is_null());
    asking.until("rows", "the first is put off", is_put_off).await;
    let more = stream::iter(1..=WINDOW + 100)
        .map(|number| asking.publish(json!({"action": "-", "key": "a", "number": number})));
    let waiting: Vec<String> = more.buffer_unordered(16).collect().await;
    let is_shared = |rows: &[Json]| rows.iter().all(|row| !row["shared_at"].is_null());
    asking.until("published", "all wait", is_shared).await;
    let mut others = Vec::new();
    for number in 1..=3 {
        for key in ["b", "c"] {
            others.push(asking.publish(json!({"action": "-", "key": key, "number": number})).await);
        }
        others.push(asking.publish(json!({"action": "-", "number": number})).await);
    }
    let are_done = |rows: &[Json]| others.iter().all(|id| rows.iter().any(|row| row["event"] == json!(id)));
    let rows = asking.until("handled", "those of other keys and of none", are_done).await;
    assert!(!rows.iter().any(|row| waiting.iter().any(|id| row["event"] == json!(id))), "before the first: {rows:?}");
    for key in ["b", "c"] {
        let of: Vec<i64> =
            rows.iter().filter(|row| row["said"] == key).map(|row| row["depth"].as_i64().unwrap()).collect();
        let mut sorted = of.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2], "{key}: each saw those before it: {rows:?}");
    }
}

cases! { bounded:
    a_handler_that_takes_long_holds_up_nobody_else = None, Tables;
    a_handler_that_takes_long_holds_up_nobody_else_over_nats = None, Nats;
}

/// As many at once as it wants, and no more; and others go on.
async fn bounded(on: On) {
    let folder = project(on.project("bounded"), &on.connection(None));
    subscribe(&folder, "slow", "loose", "concurrency: 2\n");
    subscribe(&folder, "quick", "note", "");
    let dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);
    for number in 0..8 {
        asking.publish(json!({"action": "spin", "number": 400, "key": number.to_string()})).await;
    }
    let mut most = 0;
    let (mut slow, mut quick_was_first) = (0, false);
    while slow < 8 {
        let rows = asking.rows("rows").await;
        let claimed = rows.iter().filter(|row| row["subscription"] == "slow" && !row["claim"].is_null()).count();
        most = most.max(claimed);
        let handled = asking.rows("handled").await;
        let of = |logic: &str| handled.iter().filter(|row: &&Json| row["logic"] == logic).count();
        slow = of("loose");
        quick_was_first |= of("sql") == 8 && slow < 8;
        assert!(claimed <= 2, "{rows:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(most == 2 && quick_was_first, "{most} {quick_was_first}");
    asking.until_done().await;
}
