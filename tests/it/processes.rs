//! Hub and Bridge as two processes: how a release comes to a Bridge, what holds while the Hub is away, what is on disk and
//! what is done with a disk that was tampered with.

use std::{collections::BTreeSet, fs};

use reqwest::Method;
use santokit_core::release::SigningKey;
use santokit_tests::{
    planes::{OPERATOR, until},
    relay::Exchange,
};
use serde_json::{Value as Json, json};

use crate::lab::{CACHE_KEY, Lab, assert_serves, assert_serves_nothing};

pub(crate) mod cache;
mod killed;
mod untrue;

/// Of one Bridge, whichever process it is.
const BRIDGE: &str = "brg_01ARZ3NDEKTSV4RRFFQ69G5FAV";
const CURRENT: &str = "GET /internal/releases/current";

/// Shells give a process few file descriptors, and let it have more: a component takes one, and so does a connection.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_takes_as_many_files_as_it_may_have() {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap().verifying_key().to_string();
    let text = "ulimit -Sn 200\n\"$STK\" bridge serve --json > out 2>&1 &\npid=$!\n\
                for _ in $(seq 600); do grep -q '\"ready\"' out && break; sleep 0.1; done\n\
                cat /proc/$pid/limits out\nkill $pid\nwait $pid\n";
    fs::write(dir.path().join("serve.sh"), text).unwrap();
    let env = [
        ("STK_BRIDGE_LISTEN", "127.0.0.1:0"),
        ("STK_BRIDGE_DRAIN_GRACE", "0s"),
        ("STK_BRIDGE_HUB_URL", "http://127.0.0.1:1"),
        ("STK_BRIDGE_SERVICE_TOKEN", "planted"),
        ("STK_BRIDGE_ENVS", "shop/prod"),
        ("STK_BRIDGE_TRUSTED_KEYS", key.as_str()),
    ];
    let shown = santokit_tests::script(dir.path(), &dir.path().join("serve.sh"), &[], &env).await.unwrap();
    let files = shown.stdout.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let allowed: Vec<&str> = files.split_whitespace().skip(3).take(2).collect();
    assert!(allowed.len() == 2 && allowed[0] == allowed[1] && allowed[0] != "200", "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_starts_empty_and_every_apply_reaches_it_by_its_long_poll() {
    let lab = Lab::start("longpoll").await;
    // A poll that brings nothing lasts a minute: what arrives, arrives in the poll that was open when it was applied.
    let bridge = lab.bridge("cache", &[("STK_BRIDGE_POLL_INTERVAL", "10m")]).await;
    let open = |etag: bool| {
        let exchanges = lab.relay.exchanges();
        let is_open = |e: &&_| is_open_poll(e, etag);
        exchanges.iter().position(|exchange| is_open(&exchange))
    };
    until("the first poll", || open(false).is_some()).await.unwrap();
    let empty = bridge.readiness().await.unwrap();
    assert_eq!((&empty["state"], &empty["httpStatus"]), (&json!("empty"), &json!(503)), "{empty}");
    assert!(empty["releaseId"].is_null() && empty["reason"].is_string(), "{empty}");
    assert_serves_nothing(&bridge).await;

    for (number, has_etag) in [(1, false), (2, true), (3, true)] {
        lab.set_version(number);
        until("an open poll", || open(has_etag).is_some()).await.unwrap();
        let poll = open(has_etag).unwrap();
        let before = lab.relay.now();
        let applied = lab.apply().await;
        assert_eq!(applied["bridges"].as_array().map(Vec::len), Some(1), "{applied}");
        assert_serves(&bridge, &lab.api_key.0, number).await;
        let answer = bridge.client.logic("version", json!({})).await.unwrap();
        assert_eq!(answer.release(), applied["releaseId"]);
        let fresh = bridge.readiness().await.unwrap();
        assert_eq!((&fresh["state"], &fresh["httpStatus"]), (&json!("fresh"), &json!(200)), "{fresh}");

        let exchange = lab.relay.exchanges().swap_remove(poll);
        let (answered, status) = exchange.answered.unwrap();
        assert!(exchange.asked < before && answered > before && status == 200, "{exchange:?}");
    }

    // The same content is the same release: the pointer stays, and so does what runs.
    let again = lab.apply().await;
    assert_eq!((&again["created"], &again["moved"]), (&json!(false), &json!(false)), "{again}");
}

