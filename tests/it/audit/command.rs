//! `stk audit`: a log that is verified without believing the Hub.

use std::fs;

use santokit_tests::{Finished, planes::OPERATOR, stk};
use serde_json::json;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::lab::Lab;

const NO_HUB: &str = "http://127.0.0.1:1";

/// Without a Hub.
async fn verify_file(lab: &Lab, args: &[&str]) -> Finished {
    let args = [&["audit", "verify", "--json", "--file"], args].concat();
    stk(lab.dir.path(), &args, &[("STK_HUB_URL", NO_HUB)]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_verified_without_a_hub_and_every_change_of_it_is_found() {
    let lab = Lab::start("exported-log").await;
    lab.apply().await;
    let path = lab.dir.path().join("audit.ndjson");
    let file = path.to_str().unwrap();
    let made = lab.done(&["audit", "export", "--out", file], "").await;
    let count = made["entries"].as_u64().unwrap();
    assert!(count > 8, "{made}");
    let whole = verify_file(&lab, &[file, "--key", &lab.trusted]).await;
    assert_eq!(
        (whole.code, &whole.json()["verified"], whole.json()["entries"].as_u64()),
        (0, &json!(true), Some(count))
    );
    let shown = lab.stk(&["audit", "export"], "").await;
    assert_eq!(shown.stdout, fs::read_to_string(&path).unwrap(), "the same log is the same text");

    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(OPERATOR) && !text.contains("planted"), "a secret is in the log");
    let lines: Vec<&str> = text.lines().collect();
    let forged = text.replace("project.create", "project.delete");
    let without = |n: usize| [&lines[..n], &lines[n + 1..]].concat().join("\n");
    let swapped = {
        let mut lines = lines.clone();
        lines.swap(3, 4);
        lines.join("\n")
    };
    let last = lines.len() - 1;
    for (what, text) in [
        ("a changed entry", forged),
        ("a missing entry", without(4)),
        ("a missing last entry", without(last - 1)),
        ("swapped entries", swapped),
        ("no head", lines[..last].join("\n")),
        ("one after the head", format!("{text}{}", lines[last - 1])),
        ("nothing", String::new()),
        ("no log", "{}\n".to_owned()),
    ] {
        fs::write(&path, text).unwrap();
        let found = verify_file(&lab, &[file, "--key", &lab.trusted]).await;
        assert_ne!(found.code, 0, "{what}: {found:?}");
    }
    // Of another Hub.
    fs::write(&path, &text).unwrap();
    let other = String::from(santokit_core::release::SigningKey::generate().unwrap().verifying_key());
    let found = verify_file(&lab, &[file, "--key", &other]).await;
    assert_eq!((found.code, &found.json()["brokenAt"]), (3, &json!(1)), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_was_kept_finds_what_the_hub_itself_does_not() {
    let mut lab = Lab::start("kept-heads").await;
    let early = lab.dir.path().join("early.json");
    let kept = lab.done(&["audit", "head", "--out", early.to_str().unwrap()], "").await;
    let applied = lab.apply().await;
    let late = lab.dir.path().join("late.json");
    fs::write(&late, applied.to_string()).unwrap();
    let heads = ["audit", "verify", "--key", &lab.trusted.clone(), "--since-head", early.to_str().unwrap()];
    let both = [heads.as_slice(), &["--since-head", late.to_str().unwrap()]].concat();
    let whole = lab.done(&both, "").await;
    assert_eq!((&whole["verified"], &whole["comparedHeads"]), (&json!(true), &json!(2)), "{whole}");

    // The Hub's whole data is put back to what it was, its own memory too.
    lab.kill_hub().await;
    let data = lab.dir.path().join("hub");
    let options = SqliteConnectOptions::new().filename(data.join("hub.db"));
    let mut db = SqliteConnection::connect_with(&options).await.unwrap();
    let cut = kept["head"]["seq"].as_i64().unwrap();
    for sql in ["DROP TRIGGER audit_is_not_deleted", "DROP TRIGGER audit_is_not_changed"] {
        sqlx::query(sql).execute(&mut db).await.unwrap();
    }
    sqlx::query("DELETE FROM audit WHERE seq > $1").bind(cut).execute(&mut db).await.unwrap();
    let older = kept["signed"].to_string();
    sqlx::query("UPDATE audit_head SET envelope = $1").bind(older).execute(&mut db).await.unwrap();
    fs::remove_file(data.join("audit-head.json")).unwrap();
    db.close().await.unwrap();
    lab.revive_hub().await;
    assert_eq!(lab.done(&["audit", "verify"], "").await["verified"], true, "the Hub has lost its memory");
    let found = lab.stk(&both, "").await;
    assert_eq!((found.code, &found.json()["brokenAt"]), (3, &json!(cut + 1)), "{found:?}");
    // A head that somebody made up is refused.
    fs::write(&late, json!({"auditHead": {"payloadType": "x", "payload": "", "signatures": []}}).to_string()).unwrap();
    assert_eq!(lab.stk(&both, "").await.code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_followed_and_asked_by_what_it_says() {
    let lab = Lab::start("asked-log").await;
    lab.apply().await;
    let newest = lab.done(&["audit", "log", "--limit", "2"], "").await;
    let seqs: Vec<i64> =
        newest["entries"].as_array().unwrap().iter().filter_map(|entry| entry["seq"].as_i64()).collect();
    assert_eq!((seqs.len(), seqs[1] - seqs[0], &newest["more"]), (2, 1, &json!(true)), "{newest}");
    for (args, actions) in [
        (&["--action", "connection.set"][..], &["connection.set"][..]),
        (&["--action", "project."], &["project.create"]),
        (&["--since", "1h", "--action", "env.create"], &["env.create"]),
        (&["--until", "1h"], &[]),
        (&["--actor", "hub", "--action", "operator."], &["operator.token"]),
    ] {
        // Which Hub is said; the project of the folder narrows it.
        let env = [("STK_HUB_URL", lab.relay.url.as_str()), ("STK_TOKEN", OPERATOR)];
        let args = [&["audit", "log", "--json"], args].concat();
        let found = stk(lab.folder.path(), &args, &env).await.unwrap();
        let found: Vec<String> = found.json()["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["action"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(found, actions, "{args:?}");
    }
}
