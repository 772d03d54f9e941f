//! Applications and a store that speaks S3: the URLs lead to the store itself, which holds their holders to what was signed.

use reqwest::{Client, Method, Response};
use santokit_tests::{Answer, BridgeClient, ProjectFolder, S3, StkDev};
use serde_json::{Value as Json, json};

use super::{APP, EDITOR, SHA_ABC, request};

const OPENED: (&str, &str) = ("STK_BRIDGE_STORAGE_ALLOW_PRIVATE", "127.0.0.0/8");

fn project(s3: &S3) -> ProjectFolder {
    project_of(s3, "")
}

fn project_of(s3: &S3, more: &str) -> ProjectFolder {
    let policies = "policies:
      \"products/*\":
        download_sign: {roles: [public]}
        upload_sign: {roles: [editor], maxSize: 1KB, allowedTypes: [image/*]}
        delete: {roles: [editor]}
      \"pages/*\": {upload_sign: {roles: [editor]}, download_sign: {roles: [public]}}";
    let storage =
        format!("version: 1\nbuckets:\n  images:\n    {}\n    {policies}\n", s3.declared(more).replace(", ", "\n    "));
    ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: objects\n"),
        ("config/storage.yaml", &storage),
        ("santokit.dev.yaml", &dev_file(&s3.secrets())),
    ])
    .unwrap()
}

fn dev_file(secrets: &str) -> String {
    format!(
        "connections:\n  main: {{engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}}\n\
         apiKeys:\n  - {{name: app, key: {APP}, roles: [app]}}\n  - {{name: editor, key: {EDITOR}, roles: [editor]}}\n{secrets}"
    )
}

async fn ask(client: &BridgeClient, op: &str, params: Json) -> Answer {
    client.post(&format!("/storage/images/{op}"), params.to_string()).await.unwrap()
}

/// Puts bytes as an answer of `upload_sign` says, with other headers where they are named.
async fn put(answer: &Answer, body: &[u8], other: &[(&str, &str)]) -> Response {
    put_by(&Client::new(), answer, body, other).await
}

/// The same, by one who finds the store.
async fn put_by(http: &Client, answer: &Answer, body: &[u8], other: &[(&str, &str)]) -> Response {
    let data = &answer.body["data"];
    let mut asked = http.put(data["url"].as_str().unwrap_or_else(|| panic!("{answer:?}")));
    for (name, value) in data["headers"].as_object().unwrap() {
        let changed = other.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        asked = asked.header(name, changed.map_or_else(|| value.as_str().unwrap(), |(_, value)| *value));
    }
    asked.header("content-length", body.len()).body(body.to_vec()).send().await.unwrap()
}

async fn get(http: &Client, client: &BridgeClient, params: Json) -> Response {
    let answer = ask(client, "download_sign", params).await;
    http.get(answer.body["data"]["url"].as_str().unwrap()).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_goes_to_the_store_and_comes_from_it() {
    let s3 = S3::bucket().await.unwrap();
    let place = format!("{}/{}/dev/", s3.endpoint, s3.bucket);
    goes_and_comes(&s3, &project(&s3), &place).await;
}

/// The same where the bucket stands in the host's name.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_goes_to_a_store_that_names_its_buckets_and_comes_from_it() {
    let s3 = S3::bucket().await.unwrap();
    let named = s3.by_name().unwrap();
    let (scheme, host) = named.endpoint.split_once("://").unwrap();
    let place = format!("{scheme}://{}.{host}/dev/", s3.bucket);
    goes_and_comes(&s3, &project_of(&named, ", pathStyle: false"), &place).await;
}

async fn goes_and_comes(s3: &S3, folder: &ProjectFolder, place: &str) {
    let dev = StkDev::start(folder.path(), &[OPENED]).await.unwrap();
    let (editor, http) = (dev.client.with_key(EDITOR), s3.http(&[]).unwrap());
    let key = "products/7/caf\u{e9}.png";
    let asked = json!({"key": key, "contentType": "image/png", "size": 3, "sha256": SHA_ABC});
    let answer = ask(&editor, "upload_sign", asked).await;
    let data = &answer.body["data"];
    assert_eq!((&data["method"], &data["size"], &data["key"]), (&json!("PUT"), &json!(3), &json!(key)), "{answer:?}");
    let headers =
        json!({"Content-Type": "image/png", "X-Amz-Checksum-Sha256": "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="});
    assert_eq!(data["headers"], headers);
    assert!(data["url"].as_str().unwrap().starts_with(&format!("{place}products/7/caf%C3%A9.png?")), "{data}");
    let stored = put_by(&http, &answer, b"abc", &[]).await;
    assert_eq!(stored.status(), 200, "{}", stored.text().await.unwrap());
    assert_eq!(s3.get("dev/products/7/caf\u{e9}.png").await.unwrap().as_deref(), Some(&b"abc"[..]));
    let told = ask(&editor, "upload_complete", json!({"key": key})).await;
    assert_eq!((told.status, &told.body["data"]["size"]), (200, &json!(3)), "{told:?}");

    let read = get(&http, &dev.client, json!({"key": key, "saveAs": "a \"b\".png", "expiresIn": 60})).await;
    assert_eq!(read.headers()["content-type"], "image/png");
    assert_eq!(read.headers()["content-disposition"], "attachment; filename*=UTF-8''a%20%22b%22%2Epng");
    assert_eq!(read.bytes().await.unwrap(), "abc");
    let removed = ask(&editor, "delete", json!({"key": key})).await;
    assert_eq!(removed.body["data"], json!({"deleted": true}), "{removed:?}");
    let removed = ask(&editor, "delete", json!({"key": key})).await;
    assert_eq!(removed.body["data"], json!({"deleted": false}), "{removed:?}");
    assert_eq!(get(&http, &dev.client, json!({"key": key})).await.status(), 404);
    // The Bridge has no URL of its own for it.
    let own =
        format!("{}/p/objects/dev/storage/images/{key}?verb=get&expires=9999999999&signature=AA", dev.client.url());
    assert_eq!(request(Method::GET, &own).send().await.unwrap().status(), 403);
    let said = dev.output();
    assert!(!said.contains("X-Amz-Signature") && !said.contains(&s3.secret), "a URL is a credential: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_holds_to_what_was_signed() {
    let s3 = S3::bucket().await.unwrap();
    let folder = project(&s3);
    let dev = StkDev::start(folder.path(), &[OPENED]).await.unwrap();
    let editor = dev.client.with_key(EDITOR);
    for (params, status, code) in [
        // A store cannot be told a maximum.
        (json!({"key": "products/1", "contentType": "image/png"}), 400, "BAD_REQUEST"),
        (json!({"key": "products/1", "contentType": "image/png", "size": 1_001}), 400, "BAD_REQUEST"),
        (json!({"key": "products/1", "contentType": "text/html", "size": 3}), 400, "SCHEMA_VALIDATION_FAILED"),
        (json!({"key": "other", "size": 3}), 403, "FORBIDDEN"),
    ] {
        let answer = ask(&editor, "upload_sign", params.clone()).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{params}: {answer:?}");
    }
    let small = ask(&editor, "upload_sign", json!({"key": "products/1", "contentType": "image/png", "size": 3})).await;
    let digest = ask(&editor, "upload_sign", json!({"key": "pages/digest", "size": 3, "sha256": SHA_ABC})).await;
    for (answer, body, other, why) in [
        (&small, &b"abcd"[..], &[][..], "too long"),
        (&small, b"ab", &[], "too short"),
        (&small, b"abc", &[("content-type", "text/html")][..], "another type"),
        (&digest, b"abd", &[], "other bytes"),
        (
            &digest,
            b"abd",
            &[("x-amz-checksum-sha256", "pS16/BbV+CXGEPBpZL86C5cGOlLxWXSWFsJr4bE0Fow=")],
            "another digest",
        ),
    ] {
        let refused = put(answer, body, other).await.status();
        assert!(refused == 400 || refused == 403, "{why}: {refused}");
    }
    let url = small.body["data"]["url"].as_str().unwrap();
    for changed in [
        url.replace("products/1", "pages/1"),
        url.replace("/dev/", "/prod/"),
        url.replace("X-Amz-Expires=3600", "X-Amz-Expires=36000"),
        url.replace("content-length%3B", ""),
        url.split('?').next().unwrap().to_owned(),
    ] {
        assert_ne!(changed, url);
        let sent = request(Method::PUT, &changed).header("content-type", "image/png").body("abc").send().await.unwrap();
        assert!(sent.status().is_client_error(), "{changed}: {}", sent.status());
        let read = request(Method::GET, &changed).send().await.unwrap();
        assert!(read.status().is_client_error(), "{changed}: {}", read.status());
    }
    // Of `pages/digest` it is not asked: s3s-fs says no, and has written it.
    for key in ["dev/products/1", "dev/pages/1", "prod/products/1"] {
        assert_eq!(s3.get(key).await.unwrap(), None, "{key}: nothing was put");
    }
    assert_eq!(put(&small, b"abc", &[]).await.status(), 200);
    let new = ask(&editor, "upload_sign", json!({"key": "pages/1", "size": 1, "onlyNew": true})).await;
    assert_eq!(put(&new, b"x", &[]).await.status(), 200);
    assert_eq!(put(&new, b"y", &[]).await.status(), 412);
    assert_eq!(s3.get("dev/pages/1").await.unwrap().as_deref(), Some(&b"x"[..]));
    let short = ask(&dev.client, "download_sign", json!({"key": "pages/1", "expiresIn": 1})).await;
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    let late = request(Method::GET, short.body["data"]["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(late.status(), 403);
}

/// What lies in a store may be put by others, or at a URL that is older than the rules: it is told of only where it may be there.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_not_said_to_be_uploaded() {
    let s3 = S3::bucket().await.unwrap();
    let folder = project(&s3);
    let dev = StkDev::start(folder.path(), &[OPENED]).await.unwrap();
    let editor = dev.client.with_key(EDITOR);
    let fine = json!({"key": "products/1", "contentType": "image/png", "size": 3});
    assert_eq!(put(&ask(&editor, "upload_sign", fine).await, b"abc", &[]).await.status(), 200);
    s3.put("dev/products/2", &[0; 1_001]).await.unwrap();
    s3.put("dev/products/3", b"<html>").await.unwrap();
    s3.put("dev/pages/1", &[0; 1_001]).await.unwrap();
    for (key, status, code) in [
        ("products/1", 200, ""),
        ("products/2", 400, "BAD_REQUEST"),
        ("products/3", 400, "SCHEMA_VALIDATION_FAILED"),
        ("pages/1", 200, ""),
    ] {
        let answer = ask(&editor, "upload_complete", json!({"key": key})).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{key}: {answer:?}");
    }
}

/// A key is exchanged without a restart, and a private address is spoken to where the operator says so.
#[tokio::test(flavor = "multi_thread")]
async fn who_runs_the_bridge_says_where_stores_are() {
    let s3 = S3::bucket().await.unwrap();
    let folder = project(&s3);
    let refused = StkDev::start(folder.path(), &[]).await.err().unwrap().to_string();
    assert!(refused.contains("storageAllowPrivate"), "{refused}");
    let secrets = s3.secrets().replace(&s3.secret, "wrong");
    folder.write("santokit.dev.yaml", &dev_file(&secrets)).unwrap();
    let dev = StkDev::start(folder.path(), &[OPENED]).await.unwrap();
    let editor = dev.client.with_key(EDITOR);
    let removed = ask(&editor, "delete", json!({"key": "products/1"})).await;
    assert_eq!((removed.status, removed.code()), (503, "SERVICE_UNAVAILABLE"), "{removed:?}");
    assert!(!removed.body.to_string().contains("Signature"), "why is for the log: {removed:?}");
    let told = "a store of S3 does not do what is asked: see stk storage test";
    assert!(dev.output().contains(told), "{}", dev.output());
    folder.write("santokit.dev.yaml", &dev_file(&s3.secrets())).unwrap();
    let mut status = 0;
    for _ in 0..100 {
        status = ask(&editor, "delete", json!({"key": "products/1"})).await.status;
        if status == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert_eq!(status, 200, "{}", dev.output());
}
