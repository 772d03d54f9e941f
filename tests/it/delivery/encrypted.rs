//! NATS over TLS and with a user: a Bridge that trusts its authority and has the password is handed events; one that has not serves, and says so.

use std::{fs, time::Duration};

use santokit_tests::{Service, database::new_name};
use serde_json::json;

use super::{Asking, WAIT, fleet::lab};
use crate::database_tls::issue;

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_encrypts_and_asks_who_is_there_hands_events_over() {
    let ((shown, own), (_, other)) = (issue(), issue());
    let broker = Service::Nats.start_with_tls(&shown).await.unwrap();
    let lab = lab("encrypted_nats", None, &[("loose", "loose", "")]).await;
    let authority = |name: &str, text: &str| {
        let path = lab.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (own, other) = (authority("own.pem", &own), authority("other.pem", &other));
    let prefix: String = new_name().chars().take(32).collect();
    let bridge = async |name: &str, url: &str, authority: &str| {
        let settings = [
            ("STK_BRIDGE_NATS_URL", url),
            ("STK_BRIDGE_NATS_CA_FILE", authority),
            ("STK_BRIDGE_NATS_PREFIX", &prefix),
            ("STK_BRIDGE_EVENTS_POLL_INTERVAL", "200ms"),
        ];
        lab.bridge(name, &settings).await
    };
    let trusted = bridge("trusted", broker.url(), &own).await;
    lab.apply().await;
    let asking = Asking::at(&trusted);
    asking.publish(json!({"action": "note", "number": 0})).await;
    asking.until_done().await;
    assert_eq!(asking.rows("handled").await.len(), 1);
    drop(asking);
    assert_eq!(trusted.end().await.unwrap(), 0);

    let wrong_password = broker.url().replace("p%40ss", "wrong");
    let wrong_name = broker.url().replace("localhost", "127.0.0.1");
    let mut waiting = 0;
    for (name, url, authority) in [
        ("stranger", wrong_password.as_str(), &own),
        ("elsewhere", broker.url(), &other),
        ("misnamed", wrong_name.as_str(), &own),
    ] {
        let refused = bridge(name, url, authority).await;
        refused.until_state("fresh").await.unwrap();
        let asking = Asking::at(&refused);
        asking.publish(json!({"action": "note", "number": 1})).await;
        waiting += 1;
        let began = tokio::time::Instant::now();
        while !refused.output().contains("NATS is away: events wait in the database") {
            assert!(began.elapsed() < WAIT, "{name}: {}", refused.output());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(asking.rows("handled").await.len(), 1, "{name}");
        let said = refused.output();
        assert!(!said.contains("p@ss/word") && !said.contains("p%40ss"), "{name}: {said}");
        drop(asking);
        assert_eq!(refused.end().await.unwrap(), 0, "{name}");
    }

    let trusted = bridge("trusted", broker.url(), &own).await;
    trusted.until_state("fresh").await.unwrap();
    let asking = Asking::at(&trusted);
    asking.until_done().await;
    assert_eq!(asking.rows("handled").await.len(), 1 + waiting);
}
