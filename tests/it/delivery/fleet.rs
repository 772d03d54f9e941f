//! Several Bridges over one database: each event is handled once, whoever comes first.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use santokit_tests::{Bridge, Engine};
use serde_json::{Value as Json, json};

use super::{Asking, events, on::On, project, subscribe};
use crate::lab::Lab;

const SCRAPE: &str = "scrape-0123456789abcdef";

/// A Hub and Bridges of a project of events, on a server or on SQLite.
pub(super) async fn lab(
    name: &'static str,
    url: Option<(Engine, String)>,
    subscriptions: &[(&str, &str, &str)],
) -> Lab {
    let mut lab = Lab::start(name).await;
    lab.folder = project(name, "");
    for (subscription, handler, more) in subscriptions {
        subscribe(&lab.folder, subscription, handler, more);
    }
    if let Some((engine, url)) = url {
        lab.done(&["connections", "set", "main", "--engine", engine.as_str(), "--url-stdin"], &url).await;
    }
    lab
}

impl<'a> Asking<'a> {
    pub(super) fn at(bridge: &'a Bridge) -> Self {
        Self { client: &bridge.client, output: Box::new(|| bridge.output()) }
    }
}

cases! { shared:
    two_bridges_on_sqlite = None, Tables;
    two_bridges_on_postgres = Some(Engine::Postgres), Tables;
    two_bridges_on_mysql = Some(Engine::Mysql), Tables;
    two_bridges_over_nats_on_sqlite = None, Nats;
    two_bridges_over_nats_on_postgres = Some(Engine::Postgres), Nats;
    two_bridges_over_nats_on_mysql = Some(Engine::Mysql), Nats;
}

async fn shared(on: On) {
    let subscriptions = [("whole", "whole", "concurrency: 8\n"), ("loose", "loose", "concurrency: 8\n")];
    let lab = lab(on.project("shared"), on.url(), &subscriptions).await;
    let quick = ("STK_BRIDGE_EVENTS_POLL_INTERVAL", "50ms");
    let settings = [on.settings(), vec![quick, ("STK_BRIDGE_METRICS_TOKEN", SCRAPE)]].concat();
    let (one, other) = (lab.bridge("one", &settings).await, lab.bridge("other", &settings).await);
    lab.apply().await;
    let bridges = [&one, &other];
    let mut published = BTreeSet::new();
    for number in 0..60 {
        let asking = Asking::at(bridges[number % 2]);
        published.insert(asking.publish(json!({"action": "note", "number": number})).await);
    }
    let asking = Asking::at(&one);
    asking.until_done().await;
    let rows = asking.rows("handled").await;
    for logic in ["whole", "loose"] {
        let of: Vec<_> = rows.iter().filter(|row| row["logic"] == logic).cloned().collect();
        assert_eq!((of.len(), events(&of)), (60, published.clone()), "{logic}: {rows:?}");
        assert!(of.iter().all(|row| row["attempt"] == 1), "{of:?}");
    }
    drop(asking);
    // The metrics say who has done what.
    let mut delivered = 0.0;
    for bridge in bridges {
        let text = bridge.client.with_bearer(SCRAPE).get("/metrics").await.unwrap();
        let text = text.body.as_str().unwrap().to_owned();
        let lines = text.lines().filter(|line| line.starts_with("stk_bridge_events_delivered_total{"));
        delivered += lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>();
    }
    assert!((delivered - 120.0).abs() < f64::EPSILON, "{delivered}");
    assert_eq!(one.end().await.unwrap(), 0);
    assert_eq!(other.end().await.unwrap(), 0);
}

cases! { skewed:
    bridges_of_other_clocks_on_postgres = Some(Engine::Postgres), Tables;
    bridges_of_other_clocks_on_mysql = Some(Engine::Mysql), Tables;
    bridges_of_other_clocks_over_nats = Some(Engine::Postgres), Nats;
}

/// Bridges that are an hour ahead and behind take no claim of another for over, put nothing off for an hour, and publish by the clock of the database.
async fn skewed(on: On) {
    let more = "concurrency: 2\nretry: {maxRetries: 3, minBackoff: 10ms, maxBackoff: 50ms}\n";
    let lab = lab(on.project("skewed"), on.url(), &[("loose", "loose", more)]).await;
    let settings = [on.settings(), vec![("STK_BRIDGE_EVENTS_POLL_INTERVAL", "50ms")]].concat();
    let one = lab.bridge("one", &settings).await;
    let ahead = lab.bridge_with_clock("ahead", 3_600, &settings).await;
    let behind = lab.bridge_with_clock("behind", -3_600, &settings).await;
    lab.apply().await;
    let bridges = [&ahead, &behind, &one];
    for bridge in bridges {
        bridge.until_state("fresh").await.unwrap();
    }
    let mut published = Vec::new();
    for number in 0..9 {
        let asking = Asking::at(bridges[number % 3]);
        published.push(asking.publish(json!({"action": "spin", "number": 400})).await);
        // Farther apart than what each believes of the database's clock.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // Tried again after it has failed once, by whichever.
    let late = Asking::at(&ahead).publish(json!({"action": "failUntil", "number": 2})).await;
    let asking = Asking::at(&one);
    in_its_time(&asking.rows("published").await, published.iter().chain([&late]));
    assert_eq!(asking.until_done().await, Vec::<Json>::new());
    let rows = asking.rows("handled").await;
    let spun: Vec<_> = rows.iter().filter(|row| row["event"] != json!(late)).cloned().collect();
    assert_eq!((spun.len(), events(&spun)), (9, published.into_iter().collect()), "{rows:?}");
    assert!(spun.iter().all(|row| row["attempt"] == 1), "a claim was taken for over: {spun:?}");
}

/// Events have the order in which they were published, wherever that was, the time of it, and their whole retention.
fn in_its_time<'e>(rows: &[Json], published: impl Iterator<Item = &'e String>) {
    let found: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(found, published.map(String::as_str).collect::<Vec<_>>(), "{rows:?}");
    for row in rows {
        let time = |key: &str| DateTime::parse_from_rfc3339(row[key].as_str().unwrap()).unwrap().to_utc();
        let (at, ends) = (time("published_at"), time("expires_at"));
        assert!((Utc::now() - at).abs() < TimeDelta::minutes(30) && ends - at == TimeDelta::days(7), "{row}");
    }
}
