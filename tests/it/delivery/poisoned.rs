//! Poisoned events: one whose Bridge dies of it each time is given up after its attempts, and says so; and handlers that hang, trap and fail hold up neither
//! other subscriptions nor other keys.

use std::{collections::BTreeSet, fs, net::TcpListener};

use santokit_tests::{Bridge, Engine, StkDev, folder::repository};
use serde_json::{Value as Json, json};

use super::{Asking, events, fleet::lab, on::On, project, subscribe};
use crate::lab::Lab;

const ID: &str = "brg_01ARZ3NDEKTSV4RRFFQ69G5FE3";

/// The deliveries of a subscription for an event.
fn of<'r>(rows: &'r [Json], event: &str, subscription: &str) -> Option<&'r Json> {
    rows.iter().find(|row| row["event"] == event && row["subscription"] == subscription)
}

cases! { deadly:
    an_event_that_kills_its_bridges_is_given_up_on_sqlite = None, Tables;
    an_event_that_kills_its_bridges_is_given_up_on_postgres = Some(Engine::Postgres), Tables;
    an_event_that_kills_its_bridges_is_given_up_on_mysql = Some(Engine::Mysql), Tables;
    an_event_that_kills_its_bridges_is_given_up_over_nats = Some(Engine::Postgres), Nats;
}

