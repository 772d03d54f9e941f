//! Recordings from end to end: an invocation at a Bridge is recorded without what must not be in it, read by who may, and run again on
//! another machine, where the first thing that another release does otherwise is named.

use std::{fs, path::Path, time::Duration};

use reqwest::{Client, Method};
use santokit_core::seal::SealKey;
use santokit_tests::{Bridge, Finished, ProjectFolder, StkDev, planes::OPERATOR, stk};
use serde_json::{Value as Json, json};

use crate::lab::{CACHE_KEY, Lab, SECRET};

const ID: &str = "brg_01ARZ3NDEKTSV4RRFFQ69G5FE1";
const ROOM: (&str, &str) = ("STK_BRIDGE_RECORDINGS_ENV_BYTES", "4MiB");

/// A Bridge that says where it takes operators, and runs the release.
async fn bridge(lab: &Lab, more: &[(&str, &str)]) -> Bridge {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (listen, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let mut settings = vec![
        ("STK_BRIDGE_ID", ID),
        ("STK_BRIDGE_CACHE_KEY", CACHE_KEY),
        ("STK_BRIDGE_ADMIN_LISTEN", listen.as_str()),
        ("STK_BRIDGE_ADMIN_URL", url.as_str()),
    ];
    settings.extend_from_slice(more);
    let bridge = lab.bridge("one", &settings).await;
    lab.apply().await;
    for _ in 0..600 {
        let known = lab.done(&["bridge", "status"], "").await;
        if known.to_string().contains(&url) {
            return bridge;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the Bridge has not said where it takes operators");
}

fn record(lab: &Lab, record: &str) {
    let path = lab.folder.path().join("logics/every/logic.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.lines().filter(|line| !line.starts_with("record:")).collect::<Vec<_>>().join("\n");
    lab.folder.write("logics/every/logic.yaml", &format!("{text}\nrecord: {record}\n")).unwrap();
}

/// As many as there should be: they are written behind the answer.
async fn listed(lab: &Lab, count: usize) -> Vec<Json> {
    for _ in 0..200 {
        let found = lab.done(&["logic", "recordings"], "").await["recordings"].as_array().unwrap().clone();
        if found.len() == count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("there are not {count} recordings: {}", lab.done(&["logic", "recordings"], "").await);
}

fn id_of(row: &Json) -> &str {
    row["id"].as_str().unwrap()
}

async fn replay(lab: &Lab, id: &str, more: &[&str]) -> Finished {
    lab.stk(&[&["logic", "replay", id], more].concat(), "").await
}

/// What is in a file on the Bridge's disk, unsealed.
fn unsealed(lab: &Lab, id: &str) -> String {
    let env = format!("{}/prod", lab.project);
    let path = lab.dir.path().join("one/envs").join(&env).join("recordings").join(id);
    let bytes = fs::read(path).unwrap();
    let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
    let key = SealKey::parse(CACHE_KEY).unwrap();
    let head = key.open(&format!("bridge-recording-head:{env}:{id}"), &bytes[4..4 + length]).unwrap();
    let body = key.open(&format!("bridge-recording-body:{env}:{id}"), &bytes[4 + length..]).unwrap();
    String::from_utf8([head, body].concat()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_runs_again() {
    let lab = Lab::start("again").await;
    record(&lab, "{sample: 100%, keep: 1h, redact: [greeting]}");
    let bridge = bridge(&lab, &[ROOM]).await;
    let first = bridge.client.logic("every", json!({})).await.unwrap();
    assert_eq!(first.status, 200, "{first:?}");
    let failed = bridge.client.logic("every", json!({"query": "SELECT nothing FROM nowhere"})).await.unwrap();
    assert_eq!(failed.code(), "LOGIC_ERROR", "{failed:?}");
    let rows = listed(&lab, 2).await;
    assert_eq!((&rows[0]["outcome"], &rows[1]["outcome"]), (&json!("refused"), &json!("answer")), "{rows:?}");
    assert_eq!((&rows[1]["logic"], &rows[1]["bridge"]), (&json!("every"), &json!(ID)));
    assert!(rows[1]["calls"].as_u64().unwrap() > 15 && rows[1]["cut"].is_null(), "{rows:?}");

    // The one that answered and the one that was refused are the same here, the clock and chance too.
    for row in &rows {
        let again = replay(&lab, id_of(row), &[]).await;
        assert_eq!((again.code, &again.json()["verdict"]["kind"]), (0, &json!("same")), "{again:?}");
        let calls = again.json()["calls"].as_array().unwrap().clone();
        assert!(calls.iter().all(|call| call["isSame"] == true && call["tookUs"].is_u64()), "{calls:?}");
        assert_eq!(calls[0]["capability"], "config");
    }
    // A folder whose component is the same is the same; all of them in one go.
    let (answered, refused) = (id_of(&rows[1]), id_of(&rows[0]));
    assert_eq!(replay(&lab, answered, &["--release", "local"]).await.code, 0);
    let all = lab.done(&["logic", "replay", "--all", "every"], "").await;
    assert_eq!((&all["same"], &all["diverged"], &all["failed"]), (&json!(2), &json!(0), &json!(0)), "{all}");
    let words = words(&lab, &["logic", "replay", answered]).await;
    assert!(words.stdout.contains("the same") && words.stdout.contains("sql.query"), "{words:?}");

    // Another component: the first call that differs is named.
    let (kept, every) = ("tests/guests/kept/logic-0.1.0-js.wasm", lab.folder.path().join("logics/every/every.wasm"));
    fs::copy(santokit_tests::folder::repository().join(kept), every).unwrap();
    let other = replay(&lab, answered, &["--release", "local"]).await;
    let verdict = &other.json()["verdict"];
    assert_eq!((other.code, &verdict["kind"]), (1, &json!("diverged")), "{other:?}");
    assert!(verdict["number"].as_u64().unwrap() >= 1 && verdict["now"].is_object(), "{verdict}");
    // It says no to the same in the same words, and has done the same until then.
    assert_eq!(replay(&lab, refused, &["--release", "local"]).await.code, 0);
    let words = self::words(&lab, &["logic", "replay", answered, "--release", "local"]).await;
    assert!(words.code == 1 && words.stdout.contains("diverges") && words.stdout.contains("recorded"), "{words:?}");
    // A release of before, which records nothing, is compared with as well.
    let released = lab.done(&["apply", "--accept-grants", "--yes"], "").await;
    let release = released["releaseId"].as_str().unwrap();
    let all = lab.stk(&["logic", "replay", "--all", "every", "--release", release], "").await;
    assert_eq!((all.code, &all.json()["diverged"], &all.json()["same"]), (1, &json!(1), &json!(1)), "{all:?}");
    assert_eq!(replay(&lab, answered, &["--release", "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV"]).await.code, 1);
    assert_eq!(replay(&lab, "rec_01ARZ3NDEKTSV4RRFFQ69G5FAV", &[]).await.code, 1);
    // A restart finds what is there.
    assert_eq!(bridge.end().await.unwrap(), 0);
}

async fn words(lab: &Lab, args: &[&str]) -> Finished {
    let env = [("STK_HUB_URL", lab.relay.url.as_str()), ("STK_TOKEN", OPERATOR), ("STK_ENV", "prod")];
    stk(lab.folder.path(), args, &env).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_be_recorded_is_not() {
    let mut lab = Lab::start("hidden").await;
    record(&lab, "{sample: 100%, redact: [statement]}");
    let settings = [ROOM, ("STK_BRIDGE_RECORDINGS_KEEP", "3s")];
    let bridge = bridge(&lab, &settings).await;
    let statement = "UPDATE numbers SET number = 4711 WHERE number = 0815";
    let answer = bridge.client.logic("every", json!({"statement": statement})).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let rows = listed(&lab, 1).await;
    let id = id_of(&rows[0]).to_owned();
    // Neither the secret nor what the release says to leave out, in the file of who has the key.
    let text = unsealed(&lab, &id);
    for planted in [SECRET, statement, "4711"] {
        assert!(!text.contains(planted), "{planted}: {text}");
    }
    assert!(text.contains("secret-TOKEN") && text.contains("redacted-"), "{text}");
    // And still it runs again as it ran.
    let again = replay(&lab, &id, &[]).await;
    assert_eq!((again.code, &again.json()["verdict"]["kind"]), (0, &json!("same")), "{again:?}");
    assert!(!again.stdout.contains(SECRET) && !again.stdout.contains(statement));
    // Its time is what the Bridge allows: it is gone for who asks before it is gone from the disk.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(listed(&lab, 0).await.is_empty());
    assert_eq!(replay(&lab, &id, &[]).await.code, 1);
    let seen = bridge.output();
    assert!(!seen.contains(SECRET) && !seen.contains(statement), "the log");
    // The audit log has each reading, with the recording's id.
    let log = lab.done(&["audit", "log", "--action", "recording.token"], "").await;
    assert!(
        log["entries"].as_array().unwrap().iter().any(|entry| entry["detail"]["recording"] == id.as_str()),
        "{log}"
    );
    // Without a key there is no Bridge that records.
    bridge.kill().await.unwrap();
    lab.kill_hub().await;
    let refused = stk(
        lab.folder.path(),
        &["bridge", "serve"],
        &[
            ("STK_BRIDGE_SERVICE_TOKEN", "t"),
            ("STK_BRIDGE_ENVS", "hidden/prod"),
            ("STK_BRIDGE_TRUSTED_KEYS", &lab.trusted),
            ROOM,
        ],
    )
    .await
    .unwrap();
    assert!(refused.code != 0 && refused.stderr.contains("recordingsEnvBytes: needs cacheKey"), "{refused:?}");
}

async fn token(lab: &Lab, recording: Option<&str>) -> String {
    let path = format!("/v1/projects/{}/envs/prod/bridges/{ID}/recordings", lab.project);
    let made = lab.hub().operate(Method::POST, &path, &json!({"recording": recording})).await.unwrap();
    made["token"].as_str().unwrap().to_owned()
}

/// Status and body.
async fn ask(bridge: &Bridge, path: &str, token: Option<&str>) -> (u16, String) {
    let mut request = Client::new().get(format!("{}/admin/envs/{path}", bridge.admin_url()));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_open_to_a_token_for_them_and_to_nothing_else() {
    let lab = Lab::start("locked").await;
    record(&lab, "{sample: 100%}");
    let bridge = bridge(&lab, &[ROOM]).await;
    for _ in 0..2 {
        bridge.client.logic("every", json!({})).await.unwrap();
    }
    let rows = listed(&lab, 2).await;
    let (id, other) = (id_of(&rows[0]).to_owned(), id_of(&rows[1]).to_owned());
    let (here, one) = ("locked/prod/recordings", format!("locked/prod/recordings/{id}"));
    for wrong in [None, Some(OPERATOR), Some(lab.service_token.as_str()), Some(lab.api_key.0.as_str())] {
        assert_eq!((ask(&bridge, here, wrong).await.0, ask(&bridge, &one, wrong).await.0), (401, 401), "{wrong:?}");
    }
    // A token for something else, and one of these for something else.
    let tokens = format!("/v1/projects/{}/envs/prod/bridges/{ID}/tokens", lab.project);
    for deed in ["sync", "logs"] {
        let made = lab.hub().operate(Method::POST, &tokens, &json!({"deed": deed})).await.unwrap();
        assert_eq!(ask(&bridge, &one, made["token"].as_str()).await.0, 401, "{deed}");
    }
    assert!(lab.hub().operate(Method::POST, &tokens, &json!({"deed": "recordings"})).await.is_err());
    let (list, read) = (token(&lab, None).await, token(&lab, Some(&id)).await);
    assert_eq!(ask(&bridge, &one, Some(&list)).await.0, 401, "the list is not its content");
    assert_eq!(ask(&bridge, here, Some(&read)).await.0, 401, "nor the other way round");
    assert_eq!(ask(&bridge, &format!("{here}/{other}"), Some(&read)).await.0, 401, "another recording");
    assert_eq!(ask(&bridge, &format!("locked/staging/recordings/{id}"), Some(&read)).await.0, 401, "another env");
    assert_eq!(ask(&bridge, "locked/prod/logs", Some(&read)).await.0, 401, "another deed");
    for path in ["..%2Fgood.json", "..%2F..%2F..%2F..%2Fetc%2Fpasswd", "%00"] {
        let (status, body) = ask(&bridge, &format!("{here}/{path}"), Some(&read)).await;
        assert!(status == 401 && !body.contains("root:"), "{path}: {body}");
    }
    let (status, body) = ask(&bridge, &one, Some(&read)).await;
    assert!(status == 200 && body.contains("\"calls\"") && !body.contains(SECRET), "{status} {body}");
    assert_eq!(ask(&bridge, &one, Some(&read)).await.0, 401, "once");
    let (status, body) = ask(&bridge, here, Some(&list)).await;
    assert!(status == 200 && body.contains(&id) && !body.contains("\"input\""), "{status} {body}");
    let (status, _) = ask(&bridge, &format!("{here}?everything=true"), Some(&token(&lab, None).await)).await;
    assert_eq!(status, 400);
    // A Bridge that does not serve them has none, whoever asks.
    let absent = token(&lab, Some("rec_01ARZ3NDEKTSV4RRFFQ69G5FAV")).await;
    assert_eq!(ask(&bridge, &format!("{here}/rec_01ARZ3NDEKTSV4RRFFQ69G5FAV"), Some(&absent)).await.0, 404);
    // Who deploys does not read what customers sent.
    let path = format!("/v1/projects/{}/envs/prod/bridges/{ID}/recordings", lab.project);
    for (level, may) in [("deploy", false), ("admin", true)] {
        let made =
            lab.hub().operate(Method::POST, "/v1/tokens", &json!({"name": level, "level": level})).await.unwrap();
        let asked = Client::new().post(format!("{}{path}", lab.relay.url)).json(&json!({}));
        let status = asked.bearer_auth(made["token"].as_str().unwrap()).send().await.unwrap().status().as_u16();
        assert_eq!(status, if may { 201 } else { 403 }, "{level}");
    }
    // What somebody changes on the disk is not read, and a whole file of somebody is none of ours.
    let file = lab.dir.path().join("one/envs/locked/prod/recordings").join(&id);
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();
    let changed = replay(&lab, &id, &[]).await;
    assert!(changed.code == 1 && !changed.stdout.contains("\"calls\""), "{changed:?}");
    assert_eq!(replay(&lab, &other, &[]).await.code, 0);
}

/// A Bridge that is not told to, a release that does not say so, and one that is changed to say so.
#[tokio::test(flavor = "multi_thread")]
async fn both_sides_must_want_it_and_consent_is_asked_for() {
    let lab = Lab::start("wanted").await;
    let bridge = bridge(&lab, &[]).await;
    record(&lab, "{failures: 100%}");
    let refused = lab.stk(&["apply", "--yes"], "").await;
    assert!(refused.code == 3 && refused.stdout.contains("record 100% of failures, kept 1d"), "{refused:?}");
    lab.apply().await;
    bridge.client.logic("every", json!({"query": "no SQL at all"})).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(listed(&lab, 0).await.is_empty(), "the Bridge does not allow it");
    assert!(!lab.dir.path().join("one/envs/wanted/prod/recordings").exists());
    bridge.kill().await.unwrap();

    // Now it does, with little room: what is larger than may be is cut, and answers all the same.
    let bridge = self::bridge(&lab, &[ROOM, ("STK_BRIDGE_RECORDING_BYTES", "4KiB")]).await;
    let fine = bridge.client.logic("every", json!({})).await.unwrap();
    assert_eq!(fine.status, 200, "{fine:?}");
    let long = format!("SELECT nothing FROM {}", "x".repeat(3_000));
    bridge.client.logic("every", json!({"query": long})).await.unwrap();
    let rows = listed(&lab, 1).await;
    assert!(rows[0]["outcome"] == "refused" && rows[0]["cut"].is_string(), "{rows:?}");
    let cut = replay(&lab, id_of(&rows[0]), &[]).await;
    assert_eq!((cut.code, &cut.json()["verdict"]["kind"]), (0, &json!("unfinished")), "{cut:?}");
    bridge.client.logic("every", json!({"query": "x".repeat(10_000)})).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(listed(&lab, 1).await.len(), 1, "and what does not fit at all is not there");
}

/// In `stk dev`, with a project of one's own: no Hub to name, nothing to set.
#[tokio::test(flavor = "multi_thread")]
async fn stk_dev_records_as_well() {
    let folder: ProjectFolder = crate::lab::project_folder("recording");
    let dev = "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\nsecrets:\n  TOKEN: {value: planted-dev}\n";
    folder.write("santokit.dev.yaml", dev).unwrap();
    let path = folder.path().join("logics/every/logic.yaml");
    let text = fs::read_to_string(&path).unwrap() + "record: {sample: 100%}\n";
    folder.write("logics/every/logic.yaml", &text).unwrap();
    let running = StkDev::start(folder.path(), &[]).await.unwrap();
    let answer = running.client.logic("every", json!({})).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}\n{}", running.output());
    let id = of_dev(folder.path()).await;
    let again = stk(folder.path(), &["logic", "replay", &id, "--release", "local"], &[]).await.unwrap();
    assert!(again.code == 0 && again.stdout.contains("the same"), "{again:?}");
    drop(running);
}

async fn of_dev(folder: &Path) -> String {
    for _ in 0..200 {
        let found = stk(folder, &["logic", "recordings", "every", "--json"], &[]).await.unwrap();
        if found.code == 0
            && let Some(row) = found.json()["recordings"].get(0)
        {
            return id_of(row).to_owned();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nothing was recorded");
}
