//! The plugins that ship with `stk`: `webhook` brought into a project by the command, and what a real receiver over TLS is sent, of what is taken, tried
//! again and given up; that the example has what the command writes; and that the component in `stk` is that of its source.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use aws_lc_rs::hmac;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::HeaderMap,
    response::IntoResponse,
    routing::{any, post},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use santokit_core::release::Digest;
use santokit_tests::{ProjectFolder, StkDev, folder::repository, stk};
use serde_json::{Value as Json, json};

use crate::guest_http::{Service, serve};

const KEYS: [[u8; 32]; 2] = [[7; 32], [9; 32]];
const SCHEMA: &str = "version: 1\ntables:\n  notes:\n    id: {generate: client}\n    columns: {text: {type: string}}\n";
const PLACED: &str =
    "name: placed\nschema:\n  z: {type: string}\n  a: {type: string}\n  answer: {type: int, required: true}\n";
const DEAD: &str = "---\nauth: public\n---\nSELECT event, subscription, attempt, error, history FROM stk_delivery WHERE state = 'dead' ORDER BY event\n";
const WAIT: Duration = Duration::from_mins(1);

/// What came, in its order.
pub(crate) type Came = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// Takes what is signed, and answers with the status that the event asks for, 200 where it asks for none; the second time it is there, 200.
async fn take(State(came): State<Came>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let mut came = came.lock().unwrap();
    let is_again = came.iter().any(|(before, _)| before["webhook-id"] == headers["webhook-id"]);
    let asked = serde_json::from_slice::<Json>(&body).unwrap()["data"]["answer"].as_u64().unwrap_or(200);
    came.push((headers, body));
    let status = if is_again && asked == 503 { 200 } else { u16::try_from(asked).unwrap() };
    (axum::http::StatusCode::from_u16(status).unwrap(), [("location", "/elsewhere"), ("retry-after", "7")], "words")
}

/// One over TLS, at `/in`.
pub(crate) fn receiver() -> (Service, Came) {
    let came = Came::default();
    // Nobody may come to where it is redirected to: what comes there is counted with the rest.
    let elsewhere = any(async |State(came): State<Came>| {
        came.lock().unwrap().push((HeaderMap::new(), Bytes::new()));
    });
    let router = Router::new().route("/in", post(take)).route("/elsewhere", elsewhere).with_state(Arc::clone(&came));
    (serve(router), came)
}

fn secrets() -> String {
    KEYS.map(|key| format!("whsec_{}", BASE64_STANDARD.encode(key))).join(" ")
}

async fn project(service: &Service) -> ProjectFolder {
    let connection = "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\n";
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: hooks\n"),
        ("santokit.dev.yaml", &format!("{connection}secrets:\n  WEBHOOK_SECRET: {{value: \"{}\"}}\n", secrets())),
        ("schema/main.yaml", SCHEMA),
        ("events/topics/placed.yaml", PLACED),
        ("config/permissions.yaml", "events:\n  placed:\n    publish: [{roles: [public]}]\n"),
        ("logics/dead.sql", DEAD),
    ])
    .unwrap();
    let url = format!("https://localhost:{}/in", service.port);
    let added = stk(folder.path(), &["plugins", "add", "webhook", "--url", &url, "--topic", "placed"], &[]).await;
    let added = added.unwrap();
    assert_eq!(added.code, 0, "{added:?}");
    let (from, to) =
        ("maxRetries: 10, minBackoff: 5s, maxBackoff: 1h", "maxRetries: 1, minBackoff: 1s, maxBackoff: 1s");
    folder.edit("events/subscriptions/webhook_placed.yaml", from, to).unwrap();
    folder
}

/// Of all keys, over what was sent: computed here by another library than the plugin's.
pub(crate) fn signatures(keys: &[&[u8]], headers: &HeaderMap, body: &[u8]) -> String {
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let signed = [format!("{}.{}.", text("webhook-id"), text("webhook-timestamp")).as_bytes(), body].concat();
    let all = keys.iter().map(|key| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &signed);
        format!("v1,{}", BASE64_STANDARD.encode(tag.as_ref()))
    });
    all.collect::<Vec<String>>().join(" ")
}

