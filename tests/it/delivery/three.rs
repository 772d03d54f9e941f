//! Three Bridges at once: events of one key one after the other, in the order in which they were published, and no more of a subscription at once than it wants,
//! over all of them. Handlers say where they begin and end, by numbers of the database's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use santokit_tests::{Bridge, Engine};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::{Asking, fleet::lab, on::On};

const SPANS: &str = "version: 1\ntables:\n  spans:\n    id: {generate: auto_increment}\n    columns:\n      \
    event: {type: string, nullable: false}\n      logic: {type: string, nullable: false}\n      edge: {type: string, nullable: false}\n      \
    attempt: {type: int, nullable: false}\n";
const READ: &str = "---\nauth: public\n---\nSELECT id, event, logic, edge, attempt FROM spans ORDER BY id\n";
/// The first attempt at every tenth event fails, and leaves nothing.
const WORK: &str = "---\nparams:\n  number: {type: int}\n---\n\
    INSERT INTO spans (event, logic, edge, attempt) VALUES \
    (CASE WHEN :number = 0 AND :event.attempt < 2 THEN NULL ELSE :event.id END, '$logic', 'begin', :event.attempt);\n\
    $sleep;\n\
    INSERT INTO spans (event, logic, edge, attempt) VALUES (:event.id, '$logic', 'end', :event.attempt)\n";

const KEYS: usize = 6;
const ENOUGH: usize = 60;
const LONG: Duration = Duration::from_mins(2);

cases! { three:
    three_bridges_keep_order_and_bound_on_postgres = Some(Engine::Postgres), Tables;
    three_bridges_keep_order_and_bound_on_mysql = Some(Engine::Mysql), Tables;
    three_bridges_keep_order_and_bound_over_nats_on_postgres = Some(Engine::Postgres), Nats;
    three_bridges_keep_order_and_bound_over_nats_on_mysql = Some(Engine::Mysql), Nats;
}

async fn three(on: On) {
    let retry = "retry: {maxRetries: 5, minBackoff: 100ms, maxBackoff: 200ms}\n";
    let (ordered, loose) = (format!("orderBy: key\nconcurrency: 3\n{retry}"), format!("concurrency: 2\n{retry}"));
    let subscriptions = [("ordered", "ordered", ordered.as_str()), ("several", "several", loose.as_str())];
    let lab = lab(on.project("three"), on.url(), &subscriptions).await;
    lab.folder.write("schema/spans.yaml", SPANS).unwrap();
    lab.folder.write("logics/spans.sql", READ).unwrap();
    // Far longer than it takes to publish one: several wait.
    let sleep = match on.url() {
        Some((Engine::Mysql, _)) => "SELECT SLEEP(0.2) AS n",
        _ => "SELECT count(*) AS n FROM pg_sleep(0.2)",
    };
    for logic in ["ordered", "several"] {
        let text = WORK.replace("$logic", logic).replace("$sleep", sleep);
        lab.folder.write(&format!("logics/{logic}.sql"), &text).unwrap();
    }
    let settings = [on.settings(), vec![("STK_BRIDGE_EVENTS_POLL_INTERVAL", "50ms")]].concat();
    let bridges =
        [lab.bridge("one", &settings).await, lab.bridge("two", &settings).await, lab.bridge("three", &settings).await];
    lab.apply().await;
    let published = published(&bridges).await;
    let asking = Asking::at(&bridges[0]);
    assert_eq!(asking.until_done().await, Vec::<Json>::new(), "{}", (asking.output)());

    let all: BTreeSet<&str> = published.values().flatten().map(String::as_str).collect();
    let rows = asking.rows("spans").await;
    for (logic, bound) in [("ordered", 3), ("several", 2)] {
        let of: Vec<&Json> = rows.iter().filter(|row| row["logic"] == logic).collect();
        let begun: BTreeSet<&str> = of.iter().map(|row| event(row)).collect();
        assert_eq!((begun, of.len()), (all.clone(), 2 * all.len()), "{logic}: each once: {of:?}");
        assert!(of.iter().any(|row| row["attempt"] == 2), "{logic}: none was tried again: {of:?}");
        let most = most_at_once(&of);
        assert!((2..=bound).contains(&most), "{logic}: {most} at once: {of:?}");
    }
    for (key, events) in &published {
        let is_of = |row: &&Json| row["logic"] == "ordered" && events.iter().any(|id| event(row) == id);
        let edges: Vec<(&str, &str)> =
            rows.iter().filter(is_of).map(|row| (event(row), row["edge"].as_str().unwrap())).collect();
        let wanted: Vec<(&str, &str)> =
            events.iter().flat_map(|id| [(id.as_str(), "begin"), (id.as_str(), "end")]).collect();
        assert_eq!(edges, wanted, "{key}: one after the other, as they were published");
    }
}

/// Publishes at all three in turn, enough and until each has handled some; the events of each key in their order.
async fn published(bridges: &[Bridge; 3]) -> BTreeMap<String, Vec<String>> {
    let (mut published, mut number, began) = (BTreeMap::<String, Vec<String>>::new(), 0, Instant::now());
    while number < ENOUGH || !all_have_handled(bridges).await {
        assert!(began.elapsed() < LONG, "one of the Bridges handles nothing\n{}", bridges[0].output());
        let key = format!("key {}", number % KEYS);
        let payload = json!({"action": "-", "key": key, "number": number % 10});
        let event = Asking::at(&bridges[number % 3]).publish(payload).await;
        published.entry(key).or_default().push(event);
        number += 1;
    }
    published
}

async fn all_have_handled(bridges: &[Bridge; 3]) -> bool {
    for bridge in bridges {
        let text = bridge.metrics().await.unwrap();
        let lines = text.lines().filter(|line| line.starts_with("stk_bridge_events_delivered_total{"));
        if lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() < 1.0 {
            return false;
        }
    }
    true
}

fn event(row: &Json) -> &str {
    row["event"].as_str().unwrap()
}

/// How many had begun and not ended, at most.
fn most_at_once(rows: &[&Json]) -> usize {
    let (mut open, mut most) = (0, 0);
    for row in rows {
        if row["edge"] == "begin" {
            open += 1;
        } else {
            open -= 1;
        }
        most = most.max(open);
    }
    most
}
