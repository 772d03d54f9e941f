//! A candidate that mounts what the baseline does not: only its share of the callers finds it, and how it fails is counted as of any logic.

use std::fs;

use reqwest::{Method, StatusCode};
use santokit_tests::Bridge;
use serde_json::{Value as Json, json};

use super::{GRANTS, component, policy};
use crate::lab::Lab;

/// Of which about half are the candidate's.
const CALLERS: usize = 40;
const FAILURES: usize = 8;

async fn ask(bridge: &Bridge, name: &str, path: &str, body: &Json) -> (StatusCode, Json) {
    let url = format!("{}/http/legacy/hooks{path}", bridge.client.url());
    let request = bridge.client.http().request(Method::POST, url).header("x-santokit-sticky", name);
    let answer = request.body(body.to_string()).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_with_a_mount_is_for_its_callers_and_falls_with_it() {
    let lab = Lab::start("sharing").await;
    lab.done(&["env", "create", "dev"], "").await;
    let url = format!("sqlite:{}", lab.dir.path().join("dev.db").display());
    lab.done(&["connections", "set", "main", "--engine", "sqlite", "--url-stdin", "--env", "dev"], &url).await;
    lab.done(&["secrets", "set", "TOKEN", "--env", "dev"], "a-token").await;
    lab.apply().await;
    let bridge = lab.bridge("cache", &[]).await;
    policy::set(&lab, &["project"], "mounts: true\n").await;
    let manifest =
        format!("component: {{path: raw.wasm}}\nauth: public\nmount: legacy/hooks\nmethods: [GET, POST]\n{GRANTS}");
    lab.folder.write("logics/hooks/logic.yaml", &manifest).unwrap();
    fs::write(lab.folder.path().join("logics/hooks/raw.wasm"), component().await).unwrap();
    let applied = lab.done(&["apply", "--env", "dev", "--accept-grants", "--yes"], "").await;
    let candidate = policy::id(&applied).to_owned();
    let least = FAILURES.to_string();
    let gate = ["--auto-rollback", "error-rate>30%", "--min-requests", &least, "--accept-grants"];
    lab.done(&[&["release", "canary", &candidate, "--percent", "50"], &gate[..]].concat(), "").await;

    let (mut inside, mut outside) = (Vec::new(), 0);
    for name in (0..CALLERS).map(|number| format!("caller-{number}")) {
        match ask(&bridge, &name, "/a", &json!({})).await {
            (StatusCode::OK, seen) => {
                assert_eq!(seen["path"], "/a");
                inside.push(name);
            }
            // Anonymous, and nothing is mounted: as everywhere.
            (StatusCode::UNAUTHORIZED, _) => outside += 1,
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(inside.len() >= CALLERS / 5 && outside >= CALLERS / 5, "{} inside, {outside} outside", inside.len());
    for name in inside.iter().cycle().take(4 * CALLERS) {
        let (status, _) = ask(&bridge, name, "/script", &json!({"before": "trap"})).await;
        if status == StatusCode::UNAUTHORIZED {
            break;
        }
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{name}");
    }
    let path = format!("/v1/projects/{}/envs/prod/canary", lab.project);
    let mut status = Json::Null;
    for _ in 0..400 {
        status = lab.hub().operate(Method::GET, &path, &Json::Null).await.unwrap();
        if status["state"] != "running" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(status["state"], "rolledBack", "{status}");
    bridge.until("back", |env| env["sequence"] == 3).await.unwrap();
    assert_eq!(ask(&bridge, &inside[0], "/a", &json!({})).await.0, StatusCode::UNAUTHORIZED);
}
