//! What a Bridge publishes itself it delivers at once, whatever published it: nobody waits for the next look at the outbox.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::{Asking, fleet::lab, on::On};

/// The longest that there is: who waits for it has failed.
const POLL: &str = "1m";
const AT_ONCE: Duration = Duration::from_secs(20);

const ITEMS: &str = "version: 1\ntables:\n  items:\n    id: {generate: client}\n    columns:\n      name: {type: string, nullable: false}\n      action: {type: string, nullable: false}\n";
const TRIGGER: &str = "on: insert\ntable: items\ntopic: work\nmapping: {key: name, action: action}\n";
const RULES: &str = "tables:\n  items:\n    insert: {roles: [public]}\n    select: {roles: [public]}\nevents:\n  work:\n    \
    publish: {roles: [public]}\n";

cases! { woken:
    an_event_of_an_application_a_row_or_a_logic_is_handled_at_once = None, Tables;
    an_event_of_an_application_a_row_or_a_logic_is_handled_at_once_over_nats = None, Nats;
}

async fn woken(on: On) {
    let lab = lab(on.project("woken"), on.url(), &[("noting", "note", "")]).await;
    lab.folder.write("schema/items.yaml", ITEMS).unwrap();
    lab.folder.write("events/triggers/stored.yaml", TRIGGER).unwrap();
    lab.folder.write("config/permissions.yaml", RULES).unwrap();
    let settings = [on.settings(), vec![("STK_BRIDGE_EVENTS_POLL_INTERVAL", POLL)]].concat();
    let bridge = lab.bridge("cache", &settings).await;
    lab.apply().await;
    let asking = Asking::at(&bridge);
    let row = json!({"data": {"id": "1", "name": "of a row", "action": "note"}});
    for (said, path, body) in [
        ("of an application", "/events/work/publish", json!({"action": "note", "key": "of an application"})),
        ("of a row", "/db/items/insert", row),
        ("of a logic", "/logics/publish", json!({"topic": "work", "payload": {"action": "note", "key": "of a logic"}})),
    ] {
        // The worker has looked, and waits.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let began = Instant::now();
        let answer = bridge.client.post(path, body.to_string()).await.unwrap();
        assert_eq!(answer.status, 200, "{said}: {answer:?}");
        let is_there = |rows: &[Json]| rows.iter().any(|row| row["said"] == said);
        asking.until("handled", said, is_there).await;
        assert!(began.elapsed() < AT_ONCE, "{said}: {:?}", began.elapsed());
    }
}
