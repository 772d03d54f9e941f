//! Who has a URL tries to do more with it, and who has none tries to make one.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{code, page, project, put, request, start, url};
use crate::lab::{Lab, SECRET};

const FORBIDDEN: (u16, &str) = (403, "FORBIDDEN");

#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_for_one_deed_with_one_object() {
    let folder = project();
    let (dev, _, editor) = start(folder.path()).await;
    page(&editor, "pages/mine", "text/plain", b"mine").await;
    page(&editor, "pages/other", "text/plain", b"other").await;
    let get = url(&dev.client, "download_sign", json!({"key": "pages/mine"})).await;
    let to = url(&editor, "upload_sign", json!({"key": "pages/mine", "size": 4})).await;
    let refused = |method: Method, url: String| async move {
        let (status, code) = code(request(method, &url).body("stolen").send().await.unwrap()).await;
        (status, code)
    };
    for (method, changed) in [
        (Method::PUT, get.clone()),
        (Method::DELETE, get.clone()),
        (Method::POST, get.clone()),
        (Method::GET, to.clone()),
        (Method::GET, get.replace("pages/mine", "pages/other")),
        (Method::GET, get.replace("/images/", "/closed/")),
        (Method::GET, get.replace("/images/", "/none/")),
        (Method::GET, get.replace("pages/mine", "pages/x%2F..%2Fmine")),
        (Method::GET, get.replace("pages/mine", "pages//mine")),
        (Method::GET, get.replace("expires=", "expires=9")),
        (Method::GET, get.replace("verb=get", "verb=put")),
        (Method::GET, format!("{get}&expires=99999999999")),
        (Method::GET, format!("{get}&save=x")),
        (Method::GET, get.split("&signature").next().unwrap().to_owned()),
        (Method::GET, get.split('?').next().unwrap().to_owned()),
        (Method::PUT, to.replace("size=4", "size=6")),
        (Method::PUT, to.replace("size=4", "max=100")),
        (Method::PUT, to.replace("pages/mine", "products/mine")),
    ] {
        let (status, code) = refused(method.clone(), changed.clone()).await;
        let is_refused = (status, code.as_str()) == FORBIDDEN || status == 404;
        assert!(is_refused, "{method} {changed}: {status} {code}");
    }
    // This env is not served.
    let (status, _) = refused(Method::GET, get.replace("/objects/dev/", "/objects/prod/")).await;
    assert!(status == 404 || status == 403, "{status}");
    let whole = request(Method::GET, &get).send().await.unwrap();
    assert_eq!(whole.text().await.unwrap(), "mine", "nothing of it was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_ends_and_outlives_its_bridge() {
    let folder = project();
    let (dev, _, editor) = start(folder.path()).await;
    page(&editor, "pages/mine", "text/plain", b"mine").await;
    let short = url(&dev.client, "download_sign", json!({"key": "pages/mine", "expiresIn": 1})).await;
    let get = url(&dev.client, "download_sign", json!({"key": "pages/mine"})).await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let (status, code) = code(request(Method::GET, &short).send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), FORBIDDEN);
    let before = dev.client.url().to_owned();
    drop(dev);
    let (dev, _, _) = start(folder.path()).await;
    let again = get.replace(&before, dev.client.url());
    assert_eq!(request(Method::GET, &again).send().await.unwrap().text().await.unwrap(), "mine");
}

