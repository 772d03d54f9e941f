//! A Bridge over real HTTP against a Hub that is scripted here: states, credentials, refusals, restart. No logic runs.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, StatusCode};
use santokit_core::{
    access::Permissions,
    code::Code,
    id::Kind,
    release::{
        Digest, Envelope, FORMAT, Manifest, Pointer, Provenance, SignedRelease, SigningKey, Statement, VERSION,
        envelope::{POINTER_TYPE, RELEASE_TYPE},
    },
    seal::SealKey,
    wire::{ApiKey, Current, Jwk, Report, RuntimeBundle, RuntimeConnection, Sealed},
};
use santokit_edge::{Bounds, Tls, listener};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
};

use super::{RunningBridge, serve};
use crate::config::{BridgeConfig, Rates, Settings};

mod canary;
mod cors;
mod listeners;
mod logic;
mod rate;
mod tokens;

#[derive(Default)]
struct Script {
    pointer: Option<Envelope>,
    releases: BTreeMap<String, SignedRelease>,
    keys: Vec<ApiKey>,
    user_keys: Vec<Jwk>,
    reports: Vec<Report>,
    blobs: BTreeMap<String, Vec<u8>>,
    connections: BTreeMap<String, RuntimeConnection>,
    secrets: BTreeMap<String, Sealed>,
}

#[derive(Clone)]
struct Hub {
    script: Arc<Mutex<Script>>,
    key: Arc<SigningKey>,
    url: String,
    task: Arc<tokio::task::JoinHandle<()>>,
}

impl Hub {
    fn start() -> Self {
        Self::start_with(None)
    }

    fn start_with(tls: Option<Tls>) -> Self {
        let script = Arc::new(Mutex::new(Script::default()));
        let router = Router::new()
            .route("/internal/releases/current", get(current))
            .route("/internal/releases/{id}", get(release))
            .route("/internal/blobs/{digest}", get(blob))
            .route("/internal/runtime/{project}/{env}", get(runtime))
            .route("/internal/bridges/{id}/report", post(report))
            .with_state(script.clone());
        let listener = listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let minute = Duration::from_mins(1);
        let bounds = Bounds {
            connections_max: 100,
            header_timeout: minute,
            idle_timeout: minute,
            answer_timeout: minute,
            header_bytes_max: 32 << 10,
            streams_max: 100,
        };
        let task = tokio::spawn(async move {
            let mut tasks = JoinSet::new();
            listener::serve(&mut tasks, listener, router, bounds, tls.as_ref()).unwrap();
            tasks.join_all().await;
        });
        Self { script, key: Arc::new(SigningKey::generate().unwrap()), url, task: Arc::new(task) }
    }

    fn release(&self, marker: &str, key: &SigningKey) -> (String, Digest) {
        self.release_with(marker, key, |_| {})
    }

    fn release_with(&self, marker: &str, key: &SigningKey, change: impl FnOnce(&mut Manifest)) -> (String, Digest) {
        let mut manifest = Manifest {
            format: FORMAT,
            project: "shop".into(),
            minimum_bridge: VERSION.into(),
            default_connection: "main".into(),
            connections: BTreeMap::new(),
            permissions: Permissions::default(),
            queries: BTreeMap::new(),
            logics: BTreeMap::new(),
            cors: None,
            storage: santokit_core::storage::Storage::default(),
            events: santokit_core::event::Events::default(),
            cron: BTreeMap::new(),
            config: BTreeMap::from([("marker".into(), marker.into())]),
            envs: BTreeMap::new(),
        };
        change(&mut manifest);
        let (release_id, digest) = (Kind::Release.generate(), manifest.digest().unwrap());
        let provenance =
            Provenance { created_at: "2026-01-01T00:00:00Z".into(), author: "test".into(), ..Provenance::default() };
        let statement =
            Statement { release_id: release_id.clone(), project: "shop".into(), digest: digest.clone(), provenance };
        let envelope = Envelope::sign(RELEASE_TYPE, &statement, key).unwrap();
        let manifest = String::from_utf8(manifest.canonical().unwrap()).unwrap();
        self.script.lock().unwrap().releases.insert(release_id.clone(), SignedRelease { manifest, envelope });
        (release_id, digest)
    }

