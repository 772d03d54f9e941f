//! Components of `wasi:http` that are mounted: what they are given of a request, what a client gets of their answers, and who may ask.
//! How they go wrong: `mounted/failing.rs`; what they ask others: `mounted/outbound.rs`; whether a Hub lets them be: `mounted/policy.rs`.

use std::{fs, sync::OnceLock, time::Duration};

use reqwest::{Method, Response};
use santokit_tests::{ProjectFolder, StkDev, stk};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Mutex,
};

mod canary;
mod failing;
mod foreign;
mod http2;
mod outbound;
mod policy;

/// Of the guest, away from the workspace of the guests.
const CARGO: &str = "[package]\nname = \"guest-raw\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
    [lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\nsantokit-guest = { path = \"../../.stk/cache/sdk/rust\" }\n\
    serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\nwasip2 = \"1.0.4\"\n";
/// The guest can ask others, so that every manifest of it has to say whom.
const GRANTS: &str = "grants: {http: [{hosts: [\"localhost:8443\"], methods: [GET, POST], paths: [\"/v1/*\"]}]}\n";
const KEY: &str = "stk_raw.planted-key-51d0";

/// The component of `tests/guests/raw`, built once.
async fn component() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::const_new(());
    let _turn = TURN.lock().await;
    if let Some(built) = BUILT.get() {
        return built;
    }
    let folder = ProjectFolder::new([("santokit.yaml", "version: 1\nname: building\n")]).unwrap();
    folder.add_copy("tests/guests/raw", "logics/raw").unwrap();
    folder.write("logics/raw/Cargo.toml", CARGO).unwrap();
    let built = stk(folder.path(), &["logic", "build", "raw", "--output", "out"], &[]).await.unwrap();
    assert_eq!(built.code, 0, "{built:?}");
    BUILT.get_or_init(|| fs::read(folder.path().join("out/raw.wasm")).unwrap())
}

/// A project whose logics are all that component: names, and what their manifests say besides.
async fn project(logics: &[(&str, &str)]) -> ProjectFolder {
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: mounted\ncors: {origins: [\"https://page.test\"]}\n"),
        (
            "santokit.dev.yaml",
            &format!(
                "connections:\n  main: {{engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}}\n\
                 apiKeys: [{{name: app, key: {KEY}, roles: [app]}}]\n"
            ),
        ),
    ])
    .unwrap();
    for (name, manifest) in logics {
        add(&folder, name, manifest).await;
    }
    folder
}

async fn add(folder: &ProjectFolder, name: &str, manifest: &str) {
    let manifest = format!("component: {{path: raw.wasm}}\n{manifest}\n{GRANTS}");
    folder.write(&format!("logics/{name}/logic.yaml"), &manifest).unwrap();
    fs::write(folder.path().join(format!("logics/{name}/raw.wasm")), component().await).unwrap();
}

