//! Objects by URLs of the Bridge: who gets one, what it lets its holder do and what not, and how an object comes and goes at it.
//! Which policy decides for a key, and what of a URL is signed: unit tests of `core/src/storage` and `bridge/src/storage`.

use std::{path::Path, time::Duration};

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use santokit_tests::{Answer, BridgeClient, ProjectFolder, StkDev};
use serde_json::{Value as Json, json};

mod disk;
mod forged;
mod killed;
mod multipart;
mod rotated;
mod s3;
mod told;
mod trial;

const STORAGE: &str = r#"
version: 1
buckets:
  images:
    provider: local
    maxObject: 1MB
    policies:
      "products/*":
        download_sign: {roles: [public]}
        upload_sign: {roles: [editor], maxSize: 1KB, allowedTypes: [image/*]}
        delete: {roles: [editor]}
      "notes/{owner}/{name}.txt":
        upload_sign:
          - {roles: [editor]}
          - {roles: [app], condition: "path.owner == 'anna' && request.params.size < 10"}
        download_sign: {roles: [app, editor], condition: "path.owner == 'anna'"}
      "named/*": {upload_sign: {roles: [app], condition: "request.params.key != 'named/café'"}}
      "drop/*": {upload_sign: {roles: [app, editor]}, download_sign: {roles: [editor]}}
      "pages/*": {upload_sign: {roles: [editor]}, download_sign: {roles: [public]}}
  closed: {provider: local}
  large:
    provider: local
    policies: {"*": {upload_sign: {roles: [editor]}, download_sign: {roles: [editor]}}}
"#;
const APP: &str = "stk_app.planted-key-5c11";
const EDITOR: &str = "stk_editor.planted-key-77ab";
/// Of `abc`.
const SHA_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn project() -> ProjectFolder {
    ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: objects\n"),
        ("config/storage.yaml", STORAGE),
        (
            "santokit.dev.yaml",
            &format!(
                "connections:\n  main: {{engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}}\n\
                 apiKeys:\n  - {{name: app, key: {APP}, roles: [app]}}\n  - {{name: editor, key: {EDITOR}, roles: [editor]}}\n"
            ),
        ),
    ])
    .unwrap()
}

async fn start(folder: &Path) -> (StkDev, BridgeClient, BridgeClient) {
    let dev = StkDev::start(folder, &[]).await.unwrap();
    let (app, editor) = (dev.client.with_key(APP), dev.client.with_key(EDITOR));
    (dev, app, editor)
}

async fn ask(client: &BridgeClient, op: &str, params: Json) -> Answer {
    client.post(&format!("/storage/images/{op}"), params.to_string()).await.unwrap()
}

/// A URL, which is given.
async fn url(client: &BridgeClient, op: &str, params: Json) -> String {
    let answer = ask(client, op, params).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["data"]["url"].as_str().unwrap().to_owned()
}

fn request(method: Method, url: &str) -> RequestBuilder {
    Client::new().request(method, url)
}

async fn put(url: &str, kind: &str, body: &[u8]) -> Response {
    request(Method::PUT, url).header("content-type", kind).body(body.to_vec()).send().await.unwrap()
}

async fn code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Json = response.json().await.unwrap_or_default();
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

/// Puts an object of the pages, of which anything may be one.
async fn page(editor: &BridgeClient, key: &str, kind: &str, body: &[u8]) {
    let to = url(editor, "upload_sign", json!({"key": key, "contentType": kind})).await;
    let stored = put(&to, kind, body).await;
    assert_eq!(stored.status(), StatusCode::OK, "{}", stored.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_put_read_and_removed() {
    let folder = project();
    let (dev, _, editor) = start(folder.path()).await;
    let asked = json!({"key": "products/7/cafe\u{301}.png", "contentType": "image/png", "sha256": SHA_ABC});
    let answer = ask(&editor, "upload_sign", asked).await;
    let data = &answer.body["data"];
    assert_eq!((&data["method"], &data["maxSize"]), (&json!("PUT"), &json!(1_000)), "{answer:?}");
    assert_eq!(
        (&data["headers"], &data["key"]),
        (&json!({"Content-Type": "image/png"}), &json!("products/7/caf\u{e9}.png"))
    );
    let to = data["url"].as_str().unwrap();
    assert!(
        to.starts_with(&format!("{}/p/objects/dev/storage/images/products/7/caf%C3%A9.png?", dev.client.url())),
        "{to}"
    );
    let stored = put(to, "image/png", b"abc").await;
    assert_eq!(stored.headers()["etag"], format!("\"{SHA_ABC}\""));
    let stored: Json = stored.json().await.unwrap();
    assert_eq!(stored["data"], json!({"key": "products/7/caf\u{e9}.png", "size": 3, "etag": SHA_ABC}));

    // Anybody may, also by `POST /call`.
    let asked = json!({"path": "storage/images/download_sign", "params": {"key": "products/7/caf\u{e9}.png", "saveAs": "a \"b\".png", "expiresIn": 60}});
    let answer = dev.client.post("/call", asked.to_string()).await.unwrap();
    assert_eq!((answer.status, &answer.body["data"]["method"]), (200, &json!("GET")), "{answer:?}");
    let from = answer.body["data"]["url"].as_str().unwrap();
    let read = request(Method::GET, from).send().await.unwrap();
    let header =
        |name: &str| read.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    assert_eq!((header("content-type"), header("content-length")), ("image/png".to_owned(), "3".to_owned()));
    assert_eq!(header("content-disposition"), "attachment; filename*=UTF-8''a%20%22b%22%2Epng");
    assert!(header("cache-control").starts_with("private, max-age="), "{read:?}");
    assert_eq!((header("x-content-type-options"), header("accept-ranges")), ("nosniff".to_owned(), "bytes".to_owned()));
    assert!(!header("x-santokit-release").is_empty() && !header("x-request-id").is_empty());
    assert_eq!(read.bytes().await.unwrap(), "abc");

    let removed = ask(&editor, "delete", json!({"key": "products/7/caf\u{e9}.png"})).await;
    assert_eq!(removed.body["data"], json!({"deleted": true}), "{removed:?}");
    let removed = ask(&editor, "delete", json!({"key": "products/7/caf\u{e9}.png"})).await;
    assert_eq!(removed.body["data"], json!({"deleted": false}), "{removed:?}");
    assert_eq!(code(request(Method::GET, from).send().await.unwrap()).await, (404, "NOT_FOUND".to_owned()));
    assert!(!dev.output().contains("signature="), "a URL is a credential: {}", dev.output());
}

/// Who may put an object, and not read it, learns nothing of the one that somebody else has put there.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_an_object_is_told_only_that_it_is_there() {
    let folder = project();
    let (dev, app, editor) = start(folder.path()).await;
    page(&editor, "drop/1", "text/plain", b"abc").await;
    let all = json!({"key": "drop/1", "size": 3, "etag": SHA_ABC});
    for (who, client, key, expected) in [
        ("may both", &editor, "drop/1", (200, all)),
        ("may put", &app, "drop/1", (200, json!({"key": "drop/1"}))),
        ("may put, and nothing is there", &app, "drop/2", (404, Json::Null)),
        ("may neither", &app, "products/1", (403, Json::Null)),
        ("is nobody", &dev.client, "drop/1", (401, Json::Null)),
    ] {
        let answer = ask(client, "upload_complete", json!({"key": key})).await;
        assert_eq!((answer.status, answer.body["data"].clone()), expected, "{who}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_read_and_what_is_known_is_not_sent_again() {
    let folder = project();
    let (dev, _, editor) = start(folder.path()).await;
    page(&editor, "pages/digits", "text/plain", b"0123456789").await;
    let from = url(&dev.client, "download_sign", json!({"key": "pages/digits"})).await;
    let whole = request(Method::GET, &from).send().await.unwrap();
    let header = |name: &str| whole.headers()[name].to_str().unwrap().to_owned();
    let (etag, modified) = (header("etag"), header("last-modified"));
    let old = "Thu, 01 Jan 2015 00:00:00 GMT";
    for (headers, status, range, body) in [
        (vec![("range", "bytes=2-4")], 206, "bytes 2-4/10", "234"),
        (vec![("range", "bytes=-2")], 206, "bytes 8-9/10", "89"),
        (vec![("range", "bytes=8-100")], 206, "bytes 8-9/10", "89"),
        (vec![("range", "bytes=10-")], 416, "bytes */10", ""),
        (vec![("range", "bytes=0-1,5-6")], 200, "", "0123456789"),
        (vec![("range", "bytes=2-4"), ("if-range", etag.as_str())], 206, "bytes 2-4/10", "234"),
        (vec![("range", "bytes=2-4"), ("if-range", "\"other\"")], 200, "", "0123456789"),
        (vec![("if-none-match", etag.as_str())], 304, "", ""),
        (vec![("if-none-match", "*")], 304, "", ""),
        (vec![("if-none-match", "\"other\"")], 200, "", "0123456789"),
        (vec![("if-none-match", "\"other\""), ("if-modified-since", modified.as_str())], 200, "", "0123456789"),
        (vec![("if-modified-since", modified.as_str())], 304, "", ""),
        (vec![("if-modified-since", old)], 200, "", "0123456789"),
        (vec![("if-match", "\"other\"")], 412, "", ""),
        (vec![("if-match", etag.as_str())], 200, "", "0123456789"),
        (vec![("if-unmodified-since", old)], 412, "", ""),
    ] {
        let asked =
            headers.iter().fold(request(Method::GET, &from), |asked, (name, value)| asked.header(*name, *value));
        let answer = asked.send().await.unwrap();
        let shown = answer.headers().get("content-range").map_or("", |value| value.to_str().unwrap()).to_owned();
        assert_eq!((answer.status().as_u16(), shown.as_str()), (status, range), "{headers:?}");
        if status == 304 {
            assert_eq!(answer.headers()["etag"], etag.as_str());
        }
        assert_eq!(answer.text().await.unwrap(), body, "{headers:?}");
    }
    let head = request(Method::HEAD, &from).send().await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &"10".parse().unwrap()));
    // An object of nothing.
    page(&editor, "pages/empty", "text/plain", b"").await;
    let from = url(&dev.client, "download_sign", json!({"key": "pages/empty"})).await;
    assert_eq!(request(Method::GET, &from).send().await.unwrap().text().await.unwrap(), "");
}

