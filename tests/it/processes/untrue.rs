//! A Hub whose store was changed beside it, or came back from an older state: what it sends is not believed, what runs goes on, and
//! the Hub is told why. Put right, everything goes on by itself.

use std::{fs, path::Path, time::Duration};

use santokit_tests::{Bridge, FaultProxy};
use serde_json::{Value as Json, json};
use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

use super::walk;
use crate::lab::{CACHE_KEY, Lab, assert_serves};

const ID: &str = "brg_01ARZ3NDEKTSV4RRFFQ69G5FD1";

async fn in_the_store(lab: &Lab, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(lab.dir.path().join("hub/hub.db"));
    let mut db = SqliteConnection::connect_with(&options.busy_timeout(Duration::from_secs(10))).await.unwrap();
    db.execute(sql).await.unwrap();
    db.close().await.unwrap();
}

/// The Bridge as the Hub knows it, once it tells of a refusal.
async fn told(lab: &Lab, what: &str) -> Json {
    for _ in 0..600 {
        let status = lab.done(&["bridge", "status"], "").await;
        let refused = &status["bridges"][0]["envs"][0]["refused"];
        if refused.is_object() {
            let findings = status["bridges"][0]["findings"].to_string();
            assert!(findings.contains("\"error\"") && findings.contains("it refuses"), "{what}: {status}");
            return refused.clone();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what}: the Hub was not told; {}", lab.done(&["bridge", "status"], "").await)
}

const KEEP: [&str; 2] = [
    "CREATE TABLE kept_pointers AS SELECT project, env, envelope FROM pointers",
    "CREATE TABLE kept_releases AS SELECT id, manifest, envelope FROM releases",
];
const PUT_BACK: [&str; 4] = [
    "UPDATE pointers SET envelope = (SELECT k.envelope FROM kept_pointers k WHERE k.project = pointers.project AND k.env = pointers.env)",
    "UPDATE releases SET (manifest, envelope) = (SELECT k.manifest, k.envelope FROM kept_releases k WHERE k.id = releases.id)",
    "DROP TABLE kept_pointers",
    "DROP TABLE kept_releases",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_changed_store_sends_is_not_believed_and_told() {
    let lab = Lab::start("untrue").await;
    let mut way = FaultProxy::start(lab.relay.url.trim_start_matches("http://").to_owned()).await.unwrap();
    let url = format!("http://{}", way.address());
    let admin = ("STK_BRIDGE_ADMIN_LISTEN", "127.0.0.1:0");
    let bridge = lab.bridge("cache", &[("STK_BRIDGE_ID", ID), ("STK_BRIDGE_HUB_URL", &url), admin]).await;
    lab.apply().await;
    assert_serves(&bridge, &lab.api_key.0, 1).await;
    // What is changed in the store, and what the Bridge says.
    let changes = [
        ("UPDATE pointers SET envelope = json_set(envelope, '$.payload', 'e30=')", "signature"),
        ("UPDATE pointers SET envelope = json_set(envelope, '$.signatures', json('[]'))", "signature"),
        ("UPDATE releases SET manifest = replace(manifest, 'hello', 'hallo')", "digest"),
        ("UPDATE releases SET envelope = json_set(envelope, '$.signatures', json('[]'))", "signature"),
        ("UPDATE releases SET envelope = json_set(envelope, '$.payloadType', 'x')", "type"),
    ];
    let mut version = 1;
    for (change, why) in changes {
        // The Bridge is cut off while the next release is made and changed.
        way.refuse().await;
        version += 1;
        lab.set_version(version);
        lab.done(&["apply", "--yes", "--wait", "0"], "").await;
        for sql in KEEP {
            in_the_store(&lab, sql).await;
        }
        in_the_store(&lab, change).await;
        way.accept_again().await.unwrap();
        let refused = told(&lab, change).await;
        assert!(refused["message"].as_str().unwrap().contains(why), "{change}: {refused}");
        assert_eq!(refused["code"], "RELEASE_BLOCKED", "{change}: {refused}");
        assert_serves(&bridge, &lab.api_key.0, version - 1).await;
        for sql in PUT_BACK {
            in_the_store(&lab, sql).await;
        }
        // A release that was refused is not looked at again by itself: nothing says that it is another now.
        lab.done(&["bridge", "force-sync", ID, "--url", &bridge.admin_url()], "").await;
        await_version(&bridge, version).await;
        until_nothing_is_refused(&lab).await;
    }

    // A component that the Hub has and cannot read, and the Bridge has lost.
    let flip = |folder: &str| {
        for (path, mut bytes) in walk(&lab.dir.path().join(folder)) {
            bytes[100] ^= 1;
            fs::write(path, bytes).unwrap();
        }
    };
    way.refuse().await;
    lab.set_version(version + 1);
    lab.done(&["apply", "--yes", "--wait", "0"], "").await;
    flip("hub/blobs/sha256");
    flip("cache/blobs");
    way.accept_again().await.unwrap();
    let refused = told(&lab, "a damaged component").await;
    assert_eq!(refused["code"], "SERVICE_UNAVAILABLE", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("cannot be fetched"), "{refused}");
    assert_serves(&bridge, &lab.api_key.0, version).await;
    flip("hub/blobs/sha256");
    await_version(&bridge, version + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_comes_back_from_an_older_state_takes_nobody_back() {
    let mut lab = Lab::start("older").await;
    let bridge = lab.bridge("cache", &[("STK_BRIDGE_ID", ID), ("STK_BRIDGE_CACHE_KEY", CACHE_KEY)]).await;
    lab.apply().await;
    lab.kill_hub().await;
    let (hub, copy) = (lab.dir.path().join("hub"), lab.dir.path().join("hub-of-before"));
    copied(&hub, &copy);
    lab.revive_hub().await;
    for version in 2..4 {
        lab.set_version(version);
        lab.apply().await;
    }
    assert_serves(&bridge, &lab.api_key.0, 3).await;
    // Pointer 3 was seen; the Hub that comes back has pointer 1.
    lab.kill_hub().await;
    fs::remove_dir_all(&hub).unwrap();
    copied(&copy, &hub);
    lab.revive_hub().await;
    let mut seen = Json::Null;
    for _ in 0..600 {
        let status = lab.done(&["bridge", "status"], "").await;
        seen = status["bridges"][0].clone();
        let is_told = seen["findings"].to_string().contains("the Hub was restored from an older state");
        if is_told && seen["envs"][0]["refused"].is_object() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(seen["findings"].to_string().contains("above 3"), "{seen}");
    assert!(seen["envs"][0]["refused"]["message"].to_string().contains("lower than 3"), "{seen}");
    assert_serves(&bridge, &lab.api_key.0, 3).await;
    // Not even from its disk, after a restart.
    bridge.kill().await.unwrap();
    let bridge = lab.bridge("cache", &[("STK_BRIDGE_ID", ID), ("STK_BRIDGE_CACHE_KEY", CACHE_KEY)]).await;
    bridge.until("refusing", |env| env["refused"].is_object()).await.unwrap();
    assert_serves(&bridge, &lab.api_key.0, 3).await;
    // As `stk bridge status` says: moved until it is above.
    for version in 4..7 {
        lab.set_version(version);
        lab.stk(&["apply", "--yes", "--wait", "0"], "").await;
    }
    await_version(&bridge, 6).await;
}

fn copied(from: &Path, to: &Path) {
    for (path, bytes) in walk(from) {
        let target = to.join(Path::new(&path).strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
}

/// As the Hub knows it: what is refused next is another refusal.
async fn until_nothing_is_refused(lab: &Lab) {
    for _ in 0..600 {
        let status = lab.done(&["bridge", "status"], "").await;
        if status["bridges"][0]["envs"][0]["refused"].is_null() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the Hub was not told that it is over");
}

async fn await_version(bridge: &Bridge, version: u32) {
    for _ in 0..600 {
        let answer = bridge.client.logic("version", json!({})).await.unwrap();
        if answer.body["data"][0]["number"] == version {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("version {version} does not run: {}", bridge.readiness().await.unwrap())
}
