//! Objects that come in parts, over a disk and over a store of S3, in the path of its URLs and in the host's name: put in any order, taken up again, put together once, and given up.

use std::{path::Path, time::Duration};

use reqwest::Client;
use santokit_tests::{Answer, BridgeClient, ProjectFolder, S3, StkDev};
use serde_json::{Value as Json, json};

use super::{APP, EDITOR};

const PART: usize = 8 << 20;
const OPENED: (&str, &str) = ("STK_BRIDGE_STORAGE_ALLOW_PRIVATE", "127.0.0.0/8");

/// Two buckets of a provider.
fn project(declared: &[String; 2], secrets: &str) -> ProjectFolder {
    let policies = "policies: {\"films/*\": {upload_sign: {roles: [editor], maxSize: 20MB, allowedTypes: [video/*]}, download_sign: {roles: [editor]}}, \"notes/*\": {upload_sign: {roles: [editor], condition: \"request.params.size < 100\"}}}";
    let [one, two] = declared;
    ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: objects\n"),
        (
            "config/storage.yaml",
            &format!("version: 1\nbuckets:\n  one: {{{one}, {policies}}}\n  two: {{{two}, {policies}}}\n"),
        ),
        (
            "santokit.dev.yaml",
            &format!(
                "connections:\n  main: {{engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}}\n\
                 apiKeys:\n  - {{name: app, key: {APP}, roles: [app]}}\n  - {{name: editor, key: {EDITOR}, roles: [editor]}}\n{secrets}"
            ),
        ),
    ])
    .unwrap()
}

