//! A Hub is lost and comes back from a backup, as processes: while its Bridge serves, on either store and from one to the other.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use reqwest::Method;
use santokit_hub::app::restore::SEQUENCES_ADVANCED;
use santokit_tests::{Finished, Hub, planes::OPERATOR, stk};
use serde_json::{Value as Json, json};

use crate::lab::{IN_URL, Lab, SECRET, assert_serves};

mod refused;
mod stores;

impl Lab {
    /// A backup by the command, in the lab's folder.
    async fn backup(&self, name: &str) -> (String, Json) {
        let path = self.dir.path().join(name).to_str().unwrap().to_owned();
        let made = self.done(&["hub", "backup", "--out", &path], "").await;
        (path, made)
    }

    /// A restore by the command, into the data of the lab's Hub.
    async fn restore(&self, file: &str, more: &[&str]) -> Finished {
        let args = [&["hub", "restore", "--json", "--data-dir", "hub", "--from", file], more].concat();
        stk(self.dir.path(), &args, &[("STK_HUB_OPERATOR_TOKEN", OPERATOR)]).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_hub_comes_back_and_its_bridge_serves_all_the_while() {
    let mut lab = Lab::start("drill").await;
    let bridge = lab.bridge("cache", &[]).await;
    lab.apply().await;
    let calling = Calling::start(&bridge);

    // Under load: somebody writes all the while.
    let (url, is_over) = (lab.hub().url.clone(), Arc::new(AtomicBool::new(false)));
    let writing = tokio::spawn({
        let is_over = Arc::clone(&is_over);
        async move {
            let (http, mut written) = (reqwest::Client::new(), 0);
            while !is_over.load(Ordering::Relaxed) {
                let path = format!("{url}/v1/projects/drill/envs/prod/secrets/WRITTEN_{}", written % 20);
                let sent = http.put(path).bearer_auth(OPERATOR).json(&json!({"value": "planted-written"})).send();
                assert_eq!(sent.await.unwrap().status(), 200);
                written += 1;
            }
            written
        }
    });
    let (file, made) = lab.backup("first.tar").await;
    for n in 0..3 {
        lab.backup(&format!("more-{n}.tar")).await;
    }
    is_over.store(true, Ordering::Relaxed);
    assert!(writing.await.unwrap() > 10, "nothing was written meanwhile");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
    let master_key = fs::read(lab.dir.path().join("hub/master-key")).unwrap();
    for planted in [SECRET, IN_URL, "planted-written", OPERATOR, &lab.service_token, &lab.api_key.0] {
        assert!(!text.contains(planted), "{planted} is in the backup");
    }
    assert!(!text.contains(String::from_utf8_lossy(&master_key).trim()), "the master key is in the backup");

    // What is done after the backup is lost with the Hub; the Bridge has seen it.
    lab.set_version(2);
    let lost = lab.apply().await;
    assert_serves(&bridge, &lab.api_key.0, 2).await;
    let kept = lab.dir.path().join("kept.json");
    fs::write(&kept, lost.to_string()).unwrap();
    lab.kill_hub().await;
    fs::remove_dir_all(lab.dir.path().join("hub")).unwrap();
    fs::create_dir(lab.dir.path().join("hub")).unwrap();
    fs::write(lab.dir.path().join("hub/master-key"), master_key).unwrap();

    let restored = lab.restore(&file, &[]).await;
    assert_eq!(restored.code, 0, "{restored:?}");
    let told = restored.json();
    assert_eq!((&told["auditVerified"], &told["createdAt"]), (&json!(true), &made["createdAt"]), "{told}");
    lab.revive_hub().await;
    let whole = lab.done(&["audit", "verify"], "").await;
    assert_eq!((&whole["verified"], &whole["head"]["epoch"]), (&json!(true), &json!(1)), "{whole}");
    // Who kept a head of the lost time is told what became of it.
    let key = lab.trusted.clone();
    let missed = lab.stk(&["audit", "verify", "--key", &key, "--since-head", kept.to_str().unwrap()], "").await;
    assert!(missed.code == 3 && missed.stdout.contains("restored from a backup at entry"), "{missed:?}");

    // The Hub knows the release of before; the Bridge does not go back to it.
    assert_eq!(lab.done(&["release", "current"], "").await["sequence"], 1);
    bridge
        .until("told the older pointer", |env| {
            env["refused"]["message"].as_str().is_some_and(|why| why.contains("lower"))
        })
        .await
        .unwrap();
    assert_serves(&bridge, &lab.api_key.0, 2).await;
    lab.set_version(3);
    let applied = lab.apply().await;
    assert_eq!(applied["sequence"], json!(SEQUENCES_ADVANCED + 2));
    assert_serves(&bridge, &lab.api_key.0, 3).await;
    let back = lab.done(&["release", "rollback"], "").await;
    assert_eq!(back["sequence"], json!(SEQUENCES_ADVANCED + 3));
    bridge.until("back", |env| env["sequence"] == back["sequence"]).await.unwrap();
    assert_serves(&bridge, &lab.api_key.0, 1).await;
    assert_eq!(lab.done(&["audit", "verify"], "").await["verified"], true);
    let (calls, failed) = calling.end().await;
    assert!(calls > 50 && failed.is_empty(), "{} of {calls} calls failed: {failed:?}", failed.len());
}

/// An application that calls all the while.
struct Calling {
    is_over: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<Vec<String>>,
}

impl Calling {
    fn start(bridge: &santokit_tests::Bridge) -> Self {
        let (client, is_over, calls) =
            (bridge.client.clone(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let task = tokio::spawn({
            let (is_over, calls) = (Arc::clone(&is_over), Arc::clone(&calls));
            async move {
                let mut failed = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    match client.logic("version", json!({})).await {
                        Ok(answer) if answer.status == 200 => {}
                        Ok(answer) => failed.push(format!("{}: {}", answer.status, answer.body)),
                        Err(error) => failed.push(format!("{error:#}")),
                    }
                    calls.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                failed
            }
        });
        Self { is_over, calls, task }
    }

    async fn end(self) -> (u64, Vec<String>) {
        self.is_over.store(true, Ordering::Relaxed);
        (self.calls.load(Ordering::Relaxed), self.task.await.unwrap())
    }
}

/// Everything that a Hub answers of what it keeps, but for the audit log.
async fn told(hub: &Hub) -> Json {
    let mut told = json!({});
    for path in [
        "/v1/projects",
        "/v1/projects/shop/envs",
        "/v1/projects/shop/envs/dev/connections",
        "/v1/projects/shop/envs/dev/secrets",
        "/v1/projects/shop/envs/dev/apikeys",
        "/v1/projects/shop/envs/dev/current",
        "/v1/projects/shop/releases",
        "/v1/service-tokens",
        "/v1/keys",
    ] {
        told[path] = hub.operate(Method::GET, path, &Json::Null).await.unwrap();
    }
    told
}
