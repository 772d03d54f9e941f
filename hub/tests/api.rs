//! The Hub over real HTTP: releases, consent, tokens, long polls, and that no answer and no file shows a secret.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode};
use santokit_core::{
    access::Permissions,
    component,
    limit::InvocationLimits,
    logic::{Body, Grants, Logic, TransactionMode, WasmBody},
    quantity::{Bytes, Millis},
    release::{Digest, FORMAT, Manifest, SignedRelease, VERSION, VerifyingKey, verify},
    schema::{Bounds, Column, Generate, PrimaryKey, Schema, Table, Type},
    wire::{Current, RuntimeBundle},
};
use santokit_hub::{HubConfig, RunningHub, Settings};
use serde_json::{Value as Json, json};

const OPERATOR: &str = "operator-token-for-this-test";
const COMPONENT: &[u8] = include_bytes!("../../tests/guests/kept/logic-0.1.0-rust.wasm");
const PLANTED: &str = "hunter2-hunter2";

/// A Hub and what one operator does with it.
struct Lab {
    hub: RunningHub,
    http: reqwest::Client,
    /// Every answer to an operator.
    seen: Arc<Mutex<String>>,
}

impl Lab {
    async fn start(dir: &Path) -> Self {
        let config = HubConfig::local(dir.join("hub"), OPERATOR.into()).unwrap();
        let lab = Self {
            hub: santokit_hub::serve(config).await.unwrap(),
            http: reqwest::Client::new(),
            seen: Arc::default(),
        };
        lab.ok(Method::POST, "/v1/projects", json!({"name": "shop"})).await;
        for env in ["dev", "prod"] {
            lab.ok(Method::POST, "/v1/projects/shop/envs", json!({"name": env})).await;
            let url = format!("sqlite:{}", dir.join(format!("{env}.db")).display());
            lab.ok(
                Method::PUT,
                &format!("/v1/projects/shop/envs/{env}/connections/main"),
                json!({"engine": "sqlite", "url": url}),
            )
            .await;
        }
        lab
    }

    async fn ask(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: impl Into<reqwest::Body>,
        etag: Option<&str>,
    ) -> (StatusCode, Option<String>, Vec<u8>) {
        let mut request =
            self.http.request(method, format!("http://{}{path}", self.hub.addr)).bearer_auth(token).body(body);
        if let Some(etag) = etag {
            request = request.header("if-none-match", etag);
        }
        let response = request.send().await.unwrap();
        let etag = response.headers().get("etag").map(|value| value.to_str().unwrap().to_owned());
        (response.status(), etag, response.bytes().await.unwrap().to_vec())
    }

    async fn json(&self, method: Method, path: &str, body: Json) -> (StatusCode, Json) {
        let (status, _, bytes) = self.ask(OPERATOR, method, path, body.to_string(), None).await;
        self.seen.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes));
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn ok(&self, method: Method, path: &str, body: Json) -> Json {
        let (status, answer) = self.json(method, path, body).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    async fn apply(&self, env: &str, manifest: &Manifest, flags: Json) -> (StatusCode, Json) {
        let mut body = flags;
        body["manifest"] = json!(String::from_utf8(manifest.canonical().unwrap()).unwrap());
        self.json(Method::POST, &format!("/v1/projects/shop/envs/{env}/apply"), body).await
    }

    async fn service_token(&self, envs: &[&str]) -> String {
        let (_, _, bytes) = self
            .ask(OPERATOR, Method::POST, "/v1/service-tokens", json!({"name": "fleet", "envs": envs}).to_string(), None)
            .await;
        serde_json::from_slice::<Json>(&bytes).unwrap()["token"].as_str().unwrap().to_owned()
    }
}

fn column(name: &str, kind: Type, nullable: bool) -> Column {
    Column {
        name: name.into(),
        kind,
        nullable,
        unique: false,
        default: None,
        items: None,
        bucket: None,
        on_delete: None,
        bounds: Bounds::NONE,
        references: None,
        renamed_from: None,
        deprecated: None,
        sunset: None,
    }
}

