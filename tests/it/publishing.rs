//! Applications publish events: who may, what a topic takes, how often, and once for each `Idempotency-Key`.

use santokit_tests::{Answer, Engine, ProjectFolder, StkDev, TestDatabase, folder::repository, stk};
use serde_json::{Value as Json, json};

const SCHEMA: &str =
    "version: 1\ntables:\n  items:\n    id: {generate: client}\n    columns:\n      name: {type: string}\n";
const PLACED: &str = "name: placed\nschema:\n  orderId: {type: string, required: true, maxLength: 10}\n  \
    total: {type: decimal}\n  text: {type: string}\n";
const PERMISSIONS: &str = "events:\n  placed:\n    publish:\n      - {roles: [shop]}\n      \
    - {roles: [authenticated], condition: \"request.params.orderId == request.auth.sub\"}\n  \
    open: {publish: {roles: [public]}}\n";
const OUTBOX: &str = "---\nauth: public\n---\nSELECT topic, payload, published_by FROM stk_outbox ORDER BY id\n";
const KEYS: &str = "apiKeys:\n  - {name: shop, key: stk_shop.planted-shop-key-3381, roles: [shop]}\n  \
    - {name: other, key: stk_other.planted-other-key-3382, roles: [other]}\n";

fn project(connection: &str) -> ProjectFolder {
    let dev = format!("{KEYS}{connection}");
    ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: asking\n"),
        ("santokit.dev.yaml", dev.as_str()),
        ("schema/main.yaml", SCHEMA),
        ("config/permissions.yaml", PERMISSIONS),
        ("events/topics/placed.yaml", PLACED),
        ("events/topics/open.yaml", "name: open\nschema: {n: {type: int}}\n"),
        ("events/topics/shut.yaml", "name: shut\n"),
        ("logics/outbox.sql", OUTBOX),
    ])
    .unwrap()
}

/// Who asks.
#[derive(Clone, Copy)]
enum Who {
    Anonymous,
    Shop,
    Other,
}

async fn publish(dev: &StkDev, who: Who, topic: &str, payload: &Json) -> Answer {
    let client = match who {
        Who::Anonymous => dev.client.clone(),
        Who::Shop => dev.client.with_key("stk_shop.planted-shop-key-3381"),
        Who::Other => dev.client.with_key("stk_other.planted-other-key-3382"),
    };
    client.post(&format!("/events/{topic}/publish"), payload.to_string()).await.unwrap()
}