    fn point(&self, (release_id, digest): (String, Digest), sequence: u64) -> String {
        let pointer = Pointer {
            project: "shop".into(),
            env: "dev".into(),
            release_id: release_id.clone(),
            digest,
            canary: None,
            sequence,
            issued_at: "2026-01-01T00:00:00Z".into(),
        };
        self.script.lock().unwrap().pointer = Some(Envelope::sign(POINTER_TYPE, &pointer, &self.key).unwrap());
        release_id
    }

    fn config(&self, dir: &std::path::Path, with_key: bool) -> BridgeConfig {
        let settings = Settings {
            listen: Some("127.0.0.1:0".into()),
            metrics_token: Some("scrape".into()),
            hub_url: Some(self.url.as_str().into()),
            service_token: Some("service".into()),
            envs: Some("shop/dev".into()),
            trusted_keys: Some(self.key.verifying_key().to_string().into()),
            cache_dir: Some(dir.display().to_string().into()),
            poll_interval: Some("1s".into()),
            body_limit: Some("1KB".into()),
            drain_grace: Some("0s".into()),
            api_key_rate: Some("off".into()),
            user_rate: Some("off".into()),
            address_rate: Some("off".into()),
            ..Settings::default()
        };
        let mut config = settings.check().unwrap();
        config.cache_key = with_key.then(|| Arc::new(SealKey::new(&[7; 32]).unwrap()));
        config
    }
}

async fn current(State(script): State<Arc<Mutex<Script>>>, headers: HeaderMap) -> Response {
    assert_eq!(headers["authorization"], "Bearer service");
    let Some(pointer) = script.lock().unwrap().pointer.clone() else { return StatusCode::NOT_FOUND.into_response() };
    let etag = format!("\"{}\"", Digest::of(pointer.payload.as_bytes()));
    if headers.get("if-none-match").is_some_and(|sent| *sent == *etag) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([("etag", etag)], Json(Current { pointer })).into_response()
}

async fn release(State(script): State<Arc<Mutex<Script>>>, Path(id): Path<String>) -> Response {
    Json(script.lock().unwrap().releases[&id].clone()).into_response()
}

async fn runtime(State(script): State<Arc<Mutex<Script>>>) -> Response {
    let script = script.lock().unwrap();
    let (connections, secrets) = (script.connections.clone(), script.secrets.clone());
    let (api_keys, user_keys) = (script.keys.clone(), script.user_keys.clone());
    Json(RuntimeBundle { connections, secrets, api_keys, user_keys, storage_key: None }).into_response()
}

async fn blob(State(script): State<Arc<Mutex<Script>>>, Path(digest): Path<String>) -> Response {
    script.lock().unwrap().blobs[&digest].clone().into_response()
}

async fn report(State(script): State<Arc<Mutex<Script>>>, Json(report): Json<Report>) -> StatusCode {
    script.lock().unwrap().reports.push(report);
    StatusCode::NO_CONTENT
}

struct Client {
    client: reqwest::Client,
    base: String,
}

impl Client {
    fn of(bridge: &RunningBridge) -> Self {
        Self { client: reqwest::Client::new(), base: format!("http://{}", bridge.addr) }
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, HeaderMap, Value) {
        let mut request = self.client.post(format!("{}{path}", self.base)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.send().await.unwrap()).await
    }

    async fn get(&self, path: &str) -> (u16, HeaderMap, Value) {
        read(self.client.get(format!("{}{path}", self.base)).send().await.unwrap()).await
    }

