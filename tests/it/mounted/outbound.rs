//! What a mounted component asks others, by WASI's own interface: only with a grant, and in the terms of the requests of every logic.

use reqwest::Method;
use santokit_tests::{ProjectFolder, StkDev, stk};
use serde_json::{Value as Json, json};

use super::{ask, component, project};
use crate::guest_http::Service;

const FETCH: &str = "/http/raw/one/fetch";

async fn fetch(dev: &StkDev, steps: Json) -> Json {
    let answer = ask(dev, Method::POST, FETCH, &[], steps.to_string().into_bytes()).await;
    answer.json().await.unwrap()
}

async fn asking(service: &Service, limits: &str) -> ProjectFolder {
    let folder = project(&[("raw", &format!("auth: public\nmount: raw/one\n{limits}"))]).await;
    folder.edit("logics/raw/logic.yaml", "8443", &service.port.to_string()).unwrap();
    folder
}

async fn start(service: &Service, folder: &ProjectFolder) -> StkDev {
    let ca = service.folder.path().join("ca.pem");
    let env = [("STK_BRIDGE_EGRESS_ALLOW_PRIVATE", "127.0.0.0/8"), ("STK_BRIDGE_EGRESS_CA_FILE", ca.to_str().unwrap())];
    StkDev::start(folder.path(), &env).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_asks_whom_it_was_granted_and_nobody_else() {
    let service = Service::start();
    let folder = asking(&service, "").await;
    let dev = start(&service, &folder).await;
    let authority = format!("localhost:{}", service.port);
    let step = |more: Json| {
        let mut step = json!({"authority": authority, "path": "/v1/echo"});
        step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        step
    };
    let posted = json!({"method": "POST", "headers": [["authorization", "Bearer mine"], ["content-length", "5"]], "body": "hello"});
    let came = fetch(&dev, json!([step(json!({})), step(posted), step(json!({"path": "/v1/moved"}))])).await;
    assert_eq!((&came[0]["status"], &came[0]["body"]), (&json!(200), &json!("got")), "{came}");
    assert_eq!(came[1]["body"], "Bearer mine hello", "{came}");
    // Where it leads is the component's to follow.
    assert_eq!(came[2]["status"], 303, "{came}");
    for (what, refused, word) in [
        ("another path", json!({"path": "/admin"}), "HttpRequestDenied"),
        ("out of the path", json!({"path": "/v1/../admin"}), "HttpRequestDenied"),
        ("another method", json!({"method": "DELETE"}), "HttpRequestDenied"),
        ("another host", json!({"authority": "evil.test"}), "HttpRequestDenied"),
        ("another port", json!({"authority": "localhost:1"}), "HttpRequestDenied"),
        ("an address", json!({"authority": "127.0.0.1"}), "InternalError"),
        ("the address of metadata", json!({"authority": "169.254.169.254"}), "InternalError"),
        ("a user", json!({"authority": format!("a@{authority}")}), "InternalError"),
        ("no TLS", json!({"scheme": "http"}), "InternalError"),
        ("another scheme", json!({"scheme": "ftp"}), "InternalError"),
        ("an escaped slash", json!({"path": "/v1/..%2fadmin"}), "InternalError"),
        ("a method of proxies", json!({"method": "CONNECT"}), "InternalError"),
        ("a body of GET", json!({"body": "x"}), "InternalError"),
        ("a header of ours", json!({"headers": [["via", "x"]]}), "InternalError"),
        ("a host", json!({"headers": [["host", "evil.test"]]}), "Forbidden"),
        ("two headers", json!({"headers": [["x", "a\r\nb: c"]]}), "InvalidSyntax"),
    ] {
        let came = fetch(&dev, json!([step(refused)])).await;
        assert!(came[0]["error"].as_str().unwrap_or_default().contains(word), "{what}: {came}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_requests_and_their_bytes_are_counted_together() {
    let service = Service::start();
    let folder = asking(&service, "limits: {httpRequests: 5, httpBytes: 70KB, cpu: 2s}").await;
    let dev = start(&service, &folder).await;
    let authority = format!("localhost:{}", service.port);
    let large = json!({"authority": authority, "path": "/v1/large"});
    // Of 30,000 bytes each. All are sent at once.
    let came = fetch(&dev, json!([large, large, large])).await;
    let lengths: Vec<u64> = came.as_array().unwrap().iter().filter_map(|came| came["length"].as_u64()).collect();
    assert_eq!(lengths, [30_000, 30_000], "{came}");
    assert!(came.to_string().contains("HttpResponseBodySize"), "{came}");
    // What nobody waits for counts too.
    let forgotten = json!({"authority": authority, "path": "/v1/large", "forget": true});
    let came = fetch(&dev, json!([forgotten, forgotten, large])).await;
    assert!(came[2]["error"].as_str().unwrap().contains("HttpResponseBodySize"), "{came}");
    // A body that is written counts while it waits.
    let body = json!({"authority": authority, "path": "/v1/echo", "method": "POST", "body": "x".repeat(71_000)});
    let came = fetch(&dev, json!([body])).await;
    assert!(came[0]["error"].is_string(), "{came}");
    let small = json!({"authority": authority, "path": "/v1/echo"});
    let answer = ask(&dev, Method::POST, FETCH, &[], json!(vec![small; 6]).to_string().into_bytes()).await;
    let status = answer.status().as_u16();
    let body: Json = answer.json().await.unwrap();
    assert_eq!((status, &body["error"]["details"]["limit"]), (500, &json!("httpRequests")), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_grant_it_is_no_release() {
    let folder = project(&[("raw", "auth: public\nmount: raw/one")]).await;
    let manifest = "component: {path: raw.wasm}\nauth: public\nmount: raw/one\n";
    folder.write("logics/raw/logic.yaml", manifest).unwrap();
    let built = stk(folder.path(), &["logic", "build", "raw"], &[]).await.unwrap();
    assert_ne!(built.code, 0, "{built:?}");
    assert!(
        built.stderr.contains("wasi:http/outgoing-handler") && built.stderr.contains("grants no http"),
        "{built:?}"
    );
    // Nor where nobody has granted a private address: the Bridge's operator does, and never a manifest.
    let service = Service::start();
    let folder = asking(&service, "").await;
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let authority = format!("localhost:{}", service.port);
    let came = fetch(&dev, json!([{"authority": authority, "path": "/v1/echo"}])).await;
    assert!(came[0]["error"].as_str().unwrap().contains("DestinationIpProhibited"), "{came}");
    assert!(!component().await.is_empty());
}
