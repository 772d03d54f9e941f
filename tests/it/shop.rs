//! The example project: it is a test as well as a tutorial.

use std::{fs, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use santokit_tests::{ProjectFolder, StkDev};
use serde_json::{Value, json};

use crate::plugins::{receiver, signatures};

const KEY: &str = "stk_shopapp.development-only-secret";
const WAIT: Duration = Duration::from_mins(1);

/// What sells publishes, and the webhook is what is told: the rest is built and run by the other tests.
const NOT_NEEDED: [&str; 8] = [
    "cron",
    "logics/hostile",
    "logics/quote",
    "logics/receipt",
    "logics/recommend",
    "logics/sales_summary",
    "logics/shipping",
    "logics/stock_alert",
];
const SUBSCRIPTION: &str = "events/subscriptions/webhook_order_placed.yaml";
/// The platform's own rows, as a logic of the release reads them.
const TOLD: &str = "---\nauth: public\n---\nSELECT id, shared_at FROM stk_outbox WHERE topic = 'order_placed'\n";
const GIVEN: &str = "---\nauth: public\n---\nSELECT id, state, error FROM stk_delivery\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_sells_refuses_and_survives() {
    let folder = ProjectFolder::copy_of("examples/shop").unwrap();
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let (anyone, app) = (&dev.client, dev.client.with_key(KEY));

    let top = anyone.logic("top_products", json!({"limit": 3})).await.unwrap();
    assert_eq!(top.status, 200, "{top:?}");
    let ids: Vec<&Value> = top.body["data"].as_array().unwrap().iter().map(|row| &row["id"]).collect();
    assert_eq!(ids, ["p-0001", "p-0002", "p-0003"]);
    assert_eq!(top.release(), dev.release_id);

    let quote = anyone.logic("quote", json!({"productId": "p-0002", "quantity": 10})).await.unwrap();
    assert_eq!(quote.body["data"]["discountPercent"], 10, "{quote:?}");
    assert_eq!(quote.body["data"]["currency"], "EUR");
    let unit = anyone.logic("quote", json!({"productId": "p-0002"})).await.unwrap().body["data"]["totalCents"].clone();

    let purchase = json!({"customerId": "c-00001", "productId": "p-0002", "quantity": 2});
    assert_eq!(anyone.logic("purchase", purchase.clone()).await.unwrap().code(), "UNAUTHORIZED");
    let wrong = dev.client.with_key("stk_shopapp.wrong").logic("purchase", purchase.clone()).await.unwrap();
    assert_eq!((wrong.status, wrong.code()), (401, "UNAUTHORIZED"));
    let sold = app.logic("purchase", purchase).await.unwrap();
    assert_eq!(sold.status, 200, "{sold:?}");
    assert_eq!(sold.body["data"]["totalCents"].as_i64(), unit.as_i64().map(|cents| cents * 2));

    let refused = app.logic("purchase", json!({"customerId": "c-00001", "productId": "p-0001"})).await.unwrap();
    assert_eq!((refused.status, refused.code()), (422, "LOGIC_ERROR"), "{refused:?}");
    assert_eq!(refused.body["error"]["details"]["code"], "OUT_OF_STOCK");
    assert_eq!(refused.body["error"]["details"]["details"]["available"], 0);

    let invalid = app.logic("purchase", json!({"customerId": 7, "quantity": 0, "colour": "red"})).await.unwrap();
    assert_eq!((invalid.status, invalid.code()), (400, "SCHEMA_VALIDATION_FAILED"));
    assert_eq!(invalid.body["error"]["details"]["errors"].as_array().map(Vec::len), Some(4), "{invalid:?}");

    let shipping = anyone.logic("shipping", json!({"country": "AT", "grams": 1800})).await.unwrap();
    let expected = json!({"country": "AT", "upToGrams": 5000, "priceCents": 780});
    assert_eq!((shipping.status, &shipping.body["data"]), (200, &expected), "{shipping:?}");
    for (params, code, details) in [
        (json!({"country": "US", "grams": 1}), "NO_SHIPPING", json!({"countries": ["AT", "CH", "DE", "FR", "PL"]})),
        (json!({"country": "DE", "grams": 20_001}), "TOO_HEAVY", json!({"mostGrams": 20_000})),
    ] {
        let refused = anyone.logic("shipping", params).await.unwrap();
        assert_eq!((refused.status, refused.code()), (422, "LOGIC_ERROR"), "{refused:?}");
        assert_eq!(
            (&refused.body["error"]["details"]["code"], &refused.body["error"]["details"]["details"]),
            (&json!(code), &details)
        );
    }

    let recommended = app.logic("recommend", json!({"customerId": "c-00001", "limit": 2})).await.unwrap();
    let expected = json!([
        {"productId": "p-0012", "name": "Small Kettle No. 12", "priceCents": 16027, "reason": "you bought 13 of kitchen"},
        {"productId": "p-0007", "name": "Blue Kettle No. 7", "priceCents": 16032, "reason": "you bought 13 of kitchen"},
    ]);
    assert_eq!((recommended.status, &recommended.body["data"]), (200, &expected), "{recommended:?}");
    let unknown = app.logic("recommend", json!({"customerId": "c-99999"})).await.unwrap();
    assert_eq!((unknown.status, &unknown.body["error"]["details"]["code"]), (422, &json!("NO_HISTORY")), "{unknown:?}");

    let (hostile, neighbour) =
        tokio::join!(app.logic("hostile", json!({})), anyone.logic("quote", json!({"productId": "p-0003"})));
    let hostile = hostile.unwrap();
    assert_eq!((hostile.status, hostile.code(), hostile.limit()), (500, "LOGIC_FAILED", "cpu"), "{hostile:?}");
    assert_eq!(neighbour.unwrap().status, 200);
}

