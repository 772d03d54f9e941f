//! Who has a URL tries to do more with it, and who has none tries to make one.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{code, page, project, put, request, start, url};

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
    // Another env of the same Bridge would have another key; this one is not served.
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
