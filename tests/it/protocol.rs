//! What a real Hub and real Bridges say to each other, read on the way between them: every message is one of
//! `docs/reference/bridge-protocol.json`, and has no field that this does not have.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Client;
use santokit_core::release::SigningKey;
use santokit_tests::{folder::repository, json_schema::Document};
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;

use crate::lab::{CACHE_KEY, Lab};

mod kept;

const DOCUMENT: &str = "docs/reference/bridge-protocol.json";

/// By the name of the message.
type Messages = Arc<Mutex<BTreeMap<&'static str, Vec<Json>>>>;

/// Stands between Bridges and their Hub, and keeps what both say.
#[derive(Clone)]
struct Between {
    hub: String,
    http: Client,
    heard: Messages,
}

impl Between {
    /// Before a Hub; where Bridges find it.
    async fn start(hub: &str) -> (Self, String) {
        let between = Self { hub: hub.to_owned(), http: Client::new(), heard: Messages::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(between.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (between, url)
    }

    fn hear(&self, message: &'static str, bytes: &[u8]) {
        let value = serde_json::from_slice(bytes).unwrap();
        self.heard.lock().unwrap().entry(message).or_default().push(value);
    }

    fn heard(&self, message: &str) -> Vec<Json> {
        self.heard.lock().unwrap().get(message).cloned().unwrap_or_default()
    }

    /// The first of a kind, once it was said.
    async fn until(&self, message: &str, what: &str, is_so: impl Fn(&Json) -> bool) -> Json {
        for _ in 0..1_200 {
            if let Some(found) = self.heard(message).into_iter().find(|said| is_so(said)) {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("no {message} {what}: {:?}", self.heard(message));
    }
}

async fn pass(State(between): State<Between>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().unwrap().to_string();
    let sent: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    if path.ends_with("/report") {
        between.hear("report", &sent);
    }
    let url = format!("{}{path}", between.hub.trim_end_matches('/'));
    let mut asked = between.http.request(parts.method, url).body(sent);
    for name in ["authorization", "if-none-match", "content-type"] {
        if let Some(value) = parts.headers.get(name) {
            asked = asked.header(name, value);
        }
    }
    // The Hub may be gone before its Bridges.
    let Ok(answer) = asked.send().await else {
        return Response::builder().status(502).body(Body::empty()).unwrap();
    };
    let mut passed = Response::builder().status(answer.status());
    for name in ["etag", "content-type"] {
        if let Some(value) = answer.headers().get(name) {
            passed = passed.header(name, value);
        }
    }
    let (status, bytes) = (answer.status(), answer.bytes().await.unwrap());
    let message = match path.split('/').nth(2).unwrap_or_default() {
        "releases" if path.contains("/current") => "current",
        "releases" => "release",
        "runtime" => "runtime",
        _ => "",
    };
    match status.as_u16() {
        200 if !message.is_empty() => between.hear(message, &bytes),
        400.. => {
            between.hear("problem", serde_json::from_slice::<Json>(&bytes).unwrap()["error"].to_string().as_bytes());
        }
        _ => {}
    }
    passed.body(Body::from(bytes)).unwrap()
}

/// The committed schemas, each closed: a field that they do not have is a message that nobody reviewed.
struct Protocol(Document);

impl Protocol {
    fn read() -> Self {
        let text = fs::read_to_string(repository().join(DOCUMENT)).unwrap();
        Self(Document::closed(serde_json::from_str(&text).unwrap(), "/$defs"))
    }

    fn check(&self, message: &str, value: &Json) {
        if let Some(wrong) = self.0.wrong(&format!("/messages/{message}"), value) {
            panic!("{message} is not what {DOCUMENT} says: {wrong}\n{value:#}");
        }
    }
}

/// What an envelope signs.
fn payload(envelope: &Json) -> Json {
    serde_json::from_slice(&STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hub_and_its_bridges_say_is_what_the_schemas_say() {
    let lab = Lab::start("spoken").await;
    let (between, url) = Between::start(&lab.hub().url).await;
    let own = [
        ("STK_BRIDGE_HUB_URL", url.as_str()),
        ("STK_BRIDGE_CACHE_KEY", CACHE_KEY),
        ("STK_BRIDGE_ADMIN_LISTEN", "127.0.0.1:0"),
        ("STK_BRIDGE_ADMIN_URL", "https://bridge.example:8443"),
    ];
    let bridge = lab.bridge("own", &own).await;
    between.until("problem", "before there is a release", |problem| problem["code"] == "NOT_FOUND").await;
    lab.done(&["apply", "--accept-grants", "--yes"], "").await;
    bridge.until_state("fresh").await.unwrap();
    let answer = bridge.client.with_key(&lab.api_key.0).logic("guarded", json!({})).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    between.until("report", "with a used key", |report| report["envs"][0]["keysUsed"].is_object()).await;

    // A candidate for a share.
    lab.done(&["env", "create", "dev"], "").await;
    let other = format!("sqlite:{}", lab.dir.path().join("dev.db").display());
    lab.done(&["connections", "set", "main", "--env", "dev", "--engine", "sqlite", "--url-stdin"], &other).await;
    lab.done(&["secrets", "set", "TOKEN", "--env", "dev"], "planted").await;
    lab.set_version(2);
    let made = lab.done(&["apply", "--env", "dev", "--accept-grants", "--yes", "--wait", "0"], "").await;
    let candidate = made["releaseId"].as_str().unwrap();
    let gate = ["--auto-rollback", "error-rate>50%"];
    let begin = [&["release", "canary", candidate, "--percent", "50", "--yes"][..], &gate].concat();
    lab.done(&begin, "").await;
    let serves = |report: &Json| report["envs"][0]["canary"]["state"] == "serving";
    between.until("report", "that serves the canary", serves).await;
    for number in 0..20 {
        bridge.client.named(&format!("caller-{number}")).logic("version", json!({})).await.unwrap();
    }
    let counted = |report: &Json| report["envs"][0]["canary"]["candidate"]["requests"].as_u64() > Some(0);
    between.until("report", "that counts for the canary", counted).await;

    // One that trusts another Hub.
    let stranger = SigningKey::generate().unwrap().verifying_key().to_string();
    let strange = [("STK_BRIDGE_HUB_URL", url.as_str()), ("STK_BRIDGE_TRUSTED_KEYS", &stranger)];
    let strange = lab.bridge("strange", &strange).await;
    between.until("report", "of a refusal", |report| report["envs"][0]["refused"].is_object()).await;
    strange.kill().await.unwrap();
    assert_eq!(bridge.end().await.unwrap(), 0);
    between.until("report", "of an end", |report| report["envs"] == json!([])).await;

    let protocol = Protocol::read();
    for (message, all) in between.heard.lock().unwrap().iter() {
        for value in all {
            protocol.check(message, value);
            match *message {
                "current" => protocol.check("pointer", &payload(&value["pointer"])),
                "release" => {
                    protocol.check("statement", &payload(&value["envelope"]));
                    protocol.check("manifest", &serde_json::from_str(value["manifest"].as_str().unwrap()).unwrap());
                }
                _ => {}
            }
        }
    }
    keep(&lab, &between).await;
}

/// Writes one of each down, where `STK_KEEP` says: how messages of a version that is published come to `tests/cases/protocol`.
async fn keep(lab: &Lab, between: &Between) {
    let Some(folder) = std::env::var_os("STK_KEEP").map(std::path::PathBuf::from) else { return };
    fs::create_dir_all(&folder).unwrap();
    let last = |message: &str, is_so: &dyn Fn(&Json) -> bool| {
        between.heard(message).into_iter().rev().find(|value| is_so(value)).unwrap()
    };
    let of = |report: &Json, field: &str| report["envs"][0][field].is_object();
    let keys = lab.hub().operate(reqwest::Method::GET, "/v1/keys", &Json::Null).await.unwrap();
    for (name, value) in [
        ("keys", keys),
        ("current", between.heard("current")[0].clone()),
        ("current-canary", last("current", &|value| payload(&value["pointer"])["canary"].is_object())),
        ("release", last("release", &|_| true)),
        ("runtime", last("runtime", &|_| true)),
        ("problem", last("problem", &|_| true)),
        ("report", last("report", &|report| of(report, "keysUsed"))),
        (
            "report-canary",
            last("report", &|report| report["envs"][0]["canary"]["candidate"]["requests"].as_u64() > Some(0)),
        ),
        ("report-refused", last("report", &|report| of(report, "refused"))),
        ("report-end", last("report", &|report| report["envs"] == json!([]))),
    ] {
        fs::write(folder.join(format!("{name}.json")), serde_json::to_string_pretty(&value).unwrap() + "\n").unwrap();
    }
}