fn is_open_poll(exchange: &Exchange, etag: bool) -> bool {
    exchange.request.starts_with(CURRENT) && exchange.answered.is_none() && exchange.etag.is_some() == etag
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_has_etags_waits_and_is_closed_to_others() {
    let lab = Lab::start("protocol").await;
    let applied = lab.apply().await;
    let token = lab.service_token.as_str();
    let current = "/internal/releases/current?project=protocol&env=prod";

    let (status, etag, body) = lab.internal(token, current, None).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    let etag = etag.unwrap();
    let (status, same, body) = lab.internal(token, current, Some(&etag)).await;
    assert_eq!((status, body.len()), (304, 0), "{same:?}");
    assert_eq!(lab.internal(token, &format!("{current}&wait=50ms"), Some(&etag)).await.0, 304);
    assert_eq!(lab.internal(token, current, Some("\"another\"")).await.0, 200);

    // A wait is held until the pointer moves, whatever else happens at the Hub.
    let waiting = format!("{current}&wait=60s");
    let (relay, held_token, known) = (lab.relay.url.clone(), lab.service_token.clone(), etag.clone());
    let held = tokio::spawn(async move {
        let http = reqwest::Client::new();
        santokit_tests::planes::get(&http, &relay, Some(&held_token), &waiting, Some(&known)).await.unwrap()
    });
    let poll = || lab.relay.exchanges().into_iter().find(|exchange| exchange.request.contains("wait=60s"));
    until("the held poll", || poll().is_some()).await.unwrap();
    lab.done(&["secrets", "set", "OTHER"], "x").await;
    lab.set_version(2);
    let before = lab.relay.now();
    assert_eq!(poll().unwrap().answered, None, "nothing has moved yet");
    lab.apply().await;
    let (status, moved, _) = held.await.unwrap();
    assert_eq!(status, 200);
    assert_ne!(moved.as_ref(), Some(&etag));
    assert!(poll().unwrap().answered.unwrap().0 > before);

    outsiders(&lab, &applied).await;
}

/// Everything that there is to read, with every token that is not for it.
async fn outsiders(lab: &Lab, applied: &Json) {
    let hub = lab.hub();
    for (path, body) in [
        ("/v1/projects", json!({"name": "other"})),
        ("/v1/projects/other/envs", json!({"name": "prod"})),
        ("/v1/projects/protocol/envs", json!({"name": "staging"})),
    ] {
        hub.operate(Method::POST, path, &body).await.unwrap();
    }
    let others = hub.service_token(&["other/prod"]).await.unwrap();
    let staging = hub.service_token(&["protocol/staging"]).await.unwrap();
    let release = lab.release(&applied["releaseId"]).await;
    let manifest: Json = serde_json::from_str(release["manifest"].as_str().unwrap()).unwrap();
    let blob = manifest["logics"]["every"]["body"]["component"].as_str().unwrap();
    let id = applied["releaseId"].as_str().unwrap();
    let of_env = [
        "/internal/releases/current?project=protocol&env=prod".to_owned(),
        "/internal/runtime/protocol/prod".to_owned(),
    ];
    let of_project = [format!("/internal/releases/{id}"), format!("/internal/blobs/{blob}")];
    let mut seen = Vec::new();
    for path in of_env.iter().chain(&of_project).map(String::as_str).chain(["/internal/healthz"]) {
        let own = hub.ask(Some(&lab.service_token), path, None).await.unwrap();
        assert_eq!(own.0, 200, "{path}");
        for wrong in [None, Some("stk_svc_wrong"), Some(""), Some(OPERATOR), Some(lab.api_key.0.as_str())] {
            let (status, _, body) = hub.ask(wrong, path, None).await.unwrap();
            assert_eq!(status, 401, "{path} with {wrong:?}");
            seen.extend(body);
        }
        // A service token opens nothing of the operator's.
        assert_eq!(hub.ask(Some(&lab.service_token), "/v1/projects", None).await.unwrap().0, 401);
    }
    for (token, paths) in
        [(&others, of_env.iter().chain(&of_project).collect::<Vec<_>>()), (&staging, of_env.iter().collect())]
    {
        for path in paths {
            let (status, etag, body) = hub.ask(Some(token), path, None).await.unwrap();
            // An env that is named is not told about; what an id names is not there.
            let told = if of_env.contains(path) { 403 } else { 404 };
            assert_eq!((status, etag), (told, None), "{path}");
            seen.extend(body);
        }
    }
    let report = json!({"version": "0.1.0", "envs": [{"project": "protocol", "env": "prod", "state": "fresh", "releaseId": id,
        "sequence": 9, "cacheAgeSeconds": 0, "refused": null}]});
    let path = format!("{}/internal/bridges/{BRIDGE}/report", hub.url);
    for token in [&others, &staging] {
        let answer = reqwest::Client::new().post(&path).bearer_auth(token).json(&report).send().await.unwrap();
        assert_eq!(answer.status(), 403, "nobody reports for another's env");
    }
    let seen = String::from_utf8_lossy(&seen).into_owned() + &hub.output();
    for planted in [crate::lab::SECRET, crate::lab::IN_URL, &lab.service_token, &lab.api_key.0, &others] {
        assert!(!seen.contains(planted), "{planted} is in an answer or in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_outlives_its_hub_and_a_restart_without_it() {
    let mut lab = Lab::start("outlive").await;
    let sealed = [("STK_BRIDGE_CACHE_KEY", CACHE_KEY), ("STK_BRIDGE_ID", BRIDGE)];
    let bridge = lab.bridge("cache", &sealed).await;
    lab.apply().await;
    assert_serves(&bridge, &lab.api_key.0, 1).await;

    lab.kill_hub().await;
    let stale = bridge.until_state("stale").await.unwrap();
    assert_eq!(stale["httpStatus"], 200, "{stale}");
    assert!(stale["reason"].as_str().unwrap().contains("Hub is away"), "{stale}");
    assert_serves(&bridge, &lab.api_key.0, 1).await;
    bridge.kill().await.unwrap();

    let bridge = lab.bridge("cache", &sealed).await;
    bridge.until("loaded from its cache", |env| env["releaseId"].is_string()).await.unwrap();
    assert_serves(&bridge, &lab.api_key.0, 1).await;
    bridge.until_state("stale").await.unwrap();

    lab.revive_hub().await;
    bridge.until_state("fresh").await.unwrap();
    lab.set_version(2);
    lab.apply().await;
    assert_serves(&bridge, &lab.api_key.0, 2).await;

    // A key that is revoked is refused without a restart and without a release.
    let (key, id) = lab.api_key.clone();
    lab.done(&["apikey", "revoke", &id, "--yes"], "").await;
    let caller = bridge.client.with_key(&key);
    let mut status = 200;
    for _ in 0..600 {
        let answer = caller.logic("guarded", json!({})).await.unwrap();
        status = answer.status;
        if status != 200 {
            assert_eq!((status, answer.code()), (401, "UNAUTHORIZED"), "{answer:?}");
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(status, 401, "the key still counts");
    // It does not make the caller anonymous either.
    assert_eq!(caller.logic("version", json!({})).await.unwrap().status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_expires_and_comes_back_with_the_hub() {
    let mut lab = Lab::start("expire").await;
    let settings = [("STK_BRIDGE_CACHE_KEY", CACHE_KEY), ("STK_BRIDGE_MAX_STALE", "4s")];
    let bridge = lab.bridge("cache", &settings).await;
    lab.apply().await;
    lab.kill_hub().await;
    let expired = bridge.until_state("expired").await.unwrap();
    assert_eq!(expired["httpStatus"], 503, "{expired}");
    assert_serves_nothing(&bridge).await;
    bridge.kill().await.unwrap();

    // A restart makes nothing younger.
    let bridge = lab.bridge("cache", &settings).await;
    bridge.until("loaded from its cache", |env| env["releaseId"].is_string()).await.unwrap();
    bridge.until_state("expired").await.unwrap();
    assert_serves_nothing(&bridge).await;

    lab.revive_hub().await;
    bridge.until_state("fresh").await.unwrap();
    assert_serves(&bridge, &lab.api_key.0, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_believes_its_own_keys_and_apply_tells_what_it_refuses() {
    let lab = Lab::start("trust").await;
    let other = SigningKey::generate().unwrap().verifying_key();
    let other = String::from(other);
    let id = ("STK_BRIDGE_ID", BRIDGE);
    let bridge = lab.bridge("distrusting", &[("STK_BRIDGE_TRUSTED_KEYS", &other), id]).await;
    let refused = lab.stk(&["apply", "--accept-grants", "--yes"], "").await;
    assert_eq!(refused.code, 3, "{refused:?}");
    let row = &refused.json()["bridges"][0];
    assert_eq!((&row["state"], &row["refused"]["code"]), (&json!("refused"), &json!("RELEASE_BLOCKED")), "{refused:?}");
    assert!(row["refused"]["message"].as_str().unwrap().contains("signature"), "{row}");
    let env = bridge.until("refusing", |env| env["refused"].is_object()).await.unwrap();
    assert_eq!((&env["state"], &env["httpStatus"]), (&json!("empty"), &json!(503)), "{env}");
    assert_serves_nothing(&bridge).await;
    let on_disk = walk(&lab.dir.path().join("distrusting"));
    assert!(on_disk.iter().all(|(path, _)| !path.ends_with("good.json") && !path.contains("blobs/")), "{on_disk:?}");

    drop(bridge);

    // Two signers are required, one has signed.
    let both = format!("{},{other}", lab.trusted);
    let settings = [("STK_BRIDGE_TRUSTED_KEYS", both.as_str()), ("STK_BRIDGE_REQUIRED_SIGNERS", "2"), id];
    let strict = lab.bridge("strict", &settings).await;
    strict.until("refusing", |env| env["refused"].is_object()).await.unwrap();
    assert_serves_nothing(&strict).await;
    drop(strict);

    // A release that names a secret that the env does not have: the one before goes on, and the reason is told.
    let good = lab.bridge("good", &[id]).await;
    good.until_state("fresh").await.unwrap();
    lab.done(&["secrets", "delete", "TOKEN", "--yes"], "").await;
    lab.set_version(2);
    let refused = lab.stk(&["apply", "--yes"], "").await;
    assert_eq!(refused.code, 3, "{refused:?}");
    let row = &refused.json()["bridges"][0];
    assert_eq!(row["state"], "refused", "{refused:?}");
    assert!(row["refused"]["message"].to_string().contains("TOKEN"), "{row}");
    let answer = good.client.logic("version", json!({})).await.unwrap();
    assert_eq!(answer.body["data"][0]["number"], 1, "{answer:?}");
    // Mended without another apply.
    lab.done(&["secrets", "set", "TOKEN"], crate::lab::SECRET).await;
    let mended = good.until("running the new release", |env| env["sequence"] == 2).await.unwrap();
    assert!(mended["refused"].is_null(), "{mended}");
    assert_serves(&good, &lab.api_key.0, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_bridge_that_has_ended() {
    let lab = Lab::start("rolling").await;
    let (old, other) = (lab.bridge("old", &[]).await, lab.bridge("other", &[]).await);
    let of_apply = |applied: &Json| {
        let bridges = applied["bridges"].as_array().unwrap();
        bridges.iter().map(|bridge| bridge["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let have_reported = |wanted: usize| {
        let reports = |exchange: &Exchange| exchange.request.starts_with("POST /internal/bridges/");
        let answered = |exchange: &Exchange| exchange.answered.is_some_and(|(_, status)| status == 204);
        let exchanges = lab.relay.exchanges();
        let of = exchanges.iter().filter(|exchange| reports(exchange) && answered(exchange));
        of.map(|exchange| &exchange.request).collect::<BTreeSet<_>>().len() == wanted
    };
    until("both have reported", || have_reported(2)).await.unwrap();
    let before = of_apply(&lab.apply().await);
    assert_eq!(before.len(), 2, "{before:?}");
    // Nobody says of another's Bridge that it has ended.
    let hub = lab.hub();
    for (path, body) in
        [("/v1/projects", json!({"name": "other"})), ("/v1/projects/other/envs", json!({"name": "prod"}))]
    {
        hub.operate(Method::POST, path, &body).await.unwrap();
    }
    let others = hub.service_token(&["other/prod"]).await.unwrap();
    for id in &before {
        let request = reqwest::Client::new().post(format!("{}/internal/bridges/{id}/report", hub.url));
        let goodbye = json!({"version": "0.1.0", "envs": []});
        assert_eq!(request.bearer_auth(&others).json(&goodbye).send().await.unwrap().status(), 204);
    }
    let known = hub.operate(Method::GET, "/v1/projects/rolling/envs/prod/bridges", &Json::Null).await.unwrap();
    assert_eq!(known["bridges"].as_array().map(Vec::len), Some(2), "{known}");
    // A rolling update: a new one starts, an old one is asked to end.
    let new = lab.bridge("new", &[]).await;
    new.until_state("fresh").await.unwrap();
    until("the new one has reported", || have_reported(3)).await.unwrap();
    assert_eq!(old.end().await.unwrap(), 0);
    lab.set_version(2);
    let after = of_apply(&lab.apply().await);
    assert_eq!(after.len(), 2, "{after:?}");
    assert_eq!(after.iter().filter(|id| before.contains(id)).count(), 1, "{before:?} {after:?}");
    for bridge in [&other, &new] {
        assert_serves(bridge, &lab.api_key.0, 2).await;
    }
}

/// Every file under a folder, with its bytes.
fn walk(dir: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let (mut files, mut open) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    files
}