fn manifest(columns: Vec<Column>, secrets: Option<&[&str]>) -> Manifest {
    let id = PrimaryKey { name: "id".into(), generate: Generate::Ulid, kind: Type::String };
    let tables =
        BTreeMap::from([("items".to_owned(), Table { id, columns, indexes: vec![], deprecated: None, sunset: None })]);
    let logic = secrets.map(|secrets| {
        let body = WasmBody {
            component: Digest::of(COMPONENT).to_string(),
            size_bytes: COMPONENT.len() as u64,
            language: "rust".into(),
            imports: component::inspect(COMPONENT).unwrap().imports,
            handles: component::calls(),
            grants: Grants {
                secrets: secrets.iter().map(|name| (*name).to_owned()).collect(),
                config: BTreeSet::from(["feature".to_owned()]),
                sql: vec![
                    serde_json::from_value(json!({"connection": "main", "tables": {"items": ["select"]}})).unwrap(),
                ],
                ..Grants::default()
            },
            limits: InvocationLimits::default(),
            mount: None,
            sbom: None,
            record: None,
        };
        let logic = Logic {
            description: None,
            rules: vec![],
            params: vec![],
            connection: "main".into(),
            transaction: TransactionMode::None,
            timeout: Millis(5_000),
            body: Body::Wasm(Box::new(body)),
        };
        ("buy".to_owned(), logic)
    });
    Manifest {
        format: FORMAT,
        project: "shop".into(),
        minimum_bridge: VERSION.into(),
        default_connection: "main".into(),
        connections: BTreeMap::from([("main".to_owned(), Schema { tables })]),
        permissions: Permissions::default(),
        queries: BTreeMap::new(),
        logics: logic.into_iter().collect(),
        cors: None,
        storage: santokit_core::storage::Storage::default(),
        events: santokit_core::event::Events::default(),
        cron: BTreeMap::new(),
        config: BTreeMap::from([("feature".to_owned(), "on".to_owned())]),
        envs: BTreeMap::new(),
    }
}