/// What clients normalise is sent as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_leads_nowhere_else() {
    let folder = project();
    let (dev, _, editor) = start(folder.path()).await;
    page(&editor, "pages/mine", "text/plain", b"mine").await;
    let get = url(&dev.client, "download_sign", json!({"key": "pages/mine"})).await;
    let path = get.strip_prefix(dev.client.url()).unwrap();
    for changed in [
        path.replace("pages/mine", "pages/../pages/mine"),
        path.replace("pages/mine", "pages/./mine"),
        path.replace("pages/mine", "pages/%2e%2e/pages/mine"),
        path.replace("pages/mine", "pages/mine%00"),
        path.replace("pages/mine", "pages/mine%0a"),
        path.replace("pages/mine", "pages\\mine"),
        path.replace("pages/mine", "%2e%2e/%2e%2e/%2e%2e/index.db"),
        path.replace("pages/mine", "pages/%FF"),
        path.replace("/storage/", "/storage/../storage/"),
    ] {
        let mut stream = TcpStream::connect(dev.client.url().trim_start_matches("http://")).await.unwrap();
        let sent = format!("GET {changed} HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n");
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut came = Vec::new();
        stream.read_to_end(&mut came).await.unwrap();
        let came = String::from_utf8_lossy(&came);
        let status = came.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "400" | "403" | "404"), "{changed}: {came}");
        assert!(!came.contains("\r\n\r\nmine"), "{changed}");
    }
    assert_eq!(put(&get, "text/plain", b"x").await.status(), 403);
}

/// Each env has a key of its own: at another one that the same Bridge serves, a URL is one that nobody has signed.
#[tokio::test(flavor = "multi_thread")]
async fn a_url_of_one_env_is_none_of_another() {
    let lab = Lab::start("apart").await;
    let policies = "\"*\": {upload_sign: {roles: [public]}, download_sign: {roles: [public]}}";
    let storage = format!("version: 1\nbuckets:\n  images: {{provider: local, policies: {{{policies}}}}}\n");
    lab.folder.write("config/storage.yaml", &storage).unwrap();
    lab.done(&["env", "create", "dev"], "").await;
    let database = format!("sqlite:{}", lab.dir.path().join("dev.db").display());
    lab.done(&["connections", "set", "main", "--env", "dev", "--engine", "sqlite", "--url-stdin"], &database).await;
    lab.done(&["secrets", "set", "TOKEN", "--env", "dev"], SECRET).await;
    let token = lab.done(&["hub", "token", "create", "both", "--for", "apart/prod", "--for", "apart/dev"], "").await;
    let settings =
        [("STK_BRIDGE_SERVICE_TOKEN", token["token"].as_str().unwrap()), ("STK_BRIDGE_ENVS", "apart/prod,apart/dev")];
    let bridge = lab.bridge("both", &settings).await;
    lab.apply().await;
    lab.done(&["apply", "--env", "dev", "--accept-grants", "--yes"], "").await;
    let signed = async |env: &str, op: &str| {
        let asked = bridge.client.http().post(format!("{}/storage/images/{op}", bridge.client.url()));
        let asked = asked.header("content-type", "application/json").header("x-santokit-project", "apart");
        let asked = asked.header("x-santokit-env", env);
        let answer = bridge.client.send(asked.body(json!({"key": "a"}).to_string())).await.unwrap();
        answer.body["data"]["url"].as_str().unwrap_or_else(|| panic!("{env} {op}: {answer:?}")).to_owned()
    };
    for (env, body) in [("prod", "of prod"), ("dev", "of dev")] {
        let put = request(Method::PUT, &signed(env, "upload_sign").await).body(body).send().await.unwrap();
        assert_eq!(put.status(), 200, "{env}");
    }
    for (env, other, body) in [("prod", "dev", "of prod"), ("dev", "prod", "of dev")] {
        let get = signed(env, "download_sign").await;
        assert_eq!(request(Method::GET, &get).send().await.unwrap().text().await.unwrap(), body);
        let put = signed(env, "upload_sign").await;
        for (method, url) in [(Method::GET, get), (Method::PUT, put)] {
            let changed = url.replace(&format!("/apart/{env}/"), &format!("/apart/{other}/"));
            assert_ne!(changed, url);
            let (status, code) = code(request(method, &changed).body("stolen").send().await.unwrap()).await;
            assert_eq!((status, code.as_str()), FORBIDDEN, "{changed}");
        }
        let kept = request(Method::GET, &signed(other, "download_sign").await).send().await.unwrap();
        assert_eq!(kept.text().await.unwrap(), format!("of {other}"));
    }
}
