//! Power cuts and cut networks in the middle of handlers: every event that was published is handled, is dead, or waits; and what a transaction of the
//! handler's own did, it did once.

use std::{collections::BTreeSet, time::Duration};

use santokit_tests::{Engine, FaultProxy, StkDev};
use serde_json::{Value as Json, json};

use super::{
    Asking, WAIT, events,
    fleet::lab,
    on::{On, Over},
    project, subscribe,
};

cases! { killed:
    a_killed_bridge_on_sqlite = None, Tables;
    a_killed_bridge_on_postgres = Some(Engine::Postgres), Tables;
    a_killed_bridge_on_mysql = Some(Engine::Mysql), Tables;
    a_killed_bridge_over_nats_on_sqlite = None, Nats;
    a_killed_bridge_over_nats_on_postgres = Some(Engine::Postgres), Nats;
    a_killed_bridge_over_nats_on_mysql = Some(Engine::Mysql), Nats;
}

async fn killed(on: On) {
    let more = "concurrency: 4\ntimeout: 2s\nretry: {maxRetries: 5, minBackoff: 10ms, maxBackoff: 50ms}\n";
    let lab = lab(on.project("killed"), on.url(), &[("whole", "whole", more), ("loose", "loose", more)]).await;
    let settings = [on.settings(), vec![("STK_BRIDGE_EVENTS_POLL_INTERVAL", "50ms")]].concat();
    let mut bridge = lab.bridge("one", &settings).await;
    lab.apply().await;
    let mut published = BTreeSet::new();
    // Twice: a kill can fall between two rounds of handlers.
    for _ in 0..2 {
        until_in_hand(&Asking::at(&bridge), &mut published).await;
        bridge.kill().await.unwrap();
        bridge = lab.bridge("one", &settings).await;
        bridge.until_state("fresh").await.unwrap();
    }
    let asking = Asking::at(&bridge);
    let kept: BTreeSet<String> =
        asking.rows("published").await.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert!(published.is_subset(&kept), "{published:?} {kept:?}");
    let rows = asking.until_done().await;
    let handled = asking.rows("handled").await;
    for logic in ["whole", "loose"] {
        let of: Vec<Json> = handled.iter().filter(|row| row["logic"] == logic).cloned().collect();
        let dead_of: Vec<Json> = rows.iter().filter(|row| row["subscription"] == logic).cloned().collect();
        let accounted: BTreeSet<String> = events(&of).union(&events(&dead_of)).cloned().collect();
        assert_eq!(accounted, published, "{logic}: {handled:?} {rows:?}");
    }
    // At least once; in the handler's own transaction, once.
    let whole: Vec<&Json> = handled.iter().filter(|row| row["logic"] == "whole").collect();
    let dead = rows.iter().filter(|row| row["subscription"] == "whole").count();
    assert_eq!(whole.len() + dead, published.len(), "{whole:?} {rows:?}");
    // The kill came in the middle of a handler, which was tried again.
    assert!(handled.iter().any(|row| row["attempt"] != 1), "{handled:?}");
}

/// Publishes until some more are done and others are in hand: however busy the machine is, more waits than is handled.
async fn until_in_hand(asking: &Asking<'_>, published: &mut BTreeSet<String>) {
    let began = tokio::time::Instant::now();
    let before = asking.rows("handled").await.len();
    loop {
        let done = asking.rows("handled").await.len();
        let waiting = asking.rows("rows").await;
        // Two subscriptions have each of them.
        let left = (2 * published.len()).saturating_sub(done);
        let in_hand = waiting.iter().filter(|row| !row["claim"].is_null()).count();
        if done >= before + 4 && in_hand >= 4 {
            return;
        }
        assert!(began.elapsed() < WAIT, "nothing is handled: {waiting:?}");
        if left < 32 {
            published.insert(asking.publish(json!({"action": "spin", "number": 200})).await);
        } else {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

cases! { cut:
    a_cut_database_on_postgres = Some(Engine::Postgres), Tables;
    a_cut_database_on_mysql = Some(Engine::Mysql), Tables;
    a_cut_database_over_nats_on_postgres = Some(Engine::Postgres), Nats;
    a_cut_database_over_nats_on_mysql = Some(Engine::Mysql), Nats;
}

/// The network to the database goes while events are handled, more than once.
async fn cut(on: On) {
    let database = on.database.as_ref().unwrap();
    let mut proxy = FaultProxy::start(database.address().unwrap()).await.unwrap();
    let folder = project(on.project("cut"), &on.connection(Some(proxy.address())));
    let more = "concurrency: 4\ntimeout: 2s\nretry: {maxRetries: 10, minBackoff: 10ms, maxBackoff: 200ms}\n";
    subscribe(&folder, "whole", "whole", more);
    let dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);
    let mut published = BTreeSet::new();
    for number in 0..12 {
        published.insert(asking.publish(json!({"action": "spin", "number": 100 + number})).await);
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        proxy.cut().await;
    }
    proxy.refuse().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    proxy.accept_again().await.unwrap();
    // A connection that was cut can take an answer with it.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let rows = asking.until_done().await;
    let handled = asking.rows("handled").await;
    let accounted: BTreeSet<String> = events(&handled).union(&events(&rows)).cloned().collect();
    assert_eq!(accounted, published, "{handled:?} {rows:?}\n{}", dev.output());
    assert_eq!(handled.len(), events(&handled).len(), "handled twice in a transaction: {handled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_of_postgres_loses_no_event() {
    served_again(Engine::Postgres, Over::Tables).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_of_mysql_loses_no_event() {
    served_again(Engine::Mysql, Over::Tables).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_of_postgres_loses_no_event_over_nats() {
    served_again(Engine::Postgres, Over::Nats).await;
}

/// The database server itself is killed in the middle of handlers, and comes back; what it has not written of turns and ends of attempts is done again.
async fn served_again(engine: Engine, over: Over) {
    let mut server = engine.service().start().await.unwrap();
    let on = On::with_server(engine, &server, over).await;
    let folder = project(on.project("served"), &on.connection(None));
    let more = "concurrency: 4\ntimeout: 5s\nretry: {maxRetries: 10, minBackoff: 10ms, maxBackoff: 500ms}\n";
    subscribe(&folder, "whole", "whole", more);
    subscribe(&folder, "loose", "loose", more);
    let dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);
    let mut published = BTreeSet::new();
    until_in_hand(&asking, &mut published).await;
    server.kill().unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.start_again().await.unwrap();
    let began = tokio::time::Instant::now();
    while asking.client.logic("handled", json!({})).await.unwrap().status != 200 {
        assert!(began.elapsed() < WAIT, "the server is not used again: {}", dev.output());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let rows = asking.until_done().await;
    let handled = asking.rows("handled").await;
    for logic in ["whole", "loose"] {
        let of: Vec<Json> = handled.iter().filter(|row| row["logic"] == logic).cloned().collect();
        let dead_of: Vec<Json> = rows.iter().filter(|row| row["subscription"] == logic).cloned().collect();
        let accounted: BTreeSet<String> = events(&of).union(&events(&dead_of)).cloned().collect();
        assert_eq!(accounted, published, "{logic}: {handled:?} {rows:?}\n{}", dev.output());
    }
    let whole: Vec<&Json> = handled.iter().filter(|row| row["logic"] == "whole").collect();
    assert_eq!(whole.len(), events(&handled).len(), "handled twice in a transaction: {handled:?}");
}
