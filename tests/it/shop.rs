//! The example project: it is a test as well as a tutorial.

use santokit_tests::{ProjectFolder, StkDev};
use serde_json::{Value, json};

const KEY: &str = "stk_shopapp.development-only-secret";

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