/// All objects share an origin with the application.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_somebody_put_does_not_run() {
    let folder = project();
    let (dev, _, editor) = start(folder.path()).await;
    for (kind, is_defused) in [
        ("text/html", true),
        ("image/svg+xml", true),
        ("image/x+xml", true),
        ("video/a+xml", true),
        ("image/xml", true),
        ("image/png", false),
        // Browsers take the last of a list.
        ("image/png, text/html", true),
        ("image/png;,text/html", true),
    ] {
        page(&editor, "pages/shown", kind, b"<script>").await;
        let from = url(&dev.client, "download_sign", json!({"key": "pages/shown"})).await;
        let answer = request(Method::GET, &from).send().await.unwrap();
        let policy = answer.headers().get("content-security-policy").map(|value| value.to_str().unwrap());
        assert_eq!(policy.is_some_and(|policy| policy.contains("sandbox")), is_defused, "{kind}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
    }
}

/// What is asked is looked at in its one form, and as a browser would read it.
#[tokio::test(flavor = "multi_thread")]
async fn who_writes_it_in_another_way_gets_no_url() {
    let folder = project();
    let (_dev, app, editor) = start(folder.path()).await;
    for (client, params, status) in [
        (&app, json!({"key": "named/cafe"}), 200),
        (&app, json!({"key": "named/caf\u{e9}"}), 403),
        (&app, json!({"key": "named/cafe\u{301}"}), 403),
        (&editor, json!({"key": "products/1", "contentType": "IMAGE/PNG; a=\"b\""}), 200),
        (&editor, json!({"key": "products/1", "contentType": "image/png, text/html"}), 400),
        (&editor, json!({"key": "products/1", "contentType": "image/png;,text/html"}), 400),
        (&editor, json!({"key": "products/1", "contentType": "image/png; a=b, text/html"}), 400),
    ] {
        let answer = ask(client, "upload_sign", params.clone()).await;
        assert_eq!(answer.status, status, "{params}: {answer:?}");
    }
}

