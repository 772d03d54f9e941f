//! Guests publish events: what a topic takes, in whose transaction an event is kept, and who cannot forge one. On SQLite in three languages, on
//! servers, where a guest's transaction is a login's, in one.

use std::fs;

use santokit_tests::{Answer, Engine, ProjectFolder, StkDev, TestDatabase, folder::repository, stk};
use serde_json::{Value as Json, json};

const SCHEMA: &str =
    "version: 1\ntables:\n  items:\n    id: {generate: client}\n    columns:\n      name: {type: string}\n";
const PLACED: &str = "name: placed\nschema:\n  orderId: {type: string, required: true, maxLength: 10}\n  total: {type: decimal}\n  \
    seen: {type: timestamp}\nretention: 1d\n";
const NOTED: &str = "name: noted\nschema: {note: {type: string}}\n";
/// Of which nobody was granted anything.
const HIDDEN: &str = "name: hidden\n";
/// The platform's own rows, as a logic of the release reads them.
const OUTBOX: &str = "---\nauth: public\n---\nSELECT id, project, env, topic, payload, published_by, depth FROM stk_outbox ORDER BY id\n";
const ITEMS: &str = "---\nauth: public\n---\nSELECT id FROM items ORDER BY id\n";
/// Of the Rust guest, away from the workspace of the guests.
const CARGO: &str = "[package]\nname = \"guest-events\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
    [lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\nsantokit-guest = { path = \"../../.stk/cache/sdk/rust\" }\n\
    serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n";
const AS_A_WHOLE: (&str, &str) = ("auth: public\n", "auth: public\ntransaction: required\n");
const SQL: &str = "  sql: [{connection: main, tables: {items: [select, insert]}}]\n";

fn project(connection: &str) -> ProjectFolder {
    let files = [
        ("santokit.yaml", "version: 1\nname: telling\n"),
        ("schema/main.yaml", SCHEMA),
        ("events/topics/placed.yaml", PLACED),
        ("events/topics/noted.yaml", NOTED),
        ("events/topics/hidden.yaml", HIDDEN),
        ("events/topics/brief.yaml", "name: brief\nretention: 1ms\n"),
        ("logics/outbox.sql", OUTBOX),
        ("logics/items.sql", ITEMS),
    ];
    let folder = ProjectFolder::new(files).unwrap();
    if !connection.is_empty() {
        folder.write("santokit.dev.yaml", connection).unwrap();
    }
    let built = repository().join("tests/guests/kept/events-0.1.0-rust.wasm");
    for name in ["rust", "whole", "silent"] {
        let logic = folder.path().join("logics").join(name);
        fs::create_dir_all(&logic).unwrap();
        fs::copy(&built, logic.join("it.wasm")).unwrap();
        let manifest = fs::read_to_string(repository().join("tests/guests/events/logic.yaml")).unwrap();
        fs::write(logic.join("logic.yaml"), manifest.replace("{build: rust}", "{path: it.wasm}")).unwrap();
    }
    folder.edit("logics/whole/logic.yaml", AS_A_WHOLE.0, AS_A_WHOLE.1).unwrap();
    // It publishes alone, and has no SQL.
    folder.edit("logics/silent/logic.yaml", SQL, "").unwrap();
    folder.edit("logics/silent/logic.yaml", "[placed, noted]", "[placed, noted, brief]").unwrap();
    folder
}

/// A project that is served.
struct Served {
    dev: StkDev,
    folder: ProjectFolder,
    engine: &'static str,
}

impl Served {
    async fn ask(&self, logic: &str, steps: Json) -> Answer {
        self.dev.client.logic(logic, json!({"steps": steps})).await.unwrap()
    }

    async fn told(&self, logic: &str, steps: Json) -> Vec<Json> {
        let answer = self.ask(logic, steps.clone()).await;
        let place = format!("{} {logic} {steps}", self.engine);
        assert_eq!(answer.status, 200, "{place}: {answer:?}\n{}", self.dev.output());
        answer.body["data"].as_array().unwrap().clone()
    }

    async fn rows(&self, logic: &str) -> Vec<Json> {
        let answer = self.dev.client.logic(logic, json!({})).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}\n{}", self.dev.output());
        answer.body["data"].as_array().unwrap().clone()
    }

    /// Ids of what is kept.
    async fn kept(&self) -> Vec<String> {
        self.rows("outbox").await.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }
}

fn placed(order: &str) -> Json {
    json!({"orderId": order, "total": "1.50", "seen": "2026-01-31T09:00:00+01:00"})
}

/// The ids that were answered, of steps that published.
fn ids(steps: &[Json]) -> Vec<String> {
    steps.iter().filter_map(|step| step["id"].as_str().map(str::to_owned)).collect()
}

fn errors(steps: &[Json]) -> Vec<&str> {
    steps.iter().map(|step| step["error"].as_str().unwrap_or("-")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_publish_events() {
    let folder = project("");
    for language in ["ts", "py"] {
        folder.add_copy(&format!("tests/guests/events-{language}"), &format!("logics/{language}")).unwrap();
    }
    // As it is now; elsewhere the kept one, which is the same.
    folder.add_copy("tests/guests/events", "logics/rust").unwrap();
    folder.write("logics/rust/Cargo.toml", CARGO).unwrap();
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let served = Served { dev, folder, engine: "sqlite" };
    for logic in ["rust", "ts", "py"] {
        payloads(&served, logic).await;
        transactions(&served, logic).await;
    }
    whole(&served).await;
    alone(&served).await;
    swept(&served).await;
    forged(&served).await;
    let inspected = stk(served.folder.path(), &["logic", "inspect", "rust"], &[]).await.unwrap();
    assert!(inspected.stdout.contains("publish placed"), "{inspected:?}");
    let traced = stk(
        served.folder.path(),
        &[
            "logic",
            "invoke",
            "silent",
            "--trace",
            "--params",
            r#"{"steps": [{"op": "publish", "topic": "noted", "payload": {}}]}"#,
        ],
        &[],
    )
    .await
    .unwrap();
    assert!(format!("{}{}", traced.stdout, traced.stderr).contains("host.events"), "{traced:?}");
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
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let served = Served { dev, folder, engine: engine.as_str() };
    payloads(&served, "rust").await;
    transactions(&served, "rust").await;
    whole(&served).await;
    alone(&served).await;
    swept(&served).await;
    forged(&served).await;
}

/// What a topic takes, and what is told of what it does not.
async fn payloads(served: &Served, logic: &str) {
    let publish = |topic: &str, payload: Json| json!({"op": "publish", "topic": topic, "payload": payload});
    let before = served.kept().await.len();
    let wrong = json!({"orderId": "far too long an id", "totl": "1", "seen": 3});
    let steps = served
        .told(
            logic,
            json!([
                publish("placed", placed("o1")),
                publish("placed", wrong),
                publish("placed", json!({})),
                publish("hidden", json!({})),
                publish("nothing", json!({})),
                publish("stk_outbox", json!({})),
                publish(&"x".repeat(10_000), json!({})),
                {"op": "large", "topic": "noted", "bytes": 1_000_001},
                {"op": "large", "topic": "noted", "bytes": 900_000},
            ]),
        )
        .await;
    let expected = ["-", "schema", "schema", "denied", "denied", "denied", "denied", "too-large", "-"];
    assert_eq!(errors(&steps), expected, "{} {logic}: {:.2000}", served.engine, json!(steps).to_string());
    let said = steps[1]["details"]["errors"].as_array().unwrap();
    let fields: Vec<&str> = said.iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["orderId", "seen", "totl"], "{}", steps[1]);
    assert!(said[2]["message"].as_str().unwrap().contains("did you mean \"total\"?"), "{}", steps[1]);
    assert_eq!(steps[2]["details"]["errors"][0], json!({"field": "orderId", "message": "is required"}));
    // A topic that is not there is told as one that is not granted.
    let shape = |step: &Json, name: &str| step["message"].as_str().unwrap().replace(name, "");
    assert_eq!(shape(&steps[3], "hidden"), shape(&steps[4], "nothing"));

    let rows = served.rows("outbox").await;
    assert_eq!(rows.len(), before + 2, "{} {logic}", served.engine);
    let row = rows.iter().find(|row| row["id"] == steps[0]["id"]).unwrap();
    let payload = String::from_utf8(base64(row["payload"].as_str().unwrap())).unwrap();
    let payload: Json = serde_json::from_str(&payload).unwrap();
    assert_eq!(
        payload,
        json!({"orderId": "o1", "total": "1.50", "seen": "2026-01-31T08:00:00.000000Z"}),
        "{}",
        served.engine
    );
    let told = [&row["project"], &row["env"], &row["topic"], &row["published_by"], &row["depth"]];
    assert_eq!(told, [&json!("telling"), &json!("dev"), &json!("placed"), &json!(logic), &json!(0)]);
    assert!(row["id"].as_str().unwrap().starts_with("evt_"), "{row}");
}

/// With the row that it tells of, or not at all.
async fn transactions(served: &Served, logic: &str) {
    let together = |id: &str, keep: bool, payload: Json| json!({"op": "together", "id": format!("{logic}-{id}"), "topic": "placed", "payload": payload, "keep": keep});
    let steps =
        served.told(logic, json!([together("kept", true, placed("k")), together("gone", false, placed("g"))])).await;
    let ids = ids(&steps);
    assert_eq!(ids.len(), 2, "{} {logic}: {steps:?}", served.engine);
    let kept = served.kept().await;
    assert!(kept.contains(&ids[0]) && !kept.contains(&ids[1]), "{} {logic}", served.engine);
    // What does not fit leaves the transaction as it was.
    let steps = served.told(logic, json!([together("alone", true, json!({}))])).await;
    assert_eq!(errors(&steps), ["schema"]);
    let items: Vec<String> =
        served.rows("items").await.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    let own: Vec<&String> = items.iter().filter(|id| id.starts_with(logic)).collect();
    assert_eq!(own, [&format!("{logic}-alone"), &format!("{logic}-kept")], "{}", served.engine);
    // Not past one that is open, for whose locks it would wait.
    let before = served.kept().await.len();
    let steps = served.told(logic, json!([{"op": "beside", "topic": "placed", "payload": placed("b")}])).await;
    assert_eq!(errors(&steps), ["invalid"], "{steps:?}");
    // An invocation that fails takes back what was in a transaction of it, and nothing else.
    let refused = json!([{"op": "publish", "topic": "placed", "payload": placed("r")}, {"op": "refuse"}]);
    assert_eq!(served.ask(logic, refused).await.code(), "LOGIC_ERROR");
    assert_eq!(served.kept().await.len(), before + 1, "{} {logic}", served.engine);
}

/// The invocation's own transaction: with what its SQL does, whichever comes first.
async fn whole(served: &Served) {
    let publish = |order: &str| json!({"op": "publish", "topic": "placed", "payload": placed(order)});
    let insert = |id: &str| json!({"op": "insert", "id": id});
    let before = served.kept().await.len();
    let steps = served.told("whole", json!([publish("w1"), insert("w1"), publish("w2")])).await;
    assert_eq!(ids(&steps).len(), 2, "{} {steps:?}", served.engine);
    let again = json!([publish("w3"), insert("w2"), insert("w1")]);
    assert_ne!(served.ask("whole", again).await.status, 200, "a key that is taken");
    let refused = json!([insert("w4"), publish("w5"), {"op": "refuse"}]);
    assert_eq!(served.ask("whole", refused).await.code(), "LOGIC_ERROR");
    assert_eq!(served.kept().await.len(), before + 2, "{}", served.engine);
    let items = served.rows("items").await;
    let has = |id: &str| items.iter().any(|row| row["id"] == id);
    assert!(has("w1") && !has("w2") && !has("w4"), "{} {items:?}", served.engine);
}

/// The type of a transaction brings no power.
async fn alone(served: &Served) {
    let publish = json!({"op": "publish", "topic": "noted", "payload": {"note": "n"}});
    let steps = served.told("silent", json!([publish])).await;
    assert_eq!(ids(&steps).len(), 1, "{steps:?}");
    let refused = served.ask("silent", json!([{"op": "insert", "id": "x"}])).await;
    assert_eq!(refused.body["error"]["details"]["code"], "SQL_DENIED", "{refused:?}");
}

/// What has expired goes, as others are published, and nothing else does.
async fn swept(served: &Served) {
    let topics = async || {
        let rows = served.rows("outbox").await;
        let brief = rows.iter().filter(|row| row["topic"] == "brief").count();
        (brief, rows.len() - brief)
    };
    let (_, others) = topics().await;
    let brief = json!({"op": "publish", "topic": "brief", "payload": {}});
    // Each removes some with a chance of one in sixteen, of those that were shared among their subscriptions before.
    let mut published = 0;
    for _ in 0..60 {
        served.told("silent", Json::from(vec![brief.clone(); 50])).await;
        published += 50;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        if topics().await.0 < published {
            break;
        }
    }
    let (left, kept) = topics().await;
    assert!(left < published, "{}: {left} of {published} are left", served.engine);
    assert_eq!(kept, others, "{}", served.engine);
}

/// The guest speaks SQL in the same database, and on a server in the same session as the host publishes in.
async fn forged(served: &Served) {
    let before = served.kept().await.len();
    let columns = "id, project, env, \"release\", topic, payload, published_at, published_by, depth, expires_at";
    let columns = if served.engine == "mysql" { columns.replace('"', "`") } else { columns.to_owned() };
    let values = "'evt_forged', 'telling', 'dev', 'rel_1', 'hidden', 'x', now(), 'rust', 0, now()";
    let insert = format!("INSERT INTO stk_outbox ({columns}) VALUES ({values})");
    let mut texts = vec![
        insert.as_str(),
        "SELECT payload FROM stk_outbox",
        "UPDATE stk_outbox SET topic = 'hidden'",
        "DELETE FROM stk_outbox",
    ];
    if served.engine == "postgres" {
        texts.extend(["SELECT prosrc FROM pg_proc", "SELECT stk_p_0(NULL, 'evt_forged')"]);
    }
    if served.engine == "mysql" {
        texts.extend(["CALL stk_p_0(NULL, 'evt_forged')", "SELECT * FROM information_schema.processlist"]);
    }
    for sql in texts {
        let steps = served.told("rust", json!([{"op": "forge", "sql": sql}])).await;
        assert!(steps[0]["error"].is_string(), "{} {sql}: {}", served.engine, steps[0]);
    }
    assert_eq!(served.kept().await.len(), before, "{}", served.engine);
}

fn base64(text: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(text).unwrap()
}
