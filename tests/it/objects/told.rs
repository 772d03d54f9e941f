//! Topics that are told of objects: what was put, put together or removed, at a bucket on the disk and at one in a store of S3.

use santokit_tests::{BridgeClient, ProjectFolder, S3, StkDev};
use serde_json::{Value as Json, json};

use super::{APP, EDITOR};

const POLICIES: &str = r#"
    events: {upload: object_put, delete: object_gone}
    policies:
      "*": {upload_sign: {roles: [editor]}, download_sign: {roles: [editor]}, delete: {roles: [editor]}}
"#;
const PUT: &str = "name: object_put\nschema:\n  bucket: {type: string, required: true}\n  key: {type: string, required: true}\n  \
    size: {type: bigint}\n  contentType: {type: string}\n";
const GONE: &str = "name: object_gone\nschema: {key: {type: string, required: true}, who: {type: string}}\n";
const OUTBOX: &str = "---\nauth: public\n---\nSELECT topic, payload, published_by FROM stk_outbox ORDER BY id\n";

async fn start(bucket: &str, secrets: &str) -> (ProjectFolder, StkDev, BridgeClient) {
    start_with(bucket, secrets, "off").await
}

async fn start_with(bucket: &str, secrets: &str, rate: &str) -> (ProjectFolder, StkDev, BridgeClient) {
    let dev = format!(
        "connections:\n  main: {{engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}}\n{secrets}\
         apiKeys:\n  - {{name: app, key: {APP}, roles: [app]}}\n  - {{name: editor, key: {EDITOR}, roles: [editor]}}\n"
    );
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: told\n"),
        ("schema/main.yaml", "version: 1\ntables:\n  notes:\n    columns: {text: {type: string}, picture: {type: file, bucket: images, onDelete: cascade}}\n"),
        ("config/permissions.yaml", "tables:\n  notes: {select: {roles: [editor]}, insert: {roles: [editor]}, delete: {roles: [editor]}}\n"),
        ("config/storage.yaml", &format!("version: 1\nbuckets:\n  images:\n    {bucket}{POLICIES}")),
        ("events/topics/put.yaml", PUT),
        ("events/topics/gone.yaml", GONE),
        ("logics/outbox.sql", OUTBOX),
        ("santokit.dev.yaml", dev.as_str()),
    ])
    .unwrap();
    let settings = [("STK_BRIDGE_STORAGE_ALLOW_PRIVATE", "127.0.0.0/8"), ("STK_BRIDGE_PUBLISH_RATE", rate)];
    let dev = StkDev::start(folder.path(), &settings).await.unwrap();
    let editor = dev.client.with_key(EDITOR);
    (folder, dev, editor)
}

