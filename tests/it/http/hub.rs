//! What needs two requests to a Hub at once.

use santokit_core::release::Manifest;
use santokit_hub::api::Access;
use serde_json::{Value as Json, json};
use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    servers::Hub,
    wire::{Got, Sent, send},
};

const ENV: &str = "/v1/projects/shop/envs/dev";

async fn hub_with_env() -> Hub {
    let hub = Hub::start().await.unwrap();
    let url = format!("sqlite:{}", hub.folder.path().join("main.db").display());
    for (method, path, body) in [
        ("POST", "/v1/projects".to_owned(), json!({"name": "shop"})),
        ("POST", "/v1/projects/shop/envs".to_owned(), json!({"name": "dev"})),
        ("PUT", format!("{ENV}/connections/main"), json!({"engine": "sqlite", "url": url})),
    ] {
        let got = hub.ask(method, &path, &body).await.unwrap();
        assert!(got.status < 300, "{got:?}");
    }
    hub
}

fn apply(table: &str) -> Json {
    let manifest: Manifest = serde_json::from_value(json!({
        "format": 1, "project": "shop", "minimumBridge": "0.1.0", "defaultConnection": "main",
        "connections": {"main": {"tables": {table: {"id": {"name": "id", "generate": "ulid", "type": "string"}, "columns": []}}}},
    }))
    .unwrap();
    json!({"manifest": String::from_utf8(manifest.canonical().unwrap()).unwrap()})
}

/// (status, code) of answers, in order.
fn codes(answers: &[Got]) -> Vec<(u16, &str)> {
    let mut all: Vec<_> =
        answers.iter().map(|got| (got.status, got.body["error"]["code"].as_str().unwrap_or_default())).collect();
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn one_apply_to_an_env_at_a_time() {
    let hub = hub_with_env().await;
    let first = hub.ask("POST", &format!("{ENV}/apply"), &apply("first")).await.unwrap();
    assert_eq!(first.status, 200, "{first:?}");

    // While the database is held, an apply cannot end: whichever of two comes second is refused, and at once.
    let options = SqliteConnectOptions::new().filename(hub.folder.path().join("main.db"));
    let mut holder = SqliteConnection::connect_with(&options).await.unwrap();
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    let (path, body) = (format!("{ENV}/apply"), json!({"manifest": apply("first")["manifest"]}));
    let one = hub.ask("POST", &path, &body);
    let other = hub.ask("POST", &path, &body);
    tokio::pin!(one, other);
    let (refused, waiting) = tokio::select! {
        refused = &mut one => (refused.unwrap(), other),
        refused = &mut other => (refused.unwrap(), one),
    };
    assert_eq!(codes(&[refused]), [(409, "CONFLICT")]);
    holder.execute("ROLLBACK").await.unwrap();
    let done = waiting.await.unwrap();
    assert_eq!(done.status, 200, "{done:?}");
    // The lock is gone with the apply that had it.
    assert_eq!(hub.ask("POST", &path, &body).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_make_the_same_one_is_refused() {
    let hub = hub_with_env().await;
    let key = json!({"name": "app", "roles": ["app"], "key": "stk_app.planted-key"});
    for (path, body) in [
        ("/v1/projects".to_owned(), json!({"name": "twice"})),
        ("/v1/projects/shop/envs".to_owned(), json!({"name": "prod"})),
        (format!("{ENV}/apikeys"), key),
    ] {
        let (one, other) = tokio::join!(hub.ask("POST", &path, &body), hub.ask("POST", &path, &body));
        assert_eq!(codes(&[one.unwrap(), other.unwrap()]), [(201, ""), (409, "CONFLICT")], "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_needs_the_token_of_those_that_it_is_for() {
    let hub = hub_with_env().await;
    let made = hub.ask("POST", "/v1/service-tokens", &json!({"name": "fleet", "envs": ["shop/dev"]})).await.unwrap();
    let fleet = format!("Bearer {}", made.body["token"].as_str().unwrap());
    let operator = format!("Bearer {}", hub.variables["operator"].as_str().unwrap());
    let mut asked = 0;
    for (route, access) in santokit_hub::api::access() {
        let others = match access {
            Access::Operator(_) => &fleet,
            Access::Fleet => &operator,
            Access::Anyone => continue,
        };
        let path = route.path.replace("{project}", "shop").replace("{env}", "dev").replace(['{', '}'], "");
        for token in [None, Some("Bearer planted-wrong"), Some("Bearer "), Some("planted"), Some(others.as_str())] {
            let headers = token.map(|token| ("authorization".to_owned(), token.to_owned())).into_iter().collect();
            let request = Sent { method: route.method.to_string(), path: path.clone(), headers, body: b"{}".to_vec() };
            let got = send(&hub.address, request).await.unwrap();
            assert_eq!(got.status, 401, "{} {path} with {token:?}: {got:?}", route.method);
            asked += 1;
        }
    }
    assert!(asked > 100, "only {asked} requests");
}
