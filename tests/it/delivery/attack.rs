//! A guest that is given events, and would like to give itself some, or read and change those of others.

use santokit_tests::{Engine, StkDev};
use serde_json::json;

use super::{Asking, on::On, project, subscribe};

cases! { out_of_reach:
    a_guest_reaches_no_table_of_delivery_on_sqlite = None, Tables;
    a_guest_reaches_no_table_of_delivery_on_postgres = Some(Engine::Postgres), Tables;
    a_guest_reaches_no_table_of_delivery_on_mysql = Some(Engine::Mysql), Tables;
    a_guest_reaches_no_table_of_delivery_over_nats_on_sqlite = None, Nats;
    a_guest_reaches_no_table_of_delivery_over_nats_on_postgres = Some(Engine::Postgres), Nats;
    a_guest_reaches_no_table_of_delivery_over_nats_on_mysql = Some(Engine::Mysql), Nats;
}

/// In the transaction in which the host says that the event is handled, and outside of one.
async fn out_of_reach(on: On) {
    let engine = on.url().map_or("sqlite", |(engine, _)| engine.as_str());
    let folder = project(on.project("reached"), &on.connection(None));
    subscribe(&folder, "whole", "whole", "retry: {maxRetries: 0}\n");
    subscribe(&folder, "loose", "loose", "retry: {maxRetries: 0}\n");
    let dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);
    let mut texts = vec![
        "SELECT payload FROM stk_delivery",
        "UPDATE stk_delivery SET state = 'pending'",
        "DELETE FROM stk_delivery",
        "INSERT INTO stk_delivery (id) VALUES ('x')",
        "SELECT holder FROM stk_turn",
        "UPDATE stk_turn SET holder = 'me'",
        "DELETE FROM stk_outbox",
        "UPDATE stk_outbox SET shared_at = NULL",
        "INSERT INTO handled (id) SELECT id FROM stk_delivery",
        "INSERT INTO handled (id) VALUES ((SELECT max(claim) FROM stk_delivery))",
        "SELECT h.id FROM handled h JOIN stk_delivery d ON d.event = h.event",
    ];
    if engine == "postgres" {
        texts.extend([
            "SELECT stk_p_0(NULL, 'ack_forged')",
            "WITH x AS (DELETE FROM stk_delivery RETURNING id) SELECT id FROM x",
            "SELECT id FROM public.stk_delivery",
            "LOCK TABLE stk_turn",
        ]);
    }
    if engine == "mysql" {
        texts.extend([
            "CALL stk_p_0(NULL, 'ack_forged')",
            "SELECT id FROM `stk_delivery`",
            "LOCK TABLES stk_turn WRITE",
        ]);
    }
    for text in &texts {
        asking.publish(json!({"action": "forge", "text": text})).await;
    }
    // Each is told no, in so many words, or its handler fails: what was tried has come to nothing in either case.
    asking.until_done().await;
    let handled = asking.rows("handled").await;
    for row in &handled {
        let said = row["said"].as_str().unwrap();
        assert!(said.starts_with("Err("), "{engine}: {row}");
    }
    let loose = handled.iter().filter(|row| row["logic"] == "loose").count();
    assert_eq!(loose, texts.len(), "{engine}: {handled:?}");
    assert_eq!(asking.rows("published").await.len(), texts.len(), "{engine}");
    // And delivery goes on.
    let event = asking.publish(json!({"action": "note"})).await;
    asking.until("handled", "both", |rows| rows.iter().filter(|row| row["event"] == json!(event)).count() == 2).await;
}