#[tokio::test]
async fn the_same_content_is_the_same_release_and_a_schema_only_grows() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::start(dir.path()).await;
    let first = manifest(vec![column("name", Type::String, true)], None);
    let (status, dry) = lab.apply("dev", &first, json!({"dryRun": true})).await;
    assert_eq!((status, &dry["created"], &dry["releaseId"]), (StatusCode::OK, &json!(true), &json!("")));
    assert!(!dir.path().join("dev.db").exists());
    let (_, one) = lab.apply("dev", &first, json!({"tool": "test"})).await;
    assert_eq!((&one["sequence"], &one["created"], &one["moved"]), (&json!(1), &json!(true), &json!(true)), "{one}");
    // With what the platform keeps beside the project's tables.
    let steps = [
        "create table items",
        "create table stk_cron_jobs",
        "create table stk_cron_runs",
        "create table stk_delivery",
        "create table stk_dropped",
        "create table stk_idempotency",
        "create table stk_outbox",
        "create table stk_turn",
        "create index stk_ix_stk_cron_jobs$project$env",
        "create index stk_uq_stk_cron_runs$claim",
        "create index stk_ix_stk_cron_runs$project$env$job$started_at",
        "create index stk_ix_stk_cron_runs$expires_at",
        "create index stk_ix_stk_delivery$expires_at",
        "create index stk_ix_stk_delivery$project$env$subscription$state$due_at",
        "create index stk_ix_stk_delivery$order_key$state$published_at$event",
        "create index stk_ix_stk_dropped$project$env$bucket$due_at",
        "create index stk_ix_stk_idempotency$expires_at",
        "create index stk_ix_stk_outbox$expires_at",
        "create index stk_ix_stk_outbox$project$env$shared_at$published_at",
    ];
    assert_eq!(one["schemaSteps"], json!(steps.map(|step| format!("main: {step}"))));
    let (_, again) = lab.apply("dev", &first, json!({})).await;
    assert_eq!(
        (&again["releaseId"], &again["created"], &again["moved"]),
        (&one["releaseId"], &json!(false), &json!(false))
    );
    let (_, promoted) = lab.apply("prod", &first, json!({})).await;
    assert_eq!((&promoted["releaseId"], &promoted["moved"]), (&one["releaseId"], &json!(true)));

    let (_, grown) = lab
        .apply(
            "dev",
            &manifest(vec![column("name", Type::String, true), column("price", Type::Int, true)], None),
            json!({}),
        )
        .await;
    assert_eq!(
        (&grown["sequence"], &grown["schemaSteps"]),
        (&json!(2), &json!(["main: add column items.price"])),
        "{grown}"
    );
    let (status, refused) = lab.apply("dev", &first, json!({"acceptGrants": true})).await;
    assert_eq!((status, &refused["error"]["code"]), (StatusCode::CONFLICT, &json!("DESTRUCTIVE_CHANGE")));
    assert_eq!(refused["error"]["details"]["steps"][0]["connection"], "main");

    let keys = lab.ok(Method::GET, "/v1/keys", json!({})).await;
    let key = VerifyingKey::parse(keys["keys"][0]["key"].as_str().unwrap()).unwrap();
    let trust = verify::Trust::in_each([key], 1);
    let path = format!("/v1/projects/shop/releases/{}", grown["releaseId"].as_str().unwrap());
    let signed: SignedRelease = serde_json::from_value(lab.ok(Method::GET, &path, json!({})).await).unwrap();
    assert_eq!(verify::release(&signed, &trust).unwrap().statement.release_id, grown["releaseId"]);
    let audit = lab.ok(Method::GET, "/v1/audit/verify", json!({})).await;
    assert_eq!(audit["verified"], true);
    lab.hub.shutdown().await;
}

