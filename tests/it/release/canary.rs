//! `stk release canary`, over a Hub and two Bridges as processes: who gets what, that no request fails or is mixed, and what takes
//! everyone back.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use santokit_core::{
    release::{
        Pointer,
        canary::{Canary, Principal},
    },
    wire::Current,
};
use santokit_tests::Bridge;
use serde_json::{Value as Json, json};

use super::promote::{actions, applied_to_dev, assert_refused, lab};
use crate::lab::Lab;

const CALLERS: usize = 60;

fn names() -> impl Iterator<Item = String> {
    (0..CALLERS).map(|number| format!("caller-{number}"))
}

/// What the Hub tells the Bridges.
async fn pointer(lab: &Lab) -> Pointer {
    let path = format!("/internal/releases/current?project={}&env=prod", lab.project);
    let (status, _, body) = lab.internal(&lab.service_token, &path, None).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    let current: Current = serde_json::from_slice(&body).unwrap();
    serde_json::from_slice(&STANDARD.decode(&current.pointer.payload).unwrap()).unwrap()
}

async fn terms(lab: &Lab) -> Canary {
    pointer(lab).await.canary.unwrap()
}

/// The version that a caller gets, which must be of the release that says so.
async fn version_for(bridge: &Bridge, name: &str) -> u64 {
    let client = bridge.client.named(name);
    let answer = client.logic("version", json!({})).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["data"][0]["number"].as_u64().unwrap()
}

async fn assert_split(bridges: &[&Bridge], terms: &Canary) {
    for name in names() {
        let wanted = if terms.takes(Principal::Hint(&name)) { 2 } else { 1 };
        for bridge in bridges {
            assert_eq!(version_for(bridge, &name).await, wanted, "{name} at {}%", terms.percent);
        }
    }
}

async fn assert_everyone_gets(bridges: &[&Bridge], number: u64) {
    for name in names().take(20) {
        for bridge in bridges {
            assert_eq!(version_for(bridge, &name).await, number, "{name}");
        }
    }
}

/// Callers that never stop, at two Bridges.
struct Load {
    stop: Arc<AtomicBool>,
    callers: Vec<tokio::task::JoinHandle<BTreeMap<String, u64>>>,
}

