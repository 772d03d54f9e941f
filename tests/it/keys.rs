//! The exchange of the Hub's signing key, over processes: no Bridge is cut off on the way, whichever of the keys it trusts, and the
//! key before is ended only when nobody needs it.

use reqwest::Method;
use santokit_core::release::SigningKey;
use santokit_tests::{Bridge, Finished};
use serde_json::{Value as Json, json};
use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::lab::{CACHE_KEY, Lab, assert_serves, assert_serves_nothing};

const ONE: (&str, &str) = ("STK_BRIDGE_ID", "brg_01ARZ3NDEKTSV4RRFFQ69G5FB1");
const SEALED: (&str, &str) = ("STK_BRIDGE_CACHE_KEY", CACHE_KEY);

async fn trusting(lab: &Lab, cache: &str, keys: &str) -> Bridge {
    lab.bridge(cache, &[ONE, SEALED, ("STK_BRIDGE_TRUSTED_KEYS", keys)]).await
}

/// `stk keys status`, until the Bridge says what it trusts.
async fn until_trusts(lab: &Lab, trusts: &str) -> Json {
    for _ in 0..600 {
        let status = lab.done(&["keys", "status"], "").await;
        if status["bridges"][0]["trusts"] == trusts {
            return status;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no Bridge trusts {trusts}: {}", lab.done(&["keys", "status"], "").await)
}

fn id_and_text(key: &Json) -> (String, String) {
    (key["id"].as_str().unwrap().to_owned(), key["key"].as_str().unwrap().to_owned())
}

/// How many keys have signed what the env points to, and the release.
async fn signatures(lab: &Lab) -> (usize, usize) {
    let path = format!("/internal/releases/current?project={}&env=prod", lab.project);
    let current: Json = serde_json::from_slice(&lab.internal(&lab.service_token, &path, None).await.2).unwrap();
    let id = lab.done(&["release", "current"], "").await["releaseId"].clone();
    let count = |envelope: &Json| envelope["signatures"].as_array().unwrap().len();
    (count(&current["pointer"]), count(&lab.release(&id).await["envelope"]))
}

fn assert_conflict(finished: &Finished, hint: &str) -> Json {
    let error = finished.json()["error"].clone();
    assert_eq!((finished.code, &error["code"]), (1, &json!("CONFLICT")), "{finished:?}");
    assert!(error["hint"].as_str().unwrap().contains(hint), "{error}");
    error
}

async fn in_the_store(lab: &Lab, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(lab.dir.path().join("hub/hub.db"));
    let mut db = SqliteConnection::connect_with(&options).await.unwrap();
    db.execute(sql).await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_exchanged_under_bridges_that_go_on() {
    let mut lab = Lab::start("exchanged").await;
    let old = lab.trusted.clone();
    let bridge = trusting(&lab, "cache", &old).await;
    lab.apply().await;
    let status = until_trusts(&lab, "current").await;
    let old_id = status["keys"][0]["id"].as_str().unwrap().to_owned();
    assert_conflict(&lab.stk(&["keys", "retire", &old_id, "--yes"], "").await, "stk keys rotate");

    let (new_id, new) = id_and_text(&lab.done(&["keys", "rotate", "--yes"], "").await);
    assert_eq!(signatures(&lab).await, (2, 2), "what there is has both signatures");
    assert_conflict(&lab.stk(&["keys", "rotate", "--yes"], "").await, &format!("stk keys retire {old_id}"));
    // A Bridge that knows the old one only goes on as before.
    lab.set_version(2);
    lab.apply().await;
    assert_serves(&bridge, &lab.api_key.0, 2).await;
    assert_eq!(signatures(&lab).await, (2, 2), "and so has what comes");
    let status = until_trusts(&lab, "previous").await;
    assert!(status["next"].as_str().unwrap().contains("OLD|NEW"), "{status}");
    let fleet = lab.done(&["bridge", "status"], "").await;
    assert!(fleet["bridges"][0]["findings"][0]["todo"].as_str().unwrap().contains(&new_id), "{fleet}");
    let refused = assert_conflict(&lab.stk(&["keys", "retire", &old_id, "--yes"], "").await, "--force");
    assert!(refused["details"]["bridges"][0].as_str().unwrap().contains(ONE.1), "{refused}");

    // One that knows both, then one that knows the new one only, from the same cache.
    assert_eq!(bridge.end().await.unwrap(), 0);
    let bridge = trusting(&lab, "cache", &format!("{old}|{new}")).await;
    bridge.until_state("fresh").await.unwrap();
    until_trusts(&lab, "both").await;
    lab.done(&["keys", "retire", &old_id, "--yes"], "").await;
    lab.set_version(3);
    lab.apply().await;
    assert_serves(&bridge, &lab.api_key.0, 3).await;
    assert_eq!(signatures(&lab).await, (1, 1), "what comes now has one");
    assert_eq!(bridge.end().await.unwrap(), 0);
    let fresh = trusting(&lab, "fresh-cache", &new).await;
    fresh.until_state("fresh").await.unwrap();
    assert_serves(&fresh, &lab.api_key.0, 3).await;
    drop(fresh);

    let keys = lab.done(&["keys", "list"], "").await;
    let stand: Vec<&Json> = keys["keys"].as_array().unwrap().iter().map(|key| &key["state"]).collect();
    assert_eq!(stand, ["current", "retired"], "{keys}");
    let log = lab.hub().operate(Method::GET, "/v1/audit?limit=1000", &Json::Null).await.unwrap();
    let actions: Vec<&str> = log["entries"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    for action in ["signingkey.create", "signingkey.rotate", "signingkey.retire"] {
        assert_eq!(actions.iter().filter(|found| **found == action).count(), 1, "{actions:?}");
    }
    // The key signs on after a restart, and the one that is retired opens nothing any more.
    lab.kill_hub().await;
    lab.revive_hub().await;
    lab.set_version(4);
    let applied = lab.done(&["apply", "--yes", "--wait", "0"], "").await;
    let id = applied["releaseId"].as_str().unwrap().to_owned();
    assert_eq!(lab.stk(&["release", "verify", &id, "--key", &new], "").await.code, 0);
    assert_eq!(lab.stk(&["release", "verify", &id, "--key", &old], "").await.code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_disk_is_signed_anew_so_that_the_old_key_can_go() {
    let mut lab = Lab::start("kept").await;
    let old = lab.trusted.clone();
    let bridge = trusting(&lab, "cache", &old).await;
    lab.apply().await;
    assert_serves(&bridge, &lab.api_key.0, 1).await;
    let new = id_and_text(&lab.done(&["keys", "rotate", "--yes"], "").await).1;
    // Nothing is applied: only the signatures are others.
    let good = lab.dir.path().join("cache/envs/kept/prod/good.json");
    let is_anew = || {
        let good: Json = serde_json::from_slice(&std::fs::read(&good).unwrap()).unwrap();
        let count = |place: &str| good.pointer(place).and_then(Json::as_array).unwrap().len();
        (count("/pointer/signatures"), count("/release/envelope/signatures")) == (2, 2)
    };
    santokit_tests::planes::until("the cache is signed anew", is_anew).await.unwrap();
    lab.kill_hub().await;
    bridge.kill().await.unwrap();
    let bridge = trusting(&lab, "cache", &new).await;
    bridge.until("loaded from its cache", |env| env["releaseId"].is_string()).await.unwrap();
    assert_serves(&bridge, &lab.api_key.0, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_of_one_signer_are_not_two_signers() {
    let lab = Lab::start("counted").await;
    let other = SigningKey::generate().unwrap().verifying_key().to_string();
    lab.done(&["apply", "--accept-grants", "--yes", "--wait", "0"], "").await;
    let new = id_and_text(&lab.done(&["keys", "rotate", "--yes"], "").await).1;
    let keys = format!("{}|{new},{other}", lab.trusted);
    let settings = [("STK_BRIDGE_TRUSTED_KEYS", keys.as_str()), ("STK_BRIDGE_REQUIRED_SIGNERS", "2")];
    let bridge = lab.bridge("strict", &settings).await;
    let env = bridge.until("refusing", |env| env["refused"].is_object()).await.unwrap();
    assert_eq!(env["refused"]["code"], "RELEASE_BLOCKED", "{env}");
    assert_serves_nothing(&bridge).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_a_signature_by_writing_to_the_store() {
    let lab = Lab::start("written").await;
    lab.done(&["apply", "--accept-grants", "--yes", "--wait", "0"], "").await;
    in_the_store(&lab, "UPDATE pointers SET envelope = replace(envelope, '\"payload\":\"', '\"payload\":\"A')").await;
    assert_conflict(&lab.stk(&["keys", "rotate", "--yes"], "").await, "somebody changed the Hub's database");
    assert_eq!(lab.done(&["keys", "list"], "").await["keys"].as_array().unwrap().len(), 1, "nothing was made");
    in_the_store(&lab, "UPDATE pointers SET envelope = replace(envelope, '\"payload\":\"A', '\"payload\":\"')").await;
    // A release that is not what was signed gets none; the others do.
    in_the_store(&lab, "UPDATE releases SET envelope = replace(envelope, '\"payload\":\"', '\"payload\":\"A')").await;
    let new = id_and_text(&lab.done(&["keys", "rotate", "--yes"], "").await).1;
    let id = lab.done(&["release", "current"], "").await["releaseId"].as_str().unwrap().to_owned();
    assert_eq!(lab.stk(&["release", "verify", &id, "--key", &new], "").await.code, 3);
}
