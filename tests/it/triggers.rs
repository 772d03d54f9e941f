//! Triggers: rows that the Bridge writes become events in the transaction of the rows, whichever way they are written, on every engine. What is
//! not written is not told, and what cannot be told is not written.

use std::fs;

use santokit_tests::{Answer, Engine, ProjectFolder, StkDev, TestDatabase, stk};
use serde_json::{Value as Json, json};

const SCHEMA: &str = "version: 1
tables:
  orders:
    columns:
      customer: {type: string, nullable: false}
      total: {type: decimal}
      count: {type: int, nullable: false, default: 1}
      note: {type: string}
      at: {type: timestamp, default: now}
  items:
    id: {generate: client}
    columns:
      sku: {type: string, unique: true, maxLength: 40}
      stock: {type: int, nullable: false}
  counters:
    id: {generate: auto_increment}
    columns:
      name: {type: string, unique: true, maxLength: 40}
      n: {type: int, nullable: false, default: 0}
  parts:
    id: {generate: client}
    columns:
      orderId: {type: string, nullable: false, references: {table: orders, as: order}}
      sku: {type: string}
  quiet:
    columns:
      text: {type: string}
";
/// Everybody may everything with each.
const TABLES: [&str; 5] = ["orders", "items", "counters", "parts", "quiet"];
const ORDERS: &str = "name: order_changed
schema:
  id: {type: string, required: true}
  customer: {type: string, required: true, maxLength: 20}
  total: {type: decimal}
  count: {type: bigint}
  note: {type: string}
  at: {type: timestamp}
";
const PLACED: &str = "on: insert\ntable: orders\ntopic: order_changed\n\
    mapping: {id: id, customer: customer, total: total, count: count, note: note, at: at}\n";
const CHANGED: &str =
    "on: [update, delete]\ntable: orders\ntopic: order_changed\nmapping: {id: id, customer: customer, note: note}\n";
const STOCK: &str =
    "name: stock\nschema: {id: {type: string, required: true}, stock: {type: int}, what: {type: string}}\n";
const NUMBER: &str = "name: number\nschema: {id: {type: bigint, required: true}, n: {type: int}}\n";
const OUTBOX: &str = "---\nauth: public\n---\n\
    SELECT id, topic, payload, published_by, project, env, depth FROM stk_outbox ORDER BY id\n";

fn project(connection: &str) -> ProjectFolder {
    let rules =
        ["select", "insert", "update", "delete"].map(|verb| format!("    {verb}: {{roles: [public]}}\n")).concat();
    let all = format!("tables:\n{}", TABLES.map(|table| format!("  {table}:\n{rules}")).concat());
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: firing\n"),
        ("schema/main.yaml", SCHEMA),
        ("config/permissions.yaml", all.as_str()),
        ("events/topics/orders.yaml", ORDERS),
        ("events/topics/stock.yaml", STOCK),
        ("events/topics/number.yaml", NUMBER),
        ("events/triggers/order_placed.yaml", PLACED),
        ("events/triggers/order_changed.yaml", CHANGED),
        (
            "events/triggers/new.yaml",
            "name: item_new\non: insert\ntable: items\ntopic: stock\nmapping: {id: id, stock: stock}\n",
        ),
        (
            "events/triggers/old.yaml",
            "name: item_old\non: update\ntable: items\ntopic: stock\nmapping: {id: id, stock: stock, what: sku}\n",
        ),
        (
            "events/triggers/counted.yaml",
            "on: [insert, update]\ntable: counters\ntopic: number\nmapping: {id: id, n: n}\n",
        ),
        (
            "events/triggers/gone.yaml",
            "name: part_gone\non: delete\ntable: parts\ntopic: stock\nmapping: {id: id, what: sku}\n",
        ),
        ("logics/outbox.sql", OUTBOX),
    ])
    .unwrap();
    if !connection.is_empty() {
        folder.write("santokit.dev.yaml", connection).unwrap();
    }
    folder
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

    async fn ask(&self, path: &str, params: &Json) -> Answer {
        self.dev.client.post(&format!("/{path}"), params.to_string()).await.unwrap()
    }

    async fn done(&self, path: &str, params: Json) -> Json {
        let answer = self.ask(path, &params).await;
        assert_eq!(answer.status, 200, "{} {path} {params}: {answer:?}\n{}", self.engine, self.dev.output());
        answer.body["data"].clone()
    }

    /// The events that have come since this was asked last: who published them, and their payloads.
    async fn told(&mut self) -> Vec<(String, Json)> {
        let rows = self.done("logics/outbox", json!({})).await;
        let new = rows.as_array().unwrap()[self.seen..].iter().map(|row| {
            assert_eq!((&row["project"], &row["env"], &row["depth"]), (&json!("firing"), &json!("dev"), &json!(0)));
            let payload = base64(row["payload"].as_str().unwrap());
            let by = row["published_by"].as_str().unwrap().strip_prefix("trigger:").unwrap_or("-").to_owned();
            (by, serde_json::from_slice(&payload).unwrap())
        });
        let new: Vec<(String, Json)> = new.collect();
        self.seen += new.len();
        new
    }

    async fn told_of(&mut self, field: &str) -> Vec<(String, Json)> {
        self.told().await.into_iter().map(|(by, payload)| (by, payload[field].clone())).collect()
    }
}

