//! SQL logic on the three engines: one release, loaded and called as a Bridge does, on each with the same answers; and what a
//! release brings that only SQLite can run is refused before it serves.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use santokit_bridge::{
    EnvName,
    call::CallContext,
    db::DatabaseSettings,
    generation::{Generation, LoadError, Loader, Plan},
    metrics::Metrics,
    recording::Recordings,
    release::cache::Cache,
    storage::StorageConfig,
};
use santokit_core::{
    access::{Actor, Permissions, Rule},
    limit::InvocationLimits,
    logic::{Body, Grants, Logic, SqlBody, TransactionMode, WasmBody},
    param::Param,
    problem::{Outcome, Problem},
    quantity::Millis,
    query::Query,
    release::{Digest, FORMAT, Manifest, Pointer, VERSION},
    schema::Schema,
    wire::{RuntimeBundle, RuntimeConnection, Sealed},
};
use santokit_tests::{Engine, TestDatabase};
use santokit_wasm::SandboxConfig;
use serde_json::{Value as Json, json};

const SERVERS: [Engine; 2] = Engine::ALL;

/// A release that is served on a database of its own.
struct Served {
    generation: Generation,
    metrics: Arc<Metrics>,
    database: TestDatabase,
    _folder: tempfile::TempDir,
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_bound_and_read_exactly() {
    for engine in SERVERS {
        let served =
            Served::new(engine, &[("save", SAVE, &SAVED, TransactionMode::Required), ("read", READ, &["id"], NONE)])
                .await;
        let sent = json!({
            "id": "9007199254740993", "name": "Ähre '; DROP TABLE items; -- \\ \u{1F600}", "price": "19.90", "stock": 7,
            "share": 0.1, "isOpen": true, "at": "2026-01-31T09:00:00.000001+01:00", "extra": {"k": [1, null, "ü"]}, "raw": "AP9B",
        });
        assert_eq!(served.call("save", sent.clone()).await.unwrap(), json!([{"n": 1}]), "{engine:?}");
        let mut expected = sent;
        expected["at"] = json!("2026-01-31T08:00:00.000001Z");
        let mut found = served.call("read", json!({"id": "9007199254740993"})).await.unwrap();
        let price = found[0]["price"].take();
        assert!(price.as_str().is_some_and(|price| price.trim_end_matches('0') == "19.9"), "{engine:?} {price}");
        expected["price"] = Json::Null;
        assert_eq!(found, json!([expected]), "{engine:?}");
        // What is not sent is NULL, of its column's type.
        served.call("save", json!({"id": "2", "name": "b"})).await.unwrap();
        let found = served.call("read", json!({"id": "2"})).await.unwrap();
        assert_eq!(found[0]["price"], Json::Null, "{engine:?}");
        assert_eq!(found[0]["at"], Json::Null, "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_stored_whole_or_not() {
    const TWO: &[&str] = &[
        "INSERT INTO items (id, name) VALUES (:id, 'first')",
        "INSERT INTO items (id, name) VALUES (:other, 'second')",
    ];
    const COUNT: &[&str] = &["SELECT count(*) AS n FROM items"];
    for engine in SERVERS {
        let served = Served::new(
            engine,
            &[("two", TWO, &["id", "other"], TransactionMode::Required), ("count", COUNT, &[], NONE)],
        )
        .await;
        let answer = served.call("two", json!({"id": "1", "other": "2"})).await;
        assert_eq!(answer.unwrap(), json!({"affected": 1}), "{engine:?}");
        let problem = served.call("two", json!({"id": "3", "other": "1"})).await.unwrap_err();
        assert_eq!(problem.code.as_str(), "CONFLICT", "{engine:?}");
        assert_eq!(served.call("count", json!({})).await.unwrap(), json!([{"n": 2}]), "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_without_the_engines_words() {
    const BROKEN: &[&str] = &["SELECT planted FROM items"];
    const LONG: &[&str] = &["INSERT INTO items (id, name, stock) VALUES (:id, 'a', 3000000000)"];
    for engine in SERVERS {
        let slow: &[&str] = match engine {
            Engine::Postgres => &["SELECT CAST(pg_sleep(300) AS TEXT) AS s"],
            Engine::Mysql => &["SELECT sleep(300) AS s"],
        };
        let served = Served::new(
            engine,
            &[("broken", BROKEN, &[], NONE), ("slow", slow, &[], NONE), ("long", LONG, &["id"], NONE)],
        )
        .await;
        for (name, params, code) in [
            ("broken", json!({}), "INTERNAL_ERROR"),
            ("slow", json!({}), "LOGIC_FAILED"),
            ("long", json!({"id": "1"}), "BAD_REQUEST"),
        ] {
            let problem = served.call(name, params).await.unwrap_err();
            assert_eq!(problem.code.as_str(), code, "{engine:?} {name}");
            let body = serde_json::to_string(&problem.body("req")).unwrap();
            assert!(!body.contains("planted") && !body.contains("items"), "{body}");
            let cause = problem.cause.map(|cause| cause.to_string()).unwrap_or_default();
            assert!(!cause.contains("planted"), "{cause}");
        }
    }
}

/// A statement that leaves something in its session, what asks for it, and what a caller must find.
struct Left {
    engine: Engine,
    leaves: &'static [&'static str],
    asks: &'static [&'static str],
    found: Json,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_its_session_is_no_ones_after() {
    let left = |engine, leaves, asks, found| Left { engine, leaves, asks, found };
    for Left { engine, leaves, asks, found } in [
        left(Engine::Mysql, &["SET time_zone = '+09:00'"], &["SELECT @@time_zone AS found"], json!("+00:00")),
        left(Engine::Mysql, &["SELECT @planted := 'x' AS a"], &["SELECT @planted AS found"], Json::Null),
        left(Engine::Mysql, &["SELECT 'x' INTO @planted"], &["SELECT @planted AS found"], Json::Null),
        left(
            Engine::Postgres,
            &["SELECT set_config('application_name', 'planted', false) AS a"],
            &["SELECT current_setting('application_name') AS found"],
            json!("santokit-bridge"),
        ),
        left(
            Engine::Postgres,
            &["WITH x AS (SELECT pg_catalog.\"set_config\"('role', 'pg_monitor', false)) SELECT count(*) AS a FROM x"],
            &["SELECT current_setting('role') AS found"],
            json!("none"),
        ),
        left(
            Engine::Postgres,
            &["SELECT 1 AS a INTO TEMPORARY planted", "SELECT 2 AS a"],
            &["SELECT count(*) AS found FROM pg_class WHERE relname = 'planted' AND pg_table_is_visible(oid)"],
            json!(0),
        ),
    ] {
        let served = Served::new(engine, &[("leave", leaves, &[], NONE), ("ask", asks, &[], NONE)]).await;
        for _ in 0..3 {
            served.call("leave", json!({})).await.unwrap_or_else(|problem| panic!("{leaves:?}: {problem:?}"));
            assert_eq!(served.call("ask", json!({})).await.unwrap()[0]["found"], found, "{engine:?} {leaves:?}");
        }
    }
}

/// A lock would be held by nobody who knows of it, for as long as the connection rests in the pool.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_a_session_ends_with_its_call() {
    for (engine, takes, is_free) in [
        (Engine::Postgres, "SELECT pg_advisory_lock(77)::text AS a", "SELECT 1 / pg_try_advisory_lock(77)::int"),
        (
            Engine::Mysql,
            "SELECT GET_LOCK(database(), 0) AS a",
            // Two rows where one is needed, while it is held.
            "SELECT (SELECT 1 UNION SELECT 2 FROM dual WHERE NOT IS_FREE_LOCK(database()))",
        ),
    ] {
        let served = Served::new(engine, &[("take", &[takes], &[], NONE)]).await;
        served.call("take", json!({})).await.unwrap();
        // The server ends what held it a moment after the connection.
        let mut left = 600;
        while served.database.execute(is_free).await.is_err() {
            left -= 1;
            assert!(left > 0, "{engine:?}: the lock is still held");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

/// What reads and writes rows keeps its connection: a new one for each call would cost more than the call.
#[tokio::test(flavor = "multi_thread")]
async fn usual_statements_keep_their_connection() {
    for (engine, id) in [(Engine::Postgres, "pg_backend_pid()"), (Engine::Mysql, "connection_id()")] {
        let statement =
            format!("SELECT {id} AS id, count(*) AS n, max(upper(name)) AS name FROM items WHERE stock IN (1, 2)");
        let served = Served::new(engine, &[("usual", &[&statement], &[], NONE)]).await;
        let first = served.call("usual", json!({})).await.unwrap();
        for _ in 0..3 {
            assert_eq!(served.call("usual", json!({})).await.unwrap(), first, "{engine:?}");
        }
    }
}

/// The Hub makes them at apply; where it has not, nothing of a guest's may run as anybody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_whose_logins_are_not_there_is_refused_when_it_is_loaded() {
    for engine in SERVERS {
        let database = TestDatabase::create(engine).await.unwrap();
        let mut manifest = manifest(&[("guest", &["SELECT 1"], &[], NONE)]);
        let query = json!({"connection": "main", "returns": "many", "params": [], "statement": "SELECT 1 AS n",
            "tables": {}, "result": [{"name": "n", "type": "int"}]});
        let Ok(query) = serde_json::from_value::<Query>(query.clone()) else {
            panic!("a query has another form: {query}")
        };
        manifest.queries.insert("one".to_owned(), query);
        if let Some(logic) = manifest.logics.get_mut("guest") {
            logic.body = Body::Wasm(Box::new(WasmBody {
                component: Digest::of(b"").as_str().to_owned(),
                size_bytes: 0,
                language: "component".to_owned(),
                imports: BTreeSet::new(),
                handles: santokit_core::component::calls(),
                grants: Grants { queries: BTreeSet::from(["one".to_owned()]), ..Grants::default() },
                limits: InvocationLimits::default(),
                mount: None,
                sbom: None,
                record: None,
            }));
        }
        let folder = tempfile::tempdir().unwrap();
        let error = load(manifest, &database, folder.path()).await.unwrap_err();
        assert_eq!(error.code.as_str(), "RELEASE_BLOCKED");
        assert!(error.message.contains("no login") && error.message.contains("\"main\""), "{}", error.message);
    }
}

const NONE: TransactionMode = TransactionMode::None;
const SAVED: [&str; 9] = ["id", "name", "price", "stock", "share", "isOpen", "at", "extra", "raw"];
const SAVE: &[&str] = &[
    "INSERT INTO items (id, name, price, stock, share, is_open, at_time, extra, raw) \
     VALUES (:id, :name, :price, :stock, :share, :isOpen, :at, :extra, :raw)",
    "SELECT count(*) AS n FROM items WHERE id = :id AND name = :name",
];
const READ: &[&str] =
    &["SELECT i.id, i.name, i.price, i.stock, i.share, i.is_open AS isopen, i.at_time AS at, i.extra, i.raw \
     FROM items i WHERE i.id = :id"];

impl Served {
    async fn new(engine: Engine, logics: &[(&str, &[&str], &[&str], TransactionMode)]) -> Self {
        let database = TestDatabase::create(engine).await.unwrap();
        let table = match engine {
            Engine::Postgres => {
                "CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL, price numeric, stock integer, \
                 share double precision, is_open boolean, at_time timestamptz, extra jsonb, raw bytea)"
            }
            Engine::Mysql => {
                "CREATE TABLE items (id BIGINT PRIMARY KEY, name VARCHAR(255) COLLATE utf8mb4_bin NOT NULL, \
                 price DECIMAL(65,30), stock INT, share DOUBLE, is_open TINYINT(1), at_time DATETIME(6), extra JSON, raw LONGBLOB)"
            }
        };
        database.execute(table).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let generation = load(manifest(logics), &database, folder.path()).await.unwrap();
        Self { generation, metrics: Arc::new(Metrics::new().unwrap()), database, _folder: folder }
    }

    async fn call(&self, name: &str, params: Json) -> Outcome<Json> {
        let context = CallContext {
            request_id: "req".into(),
            project: "shop".to_owned(),
            env: "test".to_owned(),
            release_id: "rel".to_owned(),
            actor: Actor::anonymous(),
            logics: Arc::default(),
            depth: 0,
            egress: Arc::default(),
            guest_log: Arc::default(),
            buckets: Arc::default(),
            topics: Arc::default(),
            recordings: Arc::new(Recordings::none(Arc::clone(&self.metrics))),
            databases: Arc::clone(&self.generation.databases),
            schemas: Arc::clone(&self.generation.schemas),
            tables: Arc::clone(&self.generation.tables),
            crud: Arc::default(),
            config: Arc::default(),
            secrets: Arc::default(),
            metrics: Arc::clone(&self.metrics),
            rehearsal: None,
            begun_by: santokit_bridge::call::BegunBy::Request,
        };
        let Json::Object(params) = params else { panic!("params are an object") };
        let unknown = || Problem::new(santokit_core::code::Code::NotFound, "unknown");
        let answer = self.generation.logics[name].call(context, params, unknown).await?;
        let mut answer: Json = serde_json::from_str(answer.get()).unwrap();
        // PostgreSQL folds names that are not quoted.
        if let Some(row) = answer.get_mut(0).and_then(Json::as_object_mut)
            && let Some(value) = row.remove("isopen")
        {
            row.insert("isOpen".to_owned(), value);
        }
        assert_eq!(self.database.engine().as_str(), self.generation.databases["main"].engine());
        Ok(answer)
    }
}

async fn load(manifest: Manifest, database: &TestDatabase, folder: &std::path::Path) -> Result<Generation, LoadError> {
    let settings = DatabaseSettings { pool_size: 4, ..DatabaseSettings::default() };
    let cache = Cache::open(folder, None).unwrap();
    let storage = StorageConfig::at(folder.join("storage"), 1 << 20);
    let loader = Loader::new(&SandboxConfig::default(), None, settings, storage, cache).unwrap();
    let pointer = Pointer {
        project: "shop".to_owned(),
        env: "test".to_owned(),
        release_id: "rel".to_owned(),
        digest: manifest.digest().unwrap(),
        canary: None,
        sequence: 1,
        issued_at: String::new(),
    };
    let url = Sealed::new(database.url());
    let connection = RuntimeConnection { engine: database.engine().as_str().to_owned(), url, guests: Vec::new() };
    let connections = BTreeMap::from([("main".to_owned(), connection)]);
    let runtime = Arc::new(RuntimeBundle {
        connections,
        secrets: BTreeMap::new(),
        api_keys: Vec::new(),
        user_keys: Vec::new(),
        storage_key: None,
    });
    let env = EnvName { project: "shop".to_owned(), env: "test".to_owned() };
    loader.load(Plan { env, pointer, manifest, runtime, previous: Vec::new() }).await
}

fn manifest(logics: &[(&str, &[&str], &[&str], TransactionMode)]) -> Manifest {
    let logics = logics.iter().map(|(name, statements, params, transaction)| {
        let logic = Logic {
            description: None,
            rules: vec![Rule { roles: vec!["public".to_owned()], condition: None, columns: None }],
            params: params.iter().map(|name| param(name)).collect(),
            connection: "main".to_owned(),
            transaction: *transaction,
            timeout: Millis(if *name == "slow" { 300 } else { 60_000 }),
            body: Body::Sql(SqlBody {
                statements: statements.iter().map(|text| (*text).to_owned()).collect(),
                publish: Vec::new(),
            }),
        };
        ((*name).to_owned(), logic)
    });
    Manifest {
        format: FORMAT,
        project: "shop".to_owned(),
        minimum_bridge: VERSION.to_owned(),
        default_connection: "main".to_owned(),
        connections: BTreeMap::from([("main".to_owned(), schema())]),
        permissions: Permissions::default(),
        queries: BTreeMap::new(),
        logics: logics.collect(),
        cors: None,
        storage: santokit_core::storage::Storage::default(),
        events: santokit_core::event::Events::default(),
        cron: BTreeMap::new(),
        config: BTreeMap::new(),
        envs: BTreeMap::new(),
    }
}

fn param(name: &str) -> Param {
    let kind = match name {
        "id" | "other" => "bigint",
        "price" => "decimal",
        "stock" => "int",
        "share" => "float",
        "isOpen" => "boolean",
        "at" => "timestamp",
        "extra" => "json",
        "raw" => "bytes",
        _ => "string",
    };
    serde_json::from_value(json!({"name": name, "type": kind})).unwrap()
}

/// MySQL's JSON is text on MariaDB: what it is says the declared schema.
fn schema() -> Schema {
    serde_json::from_value(json!({"tables": {"items": {
        "id": {"name": "id", "generate": "client", "type": "bigint"},
        "columns": [{"name": "extra", "type": "json", "nullable": true}],
    }}}))
    .unwrap()
}
