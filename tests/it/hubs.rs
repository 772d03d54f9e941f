//! Several Hubs on one PostgreSQL database, as processes: what one does holds at the other, and neither is in the other's way.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Client, Method};
use santokit_core::release::{Digest, Manifest};
use santokit_tests::{Engine, Hub, TestDatabase, planes::OPERATOR};
use serde_json::{Value as Json, json};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

/// base64 of 32 bytes.
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER_KEY: &str = "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const ENV: &str = "/v1/projects/shop/envs/dev";

/// Two Hubs, each with a folder of its own. Whoever uses something ends before it.
struct Pair {
    one: Hub,
    other: Hub,
    database: TestDatabase,
    /// Of the first, of the second, and of what they work on.
    dirs: [TempDir; 3],
}

impl Pair {
    /// With a project, an env and its connection.
    async fn start() -> Self {
        let database = TestDatabase::create(Engine::Postgres).await.unwrap();
        let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let url = database.url();
        let settings = [("STK_HUB_DATABASE_URL", url.as_str()), ("STK_MASTER_KEY", MASTER_KEY)];
        // At once: one of them makes the tables, the signing key and the operator.
        let (one, other) =
            tokio::join!(Hub::start_with(dirs[0].path(), &settings), Hub::start_with(dirs[1].path(), &settings));
        let pair = Self { one: one.unwrap(), other: other.unwrap(), database, dirs };
        let url = format!("sqlite:{}", pair.dirs[2].path().join("main.db").display());
        for (method, path, body) in [
            (Method::POST, "/v1/projects", json!({"name": "shop"})),
            (Method::POST, "/v1/projects/shop/envs", json!({"name": "dev"})),
            (Method::PUT, "/v1/projects/shop/envs/dev/connections/main", json!({"engine": "sqlite", "url": url})),
        ] {
            pair.one.operate(method, path, &body).await.unwrap();
        }
        pair
    }

    /// Holds the customer's database up, so that no apply ends.
    async fn hold(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.dirs[2].path().join("main.db"));
        let mut holder = SqliteConnection::connect_with(&options).await.unwrap();
        holder.execute("BEGIN IMMEDIATE").await.unwrap();
        holder
    }
}

fn manifest(tables: &[&str]) -> Json {
    let table = json!({"id": {"name": "id", "generate": "ulid", "type": "string"}, "columns": []});
    let tables: serde_json::Map<String, Json> = tables.iter().map(|name| ((*name).to_owned(), table.clone())).collect();
    let manifest: Manifest = serde_json::from_value(json!({
        "format": 1, "project": "shop", "minimumBridge": "0.1.0", "defaultConnection": "main",
        "connections": {"main": {"tables": tables}},
    }))
    .unwrap();
    json!({"manifest": String::from_utf8(manifest.canonical().unwrap()).unwrap()})
}