async fn kept(dev: &StkDev) -> Vec<Json> {
    dev.client.logic("outbox", json!({})).await.unwrap().body["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn applications_publish_events() {
    let folder = project("");
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    all(&dev, "sqlite").await;
    users(&dev, &folder).await;
    command(&dev, &folder).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    on(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mysql() {
    on(Engine::Mysql).await;
}

async fn on(engine: Engine) {
    let database = TestDatabase::create(engine).await.unwrap();
    let connection = format!("connections:\n  main: {{engine: {}, url: \"{}\"}}\n", engine.as_str(), database.url());
    let dev = StkDev::start(project(&connection).path(), &[]).await.unwrap();
    all(&dev, engine.as_str()).await;
}

async fn all(dev: &StkDev, engine: &str) {
    let payload = json!({"orderId": "o1", "total": "1.50"});
    let answer = publish(dev, Who::Shop, "placed", &payload).await;
    assert_eq!(answer.status, 200, "{engine} {answer:?}\n{}", dev.output());
    assert!(answer.body["data"]["id"].as_str().unwrap().starts_with("evt_"), "{answer:?}");
    let call = json!({"path": "events/open/publish", "params": {"n": 3}});
    let answer = dev.client.post("/call", call.to_string()).await.unwrap();
    assert_eq!(answer.status, 200, "{engine} {answer:?}");
    let rows = kept(dev).await;
    let told: Vec<(&str, &str)> =
        rows.iter().map(|row| (row["topic"].as_str().unwrap(), row["published_by"].as_str().unwrap())).collect();
    assert_eq!(told, [("placed", "request:apiKey"), ("open", "request:anonymous")], "{engine}");
    assert_eq!(serde_json::from_slice::<Json>(&base64(&rows[0]["payload"])).unwrap(), payload, "{engine}");
    refused(dev).await;
    once(dev, engine).await;
    assert_eq!(kept(dev).await.len(), rows.len() + 1, "{engine}");
}

/// What is refused, and what of it is told to whom.
async fn refused(dev: &StkDev) {
    let fine = json!({"orderId": "o1"});
    // A topic that one may not publish is answered as one that does not exist.
    for topic in ["placed", "shut", "nothing", "stk_outbox", &"x".repeat(5_000)] {
        let answer = publish(dev, Who::Anonymous, topic, &fine).await;
        assert_eq!((answer.status, answer.code()), (401, "UNAUTHORIZED"), "{topic:.20}: {answer:?}");
        let shape = answer.body["error"]["message"].clone();
        assert_eq!(shape, "this needs a credential");
    }
    let answer = publish(dev, Who::Other, "placed", &fine).await;
    assert_eq!((answer.status, answer.code()), (403, "FORBIDDEN"), "{answer:?}");
    let answer = publish(dev, Who::Other, "place", &fine).await;
    assert_eq!(answer.status, 404);
    assert!(answer.body["error"]["hint"].as_str().unwrap().contains("placed"), "{answer:?}");
    // Who is denied learns nothing of the payload.
    assert_eq!(publish(dev, Who::Other, "placed", &json!({"nope": 1})).await.code(), "FORBIDDEN");
    let answer = publish(dev, Who::Shop, "placed", &json!({"orderId": "far too long an id", "totl": "1"})).await;
    assert_eq!((answer.status, answer.code()), (400, "SCHEMA_VALIDATION_FAILED"), "{answer:?}");
    let fields: Vec<&str> = answer.body["error"]["details"]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["orderId", "totl"]);
    for body in ["[]", "7", "{", ""] {
        let client = dev.client.with_key("stk_shop.planted-shop-key-3381");
        let answer = client.post("/events/placed/publish", body.to_owned()).await.unwrap();
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
    }
    let bomb = json!({"orderId": "o", "text": "x".repeat(1_000_001)});
    let answer = publish(dev, Who::Shop, "placed", &bomb).await;
    assert_eq!((answer.code(), answer.limit()), ("BAD_REQUEST", "eventPayload"), "{:.300}", answer.body);
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let answer = dev.client.post("/events/open/publish", format!("{{\"n\": {deep}}}")).await.unwrap();
    assert_eq!(answer.status, 400, "{answer:?}");
    for path in ["/events", "/events/placed", "/events/placed/publish/more", "/events//publish"] {
        let answer = dev.client.post(path, "{}".to_owned()).await.unwrap();
        assert!(matches!(answer.status, 401 | 404), "{path}: {answer:?}");
    }
    let call = json!({"path": "events/a/b/publish", "params": {}});
    assert_eq!(dev.client.post("/call", call.to_string()).await.unwrap().status, 404);
}

async fn once(dev: &StkDev, engine: &str) {
    let client = dev.client.with_key("stk_shop.planted-shop-key-3381");
    let send = async |payload: Json| {
        let request = client.http().post(format!("{}/events/placed/publish", client.url()));
        let request = request.header("idempotency-key", "again").header("content-type", "application/json");
        client.send(request.body(payload.to_string())).await.unwrap()
    };
    let first = send(json!({"orderId": "once"})).await;
    let again = send(json!({"orderId": "once"})).await;
    assert_eq!((first.status, again.status), (200, 200), "{engine} {first:?} {again:?}");
    assert_eq!(first.body["data"], again.body["data"], "{engine}");
    assert!(again.headers.contains_key("idempotency-replayed") && !first.headers.contains_key("idempotency-replayed"));
    assert_eq!(send(json!({"orderId": "other"})).await.code(), "CONFLICT");
}

/// A condition reads the payload; an end user who may not is told of no topic.
async fn users(dev: &StkDev, folder: &ProjectFolder) {
    let issued = stk(folder.path(), &["auth", "issue-token", "--sub", "anna"], &[]).await.unwrap();
    assert_eq!(issued.code, 0, "{issued:?}");
    let anna = dev.client.with_bearer(issued.stdout.trim());
    let publish = async |topic: &str, order: &str| {
        anna.post(&format!("/events/{topic}/publish"), json!({"orderId": order}).to_string()).await.unwrap()
    };
    assert_eq!(publish("placed", "anna").await.status, 200, "{}", dev.output());
    let (denied, missing) = (publish("placed", "bert").await, publish("nothing", "bert").await);
    let told = |answer: &Answer| {
        let mut error = answer.body["error"].clone();
        error["requestId"] = Json::Null;
        (answer.status, error)
    };
    assert_eq!(told(&denied), told(&missing));
    assert_eq!(denied.status, 404);
}

async fn command(dev: &StkDev, folder: &ProjectFolder) {
    let before = kept(dev).await.len();
    let topics = stk(folder.path(), &["events", "topics", "--json"], &[]).await.unwrap();
    let told: Json = serde_json::from_str(&topics.stdout).unwrap();
    let names: Vec<&str> =
        told["topics"].as_array().unwrap().iter().map(|topic| topic["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["open", "placed", "shut"], "{topics:?}");
    let done = stk(folder.path(), &["events", "publish", "open", "{\"n\": 5}"], &[]).await.unwrap();
    assert!(done.code == 0 && done.stdout.contains("evt_"), "{done:?}");
    let refused = stk(folder.path(), &["events", "publish", "placed", "{\"orderId\": \"o\"}"], &[]).await.unwrap();
    assert_ne!(refused.code, 0, "{refused:?}");
    assert_eq!(kept(dev).await.len(), before + 1);
}

/// With a logic that publishes.
fn with_guest() -> ProjectFolder {
    let folder = project("");
    let logic = folder.path().join("logics/silent");
    std::fs::create_dir_all(&logic).unwrap();
    std::fs::copy(repository().join("tests/guests/kept/events-0.1.0-rust.wasm"), logic.join("it.wasm")).unwrap();
    let manifest = "component: {path: it.wasm}\nauth: public\nparams: {steps: {type: json, required: true}}\n\
        grants: {events: {publish: [open, placed]}}\n";
    folder.write("logics/silent/logic.yaml", manifest).unwrap();
    folder
}

/// By whoever it is: a lower limit than the platform's holds for requests and guests.
#[tokio::test(flavor = "multi_thread")]
async fn a_payload_has_no_more_bytes_than_the_setting_says() {
    let folder = with_guest();
    let dev = StkDev::start(folder.path(), &[("STK_BRIDGE_EVENT_PAYLOAD", "2KiB")]).await.unwrap();
    for (letters, fits) in [(1_900, true), (2_100, false)] {
        let payload = json!({"orderId": "o", "text": "x".repeat(letters)});
        let answer = publish(&dev, Who::Shop, "placed", &payload).await;
        assert_eq!(answer.status == 200, fits, "{letters}: {answer:?}\n{}", dev.output());
        if !fits {
            assert_eq!((answer.code(), answer.limit()), ("BAD_REQUEST", "eventPayload"), "{answer:?}");
            assert!(answer.body.to_string().contains("2048 bytes"), "{answer:?}");
        }
        let step = json!({"op": "publish", "topic": "placed", "payload": payload});
        let told = dev.client.logic("silent", json!({"steps": [step]})).await.unwrap();
        let said = told.body["data"][0].to_string();
        assert_eq!(said.contains("too-large"), !fits, "{letters}: {told:?}");
    }
    assert_eq!(kept(&dev).await.len(), 2);
}

/// By whoever it is: requests and guests have one budget for a topic.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_published_as_often_as_it_may_be() {
    let folder = with_guest();
    let dev = StkDev::start(folder.path(), &[("STK_BRIDGE_PUBLISH_RATE", "4/1h")]).await.unwrap();
    let steps =
        |count: usize| json!({"steps": vec![json!({"op": "publish", "topic": "open", "payload": {"n": 1}}); count]});
    let told = dev.client.logic("silent", steps(2)).await.unwrap();
    assert_eq!(told.status, 200, "{told:?}\n{}", dev.output());
    for _ in 0..2 {
        assert_eq!(publish(&dev, Who::Anonymous, "open", &json!({})).await.status, 200);
    }
    let answer = publish(&dev, Who::Anonymous, "open", &json!({})).await;
    assert_eq!((answer.status, answer.code(), answer.limit()), (429, "TOO_MANY_REQUESTS", "publishRate"), "{answer:?}");
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    let told = dev.client.logic("silent", steps(1)).await.unwrap();
    assert!(told.body["data"][0]["error"].as_str().unwrap().contains("rate"), "{told:?}");
    let fine = publish(&dev, Who::Shop, "placed", &json!({"orderId": "o"})).await;
    assert_eq!(fine.status, 200, "another topic has its own: {fine:?}");
    assert_eq!(kept(&dev).await.len(), 5);
}

fn base64(json: &Json) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(json.as_str().unwrap()).unwrap()
}
