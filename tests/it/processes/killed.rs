//! Power cuts in the middle: of a Bridge while it fetches, of a Hub while it is asked and while it applies. Nothing is half there
//! afterwards, and nobody has to help.

use std::{fs, time::Duration};

use reqwest::Method;
use santokit_tests::planes::{OPERATOR, until};
use serde_json::{Value as Json, json};
use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

use super::walk;
use crate::lab::{CACHE_KEY, IN_URL, Lab, assert_serves};

/// What a Bridge asks on its way to a release, in order.
const ASKED: [&str; 5] = [
    "GET /internal/releases/current",
    "GET /internal/runtime/",
    "GET /internal/releases/rel_",
    "GET /internal/blobs/",
    "POST /internal/bridges/",
];

/// How often it was asked for something since a moment.
fn asked(lab: &Lab, since: usize, what: &str) -> usize {
    let exchanges = lab.relay.exchanges();
    exchanges.iter().filter(|exchange| exchange.asked > since && exchange.request.starts_with(what)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_is_killed_while_it_fetches_begins_again() {
    let lab = Lab::start("cut").await;
    lab.done(&["apply", "--accept-grants", "--yes", "--wait", "0"], "").await;
    for (number, what) in ASKED.into_iter().enumerate() {
        let (cache, since) = (format!("cache-{number}"), lab.relay.now());
        let sealed = [("STK_BRIDGE_CACHE_KEY", CACHE_KEY)];
        let bridge = lab.bridge(&cache, &sealed).await;
        until(what, || asked(&lab, since, what) > 0).await.unwrap();
        bridge.kill().await.unwrap();
        // Whatever is on its disk is whole: each file is what it says, or is not there.
        for (path, bytes) in walk(&lab.dir.path().join(&cache)) {
            let name = path.rsplit('/').next().unwrap();
            if path.contains("/blobs/") && !name.starts_with('.') {
                let digest = santokit_core::release::Digest::of(&bytes);
                assert_eq!(digest.hex(), name, "{what}: {path}");
            }
            if std::path::Path::new(&path).extension().is_some_and(|kind| kind == "json") {
                serde_json::from_slice::<Json>(&bytes).unwrap_or_else(|error| panic!("{what}: {path}: {error}"));
            }
        }
        let again = lab.bridge(&cache, &sealed).await;
        again.until_state("fresh").await.unwrap();
        assert_serves(&again, &lab.api_key.0, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_killed_while_it_is_asked_is_found_again() {
    let mut lab = Lab::start("asked").await;
    lab.done(&["apply", "--accept-grants", "--yes", "--wait", "0"], "").await;
    for (number, what) in ASKED.into_iter().enumerate() {
        let since = lab.relay.now();
        let bridge = lab.bridge(&format!("cache-{number}"), &[]).await;
        until(what, || asked(&lab, since, what) > 0).await.unwrap();
        lab.kill_hub().await;
        lab.revive_hub().await;
        bridge.until_state("fresh").await.unwrap();
        assert_serves(&bridge, &lab.api_key.0, 1).await;
        assert_eq!(bridge.end().await.unwrap(), 0);
    }
    let chain = lab.hub().operate(Method::GET, "/v1/audit/verify", &Json::Null).await.unwrap();
    assert_eq!(chain["verified"], true, "{chain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_killed_while_it_applies_leaves_what_ran() {
    let mut lab = Lab::start("applying").await;
    let bridge = lab.bridge("cache", &[("STK_BRIDGE_CACHE_KEY", CACHE_KEY)]).await;
    lab.apply().await;
    // The customer's database is held: the apply stands in the middle of its steps.
    let file = lab.dir.path().join(IN_URL).join("main.db");
    let mut holder = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await.unwrap();
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    lab.folder
        .edit("schema/numbers.yaml", "number: {type: int}", "number: {type: int}\n      more: {type: string}")
        .unwrap();
    lab.set_version(2);
    let args = ["apply", "--yes", "--wait", "0", "--json"].map(str::to_owned);
    let (folder, url, project) = (lab.folder.path().to_owned(), lab.relay.url.clone(), lab.project);
    let applying = tokio::spawn(async move {
        let env =
            [("STK_HUB_URL", url.as_str()), ("STK_TOKEN", OPERATOR), ("STK_PROJECT", project), ("STK_ENV", "prod")];
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        santokit_tests::stk_fed(&folder, &args, &env, "").await.unwrap()
    });
    let options = SqliteConnectOptions::new().filename(lab.dir.path().join("hub/hub.db"));
    let mut store = SqliteConnection::connect_with(&options.busy_timeout(Duration::from_secs(10))).await.unwrap();
    let mut locks = 0_i64;
    for _ in 0..600 {
        locks = sqlx::query_scalar("SELECT count(*) FROM apply_locks").fetch_one(&mut store).await.unwrap();
        if locks > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(locks, 1, "the apply has begun");
    store.close().await.unwrap();
    lab.kill_hub().await;
    assert_eq!(applying.await.unwrap().code, 4, "its Hub was killed");
    holder.execute("ROLLBACK").await.unwrap();
    assert_serves(&bridge, &lab.api_key.0, 1).await;

    lab.revive_hub().await;
    let current = lab.done(&["release", "current"], "").await;
    assert_eq!(current["sequence"], 1, "{current}");
    assert_serves(&bridge, &lab.api_key.0, 1).await;
    // The lock went with its Hub; the same apply again does all of it.
    let applied = lab.apply().await;
    assert_eq!((&applied["moved"], &applied["sequence"]), (&json!(true), &json!(2)), "{applied}");
    assert_serves(&bridge, &lab.api_key.0, 2).await;
    let chain = lab.hub().operate(Method::GET, "/v1/audit/verify", &Json::Null).await.unwrap();
    assert_eq!(chain["verified"], true, "{chain}");
    assert!(fs::read_dir(lab.dir.path().join("hub/blobs/unfinished")).is_ok_and(|mut dir| dir.next().is_none()));
}