#[tokio::test]
async fn components_are_checked_and_powers_need_consent() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::start(dir.path()).await;
    let wanted = manifest(vec![], Some(&["OTHER_KEY", "PAYMENT_KEY"]));
    let (status, missing) = lab.apply("dev", &wanted, json!({"acceptGrants": true})).await;
    assert_eq!((status, &missing["error"]["code"]), (StatusCode::CONFLICT, &json!("RELEASE_BLOCKED")));
    assert_eq!(missing["error"]["details"]["missing"], json!([Digest::of(COMPONENT)]));

    let path = format!("/v1/projects/shop/blobs/{}", Digest::of(COMPONENT));
    let mut tampered = COMPONENT.to_vec();
    *tampered.last_mut().unwrap() ^= 1;
    assert_eq!(lab.ask(OPERATOR, Method::PUT, &path, tampered, None).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(lab.ask(OPERATOR, Method::HEAD, &path, "", None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(lab.ask(OPERATOR, Method::PUT, &path, COMPONENT, None).await.0, StatusCode::CREATED);
    assert_eq!(lab.ask(OPERATOR, Method::HEAD, &path, "", None).await.0, StatusCode::OK);

    let (status, widened) = lab.apply("dev", &wanted, json!({})).await;
    assert_eq!((status, &widened["error"]["code"]), (StatusCode::CONFLICT, &json!("GRANTS_WIDENED")), "{widened}");
    assert!(widened["error"]["details"]["added"].as_array().unwrap().contains(&json!("buy: secret PAYMENT_KEY")));
    assert!(!dir.path().join("dev.db").exists());
    let (_, applied) = lab.apply("dev", &wanted, json!({"acceptGrants": true})).await;
    assert_eq!(applied["moved"], true, "{applied}");
    let (_, narrowed) = lab.apply("dev", &manifest(vec![], Some(&["OTHER_KEY"])), json!({})).await;
    assert_eq!(narrowed["capabilities"]["removed"], json!(["buy: secret PAYMENT_KEY"]), "{narrowed}");
    let (status, ungranted) = lab.apply("dev", &manifest(vec![], Some(&[])), json!({"acceptGrants": true})).await;
    assert_eq!((status, &ungranted["error"]["code"]), (StatusCode::CONFLICT, &json!("RELEASE_BLOCKED")), "{ungranted}");

    let mut foreign = manifest(vec![], None);
    foreign.project = "other".into();
    assert_eq!(lab.apply("dev", &foreign, json!({})).await.0, StatusCode::BAD_REQUEST);
    lab.hub.shutdown().await;
}

#[tokio::test]
async fn a_release_has_as_many_buckets_as_a_project_may() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::start(dir.path()).await;
    for (buckets, status, code) in [(50, StatusCode::OK, Json::Null), (51, StatusCode::CONFLICT, json!("CONFLICT"))] {
        let mut wanted = manifest(vec![], None);
        let bucket = json!({"provider": "local", "maxObject": 1_000_000});
        let buckets: BTreeMap<String, Json> = (0..buckets).map(|at| (format!("b{at}"), bucket.clone())).collect();
        wanted.storage = serde_json::from_value(json!({"buckets": buckets})).unwrap();
        let (found, answer) = lab.apply("dev", &wanted, json!({})).await;
        assert_eq!((found, &answer["error"]["code"]), (status, &code), "{answer}");
    }
    lab.hub.shutdown().await;
}

/// Whoever made the manifest: nobody who reads `logic.yaml` has to have seen it.
#[tokio::test]
async fn a_release_asks_for_no_more_than_any_logic_may_have() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::start(dir.path()).await;
    let ceiling = InvocationLimits::ceiling();
    for (limit, limits) in [
        ("memory", InvocationLimits { memory: Bytes(ceiling.memory.0 + 1), ..ceiling.clone() }),
        ("hostCalls", InvocationLimits { host_calls: ceiling.host_calls + 1, ..ceiling.clone() }),
    ] {
        let mut wanted = manifest(vec![], Some(&["PAYMENT_KEY"]));
        let Body::Wasm(body) = &mut wanted.logics.get_mut("buy").unwrap().body else { unreachable!() };
        body.limits = limits;
        let (status, refused) = lab.apply("dev", &wanted, json!({"acceptGrants": true})).await;
        assert_eq!((status, &refused["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("BAD_REQUEST")), "{refused}");
        let message =
            format!("the manifest cannot be read: logic \"buy\" asks for more {limit} than any logic may have");
        assert_eq!(refused["error"]["message"], message, "{refused}");
    }
    lab.hub.shutdown().await;
}

#[tokio::test]
async fn a_bridge_gets_what_its_token_is_for_and_waits_for_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Arc::new(Lab::start(dir.path()).await);
    let (token, foreign) = (lab.service_token(&["shop/dev"]).await, lab.service_token(&["shop/prod"]).await);
    let current = "/internal/releases/current?project=shop&env=dev";
    assert_eq!(lab.ask("nonsense", Method::GET, current, "", None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(lab.ask(&foreign, Method::GET, current, "", None).await.0, StatusCode::FORBIDDEN);
    assert_eq!(lab.ask(&foreign, Method::GET, "/internal/runtime/shop/dev", "", None).await.0, StatusCode::FORBIDDEN);
    assert_eq!(lab.ask(&token, Method::GET, "/v1/projects", "", None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(lab.ask(&token, Method::GET, current, "", None).await.0, StatusCode::NOT_FOUND);

    let (_, one) = lab.apply("dev", &manifest(vec![], None), json!({})).await;
    let (status, etag, bytes) = lab.ask(&token, Method::GET, current, "", None).await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_slice::<Current>(&bytes).unwrap();
    let etag = etag.unwrap();
    let waiting = format!("{current}&wait=1s");
    let started = Instant::now();
    assert_eq!(lab.ask(&token, Method::GET, &waiting, "", Some(&etag)).await.0, StatusCode::NOT_MODIFIED);
    assert!(started.elapsed() >= Duration::from_secs(1));
    let poll = {
        let (lab, token, etag, path) = (lab.clone(), token.clone(), etag.clone(), format!("{current}&wait=30s"));
        tokio::spawn(async move { lab.ask(&token, Method::GET, &path, "", Some(&etag)).await })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    lab.apply("dev", &manifest(vec![column("name", Type::String, true)], None), json!({})).await;
    let (status, moved, _) = tokio::time::timeout(Duration::from_secs(5), poll).await.unwrap().unwrap();
    assert!(status == StatusCode::OK && moved.unwrap() != etag);

    let path = format!("/internal/releases/{}", one["releaseId"].as_str().unwrap());
    assert_eq!(lab.ask(&token, Method::GET, &path, "", None).await.0, StatusCode::OK);
    let bridge = "brg_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let report = |env: &str| {
        json!({"version": "0.1.0", "envs": [{"project": "shop", "env": env, "state": "fresh", "releaseId": one["releaseId"],
            "sequence": 1, "cacheAgeSeconds": 0, "refused": null}]})
        .to_string()
    };
    let path = format!("/internal/bridges/{bridge}/report");
    assert_eq!(lab.ask(&token, Method::POST, &path, report("dev"), None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(lab.ask(&token, Method::POST, &path, report("prod"), None).await.0, StatusCode::FORBIDDEN);
    let bridges = lab.ok(Method::GET, "/v1/projects/shop/envs/dev/bridges", json!({})).await;
    assert_eq!(
        (&bridges["bridges"][0]["id"], &bridges["bridges"][0]["releaseId"]),
        (&json!(bridge), &one["releaseId"])
    );
}

#[tokio::test]
async fn secrets_reach_bridges_that_need_them_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab::start(dir.path()).await;
    let env = "/v1/projects/shop/envs/dev";
    for name in ["PAYMENT_KEY", "OTHER_KEY"] {
        lab.ok(Method::PUT, &format!("{env}/secrets/{name}"), json!({"value": PLANTED})).await;
    }
    let url = format!("sqlite:{}", dir.path().join(PLANTED).join("main.db").display());
    std::fs::create_dir(dir.path().join(PLANTED)).unwrap();
    lab.ok(Method::PUT, &format!("{env}/connections/main"), json!({"engine": "sqlite", "url": url})).await;
    let key = json!({"name": "dev", "roles": ["app"], "key": format!("stk_dev.{PLANTED}")});
    lab.ok(Method::POST, &format!("{env}/apikeys"), key.clone()).await;
    assert_eq!(lab.json(Method::POST, &format!("{env}/apikeys"), key).await.0, StatusCode::CONFLICT);
    for wrong in [json!({"value": {"x": PLANTED}}), json!({"valu": PLANTED}), json!(PLANTED)] {
        assert_eq!(
            lab.json(Method::PUT, &format!("{env}/secrets/PAYMENT_KEY"), wrong).await.0,
            StatusCode::BAD_REQUEST
        );
    }
    for wrong in [
        format!("postgres://u:{PLANTED}@h/d"),
        format!("sqlite:{PLANTED}?{PLANTED}={PLANTED}"),
        "sqlite::memory:".to_owned(),
    ] {
        let (status, _) =
            lab.json(Method::PUT, &format!("{env}/connections/main"), json!({"engine": "sqlite", "url": wrong})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
    let own = format!("sqlite:{}", dir.path().join("hub/hub.db").display());
    let (status, _) =
        lab.json(Method::PUT, &format!("{env}/connections/main"), json!({"engine": "sqlite", "url": own})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    lab.ask(OPERATOR, Method::PUT, &format!("/v1/projects/shop/blobs/{}", Digest::of(COMPONENT)), COMPONENT, None)
        .await;
    let (_, applied) = lab.apply("dev", &manifest(vec![], Some(&["PAYMENT_KEY"])), json!({"acceptGrants": true})).await;
    assert_eq!(applied["moved"], true, "{applied}");

    let token = lab.service_token(&["shop/dev"]).await;
    let (_, etag, bytes) = lab.ask(&token, Method::GET, "/internal/runtime/shop/dev", "", None).await;
    let bundle: RuntimeBundle = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(bundle.secrets.keys().collect::<Vec<_>>(), ["PAYMENT_KEY"]);
    assert_eq!(bundle.connections["main"].url.expose(), url);
    assert!(bundle.storage_key.is_some(), "every env has one");
    assert!(bundle.api_keys.len() == 1 && bundle.api_keys[0].hash == Digest::of(PLANTED.as_bytes()));
    let unchanged = lab.ask(&token, Method::GET, "/internal/runtime/shop/dev", "", etag.as_deref()).await;
    assert_eq!(unchanged.0, StatusCode::NOT_MODIFIED);
    lab.ok(Method::DELETE, &format!("{env}/apikeys/dev"), json!({})).await;
    let (_, _, bytes) = lab.ask(&token, Method::GET, "/internal/runtime/shop/dev", "", etag.as_deref()).await;
    assert!(serde_json::from_slice::<RuntimeBundle>(&bytes).unwrap().api_keys.is_empty());

    for path in ["connections", "connections/main", "secrets", "secrets/PAYMENT_KEY", "apikeys", "current", "bridges"] {
        lab.ok(Method::GET, &format!("{env}/{path}"), json!({})).await;
    }
    for path in ["/v1/service-tokens", "/v1/audit?limit=1000", "/v1/keys", "/metrics", "/v1/projects/shop/releases"] {
        lab.json(Method::GET, path, json!({})).await;
    }
    let seen = lab.seen.lock().unwrap().clone();
    for secret in [PLANTED, OPERATOR, &token] {
        assert!(!seen.contains(secret), "an answer shows {secret}");
    }
    assert!(seen.contains("stk_hub_releases_created_total 1") && seen.contains("apikey.revoke"));
    lab.hub.shutdown().await;
    for name in ["hub.db", "hub.db-wal"] {
        let bytes = std::fs::read(dir.path().join("hub").join(name)).unwrap_or_default();
        for secret in [PLANTED, OPERATOR, &token] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{name} holds {secret}");
        }
    }
}

#[tokio::test]
async fn a_restart_keeps_everything_and_refuses_another_master_key() {
    let dir = tempfile::tempdir().unwrap();
    let settings = || Settings {
        listen: Some("127.0.0.1:0".into()),
        data_dir: Some(dir.path().join("hub").display().to_string().into()),
        ..Settings::default()
    };
    let ask = async |hub: &RunningHub, token: &str, path: &str| {
        let response =
            reqwest::Client::new().get(format!("http://{}{path}", hub.addr)).bearer_auth(token).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    };
    let hub = santokit_hub::serve(settings().check().unwrap()).await.unwrap();
    let token = std::fs::read_to_string(hub.operator_token_path.as_ref().unwrap()).unwrap();
    let (status, keys) = ask(&hub, &token, "/v1/keys").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(ask(&hub, "other", "/v1/keys").await.0, StatusCode::UNAUTHORIZED);
    let (status, body) = ask(&hub, &token, "/nowhere").await;
    assert!(status == StatusCode::NOT_FOUND && body.contains("NOT_FOUND") && body.contains("requestId"));
    hub.shutdown().await;
    let hub = santokit_hub::serve(settings().check().unwrap()).await.unwrap();
    assert_eq!(ask(&hub, &token, "/v1/keys").await, (StatusCode::OK, keys));
    hub.shutdown().await;
    let other = santokit_core::seal::SealKey::generate_text().unwrap();
    let config = Settings { master_key: Some(other.into()), ..settings() }.check().unwrap();
    assert!(santokit_hub::serve(config).await.unwrap_err().to_string().contains("STK_MASTER_KEY"));
}