/// One for each provider, and for each way in which a store names its buckets, with a client that finds them.
async fn each() -> [(&'static str, ProjectFolder, Client); 3] {
    let (path, named) = (S3::bucket().await.unwrap(), S3::bucket().await.unwrap());
    let local = "provider: local".to_owned();
    let far = |reached: &S3, more: &str| {
        let bucket = |of: &str| reached.declared(&format!(", prefix: \"{{env}}/{of}/\"{more}"));
        project(&[bucket("one"), bucket("two")], &reached.secrets())
    };
    [
        ("local", project(&[local.clone(), local], ""), path.http(&[]).unwrap()),
        ("s3", far(&path, ""), path.http(&[]).unwrap()),
        ("s3 by name", far(&named.by_name().unwrap(), ", pathStyle: false"), named.http(&[]).unwrap()),
    ]
}

async fn ask(client: &BridgeClient, op: &str, params: Json) -> Answer {
    client.post(&format!("/storage/one/multipart_{op}"), params.to_string()).await.unwrap()
}

async fn begin(editor: &BridgeClient, params: Json) -> String {
    let answer = ask(editor, "start", params).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["data"]["upload"].as_str().unwrap().to_owned()
}

/// Parts that are missing: number, size, URL.
async fn missing(editor: &BridgeClient, upload: &str) -> Vec<(usize, usize, String)> {
    let answer = ask(editor, "sign", json!({"upload": upload})).await;
    assert_eq!((answer.status, &answer.body["data"]["method"]), (200, &json!("PUT")), "{answer:?}");
    let number = |part: &Json, key: &str| usize::try_from(part[key].as_u64().unwrap()).unwrap();
    let part = |part: &Json| (number(part, "part"), number(part, "size"), part["url"].as_str().unwrap().to_owned());
    answer.body["data"]["parts"].as_array().unwrap().iter().map(part).collect()
}

/// The status. A server that refuses what is too short or too long may end the connection before it has all of it: that is 499 here.
async fn put(http: &Client, url: &str, body: &[u8]) -> u16 {
    match http.put(url).body(body.to_vec()).send().await {
        Ok(answer) => answer.status().as_u16(),
        Err(error) if error.is_request() => 499,
        Err(error) => panic!("{url}: {error}"),
    }
}

async fn read(http: &Client, editor: &BridgeClient, key: &str) -> (u16, Vec<u8>, String) {
    let answer = editor.post("/storage/one/download_sign", json!({"key": key}).to_string()).await.unwrap();
    let url = answer.body["data"]["url"].as_str().unwrap_or_else(|| panic!("{answer:?}"));
    let read = http.get(url).send().await.unwrap();
    let kind = read.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
    (read.status().as_u16(), read.bytes().await.unwrap().to_vec(), kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_comes_in_parts_and_is_taken_up_again() {
    let bytes: Vec<u8> = (0..2 * PART + 7).map(|at| (at.wrapping_mul(31) >> 3).to_le_bytes()[0]).collect();
    for (provider, folder, http) in each().await {
        let dev = StkDev::start(folder.path(), &[OPENED]).await.unwrap();
        let editor = dev.client.with_key(EDITOR);
        let film = json!({"key": "films/a", "contentType": "video/mp4", "size": bytes.len()});
        let answer = ask(&editor, "start", film.clone()).await;
        let data = &answer.body["data"];
        let told = (&data["parts"], &data["partSize"], &data["size"], &data["key"]);
        assert_eq!(told, (&json!(3), &json!(PART), &json!(bytes.len()), &json!("films/a")), "{provider}: {answer:?}");
        let upload = data["upload"].as_str().unwrap().to_owned();
        let urls = missing(&editor, &upload).await;
        let sizes: Vec<(usize, usize)> = urls.iter().map(|(part, size, _)| (*part, *size)).collect();
        assert_eq!(sizes, [(1, PART), (2, PART), (3, 7)], "{provider}");
        let slice = |part: usize| &bytes[(part - 1) * PART..(part * PART).min(bytes.len())];
        // The last one first, one that is too short, and one of other bytes, which is put again.
        assert_eq!(put(&http, &urls[2].2, slice(3)).await, 200, "{provider}");
        assert!(put(&http, &urls[1].2, &slice(2)[1..]).await >= 400, "{provider}: too short");
        assert_eq!(put(&http, &urls[0].2, slice(2)).await, 200, "{provider}");
        let early = ask(&editor, "complete", json!({"upload": upload})).await;
        assert_eq!((early.status, early.code()), (409, "CONFLICT"), "{provider}: {early:?}");
        assert_eq!(early.body["error"]["details"]["missing"], json!([2]), "{provider}");
        assert_eq!(read(&http, &editor, "films/a").await.0, 404, "{provider}: nothing is there before its end");
        drop(dev);

        // Another Bridge takes it up.
        let dev = StkDev::start(folder.path(), &[OPENED]).await.unwrap();
        let editor = dev.client.with_key(EDITOR);
        let urls = missing(&editor, &upload).await;
        assert_eq!(urls.iter().map(|(part, ..)| *part).collect::<Vec<_>>(), [2], "{provider}");
        assert_eq!(put(&http, &urls[0].2, slice(2)).await, 200, "{provider}");
        let first = ask(&editor, "sign", json!({"upload": upload, "from": 2})).await;
        assert_eq!(
            (&first.body["data"]["missing"], &first.body["data"]["parts"]),
            (&json!(0), &json!([])),
            "{provider}"
        );
        // Of the first part the client has put other bytes; it does so again.
        let again = begin(&editor, film).await;
        let urls = missing(&editor, &again).await;
        for (part, _, url) in &urls {
            assert_eq!(put(&http, url, slice(*part)).await, 200, "{provider}");
        }
        let done = ask(&editor, "complete", json!({"upload": again})).await;
        assert_eq!((done.status, &done.body["data"]["size"]), (200, &json!(bytes.len())), "{provider}: {done:?}");
        let (status, found, kind) = read(&http, &editor, "films/a").await;
        assert!(found == bytes, "{provider}: {} bytes", found.len());
        assert_eq!((status, kind.as_str()), (200, "video/mp4"), "{provider}");
        // The answer may have been lost. A store of S3 does not say what has become of an upload.
        let twice = ask(&editor, "complete", json!({"upload": again})).await;
        match provider {
            "local" => assert_eq!((twice.status, &twice.body["data"]), (200, &done.body["data"]), "{twice:?}"),
            _ => assert!(twice.status == 404 || twice.status == 409, "{provider}: {twice:?}"),
        }
        let aborted = ask(&editor, "abort", json!({"upload": upload})).await;
        assert_eq!(aborted.body["data"], json!({"aborted": true}), "{provider}: {aborted:?}");
        let gone = ask(&editor, "complete", json!({"upload": upload})).await;
        assert!(gone.status == 404 || gone.status == 409, "{provider}: {gone:?}");
        assert!(read(&http, &editor, "films/a").await.1 == bytes, "{provider}: what was given up changes nothing");
    }
}

/// A proxy that does not wait, or a page that is closed: parts are put together to the end, and whoever asks again is told what has become of them.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_parts_are_put_together_finds_them_together() {
    let bytes: Vec<u8> = (0..2 * PART + PART / 4).map(|at| (at.wrapping_mul(31) >> 3).to_le_bytes()[0]).collect();
    let folder = project(&["provider: local".to_owned(), "provider: local".to_owned()], "");
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let (editor, http) = (dev.client.with_key(EDITOR), Client::new());
    let incoming = folder.path().join(".stk/dev/main/storage/objects/dev/incoming");
    // It may be done before anybody can leave.
    for number in 0..50 {
        let key = format!("films/{number}");
        let film = json!({"key": key, "contentType": "video/mp4", "size": bytes.len()});
        let upload = begin(&editor, film).await;
        for ((_, _, url), part) in missing(&editor, &upload).await.iter().zip(bytes.chunks(PART)) {
            assert_eq!(put(&http, url, part).await, 200);
        }
        if !leaves_in_the_middle(&dev, &upload, &incoming).await {
            continue;
        }
        let there = async {
            while read(&http, &editor, &key).await.0 != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let is_there = tokio::time::timeout(Duration::from_mins(1), there).await.is_ok();
        assert!(is_there, "it is put together without its caller: {}", dev.output());
        assert!(read(&http, &editor, &key).await.1 == bytes);
        let again = ask(&editor, "complete", json!({"upload": upload})).await;
        assert_eq!((again.status, &again.body["data"]["size"]), (200, &json!(bytes.len())), "{again:?}");
        let twice = ask(&editor, "complete", json!({"upload": upload})).await;
        assert_eq!((twice.status, &twice.body["data"]), (200, &again.body["data"]), "{twice:?}");
        assert_eq!(files(&incoming), 0, "nothing is left on its way");
        return;
    }
    panic!("nobody could leave in the middle: {}", dev.output());
}

/// Asks for an upload to be put together, and hangs up when that has begun. False where it was answered before.
async fn leaves_in_the_middle(dev: &StkDev, upload: &str, incoming: &Path) -> bool {
    let (editor, params) = (dev.client.with_key(EDITOR), json!({"upload": upload}));
    let asking = tokio::spawn(async move { ask(&editor, "complete", params).await });
    let begun = async {
        while !asking.is_finished() && files(incoming) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(1), begun).await.is_ok(), "it does not begin");
    asking.abort();
    asking.await.is_err_and(|error| error.is_cancelled())
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// The rules are asked at each step: also what they let an upload be.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_begun_is_held_to_rules_that_changed() {
    let folder = project(&["provider: local".to_owned(), "provider: local".to_owned()], "");
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let editor = dev.client.with_key(EDITOR);
    let film = json!({"key": "films/a", "contentType": "video/mp4", "size": 9_000_000});
    let upload = begin(&editor, film).await;
    drop(dev);
    for (from, to, status, code) in [
        ("maxSize: 20MB", "maxSize: 8MB", 400, "BAD_REQUEST"),
        ("video/*", "video/webm", 400, "SCHEMA_VALIDATION_FAILED"),
        ("roles: [editor], maxSize", "roles: [nobody], maxSize", 403, "FORBIDDEN"),
    ] {
        let before = folder.read("config/storage.yaml").unwrap();
        folder.write("config/storage.yaml", &before.replace(from, to)).unwrap();
        let dev = StkDev::start(folder.path(), &[]).await.unwrap();
        let editor = dev.client.with_key(EDITOR);
        for op in ["sign", "complete"] {
            let answer = ask(&editor, op, json!({"upload": upload})).await;
            assert_eq!((answer.status, answer.code()), (status, code), "{to} {op}: {answer:?}");
        }
        let may_end = status == 400;
        assert_eq!(ask(&editor, "abort", json!({"upload": upload})).await.status == 200, may_end, "{to}");
        folder.write("config/storage.yaml", &before).unwrap();
    }
}

/// What somebody holds of an upload is for that upload, and for who may.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_for_one_object_of_one_bucket() {
    for (provider, folder, http) in each().await {
        let dev = StkDev::start(folder.path(), &[OPENED]).await.unwrap();
        let (app, editor) = (dev.client.with_key(APP), dev.client.with_key(EDITOR));
        for (client, params, status, code) in [
            (&dev.client, json!({"key": "films/a", "contentType": "video/mp4", "size": 9}), 401, "UNAUTHORIZED"),
            (&app, json!({"key": "films/a", "contentType": "video/mp4", "size": 9}), 403, "FORBIDDEN"),
            (&editor, json!({"key": "films/a", "contentType": "video/mp4"}), 400, "SCHEMA_VALIDATION_FAILED"),
            (&editor, json!({"key": "films/a", "contentType": "video/mp4", "size": 0}), 400, "BAD_REQUEST"),
            (&editor, json!({"key": "films/a", "contentType": "video/mp4", "size": 20_000_001}), 400, "BAD_REQUEST"),
            (
                &editor,
                json!({"key": "films/a", "contentType": "text/html", "size": 9}),
                400,
                "SCHEMA_VALIDATION_FAILED",
            ),
            (
                &editor,
                json!({"key": "films/../a", "contentType": "video/mp4", "size": 9}),
                400,
                "SCHEMA_VALIDATION_FAILED",
            ),
            (&editor, json!({"key": "notes/a", "size": 100}), 403, "FORBIDDEN"),
        ] {
            let answer = ask(client, "start", params.clone()).await;
            assert_eq!((answer.status, answer.code()), (status, code), "{provider} {params}: {answer:?}");
        }
        let upload = begin(&editor, json!({"key": "notes/a", "size": 3, "onlyNew": true})).await;
        let forged = format!("{}x", &upload[..upload.len() - 1]);
        for op in ["sign", "complete", "abort"] {
            for (client, token, status) in [
                (&dev.client, upload.as_str(), 401),
                (&app, &upload, 403),
                (&editor, &forged, 403),
                (&editor, "", 403),
                (&editor, ".", 403),
            ] {
                let answer = ask(client, op, json!({"upload": token})).await;
                assert_eq!(answer.status, status, "{provider} {op}: {answer:?}");
            }
            let path = format!("/storage/two/multipart_{op}");
            let elsewhere = editor.post(&path, json!({"upload": upload}).to_string()).await.unwrap();
            assert_eq!((elsewhere.status, elsewhere.code()), (403, "FORBIDDEN"), "{provider} {op}: {elsewhere:?}");
        }
        let urls = missing(&editor, &upload).await;
        let url = &urls[0].2;
        for (from, to) in [
            ("notes/a", "notes/b"),
            ("size=3", "size=4"),
            ("part=1", "part=2"),
            ("verb=part", "verb=put"),
            ("partNumber=1", "partNumber=2"),
            ("/one/", "/two/"),
        ] {
            let changed = url.replace(from, to);
            if changed != *url {
                assert!(put(&http, &changed, b"abc").await >= 400, "{provider}: {from} {to}");
            }
        }
        assert!(put(&http, url, b"abcd").await >= 400, "{provider}: longer than it says");
        assert!(http.get(url).send().await.unwrap().status().is_client_error(), "{provider}");
        assert_eq!(put(&http, url, b"abc").await, 200, "{provider}");
        let done = ask(&editor, "complete", json!({"upload": upload})).await;
        assert_eq!((done.status, &done.body["data"]["key"]), (200, &json!("notes/a")), "{provider}: {done:?}");
        // Only where there was none.
        let upload = begin(&editor, json!({"key": "notes/a", "size": 3, "onlyNew": true})).await;
        let urls = missing(&editor, &upload).await;
        assert_eq!(put(&http, &urls[0].2, b"new").await, 200, "{provider}");
        let done = ask(&editor, "complete", json!({"upload": upload})).await;
        assert_eq!((done.status, done.code()), (409, "CONFLICT"), "{provider}: {done:?}");
    }
}
