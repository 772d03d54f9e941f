//! Guests in three languages and their objects: what is granted and what is not, conditions, parts, what a limit does, and what outlives
//! an edit and a restart. Which keys there are, and what patterns mean: `core/src/storage`.

use std::{fs, path::Path};

use santokit_tests::{Answer, ProjectFolder, S3, StkDev, stk};
use serde_json::{Value as Json, json};

const STORAGE: &str = "version: 1\nbuckets:\n  files: {provider: local}\n  small: {provider: local, maxObject: 1KiB}\n";
const LOGICS: [(&str, &str); 3] =
    [("rust", "tests/guests/storage"), ("ts", "tests/guests/storage-ts"), ("python", "tests/guests/storage-py")];
/// Of the Rust guest, away from the workspace of the guests.
const CARGO: &str = "[package]\nname = \"guest-storage\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
    [lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\nsantokit-guest = { path = \"../../.stk/cache/sdk/rust\" }\n\
    serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n";
/// Of `abc`.
const SHA_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// Of `abc`, by which stores of S3 name it.
const MD5_ABC: &str = "900150983cd24fb0d6963f7d28e17f72";

fn project(logics: &[(&str, &str)]) -> ProjectFolder {
    let folder =
        ProjectFolder::new([("santokit.yaml", "version: 1\nname: keeping\n"), ("config/storage.yaml", STORAGE)])
            .unwrap();
    for (name, from) in logics {
        folder.add_copy(from, &format!("logics/{name}")).unwrap();
    }
    folder.write("logics/rust/Cargo.toml", CARGO).unwrap();
    folder
}

async fn ask(dev: &StkDev, logic: &str, steps: Json) -> Answer {
    dev.client.logic(logic, json!({"steps": steps})).await.unwrap()
}

async fn told(dev: &StkDev, logic: &str, steps: Json) -> Vec<Json> {
    let answer = ask(dev, logic, steps.clone()).await;
    assert_eq!(answer.status, 200, "{logic} {steps}: {answer:?}\n{}", dev.output());
    answer.body["data"].as_array().unwrap().clone()
}

fn codes(steps: &[Json]) -> Vec<&str> {
    steps.iter().map(|step| step["code"].as_str().unwrap_or("-")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_keep_objects() {
    let folder = project(&LOGICS);
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    for (logic, _) in LOGICS {
        all(&dev, logic, SHA_ABC, &reqwest::Client::new()).await;
    }
    // One language reads what another has written, and the last one is what there is.
    let read =
        told(&dev, "rust", json!([{"op": "get", "key": "own/python/whole"}, {"op": "list", "key": "own/"}])).await;
    assert_eq!(read[0]["text"], "abc");
    assert!(read[1].as_array().unwrap().len() >= 6, "{read:?}");
    let inspected = stk(folder.path(), &["logic", "inspect", "rust"], &[]).await.unwrap();
    assert!(inspected.stdout.contains("storage files get read/*/only"), "{inspected:?}");
    let left = files(&folder.path().join(".stk/dev/main/storage/keeping/dev/incoming"));
    assert_eq!(left, 0, "what was not finished is gone");
    drop(dev);

    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let read = told(&dev, "ts", json!([{"op": "get", "key": "own/rust/whole"}])).await;
    assert_eq!(read[0]["text"], "abc", "a restart loses nothing");
}

/// The same where the objects are elsewhere, in whichever way their bucket is named.
#[tokio::test(flavor = "multi_thread")]
async fn guests_keep_objects_in_a_store_of_s3() {
    let s3 = S3::bucket().await.unwrap();
    let folder = project(&LOGICS);
    let connections = "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\n";
    folder.write("santokit.dev.yaml", &format!("{connections}{}", s3.secrets())).unwrap();
    let env = [("STK_BRIDGE_STORAGE_ALLOW_PRIVATE", "127.0.0.0/8")];
    for (style, reached, more) in [("path", s3.clone(), ""), ("name", s3.by_name().unwrap(), ", pathStyle: false")] {
        let bucket = |of: &str, more: &str| reached.declared(&format!(", prefix: \"{{env}}/{style}/{of}/\"{more}"));
        let (files, small) = (bucket("files", more), bucket("small", &format!("{more}, maxObject: 1KiB")));
        let storage = format!("version: 1\nbuckets:\n  files: {{{files}}}\n  small: {{{small}}}\n");
        folder.write("config/storage.yaml", &storage).unwrap();
        let dev = StkDev::start(folder.path(), &env).await.unwrap();
        let http = s3.http(&[]).unwrap();
        for (logic, _) in LOGICS {
            all(&dev, logic, MD5_ABC, &http).await;
        }
        let inspected = stk(folder.path(), &["logic", "inspect", "rust"], &[]).await.unwrap();
        assert!(inspected.stdout.contains("storage files get read/*/only"), "{style}: {inspected:?}");
        let lies = s3.get(&format!("dev/{style}/files/own/rust/whole")).await.unwrap();
        assert_eq!(lies.as_deref(), Some(&b"abc"[..]), "{style}");
        assert!(!folder.path().join(".stk/dev/main/storage").exists(), "{style}: nothing of it is on this disk");
    }
}

/// `etag` is that of `abc`; `http` finds whatever URLs lead to.
async fn all(dev: &StkDev, logic: &str, etag: &str, http: &reqwest::Client) {
    whole(dev, logic, etag).await;
    conditions(dev, logic, etag).await;
    parts(dev, logic).await;
    denied(dev, logic).await;
    presigned(dev, logic, http).await;
    limited(dev, logic).await;
}

/// URLs for others, which are for what the logic may do itself.
async fn presigned(dev: &StkDev, logic: &str, http: &reqwest::Client) {
    let key = format!("own/{logic}/given away");
    let steps = told(
        dev,
        logic,
        json!([
            {"op": "presignPut", "key": key, "size": 3, "contentType": "text/plain", "expiresIn": 60},
            {"op": "presignGet", "key": key, "saveAs": "a.txt"},
            {"op": "presignGet", "key": "read/x/only"},
            {"op": "presignPut", "key": "read/x/only", "size": 3},
            {"op": "presignGet", "bucket": "small", "key": "a"},
            {"op": "presignGet", "key": key, "expiresIn": 1_000_000},
            {"op": "presignGet", "key": key, "saveAs": "a/b"},
            {"op": "presignGet", "key": "own/../x"},
            {"op": "presignPut", "key": key, "size": 6_000_000_000_u64},
        ]),
    )
    .await;
    let refused = ["STORAGE_DENIED", "STORAGE_DENIED", "STORAGE_DENIED"];
    assert_eq!(codes(&steps[2..5]), refused, "{logic}: {steps:?}");
    assert_eq!(codes(&steps[5..8]), ["STORAGE_INVALID"; 3], "{logic}: {steps:?}");
    assert_eq!(codes(&steps[8..]), ["STORAGE_TOO_LARGE"], "{logic}: {steps:?}");
    let url = |step: &Json, method: &str| {
        assert_eq!((&step["method"], &step["lives"]), (&json!(method), &json!(true)), "{logic}: {step}");
        step["url"].as_str().unwrap().to_owned()
    };
    let mut put = http.put(url(&steps[0], "PUT")).body("abc");
    for header in steps[0]["headers"].as_array().unwrap() {
        put = put.header(header[0].as_str().unwrap(), header[1].as_str().unwrap());
    }
    let put = put.send().await.unwrap();
    assert_eq!(put.status(), 200, "{logic}: {}", put.text().await.unwrap());
    let got = http.get(url(&steps[1], "GET")).send().await.unwrap();
    assert!(got.headers()["content-disposition"].to_str().unwrap().contains("a%2Etxt"), "{logic}: {got:?}");
    assert_eq!(got.text().await.unwrap(), "abc", "{logic}");
    let other = http.put(url(&steps[1], "GET")).body("x").send().await.unwrap();
    assert_eq!(other.status(), 403, "{logic}: it is for reading");
}

/// Written, read, listed, removed.
async fn whole(dev: &StkDev, logic: &str, etag: &str) {
    let key = |name: &str| format!("own/{logic}/{name}");
    let steps = told(
        dev,
        logic,
        json!([
            {"op": "stat", "key": key("whole")},
            {"op": "get", "key": key("whole")},
            {"op": "put", "key": key("whole"), "text": "old", "contentType": "text/plain"},
            {"op": "put", "key": key("whole"), "text": "abc", "contentType": "text/plain; charset=utf-8", "sha256": SHA_ABC},
            {"op": "get", "key": key("whole")},
            {"op": "stat", "key": key("whole")},
            {"op": "put", "key": key("cafe\u{301}"), "text": ""},
            {"op": "list", "key": key("")},
            {"op": "get", "key": key("caf\u{e9}")},
            {"op": "delete", "key": key("caf\u{e9}")},
            {"op": "delete", "key": key("caf\u{e9}")},
            {"op": "list", "key": key("")},
        ]),
    )
    .await;
    let stat = json!({"key": key("whole"), "size": 3, "etag": etag, "type": "text/plain; charset=utf-8", "made": true});
    assert_eq!(steps[..2], [Json::Null, Json::Null], "{logic}");
    assert_eq!((&steps[3], &steps[5]), (&stat, &stat), "{logic}");
    assert_eq!(steps[4], json!({"text": "abc", "stat": stat}), "{logic}");
    assert_eq!(steps[6]["type"], "application/octet-stream", "{logic}");
    assert_eq!(steps[7], json!([key("caf\u{e9}"), key("whole")]), "{logic}: by bytes of the one form");
    assert_eq!((&steps[8]["text"], &steps[9], &steps[10]), (&json!(""), &json!(true), &json!(false)), "{logic}");
    assert_eq!(steps[11], json!([key("whole")]), "{logic}");
}

async fn conditions(dev: &StkDev, logic: &str, etag: &str) {
    let key = format!("own/{logic}/conditions");
    let put = |more: Json| {
        let mut step = json!({"op": "put", "key": key, "text": "abc"});
        step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        step
    };
    let steps = told(
        dev,
        logic,
        json!([
            put(json!({"ifMatch": etag})),
            put(json!({"onlyNew": true})),
            put(json!({"onlyNew": true})),
            put(json!({"ifMatch": "another"})),
            put(json!({"ifMatch": etag, "text": "new"})),
            {"op": "get", "key": key},
            put(json!({"sha256": SHA_ABC, "text": "not that"})),
            {"op": "delete", "key": key, "ifMatch": etag},
            {"op": "get", "key": key},
            put(json!({"contentType": "no type"})),
            put(json!({"onlyNew": true, "ifMatch": etag})),
        ]),
    )
    .await;
    let (conflict, invalid) = ("STORAGE_CONFLICT", "STORAGE_INVALID");
    let expected = [conflict, "-", conflict, conflict, "-", "-", invalid, conflict, "-", invalid, invalid];
    assert_eq!(codes(&steps), expected, "{logic}: {steps:?}");
    assert_eq!((&steps[5]["text"], &steps[8]["text"]), (&json!("new"), &json!("new")), "{logic}");
}

async fn parts(dev: &StkDev, logic: &str) {
    let key = format!("own/{logic}/parts");
    let steps = told(
        dev,
        logic,
        json!([
            {"op": "drop", "key": key, "text": "never", "times": 2},
            {"op": "stat", "key": key},
            {"op": "stream", "key": key, "text": "0123456789", "times": 20},
            {"op": "read", "key": key, "offset": 195, "length": 3},
            {"op": "read", "key": key, "offset": 195, "length": 30},
            {"op": "read", "key": key, "offset": 200},
            {"op": "read", "key": key, "offset": 9_000_000_000_u64},
            {"op": "overtaken", "key": key, "text": "short"},
            {"op": "get", "key": key},
            {"op": "stream", "key": key, "text": "abc", "sha256": SHA_ABC, "ifMatch": "another"},
            {"op": "openAll", "key": key, "times": 16},
        ]),
    )
    .await;
    assert_eq!((&steps[1], &steps[2]["size"]), (&Json::Null, &json!(200)), "{logic}");
    let texts: Vec<&Json> = steps[3..=6].iter().map(|step| &step["text"]).collect();
    assert_eq!(texts, ["567", "56789", "", ""], "{logic}");
    let first = "0123456789".repeat(20);
    assert_eq!(steps[7], json!({"text": first, "size": 200}), "{logic}: the same one to the end");
    assert_eq!(steps[8]["text"], "short", "{logic}");
    assert_eq!((codes(&steps[9..10]), &steps[10]), (vec!["STORAGE_CONFLICT"], &json!(16)), "{logic}");
    let steps = told(dev, logic, json!([{"op": "openAll", "key": key, "times": 17}])).await;
    assert!(steps[0]["message"].as_str().unwrap().contains("16 objects are open"), "{logic}: {steps:?}");
}

/// What is not granted is the same as what there is not.
async fn denied(dev: &StkDev, logic: &str) {
    let (get, put) = (|key: &str| json!({"op": "get", "key": key}), |key: &str| json!({"op": "put", "key": key}));
    let listed = |prefix: &str| json!({"op": "list", "key": prefix});
    let mut refused = vec![
        get("other/x"),
        get("own"),
        get("ownx/y"),
        put("read/a/only"),
        get("read/a/b/only"),
        // Who calls has no name.
        get("anonymous/x"),
        get("{auth.sub}/x"),
        listed(""),
        listed("own"),
        listed("read/"),
        listed("ownx/"),
        json!({"op": "delete", "key": "read/a/only"}),
        json!({"op": "get", "bucket": "none", "key": "own/x"}),
        json!({"op": "list", "bucket": "small", "key": ""}),
        json!({"op": "delete", "bucket": "small", "key": "x"}),
        json!({"op": "get", "bucket": "../files", "key": "own/x"}),
        json!({"op": "get", "bucket": "f".repeat(1_000), "key": "own/x"}),
    ];
    let steps = told(dev, logic, json!(refused)).await;
    let all = vec!["STORAGE_DENIED"; refused.len()];
    assert_eq!(codes(&steps), all, "{logic}: {steps:?}");

    refused = [
        "",
        "/etc/passwd",
        "own/../../x",
        "own/./x",
        "own//x",
        "own/x/",
        "own/..",
        "own\\x",
        "own/a\nb",
        "own/a\u{202e}b",
    ]
    .map(get)
    .to_vec();
    refused.push(get(&format!("own/{}", "a".repeat(2_000))));
    refused.push(get(&format!("own/{}", "a".repeat(20_000))));
    refused.push(listed("own/../"));
    let steps = told(dev, logic, json!(refused)).await;
    let all = vec!["STORAGE_INVALID"; refused.len()];
    assert_eq!(codes(&steps), all, "{logic}: {steps:?}");
    let steps = told(dev, logic, json!([get("read/a/only")])).await;
    assert_eq!(steps, [Json::Null], "{logic}: it may ask, and there is none");
}

async fn limited(dev: &StkDev, logic: &str) {
    let small = |times: usize| json!({"op": "put", "bucket": "small", "key": "x", "text": "a", "times": times});
    let steps =
        told(dev, logic, json!([small(1_024), small(1_025), {"op": "get", "bucket": "small", "key": "x"}])).await;
    assert_eq!(codes(&steps), ["-", "STORAGE_TOO_LARGE", "-"], "{logic}: {steps:?}");
    assert_eq!(steps[2]["stat"]["size"], 1_024, "{logic}: what was there stays");
    // Four mebibytes in all, either way.
    let key = format!("own/{logic}/large");
    let put = json!({"op": "put", "key": key, "text": "0123456789abcdef", "times": 196_608});
    let get = |give_up| json!({"op": "read", "key": key, "giveUp": give_up});
    let steps = told(dev, logic, json!([put, get(false), get(false)])).await;
    assert_eq!(codes(&steps), ["-", "-", "STORAGE_LIMIT"], "{logic}: {}", steps[2]);
    let answer = ask(dev, logic, json!([put, get(true), get(true)])).await;
    assert_eq!((answer.code(), answer.limit()), ("LOGIC_FAILED", "storageBytes"), "{logic}: {answer:?}");
    told(dev, logic, json!([{"op": "delete", "key": key}])).await;
}

/// What is asked of objects is a call into the host like any other.
#[tokio::test(flavor = "multi_thread")]
async fn calls_for_objects_are_counted() {
    let folder = project(&LOGICS[..1]);
    folder.edit("logics/rust/logic.yaml", "limits: {", "limits: {hostCalls: 20, ").unwrap();
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let stats = |count: usize| json!(vec![json!({"op": "stat", "key": "own/a"}); count]);
    assert_eq!(told(&dev, "rust", stats(5)).await.len(), 5);
    let answer = ask(&dev, "rust", stats(21)).await;
    assert_eq!((answer.code(), answer.limit()), ("LOGIC_FAILED", "hostCalls"), "{answer:?}");
    // What was done before stays: it is no part of a transaction.
    let puts: Vec<Json> = (0..21).map(|at| json!({"op": "put", "key": format!("own/{at}"), "text": "a"})).collect();
    let answer = ask(&dev, "rust", json!(puts)).await;
    assert_eq!((answer.code(), answer.limit()), ("LOGIC_FAILED", "hostCalls"), "{answer:?}");
    assert_eq!(told(&dev, "rust", json!([{"op": "get", "key": "own/0"}])).await[0]["text"], "a");
}

/// What each case has is its own, and empty.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_of_a_logic_has_buckets_of_its_own() {
    let folder = project(&LOGICS[..1]);
    let cases = "cases:
  - name: writes
    call: rust
    params: {steps: [{op: put, key: own/a, text: abc, onlyNew: true}, {op: list, key: own/}]}
    expect: {answer: [{key: own/a, size: 3, etag: SHA, type: application/octet-stream, made: true}, [own/a]]}
  - name: finds nothing of it
    call: rust
    params: {steps: [{op: list, key: own/}]}
    expect: {answer: [[]]}
"
    .replace("SHA", SHA_ABC);
    folder.write("tests/storage.yaml", &cases).unwrap();
    let tested = stk(folder.path(), &["logic", "test"], &[]).await.unwrap();
    assert_eq!(tested.code, 0, "{tested:?}");
    assert!(!folder.path().join(".stk/dev/main/storage").exists(), "and not in the folder of stk dev");
}

/// What happens inside of one call, with times; neither the bucket nor a key is in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_trace_shows_calls_for_objects_with_their_times() {
    let folder = project(&LOGICS[..1]);
    let steps = json!({"steps": [
        {"op": "put", "key": "own/planted", "text": "abc"},
        {"op": "get", "key": "own/planted"},
        {"op": "stat", "key": "own/none"},
        {"op": "list", "key": "own/"},
        {"op": "get", "key": "denied/planted"},
    ]});
    let args = ["logic", "invoke", "rust", "--params", &steps.to_string(), "--trace"];
    let traced = stk(folder.path(), &args, &[]).await.unwrap();
    assert_eq!(traced.code, 0, "{traced:?}");
    let calls: Vec<&str> = traced.stderr.lines().filter(|line| line.contains("host.storage")).collect();
    for (op, outcome) in [("finish", "ok"), ("get", "ok"), ("stat", "ok"), ("list", "ok")] {
        let is_it = |line: &&&str| {
            let (_, rest) = line.split_once("host.storage ").unwrap();
            let took = rest.split_once(" ms").and_then(|(took, _)| took.trim().parse::<f64>().ok());
            took.is_some_and(|took| took >= 0.0) && line.contains(&format!("op={op}")) && line.contains(outcome)
        };
        assert!(calls.iter().any(|line| is_it(&line)), "{op} {outcome}: {calls:#?}");
    }
    assert!(!calls.iter().any(|line| line.contains("planted") || line.contains("files")), "{calls:#?}");
    assert!(traced.stderr.contains("storage="), "and they are counted: {}", traced.stderr);
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}