/// A condition that is sent with an object is held to, or the object is refused.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_put_over_the_one_that_was_meant() {
    let folder = project();
    let (dev, _, editor) = start(folder.path()).await;
    page(&editor, "pages/1", "text/plain", b"abc").await;
    let to = url(&editor, "upload_sign", json!({"key": "pages/1"})).await;
    let (is, other) = (format!("\"{SHA_ABC}\""), format!("\"{}\"", "0".repeat(64)));
    for (headers, status) in [
        (vec![("if-match", other.as_str())], 409),
        (vec![("if-match", "*")], 400),
        (vec![("if-match", "no tag")], 400),
        (vec![("if-none-match", is.as_str())], 400),
        (vec![("content-range", "bytes 0-2/6")], 400),
        (vec![("content-encoding", "gzip")], 400),
        (vec![("if-match", is.as_str())], 200),
        (vec![("if-match", is.as_str())], 409),
    ] {
        let put = headers.iter().fold(request(Method::PUT, &to), |put, (name, value)| put.header(*name, *value));
        let answer = put.body("new").send().await.unwrap();
        assert_eq!(answer.status(), status, "{headers:?}: {}", answer.text().await.unwrap());
        let from = url(&dev.client, "download_sign", json!({"key": "pages/1"})).await;
        let found = request(Method::GET, &from).send().await.unwrap().text().await.unwrap();
        let is_new = found == "new";
        assert!(is_new || found == "abc", "{found}");
        assert_eq!(is_new, status == 200 || headers == [("if-match", is.as_str())], "{headers:?}");
    }
    // Of what has no body there is no part.
    let from = url(&dev.client, "download_sign", json!({"key": "pages/1"})).await;
    let head = request(Method::HEAD, &from).header("range", "bytes=0-0").send().await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &"3".parse().unwrap()));
}

