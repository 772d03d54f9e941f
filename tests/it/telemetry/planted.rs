//! Secrets are planted wherever a client, a guest, a database or a configuration can hold one, and looked for in every byte that
//! leaves the process for those who watch it. What a guest itself writes to its log is the guest's own business: this one
//! writes no secret.

use reqwest::Method;
use santokit_tests::{Answer, Collector, StkDev};
use serde_json::json;

use super::{HIDDEN_CONFIG, HIDDEN_SECRET, IN_URL, KEY, ROW, SECRET, project, trace, watched};

/// All that could log a value, at its finest; the compiler's own trace would be gigabytes.
const FINEST: &str = "debug,santokit_bridge=trace,santokit_hub=trace,santokit_wasm=trace,stk=trace,guest=trace,sqlx=trace,cranelift=info,wasmtime=info,cranelift_codegen=info,regalloc2=info";
/// Of the collector: an operator's credential.
const HEADER: &str = "planted-header-77c0b1";

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_a_trace_a_log_line_a_metric_or_an_error() {
    let (folder, collector) = (project(), Collector::start().await.unwrap());
    let headers = format!("authorization=Bearer%20{HEADER}");
    let env = [("STK_LOG", FINEST), ("RUST_LOG", FINEST), ("OTEL_EXPORTER_OTLP_HEADERS", headers.as_str())];
    let dev = watched(&folder, &collector, &env).await;
    let mut answers = Vec::new();
    credentials(&dev, &mut answers).await;
    values(&dev, &mut answers).await;
    odd_requests(&dev, &mut answers).await;
    let metrics = dev.client.get("/metrics").await.unwrap();
    for answer in &answers {
        trace(&collector, answer).await;
    }

    // What the caller itself sent comes back where an error names it, and a row to who may read it.
    let of_operator = [KEY, SECRET, HIDDEN_SECRET, HIDDEN_CONFIG, IN_URL, HEADER];
    let told = format!("{answers:?}");
    for planted in of_operator.map(|planted| planted.rsplit('.').next().unwrap()) {
        assert!(!told.contains(planted), "{planted} is in an answer");
    }
    let written = dev.output() + &metrics.body.to_string();
    let spans = format!("{:?}", collector.spans());
    assert!(collector.has_bytes("bridge.request") && spans.contains("host.secrets"), "{spans}");
    assert!(collector.has_bytes(HEADER), "the collector's own credential is in its headers");
    assert!(!spans.contains("planted-"), "{spans}");
    let of_client =
        ["jwt", "bearer", "basic", "cookie", "param", "bound", "path", "query", "agent", "method", "hint", "field"];
    let of_client = of_client.map(|name| format!("planted-{name}"));
    let all = of_operator.iter().chain([&ROW, &"planted-wrong"]).map(|text| (*text).to_owned()).chain(of_client);
    for planted in all {
        // Of `stk_id.secret`, the secret.
        let planted = planted.rsplit('.').next().unwrap();
        assert!(!written.contains(planted), "{planted} is in a log line or a metric: {}", around(&written, planted));
        assert!(planted == HEADER || !collector.has_bytes(planted), "{planted} is in a trace");
    }
}

async fn credentials(dev: &StkDev, answers: &mut Vec<Answer>) {
    let post = || dev.client.http().post(format!("{}/logics/find", dev.client.url())).body(r#"{"text": "x"}"#);
    let requests = [
        (post().header("x-santokit-api-key", KEY), 200),
        (post().header("authorization", format!("Bearer {KEY}")), 200),
        (post().header("x-santokit-api-key", "stk_watcher.planted-wrong"), 401),
        (post().header("x-santokit-api-key", "planted-wrong"), 401),
        (post().header("x-santokit-api-key", "stk_planted-wrong.x"), 401),
        (post().header("authorization", "Bearer stk_watcher.planted-bearer"), 401),
        (post().header("authorization", "Bearer planted-jwt.e30.x"), 401),
        (post().header("authorization", "Basic planted-basic"), 401),
        (post().header("cookie", "stk_access_watch_dev=planted-cookie; other=planted-cookie"), 401),
        (post().header("proxy-authorization", "Bearer planted-bearer").header("user-agent", "planted-agent"), 200),
        (post().header("x-santokit-project", "planted-hint"), 404),
        (post().header("x-santokit-api-key", KEY).header("x-santokit-env", "planted-hint"), 403),
    ];
    for (request, status) in requests {
        let answer = dev.client.send(request).await.unwrap();
        assert_eq!(answer.status, status, "{answer:?}");
        answers.push(answer);
    }
}

async fn values(dev: &StkDev, answers: &mut Vec<Answer>) {
    for (logic, params, status) in [
        ("find", json!({"text": "planted-bound"}), 200),
        ("take", json!({"text": "planted-bound"}), 200),
        ("take", json!({"text": "planted-bound"}), 409),
        // The engine's words, and the evaluator's, repeat it.
        ("path", json!({"text": "planted-bound"}), 500),
        ("find", json!({"text": {"a": "planted-param"}}), 400),
        ("find", json!({"text": "x", "planted-param": 1}), 400),
        ("work", json!({"value": "planted-param"}), 200),
        ("work", json!({"mode": "throw", "value": "planted-param"}), 500),
        ("work", json!({"mode": "refuse", "value": "planted-param"}), 422),
        ("work", json!({"mode": "loop", "value": "planted-param"}), 500),
    ] {
        let answer = dev.client.logic(logic, params).await.unwrap();
        assert_eq!(answer.status, status, "{logic}: {answer:?}");
        answers.push(answer);
    }
    let picky = dev.client.with_key(KEY).logic("picky", json!({"text": "planted-param"})).await.unwrap();
    assert_eq!(picky.status, 403, "{picky:?}");
    answers.push(picky);
    assert!(answers.iter().any(|answer| answer.body.to_string().contains(ROW)), "a row was read");
}

async fn odd_requests(dev: &StkDev, answers: &mut Vec<Answer>) {
    let (http, url) = (dev.client.http(), dev.client.url());
    let requests = [
        http.post(format!("{url}/logics/planted-path?planted-query=1")).body("{}"),
        http.post(format!("{url}/planted-path/x?planted-query=1")).body("{}"),
        http.get(format!("{url}/logics/planted-path")),
        http.request(Method::from_bytes(b"planted-method").unwrap(), format!("{url}/call")),
        http.post(format!("{url}/call")).body(r#"{"planted-field": 1}"#),
        http.post(format!("{url}/call")).body(r#"{"path": "planted-path"}"#),
        http.post(format!("{url}/call")).body(r#"{"path": "logics/planted-path", "params": {"x": "planted-param"}}"#),
        http.post(format!("{url}/call")).body(r#"{"text": "planted-param"#),
    ];
    for request in requests {
        let answer = dev.client.send(request).await.unwrap();
        assert!((400..500).contains(&answer.status), "{answer:?}");
        answers.push(answer);
    }
}

fn around<'a>(text: &'a str, planted: &str) -> &'a str {
    text.lines().find(|line| line.contains(planted)).unwrap_or_default()
}