/// As it lies there nothing is sent, and nothing becomes a dead letter of it; set as its page says, a receiver is told.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_told_to_a_receiver_that_is_set() {
    let (service, came) = receiver();
    let folder = ProjectFolder::copy_of("examples/shop").unwrap();
    for part in NOT_NEEDED {
        fs::remove_dir_all(folder.path().join(part)).unwrap();
    }
    for subscription in ["receipt", "stock_alert"] {
        fs::remove_file(folder.path().join(format!("events/subscriptions/{subscription}.yaml"))).unwrap();
    }
    folder.write("logics/told.sql", TOLD).unwrap();
    folder.write("logics/given.sql", GIVEN).unwrap();

    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    buy(&dev).await;
    until(&dev, "told", |events| events.len() == 1 && !events[0]["shared_at"].is_null()).await;
    assert_eq!(rows(&dev, "given").await, Vec::<Value>::new(), "{}", dev.output());
    drop(dev);

    set_receiver(&folder, service.port);
    let ca = service.folder.path().join("ca.pem");
    let env = [("STK_BRIDGE_EGRESS_ALLOW_PRIVATE", "127.0.0.0/8"), ("STK_BRIDGE_EGRESS_CA_FILE", ca.to_str().unwrap())];
    let dev = StkDev::start(folder.path(), &env).await.unwrap();
    let order = buy(&dev).await;
    until(&dev, "told", |events| events.len() == 2 && events.iter().all(|event| !event["shared_at"].is_null())).await;
    until(&dev, "given", <[Value]>::is_empty).await;

    let came = came.lock().unwrap();
    assert_eq!(came.len(), 1, "{}", dev.output());
    let (headers, body) = &came[0];
    let message: Value = serde_json::from_slice(body).unwrap();
    let (data, kind) = (&message["data"], &message["type"]);
    assert_eq!((kind, &data["orderId"], &data["quantity"]), (&json!("order_placed"), &order, &json!(2)), "{message}");
    let settings = folder.read("santokit.dev.yaml").unwrap();
    let secret = settings.split_once("whsec_").unwrap().1.split('"').next().unwrap();
    let key = BASE64_STANDARD.decode(secret).unwrap();
    assert_eq!(headers["webhook-signature"].to_str().unwrap(), signatures(&[&key], headers, body));
    assert!(!dev.output().contains(secret));
}

/// As README.md says it.
fn set_receiver(folder: &ProjectFolder, port: u16) {
    folder.edit("santokit.yaml", "https://hooks.shop.invalid/orders", &format!("https://localhost:{port}/in")).unwrap();
    let manifest = "logics/webhook/logic.yaml";
    folder.edit(manifest, "[\"hooks.shop.invalid\"]", &format!("[\"localhost:{port}\"]")).unwrap();
    folder.edit(manifest, "[\"/orders\"]", "[\"/in\"]").unwrap();
    folder.edit(SUBSCRIPTION, "filter: \"false\"\n", "").unwrap();
}

/// Buys; the order.
async fn buy(dev: &StkDev) -> Value {
    let purchase = json!({"customerId": "c-00001", "productId": "p-0002", "quantity": 2});
    let sold = dev.client.with_key(KEY).logic("purchase", purchase).await.unwrap();
    assert_eq!(sold.status, 200, "{sold:?}\n{}", dev.output());
    sold.body["data"]["orderId"].clone()
}

async fn rows(dev: &StkDev, logic: &str) -> Vec<Value> {
    let answer = dev.client.logic(logic, json!({})).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}\n{}", dev.output());
    answer.body["data"].as_array().unwrap().clone()
}

async fn until(dev: &StkDev, logic: &str, is_so: impl Fn(&[Value]) -> bool) {
    let began = tokio::time::Instant::now();
    loop {
        let rows = rows(dev, logic).await;
        if is_so(&rows) {
            return;
        }
        assert!(began.elapsed() < WAIT, "{logic}: {rows:?}\n{}", dev.output());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
