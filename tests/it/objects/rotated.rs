//! What opens a bucket is exchanged, at the store and for the Bridge, while applications use it: nothing is started again, and an upload that was begun
//! goes on.

use std::time::Duration;

use reqwest::Method;
use santokit_tests::{Answer, BridgeClient, ProjectFolder, Relay, S3, Service, StkDev};
use serde_json::{Value as Json, json};

use super::{APP, EDITOR, request};

const PART: usize = 8 << 20;
const OPENED: (&str, &str) = ("STK_BRIDGE_STORAGE_ALLOW_PRIVATE", "127.0.0.0/8");

fn project(s3: &S3) -> ProjectFolder {
    let policies = "policies: {\"films/*\": {upload_sign: {roles: [editor]}, download_sign: {roles: [editor]}, delete: {roles: [editor]}}}";
    ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: objects\n"),
        ("config/storage.yaml", &format!("version: 1\nbuckets:\n  films: {{{}, {policies}}}\n", s3.declared(""))),
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

async fn ask(editor: &BridgeClient, op: &str, params: Json) -> Answer {
    editor.post(&format!("/storage/films/{op}"), params.to_string()).await.unwrap()
}

async fn begin(editor: &BridgeClient, key: &str, size: usize) -> Json {
    let answer = ask(editor, "multipart_start", json!({"key": key, "size": size})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    json!({"upload": answer.body["data"]["upload"]})
}

/// Number and URL of each part that is missing.
fn missing(signed: &Answer) -> Vec<(u64, String)> {
    let parts = signed.body["data"]["parts"].as_array().unwrap_or_else(|| panic!("{signed:?}"));
    parts.iter().map(|part| (part["part"].as_u64().unwrap(), part["url"].as_str().unwrap().to_owned())).collect()
}

async fn put(url: &str, body: &[u8]) -> u16 {
    request(Method::PUT, url).body(body.to_vec()).send().await.unwrap().status().as_u16()
}

async fn read(editor: &BridgeClient, key: &str) -> (u16, Vec<u8>) {
    let answer = ask(editor, "download_sign", json!({"key": key})).await;
    let url = answer.body["data"]["url"].as_str().unwrap_or_else(|| panic!("{answer:?}"));
    let read = request(Method::GET, url).send().await.unwrap();
    (read.status().as_u16(), read.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_opens_a_bucket_is_exchanged_and_an_upload_in_parts_goes_on() {
    let mut before = Service::S3.start().await.unwrap();
    let (relay, made) = (Relay::start().await.unwrap(), S3::bucket_of(before.url()).await.unwrap());
    relay.point_to(&made.endpoint).unwrap();
    // The store is at one address, whichever key opens it.
    let s3 = S3 { endpoint: relay.url.clone(), ..made };
    let folder = project(&s3);
    let dev = StkDev::start(folder.path(), &[OPENED]).await.unwrap();
    let editor = dev.client.with_key(EDITOR);
    let bytes: Vec<u8> = (0..PART + 3).map(|at| (at.wrapping_mul(31) >> 3).to_le_bytes()[0]).collect();
    s3.put("dev/films/old", b"old").await.unwrap();
    let (upload, other) = (begin(&editor, "films/a", bytes.len()).await, begin(&editor, "films/b", 3).await);
    let first = missing(&ask(&editor, "multipart_sign", upload.clone()).await);
    assert_eq!(put(&first[0].1, &bytes[..PART]).await, 200);
    assert_eq!(read(&editor, "films/old").await, (200, b"old".to_vec()));

    let after = S3::exchanged(&before, "test-secret-71d0").await.unwrap();
    let next = S3::bucket_of(after.url()).await.unwrap();
    assert_eq!((&next.key, next.secret == s3.secret), (&s3.key, false));
    relay.point_to(&next.endpoint).unwrap();
    before.stop().unwrap();
    // The Bridge has the key of before still.
    let refused = ask(&editor, "multipart_sign", upload.clone()).await;
    assert_eq!((refused.status, refused.code()), (503, "SERVICE_UNAVAILABLE"), "{refused:?}");
    assert_eq!(read(&editor, "films/old").await.0, 403);
    assert_eq!(put(&first[1].1, &bytes[PART..]).await, 403, "a URL of before is good no more");

    folder.write("santokit.dev.yaml", &dev_file(&next.secrets())).unwrap();
    let mut signed = refused;
    for _ in 0..300 {
        signed = ask(&editor, "multipart_sign", upload.clone()).await;
        if signed.status != 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(signed.status, 200, "{signed:?} {}", dev.output());
    let left = missing(&signed);
    assert_eq!(left.iter().map(|(part, _)| *part).collect::<Vec<_>>(), [2], "what was put is there");
    assert_eq!(put(&left[0].1, &bytes[PART..]).await, 200);
    let done = ask(&editor, "multipart_complete", upload).await;
    assert_eq!((done.status, &done.body["data"]["size"]), (200, &json!(bytes.len())), "{done:?}");
    let (status, found) = read(&editor, "films/a").await;
    assert!(status == 200 && found == bytes, "{status}, {} bytes", found.len());
    let given_up = ask(&editor, "multipart_abort", other).await;
    assert_eq!(given_up.body["data"], json!({"aborted": true}), "{given_up:?}");
    // What the Bridge asks itself, and what it signs.
    let removed = ask(&editor, "delete", json!({"key": "films/old"})).await;
    assert_eq!(removed.body["data"], json!({"deleted": true}), "{removed:?}");
    let said = dev.output();
    assert!(!said.contains(&next.secret) && !said.contains(&s3.secret), "{said}");
}
