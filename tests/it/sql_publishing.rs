//! Logics in SQL that publish: an event is stored with what the statements did, or neither is, on every engine, whatever has begun the logic.

use std::{
    fs,
    time::{Duration, Instant},
};

use santokit_tests::{Answer, Engine, ProjectFolder, StkDev, TestDatabase, folder::repository, stk};
use serde_json::{Value as Json, json};

/// Far longer than it takes, on a machine that is busy with other tests.
const SOON: Duration = Duration::from_mins(1);

const SCHEMA: &str = "version: 1
tables:
  orders:
    id: {generate: client}
    columns:
      customer: {type: string}
      total: {type: decimal}
  notes:
    id: {generate: client}
    columns: {text: {type: string}}
  handled:
    id: {generate: client}
    columns:
      depth: {type: int}
      cause: {type: string, nullable: true}
";
const PLACED: &str = "name: placed
schema:
  id: {type: string, required: true, maxLength: 10}
  customer: {type: string}
  total: {type: decimal}
  n: {type: int}
  big: {type: boolean}
  at: {type: timestamp}
  env: {type: string}
  who: {type: string}
  roles: {type: array, items: {type: string}}
";
const PLACE: &str = "---
auth: public
params:
  id: {type: string, required: true}
  customer: {type: string, default: nobody}
  total: {type: decimal}
publish:
  - topic: placed
    mapping: {id: id, customer: :customer, total: total, n: n, big: big, at: :now, env: :env, who: \":auth.sub\", roles: \":auth.roles\"}
  - {topic: asked, mapping: {what: :id}}
---
INSERT INTO orders (id, customer, total) VALUES (:id, :customer, :total);
SELECT id, total, (SELECT count(*) FROM orders) AS n, (1 = 1) AS big FROM orders WHERE id = :id
";
/// The second statement cannot succeed after the first.
const FAIL: &str = "---
auth: public
params: {id: {type: string, required: true}}
publish: [{topic: asked, mapping: {what: :id}}]
---
INSERT INTO orders (id) VALUES (:id);
INSERT INTO orders (id) VALUES (:id)
";
/// What it does is told where it is done.
const FOUND: &str = "---
auth: public
params: {id: {type: string, required: true}}
publish: [{topic: asked, mapping: {what: id}}]
---
SELECT id FROM orders WHERE id = :id
";
/// The same, and the engines that can answer it tell what was done.
const RETURNED: &str = "---
auth: public
params: {id: {type: string, required: true}}
publish: [{topic: placed, mapping: {id: ID, customer: customer}}]
---
UPDATE orders SET customer = 'bob' WHERE id = :id RETURNING id, customer
";
/// A column that only the database knows not to be there.
const ODD: &str = "---
auth: public
publish: [{topic: asked, mapping: {what: nope}}]
---
SELECT * FROM orders
";
const KEPT_FROM: &str = "---
roles: [shop]
params: {id: {type: string, required: true}}
publish: [{topic: asked, mapping: {what: :id}}]
---
INSERT INTO orders (id) VALUES (:id)
";
const BEGIN: &str = "---
auth: public
params: {key: {type: string, required: true}}
publish: [{topic: chain, mapping: {key: :key}}]
---
SELECT 1 AS one
";
/// A handler that causes its own events.
const AGAIN: &str = "---
params: {key: {type: string, required: true}}
publish: [{topic: chain, mapping: {key: :key}}]
---
INSERT INTO handled (id, depth, cause) VALUES (:event.id, :event.depth, :event.causedBy)
";
const TICKED: &str = "---
publish: [{topic: asked, mapping: {what: :env}}]
---
SELECT 1 AS one
";
const OUTBOX: &str = "---
auth: public
---
SELECT id, topic, payload, published_by, caused_by, depth FROM stk_outbox WHERE topic <> '$ack' ORDER BY id
";
const DELIVERIES: &str =
    "---\nauth: public\n---\nSELECT event, state, error FROM stk_delivery ORDER BY published_at, event\n";
const HANDLED: &str = "---\nauth: public\n---\nSELECT id, depth, cause FROM handled ORDER BY depth\n";
const ORDERS: &str = "---\nauth: public\n---\nSELECT id FROM orders ORDER BY id\n";
const KEYS: &str = "apiKeys:\n  - {name: shop, key: stk_shop.planted-shop-key-4471, roles: [shop]}\n  \
    - {name: other, key: stk_other.planted-other-key-4472, roles: [other]}\n";

fn project(connection: &str) -> ProjectFolder {
    let dev = format!("{KEYS}{connection}");
    ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: telling\n"),
        ("santokit.dev.yaml", dev.as_str()),
        ("schema/main.yaml", SCHEMA),
        ("events/topics/placed.yaml", PLACED),
        ("events/topics/asked.yaml", "name: asked\nschema: {what: {type: string, required: true, maxLength: 10}}\n"),
        ("events/topics/chain.yaml", "name: chain\nschema: {key: {type: string, required: true}}\n"),
        (
            "events/subscriptions/again.yaml",
            "name: again\ntopic: chain\nhandler: logics/again\nretry: {maxRetries: 0}\n",
        ),
        ("cron/tick.yaml", "name: tick\nschedule: \"0 0 1 1 *\"\nhandler: logics/ticked\n"),
        ("logics/place.sql", PLACE),
        ("logics/fail.sql", FAIL),
        ("logics/found.sql", FOUND),
        ("logics/returned.sql", RETURNED),
        ("logics/odd.sql", ODD),
        ("logics/shop.sql", KEPT_FROM),
        ("logics/begin.sql", BEGIN),
        ("logics/again.sql", AGAIN),
        ("logics/ticked.sql", TICKED),
        ("logics/outbox.sql", OUTBOX),
        ("logics/deliveries.sql", DELIVERIES),
        ("logics/handled.sql", HANDLED),
        ("logics/orders.sql", ORDERS),
    ])
    .unwrap()
}