/// Applies; status and answer.
async fn apply(hub: &Hub, tables: &[&str]) -> (u16, Json) {
    let request = Client::new().post(format!("{}{ENV}/apply", hub.url)).bearer_auth(OPERATOR).json(&manifest(tables));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn current(hub: &Hub) -> Json {
    hub.operate(Method::GET, &format!("{ENV}/current"), &Json::Null).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_apply_to_an_env_at_a_time_over_all_hubs() {
    let pair = Pair::start().await;
    assert_eq!(apply(&pair.one, &["first"]).await.0, 200);
    let mut holder = pair.hold().await;
    let (one, other) = (apply(&pair.one, &["first", "second"]), apply(&pair.other, &["first", "second"]));
    tokio::pin!(one, other);
    let ((status, refused), waiting) = tokio::select! {
        refused = &mut one => (refused, other),
        refused = &mut other => (refused, one),
    };
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("CONFLICT")), "{refused}");
    assert_eq!(refused["error"]["message"], "another apply to this env is running");
    holder.execute("ROLLBACK").await.unwrap();
    let (status, done) = waiting.await;
    assert_eq!((status, &done["sequence"]), (200, &json!(2)), "{done}");
    for hub in [&pair.one, &pair.other] {
        assert_eq!(current(hub).await["releaseId"], done["releaseId"]);
        assert_eq!(apply(hub, &["first", "second"]).await.1["moved"], json!(false), "the lock is gone with its apply");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lock_moves_no_pointer_and_a_killed_hub_blocks_nobody_for_ever() {
    let pair = Pair::start().await;
    let first = apply(&pair.one, &["first"]).await.1;
    let mut holder = pair.hold().await;
    let expire = "UPDATE apply_locks SET expires_at = 1";
    // As where the Hub had stood still for longer than its lock was lent: it goes on, and finds out.
    let (waiting, ()) = tokio::join!(apply(&pair.one, &["first", "late"]), async {
        until_locked(&pair.database).await;
        pair.database.execute(expire).await.unwrap();
        holder.execute("ROLLBACK").await.unwrap();
    });
    assert_eq!((waiting.0, &waiting.1["error"]["code"]), (409, &json!("CONFLICT")), "{waiting:?}");
    assert_eq!(current(&pair.other).await["releaseId"], first["releaseId"]);

    let mut holder = pair.hold().await;
    let Pair { one, other, database, dirs: _dirs } = pair;
    let url = one.url.clone();
    let applying = tokio::spawn(async move {
        let request = Client::new().post(format!("{url}{ENV}/apply")).bearer_auth(OPERATOR);
        request.json(&manifest(&["first", "late", "later"])).send().await.is_ok()
    });
    until_locked(&database).await;
    one.kill().await.unwrap();
    assert!(!applying.await.unwrap(), "its Hub was killed");
    holder.execute("ROLLBACK").await.unwrap();
    assert_eq!(apply(&other, &["first"]).await.0, 409, "it is lent still");
    // As half a minute later.
    database.execute(expire).await.unwrap();
    let (status, done) = apply(&other, &["first", "late", "later"]).await;
    assert_eq!((status, &done["sequence"]), (200, &json!(2)), "{done}");
}

/// Until an apply has the lock.
async fn until_locked(database: &TestDatabase) {
    let mut db = PgConnection::connect(&database.url()).await.unwrap();
    let began = Instant::now();
    loop {
        let locks: i64 = sqlx::query_scalar("SELECT count(*) FROM apply_locks").fetch_one(&mut db).await.unwrap();
        if locks > 0 {
            return;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "no apply began");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_at_one_hub_holds_at_the_other() {
    let pair = Pair::start().await;
    let hubs = [&pair.one, &pair.other];
    // Both write at once: the log stays one chain.
    let writing = (0..40).map(|n| async move {
        let path = format!("{ENV}/secrets/NAME_{n}");
        hubs[n % 2].operate(Method::PUT, &path, &json!({"value": format!("planted-{n}")})).await.unwrap();
    });
    futures_util::future::join_all(writing).await;
    let verified = [
        pair.one.operate(Method::GET, "/v1/audit/verify", &Json::Null).await.unwrap(),
        pair.other.operate(Method::GET, "/v1/audit/verify", &Json::Null).await.unwrap(),
    ];
    assert_eq!(verified[0], verified[1]);
    assert_eq!((&verified[0]["verified"], verified[0]["entries"].as_i64().unwrap() > 40), (&json!(true), true));
    // A component is where every Hub finds it.
    let bytes = b"\0asm of a kind".repeat(200_000);
    let path = format!("/v1/projects/shop/blobs/{}", Digest::of(&bytes));
    let put = Client::new().put(format!("{}{path}", pair.one.url)).bearer_auth(OPERATOR).body(bytes.clone());
    assert_eq!(put.send().await.unwrap().status(), 201);
    assert_eq!(pair.other.ask(Some(OPERATOR), &path, None).await.unwrap().2, bytes);
    assert!(!pair.dirs[0].path().join("hub/hub.db").exists() && !pair.dirs[0].path().join("hub/blobs").exists());

    // A token made at one opens the other, and a Bridge that waits there learns of an apply here.
    let token = pair.one.service_token(&["shop/dev"]).await.unwrap();
    let made = apply(&pair.one, &["first"]).await.1;
    assert_eq!(current(&pair.other).await["releaseId"], made["releaseId"]);
    let asked = "/internal/releases/current?project=shop&env=dev";
    let (status, etag, _) = pair.other.ask(Some(&token), asked, None).await.unwrap();
    assert_eq!(status, 200);
    let (waited, began) = (format!("{asked}&wait=30s"), Instant::now());
    let (found, moved) = tokio::join!(pair.other.ask(Some(&token), &waited, etag.as_deref()), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        apply(&pair.one, &["first", "second"]).await.1
    });
    assert_eq!(found.unwrap().0, 200);
    assert!(began.elapsed() < Duration::from_secs(20), "it waited for {:?}", began.elapsed());
    assert_eq!(current(&pair.other).await["sequence"], moved["sequence"]);
    // Whichever is asked, what is the same has the same tag.
    let bundle = "/internal/runtime/shop/dev";
    let (_, etag, _) = pair.one.ask(Some(&token), bundle, None).await.unwrap();
    assert_eq!(pair.other.ask(Some(&token), bundle, etag.as_deref()).await.unwrap().0, 304);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_with_another_master_key_does_not_start() {
    let pair = Pair::start().await;
    let url = pair.database.url();
    let settings = [("STK_HUB_DATABASE_URL", url.as_str()), ("STK_MASTER_KEY", OTHER_KEY)];
    let dir = tempfile::tempdir().unwrap();
    let told = Hub::start_with(dir.path(), &settings).await.err().unwrap().to_string();
    assert!(told.contains("STK_MASTER_KEY"), "{told}");
    // What it cannot open it leaves alone, the operator's token too.
    assert_eq!(apply(&pair.one, &["first"]).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_of_a_caller_breaks_a_statement() {
    let pair = Pair::start().await;
    for path in ["/v1/projects/a%00b/envs", "/v1/projects/shop/envs/d%00/secrets", "/v1/projects/shop/releases/%00"] {
        let (status, _, body) = pair.one.ask(Some(OPERATOR), path, None).await.unwrap();
        assert_eq!(status, 400, "{path}: {}", String::from_utf8_lossy(&body));
    }
    let request = Client::new().post(format!("{}/v1/service-tokens", pair.one.url)).bearer_auth(OPERATOR);
    let sent = request.json(&json!({"name": "fleet", "envs": ["sh\u{0}op/dev"]})).send().await.unwrap();
    assert_eq!(sent.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_one_hub_exchanges_signs_at_the_other() {
    let pair = Pair::start().await;
    assert_eq!(apply(&pair.one, &["first"]).await.0, 200);
    let made = pair.one.operate(Method::POST, "/v1/keys", &json!({})).await.unwrap();
    let signers = async |tables: &[&str], hub: &Hub| {
        let (status, applied) = apply(hub, tables).await;
        assert_eq!(status, 200, "{applied}");
        let path = format!("/v1/projects/shop/releases/{}", applied["releaseId"].as_str().unwrap());
        let release = hub.operate(Method::GET, &path, &Json::Null).await.unwrap();
        let signatures = release["envelope"]["signatures"].as_array().unwrap().iter();
        signatures.map(|signature| signature["keyid"].clone()).collect::<Vec<_>>()
    };
    let both = signers(&["first", "second"], &pair.other).await;
    assert!(both.len() == 2 && both[0] == made["id"], "{both:?}");
    let retire = format!("/v1/keys/{}/retire", both[1].as_str().unwrap());
    pair.other.operate(Method::POST, &retire, &json!({})).await.unwrap();
    assert_eq!(signers(&["first", "second", "third"], &pair.one).await, [made["id"].clone()]);
}

/// What a Bridge of a test has counted of a canary.
fn counted(salt: &str, requests: u64, errors: u64) -> Json {
    let of = |errors| {
        json!({"window": {"requests": requests, "errors": errors, "logicFailed": errors, "latencies": [[80, requests]]}, "requests": requests,
            "errors": errors})
    };
    json!({"salt": salt, "releaseId": "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV", "state": "serving", "baseline": of(0), "candidate": of(errors)})
}

async fn report(hub: &Hub, token: &str, bridge: &str, canary: &Json) -> u16 {
    let report = json!({"version": "0.1.0", "envs": [{"project": "shop", "env": "dev", "state": "fresh", "releaseId": null,
        "sequence": 3, "cacheAgeSeconds": 0, "refused": null, "canary": canary}]});
    let url = format!("{}/internal/bridges/{bridge}/report", hub.url);
    Client::new().post(url).bearer_auth(token).json(&report).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_closes_over_all_bridges_ends_a_canary_once_whichever_hub_sees_it() {
    let pair = Pair::start().await;
    let token = pair.one.service_token(&["shop/dev"]).await.unwrap();
    let candidate = apply(&pair.one, &["first"]).await.1["releaseId"].clone();
    let baseline = apply(&pair.one, &["first", "second"]).await.1["releaseId"].clone();
    let canary = format!("{ENV}/canary");
    let body = json!({"releaseId": candidate, "percent": 10, "gates": ["error-rate>5%", "p95>1h"]});
    let started = pair.one.operate(Method::PUT, &canary, &body).await.unwrap();
    assert_eq!((&started["sequence"], &started["baseline"]), (&json!(3), &baseline), "{started}");
    let (status, _, bytes) =
        pair.other.ask(Some(&token), "/internal/releases/current?project=shop&env=dev", None).await.unwrap();
    assert_eq!(status, 200);
    let salt = salt_of(&bytes);

    // Each is below the sample; of another canary, or with what is no count, nothing counts.
    let bridges =
        ["brg_01ARZ3NDEKTSV4RRFFQ69G5FAV", "brg_01ARZ3NDEKTSV4RRFFQ69G5FAW", "brg_01ARZ3NDEKTSV4RRFFQ69G5FAX"];
    assert_eq!(report(&pair.one, &token, bridges[0], &counted(&salt, 60, 20)).await, 204);
    assert_eq!(report(&pair.other, &token, bridges[1], &counted("salt-of-another", 900, 900)).await, 204);
    for (field, wrong) in [("latencies", json!([[999, 1]])), ("requests", json!(-1)), ("errors", json!("many"))] {
        let mut strange = counted(&salt, 900, 900);
        strange["candidate"]["window"][field] = wrong;
        assert_eq!(report(&pair.other, &token, bridges[2], &strange).await, 400, "{field}");
    }
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let status = pair.other.operate(Method::GET, &canary, &Json::Null).await.unwrap();
    assert_eq!(
        (&status["state"], &status["counted"]["candidate"]["requests"]),
        (&json!("running"), &json!(60)),
        "{status}"
    );

    assert_eq!(report(&pair.other, &token, bridges[1], &counted(&salt, 60, 20)).await, 204);
    let began = Instant::now();
    let mut ended = Json::Null;
    while ended["state"] != "rolledBack" {
        assert!(began.elapsed() < Duration::from_mins(1), "{ended}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        ended = pair.other.operate(Method::GET, &canary, &Json::Null).await.unwrap();
    }
    assert_eq!(ended["reason"], "error-rate>5%: 33.33% of 120 requests failed");
    // Both Hubs have looked once more since: it ended once.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    for hub in [&pair.one, &pair.other] {
        let now = current(hub).await;
        assert_eq!((&now["releaseId"], &now["sequence"]), (&baseline, &json!(4)));
    }
    let log = pair.one.operate(Method::GET, "/v1/audit?limit=1000", &Json::Null).await.unwrap();
    let ends = log["entries"].as_array().unwrap().iter().filter(|entry| entry["action"] == "canary.rollback").count();
    assert_eq!(ends, 1, "{log}");
    let chain = pair.other.operate(Method::GET, "/v1/audit/verify", &Json::Null).await.unwrap();
    assert_eq!(chain["verified"], true);
}

/// Of the canary that a pointer names.
fn salt_of(current: &[u8]) -> String {
    let current: Json = serde_json::from_slice(current).unwrap();
    let payload = STANDARD.decode(current["pointer"]["payload"].as_str().unwrap()).unwrap();
    let pointer: Json = serde_json::from_slice(&payload).unwrap();
    pointer["canary"]["salt"].as_str().unwrap().to_owned()
}
