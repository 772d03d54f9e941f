//! What an operator sees of Bridges: what they report, what becomes of those that are silent, when keys were used, and how keys
//! and tokens end everywhere.

use std::time::{Duration, Instant};

use reqwest::Method;
use santokit_core::release::SigningKey;
use santokit_tests::Bridge;
use serde_json::{Value as Json, json};
use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::lab::{CACHE_KEY, Lab, SECRET, assert_serves};

const GOOD: (&str, &str) = ("STK_BRIDGE_ID", "brg_01ARZ3NDEKTSV4RRFFQ69G5FA1");
const DISTRUSTING: (&str, &str) = ("STK_BRIDGE_ID", "brg_01ARZ3NDEKTSV4RRFFQ69G5FA2");
const SEALED: (&str, &str) = ("STK_BRIDGE_CACHE_KEY", CACHE_KEY);

/// `stk bridge status`, until something holds of it.
async fn status(lab: &Lab, what: &str, is_so: impl Fn(&Json) -> bool) -> Json {
    let began = Instant::now();
    loop {
        let status = lab.done(&["bridge", "status"], "").await;
        if is_so(&status) {
            return status;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{what} is not so: {status}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn bridge<'a>(status: &'a Json, (_, id): (&str, &str)) -> &'a Json {
    status["bridges"].as_array().unwrap().iter().find(|bridge| bridge["id"] == id).unwrap_or(&Json::Null)
}

/// (severity, what) of each, in one line.
fn found(of: &Json) -> Vec<String> {
    let findings = of["findings"].as_array().into_iter().flatten();
    findings.map(|finding| format!("{}: {}", finding["severity"].as_str().unwrap(), finding["what"])).collect()
}

/// In the store of the Hub, beside it.
async fn at_the_hub(lab: &Lab, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(lab.dir.path().join("hub/hub.db"));
    let mut db = SqliteConnection::connect_with(&options.busy_timeout(Duration::from_secs(10))).await.unwrap();
    db.execute(sql).await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fleet_is_shown_with_what_is_wrong_until_it_is_forgotten() {
    let lab = Lab::start("shown").await;
    let nobody = lab.done(&["bridge", "status"], "").await;
    assert_eq!((&nobody["bridges"], &nobody["ok"]), (&json!([]), &json!(true)));
    lab.done(&["apply", "--accept-grants", "--yes", "--wait", "0"], "").await;
    let nobody = lab.done(&["bridge", "status"], "").await;
    assert_eq!(found(&nobody), ["warning: \"no Bridge serves it\""], "{nobody}");

    let other = SigningKey::generate().unwrap().verifying_key().to_string();
    let good = lab.bridge("good", &[GOOD, SEALED]).await;
    let distrusting = lab.bridge("bad", &[DISTRUSTING, ("STK_BRIDGE_TRUSTED_KEYS", &other)]).await;
    good.until_state("fresh").await.unwrap();
    distrusting.until("refusing", |env| env["refused"].is_object()).await.unwrap();
    let known = status(&lab, "both have told", |status| {
        bridge(status, GOOD)["envs"][0]["sequence"] == 1
            && bridge(status, DISTRUSTING)["envs"][0]["refused"].is_object()
            // On a machine that is slow a poll comes late now and then.
            && found(bridge(status, GOOD)).is_empty()
    });
    let known = known.await;
    let (well, ill) = (bridge(&known, GOOD), bridge(&known, DISTRUSTING));
    assert_eq!((found(well), &well["state"], &known["ok"]), (vec![], &json!("connected"), &json!(false)), "{known}");
    let standing = &well["standing"];
    assert_eq!((&standing["sealsCache"], &standing["requiredSigners"]), (&json!(true), &json!(1)), "{known}");
    assert_eq!(standing["trustedKeys"], json!([[known["signingKeys"][0]]]), "{known}");
    assert!(standing["build"].as_str().unwrap().contains(std::env::consts::ARCH), "{known}");
    assert!(well["clockSkewSeconds"].as_i64().unwrap().abs() <= 2, "one machine has one clock: {known}");
    let of_ill = found(ill);
    assert_eq!(of_ill.len(), 3, "{ill}");
    assert!(of_ill[0].starts_with("error: \"it refuses") || of_ill[0].contains("trusts no key"), "{ill}");
    assert!(of_ill.iter().any(|what| what.contains("it trusts no key of this Hub")), "{ill}");

    // What limits refuse is told too.
    let large = json!({"text": "x".repeat(11_000_000)});
    assert_eq!(good.client.logic("version", large).await.unwrap().status, 400);
    let hit = |status: &Json| bridge(status, GOOD)["standing"]["limitsHit"]["requestBody"] == 1;
    let known = status(&lab, "a limit was hit", hit).await;
    assert!(found(bridge(&known, GOOD)).concat().contains("requestBody 1 times"), "{known}");

    // One that says goodbye is gone; one that was killed is silent, and forgotten after a day.
    assert_eq!(good.end().await.unwrap(), 0);
    distrusting.kill().await.unwrap();
    at_the_hub(&lab, "UPDATE bridge_reports SET reported_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-5 minutes')")
        .await;
    let left = lab.done(&["bridge", "status"], "").await;
    assert_eq!(left["bridges"].as_array().unwrap().len(), 1, "{left}");
    let silent = bridge(&left, DISTRUSTING);
    assert_eq!(silent["state"], "silent", "{left}");
    assert!(found(silent)[0].contains("it has not reported for 5m"), "{left}");
    assert!(found(&left)[0].contains("no Bridge serves it"), "{left}");
    at_the_hub(&lab, "UPDATE bridge_reports SET reported_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-25 hours')")
        .await;
    assert_eq!(lab.done(&["bridge", "status"], "").await["bridges"], json!([]));
}

async fn last_used(lab: &Lab) -> Json {
    let keys = lab.done(&["apikey", "list"], "").await;
    keys["apiKeys"].as_array().unwrap().iter().find(|key| key["id"] == lab.api_key.1.as_str()).unwrap()["lastUsedAt"]
        .clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_use_of_a_key_is_known_and_its_end_reaches_every_bridge_within_a_poll() {
    let lab = Lab::start("used").await;
    let poll = Duration::from_secs(2);
    let settings = [("STK_BRIDGE_POLL_INTERVAL", "2s")];
    let (one, other) = (lab.bridge("one", &settings).await, lab.bridge("other", &settings).await);
    lab.apply().await;
    assert_eq!(last_used(&lab).await, Json::Null);
    let (key, id) = lab.api_key.clone();
    let calls = async |bridge: &Bridge| bridge.client.with_key(&key).logic("guarded", json!({})).await.unwrap().status;
    // A wrong secret is no use of the key.
    let wrong = format!("{key}x");
    assert_eq!(one.client.with_key(&wrong).logic("guarded", json!({})).await.unwrap().status, 401);
    tokio::time::sleep(2 * poll).await;
    assert_eq!(last_used(&lab).await, Json::Null);
    assert_eq!((calls(&one).await, calls(&other).await), (200, 200));
    let began = Instant::now();
    let used = loop {
        let used = last_used(&lab).await;
        if used.is_string() {
            break used;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "no Bridge has told of it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(used.as_str().unwrap().ends_with(":00Z"), "to the minute: {used}");

    lab.done(&["apikey", "revoke", &id, "--yes"], "").await;
    let began = Instant::now();
    for bridge in [&one, &other] {
        while calls(bridge).await == 200 {
            // The poll that was open when it was revoked, and the answer of the next.
            assert!(began.elapsed() < 2 * poll + Duration::from_secs(3), "the key counts still");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(calls(bridge).await, 401);
    }
    // The calls until its end was known were uses, and a minute may have begun since; times of this form compare as texts.
    let kept = last_used(&lab).await;
    assert!(kept.as_str() >= used.as_str(), "it stays known: {kept}, and was {used}");
}

#[tokio::test(flavor = "multi_thread")]
async fn service_tokens_are_exchanged_without_a_gap() {
    let lab = Lab::start("tokens").await;
    let old = lab.bridge("old", &[GOOD, SEALED]).await;
    lab.apply().await;
    let made = lab.done(&["hub", "token", "create", "fleet 2", "--for", "tokens/prod"], "").await;
    let (token, id) = (made["token"].as_str().unwrap(), &made["id"]);
    // Both are good at once.
    let new = lab.bridge("new", &[DISTRUSTING, SEALED, ("STK_BRIDGE_SERVICE_TOKEN", token)]).await;
    new.until_state("fresh").await.unwrap();
    let both = |status: &Json| bridge(status, DISTRUSTING)["serviceToken"] == *id;
    let known = status(&lab, "who shows which token is known", both).await;
    let tokens = lab.done(&["hub", "token", "list"], "").await;
    let tokens = tokens["serviceTokens"].as_array().unwrap().clone();
    assert_eq!(tokens.len(), 2, "{tokens:?}");
    let first = tokens.iter().find(|token| token["id"] != *id).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(bridge(&known, GOOD)["serviceToken"], first.as_str(), "{known}");
    assert_eq!(old.end().await.unwrap(), 0);

    lab.done(&["hub", "token", "revoke", &first, "--yes"], "").await;
    lab.set_version(2);
    lab.apply().await;
    assert_serves(&new, &lab.api_key.0, 2).await;
    let path = "/internal/releases/current?project=tokens&env=prod";
    assert_eq!(lab.internal(&lab.service_token, path, None).await.0, 401);
    assert_eq!(lab.internal(token, path, None).await.0, 200);
    let log = lab.hub().operate(Method::GET, "/v1/audit?limit=1000", &Json::Null).await.unwrap();
    let ended = log["entries"].as_array().unwrap().iter().any(|entry| entry["action"] == "servicetoken.delete");
    assert!(ended && !log.to_string().contains(token) && !log.to_string().contains(SECRET), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaking_step_is_not_taken_under_a_bridge_that_stays_behind() {
    let lab = Lab::start("versions").await;
    lab.done(&["apply", "--accept-grants", "--yes", "--wait", "0"], "").await;
    let report = json!({"version": "0.0.9", "envs": [{"project": "versions", "env": "prod", "state": "fresh", "releaseId": null,
        "sequence": 1, "cacheAgeSeconds": 0, "refused": null}]});
    let path = format!("{}/internal/bridges/{}/report", lab.hub().url, GOOD.1);
    let answer = reqwest::Client::new().post(&path).bearer_auth(&lab.service_token).json(&report).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    // What adds something is for every Bridge; it is checked where it is asked for.
    lab.set_version(2);
    lab.done(&["apply", "--yes", "--wait", "0"], "").await;
    lab.folder.edit("schema/numbers.yaml", "number: {type: int}", "amount: {type: int, renamedFrom: number}").unwrap();
    let refused = lab.stk(&["apply", "--migration-window", "--wait", "0"], "").await;
    let error = &refused.json()["error"];
    assert_eq!((refused.code, &error["code"]), (3, &json!("INCOMPATIBLE_BRIDGE")), "{refused:?}");
    assert_eq!(error["details"]["bridges"], json!([format!("{} 0.0.9", GOOD.1)]), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("`stk apply --env prod --force`"), "{error}");
    let looked = lab.done(&["apply", "--migration-window", "--dry-run"], "").await;
    assert_eq!(looked["incompatibleBridges"], error["details"]["bridges"], "{looked}");
    let steps = lab.done(&["apply", "--force", "--yes", "--wait", "0"], "").await["schemaSteps"].clone();
    assert_eq!(steps.as_array().map(Vec::len), Some(1), "nothing was changed before: {steps}");
    // The old one is shown as what it is.
    let status = lab.done(&["bridge", "status"], "").await;
    assert!(found(bridge(&status, GOOD)).concat().contains("older than the Hub"), "{status}");
}