/// A project that is served.
struct Served {
    dev: StkDev,
    engine: &'static str,
    seen: usize,
}

impl Served {
    async fn start(folder: &ProjectFolder, engine: &'static str) -> Self {
        Self { dev: StkDev::start(folder.path(), &[]).await.unwrap(), engine, seen: 0 }
    }

    async fn ask(&self, logic: &str, params: Json) -> Answer {
        self.dev.client.logic(logic, params).await.unwrap()
    }

    async fn rows(&self, logic: &str) -> Vec<Json> {
        let answer = self.ask(logic, json!({})).await;
        assert_eq!(answer.status, 200, "{} {logic}: {answer:?}\n{}", self.engine, self.dev.output());
        answer.body["data"].as_array().unwrap().clone()
    }

    async fn done(&self, logic: &str, params: Json) -> Json {
        let answer = self.ask(logic, params.clone()).await;
        assert_eq!(answer.status, 200, "{} {logic} {params}: {answer:?}\n{}", self.engine, self.dev.output());
        answer.body["data"].clone()
    }

    /// The events that have come since this was asked last, with their payloads read.
    async fn told(&mut self) -> Vec<Json> {
        let mut rows = self.rows("outbox").await.split_off(self.seen);
        self.seen += rows.len();
        for row in &mut rows {
            row["payload"] = serde_json::from_slice(&base64(&row["payload"])).unwrap();
        }
        rows
    }

