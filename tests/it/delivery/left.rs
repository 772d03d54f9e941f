//! What releases leave behind: events of subscriptions and topics that are gone, of filters that did not know, and payloads that are large.

use std::{collections::BTreeSet, fs, time::Duration};

use santokit_tests::{Engine, StkDev, stk};
use serde_json::{Value as Json, json};

use super::{Asking, events, fleet::lab, on::On, project, subscribe};

const SOON: &str = "retry: {maxRetries: 1, minBackoff: 10ms, maxBackoff: 20ms}\n";

cases! { gone:
    what_a_release_without_events_leaves_is_dead_on_sqlite = None, Tables;
    what_a_release_without_events_leaves_is_dead_on_postgres = Some(Engine::Postgres), Tables;
    what_a_release_without_events_leaves_is_dead_on_mysql = Some(Engine::Mysql), Tables;
    what_a_release_without_events_leaves_is_dead_over_nats = Some(Engine::Postgres), Nats;
}

/// A release takes the last topic with it: what waited is a dead letter, and not in nobody's sight.
async fn gone(on: On) {
    let parts = ["events", "logics/publish", "logics/whole", "logics/loose", "logics/note.sql"];
    left_behind(on, "gone", &parts).await;
}

cases! { one_gone:
    what_a_subscription_leaves_is_dead_on_postgres = Some(Engine::Postgres), Tables;
    what_a_subscription_leaves_is_dead_over_nats_on_sqlite = None, Nats;
    what_a_subscription_leaves_is_dead_over_nats_on_mysql = Some(Engine::Mysql), Nats;
}

/// A release takes one of two subscriptions with it. For how long a broker may have tickets of it, which is minutes, is no time that anybody waits.
async fn one_gone(on: On) {
    left_behind(on, "one_gone", &["events/subscriptions/slow.yaml"]).await;
}

/// Parts of a project go while events wait for what is slow.
async fn left_behind(on: On, name: &str, parts: &[&str]) {
    let folder = project(on.project(name), &on.connection(None));
    // What is quick has places, so that what is slow is given its own; which then waits.
    subscribe(&folder, "slow", "loose", &format!("concurrency: 1\n{SOON}"));
    subscribe(&folder, "quick", "note", SOON);
    let settings = [on.settings(), vec![("STK_BRIDGE_EVENTS_ORPHANED_AFTER", "1s")]].concat();
    let mut dev = StkDev::start(folder.path(), &settings).await.unwrap();
    let asking = Asking::of(&dev);
    let mut published = BTreeSet::new();
    // Far more than is handled before the next release is there.
    for _ in 0..24 {
        published.insert(asking.publish(json!({"action": "spin", "number": 1_000})).await);
    }
    let of = |rows: &[Json], subscription: &str| {
        let rows = rows.iter().filter(|row| row["subscription"] == subscription);
        rows.filter(|row| row["state"] == "pending").count()
    };
    asking.until("published", "all are shared", |rows| rows.iter().all(|row| !row["shared_at"].is_null())).await;
    asking.until("rows", "some wait", |rows| of(rows, "slow") > 2 && of(rows, "quick") == 0).await;
    drop(asking);
    for path in parts.iter().map(|part| folder.path().join(part)) {
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        removed.unwrap();
    }
    dev.wait_for("swapped", Duration::from_mins(1)).await.unwrap();
    let asking = Asking::of(&dev);
    let rows = asking.until("rows", "nothing waits", |rows| of(rows, "slow") == 0).await;
    let dead: Vec<Json> = rows.iter().filter(|row| row["state"] == "dead").cloned().collect();
    assert!(dead.iter().any(|row| row["error"].as_str().unwrap().starts_with("NO_SUBSCRIPTION")), "{dead:?}");
    let handled: Vec<Json> = asking.rows("handled").await.into_iter().filter(|row| row["logic"] == "loose").collect();
    let accounted: BTreeSet<String> = events(&handled).union(&events(&dead)).cloned().collect();
    assert_eq!(accounted, published, "{handled:?} {rows:?}\n{}", dev.output());
}

cases! { unknown:
    a_filter_that_knows_now_decides_of_what_is_replayed_on_sqlite = None, Tables;
    a_filter_that_knows_now_decides_of_what_is_replayed_on_mysql = Some(Engine::Mysql), Tables;
    a_filter_that_knows_now_decides_of_what_is_replayed_over_nats = Some(Engine::Postgres), Nats;
}