impl Load {
    fn start(bridges: &[&Bridge]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let caller = |(number, bridge): (usize, &&Bridge)| {
            let (client, stop) = (bridge.client.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let (mut seen, mut turn) = (BTreeMap::new(), 0_usize);
                while !stop.load(Ordering::Relaxed) {
                    turn += 1;
                    let client = client.named(&format!("caller-{}", (turn * 2 + number) % CALLERS));
                    let answer = client.logic("version", json!({})).await.unwrap();
                    assert_eq!(answer.status, 200, "{answer:?}");
                    let number = answer.body["data"][0]["number"].as_u64().unwrap();
                    // One release answers one number.
                    let known = *seen.entry(answer.release().to_owned()).or_insert(number);
                    assert_eq!(known, number, "{answer:?}");
                }
                seen
            })
        };
        let callers = bridges.iter().enumerate().map(caller).collect();
        Self { stop, callers }
    }

    /// The releases that answered, none of them anything else than its own.
    async fn end(self) -> BTreeMap<String, u64> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = BTreeMap::new();
        for caller in self.callers {
            all.extend(caller.await.unwrap());
        }
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_begun_grown_and_promoted_and_no_request_fails() {
    let lab = lab("shares").await;
    let (one, two) = (lab.bridge("one", &[]).await, lab.bridge("two", &[]).await);
    let first = lab.apply().await["releaseId"].as_str().unwrap().to_owned();
    lab.set_version(2);
    let second = applied_to_dev(&lab).await;
    let load = Load::start(&[&one, &two]);

    let looked = lab.done(&["release", "canary", &second, "--percent", "20", "--dry-run"], "").await;
    assert_eq!((&looked["dryRun"], &looked["started"], &looked["percent"]), (&json!(true), &json!(true), &json!(20)));
    assert_eq!(pointer(&lab).await.sequence, 1, "a dry run changes nothing");
    let gate = "error-rate>5%,p95>30s";
    let begun = lab
        .done(&["release", "canary", &second, "--percent", "20", "--auto-rollback", gate, "--window", "1m"], "")
        .await;
    assert_eq!((&begun["sequence"], &begun["started"]), (&json!(2), &json!(true)), "{begun}");
    let bridges: Vec<&Json> = begun["bridges"].as_array().unwrap().iter().map(|bridge| &bridge["state"]).collect();
    assert_eq!(bridges, ["running", "running"], "{begun}");
    let small = terms(&lab).await;
    assert_eq!((small.percent, small.window.to_string().as_str(), small.gates.len()), (20, "1m", 2));
    assert_split(&[&one, &two], &small).await;

    // More of the same release is more of the same canary.
    let grown = lab.done(&["release", "canary", &second, "--percent", "50"], "").await;
    assert_eq!(
        (&grown["sequence"], &grown["started"], &grown["gates"]),
        (&json!(3), &json!(false), &small_gates()),
        "{grown}"
    );
    let large = terms(&lab).await;
    assert_eq!((&large.salt, large.percent), (&small.salt, 50));
    assert!(names().all(|name| !small.takes(Principal::Hint(&name)) || large.takes(Principal::Hint(&name))));
    assert_split(&[&one, &two], &large).await;
    let same = lab.done(&["release", "canary", &second, "--percent", "50"], "").await;
    assert_eq!((&same["sequence"], &same["moved"]), (&json!(3), &json!(false)), "{same}");

    in_the_way(&lab, &first, &second).await;
    let status = lab.done(&["release", "canary", "status"], "").await;
    assert_eq!((&status["state"], &status["baseline"]), (&json!("running"), &json!(first)), "{status}");
    let of = |side: &str| status["counted"][side]["requests"].as_u64().unwrap();
    assert!(of("baseline") > 0 && of("candidate") > 0, "{status}");

    let promoted = lab.done(&["release", "canary", "promote"], "").await;
    assert_eq!((&promoted["releaseId"], &promoted["sequence"]), (&json!(second), &json!(4)), "{promoted}");
    assert_everyone_gets(&[&one, &two], 2).await;
    let seen = load.end().await;
    assert_eq!(seen, BTreeMap::from([(first.clone(), 1), (second.clone(), 2)]), "no request was mixed");
    let status = lab.done(&["release", "canary", "status"], "").await;
    assert_eq!((&status["state"], &status["sequence"]), (&json!("promoted"), &json!(4)), "{status}");
    assert_eq!(pointer(&lab).await.canary, None);
    told(&lab, &first, &second).await;
    // The promotion is a move as any other: going back goes to what was the baseline.
    let back = lab.done(&["release", "rollback"], "").await;
    assert_eq!((&back["releaseId"], &back["sequence"]), (&json!(first), &json!(5)), "{back}");
    assert_everyone_gets(&[&one, &two], 1).await;
}

fn small_gates() -> Json {
    json!(["error-rate>5%", "p95>30s"])
}

/// What would change the baseline, or the candidate, is refused while both are compared.
async fn in_the_way(lab: &Lab, first: &str, second: &str) {
    lab.set_version(3);
    let third = applied_to_dev(lab).await;
    for args in [
        &["apply", "--yes"][..],
        &["release", "promote", &third],
        &["release", "promote", second],
        &["release", "rollback"],
        &["release", "rollback", "--to", first],
        &["release", "canary", &third, "--percent", "1"],
    ] {
        let finished = lab.stk(args, "").await;
        let error = &finished.json()["error"];
        assert_eq!((finished.code, error["code"].as_str()), (3, Some("RELEASE_BLOCKED")), "{args:?}: {finished:?}");
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("stk release canary promote --env prod") && hint.contains(first), "{hint}");
        assert_eq!(error["details"]["canary"], json!({"releaseId": second, "percent": 50}));
    }
    assert_eq!(lab.done(&["apply", "--dry-run"], "").await["dryRun"], true, "looking is allowed");
    assert_eq!(pointer(lab).await.sequence, 3);
}

