//! How mounted components go wrong, and what they try with an answer: what comes before its first byte is an error as of any logic, what
//! comes later breaks it off, and nothing of it reaches the next answer or another page.

use reqwest::Method;
use santokit_tests::StkDev;
use serde_json::{Value as Json, json};

use super::{ask, bytes, contains, project};

const SCRIPT: &str = "/http/raw/one/script";
const MANIFEST: &str = "auth: public\nmount: raw/one\nlimits: {timeout: 6s, cpu: 100ms, memory: 32MiB, output: 100KB}";

/// Status, error code and limit of an answer that is none of the component's.
async fn told(dev: &StkDev, script: Json) -> (u16, String, String) {
    let answer = ask(dev, Method::POST, SCRIPT, &[], script.to_string().into_bytes()).await;
    let status = answer.status().as_u16();
    let body: Json = answer.json().await.unwrap_or_default();
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    (status, text(&body["error"]["code"]), text(&body["error"]["details"]["limit"]))
}

/// All bytes that a client gets of an answer.
async fn came(dev: &StkDev, script: Json) -> Vec<u8> {
    let body = script.to_string();
    let head = format!(
        "POST {SCRIPT} HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    bytes(dev, (head + &body).as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_before_its_first_byte_is_an_error_that_says_why() {
    let folder = project(&[("raw", MANIFEST)]).await;
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let long = "x".repeat(60_000);
    for (script, limit) in [
        (json!({"before": "trap"}), ""),
        (json!({"before": "none"}), ""),
        (json!({"before": "error"}), ""),
        (json!({"before": "spin"}), "cpu"),
        (json!({"before": "wait"}), "timeout"),
        (json!({"before": "memory"}), "memory"),
        // It has begun an answer, of which nothing was sent yet.
        (json!({"end": "trap"}), ""),
        (json!({"end": "drop"}), ""),
        (json!({"status": 101}), ""),
        (json!({"status": 199}), ""),
        (json!({"status": 600}), ""),
        (json!({"headers": [["content-length", "100001"]]}), "output"),
        (json!({"headers": [["content-length", "3"]], "part": "four"}), ""),
        (json!({"headers": [["content-length", "5"]], "part": ""}), ""),
    ] {
        let told = told(&dev, script.clone()).await;
        assert_eq!(told, (500, "LOGIC_FAILED".to_owned(), limit.to_owned()), "{script}");
    }
    dev.wait_for_output("told to").await.unwrap();
    dev.wait_for_output("it ended without an answer").await.unwrap();
    // The same in good order.
    for script in [
        json!({"part": long}),
        json!({"part": "x".repeat(100), "times": 500}),
        json!({"headers": [["content-length", "4"]], "part": "four"}),
        json!({"status": 204}),
        json!({"status": 304}),
        json!({"status": 599}),
        json!({"part": "a", "end": "leak"}),
    ] {
        let answer = ask(&dev, Method::POST, SCRIPT, &[], script.to_string().into_bytes()).await;
        let status = script["status"].as_u64().unwrap_or(200);
        assert_eq!(
            u64::from(answer.status().as_u16()),
            status,
            "{}",
            script.to_string().chars().take(80).collect::<String>()
        );
        answer.bytes().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_later_is_seen_to_be_broken() {
    let folder = project(&[("raw", MANIFEST)]).await;
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let begun = |more: Json| {
        let mut script = json!({"part": "begun", "times": 2, "waitMs": 300});
        script.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        script
    };
    for end in ["trap", "spin", "wait", "drop", "late"] {
        let came = came(&dev, begun(json!({"end": end}))).await;
        assert!(contains(&came, "200 OK") && contains(&came, "begun"), "{end}: {}", String::from_utf8_lossy(&came));
        assert!(!came.ends_with(b"0\r\n\r\n"), "{end}: it looks whole");
        let read = ask(&dev, Method::POST, SCRIPT, &[], begun(json!({"end": end})).to_string().into_bytes()).await;
        assert!(read.bytes().await.is_err(), "{end}: a client takes it for whole");
    }
    assert!(came(&dev, begun(json!({}))).await.ends_with(b"0\r\n\r\n"));
    let long = came(&dev, json!({"part": "x".repeat(30_000), "times": 100})).await;
    assert!(long.len() < 200_000 && !long.ends_with(b"0\r\n\r\n"), "{}", long.len());
    // More, or less, than it said.
    for length in ["12", "7"] {
        let script = begun(json!({"headers": [["content-length", length]]}));
        let read = ask(&dev, Method::POST, SCRIPT, &[], script.to_string().into_bytes()).await;
        assert!(read.bytes().await.is_err(), "{length}: a client takes it for whole");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_the_clients_matter() {
    let folder =
        project(&[("raw", "auth: public\nmount: raw/one\nlimits: {output: 20MB, cpu: 20s, timeout: 60s}")]).await;
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let large = vec![b'x'; 10_000_001];
    for path in ["/http/raw/one/echo", "/http/raw/one/deaf"] {
        let answer = ask(&dev, Method::POST, path, &[], large.clone()).await;
        assert_eq!(answer.status(), 400, "{path}");
        let body: Json = answer.json().await.unwrap();
        assert_eq!(body["error"]["details"]["limit"], "requestBody", "{path}");
    }
    // One that does not say how long it is, of which the component reads all before it answers.
    let head = b"POST /http/raw/one/script HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut sent = head.to_vec();
    for _ in 0..11 {
        sent.extend_from_slice(b"F4240\r\n");
        sent.extend_from_slice(&vec![b' '; 1_000_000]);
        sent.extend_from_slice(b"\r\n");
    }
    sent.extend_from_slice(b"0\r\n\r\n");
    let came = bytes(&dev, &sent).await;
    assert!(contains(&came, "400 Bad Request") && contains(&came, "requestBody"), "{}", String::from_utf8_lossy(&came));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_says_nothing_that_is_not_its_own() {
    let folder = project(&[("raw", MANIFEST)]).await;
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let headers = json!([
        ["x-split", "a\r\nset-cookie: stk_access_mounted_dev=planted"],
        ["x-split", "a\nplanted: 1"],
        ["x split", "planted"],
        ["x-nul", "planted\u{0}"],
        ["transfer-encoding", "chunked"],
        ["connection", "x-hop"],
        ["upgrade", "planted"],
        ["te", "planted"],
        ["content-length", "4"],
        ["content-length", "5"],
        ["x-fine", "kept"],
        ["x-santokit-release", "planted"],
        ["x-request-id", "planted"],
        ["access-control-allow-origin", "*"],
        ["access-control-allow-credentials", "true"],
        ["strict-transport-security", "planted"],
        ["clear-site-data", "\"*\""],
        ["service-worker-allowed", "/"],
        ["set-cookie", "stk_access_mounted_dev=planted"],
        ["set-cookie", "=stk_access_mounted_dev=planted"],
        ["set-cookie", "own=1; Path=/; Domain=a.test; HttpOnly"],
        ["content-type", "text/html"],
    ]);
    let came = came(&dev, json!({"headers": headers, "part": "four"})).await;
    let text = String::from_utf8(came).unwrap();
    assert!(!text.contains("planted") && !text.contains("access-control") && !text.contains("clear-site"), "{text}");
    for line in [
        "x-refused: x-split x-split x split x-nul transfer-encoding connection upgrade te content-length\r\n",
        "content-length: 4\r\n",
        "x-fine: kept\r\n",
        "set-cookie: own=1; HttpOnly; Path=/http/raw/one\r\n",
        "content-security-policy: sandbox ",
        "x-content-type-options: nosniff\r\n",
        "cache-control: no-store\r\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(
        (text.matches("\r\nset-cookie:").count(), text.matches("\r\ncontent-length:").count()),
        (1, 1),
        "{text}"
    );
    assert!(text.ends_with("\r\n\r\nfour"), "{text}");
    // The release says which pages may read it, and the component does not.
    let page = [("origin", "https://page.test")];
    let script = json!({"headers": [["access-control-allow-origin", "https://evil.test"]]}).to_string().into_bytes();
    let answer = ask(&dev, Method::POST, SCRIPT, &page, script.clone()).await;
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://page.test");
    let evil = ask(&dev, Method::POST, SCRIPT, &[("origin", "https://evil.test")], script).await;
    assert!(!evil.headers().contains_key("access-control-allow-origin"));
    let preflight = [("origin", "https://page.test"), ("access-control-request-method", "POST")];
    for path in [SCRIPT, "/p/mounted/dev/http/raw/one/script"] {
        assert_eq!(ask(&dev, Method::OPTIONS, path, &preflight, Vec::new()).await.status(), 204, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_smuggled_reaches_nobody() {
    let folder = project(&[("raw", MANIFEST)]).await;
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    // A component that does not read the body leaves nothing of it for the next request of the connection.
    let inner = "GET /http/raw/one/smuggled HTTP/1.1\r\nhost: a.test\r\n\r\n";
    let deaf =
        format!("POST /http/raw/one/deaf HTTP/1.1\r\nhost: a.test\r\ncontent-length: {}\r\n\r\n{inner}", inner.len());
    let next = "GET /http/raw/one/next HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n";
    let came = bytes(&dev, format!("{deaf}{next}").as_bytes()).await;
    let text = String::from_utf8_lossy(&came);
    assert!(text.contains("heard nothing") && text.contains("/next") && !text.contains("smuggled"), "{text}");
    for head in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "content-length: 5\r\ncontent-length: 6",
        "transfer-encoding: chunked, identity",
        "host: b.test@evil.test",
    ] {
        let sent = format!(
            "POST /http/raw/one HTTP/1.1\r\n{head}\r\nhost: a.test\r\nconnection: close\r\n\r\n0\r\n\r\n{next}"
        );
        let came = bytes(&dev, sent.as_bytes()).await;
        let text = String::from_utf8_lossy(&came);
        let is_one = text.matches("HTTP/1.1 ").count() == 1;
        assert!(is_one && !text.contains("/next"), "{head}: {text}");
    }
    let nowhere = bytes(&dev, b"GET /http/raw/one HTTP/1.0\r\n\r\n").await;
    assert!(contains(&nowhere, "400 Bad Request"), "{}", String::from_utf8_lossy(&nowhere));
}