/// What cannot be held to is not passed over.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_idempotency_is_refused() {
    let folder = project();
    let (_dev, _, editor) = start(folder.path()).await;
    let params = json!({"key": "pages/1"});
    let call = json!({"path": "storage/images/delete", "params": params});
    for (path, body) in
        [("/storage/images/upload_sign", &params), ("/storage/images/delete", &params), ("/call", &call)]
    {
        let asked = editor.http().post(format!("{}{path}", editor.url())).header("content-type", "application/json");
        let answer = editor.send(asked.header("idempotency-key", "k1").body(body.to_string())).await.unwrap();
        assert_eq!((answer.status, answer.code()), (400, "BAD_REQUEST"), "{path}: {answer:?}");
        assert!(answer.body["error"]["message"].as_str().unwrap().contains("Idempotency-Key"), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_gets_no_url() {
    let folder = project();
    let (dev, app, editor) = start(folder.path()).await;
    let key = json!({"key": "products/1"});
    let upload = json!({"key": "products/1", "contentType": "image/png"});
    for (client, op, params, status, code) in [
        (&dev.client, "upload_sign", &upload, 401, "UNAUTHORIZED"),
        (&dev.client, "delete", &key, 401, "UNAUTHORIZED"),
        (&dev.client, "upload_sign", &json!({"nothing": 1}), 400, "SCHEMA_VALIDATION_FAILED"),
        (&dev.client, "download_sign", &json!({"key": "notes/anna/a.txt"}), 401, "UNAUTHORIZED"),
        (&app, "upload_sign", &upload, 403, "FORBIDDEN"),
        (&app, "delete", &key, 403, "FORBIDDEN"),
        (&app, "download_sign", &key, 200, ""),
        (&app, "download_sign", &json!({"key": "notes/anna/a.txt"}), 200, ""),
        (&app, "download_sign", &json!({"key": "notes/bob/a.txt"}), 403, "FORBIDDEN"),
        // Of no policy.
        (&app, "download_sign", &json!({"key": "notes/anna/a.png"}), 403, "FORBIDDEN"),
        (&editor, "upload_sign", &json!({"key": "other"}), 403, "FORBIDDEN"),
        (&app, "upload_sign", &json!({"key": "notes/anna/a.txt", "size": 9}), 200, ""),
        (&app, "upload_sign", &json!({"key": "notes/anna/a.txt", "size": 10}), 403, "FORBIDDEN"),
        // What the condition reads is not there.
        (&app, "upload_sign", &json!({"key": "notes/anna/a.txt"}), 403, "FORBIDDEN"),
        (&editor, "upload_sign", &json!({"key": "notes/anna/a.txt"}), 200, ""),
        // What is asked makes no sense.
        (&editor, "upload_sign", &json!({}), 400, "SCHEMA_VALIDATION_FAILED"),
        (&editor, "upload_sign", &json!({"key": "../x", "contentType": "image/png"}), 400, "SCHEMA_VALIDATION_FAILED"),
        (&editor, "upload_sign", &json!({"key": "products/1"}), 400, "SCHEMA_VALIDATION_FAILED"),
        (
            &editor,
            "upload_sign",
            &json!({"key": "products/1", "contentType": "text/html"}),
            400,
            "SCHEMA_VALIDATION_FAILED",
        ),
        (
            &editor,
            "upload_sign",
            &json!({"key": "pages/1", "contentType": "text/a\nb"}),
            400,
            "SCHEMA_VALIDATION_FAILED",
        ),
        (
            &editor,
            "upload_sign",
            &json!({"key": "products/1", "contentType": "image/png", "size": 1_001}),
            400,
            "BAD_REQUEST",
        ),
        (&editor, "upload_sign", &json!({"key": "pages/1", "size": -1}), 400, "SCHEMA_VALIDATION_FAILED"),
        (&editor, "upload_sign", &json!({"key": "pages/1", "sha256": "ab"}), 400, "SCHEMA_VALIDATION_FAILED"),
        (&editor, "upload_sign", &json!({"key": "pages/1", "expiresIn": 3_601}), 400, "SCHEMA_VALIDATION_FAILED"),
        (&editor, "upload_sign", &json!({"key": "pages/1", "expiresIn": 0}), 400, "SCHEMA_VALIDATION_FAILED"),
        (&editor, "upload_sign", &json!({"key": "pages/1", "unknown": 1}), 400, "SCHEMA_VALIDATION_FAILED"),
        (&app, "download_sign", &json!({"key": "products/1", "saveAs": "../x"}), 400, "SCHEMA_VALIDATION_FAILED"),
        (&app, "rename", &key, 404, "NOT_FOUND"),
    ] {
        let answer = ask(client, op, params.clone()).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{op} {params}: {answer:?}");
    }
    // A bucket without policies, and one that is not there, are the same to who may nothing.
    for bucket in ["closed", "none"] {
        let answer = dev.client.post(&format!("/storage/{bucket}/download_sign"), key.to_string()).await.unwrap();
        assert_eq!((answer.status, answer.code()), (401, "UNAUTHORIZED"), "{bucket}: {answer:?}");
    }
    let none = app.post("/storage/none/download_sign", key.to_string()).await.unwrap();
    assert_eq!((none.status, none.code()), (404, "NOT_FOUND"), "{none:?}");
    let limit =
        ask(&editor, "upload_sign", json!({"key": "products/1", "contentType": "image/png", "size": 1_001})).await;
    assert_eq!(limit.body["error"]["details"]["limit"], "objectSize", "{limit:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_held_to_what_its_url_says() {
    let folder = project();
    let (dev, _, editor) = start(folder.path()).await;
    let small = url(&editor, "upload_sign", json!({"key": "products/1", "contentType": "image/png"})).await;
    let exact = url(&editor, "upload_sign", json!({"key": "pages/1", "size": 3})).await;
    let digest = url(&editor, "upload_sign", json!({"key": "pages/1", "sha256": SHA_ABC})).await;
    let long = vec![0; 1_001];
    for (to, kind, body, status, why) in [
        (&small, "image/png", long.as_slice(), 400, "too large"),
        (&small, "text/html", b"abc", 400, "another type"),
        (&small, "image/png; a=b", b"abc", 400, "another type"),
        (&exact, "text/plain", b"abcd", 400, "too long"),
        (&exact, "text/plain", b"ab", 400, "too short"),
        (&digest, "text/plain", b"abd", 400, "other bytes"),
    ] {
        assert_eq!(code(put(to, kind, body).await).await, (status, "BAD_REQUEST".to_owned()), "{why}");
    }
    // The same without a length.
    for (to, body) in [(&small, long), (&exact, b"abcd".to_vec()), (&exact, b"ab".to_vec())] {
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(body)]));
        let sent = request(Method::PUT, to).header("content-type", "image/png").body(body).send().await.unwrap();
        assert_eq!(code(sent).await, (400, "BAD_REQUEST".to_owned()));
    }
    for key in ["products/1", "pages/1"] {
        let from = url(&dev.client, "download_sign", json!({"key": key})).await;
        assert_eq!(request(Method::GET, &from).send().await.unwrap().status(), 404, "{key}: nothing was put");
    }
    assert_eq!(put(&exact, "text/plain", b"abc").await.status(), 200);
    let new = url(&editor, "upload_sign", json!({"key": "pages/1", "onlyNew": true})).await;
    assert_eq!(code(put(&new, "text/plain", b"x").await).await, (409, "CONFLICT".to_owned()));
    let any = url(&editor, "upload_sign", json!({"key": "pages/1"})).await;
    let sent = request(Method::PUT, &any).header("if-none-match", "*").body("x").send().await.unwrap();
    assert_eq!(code(sent).await, (409, "CONFLICT".to_owned()));
    // Many at once: one is told that it was first.
    let new = url(&editor, "upload_sign", json!({"key": "pages/once", "onlyNew": true})).await;
    let sent = futures_util::future::join_all((0..8).map(|number| {
        let new = new.clone();
        async move { put(&new, "text/plain", format!("{number}").as_bytes()).await.status().as_u16() }
    }));
    let mut statuses = sent.await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
    // One that breaks off was never there.
    let broken = url(&editor, "upload_sign", json!({"key": "pages/broken"})).await;
    let parts = futures_util::stream::iter([Ok(b"abc".to_vec()), Err(std::io::Error::other("gone"))]);
    let sent = request(Method::PUT, &broken).body(reqwest::Body::wrap_stream(parts)).send().await;
    assert!(sent.is_err_and(|error| !error.is_status()));
    let from = url(&dev.client, "download_sign", json!({"key": "pages/broken"})).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(request(Method::GET, &from).send().await.unwrap().status(), 404);
}
