//! Events from end to end: what is published at a Bridge is handled by the logics that have subscribed to it, on all three engines; tried again, given
//! up, and looked at by operators; and whatever is cut or killed meanwhile, every event is handled, or waits, or is a dead letter.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use santokit_tests::{BridgeClient, Engine, ProjectFolder, StkDev, TestDatabase, folder::repository};
use serde_json::{Value as Json, json};

use self::on::On;

/// Tests of one function, each on an engine and over a transport.
macro_rules! cases {
    ($run:ident: $($name:ident = $engine:expr, $over:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            $run($crate::delivery::on::On::new($engine, $crate::delivery::on::Over::$over).await).await;
        }
    )*};
}

mod attack;
mod backlog;
mod broker;
mod compared;
mod crash;
mod credentials;
mod dead;
mod encrypted;
mod fleet;
mod languages;
mod left;
mod many;
mod on;
mod once;
mod order;
mod poisoned;
mod rehearsed;
mod releases;
mod three;
mod told;
mod tried;
mod triggered;
mod woken;

/// Far longer than it takes, on a machine that is busy with other tests.
const WAIT: Duration = Duration::from_mins(1);

const SCHEMA: &str = "version: 1\ntables:\n  handled:\n    id: {generate: client}\n    columns:\n      event: {type: string}\n      \
    logic: {type: string}\n      attempt: {type: int}\n      depth: {type: int}\n      caused_by: {type: string, nullable: true}\n      \
    said: {type: string, nullable: true}\n";
const WORK: &str = "name: work\nschema:\n  action: {type: string, required: true}\n  key: {type: string}\n  number: {type: int}\n  text: {type: string}\n";
const CHAIN: &str = "name: chain\nschema:\n  action: {type: string, required: true}\n";
const HANDLED: &str =
    "---\nauth: public\n---\nSELECT id, event, logic, attempt, depth, caused_by, said FROM handled ORDER BY id\n";
const ROWS: &str = "---\nauth: public\n---\nSELECT id, event, subscription, state, attempt, CASE WHEN claim = '$broker' THEN NULL ELSE claim END AS claim, error FROM stk_delivery ORDER BY published_at, event\n";
const PUBLISHED: &str = "---\nauth: public\n---\nSELECT id, shared_at, published_at, expires_at FROM stk_outbox WHERE topic NOT IN ('$ack', '$once') ORDER BY published_at, id\n";
/// A handler in SQL. Its key is taken once for each event.
const NOTE: &str = "---\nparams:\n  key: {type: string}\n---\n\
    INSERT INTO handled (id, event, logic, attempt, depth, said) VALUES (:event.id, :event.id, 'sql', :event.attempt, :event.depth, :key)\n";

/// A project with a component that publishes (`publish`), two that handle (`whole`, in a transaction of their own; `loose`, without), a handler in SQL
/// (`note`), and no subscription.
fn project(name: &str, connection: &str) -> ProjectFolder {
    let settings = format!("version: 1\nname: {name}\n");
    let files = [
        ("santokit.yaml", settings.as_str()),
        ("schema/main.yaml", SCHEMA),
        ("events/topics/work.yaml", WORK),
        ("events/topics/chain.yaml", CHAIN),
        ("logics/handled.sql", HANDLED),
        ("logics/rows.sql", ROWS),
        ("logics/published.sql", PUBLISHED),
        ("logics/note.sql", NOTE),
    ];
    let folder = ProjectFolder::new(files).unwrap();
    if !connection.is_empty() {
        folder.write("santokit.dev.yaml", connection).unwrap();
    }
    let built = repository().join("tests/guests/kept/on-event-0.1.0-rust.wasm");
    for logic in ["publish", "whole", "loose"] {
        let dir = folder.path().join("logics").join(logic);
        fs::create_dir_all(&dir).unwrap();
        fs::copy(&built, dir.join("it.wasm")).unwrap();
        let manifest = fs::read_to_string(repository().join("tests/guests/on-event/logic.yaml")).unwrap();
        fs::write(dir.join("logic.yaml"), manifest.replace("{build: rust}", "{path: it.wasm}")).unwrap();
    }
    folder.edit("logics/whole/logic.yaml", "auth: public\n", "auth: public\ntransaction: required\n").unwrap();
    folder
}

/// Adds a subscription; `more` is YAML.
fn subscribe(folder: &ProjectFolder, name: &str, handler: &str, more: &str) {
    let text = format!("name: {name}\ntopic: work\nhandler: logics/{handler}\n{more}");
    folder.write(&format!("events/subscriptions/{name}.yaml"), &text).unwrap();
}

/// What is asked of a Bridge.
struct Asking<'a> {
    client: &'a BridgeClient,
    /// For what is told where something is not as it should be.
    output: Box<dyn Fn() -> String + 'a>,
}

impl<'a> Asking<'a> {
    fn of(dev: &'a StkDev) -> Self {
        Self { client: &dev.client, output: Box::new(|| dev.output()) }
    }