/// A guest cannot kill its Bridge: the test does, whenever the event is in hand.
async fn deadly(on: On) {
    // Long enough that the kill comes before the attempt ends by itself.
    let more = "orderBy: key\ntimeout: 12s\nretry: {maxRetries: 1, minBackoff: 10ms, maxBackoff: 20ms}\n";
    let lab = lab(on.project("deadly"), on.url(), &[("ordered", "loose", more), ("quick", "note", "")]).await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (listen, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let own = vec![
        ("STK_BRIDGE_EVENTS_POLL_INTERVAL", "50ms"),
        ("STK_BRIDGE_ID", ID),
        ("STK_BRIDGE_ADMIN_LISTEN", listen.as_str()),
        ("STK_BRIDGE_ADMIN_URL", url.as_str()),
    ];
    let settings = [on.settings(), own].concat();
    let mut bridge = lab.bridge("one", &settings).await;
    lab.apply().await;
    let asking = Asking::at(&bridge);
    let poison = asking.publish(json!({"action": "spin", "number": 60_000, "key": "a"})).await;
    let behind = asking.publish(json!({"action": "note", "key": "a"})).await;
    drop(asking);
    let mut others = BTreeSet::new();
    for attempt in 1..=2 {
        let is_in_hand = |rows: &[Json]| {
            of(rows, &poison, "ordered").is_some_and(|row| row["attempt"] == attempt && !row["claim"].is_null())
        };
        Asking::at(&bridge).until("rows", "it is in hand", is_in_hand).await;
        bridge.kill().await.unwrap();
        bridge = lab.bridge("one", &settings).await;
        bridge.until_state("fresh").await.unwrap();
        // Another key, and another subscription, while nobody has said what became of it.
        let asking = Asking::at(&bridge);
        let other = asking.publish(json!({"action": "note", "key": "b"})).await;
        let is_handled = |rows: &[Json]| {
            let of = |logic: &str| rows.iter().any(|row| row["event"] == json!(other) && row["logic"] == logic);
            of("loose") && of("sql")
        };
        asking.until("handled", "others go on", is_handled).await;
        // There is one attempt more.
        let rows = asking.rows("rows").await;
        assert!(attempt == 2 || of(&rows, &poison, "ordered").unwrap()["state"] == "pending", "{rows:?}");
        others.insert(other);
    }

    let asking = Asking::at(&bridge);
    let is_dead = |rows: &[Json]| rows.len() == 1 && rows[0]["state"] == "dead";
    let rows = asking.until("rows", "it is given up", is_dead).await;
    let dead = of(&rows, &poison, "ordered").unwrap();
    assert!(dead["attempt"] == 2 && dead["error"].as_str().unwrap().starts_with("NO_ANSWER"), "{dead}");
    // Its key goes on behind it; and what is no attempt of its own has handled it.
    let handled = asking.rows("handled").await;
    let handled_by = |logic: &str| {
        let of: Vec<Json> = handled.iter().filter(|row| row["logic"] == logic).cloned().collect();
        events(&of)
    };
    others.insert(behind);
    assert_eq!(handled_by("loose"), others, "{handled:?}");
    others.insert(poison.clone());
    assert_eq!(handled_by("sql"), others, "{handled:?}");
    told(&lab, &bridge, &url, &format!("{poison}:ordered")).await;
}

/// The history has both attempts, and who has begun them.
async fn told(lab: &Lab, bridge: &Bridge, url: &str, letter: &str) {
    let began = tokio::time::Instant::now();
    while !lab.done(&["bridge", "status"], "").await.to_string().contains(url) {
        assert!(began.elapsed() < super::WAIT, "the Bridge has not said where it takes operators\n{}", bridge.output());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let one = lab.done(&["events", "dlq", "inspect", letter], "").await;
    let history: Vec<(i64, &str)> = one["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| (attempt["attempt"].as_i64().unwrap(), attempt["code"].as_str().unwrap()))
        .collect();
    assert_eq!(history, [(1, "NO_ANSWER"), (2, "NO_ANSWER")], "{one}");
    let words = &one["history"][0];
    assert!(words["bridge"] == ID && words["release"].as_str().unwrap().starts_with("rel_"), "{words}");
}

cases! { hostile:
    poisoned_handlers_hold_up_nobody_else_on_sqlite = None, Tables;
    poisoned_handlers_hold_up_nobody_else_on_postgres = Some(Engine::Postgres), Tables;
    poisoned_handlers_hold_up_nobody_else_on_mysql = Some(Engine::Mysql), Tables;
    poisoned_handlers_hold_up_nobody_else_over_nats = Some(Engine::Postgres), Nats;
}

/// One hangs until it has no time left, one traps, one says no: again and again, in all places that they have. Others are at the end while they still are not.
async fn hostile(on: On) {
    let folder = project(on.project("hostile"), &on.connection(None));
    let retry = "retry: {maxRetries: 10, minBackoff: 10ms, maxBackoff: 2s}\n";
    for (name, number) in [("hangs", 600_000), ("traps", 1), ("refuses", 2)] {
        let dir = format!("logics/{name}");
        let manifest = folder.read("logics/loose/logic.yaml").unwrap();
        folder.write(&format!("{dir}/logic.yaml"), &manifest.replace("cpu: 20s", "cpu: 1s")).unwrap();
        let built = repository().join("tests/guests/kept/on-event-0.1.0-rust.wasm");
        fs::copy(built, folder.path().join(&dir).join("it.wasm")).unwrap();
        subscribe(&folder, name, name, &format!("filter: event.payload.number == {number}\n{retry}"));
    }
    subscribe(&folder, "quick", "note", "concurrency: 1\n");
    let dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);
    let poisons = [("hangs", "spin", 600_000), ("traps", "panic", 1), ("refuses", "fail", 2)];
    let (mut published, mut poisoned) = (BTreeSet::new(), Vec::new());
    for _ in 0..6 {
        for (subscription, action, number) in poisons {
            let event = asking.publish(json!({"action": action, "number": number})).await;
            published.insert(event.clone());
            poisoned.push((event, subscription));
        }
    }
    let all_of_quick = |rows: &[Json]| rows.iter().filter(|row| row["logic"] == "sql").count() == published.len();
    asking.until("handled", "the quick one is at its end", all_of_quick).await;
    // Bounded by what the others have done, whatever the machine is: six that hang use eleven seconds of its time each.
    let rows = asking.rows("rows").await;
    let pending =
        |name: &str| rows.iter().filter(|row| row["subscription"] == name && row["state"] == "pending").count();
    assert!(pending("hangs") > 0, "{rows:?}");
    for (event, subscription) in &poisoned {
        assert!(of(&rows, event, subscription).is_some(), "{event} {subscription}: {rows:?}");
    }
    // Those that do not hang come to their end beside the one that does.
    let at_end = |rows: &[Json]| {
        let dead = |name: &str| rows.iter().filter(|row| row["subscription"] == name && row["state"] == "dead").count();
        dead("traps") == 6 && dead("refuses") == 6
    };
    let rows = asking.until("rows", "the others are given up", at_end).await;
    let begins = |name: &str, word: &str| {
        let mut of = rows.iter().filter(|row| row["subscription"] == name && row["state"] == "dead");
        of.all(|row| row["error"].as_str().unwrap().starts_with(word))
    };
    assert!(begins("traps", "LOGIC_FAILED") && begins("refuses", "NOT_NOW"), "{rows:?}");
    let handled = asking.rows("handled").await;
    assert_eq!(events(&handled), published, "none but the quick one: {handled:?}");
    assert_eq!(handled.len(), published.len(), "{handled:?}");
}
