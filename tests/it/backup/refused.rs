//! What is no backup, or not for this place, changes nothing.

use std::fs;

use reqwest::Method;
use santokit_core::release::SigningKey;
use santokit_hub::app::backup::archive::{self, Contents, Scratch, Writer};
use santokit_tests::{Engine, planes::OPERATOR, stk};
use serde_json::{Value as Json, json};

use super::stores::Place;
use crate::lab::Lab;

const OTHER_KEY: &str = "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_changed_or_cut_changes_nothing() {
    let mut lab = Lab::start("changed-backup").await;
    lab.apply().await;
    let (file, made) = lab.backup("good.tar").await;
    assert_eq!(made["hasMasterKey"], false);
    let twice = lab.stk(&["hub", "backup", "--out", &file], "").await;
    assert_eq!(twice.code, 2, "a backup is not replaced: {twice:?}");
    let running = lab.restore(&file, &["--force"]).await;
    assert!(running.code == 3 && running.stdout.contains("a Hub is running"), "{running:?}");
    lab.kill_hub().await;
    let there = lab.restore(&file, &[]).await;
    assert!(there.code == 3 && there.stdout.contains("--force"), "{there:?}");

    let good = fs::read(&file).unwrap();
    let bad = lab.dir.path().join("bad.tar");
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let middle = good.len() / 2;
    for (what, bytes) in [
        ("cut", good[..middle].to_vec()),
        ("cut before its end", good[..good.len() - 4096].to_vec()),
        ("changed in the middle", flipped(middle)),
        ("changed near the beginning", flipped(600)),
        ("empty", Vec::new()),
        ("something else", b"hello".repeat(1_000)),
        ("signed by somebody else", forged(&good, lab.dir.path())),
    ] {
        fs::write(&bad, bytes).unwrap();
        let refused = lab.restore(bad.to_str().unwrap(), &["--force"]).await;
        assert_eq!(refused.code, 3, "{what}: {refused:?}");
    }
    // With another master key, or none.
    let args = ["hub", "restore", "--json", "--data-dir", "elsewhere", "--from", &file];
    for key in [Some(OTHER_KEY), None] {
        let env: Vec<(&str, &str)> = key.map(|key| ("STK_MASTER_KEY", key)).into_iter().collect();
        let refused = stk(lab.dir.path(), &args, &env).await.unwrap();
        assert!(refused.code == 3 && refused.stdout.contains("STK_MASTER_KEY"), "{refused:?}");
    }
    assert!(!lab.dir.path().join("elsewhere/hub.db").exists());

    // What is there is as it was.
    lab.revive_hub().await;
    assert_eq!(lab.done(&["audit", "verify"], "").await["verified"], true);
    lab.set_version(2);
    let later = lab.apply().await;
    lab.kill_hub().await;
    // And is kept beside what replaces it.
    let restored = lab.restore(&file, &["--force"]).await;
    let told = restored.json();
    assert_eq!(restored.code, 0, "{restored:?}");
    assert!(told["lostHead"]["seq"].as_i64() > told["auditHead"]["seq"].as_i64(), "{told}");
    let aside = told["keptAside"].as_str().unwrap();
    assert!(fs::metadata(format!("{aside}/hub.db")).unwrap().len() > 0);
    lab.revive_hub().await;
    assert_eq!(lab.done(&["release", "current"], "").await["sequence"], 1);
    assert!(lab.stk(&["release", "show", later["releaseId"].as_str().unwrap()], "").await.code != 0);
    // The Hub remembered what is lost; the log goes on all the same, and stays whole.
    lab.done(&["secrets", "set", "AFTER"], "x").await;
    let chain = lab.done(&["audit", "verify"], "").await;
    assert_eq!((&chain["verified"], &chain["head"]["epoch"]), (&json!(true), &json!(1)), "{chain}");
}

/// The same tables, by somebody who has a key, but not the Hub's.
fn forged(good: &[u8], dir: &std::path::Path) -> Vec<u8> {
    use std::io::Read;
    let mut writer = Writer::begin(Scratch::file(dir).unwrap());
    let mut contents = None::<Contents>;
    for entry in tar::Archive::new(good).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if let Some(table) = name.strip_prefix("tables/").and_then(|name| name.strip_suffix(".ndjson")) {
            let mut scratch = Scratch::new(dir).unwrap();
            for line in std::str::from_utf8(&bytes).unwrap().lines() {
                scratch.line(line).unwrap();
            }
            writer.table(table, 0, scratch).unwrap();
        } else if name == "backup.json" {
            let path = dir.join("contents.tar");
            fs::write(&path, good).unwrap();
            contents = Some(archive::check(&path).unwrap().contents);
        } else {
            writer.blob(&santokit_core::release::Digest::of(&bytes), &bytes).unwrap();
        }
    }
    let (mut file, _) = writer.end(contents.unwrap(), &SigningKey::generate().unwrap()).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hubs_use_is_not_replaced_under_them() {
    let place = Place::on(Some(Engine::Postgres)).await;
    let hub = place.hub().await;
    hub.operate(Method::POST, "/v1/projects", &json!({"name": "before"})).await.unwrap();
    let file = place.dir.path().join("backup.tar");
    let file = file.to_str().unwrap();
    let at_hub = [("STK_HUB_URL", hub.url.as_str()), ("STK_TOKEN", OPERATOR)];
    let made = stk(place.dir.path(), &["hub", "backup", "--out", file], &at_hub).await.unwrap();
    assert_eq!(made.code, 0, "{made:?}");
    hub.operate(Method::POST, "/v1/projects", &json!({"name": "after"})).await.unwrap();
    let restore = ["hub", "restore", "--data-dir", "hub", "--from", file, "--force"];
    let running = place.command(&restore).await;
    assert!(running.code == 3 && running.stdout.contains("a Hub is running"), "{running:?}");
    hub.kill().await.unwrap();
    let there = place.command(&restore[..6]).await;
    assert!(there.code == 3 && there.stdout.contains("--force"), "{there:?}");
    let restored = loop {
        // The server takes a moment to see that the Hub is gone.
        let restored = place.command(&restore).await;
        if restored.code == 0 || !restored.stdout.contains("a Hub is running") {
            break restored;
        }
    };
    assert_eq!(restored.code, 0, "{restored:?}");
    let hub = place.hub().await;
    let projects = hub.operate(Method::GET, "/v1/projects", &Json::Null).await.unwrap();
    assert_eq!(projects["projects"].as_array().map(Vec::len), Some(1), "{projects}");
    hub.operate(Method::POST, "/v1/projects", &json!({"name": "later"})).await.unwrap();
    let chain = hub.operate(Method::GET, "/v1/audit/verify", &Json::Null).await.unwrap();
    assert_eq!(chain["verified"], true, "{chain}");
}