/// A dead letter of a filter that could not say whether it is the subscription's is not handled because somebody replays it.
async fn unknown(on: On) {
    let folder = project(on.project("unknown"), &on.connection(None));
    subscribe(&folder, "large", "note", "filter: event.payload.number > 10\n");
    let mut dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);
    let odd = asking.publish(json!({"action": "note"})).await;
    let text = asking.publish(json!({"action": "note", "text": "it has one"})).await;
    let is_dead = |rows: &[Json]| rows.len() == 2 && rows.iter().all(|row| row["state"] == "dead");
    asking.until("rows", "both are dead", is_dead).await;
    let replay = ["events", "dlq", "replay", "--subscription", "large", "--json"];
    let replayed = async || {
        let finished = stk(folder.path(), &replay, &[]).await.unwrap();
        assert_eq!((finished.code, &finished.json()["touched"]), (0, &json!(2)), "{finished:?}");
    };
    // The same filter does not know it now either.
    replayed().await;
    let again = |rows: &[Json]| is_dead(rows) && rows.iter().all(|row| row["attempt"] == 1);
    let rows = asking.until("rows", "both are dead again", again).await;
    assert!(rows.iter().all(|row| row["error"].as_str().unwrap().starts_with("FILTER")), "{rows:?}");
    assert_eq!(asking.rows("handled").await, Vec::<Json>::new());
    drop(asking);
    subscribe(&folder, "large", "note", "filter: event.payload.text != null\n");
    dev.wait_for("swapped", Duration::from_mins(1)).await.unwrap();
    replayed().await;
    let asking = Asking::of(&dev);
    assert_eq!(asking.until_done().await, Vec::<Json>::new(), "{}", dev.output());
    let handled = asking.rows("handled").await;
    assert_eq!(events(&handled), BTreeSet::from([text]), "not {odd}: {handled:?}");
}

cases! { large:
    large_payloads_are_handled_on_sqlite = None, Tables;
    large_payloads_are_handled_on_postgres = Some(Engine::Postgres), Tables;
    large_payloads_are_handled_on_mysql = Some(Engine::Mysql), Tables;
    large_payloads_are_handled_over_nats = Some(Engine::Postgres), Nats;
}

/// Payloads that are not read with their rows, in order and not, at once and after they have waited.
async fn large(on: On) {
    let folder = project(on.project("large"), &on.connection(None));
    subscribe(&folder, "loose", "loose", &format!("concurrency: 2\n{SOON}"));
    subscribe(&folder, "ordered", "note", &format!("orderBy: number\n{SOON}"));
    let dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);
    let mut published = BTreeSet::new();
    for number in 0..12_u32 {
        let text = "x".repeat(if number % 3 == 0 { 1_000 } else { 300_000 });
        let payload = json!({"action": "note", "number": number % 2, "key": number.to_string(), "text": text});
        published.insert(asking.publish(payload).await);
    }
    assert_eq!(asking.until_done().await, Vec::<Json>::new(), "{}", dev.output());
    let handled = asking.rows("handled").await;
    for logic in ["loose", "sql"] {
        let of: Vec<Json> = handled.iter().filter(|row| row["logic"] == logic).cloned().collect();
        assert_eq!((of.len(), events(&of)), (12, published.clone()), "{logic}");
    }
}

/// What waits on a connection that a release has taken away is nobody's, of which there is a word.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_a_release_takes_away_is_told() {
    const SIDE: &str = "version: 1\ntables:\n  marks:\n    connection: side\n    columns: {text: {type: string}}\n";
    const TOLD: &str = "the release has no tables on a connection any more";
    let lab = lab("taken", None, &[]).await;
    let url = format!("sqlite:{}", lab.dir.path().join("side.db").display());
    lab.done(&["connections", "set", "side", "--engine", "sqlite", "--url-stdin"], &url).await;
    let bridge = lab.bridge("one", &[]).await;
    let apply = async || lab.done(&["apply", "--accept-grants", "--force", "--yes", "--wait", "0"], "").await;
    let mut rounds = 0;
    // Now and then it is looked which connections there are: of one that was there for a moment nobody knows.
    while !bridge.output().contains(TOLD) {
        rounds += 1;
        assert!(rounds < 10, "nobody is told: {}", bridge.output());
        for is_there in [true, false] {
            if is_there {
                lab.folder.write("schema/side.yaml", SIDE).unwrap();
            } else {
                fs::remove_file(lab.folder.path().join("schema/side.yaml")).unwrap();
            }
            let release = apply().await["releaseId"].clone();
            bridge.until("it has the release", |env| env["releaseId"] == release).await.unwrap();
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }
    // A word for each time that it went away.
    assert!(bridge.output().matches(TOLD).count() <= rounds, "{}", bridge.output());
}
