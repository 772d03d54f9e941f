//! Logics on a live Bridge: a component and a statement, called while releases are swapped under them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use santokit_core::{
    access::Rule,
    component,
    limit::InvocationLimits,
    logic::{Body, Grants, Logic, SqlBody, SqlGrant, TransactionMode, Verb, WasmBody},
    param::Param,
    quantity::Millis,
    schema::Schema,
};
use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

use super::*;

const SWAPS: u64 = 12;

async fn database(path: &std::path::Path) {
    santokit_sqlite::memory::install();
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    connection.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, n INTEGER)").await.unwrap();
    connection.execute("INSERT INTO items (n) VALUES (1), (2), (3)").await.unwrap();
    connection.close().await.unwrap();
}

fn logic(params: &[&str], body: Body) -> Logic {
    let param = |name: &&str| {
        serde_json::from_value::<Param>(json!({"name": name, "type": "string", "required": true})).unwrap()
    };
    Logic {
        description: None,
        rules: vec![Rule { roles: vec!["public".into()], condition: None, columns: None }],
        params: params.iter().map(param).collect(),
        connection: "main".into(),
        transaction: TransactionMode::None,
        timeout: Millis(10_000),
        body,
    }
}

/// The kept guest of the first published interfaces: it calls every import once.
fn component(hub: &Hub) -> Body {
    let bytes =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/guests/kept/logic-0.1.0-rust.wasm")).unwrap();
    let digest = Digest::of(&bytes).to_string();
    let verbs = [Verb::Select, Verb::Insert].into();
    let grants = Grants {
        sql: vec![SqlGrant { connection: "main".into(), tables: [("items".to_owned(), verbs)].into() }],
        secrets: ["KEY".to_owned()].into(),
        config: ["marker".to_owned()].into(),
        ..Grants::default()
    };
    let body = WasmBody {
        component: digest.clone(),
        size_bytes: bytes.len() as u64,
        language: "rust".into(),
        imports: component::inspect(&bytes).unwrap().imports,
        handles: component::calls(),
        grants,
        limits: InvocationLimits { cpu: Millis(5_000), ..InvocationLimits::default() },
        mount: None,
        sbom: None,
        record: None,
    };
    hub.script.lock().unwrap().blobs.insert(digest, bytes);
    Body::Wasm(Box::new(body))
}

/// A logic in SQL, of a release.
const COUNTED: &str = "SELECT count(*) AS n FROM items WHERE n = :n OR :n = 'all'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_under_load_fail_no_request_and_mix_no_generation() {
    let hub = Hub::start();
    let dir = scratch();
    std::fs::create_dir_all(&dir).unwrap();
    database(&dir.join("data.db")).await;
    {
        let url = format!("sqlite:{}", dir.join("data.db").display());
        let mut script = hub.script.lock().unwrap();
        let main = RuntimeConnection { engine: "sqlite".into(), url: Sealed::new(url), guests: Vec::new() };
        script.connections.insert("main".into(), main);
        script.secrets.insert("KEY".into(), Sealed::new("hunter2"));
    }
    let body = component(&hub);
    let names = ["connection", "query", "statement", "config", "secret"];
    let sql = Body::Sql(SqlBody { statements: vec![COUNTED.into()], publish: Vec::new() });
    let table = json!({"id": {"name": "id", "generate": "auto_increment", "type": "bigint"}, "columns": []});
    let items: Schema = serde_json::from_value(json!({"tables": {"items": table}})).unwrap();
    let publish = |sequence: u64| {
        let release = hub.release_with(&format!("marker-{sequence}"), &hub.key, |manifest| {
            manifest.connections.insert("main".into(), items.clone());
            manifest.logics.insert("deep/kept".into(), logic(&names, body.clone()));
            manifest.logics.insert("count".into(), logic(&["n"], sql.clone()));
        });
        hub.point(release, sequence)
    };
    let bridge = serve(hub.config(&dir, false)).await.unwrap();
    let client = Arc::new(Client::of(&bridge));
    let markers = Arc::new(Mutex::new(BTreeMap::from([(publish(1), "marker-1".to_owned())])));
    client.until(|status, _| status == 200).await;

    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = |number: usize| {
        let (client, stop, calls, markers) = (client.clone(), stop.clone(), calls.clone(), markers.clone());
        tokio::spawn(async move {
            let input = r#"{"connection":"main","query":"SELECT id, n FROM items LIMIT 3","statement":"INSERT INTO items (n) VALUES (4)","config":"marker","secret":"KEY"}"#;
            while !stop.load(Ordering::Relaxed) {
                calls.fetch_add(1, Ordering::Relaxed);
                if number == 0 {
                    let (status, _, body) = client.post("/logics/count", &[], r#"{"n":"all"}"#).await;
                    assert_eq!(status, 200, "{body}");
                    assert!(body["data"][0]["n"].as_i64().is_some_and(|n| n >= 3), "{body}");
                    continue;
                }
                let (status, headers, body) = client.post("/logics/deep/kept", &[], input).await;
                assert_eq!(status, 200, "{body}");
                let release = headers["x-santokit-release"].to_str().unwrap().to_owned();
                let expected = markers.lock().unwrap().get(&release).cloned();
                assert_eq!(body["data"]["config"].as_str(), expected.as_deref(), "{body}");
            }
        })
    };
    let tasks = [load(0), load(1), load(2)];
    for sequence in 2..=SWAPS {
        let id = {
            let mut markers = markers.lock().unwrap();
            let id = publish(sequence);
            markers.insert(id.clone(), format!("marker-{sequence}"));
            id
        };
        client.until(|_, body| body["envs"][0]["releaseId"] == json!(id)).await;
    }
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    assert!(calls.load(Ordering::Relaxed) > 20);
    let (status, _, body) = client.post("/logics/deep/kept", &[], "{}").await;
    assert_eq!((status, body["error"]["code"].as_str()), (400, Some("SCHEMA_VALIDATION_FAILED")), "{body}");
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}
