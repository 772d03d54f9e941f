//! Where NATS hands events over: it is away, it loses all that it had, it is killed in the middle, and strangers write to its subjects. Every event is
//! handled all the same, once where its handler says so in its transaction.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use async_nats::jetstream::{
    self,
    stream::{DiscardPolicy, RetentionPolicy},
};
use futures_util::StreamExt as _;
use santokit_tests::{Bridge, Engine, Service};
use serde_json::{Value as Json, json};

use super::{
    Asking, WAIT, events,
    fleet::lab,
    on::{On, Over},
};
use crate::lab::Lab;

const SCRAPE: &str = "scrape-0123456789abcdef";
const METRICS: (&str, &str) = ("STK_BRIDGE_METRICS_TOKEN", SCRAPE);
const QUICK: (&str, &str) = ("STK_BRIDGE_EVENTS_POLL_INTERVAL", "200ms");

/// The value of a number without regard to its labels.
async fn number(bridge: &Bridge, name: &str) -> Option<f64> {
    let text = bridge.client.with_bearer(SCRAPE).get("/metrics").await.unwrap();
    let text = text.body.as_str().unwrap().to_owned();
    let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")))?;
    line.rsplit(' ').next()?.parse().ok()
}

async fn until_number(bridge: &Bridge, name: &str, wanted: f64) {
    let began = Instant::now();
    loop {
        let found = number(bridge, name).await;
        if found.is_some_and(|found| (found - wanted).abs() < f64::EPSILON) {
            return;
        }
        assert!(began.elapsed() < WAIT, "{name} is {found:?}\n{}", bridge.output());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_away_events_wait_and_then_they_are_handled_on_sqlite() {
    away(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_away_events_wait_and_then_they_are_handled_on_postgres() {
    away(Some(Engine::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_away_events_wait_and_then_they_are_handled_on_mysql() {
    away(Some(Engine::Mysql)).await;
}

/// Stopped, and back after some time in which events are published.
async fn away(engine: Option<Engine>) {
    let mut broker = Service::Nats.start().await.unwrap();
    let on = On::with_broker(engine, &broker).await;
    let subscriptions = [("whole", "whole", "concurrency: 8\n"), ("loose", "loose", "concurrency: 8\n")];
    let lab = lab(on.project("away"), on.url(), &subscriptions).await;
    let settings = [on.settings(), vec![METRICS, QUICK]].concat();
    let bridge = lab.bridge("one", &settings).await;
    lab.apply().await;
    let asking = Asking::at(&bridge);
    let mut published = BTreeSet::new();
    published.insert(asking.publish(json!({"action": "note", "number": 0})).await);
    asking.until_done().await;
    until_number(&bridge, "stk_bridge_events_broker_up", 1.0).await;

    broker.stop().unwrap();
    for number in 1..=20 {
        published.insert(asking.publish(json!({"action": "note", "number": number})).await);
    }
    // The outbox grows, and whoever operates it is told in three ways; who publishes is not held up.
    until_number(&bridge, "stk_bridge_events_broker_up", 0.0).await;
    until_number(&bridge, "stk_bridge_events_waiting", 20.0).await;
    let waiting = asking.rows("published").await.iter().filter(|row| row["shared_at"].is_null()).count();
    assert_eq!((waiting, asking.rows("handled").await.len()), (20, 2));
    until_told(&bridge, &lab, true).await;

    broker.start_again().await.unwrap();
    asking.until_done().await;
    let rows = asking.rows("handled").await;
    for logic in ["whole", "loose"] {
        let of: Vec<Json> = rows.iter().filter(|row| row["logic"] == logic).cloned().collect();
        assert_eq!((of.len(), events(&of)), (21, published.clone()), "{logic}");
        assert!(of.iter().all(|row| row["attempt"] == 1), "{of:?}");
    }
    until_number(&bridge, "stk_bridge_events_broker_up", 1.0).await;
    until_number(&bridge, "stk_bridge_events_waiting", 0.0).await;
    until_told(&bridge, &lab, false).await;
}

/// The log, `/readyz` and `stk bridge status` say that the broker is away; or the latter two do not say so any more.
async fn until_told(bridge: &Bridge, lab: &Lab, is_away: bool) {
    const AWAY: &str = "NATS is away: events wait in the database";
    assert!(bridge.output().contains(AWAY), "{}", bridge.output());
    let ready = bridge.client.get("/readyz").await.unwrap();
    let told = if is_away { json!(AWAY) } else { Json::Null };
    assert_eq!((ready.status, &ready.body["events"]), (200, &told), "{ready:?}");
    let began = Instant::now();
    loop {
        let status = lab.stk(&["bridge", "status"], "").await.json();
        if status.to_string().contains(AWAY) == is_away {
            assert!(!is_away || status["ok"] == false, "{status}");
            return;
        }
        assert!(began.elapsed() < WAIT, "{status}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A Bridge that starts without its broker serves requests, and delivers once it comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_starts_without_its_broker() {
    let mut broker = Service::Nats.start().await.unwrap();
    let on = On::with_broker(None, &broker).await;
    broker.stop().unwrap();
    let lab = lab(on.project("before"), on.url(), &[("loose", "loose", "")]).await;
    let bridge = lab.bridge("one", &[on.settings(), vec![QUICK]].concat()).await;
    lab.apply().await;
    let asking = Asking::at(&bridge);
    let event = asking.publish(json!({"action": "note"})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(asking.rows("handled").await, Vec::<Json>::new());
    broker.start_again().await.unwrap();
    let rows = asking.until("handled", "it is handled", |rows| rows.len() == 1).await;
    assert_eq!((&rows[0]["event"], &rows[0]["attempt"]), (&json!(event), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_loses_nothing() {
    gone(Some(Engine::Postgres), "brought_back", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_loses_all_that_it_had_loses_no_event_on_sqlite() {
    gone(None, "forgetful", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_loses_all_that_it_had_loses_no_event_on_postgres() {
    gone(Some(Engine::Postgres), "forgetful", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_loses_all_that_it_had_loses_no_event_on_mysql() {
    gone(Some(Engine::Mysql), "forgetful", true).await;
}

/// Killed while it has tickets that nobody has taken, and others that are being handled.
async fn gone(engine: Option<Engine>, name: &str, loses_data: bool) {
    let mut broker = Service::Nats.start().await.unwrap();
    let on = On::with_broker(engine, &broker).await;
    let more = "concurrency: 2\ntimeout: 2s\nretry: {maxRetries: 5, minBackoff: 10ms, maxBackoff: 50ms}\n";
    let lab = lab(on.project(name), on.url(), &[("whole", "whole", more), ("loose", "loose", more)]).await;
    let bridge = lab.bridge("one", &[on.settings(), vec![QUICK]].concat()).await;
    lab.apply().await;
    let asking = Asking::at(&bridge);
    let mut published = BTreeSet::new();
    for number in 0..16 {
        published.insert(asking.publish(json!({"action": "spin", "number": 100 + number})).await);
    }
    asking.until("handled", "some are done", |rows| rows.len() >= 4).await;
    broker.kill().unwrap();
    assert!(!asking.rows("rows").await.is_empty(), "the kill came too late");
    if loses_data {
        broker.lose_data().unwrap();
    }
    broker.start_again().await.unwrap();
    let rows = asking.until_done().await;
    assert_eq!(rows, Vec::<Json>::new(), "{}", bridge.output());
    let handled = asking.rows("handled").await;
    for logic in ["whole", "loose"] {
        let of: Vec<Json> = handled.iter().filter(|row| row["logic"] == logic).cloned().collect();
        assert_eq!((of.len(), events(&of)), (16, published.clone()), "{logic}: {of:?}\n{}", bridge.output());
    }
}

/// Whoever may write to the broker can make a Bridge look at a row, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_write_to_the_broker_handles_nothing_twice() {
    let on = On::new(Some(Engine::Postgres), Over::Nats).await;
    let project = on.project("forged");
    let retry = "retry: {maxRetries: 0}\n";
    let subscriptions = [("loose", "loose", retry), ("other", "whole", retry)];
    let lab = lab(project, on.url(), &subscriptions).await;
    let bridge = lab.bridge("one", &[on.settings(), vec![QUICK]].concat()).await;
    lab.apply().await;
    let asking = Asking::at(&bridge);
    let done = asking.publish(json!({"action": "note", "key": "planted-in-a-payload"})).await;
    let dead = asking.publish(json!({"action": "fail"})).await;
    asking
        .until("rows", "two dead letters", |rows| rows.len() == 2 && rows.iter().all(|row| row["state"] == "dead"))
        .await;
    let before = (asking.rows("handled").await, asking.rows("rows").await);

    let client = on.client().await;
    let context = jetstream::new(client.clone());
    let subject = format!("{}.{project}.prod.main", on.prefix());
    let mut seen = client.subscribe(format!("{subject}.*")).await.unwrap();
    for subscription in ["loose", "other", "nobody", "prod"] {
        for ticket in [
            String::new(),
            "no json".to_owned(),
            "[]".to_owned(),
            "{\"delivery\": 7}".to_owned(),
            "x".repeat(100_000),
            format!("{{\"delivery\": \"{}\", \"attempts\": 0}}", "'; DROP TABLE stk_delivery; --"),
            format!("{{\"delivery\": \"{done}:loose\", \"attempts\": 0}}"),
            format!("{{\"delivery\": \"{done}:loose\", \"attempts\": 1, \"more\": true}}"),
            format!("{{\"delivery\": \"{dead}:loose\", \"attempts\": 1}}"),
            format!("{{\"delivery\": \"{dead}:other\", \"attempts\": 1}}"),
            format!("{{\"delivery\": \"{dead}:other\", \"attempts\": 4294967295}}"),
        ] {
            context.publish(format!("{subject}.{subscription}"), ticket.into()).await.unwrap().await.unwrap();
        }
    }
    // And delivery goes on: each is handled once, though tickets come a hundred times.
    let event = asking.publish(json!({"action": "spin", "number": 300, "key": "planted-in-a-payload"})).await;
    for attempts in [0, 1] {
        for _ in 0..50 {
            let ticket = format!("{{\"delivery\": \"{event}:loose\", \"attempts\": {attempts}}}");
            context.publish(format!("{subject}.loose"), ticket.into()).await.unwrap().await.unwrap();
        }
    }
    asking.until("handled", "both", |rows| rows.iter().filter(|row| row["event"] == json!(event)).count() == 2).await;
    let (handled, rows) = (asking.rows("handled").await, asking.rows("rows").await);
    assert_eq!((handled.len(), rows), (before.0.len() + 2, before.1), "{}", bridge.output());

    // What is sent says nothing of an event but its id, and what nobody has answered for is never thrown away for room.
    while let Ok(Some(message)) = tokio::time::timeout(Duration::from_millis(500), seen.next()).await {
        assert!(!String::from_utf8_lossy(&message.payload).contains("planted-in-a-payload"), "{message:?}");
    }
    let mut streams = context.streams();
    while let Some(Ok(stream)) = streams.next().await {
        if stream.config.name.starts_with(on.prefix()) {
            let config = &stream.config;
            assert_eq!((config.retention, config.discard), (RetentionPolicy::WorkQueue, DiscardPolicy::New));
        }
    }
}

/// A release takes a subscription away that has tickets, and brings it back: what waits is handled by what is there then.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_goes_and_comes_back_loses_nothing() {
    let on = On::new(None, Over::Nats).await;
    let more = "concurrency: 1\nretry: {maxRetries: 5, minBackoff: 10ms, maxBackoff: 50ms}\n";
    let lab = lab(on.project("returning"), on.url(), &[("loose", "loose", more), ("whole", "whole", more)]).await;
    let bridge = lab.bridge("one", &[on.settings(), vec![QUICK]].concat()).await;
    lab.apply().await;
    let asking = Asking::at(&bridge);
    let mut published = BTreeSet::new();
    for number in 0..12 {
        published.insert(asking.publish(json!({"action": "spin", "number": 150 + number})).await);
    }
    asking.until("handled", "some are done", |rows| rows.len() >= 2).await;
    let loose = lab.folder.read("events/subscriptions/loose.yaml").unwrap();
    std::fs::remove_file(lab.folder.path().join("events/subscriptions/loose.yaml")).unwrap();
    lab.apply().await;
    let rows = asking.rows("rows").await;
    assert!(rows.iter().any(|row| row["subscription"] == "loose"), "it went too late: {rows:?}");
    lab.folder.write("events/subscriptions/loose.yaml", &loose).unwrap();
    lab.apply().await;
    assert_eq!(asking.until_done().await, Vec::<Json>::new(), "{}", bridge.output());
    let handled = asking.rows("handled").await;
    for logic in ["whole", "loose"] {
        let of: Vec<Json> = handled.iter().filter(|row| row["logic"] == logic).cloned().collect();
        assert_eq!(events(&of), published, "{logic}: {of:?}");
    }
}

/// A consumer that nobody asks any more does not stay for ever, and a stream is kept by as many servers as the settings say, where it can be.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_keeps_is_as_the_settings_say_now() {
    let on = On::new(None, Over::Nats).await;
    let lab = lab(on.project("kept"), on.url(), &[("loose", "loose", "")]).await;
    let bridge = lab.bridge("one", &on.settings()).await;
    lab.apply().await;
    let asking = Asking::at(&bridge);
    asking.publish(json!({"action": "note"})).await;
    asking.until("handled", "it is handled", |rows| rows.len() == 1).await;
    let context = jetstream::new(on.client().await);
    let mut names = context.stream_names();
    let mut found = Vec::new();
    while let Some(name) = names.next().await {
        found.extend(name.ok().filter(|name| name.starts_with(&format!("{}-", on.prefix()))));
    }
    assert_eq!(found.len(), 1, "{found:?}");
    let stream = context.get_stream(&found[0]).await.unwrap();
    let consumer = stream.get_consumer::<jetstream::consumer::pull::Config>("loose").await.unwrap();
    assert_eq!(consumer.cached_info().config.inactive_threshold, Duration::from_hours(24));
    drop(asking);
    assert_eq!(bridge.end().await.unwrap(), 0);

    // One server is no three. Some versions refuse it and some note it; either is told, and events are handled as before.
    let bridge = lab.bridge("one", &[on.settings(), vec![("STK_BRIDGE_NATS_REPLICAS", "3")]].concat()).await;
    bridge.until_state("fresh").await.unwrap();
    let asking = Asking::at(&bridge);
    asking.publish(json!({"action": "note"})).await;
    asking.until("handled", "it is handled, too", |rows| rows.len() == 2).await;
    let replicas = context.get_stream(&found[0]).await.unwrap().cached_info().config.num_replicas;
    let told = match replicas {
        3 => "NATS keeps a stream on another number of servers",
        _ => "it stays as it was; see STK_BRIDGE_NATS_REPLICAS",
    };
    assert!(bridge.output().contains(told), "{replicas}: {}", bridge.output());
}