/// The audit log has every step.
async fn told(lab: &Lab, first: &str, second: &str) {
    let actions = actions(lab).await;
    let of =
        |name: &str| actions.iter().filter(|(action, _)| action == name).map(|(_, detail)| detail).collect::<Vec<_>>();
    let (started, changed, ended) = (of("canary.start"), of("canary.change"), of("canary.promote"));
    assert_eq!((started.len(), changed.len(), ended.len()), (1, 1, 1), "{actions:?}");
    assert_eq!(
        (&started[0]["percent"], &started[0]["gates"], &started[0]["sequence"]),
        (&json!(20), &small_gates(), &json!(2))
    );
    assert_eq!((&changed[0]["percent"], &changed[0]["sequence"]), (&json!(50), &json!(3)));
    assert!(ended[0]["candidateRequests"].as_u64().unwrap() > 0, "{ended:?}");
    assert_eq!(of("release.promote"), [&json!({"releaseId": second, "from": first, "sequence": 4})]);
    let chain = lab.hub().operate(Method::GET, "/v1/audit/verify", &Json::Null).await.unwrap();
    assert_eq!(chain["verified"], true, "{chain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_traps_is_taken_back_by_itself() {
    let lab = lab("traps").await;
    let (one, two) = (lab.bridge("one", &[]).await, lab.bridge("two", &[]).await);
    let first = lab.apply().await["releaseId"].as_str().unwrap().to_owned();
    lab.set_version(2);
    lab.folder.edit("logics/every/logic.yaml", "auth: public\n", "auth: public\nlimits: {hostCalls: 1}\n").unwrap();
    let second = applied_to_dev(&lab).await;
    // Each of the Bridges sees too few for its own gate: only together they are enough.
    let args =
        ["release", "canary", &second, "--percent", "50", "--auto-rollback", "error-rate>5%", "--min-requests", "24"];
    lab.done(&args, "").await;
    let terms = terms(&lab).await;
    let inside: Vec<String> = names().filter(|name| terms.takes(Principal::Hint(name))).take(24).collect();
    assert!(inside.len() >= 20, "{inside:?}");
    let mut failed = 0;
    for (number, name) in inside.iter().cycle().take(24).enumerate() {
        let bridge = if number % 2 == 0 { &one } else { &two };
        let client = bridge.client.named(name);
        let answer = client.logic("every", json!({})).await.unwrap();
        failed += usize::from(answer.status == 500 && answer.code() == "LOGIC_FAILED");
    }
    assert_eq!(failed, 24, "the candidate traps");
    let ended = until_ended(&lab).await;
    assert_eq!((&ended["state"], &ended["endedBy"]), (&json!("rolledBack"), &json!("hub")), "{ended}");
    assert_eq!(ended["reason"], "error-rate>5%: 100% of 24 requests failed");
    assert_eq!(
        (&ended["sequence"], &ended["baseline"]),
        (&json!(3), &json!(first)),
        "a higher sequence, the same baseline"
    );
    for bridge in [&one, &two] {
        bridge.until("back", |env| env["sequence"] == 3).await.unwrap();
    }
    assert_everyone_gets(&[&one, &two], 1).await;
    for name in &inside {
        let client = one.client.named(name);
        assert_eq!(client.logic("every", json!({})).await.unwrap().status, 200, "{name}");
    }
    let log = lab.hub().operate(Method::GET, "/v1/audit?limit=1000", &Json::Null).await.unwrap();
    let entries: Vec<&Json> =
        log["entries"].as_array().unwrap().iter().filter(|entry| entry["action"] == "canary.rollback").collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!((&entries[0]["actorId"], &entries[0]["actorType"]), (&json!("hub"), &json!("system")));
    assert_eq!(entries[0]["detail"]["candidateLogicFailed"], 24);
    // Nothing is left: the same release may be tried again, as another canary.
    let again = lab.done(&["release", "canary", &second, "--percent", "1"], "").await;
    assert_eq!((&again["started"], &again["sequence"]), (&json!(true), &json!(4)), "{again}");
    lab.done(&["release", "canary", "abort"], "").await;
    assert_everyone_gets(&[&one, &two], 1).await;
    let nothing = lab.stk(&["release", "canary", "abort"], "").await;
    assert_eq!((nothing.code, &nothing.json()["error"]["code"]), (1, &json!("NOT_FOUND")), "{nothing:?}");
}

async fn until_ended(lab: &Lab) -> Json {
    let path = format!("/v1/projects/{}/envs/prod/canary", lab.project);
    let mut status = Json::Null;
    for _ in 0..600 {
        status = lab.hub().operate(Method::GET, &path, &Json::Null).await.unwrap();
        if status["state"] != "running" {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it runs on: {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_outlives_a_restart_and_rests_while_the_hub_is_away() {
    let mut lab = lab("rests").await;
    let settings = [("STK_BRIDGE_CANARY_MAX_STALE", "10s"), ("STK_BRIDGE_CACHE_KEY", crate::lab::CACHE_KEY)];
    let bridge = lab.bridge("cache", &settings).await;
    lab.apply().await;
    lab.set_version(2);
    let second = applied_to_dev(&lab).await;
    lab.done(&["release", "canary", &second, "--percent", "50"], "").await;
    let terms = terms(&lab).await;
    assert_split(&[&bridge], &terms).await;

    bridge.kill().await.unwrap();
    let bridge = lab.bridge("cache", &settings).await;
    bridge.until("there again", |env| env["sequence"] == 2).await.unwrap();
    assert_split(&[&bridge], &terms).await;

    lab.kill_hub().await;
    let name = names().find(|name| terms.takes(Principal::Hint(name))).unwrap();
    for _ in 0..600 {
        if version_for(&bridge, &name).await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_everyone_gets(&[&bridge], 1).await;
    assert_eq!(bridge.readiness().await.unwrap()["httpStatus"], 200);
    // The Hub is back, and says that it goes on.
    lab.revive_hub().await;
    for _ in 0..1_200 {
        if version_for(&bridge, &name).await == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_split(&[&bridge], &terms).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_goes_on_over_an_exchange_of_the_signing_key() {
    let mut lab = lab("resigned").await;
    // One Bridge, whichever process it is; nobody waits for the one that was killed.
    let id = ("STK_BRIDGE_ID", "brg_01ARZ3NDEKTSV4RRFFQ69G5FC1");
    let patient = [("STK_BRIDGE_CACHE_KEY", crate::lab::CACHE_KEY), ("STK_BRIDGE_CANARY_MAX_STALE", "30m"), id];
    let bridge = lab.bridge("cache", &patient).await;
    lab.apply().await;
    lab.set_version(2);
    let second = applied_to_dev(&lab).await;
    lab.done(&["release", "canary", &second, "--percent", "50"], "").await;
    let before = terms(&lab).await;
    assert_split(&[&bridge], &before).await;

    let made = lab.done(&["keys", "rotate", "--yes"], "").await;
    let (old, new) = (lab.trusted.clone(), made["key"].as_str().unwrap().to_owned());
    assert_eq!(
        (pointer(&lab).await.sequence, terms(&lab).await),
        (2, before.clone()),
        "only the signatures are others"
    );
    let good = lab.dir.path().join("cache/envs/resigned/prod/good.json");
    let is_anew = || {
        let good: Json = serde_json::from_slice(&std::fs::read(&good).unwrap()).unwrap();
        let places = ["/pointer/signatures", "/release/envelope/signatures", "/candidate/envelope/signatures"];
        places.iter().all(|place| good.pointer(place).and_then(Json::as_array).map(Vec::len) == Some(2))
    };
    santokit_tests::planes::until("all three are kept with both signatures", is_anew).await.unwrap();
    assert_split(&[&bridge], &before).await;
    let counted = |status: &Json| status["counted"]["candidate"]["requests"].as_u64().unwrap();
    let status = async || lab.done(&["release", "canary", "status"], "").await;
    let mut seen = 0;
    for _ in 0..600 {
        seen = counted(&status().await);
        if seen >= 20 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(seen >= 20, "what was counted before goes on: {seen}");

    // Both sides from the disk, for a Bridge that believes the new key alone, without the Hub.
    lab.kill_hub().await;
    bridge.kill().await.unwrap();
    let trusting = [&patient[..], &[("STK_BRIDGE_TRUSTED_KEYS", new.as_str())]].concat();
    let bridge = lab.bridge("cache", &trusting).await;
    bridge.until("there again", |env| env["sequence"] == 2).await.unwrap();
    assert_split(&[&bridge], &before).await;
    lab.revive_hub().await;
    bridge.until_state("fresh").await.unwrap();
    let keys = lab.done(&["keys", "list"], "").await;
    let of_old = keys["keys"].as_array().unwrap().iter().find(|key| key["key"] == json!(old)).unwrap()["id"].clone();
    lab.done(&["keys", "retire", of_old.as_str().unwrap(), "--yes", "--force"], "").await;
    let grown = lab.done(&["release", "canary", &second, "--percent", "80"], "").await;
    assert_eq!((&grown["sequence"], &grown["bridges"][0]["state"]), (&json!(3), &json!("running")), "{grown}");
    assert_split(&[&bridge], &terms(&lab).await).await;
    lab.done(&["release", "canary", "promote"], "").await;
    assert_everyone_gets(&[&bridge], 2).await;

    // The log has entries of both keys: who verifies it with their own names both.
    let both = format!("{old},{new}");
    assert_eq!(lab.stk(&["audit", "verify", "--key", &both], "").await.code, 0);
    for one in [&old, &new] {
        let alone = lab.stk(&["audit", "verify", "--key", one], "").await;
        assert_eq!((alone.code, &alone.json()["verified"]), (3, &json!(false)), "{alone:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_does_not_begin_where_a_promotion_would_not() {
    let lab = lab("beginnings").await;
    lab.folder.write("logics/one.sql", "---\nauth: public\n---\nSELECT 1 AS one\n").unwrap();
    let nothing = lab.stk(&["release", "canary", "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV", "--percent", "5"], "").await;
    assert_eq!((nothing.code, &nothing.json()["error"]["code"]), (1, &json!("NOT_FOUND")), "{nothing:?}");
    let first = lab.apply().await["releaseId"].as_str().unwrap().to_owned();
    let itself = lab.stk(&["release", "canary", &first, "--percent", "5"], "").await;
    assert_eq!((itself.code, &itself.json()["error"]["code"]), (1, &json!("BAD_REQUEST")), "{itself:?}");

    // A table and a power that prod has not.
    let schema = lab.folder.read("schema/numbers.yaml").unwrap();
    lab.folder
        .write(
            "schema/numbers.yaml",
            &format!("{schema}  more:\n    id: {{name: id, generate: client}}\n    columns: {{}}\n"),
        )
        .unwrap();
    lab.folder.edit("logics/every/logic.yaml", "[select, insert, update]", "[select, insert, update, delete]").unwrap();
    let second = applied_to_dev(&lab).await;
    let begin = async |more: &[&str]| {
        let args: Vec<&str> = ["release", "canary", &second, "--percent", "5", "--wait", "0"]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        lab.stk(&args, "").await
    };
    let command = format!("stk release canary {second} --percent 5 --env prod");
    let added = assert_refused(&begin(&[]).await, "GRANTS_WIDENED", &format!("{command} --accept-grants"), "added");
    assert_eq!(added, ["every: sql main.numbers delete"]);
    let needs =
        assert_refused(&begin(&["--accept-grants"]).await, "RELEASE_BLOCKED", &format!("{command} --force"), "needs");
    assert_eq!(needs, ["main: create table more"]);
    assert_eq!(pointer(&lab).await.sequence, 1, "nothing was changed");
    let looked = begin(&["--dry-run"]).await.json();
    let told = (&looked["needsAcceptGrants"], &looked["needs"], &looked["dryRun"]);
    assert_eq!(told, (&json!(true), &json!(["main: create table more"]), &json!(true)), "{looked}");
    assert_eq!(begin(&["--dry-run", "--accept-grants"]).await.json()["needsAcceptGrants"], false);
    assert_eq!(pointer(&lab).await.sequence, 1, "nothing was changed");
    let forced = begin(&["--accept-grants", "--force"]).await;
    assert_eq!(forced.code, 0, "{forced:?}");
    let names: Vec<String> = actions(&lab).await.into_iter().map(|(action, _)| action).collect();
    assert!(names.ends_with(&["canary.start", "grants.widen"].map(str::to_owned)), "{names:?}");
    // Consent was given; what the database lacks still stands in the way of everyone.
    let grown = lab.done(&["release", "canary", &second, "--percent", "6", "--force", "--dry-run"], "").await;
    assert_eq!((&grown["started"], &grown["needsAcceptGrants"]), (&json!(false), &json!(false)), "{grown}");
    let looked = lab.done(&["release", "canary", "promote", "--dry-run"], "").await;
    assert_eq!(looked["capabilities"]["added"], json!(["every: sql main.numbers delete"]), "{looked}");
    assert_eq!((&looked["needsAcceptGrants"], &looked["needs"]), (&json!(false), &json!(["main: create table more"])));
    let promoted = lab.stk(&["release", "canary", "promote", "--wait", "0"], "").await;
    assert_refused(&promoted, "RELEASE_BLOCKED", "stk release canary promote --env prod --force", "needs");
    lab.done(&["release", "canary", "promote", "--wait", "0", "--force"], "").await;
    let names: Vec<String> = actions(&lab).await.into_iter().map(|(action, _)| action).collect();
    assert!(names.ends_with(&["canary.promote", "release.promote"].map(str::to_owned)), "{names:?}");
}