    /// Waits until rows are as they should be; those rows.
    async fn until(&self, logic: &str, is_so: impl Fn(&[Json]) -> bool) -> Vec<Json> {
        let began = Instant::now();
        loop {
            let rows = self.rows(logic).await;
            if is_so(&rows) {
                return rows;
            }
            assert!(began.elapsed() < SOON, "{} {logic}: {rows:?}\n{}", self.engine, self.dev.output());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_publishes_events() {
    let folder = project("");
    let mut served = Served::start(&folder, "sqlite").await;
    all(&mut served, &folder).await;
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
    let folder = project(&connection);
    let mut served = Served::start(&folder, engine.as_str()).await;
    all(&mut served, &folder).await;
}

async fn all(served: &mut Served, folder: &ProjectFolder) {
    committed(served).await;
    returned(served).await;
    undone(served).await;
    misfits(served).await;
    denied(served).await;
    jobs(served, folder).await;
    chains(served).await;
}

/// Stored with what it tells of, from what was given and what was answered.
async fn committed(served: &mut Served) {
    let answer = served.done("place", json!({"id": "o1", "customer": "ada", "total": "12.50"})).await;
    assert_eq!(answer[0]["id"], "o1", "the answer is that of the statements: {answer}");
    let mut events = served.told().await;
    assert_eq!(events.len(), 2, "{} {events:?}", served.engine);
    let placed = &mut events[0];
    let told = (&placed["topic"], &placed["published_by"], &placed["caused_by"], &placed["depth"]);
    assert_eq!(told, (&json!("placed"), &json!("place"), &Json::Null, &json!(0)), "{}", served.engine);
    let mut payload = placed["payload"].take();
    // Of a decimal the database says how many digits there are.
    let total: f64 = payload["total"].as_str().unwrap().parse().unwrap();
    assert!((total - 12.5).abs() < f64::EPSILON, "{payload}");
    assert!(payload["at"].as_str().unwrap().ends_with('Z'), "{payload}");
    payload.as_object_mut().unwrap().retain(|field, _| field != "total" && field != "at");
    // Nobody has called: there is no subject.
    let expected = json!({"id": "o1", "customer": "ada", "n": 1, "big": true, "env": "dev", "roles": []});
    assert_eq!(payload, expected, "{}", served.engine);
    assert_eq!((&events[1]["topic"], &events[1]["payload"]), (&json!("asked"), &json!({"what": "o1"})));

    // What is made of a row is told where there is one.
    served.done("found", json!({"id": "none"})).await;
    assert_eq!(served.told().await, Vec::<Json>::new(), "{}", served.engine);
    served.done("found", json!({"id": "o1"})).await;
    let events = served.told().await;
    assert_eq!((events.len(), &events[0]["payload"]), (1, &json!({"what": "o1"})), "{}", served.engine);
}

/// A write answers rows on two engines.
async fn returned(served: &mut Served) {
    if served.engine == "mysql" {
        return;
    }
    served.done("returned", json!({"id": "none"})).await;
    assert_eq!(served.told().await, Vec::<Json>::new(), "{}", served.engine);
    served.done("returned", json!({"id": "o1"})).await;
    let events = served.told().await;
    assert_eq!(
        (events.len(), &events[0]["payload"]),
        (1, &json!({"id": "o1", "customer": "bob"})),
        "{}",
        served.engine
    );
}

/// What fails has neither done nor told anything.
async fn undone(served: &mut Served) {
    for (logic, params) in [("fail", json!({"id": "o2"})), ("place", json!({"id": "o1", "total": "1"}))] {
        let answer = served.ask(logic, params).await;
        assert_eq!((answer.status, answer.code()), (409, "CONFLICT"), "{} {logic}: {answer:?}", served.engine);
    }
    assert_eq!(served.told().await, Vec::<Json>::new(), "{}", served.engine);
    assert_eq!(served.rows("orders").await, [json!({"id": "o1"})], "{}", served.engine);
}

/// What its topic does not take is not done; who may know is told why.
async fn misfits(served: &mut Served) {
    let long = json!({"id": "far too long an id"});
    let answer = served.ask("place", long.clone()).await;
    assert_eq!((answer.status, answer.code()), (400, "SCHEMA_VALIDATION_FAILED"), "{} {answer:?}", served.engine);
    let said = answer.body.to_string();
    assert!(!said.contains("placed") && !said.contains("at most"), "told to anyone: {said}");
    let keyed = served.dev.client.with_key("stk_shop.planted-shop-key-4471");
    let answer = keyed.logic("place", long).await.unwrap();
    let error = &answer.body["error"];
    assert_eq!(error["details"]["errors"][0]["field"], "id", "{} {answer:?}", served.engine);
    assert!(
        error["message"].as_str().unwrap().starts_with("the logic \"place\" cannot publish \"placed\": "),
        "{error}"
    );
    let answer = keyed.logic("odd", json!({})).await.unwrap();
    let message = answer.body["error"]["message"].as_str().unwrap();
    assert!(answer.status == 400 && message.contains("answers no column \"nope\""), "{} {answer:?}", served.engine);
    assert!(served.dev.output().contains("an event does not fit its topic"), "{}", served.dev.output());
    assert_eq!(served.told().await, Vec::<Json>::new(), "{}", served.engine);
    assert_eq!(served.rows("orders").await, [json!({"id": "o1"})], "{}", served.engine);
}

async fn denied(served: &mut Served) {
    let other = served.dev.client.with_key("stk_other.planted-other-key-4472");
    for (client, status) in [(&served.dev.client, 401), (&other, 403)] {
        let answer = client.logic("shop", json!({"id": "o3"})).await.unwrap();
        assert_eq!(answer.status, status, "{} {answer:?}", served.engine);
    }
    assert_eq!(served.told().await, Vec::<Json>::new(), "{}", served.engine);
    let shop = served.dev.client.with_key("stk_shop.planted-shop-key-4471");
    assert_eq!(shop.logic("shop", json!({"id": "o3"})).await.unwrap().status, 200, "{}", served.engine);
    let events = served.told().await;
    assert_eq!((events.len(), &events[0]["published_by"]), (1, &json!("shop")), "{}", served.engine);
}

async fn jobs(served: &mut Served, folder: &ProjectFolder) {
    let began = Instant::now();
    loop {
        let run = stk(folder.path(), &["cron", "trigger", "tick", "--json"], &[]).await.unwrap();
        if run.code == 0 {
            break;
        }
        // Its first look may be under way.
        assert!(run.stdout.contains("CONFLICT") && began.elapsed() < SOON, "{} {run:?}", served.engine);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let is_ticked = |rows: &[Json]| rows.iter().any(|row| row["published_by"] == "ticked");
    served.until("outbox", is_ticked).await;
    let events = served.told().await;
    assert_eq!((events.len(), &events[0]["payload"]), (1, &json!({"what": "dev"})), "{}", served.engine);
}

/// A handler publishes with its cause, until so many events have led to it that it is refused with what it would have done.
async fn chains(served: &mut Served) {
    served.done("begin", json!({"key": "k"})).await;
    let is_over = |rows: &[Json]| rows.iter().any(|row| row["state"] == "dead");
    let dead = served.until("deliveries", is_over).await;
    let error = dead[0]["error"].as_str().unwrap();
    assert!(error.contains("BAD_REQUEST") && error.contains("16 events have caused one another"), "{error}");
    let events = served.told().await;
    assert!(error.contains("chain now, by chain evt_"), "with the events: {error}");
    assert_eq!(events.len(), 17, "{} {events:?}", served.engine);
    for (depth, event) in events.iter().enumerate() {
        let cause = depth.checked_sub(1).map_or(Json::Null, |before| events[before]["id"].clone());
        let by = if depth == 0 { "begin" } else { "again" };
        let expected = json!({"id": event["id"], "topic": "chain", "payload": {"key": "k"}, "published_by": by,
            "caused_by": cause, "depth": depth});
        assert_eq!(*event, expected, "{}", served.engine);
    }
    // What the last one would have done, it has not.
    let handled = served.rows("handled").await;
    let expected: Vec<Json> = events[..16]
        .iter()
        .map(|event| json!({"id": event["id"], "depth": event["depth"], "cause": event["caused_by"]}))
        .collect();
    assert_eq!(handled, expected, "{}", served.engine);
}

/// In its caller's transaction it shares the end of that.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_in_a_callers_transaction_comes_with_it() {
    let folder = project("");
    let dir = folder.path().join("logics/caller");
    fs::create_dir_all(&dir).unwrap();
    fs::copy(repository().join("tests/guests/kept/logics-0.1.0-rust.wasm"), dir.join("it.wasm")).unwrap();
    let manifest = "component: {path: it.wasm}\nauth: public\ntransaction: required\n\
        params: {steps: {type: json, required: true}}\n\
        grants: {sql: [{connection: main, tables: {notes: [select, insert]}}], logics: [place, fail]}\n";
    folder.write("logics/caller/logic.yaml", manifest).unwrap();
    let mut served = Served::start(&folder, "sqlite").await;
    let call = |name: &str, id: &str| json!({"op": "call", "name": name, "params": {"id": id}});
    let insert = json!({"op": "insert", "name": "n1"});
    let refused = served.ask("caller", json!({"steps": [insert, call("place", "c1"), json!({"op": "refuse"})]})).await;
    assert_eq!(refused.status, 422, "{refused:?}\n{}", served.dev.output());
    assert_eq!(served.told().await, Vec::<Json>::new());
    // A call that fails is undone, with what it would have told; what was before it stays.
    served
        .done(
            "caller",
            json!({"steps": [insert, call("place", "c2"), call("fail", "c3"), call("place", "much too long")]}),
        )
        .await;
    let topics: Vec<Json> = served.told().await.into_iter().map(|event| event["payload"].clone()).collect();
    assert_eq!((topics.len(), &topics[0]["id"], &topics[1]), (2, &json!("c2"), &json!({"what": "c2"})), "{topics:?}");
    assert_eq!(served.rows("orders").await, [json!({"id": "c2"})]);
}

/// What could not be told is not done.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_published_as_often_as_it_may_be() {
    let folder = project("");
    let dev = StkDev::start(folder.path(), &[("STK_BRIDGE_PUBLISH_RATE", "2/1h")]).await.unwrap();
    for (id, status) in [("r1", 200), ("r2", 200), ("r3", 429)] {
        let answer = dev.client.logic("place", json!({"id": id})).await.unwrap();
        assert_eq!(answer.status, status, "{id}: {answer:?}\n{}", dev.output());
        if status == 429 {
            assert_eq!((answer.code(), answer.limit()), ("TOO_MANY_REQUESTS", "publishRate"), "{answer:?}");
        }
    }
    let orders = dev.client.logic("orders", json!({})).await.unwrap();
    assert_eq!(orders.body["data"], json!([{"id": "r1"}, {"id": "r2"}]));
}

const CASES: &str = "cases:
  - name: what is done is told
    call: place
    params: {id: o1, customer: ada, total: '12.50'}
    given: {now: '2026-01-31T12:00:00Z'}
    expect:
      events:
        - {topic: placed, payload: {$partial: {id: o1, customer: ada, n: 1, big: true, at: '2026-01-31T12:00:00.000000Z'}}}
        - {topic: asked, payload: {what: o1}}
  - name: what fails tells nothing
    call: fail
    params: {id: o1}
    expect: {error: {code: CONFLICT}, events: []}
  - name: a handler tells
    call: again
    event: {topic: chain, id: evt_1, payload: {key: k}}
    expect: {events: [{topic: chain, payload: {key: k}}]}
  - name: an event too few
    call: begin
    params: {key: k}
    expect: {events: []}
";

#[tokio::test(flavor = "multi_thread")]
async fn cases_see_what_sql_publishes() {
    let folder = project("");
    folder.write("tests/publish.yaml", CASES).unwrap();
    let finished = stk(folder.path(), &["logic", "test", "--json"], &[]).await.unwrap();
    let report = finished.json();
    assert_eq!((finished.code, &report["passed"], &report["failed"]), (1, &json!(3), &json!(1)), "{report:#}");
    let few = report["cases"].as_array().unwrap().iter().find(|case| case["name"] == "an event too few").unwrap();
    assert_eq!(few["differences"][0]["path"], "events[0]", "{few:#}");
}

fn base64(json: &Json) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(json.as_str().unwrap()).unwrap()
}