    async fn until(&self, what: impl Fn(u16, &Value) -> bool) -> Value {
        for _ in 0..200 {
            let (status, _, body) = self.get("/readyz").await;
            if what(status, &body) {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not reached: {}", self.get("/readyz").await.2);
    }
}

async fn read(response: reqwest::Response) -> (u16, HeaderMap, Value) {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    (status, headers, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn scratch() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("santokit-bridge-{}", Kind::Request.generate()))
}

#[tokio::test]
async fn every_answer_of_the_edge_is_in_its_form() {
    let hub = Hub::start();
    let (dir, key) = (scratch(), [("x-santokit-api-key", "stk_abc.secret")]);
    let hash = Digest::of(b"secret");
    hub.script.lock().unwrap().keys.push(ApiKey { id: "abc".into(), hash, roles: Vec::new(), expires_at: None });
    let bridge = serve(hub.config(&dir, false)).await.unwrap();
    let client = Client::of(&bridge);

    let (status, headers, body) = client.post("/logics/a", &[("x-request-id", "mine")], "{}").await;
    assert_eq!((status, body["error"]["requestId"].as_str()), (503, Some("mine")));
    assert_eq!((&headers["x-request-id"], headers.contains_key("retry-after")), (&"mine".parse().unwrap(), true));
    assert_eq!(client.get("/healthz").await.0, 200);
    let waiting = client
        .until(|status, body| status == 503 && body["envs"][0]["reason"].as_str().unwrap().contains("stk apply"))
        .await;
    assert_eq!(waiting["envs"][0]["state"], "empty");

    let id = hub.point(hub.release("one", &hub.key), 1);
    client.until(|status, _| status == 200).await;
    let cases = [
        (client.post("/logics/a/b", &[], "").await, 401, "UNAUTHORIZED", true),
        (client.post("/logics/a/b", &key, "").await, 404, "NOT_FOUND", true),
        (client.post("/call", &key, r#"{"path":"logics/a"}"#).await, 404, "NOT_FOUND", true),
        (client.post("/call", &key, r#"{"path":"elsewhere"}"#).await, 404, "NOT_FOUND", true),
        (client.post("/call", &key, "{").await, 400, "BAD_REQUEST", true),
        (client.post("/call", &key, &" ".repeat(2000)).await, 400, "BAD_REQUEST", true),
        (client.post("/logics/a", &[("authorization", "Bearer a.b.c")], "").await, 401, "UNAUTHORIZED", false),
        (client.post("/logics/a", &[("x-santokit-api-key", "stk_abc.other")], "").await, 401, "UNAUTHORIZED", false),
        (client.post("/logics/a", &[key[0], ("x-santokit-env", "prod")], "").await, 403, "FORBIDDEN", false),
        (client.post("/nowhere", &[], "").await, 404, "NOT_FOUND", false),
        (client.get("/call").await, 405, "BAD_REQUEST", false),
        (client.get("/metrics").await, 401, "UNAUTHORIZED", false),
    ];
    for (number, ((status, headers, body), expected, code, has_release)) in cases.iter().enumerate() {
        assert_eq!((*status, body["error"]["code"].as_str()), (*expected, Some(*code)), "case {number}: {body}");
        assert_eq!(headers.get("x-santokit-release").is_some_and(|value| *value == *id), *has_release, "case {number}");
        assert_eq!(body["error"]["requestId"], headers["x-request-id"].to_str().unwrap());
    }
    assert_eq!(cases[10].0.1["allow"], "POST");
    let scrape = client.client.get(format!("{}/metrics", client.base)).bearer_auth("scrape").send().await.unwrap();
    let text = scrape.text().await.unwrap();
    assert!(text.contains(r#"stk_bridge_requests_total{path="/logics/{name}",status="404"} 1"#), "{text}");
    assert!(text.contains(r#"stk_bridge_release_cache_state{env="dev",project="shop",state="fresh"} 1"#), "{text}");

    // A revoked key is refused within one poll.
    hub.script.lock().unwrap().keys.clear();
    let mut status = 0;
    for _ in 0..100 {
        status = client.post("/logics/a", &key, "").await.0;
        if status == 401 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status, 401);
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn what_is_not_trusted_is_refused_and_what_runs_goes_on() {
    let hub = Hub::start();
    let dir = scratch();
    let bridge = serve(hub.config(&dir, true)).await.unwrap();
    let client = Client::of(&bridge);
    let first = hub.point(hub.release("one", &hub.key), 5);
    client.until(|status, _| status == 200).await;

    let stranger = SigningKey::generate().unwrap();
    let refused = hub.point(hub.release("two", &stranger), 6);
    let body = client.until(|_, body| body["envs"][0]["reason"].is_string()).await;
    assert_eq!(body["envs"][0]["releaseId"], json!(first));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let last = hub.script.lock().unwrap().reports.last().cloned().unwrap();
    let told = last.envs[0].refused.clone().unwrap();
    assert_eq!((told.release_id, told.sequence, told.code), (refused, 6, Code::ReleaseBlocked));

    let third = hub.point(hub.release("three", &hub.key), 7);
    client.until(|_, body| body["envs"][0]["releaseId"] == json!(third) && body["envs"][0]["reason"].is_null()).await;
    hub.point(hub.release("older", &hub.key), 6);
    let body = client.until(|_, body| body["envs"][0]["reason"].is_string()).await;
    assert_eq!(body["envs"][0]["releaseId"], json!(third));
    let told = bridge.status().envs[0].refused.clone().unwrap();
    assert!(told.message.contains("sequence 6 is lower than 7"), "{}", told.message);
    bridge.shutdown().await;

    // A restart with the Hub away: with the key it serves from the cache, without it it cannot.
    hub.task.abort();
    let bridge = serve(hub.config(&dir, true)).await.unwrap();
    let client = Client::of(&bridge);
    let body = client.until(|status, _| status == 200).await;
    assert_eq!((&body["envs"][0]["releaseId"], &body["envs"][0]["sequence"]), (&json!(third), &json!(7)));
    drop(bridge);
    let bridge = serve(hub.config(&dir, false)).await.unwrap();
    let client = Client::of(&bridge);
    client.until(|status, body| status == 503 && body["envs"][0]["reason"].as_str().unwrap().contains("the Hub")).await;
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn operators_are_told_why_a_release_for_newer_bridges_is_refused() {
    let hub = Hub::start();
    let dir = scratch();
    let mut config = hub.config(&dir, false);
    config.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    let bridge = serve(config).await.unwrap();
    let clients = Client::of(&bridge);
    let operators = Client { base: format!("http://{}", bridge.metrics_addr.unwrap()), ..Client::of(&bridge) };
    let first = hub.point(hub.release("one", &hub.key), 1);
    operators.until(|status, _| status == 200).await;

    hub.point(hub.release_with("newer", &hub.key, |manifest| manifest.minimum_bridge = "99.0.0".into()), 2);
    let told = operators.until(|_, body| body["envs"][0]["refused"].is_object()).await;
    assert_eq!(told["envs"][0]["refused"]["code"], "INCOMPATIBLE_BRIDGE", "{told}");
    assert_eq!((&told["status"], &told["envs"][0]["releaseId"]), (&json!("ready"), &json!(first)));
    assert!(clients.get("/readyz").await.2["envs"][0]["refused"].is_null());
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}

#[tokio::test]
async fn a_full_bridge_says_so_and_a_slow_body_is_given_up() {
    let hub = Hub::start();
    let dir = scratch();
    let mut config = hub.config(&dir, false);
    config.concurrent_requests = std::num::NonZeroUsize::MIN;
    config.body_timeout = Duration::from_millis(700);
    let bridge = serve(config).await.unwrap();
    let client = Client::of(&bridge);
    hub.point(hub.release("one", &hub.key), 1);
    client.until(|status, _| status == 200).await;

    let mut slow = tokio::net::TcpStream::connect(bridge.addr).await.unwrap();
    slow.write_all(b"POST /call HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{").await.unwrap();
    let mut refused = client.post("/call", &[], "{}").await;
    for _ in 0..20 {
        if refused.0 == 429 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        refused = client.post("/call", &[], "{}").await;
    }
    assert_eq!((refused.0, refused.2["error"]["details"]["limit"].as_str()), (429, Some("concurrentRequests")));
    assert!(refused.1.contains_key("retry-after"));
    assert_eq!(client.get("/healthz").await.0, 200, "health answers under any load");

    let mut answer = vec![0; 1024];
    let length = slow.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("did not arrive in time"), "{answer}");
    assert_eq!(client.post("/call", &[], r#"{"path":"logics/a"}"#).await.0, 401);
    bridge.shutdown().await;
    std::fs::remove_dir_all(dir).ok();
}