    /// Publishes; the event's id.
    async fn publish(&self, payload: Json) -> String {
        let answer = self.client.logic("publish", json!({"topic": "work", "payload": payload})).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}\n{}", (self.output)());
        answer.body["data"].as_str().unwrap().to_owned()
    }

    async fn rows(&self, logic: &str) -> Vec<Json> {
        let answer = self.client.logic(logic, json!({})).await.unwrap();
        assert_eq!(answer.status, 200, "{logic}: {answer:?}\n{}", (self.output)());
        answer.body["data"].as_array().unwrap().clone()
    }

    /// Who has handled an event, and in which attempt.
    async fn handled(&self, event: &str) -> BTreeMap<String, i64> {
        let rows = self.rows("handled").await;
        let rows = rows.iter().filter(|row| row["event"] == event);
        rows.map(|row| (row["logic"].as_str().unwrap().to_owned(), row["attempt"].as_i64().unwrap())).collect()
    }

    /// Waits until rows are as they should be; those rows.
    async fn until(&self, logic: &str, what: &str, is_so: impl Fn(&[Json]) -> bool) -> Vec<Json> {
        let began = tokio::time::Instant::now();
        loop {
            let rows = self.rows(logic).await;
            if is_so(&rows) {
                return rows;
            }
            let told = || json!(rows).to_string();
            assert!(began.elapsed() < WAIT, "not so: {what}: {:.4000}\n{}", told(), (self.output)());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until everything that was published was given to somebody, and nothing is pending.
    async fn until_done(&self) -> Vec<Json> {
        let is_shared = |rows: &[Json]| rows.iter().all(|row| !row["shared_at"].is_null());
        self.until("published", "all is shared", is_shared).await;
        self.until("rows", "nothing is pending", |rows| rows.iter().all(|row| row["state"] == "dead")).await
    }
}

/// The events of rows.
fn events(rows: &[Json]) -> BTreeSet<String> {
    rows.iter().map(|row| row["event"].as_str().unwrap().to_owned()).collect()
}

async fn server(engine: Engine) -> (TestDatabase, String) {
    let database = TestDatabase::create(engine).await.unwrap();
    let connection = format!("connections:\n  main: {{engine: {}, url: \"{}\"}}\n", engine.as_str(), database.url());
    (database, connection)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_handled_on_sqlite() {
    handled(On::new(None, on::Over::Tables).await).await;
}

cases! { handled:
    events_are_handled_on_postgres = Some(Engine::Postgres), Tables;
    events_are_handled_on_mysql = Some(Engine::Mysql), Tables;
    events_are_handled_over_nats_on_sqlite = None, Nats;
    events_are_handled_over_nats_on_postgres = Some(Engine::Postgres), Nats;
    events_are_handled_over_nats_on_mysql = Some(Engine::Mysql), Nats;
}

/// Given to whom it should be, tried again where it failed, and given up after the last attempt.
async fn handled(on: On) {
    let folder = project(on.project("given"), &on.connection(None));
    let retry = "retry: {maxRetries: 2, minBackoff: 20ms, maxBackoff: 100ms}\n";
    subscribe(&folder, "whole", "whole", retry);
    subscribe(&folder, "loose", "loose", retry);
    subscribe(&folder, "big", "note", "filter: event.payload.number > 10\n");
    folder.write("events/subscriptions/chain.yaml", "name: chain\ntopic: chain\nhandler: logics/whole\n").unwrap();
    let dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);

    let small = asking.publish(json!({"action": "note", "number": 1})).await;
    let big = asking.publish(json!({"action": "note", "number": 11, "key": "k"})).await;
    let late = asking.publish(json!({"action": "failUntil", "number": 3})).await;
    let both = |attempt: i64| BTreeMap::from([("loose".to_owned(), attempt), ("whole".to_owned(), attempt)]);
    asking.until("handled", "seven rows", |rows| rows.len() == 7).await;
    assert_eq!(asking.handled(&small).await, both(1));
    assert_eq!(asking.handled(&late).await, both(3));
    let mut all = both(1);
    all.insert("sql".to_owned(), 1);
    assert_eq!(asking.handled(&big).await, all);
    assert_eq!(asking.until_done().await, Vec::<Json>::new(), "{}", dev.output());

    // A filter that cannot be evaluated loses nothing.
    let odd = asking.publish(json!({"action": "note"})).await;
    let rows = asking.until("rows", "a dead letter", |rows| rows.len() == 1 && rows[0]["state"] == "dead").await;
    assert_eq!((&rows[0]["event"], &rows[0]["subscription"]), (&json!(odd), &json!("big")));
    assert!(rows[0]["error"].as_str().unwrap().contains("the filter cannot be evaluated"), "{rows:?}");

    // What cannot be handled is given up by each for itself.
    let vain = asking.publish(json!({"action": "fail", "number": 0})).await;
    let rows =
        asking.until("rows", "given up", |rows| rows.iter().filter(|row| row["state"] == "dead").count() == 3).await;
    let dead: Vec<&Json> = rows.iter().filter(|row| row["event"] == json!(vain)).collect();
    assert!(dead.iter().all(|row| row["attempt"] == 3 && row["error"] == "NOT_NOW: attempt 3"), "{dead:?}");
    assert_eq!(asking.handled(&vain).await, BTreeMap::new());
    chained(&asking).await;
}

/// Events that events cause say so, and end.
async fn chained(asking: &Asking<'_>) {
    let first = asking.publish(json!({"action": "chain", "number": 0})).await;
    let of_chain = |rows: &[Json]| rows.iter().filter(|row| row["depth"] == 16).count();
    // Of each of the two subscriptions one chain.
    let rows = asking.until("handled", "two ends", |rows| of_chain(rows) == 2).await;
    let by_event: BTreeMap<&str, &Json> = rows.iter().map(|row| (row["event"].as_str().unwrap(), row)).collect();
    for end in rows.iter().filter(|row| row["depth"] == 16) {
        let said = end["said"].as_str().unwrap();
        assert!(said.contains("16 events have caused one another") && said.contains(&first), "{said}");
        let (mut at, mut depth) = (end, 16);
        while let Some(cause) = at["caused_by"].as_str() {
            at = by_event[cause];
            depth -= 1;
            assert_eq!(at["depth"], depth, "{at}");
        }
        assert_eq!((at["event"].as_str().unwrap(), depth), (first.as_str(), 0));
    }
}