/// What the plugin says of the last attempt, as it stands in the row.
fn details(row: &Json) -> Json {
    let history = BASE64_STANDARD.decode(row["history"].as_str().unwrap_or_default()).unwrap();
    let history: Vec<Json> = serde_json::from_slice(&history).unwrap_or_else(|error| panic!("{row}: {error}"));
    history.last().unwrap()["details"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_handed_to_an_endpoint() {
    let (service, came) = receiver();
    let folder = project(&service).await;
    let ca = service.folder.path().join("ca.pem");
    let env = [("STK_BRIDGE_EGRESS_ALLOW_PRIVATE", "127.0.0.0/8"), ("STK_BRIDGE_EGRESS_CA_FILE", ca.to_str().unwrap())];
    let dev = StkDev::start(folder.path(), &env).await.unwrap();
    let mut ids = BTreeMap::new();
    for answer in [200, 204, 503, 308, 410, 500] {
        let event = json!({"z": "last \u{e4}\u{1f4e6}", "a": "</script>", "answer": answer});
        let published = dev.client.post("/events/placed/publish", event.to_string()).await.unwrap();
        assert_eq!(published.status, 200, "{published:?}\n{}", dev.output());
        ids.insert(answer, published.body["data"]["id"].as_str().unwrap().to_owned());
    }
    let dead = async || {
        let answer = dev.client.logic("dead", json!({})).await.unwrap();
        answer.body["data"].as_array().unwrap().clone()
    };
    // Two at the first attempt, one at the second, three in vain.
    let began = tokio::time::Instant::now();
    while dead().await.len() < 3 || came.lock().unwrap().len() < 10 {
        assert!(began.elapsed() < WAIT, "{:?}\n{}", dead().await, dev.output());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let code = |rows: &[Json], answer: i32| {
        let row = rows.iter().find(|row| row["event"] == json!(ids[&answer])).cloned().unwrap_or_default();
        (row["error"].as_str().unwrap_or_default().to_owned(), row["attempt"].as_i64(), details(&row))
    };
    let rows = dead().await;
    for (answer, words) in [
        (308, "WEBHOOK_REDIRECTED: the endpoint is elsewhere"),
        (410, "WEBHOOK_GONE: the endpoint wants no more events"),
        (500, "WEBHOOK_REFUSED: the endpoint did not take the event (status 500)"),
    ] {
        let (error, attempt, details) = code(&rows, answer);
        assert!(error.starts_with(words) && attempt == Some(2), "{answer}: {error} {attempt:?}");
        assert_eq!(details, json!({"status": answer, "retryAfter": 7}), "as its page says");
    }
    let came = came.lock().unwrap();
    assert_eq!(came.len(), 10);
    let keys = KEYS.each_ref().map(<[u8; 32]>::as_slice);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    for (headers, body) in came.iter() {
        assert_eq!(headers["webhook-signature"].to_str().unwrap(), signatures(&keys, headers, body));
        assert_eq!(headers["content-type"], "application/json");
        let sent: u64 = headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
        assert!(now.abs_diff(sent) < 300, "{sent}");
        let message: Json = serde_json::from_slice(body).unwrap();
        let answer = i32::try_from(message["data"]["answer"].as_i64().unwrap()).unwrap();
        assert_eq!(headers["webhook-id"].to_str().unwrap(), ids[&answer]);
        assert_eq!((&message["type"], &message["data"]["a"]), (&json!("placed"), &json!("</script>")));
        assert_eq!(message["timestamp"].as_str().unwrap().len(), 27, "{message}");
        assert_eq!(message.as_object().unwrap().len(), 3, "{message}");
    }
    // What is tried again is signed again, under the same id.
    let again: Vec<&(HeaderMap, Bytes)> =
        came.iter().filter(|(headers, _)| headers["webhook-id"].to_str().unwrap() == ids[&503]).collect();
    let at = |one: &(HeaderMap, Bytes)| one.0["webhook-timestamp"].to_str().unwrap().parse::<u64>().unwrap();
    assert!(again.len() == 2 && at(again[0]) <= at(again[1]), "{again:?}");
    // The secret is nowhere to be read.
    assert!(!dev.output().contains(&secrets()[..30]) && !format!("{rows:?}").contains("whsec_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_asks_only_its_endpoint() {
    let (service, came) = receiver();
    let folder = project(&service).await;
    let inspected = stk(folder.path(), &["logic", "inspect", "webhook", "--json"], &[]).await.unwrap();
    let grants = inspected.json()["grants"].clone();
    let http = json!([{"hosts": [format!("localhost:{}", service.port)], "methods": ["POST"], "paths": ["/in"]}]);
    let all = json!({"http": http, "secrets": ["WEBHOOK_SECRET"], "config": ["webhook_url"]});
    assert_eq!(grants, all, "{inspected:?}");
    // Another URL than the one that is granted is asked nothing, whatever the env says.
    let other = format!("https://localhost:{}/elsewhere", service.port);
    folder.edit("santokit.yaml", &format!("https://localhost:{}/in", service.port), &other).unwrap();
    let ca = service.folder.path().join("ca.pem");
    let env = [("STK_BRIDGE_EGRESS_ALLOW_PRIVATE", "127.0.0.0/8"), ("STK_BRIDGE_EGRESS_CA_FILE", ca.to_str().unwrap())];
    let dev = StkDev::start(folder.path(), &env).await.unwrap();
    dev.client.post("/events/placed/publish", json!({"answer": 200}).to_string()).await.unwrap();
    let began = tokio::time::Instant::now();
    loop {
        let rows = dev.client.logic("dead", json!({})).await.unwrap().body["data"].clone();
        if let Some(row) = rows.get(0) {
            assert!(row["error"].as_str().unwrap().starts_with("HTTP_DENIED"), "{rows}");
            break;
        }
        assert!(began.elapsed() < WAIT, "{}", dev.output());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(came.lock().unwrap().is_empty());
}

/// It has one line more, by which nothing is sent while there is nobody to send it to.
#[tokio::test(flavor = "multi_thread")]
async fn the_shop_has_what_the_command_writes() {
    let (url, subscription) = ("https://hooks.shop.invalid/orders", "events/subscriptions/webhook_order_placed.yaml");
    let folder = ProjectFolder::copy_of("examples/shop").unwrap();
    fs::remove_dir_all(folder.path().join("logics/webhook")).unwrap();
    fs::remove_file(folder.path().join(subscription)).unwrap();
    folder.edit("santokit.yaml", &format!("  webhook_url: \"{url}\"\n"), "").unwrap();
    let command = ["plugins", "add", "webhook", "--url", url, "--topic", "order_placed", "--json"];
    let added = stk(folder.path(), &command, &[]).await.unwrap();
    assert_eq!(added.code, 0, "{added:?}");
    let added = added.json();
    let files: Vec<&str> = added["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    assert_eq!(files.len(), 5, "{files:?}");
    for file in files {
        let written = fs::read(folder.path().join(file)).unwrap();
        let kept = fs::read(repository().join("examples/shop").join(file)).unwrap();
        let is_so = if file == subscription { kept.starts_with(&written) } else { kept == written };
        assert!(is_so, "examples/shop/{file} is not what stk writes: run `cargo xtask plugins`, then build stk");
    }
}

/// What `stk` has in it is not made when it is built: this is what says that nobody has forgotten to make it again, and that it is what was made.
#[test]
fn components_are_those_of_their_sources() {
    let sdk = sums(&repository().join("sdk-guest/rust"), &["Cargo.toml", "src", "wit"]);
    let sdk = format!("{}  ../../sdk-guest/rust\n", Digest::of(sdk.as_bytes()).hex());
    for plugin in fs::read_dir(repository().join("plugins")).unwrap() {
        let plugin = plugin.unwrap().path();
        if !plugin.is_dir() {
            continue;
        }
        let made = format!("{}.wasm", plugin.file_name().unwrap().to_str().unwrap());
        let made_of = sums(&plugin, &["Cargo.lock", "Cargo.toml", "src", &made]) + &sdk;
        let listed = fs::read_to_string(plugin.join("made-of")).unwrap();
        assert_eq!(listed, made_of, "{made}, its sources or the SDK were changed: run `cargo xtask plugins`");
    }
}

/// A line for each file below some names of a folder, in order, as `sha256sum` writes it.
fn sums(folder: &Path, names: &[&str]) -> String {
    let mut open: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut lines = BTreeMap::new();
    while let Some(name) = open.pop() {
        let path = folder.join(&name);
        if path.is_dir() {
            let files = fs::read_dir(path).unwrap();
            open.extend(files.map(|file| format!("{name}/{}", file.unwrap().file_name().to_str().unwrap())));
        } else {
            let digest = Digest::of(&fs::read(path).unwrap());
            lines.insert(name.clone(), format!("{}  {name}\n", digest.hex()));
        }
    }
    lines.into_values().collect()
}