/// What was told until now: topic, payload, and by whom.
async fn told(dev: &StkDev) -> Vec<Json> {
    let answer = dev.client.logic("outbox", json!({})).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let rows = answer.body["data"].as_array().unwrap().iter().map(|row| {
        let payload = base64(row["payload"].as_str().unwrap());
        let payload: Json = serde_json::from_slice(&payload).unwrap();
        json!([row["topic"], payload, row["published_by"]])
    });
    rows.collect()
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

async fn put(editor: &BridgeClient, key: &str) {
    let asked = json!({"key": key, "size": 3, "contentType": "image/png"});
    let url = super::url(editor, "upload_sign", asked).await;
    let answer = super::put(&url, "image/png", b"abc").await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

fn is_put(key: &str, size: &str, by: &str) -> Json {
    json!(["object_put", {"bucket": "images", "key": key, "size": size, "contentType": "image/png"}, by])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_told_of_objects_on_the_disk() {
    let (_folder, dev, editor) = start("provider: local", "").await;
    put(&editor, "a/1.png").await;
    let mut expected = vec![is_put("a/1.png", "3", "storage:url")];
    assert_eq!(told(&dev).await, expected);
    // To be told of it a second time would be too much: the Bridge has seen it.
    let done = super::ask(&editor, "upload_complete", json!({"key": "a/1.png"})).await;
    assert_eq!((done.status, &done.body["data"]["size"]), (200, &json!(3)), "{done:?}");
    assert_eq!(told(&dev).await, expected);
    // What is refused is not told, nor that there was nothing to remove.
    let url = super::url(&editor, "upload_sign", json!({"key": "a/2.png", "size": 4})).await;
    assert_eq!(super::put(&url, "image/png", b"abc").await.status(), 400);
    assert_eq!(super::ask(&editor, "delete", json!({"key": "a/2.png"})).await.body["data"]["deleted"], false);
    assert_eq!(told(&dev).await, expected);
    let started = json!({"key": "a/3.png", "size": 5, "contentType": "image/png"});
    let begun = super::ask(&editor, "multipart_start", started).await;
    let upload = begun.body["data"]["upload"].clone();
    let parts = super::ask(&editor, "multipart_sign", json!({"upload": upload})).await;
    let part = super::request(reqwest::Method::PUT, parts.body["data"]["parts"][0]["url"].as_str().unwrap());
    assert_eq!(part.body("12345").send().await.unwrap().status(), 200);
    assert_eq!(told(&dev).await, expected, "a part is no object");
    assert_eq!(super::ask(&editor, "multipart_complete", json!({"upload": upload})).await.status, 200);
    expected.push(is_put("a/3.png", "5", "storage:apiKey"));
    assert_eq!(super::ask(&editor, "delete", json!({"key": "a/3.png"})).await.body["data"]["deleted"], true);
    expected.push(json!(["object_gone", {"key": "a/3.png"}, "storage:apiKey"]));
    assert_eq!(told(&dev).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_told_of_objects_in_a_store_when_their_sender_says_so() {
    let s3 = S3::bucket().await.unwrap();
    let (_folder, dev, editor) = start(&s3.declared("").replace(", ", "\n    "), &s3.secrets()).await;
    put(&editor, "a/1.png").await;
    assert_eq!(told(&dev).await, Vec::<Json>::new(), "it is not seen here");
    assert_eq!(super::ask(&editor, "upload_complete", json!({"key": "a/1.png"})).await.status, 200);
    assert_eq!(told(&dev).await, [is_put("a/1.png", "3", "storage:apiKey")]);
    // Who says so of nothing, or may not put it, tells nothing.
    let nothing = super::ask(&editor, "upload_complete", json!({"key": "a/2.png"})).await;
    assert_eq!((nothing.status, nothing.code()), (404, "NOT_FOUND"), "{nothing:?}");
    let other = super::ask(&dev.client.with_key(APP), "upload_complete", json!({"key": "a/1.png"})).await;
    assert_eq!((other.status, other.code()), (403, "FORBIDDEN"), "{other:?}");
    assert_eq!(told(&dev).await.len(), 1);

    // What the Bridge does there itself it tells as on the disk.
    let started = json!({"key": "a/3.png", "size": 5, "contentType": "image/png"});
    let begun = super::ask(&editor, "multipart_start", started).await;
    let upload = begun.body["data"]["upload"].clone();
    let parts = super::ask(&editor, "multipart_sign", json!({"upload": upload})).await;
    let part = super::request(reqwest::Method::PUT, parts.body["data"]["parts"][0]["url"].as_str().unwrap());
    assert_eq!(part.body("12345").send().await.unwrap().status(), 200);
    assert_eq!(super::ask(&editor, "multipart_complete", json!({"upload": upload})).await.status, 200);
    let again = super::ask(&editor, "multipart_complete", json!({"upload": upload})).await;
    // As the store knows uploads.
    assert!(again.status == 404 || again.status == 409, "{again:?}");
    for is_there in [true, false] {
        let removed = super::ask(&editor, "delete", json!({"key": "a/3.png"})).await;
        assert_eq!(removed.body["data"]["deleted"], is_there, "{removed:?}");
    }
    let gone = json!(["object_gone", {"key": "a/3.png"}, "storage:apiKey"]);
    let expected = [is_put("a/1.png", "3", "storage:apiKey"), is_put("a/3.png", "5", "storage:apiKey"), gone];
    assert_eq!(told(&dev).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_told_of_objects_that_go_with_their_rows_and_of_none_that_never_was() {
    let (_folder, dev, editor) = start("provider: local", "").await;
    put(&editor, "a/1.png").await;
    for key in ["a/none.png", "a/1.png"] {
        let row = json!({"data": {"text": key, "picture": key}});
        let answer = editor.post("/db/notes/insert", row.to_string()).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // In this order they are looked at.
    for key in ["a/none.png", "a/1.png"] {
        let answer = editor.post("/db/notes/delete", json!({"where": {"text": key}}).to_string()).await.unwrap();
        assert_eq!((answer.status, &answer.body["data"]["affected"]), (200, &json!(1)), "{answer:?}");
    }
    let expected = [is_put("a/1.png", "3", "storage:url"), json!(["object_gone", {"key": "a/1.png"}, "storage:rows"])];
    for _ in 0..600 {
        if told(&dev).await.len() > 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(told(&dev).await, expected, "{}", dev.output());
}

/// Nothing is done of which the topic cannot be told: whoever may put or remove objects publishes no more than others do.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_told_as_often_as_it_may_be_published() {
    let (_folder, dev, editor) = start_with("provider: local", "", "2/1h").await;
    let url = super::url(&editor, "upload_sign", json!({"key": "a/1.png", "size": 3})).await;
    for (body, status) in [(b"abc", 200), (b"abd", 200), (b"abe", 429), (b"abf", 429)] {
        let answer = super::put(&url, "image/png", body).await;
        let retry_after = answer.headers().contains_key("retry-after");
        assert_eq!(
            (answer.status().as_u16(), retry_after),
            (status, status == 429),
            "{}",
            answer.text().await.unwrap()
        );
    }
    let from = super::url(&editor, "download_sign", json!({"key": "a/1.png"})).await;
    let read = super::request(reqwest::Method::GET, &from).send().await.unwrap();
    assert_eq!(read.bytes().await.unwrap(), "abd", "what was not told was not done");
    let begun = super::ask(&editor, "multipart_start", json!({"key": "a/2.png", "size": 3})).await;
    let upload = begun.body["data"]["upload"].clone();
    let parts = super::ask(&editor, "multipart_sign", json!({"upload": upload})).await;
    let part = super::request(reqwest::Method::PUT, parts.body["data"]["parts"][0]["url"].as_str().unwrap());
    assert_eq!(part.body("123").send().await.unwrap().status(), 200, "a part is no object");
    // The topic of those that go has a budget of its own.
    for (op, params, limit) in [
        ("multipart_complete", json!({"upload": upload}), "publishRate"),
        ("upload_complete", json!({"key": "a/1.png"}), ""),
        ("delete", json!({"key": "a/1.png"}), ""),
        ("delete", json!({"key": "a/1.png"}), ""),
        ("delete", json!({"key": "a/1.png"}), "publishRate"),
    ] {
        let answer = super::ask(&editor, op, params).await;
        let told = answer.body["error"]["details"]["limit"].as_str().unwrap_or_default();
        assert_eq!((told, answer.status), (limit, if limit.is_empty() { 200 } else { 429 }), "{op}: {answer:?}");
    }
    assert_eq!(told(&dev).await.len(), 3, "one of two deletes found something");
}

/// What its sender says again is an event again, and counted as one.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_store_is_counted_as_published() {
    let s3 = S3::bucket().await.unwrap();
    let (_folder, dev, editor) = start_with(&s3.declared("").replace(", ", "\n    "), &s3.secrets(), "2/1h").await;
    put(&editor, "a/1.png").await;
    // Of what is not there nothing is told, and nothing counted.
    assert_eq!(super::ask(&editor, "upload_complete", json!({"key": "a/2.png"})).await.status, 404);
    for (status, code, limit) in [(200, "", ""), (200, "", ""), (429, "TOO_MANY_REQUESTS", "publishRate")] {
        let answer = super::ask(&editor, "upload_complete", json!({"key": "a/1.png"})).await;
        let error = &answer.body["error"];
        let told = (answer.status, error["code"].as_str().unwrap_or_default(), error["details"]["limit"].as_str());
        assert_eq!((told.0, told.1, told.2.unwrap_or_default()), (status, code, limit), "{answer:?}");
    }
    assert_eq!(told(&dev).await.len(), 2);
}
