//! Jobs and releases: which one's jobs run while a canary lasts, and a run in whose middle another release comes.

use serde_json::{Value as Json, json};

use super::{SLOW, lab, of, rows, until};
use crate::lab::IN_URL;

/// The numbers that the job has written.
const NUMBERS: &str = "---\nauth: public\n---\nSELECT DISTINCT n FROM ticks ORDER BY n\n";

fn tick(number: u32) -> String {
    format!("---\n---\nINSERT INTO ticks (n) VALUES ({number})\n")
}

fn numbers(rows: &[Json]) -> Vec<i64> {
    rows.iter().filter_map(|row| row["n"].as_i64()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_canary_lasts_the_jobs_of_the_baseline_run() {
    let lab = lab("ticking-canary", &[("tick", "every: 1s\nhandler: logics/tick")]).await;
    lab.folder.write("logics/numbers.sql", NUMBERS).unwrap();
    lab.done(&["env", "create", "dev"], "").await;
    let url = format!("sqlite:{}", lab.dir.path().join(IN_URL).join("dev.db").display());
    lab.done(&["connections", "set", "main", "--env", "dev", "--engine", "sqlite", "--url-stdin"], &url).await;
    lab.done(&["secrets", "set", "TOKEN", "--env", "dev"], "a secret of dev").await;
    let bridge = lab.bridge("one", &[]).await;
    lab.apply().await;
    until(&bridge, "tick", "a run", |runs| !of(runs, "ok").is_empty()).await;

    lab.folder.write("logics/tick.sql", &tick(2)).unwrap();
    lab.folder.write("cron/new.yaml", "name: new\nevery: 1s\nhandler: logics/tick\n").unwrap();
    let applied = lab.done(&["apply", "--env", "dev", "--accept-grants", "--yes"], "").await;
    let candidate = applied["releaseId"].as_str().unwrap();
    lab.done(&["release", "canary", candidate, "--percent", "99"], "").await;
    let before = until(&bridge, "tick", "what is there", |_| true).await.len();
    until(&bridge, "tick", "four more runs", |runs| of(runs, "ok").len() >= before + 4).await;
    assert_eq!(numbers(&rows(&bridge, "numbers").await), [1]);
    assert_eq!(until(&bridge, "new", "nothing", |_| true).await, [] as [Json; 0], "a job that the candidate alone has");

    let promoted = lab.done(&["release", "canary", "promote"], "").await;
    assert_eq!(promoted["releaseId"], json!(candidate), "{promoted}");
    until(&bridge, "new", "the candidate's job", |runs| !of(runs, "ok").is_empty()).await;
    let before = until(&bridge, "tick", "what is there", |_| true).await.len();
    until(&bridge, "tick", "two more runs", |runs| of(runs, "ok").len() >= before + 2).await;
    assert_eq!(numbers(&rows(&bridge, "numbers").await), [1, 2]);
}

/// The run ends on what it began on; the next one is of the release of then.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_where_another_release_comes_in_its_middle() {
    let slow = |number: u32| {
        let work = SLOW.trim_start_matches("---\n---\n").trim_end().replace("12000000", "6000000");
        format!("---\n---\n{work};\nINSERT INTO ticks (n) VALUES ({number})\n")
    };
    let lab = lab("ticking-swap", &[("slow", "every: 1s\nhandler: logics/slow\ntimeout: 1m")]).await;
    lab.folder.write("logics/numbers.sql", NUMBERS).unwrap();
    lab.folder.write("logics/slow.sql", &slow(1)).unwrap();
    let bridge = lab.bridge("one", &[]).await;
    lab.apply().await;
    let running = |runs: &[Json]| runs.iter().any(|run| run["ended_at"].is_null() && run["outcome"] != "missed");
    let began = until(&bridge, "slow", "a run that goes on", running).await;
    let run = began.iter().find(|run| run["ended_at"].is_null()).unwrap()["id"].clone();
    lab.folder.write("logics/slow.sql", &slow(2)).unwrap();
    lab.apply().await;
    let is_done = |runs: &[Json]| runs.iter().any(|found| found["id"] == run && !found["ended_at"].is_null());
    let runs = until(&bridge, "slow", "its end", is_done).await;
    let ended = runs.iter().find(|found| found["id"] == run).unwrap();
    assert_eq!((&ended["outcome"], &ended["error"]), (&json!("ok"), &Json::Null), "{ended}");
    assert_eq!(numbers(&rows(&bridge, "numbers").await)[0], 1);
    let is_next =
        |runs: &[Json]| of(runs, "ok").iter().any(|found| found["started_at"].as_str() > ended["ended_at"].as_str());
    until(&bridge, "slow", "the next run", is_next).await;
    assert!(numbers(&rows(&bridge, "numbers").await).contains(&2));
}