fn told(all: &[(&str, Json)]) -> Vec<(String, Json)> {
    all.iter().map(|(by, payload)| ((*by).to_owned(), payload.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_become_events() {
    let folder = project("");
    folder.add_copy("tests/guests/crud", "logics/crud").unwrap();
    folder.write("logics/crud/Cargo.toml", CARGO).unwrap();
    folder.edit("logics/crud/logic.yaml", "notes: [select, insert]", "quiet: [select, insert]").unwrap();
    let mut served = Served::start(&folder, "sqlite").await;
    all(&mut served).await;
    guests(&mut served).await;
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
    all(&mut served).await;
}

async fn all(served: &mut Served) {
    inserts(served).await;
    upserts(served).await;
    changes(served).await;
    related(served).await;
    batches(served).await;
    misfits(served).await;
    bounds(served).await;
}

async fn inserts(served: &mut Served) {
    let row = json!({"customer": "ada", "total": "12.50", "at": "2026-01-31T09:00:00+01:00"});
    let answer = served.done("db/orders/insert", json!({"data": row})).await;
    let id = answer[0]["id"].clone();
    let expected =
        json!({"id": id, "customer": "ada", "total": "12.50", "count": "1", "at": "2026-01-31T08:00:00.000000Z"});
    let events = served.told().await;
    assert_eq!(events.len(), 1, "{}", served.engine);
    let (by, mut payload) = events.into_iter().next().unwrap();
    // Of a decimal the database says how many digits there are.
    let total: f64 = payload["total"].as_str().unwrap().parse().unwrap();
    assert!((total - 12.5).abs() < f64::EPSILON, "{payload}");
    payload["total"] = json!("12.50");
    assert_eq!((by.as_str(), payload), ("order_placed", expected), "{}", served.engine);

    // Nothing that is not written, and nothing of other tables.
    served.done("db/quiet/insert", json!({"data": {"text": "x"}})).await;
    assert_eq!(served.ask("db/orders/insert", &json!({"data": {"customer": null}})).await.status, 400);
    assert_eq!(served.told().await, []);

    // What is answered is the same, in order; the events are in the order of the rows.
    let rows: Vec<Json> = (0..120).map(|n| json!({"customer": format!("c{n:03}"), "count": n})).collect();
    let answer = served.done("db/orders/insert", json!({"data": rows, "returning": ["id", "customer"]})).await;
    let answered = answer.as_array().unwrap();
    assert_eq!(answered.len(), 120);
    assert_eq!(answered[7].as_object().unwrap().len(), 2, "{}", answered[7]);
    let customers: Vec<Json> = served.told_of("customer").await.into_iter().map(|(_, customer)| customer).collect();
    let expected: Vec<Json> = (0..120).map(|n| json!(format!("c{n:03}"))).collect();
    assert_eq!(customers, expected, "{}", served.engine);
    let answer = served.done("db/orders/insert", json!({"data": {"customer": "x"}, "returning": false})).await;
    assert_eq!(answer, json!({"affected": 1}));
    assert_eq!(served.told_of("customer").await, told(&[("order_placed", json!("x"))]));
    // The key is the database's.
    let answer = served.done("db/counters/insert", json!({"data": [{"name": "a"}, {"name": "b", "n": 4}]})).await;
    let ids: Vec<Json> = answer.as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
    let expected = [("counted", json!({"id": ids[0], "n": 0})), ("counted", json!({"id": ids[1], "n": 4}))];
    assert_eq!(served.told().await, told(&expected), "{}", served.engine);
}

async fn upserts(served: &mut Served) {
    let item = |id: &str, sku: &str, stock: i64| json!({"id": id, "sku": sku, "stock": stock});
    served.done("db/items/insert", json!({"data": [item("i1", "s1", 1), item("i2", "s2", 2)]})).await;
    let expected = [("item_new", json!({"id": "i1", "stock": 1})), ("item_new", json!({"id": "i2", "stock": 2}))];
    assert_eq!(served.told().await, told(&expected));
    // Which of them are new is told apart: by the key, and by another unique column.
    let update = json!({"columns": ["id"], "do": "update"});
    let rows = json!([item("i3", "s3", 3), item("i1", "s1", 10)]);
    served.done("db/items/insert", json!({"data": rows, "onConflict": update})).await;
    let mut events = served.told().await;
    events.sort_by_key(|(by, _)| by.clone());
    let expected =
        [("item_new", json!({"id": "i3", "stock": 3})), ("item_old", json!({"id": "i1", "stock": 10, "what": "s1"}))];
    assert_eq!(events, told(&expected), "{}", served.engine);
    let rows = json!([{"name": "a", "n": 7}, {"name": "c", "n": 8}]);
    let by_name = json!({"columns": ["name"], "do": "update"});
    served.done("db/counters/insert", json!({"data": rows, "onConflict": by_name, "returning": false})).await;
    let mut numbers: Vec<Json> = served.told_of("n").await.into_iter().map(|(_, n)| n).collect();
    numbers.sort_by_key(Json::as_i64);
    assert_eq!(numbers, [json!(7), json!(8)], "{}", served.engine);
    // Who stays as it is, is told of by nobody.
    let ignore = json!({"columns": ["id"], "do": "ignore"});
    let rows = json!([item("i1", "s1", 99), item("i4", "s4", 4)]);
    served.done("db/items/insert", json!({"data": rows, "onConflict": ignore})).await;
    assert_eq!(served.told().await, told(&[("item_new", json!({"id": "i4", "stock": 4}))]), "{}", served.engine);
}

async fn changes(served: &mut Served) {
    // As the rows are after it, and of those alone that it changed.
    let data = json!({"note": "late"});
    let filter = json!({"customer": {"$in": ["c001", "c002"]}});
    let answer = served.done("db/orders/update", json!({"where": filter, "data": data})).await;
    assert_eq!(answer, json!({"affected": 2}));
    let events = served.told().await;
    let mut customers: Vec<&str> = events.iter().map(|(_, payload)| payload["customer"].as_str().unwrap()).collect();
    customers.sort_unstable();
    assert_eq!(customers, ["c001", "c002"], "{}", served.engine);
    assert!(events.iter().all(|(by, payload)| by == "order_changed" && payload["note"] == "late"), "{events:?}");
    let nothing = json!({"where": {"customer": "nobody"}, "data": {"note": "x"}});
    assert_eq!(served.done("db/orders/update", nothing).await, json!({"affected": 0}));
    let returning = json!({"where": {"customer": "c003"}, "data": {"customer": "c-3"}, "returning": ["customer"]});
    assert_eq!(served.done("db/orders/update", returning).await, json!([{"customer": "c-3"}]));
    assert_eq!(served.told_of("customer").await, told(&[("order_changed", json!("c-3"))]), "{}", served.engine);
    // The key itself, where the client makes it.
    served.done("db/items/update", json!({"where": {"id": "i4"}, "data": {"id": "i5", "stock": 5}})).await;
    assert_eq!(served.told_of("id").await, told(&[("item_old", json!("i5"))]), "{}", served.engine);
    // As the rows were before it.
    let answer = served.done("db/orders/delete", json!({"where": {"note": "late"}})).await;
    assert_eq!(answer, json!({"affected": 2}), "{}", served.engine);
    let gone = served.told().await;
    assert_eq!(gone.len(), 2);
    assert!(gone.iter().all(|(by, payload)| by == "order_changed" && payload["note"] == "late"), "{gone:?}");
    let answer =
        served.done("db/orders/delete", json!({"where": {"customer": "c-3"}, "returning": ["customer"]})).await;
    assert_eq!(answer, json!([{"customer": "c-3"}]));
    assert_eq!(served.told_of("customer").await, told(&[("order_changed", json!("c-3"))]), "{}", served.engine);
    // Of a delete of items nobody is told.
    served.done("db/items/delete", json!({"where": {"id": "i5"}})).await;
    assert_eq!(served.told().await, []);
}

/// Rows that a relation picks, which one engine cannot answer when it deletes them: each is told of, as it was.
async fn related(served: &mut Served) {
    let orders = json!({"data": [{"customer": "rel-a"}, {"customer": "rel-b"}], "returning": ["id"]});
    let orders = served.done("db/orders/insert", orders).await;
    let part = |id: &str, order: usize| json!({"id": id, "orderId": orders[order]["id"], "sku": format!("sku {id}")});
    served.done("db/parts/insert", json!({"data": [part("p1", 0), part("p2", 0), part("p3", 1)]})).await;
    served.told().await;
    let of_a = json!({"where": {"order": {"customer": "rel-a"}}});
    assert_eq!(served.done("db/parts/delete", of_a.clone()).await, json!({"affected": 2}), "{}", served.engine);
    let mut gone = served.told().await;
    gone.sort_by_key(|(_, payload)| payload["id"].as_str().map(str::to_owned));
    let expected = ["p1", "p2"].map(|id| ("part_gone", json!({"id": id, "what": format!("sku {id}")})));
    assert_eq!(gone, told(&expected), "{}", served.engine);
    let left = served.done("db/parts/select", json!({"where": {"orderId": orders[1]["id"]}})).await;
    assert_eq!((left.as_array().unwrap().len(), &left[0]["id"]), (1, &json!("p3")), "{}", served.engine);
    assert_eq!(served.done("db/parts/delete", of_a).await, json!({"affected": 0}), "{}", served.engine);
    assert_eq!(served.told().await, [], "{}", served.engine);
}

async fn batches(served: &mut Served) {
    let insert = |customer: &str| json!({"path": "db/orders/insert", "params": {"data": {"customer": customer}}});
    let update = json!({"path": "db/orders/update", "params": {"where": {"id": {"$ref": "0.data.0.id"}}, "data": {"note": "n"}}});
    served.done("batch", json!({"calls": [insert("b1"), update]})).await;
    let expected = [("order_placed", json!("b1")), ("order_changed", json!("b1"))];
    assert_eq!(served.told_of("customer").await, told(&expected), "{}", served.engine);
    // What is rolled back was not.
    let wrong = json!({"path": "db/items/insert", "params": {"data": {"id": "i1", "sku": "s1", "stock": 1}}});
    assert_eq!(served.ask("batch", &json!({"calls": [insert("b2"), wrong]})).await.status, 409);
    assert_eq!(served.told().await, [], "{}", served.engine);
    // A write that is sent again is told once.
    for replayed in [false, true] {
        let request = served.dev.client.http().post(format!("{}/db/orders/insert", served.dev.client.url()));
        let body = json!({"data": {"customer": "once"}}).to_string();
        let request = request.header("idempotency-key", "k1").header("content-type", "application/json").body(body);
        let answer = served.dev.client.send(request).await.unwrap();
        assert_eq!((answer.status, answer.headers.contains_key("idempotency-replayed")), (200, replayed), "{answer:?}");
    }
    assert_eq!(served.told_of("customer").await, told(&[("order_placed", json!("once"))]), "{}", served.engine);
}

/// A row that its topic does not take is not written.
async fn misfits(served: &mut Served) {
    let long = "x".repeat(21);
    let answer = served.ask("db/orders/insert", &json!({"data": [{"customer": "fits"}, {"customer": long}]})).await;
    assert_eq!((answer.status, answer.code()), (400, "SCHEMA_VALIDATION_FAILED"), "{} {answer:?}", served.engine);
    let said = answer.body.to_string();
    assert!(!said.contains("trigger") && !said.contains("order_changed"), "told to anyone: {said}");
    assert!(served.dev.output().contains("order_placed"), "the log says which: {}", served.dev.output());
    let found = served.done("db/orders/select", json!({"where": {"customer": {"$in": ["fits", long]}}})).await;
    assert_eq!(found, json!([]), "{}", served.engine);
    let change = json!({"where": {"customer": "once"}, "data": {"customer": long}});
    assert_eq!(served.ask("db/orders/update", &change).await.code(), "SCHEMA_VALIDATION_FAILED");
    assert_eq!(served.told().await, [], "{}", served.engine);
}

/// What would be more than a payload may have, or than is kept in memory.
async fn bounds(served: &mut Served) {
    let large = "n".repeat(1_000_100);
    let answer = served.ask("db/orders/insert", &json!({"data": {"customer": "big", "note": large}})).await;
    assert_eq!(
        (answer.code(), answer.limit()),
        ("BAD_REQUEST", "eventPayload"),
        "{} {:.300}",
        served.engine,
        answer.body
    );
    // Several megabytes of events are more than one statement.
    let rows: Vec<Json> = (0..9).map(|n| json!({"customer": format!("m{n}"), "note": "n".repeat(900_000)})).collect();
    served.done("db/orders/insert", json!({"data": rows, "returning": false})).await;
    assert_eq!(served.told().await.len(), 9, "{}", served.engine);
    served.done("db/orders/delete", json!({"where": {"customer": {"$like": "m%"}}})).await;
    assert_eq!(served.told().await.len(), 9, "{}", served.engine);
}

/// Of the Rust guest, away from the workspace of the guests.
const CARGO: &str = "[package]\nname = \"guest-crud\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
    [lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\nsantokit-guest = { path = \"../../.stk/cache/sdk/rust\" }\n\
    serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n";

/// A guest's requests fire as any caller's; in its transaction the events are of the transaction.
async fn guests(served: &mut Served) {
    let insert = |customer: &str, within: bool| json!({"op": "insert", "table": "orders", "params": {"data": {"customer": customer}}, "within": within});
    let step = |op: &str| json!({"op": op});
    let steps = [
        insert("g1", false),
        step("begin"),
        insert("g2", true),
        step("rollback"),
        step("begin"),
        insert("g3", true),
        step("commit"),
    ];
    let answer = served.done("logics/crud", json!({"steps": steps})).await;
    assert!(answer.as_array().unwrap().iter().all(|step| step["error"].is_null()), "{answer}");
    assert_eq!(served.told_of("customer").await, told(&[("order_placed", json!("g1")), ("order_placed", json!("g3"))]));
    // A row that does not fit undoes the request, and leaves the transaction as it was.
    let steps = [step("begin"), insert("g4", true), insert(&"x".repeat(30), true), step("commit")];
    let answer = served.done("logics/crud", json!({"steps": steps})).await;
    assert!(answer[2].to_string().contains("SCHEMA_VALIDATION_FAILED"), "{answer}");
    assert_eq!(served.told_of("customer").await, told(&[("order_placed", json!("g4"))]));
    // SQL of a guest's own does not reach what the platform keeps.
    for text in [
        "SELECT * FROM stk_outbox",
        "DELETE FROM stk_outbox",
        "INSERT INTO stk_cron_runs (id) VALUES ('x')",
        "SELECT * FROM stk_cron_jobs",
    ] {
        let answer = served.done("logics/crud", json!({"steps": [{"op": "sql", "params": text}]})).await;
        assert!(answer[0].get("data").is_none(), "{text}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_hold_is_told_where_it_stands() {
    let folder = project("");
    folder
        .edit("events/triggers/order_placed.yaml", "customer: customer, total: total", "custmer: customer, total: at")
        .unwrap();
    folder.edit("events/triggers/new.yaml", "table: items", "table: item").unwrap();
    folder.edit("events/triggers/old.yaml", "on: update", "on: updat").unwrap();
    folder
        .write(
            "events/triggers/null.yaml",
            "on: insert\ntable: orders\ntopic: order_changed\nmapping: {id: id, customer: note}\n",
        )
        .unwrap();
    let found = stk(folder.path(), &["check"], &[]).await.unwrap();
    assert_eq!(found.code, 1, "{found:?}");
    for expected in [
        "order_placed.yaml:4:19: error[invalid-trigger]: the topic \"order_changed\" has no field \"custmer\"",
        "order_placed.yaml:4:45: error[invalid-trigger]: the column \"at\" is of type timestamp and the field \"total\" of type decimal",
        "the field \"customer\" is required, and \"mapping\" has nothing for it",
        "new.yaml:3:8: error[unknown-table]: there is no table \"item\"",
        "old.yaml:2:5: error[unknown-value]",
        "the field \"customer\" is required, and the column \"note\" can be NULL",
        "did you mean \"items\"?",
    ] {
        assert!(found.stdout.contains(expected), "{expected}\n{}", found.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_writes_past_a_trigger_is_warned_of() {
    let folder = project("");
    folder
        .write("logics/add.sql", "---\nauth: public\n---\nINSERT INTO orders (id, customer) VALUES ('x', 'y')\n")
        .unwrap();
    folder.write("queries/gone.sql", "---\nreturns: exec\n---\nDELETE FROM orders\n").unwrap();
    fs::create_dir_all(folder.path().join("logics/raw")).unwrap();
    let manifest = "component: {path: x.wasm}\nauth: public\ngrants: {sql: [{tables: {orders: [select, update], quiet: [insert]}}]}\n";
    folder.write("logics/raw/logic.yaml", manifest).unwrap();
    let found = stk(folder.path(), &["check"], &[]).await.unwrap();
    for expected in [
        "logics/add.sql:4:13: warning[past-trigger]: this statement writes \"orders\" and does not fire the trigger \"order_placed\"",
        "queries/gone.sql:4:13: warning[past-trigger]",
        "logics/raw/logic.yaml:3:26: warning[past-trigger]: the logic's own SQL writes \"orders\"",
    ] {
        assert!(found.stdout.contains(expected), "{expected}\n{}", found.stdout);
    }
    assert!(!found.stdout.contains("\"quiet\""), "{}", found.stdout);
}

fn base64(text: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(text).unwrap()
}