async fn ask(dev: &StkDev, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
    let mut request = dev.client.http().request(method, format!("{}{path}", dev.client.url())).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn seen(dev: &StkDev, path: &str, headers: &[(&str, &str)]) -> Json {
    let answer = ask(dev, Method::GET, path, headers, Vec::new()).await;
    assert_eq!(answer.status(), 200, "{path}: {}", dev.output());
    answer.json().await.unwrap()
}

/// Status and error code.
async fn refused(dev: &StkDev, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let answer = ask(dev, Method::GET, path, headers, Vec::new()).await;
    let status = answer.status().as_u16();
    let body: Json = answer.json().await.unwrap();
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

/// Bytes over a connection of their own, to its end.
async fn bytes(dev: &StkDev, sent: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(dev.client.url().trim_start_matches("http://")).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let mut came = Vec::new();
    // An answer that broke off may end in a reset.
    drop(stream.read_to_end(&mut came).await);
    came
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_sees_a_request_as_it_was_sent_less_what_is_ours() {
    let folder =
        project(&[("raw", "auth: public\nmount: raw/one"), ("deep", "roles: [app]\nmount: raw/one/deep")]).await;
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let host = dev.client.url().trim_start_matches("http://").to_owned();
    for (sent, path) in [
        ("/http/raw/one", "/"),
        ("/http/raw/one/", "/"),
        ("/http/raw/one/a/b?c=d&e=%2F", "/a/b?c=d&e=%2F"),
        ("/http/raw/one?x", "/?x"),
        ("/http/raw/one/a%2e%2e/%C3%A4", "/a%2e%2e/%C3%A4"),
        ("/http/raw/one//a", "//a"),
        ("/http/raw/one/deepx", "/deepx"),
        ("/p/mounted/dev/http/raw/one/a", "/a"),
    ] {
        let seen = seen(&dev, sent, &[]).await;
        assert_eq!(seen["path"], path, "{sent}");
        assert_eq!((&seen["authority"], &seen["method"]), (&json!(host), &json!("Method::Get")), "{sent}");
        assert_eq!((&seen["who"]["kind"], &seen["who"]["trigger"]), (&json!("anonymous"), &json!("http")));
    }
    let headers = [
        ("x-santokit-api-key", KEY),
        ("authorization", "Basic b3ducw=="),
        ("cookie", "own=1; stk_access_mounted_dev=planted.cookie.x; other=2"),
        ("x-santokit-env", "dev"),
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-prefix", "/planted"),
        ("x-request-id", "mine-1"),
        ("x-custom", "ä"),
    ];
    let given = seen(&dev, "/p/mounted/dev/http/raw/one/deep/x", &headers).await;
    let shown = given["headers"].to_string();
    assert!(!shown.contains("planted") && !shown.contains("santokit"), "{shown}");
    let is_there = |name: &str, value: &str| {
        let pair = json!([name, value]);
        assert!(given["headers"].as_array().unwrap().contains(&pair), "{pair}: {shown}");
    };
    is_there("authorization", "Basic b3ducw==");
    is_there("cookie", "own=1; other=2");
    is_there("x-custom", "ä");
    is_there("x-forwarded-prefix", "/p/mounted/dev/http/raw/one/deep");
    is_there("x-forwarded-for", "127.0.0.1");
    is_there("x-forwarded-proto", "http");
    is_there("x-forwarded-host", &host);
    is_there("x-request-id", "mine-1");
    let who = json!({"kind": "apiKey", "subject": "raw", "roles": ["app"], "logic": "deep", "trigger": "http", "requestId": "mine-1"});
    assert_eq!(given["who"], who);
    assert!(!dev.output().contains("planted-key"), "{}", dev.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_ask_finds_nothing_mounted() {
    let folder = project(&[
        ("raw", "auth: public\nmount: raw/one\nmethods: [GET, POST]"),
        ("deep", "roles: [app]\nmount: raw/one/deep"),
        ("both", "auth: public"),
    ])
    .await;
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let key = [("x-santokit-api-key", KEY)];
    let nobody = (401, "UNAUTHORIZED".to_owned());
    let nothing = (404, "NOT_FOUND".to_owned());
    // As for an unknown logic, whether it is one that may not be asked or none.
    for path in
        ["/http/raw/one/deep", "/http/raw/one/deep/x", "/http/none", "/http/raw", "/http/raw/onex", "/http/%72aw/one"]
    {
        assert_eq!(refused(&dev, path, &[]).await, nobody, "{path}");
    }
    assert_eq!(seen(&dev, "/http/raw/one/deep/x", &key).await["path"], "/x");
    for path in ["/http/none", "/http/raw", "/http//raw/one", "/http/RAW/one"] {
        assert_eq!(refused(&dev, path, &key).await, nothing, "{path}");
    }
    let hinted = ask(&dev, Method::GET, "/http/raw/onee", &key, Vec::new()).await.text().await.unwrap();
    assert!(hinted.contains("did you mean /http/raw/one"), "{hinted}");
    assert_eq!(refused(&dev, "/http/raw/one", &[("x-santokit-api-key", "stk_raw.wrong")]).await, nobody);
    assert_eq!(refused(&dev, "/p/mounted/prod/http/raw/one", &[]).await, nothing);
    assert_eq!(refused(&dev, "/p/mounted/dev/http/raw/one", &[("x-santokit-env", "prod")]).await.0, 400);
    for (method, allowed) in [(Method::PUT, false), (Method::TRACE, false), (Method::HEAD, true), (Method::POST, true)]
    {
        let answer = ask(&dev, method.clone(), "/http/raw/one/x", &[], Vec::new()).await;
        assert_eq!(answer.status().as_u16(), if allowed { 200 } else { 405 }, "{method}");
        assert_eq!(answer.headers().get("allow").is_some_and(|allow| allow == "GET, HEAD, POST"), !allowed, "{method}");
    }
    // One that is a logic as well is what its manifest says, and nothing else.
    let called = dev.client.logic("both", json!({})).await.unwrap();
    assert_eq!((called.status, &called.body["data"]["trigger"]), (200, &json!("request")), "{called:?}");
    let called = dev.client.with_key(KEY).logic("deep", json!({})).await.unwrap();
    assert_eq!((called.status, called.code()), (404, "NOT_FOUND"), "{called:?}");
    assert_eq!(dev.client.logic("deep", json!({})).await.unwrap().status, 401);
    assert_eq!(refused(&dev, "/http/both", &key).await, nothing);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_pass_as_they_come() {
    let folder =
        project(&[("raw", "auth: public\nmount: raw/one\nlimits: {output: 20MB, cpu: 20s, timeout: 60s}")]).await;
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    for size in [0, 1, 8_192, 900_000] {
        let sent: Vec<u8> = (0..size).map(|number: u32| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect();
        let answer = ask(&dev, Method::POST, "/http/raw/one/echo", &[], sent.clone()).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.bytes().await.unwrap() == sent, "{size}");
    }
    // What has begun to answer is heard before its request has ended: here the one waits for the other.
    let mut stream = TcpStream::connect(dev.client.url().trim_start_matches("http://")).await.unwrap();
    stream
        .write_all(
            b"POST /http/raw/one/echo HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n",
        )
        .await
        .unwrap();
    let mut came = Vec::new();
    while !contains(&came, "first") {
        let mut part = [0; 1_024];
        let length = stream.read(&mut part).await.unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&came));
        came.extend_from_slice(&part[..length]);
    }
    stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await.unwrap();
    while !contains(&came, "second") {
        let mut part = [0; 1_024];
        let length = stream.read(&mut part).await.unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&came));
        came.extend_from_slice(&part[..length]);
    }
    // A head without a body yet is sent, too.
    let script = json!({"part": "x", "times": 2, "waitMs": 500}).to_string();
    let answer = ask(&dev, Method::POST, "/http/raw/one/script", &[], script.into_bytes()).await;
    assert_eq!(answer.text().await.unwrap(), "xx");
    let head = ask(&dev, Method::HEAD, "/http/raw/one/x", &[], Vec::new()).await;
    assert_eq!((head.status().as_u16(), head.headers()["content-type"].to_str().unwrap()), (200, "application/json"));
    assert!(head.bytes().await.unwrap().is_empty());
    // Who does not listen answers nonetheless, and the connection goes on.
    let deaf = ask(&dev, Method::POST, "/http/raw/one/deaf", &[], vec![1; 900_000]).await;
    assert_eq!(deaf.text().await.unwrap(), "heard nothing");
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_moves_with_its_release() {
    let folder = project(&[("raw", "auth: public\nmount: raw/one")]).await;
    let mut dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let first = ask(&dev, Method::GET, "/http/raw/one/a", &[], Vec::new()).await;
    let release = first.headers()["x-santokit-release"].to_str().unwrap().to_owned();
    // What has begun on one release ends on it.
    let script = json!({"part": "part ", "times": 4, "waitMs": 1000}).to_string();
    let slow = ask(&dev, Method::POST, "/http/raw/one/script", &[], script.into_bytes()).await;
    assert_eq!(slow.headers()["x-santokit-release"].to_str().unwrap(), release);
    folder.edit("logics/raw/logic.yaml", "mount: raw/one", "mount: raw/two").unwrap();
    dev.wait_for("swapped", Duration::from_mins(1)).await.unwrap();
    assert_eq!(refused(&dev, "/http/raw/one/a", &[]).await.0, 401);
    let moved = ask(&dev, Method::GET, "/http/raw/two/a", &[], Vec::new()).await;
    assert_eq!(moved.status(), 200);
    assert_ne!(moved.headers()["x-santokit-release"].to_str().unwrap(), release);
    assert_eq!(slow.text().await.unwrap(), "part part part part ");
}
