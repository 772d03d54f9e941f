//! NATS whose users show credentials (`.creds`): a Bridge that has some of its account is handed events, with no more rights than the page says; one with
//! those of somebody else is told what to look at, and goes on when the file has others.

use std::{fs, time::Duration};

use santokit_tests::{NatsOperator, database::new_name};
use serde_json::json;

use super::{Asking, WAIT, fleet::lab};
use crate::database_tls::issue;

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_takes_credentials_hands_events_over() {
    let (shown, authority) = issue();
    let (operator, other) = (NatsOperator::new(), NatsOperator::new());
    let broker = operator.start(&shown).await.unwrap();
    let lab = lab("trusted_nats", None, &[("loose", "loose", "")]).await;
    let prefix: String = new_name().chars().take(32).collect();
    let events = format!("{prefix}.trusted_nats.prod.>");
    let rights = [events.as_str(), "$JS.API.STREAM.>", "$JS.API.CONSUMER.>", "$JS.ACK.>"];
    let (own, seed) = operator.credentials(&rights).unwrap();
    let (strange, strange_seed) = other.credentials(&[">"]).unwrap();
    let write = |name: &str, text: &str| {
        let path = lab.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (authority, file) = (write("own.pem", &authority), write("bridge.creds", &strange));
    let settings = [
        ("STK_BRIDGE_NATS_URL", broker.url()),
        ("STK_BRIDGE_NATS_CREDS_FILE", &file),
        ("STK_BRIDGE_NATS_CA_FILE", &authority),
        ("STK_BRIDGE_NATS_PREFIX", &prefix),
        ("STK_BRIDGE_EVENTS_POLL_INTERVAL", "200ms"),
    ];
    let bridge = lab.bridge("one", &settings).await;
    lab.apply().await;
    let asking = Asking::at(&bridge);
    asking.publish(json!({"action": "note", "number": 0})).await;
    let began = tokio::time::Instant::now();
    let is_told = |output: &str| {
        output.contains("NATS is away: events wait in the database")
            && output.contains("see STK_BRIDGE_NATS_CREDS_FILE")
    };
    while !is_told(&bridge.output()) {
        assert!(began.elapsed() < WAIT, "{}", bridge.output());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(asking.rows("handled").await.len(), 0);

    // What is in the file counts with the next connection, of which there is one attempt after the other.
    write("bridge.creds", "nothing of the kind");
    tokio::time::sleep(Duration::from_millis(500)).await;
    write("bridge.creds", &own);
    asking.until("handled", "the event that has waited", |rows| rows.len() == 1).await;
    asking.publish(json!({"action": "note", "number": 1})).await;
    asking.until_done().await;
    assert_eq!(asking.rows("handled").await.len(), 2);
    let output = bridge.output();
    for secret in [&seed, &strange_seed] {
        assert!(!output.contains(secret.as_str()), "a seed is in the log:\n{output}");
    }
    drop(asking);
    assert_eq!(bridge.end().await.unwrap(), 0);
}
