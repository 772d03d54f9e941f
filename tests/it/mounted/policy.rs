//! Whether a Hub lets components be mounted: where nobody has said so, it does not, at no way into an env; and a mount is a power that is
//! seen, accepted and bounded as all are.

use std::{fs, time::Duration};

use reqwest::Method;
use serde_json::{Value as Json, json};

use super::{GRANTS, component};
use crate::lab::Lab;

const REFUSED: (i32, &str) = (3, "RELEASE_BLOCKED");

/// A command that the Hub refuses: exit code, and the error's.
async fn refused(lab: &Lab, args: &[&str]) -> (i32, Json) {
    let finished = lab.stk(args, "").await;
    (finished.code, finished.json()["error"].clone())
}

pub(super) async fn set(lab: &Lab, holder: &[&str], document: &str) {
    let file = lab.dir.path().join("ceilings.yaml").to_str().unwrap().to_owned();
    fs::write(&file, document).unwrap();
    let args: Vec<&str> =
        [holder[0], "ceilings", "set", &file].into_iter().chain(holder[1..].iter().copied()).collect();
    lab.done(&args, "").await;
}

fn is_refused((code, error): &(i32, Json)) {
    assert_eq!((*code, error["code"].as_str().unwrap_or_default()), REFUSED, "{error}");
    assert_eq!(error["details"]["above"], json!(["hooks: mount /http/legacy/hooks"]), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("mounts: true"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_mounted_where_nobody_lets_it() {
    let lab = Lab::start("policy").await;
    let before = lab.apply().await;
    let manifest =
        format!("component: {{path: raw.wasm}}\nauth: public\nmount: legacy/hooks\nmethods: [GET, POST]\n{GRANTS}");
    lab.folder.write("logics/hooks/logic.yaml", &manifest).unwrap();
    fs::write(lab.folder.path().join("logics/hooks/raw.wasm"), component().await).unwrap();
    let apply = ["apply", "--accept-grants", "--yes"];
    is_refused(&refused(&lab, &apply).await);
    set(&lab, &["project"], "deny: []\n").await;
    is_refused(&refused(&lab, &apply).await);
    // The org's word against the project's.
    let org = lab.done(&["org", "list"], "").await["orgs"][0]["name"].as_str().unwrap().to_owned();
    set(&lab, &["project"], "mounts: true\n").await;
    set(&lab, &["org", "--org", &org], "mounts: false\n").await;
    is_refused(&refused(&lab, &apply).await);
    lab.done(&["org", "ceilings", "clear", "--org", &org, "--yes"], "").await;
    assert_eq!(lab.done(&["project", "ceilings", "show"], "").await["ceilings"]["mounts"], true);
    // A method of a mount is a power, which a pattern can take.
    set(&lab, &["project"], "mounts: true\ndeny: [\"*: mount POST *\"]\n").await;
    let (code, error) = refused(&lab, &apply).await;
    assert_eq!((code, &error["details"]["above"]), (3, &json!(["hooks: mount POST /http/legacy/hooks"])), "{error}");
    set(&lab, &["project"], "mounts: true\n").await;
    // And which is accepted.
    let (code, error) = refused(&lab, &["apply", "--yes"]).await;
    assert_eq!((code, error["code"].as_str().unwrap_or_default()), (3, "GRANTS_WIDENED"), "{error}");
    assert!(error.to_string().contains("mount GET /http/legacy/hooks"), "{error}");
    let bridge = lab.bridge("cache", &[]).await;
    let mounted = lab.apply().await;
    let compared = lab.done(&["release", "compare", id(&before), id(&mounted), "--section", "capabilities"], "").await;
    assert!(compared.to_string().contains("mount POST /http/legacy/hooks"), "{compared}");
    bridge.until_state("fresh").await.unwrap();
    let answer = bridge.client.get("/http/legacy/hooks/a").await.unwrap();
    assert_eq!((answer.status, &answer.body["path"]), (200, &json!("/a")), "{answer:?}");
    assert_eq!(answer.release(), id(&mounted));

    // What was let once is looked at again whenever an env is to run it; what runs goes on.
    lab.done(&["env", "create", "next"], "").await;
    let file = lab.dir.path().join("mounted.release").to_str().unwrap().to_owned();
    lab.done(&["release", "export", id(&mounted), &file], "").await;
    lab.done(&["project", "ceilings", "clear", "--yes"], "").await;
    is_refused(
        &refused(&lab, &["release", "promote", id(&mounted), "--env", "next", "--accept-grants", "--apply-schema"])
            .await,
    );
    is_refused(&refused(&lab, &["release", "import", &file, "--key", &lab.trusted]).await);
    let again = bridge.client.get("/http/legacy/hooks/b").await.unwrap();
    assert_eq!(again.status, 200, "{again:?}");
    lab.done(&["release", "rollback", "--yes"], "").await;
    for _ in 0..200 {
        if bridge.client.get("/http/legacy/hooks/b").await.unwrap().status == 401 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(bridge.client.get("/http/legacy/hooks/b").await.unwrap().status, 401);
    let (code, error) = refused(&lab, &["release", "canary", id(&mounted), "--percent", "10", "--accept-grants"]).await;
    is_refused(&(code, error));
    let shown = lab.hub().operate(Method::GET, "/v1/projects/policy/ceilings", &Json::Null).await.unwrap();
    assert_eq!(shown["ceilings"], Json::Null);
}

/// Of the one instance that the logic may have.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_ends_the_invocation_and_what_failed_is_counted() {
    let lab = Lab::start("leaving").await;
    let limits = "limits: {timeout: 60s, output: 50MB, cpu: 300ms}";
    let manifest = format!("component: {{path: raw.wasm}}\nauth: public\nmount: raw\n{limits}\n{GRANTS}");
    lab.folder.write("logics/raw/logic.yaml", &manifest).unwrap();
    fs::write(lab.folder.path().join("logics/raw/raw.wasm"), component().await).unwrap();
    set(&lab, &["project"], "mounts: true\n").await;
    let settings =
        [("STK_BRIDGE_SANDBOX_LOGIC_INSTANCES", "1"), ("STK_BRIDGE_METRICS_TOKEN", "planted-metrics-token-0017")];
    let bridge = lab.bridge("cache", &settings).await;
    lab.apply().await;
    bridge.until_state("fresh").await.unwrap();
    let (http, url) = (bridge.client.http(), format!("{}/http/raw/script", bridge.client.url()));
    let post = |script: Json| http.post(&url).body(script.to_string()).send();
    // Minutes of it, if somebody listened.
    let long = json!({"part": "x".repeat(1_000), "times": 40_000, "waitMs": 20});
    for _ in 0..3 {
        let mut answer = post(long.clone()).await.unwrap();
        assert!(answer.chunk().await.unwrap().is_some());
        drop(answer);
        let next = tokio::time::timeout(Duration::from_secs(20), bridge.client.get("/http/raw/next")).await;
        assert_eq!(next.expect("the instance is free again").unwrap().status, 200);
    }
    let broken = post(json!({"part": "begun", "times": 2, "waitMs": 200, "end": "spin"})).await.unwrap();
    assert!(broken.bytes().await.is_err());
    assert_eq!(post(json!({"before": "trap"})).await.unwrap().status(), 500);
    let expected = [("limit=\"cpu\"", 1), ("logic=\"raw\",outcome=\"failed\"", 2), ("logic=\"raw\",outcome=\"ok\"", 3)];
    let client = bridge.client.with_bearer("planted-metrics-token-0017");
    // An answer is on its way before its invocation has been counted.
    let mut counted = Vec::new();
    for _ in 0..200 {
        let metrics = client.get("/metrics").await.unwrap().body.as_str().unwrap_or_default().to_owned();
        let count = |labels: &str| {
            let of = ["stk_bridge_logic_invocations_total", "stk_bridge_logic_limit_hits_total"];
            let is_of = |line: &&str| of.iter().any(|name| line.starts_with(name)) && line.contains(labels);
            let line = metrics.lines().find(is_of);
            line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or_default()
        };
        counted = expected.map(|(labels, _)| (labels, count(labels))).to_vec();
        if counted == expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(counted, expected);
}

pub(super) fn id(applied: &Json) -> &str {
    applied["releaseId"].as_str().unwrap()
}
