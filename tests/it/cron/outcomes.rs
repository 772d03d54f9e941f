//! What becomes of runs and ticks, on every engine: of a Bridge that is killed, of what takes too long, of what was missed, and of what fails too often.

use std::time::{Duration, Instant};

use santokit_tests::{Bridge, Engine};
use serde_json::{Value as Json, json};

use super::{SOON, of, on::On, rows, ticks, until};

cases! {
    a_run_whose_bridge_is_killed_is_lost_and_others_go_on:
    a_killed_run_on_sqlite = None;
    a_killed_run_on_postgres = Some(Engine::Postgres);
    a_killed_run_on_mysql = Some(Engine::Mysql);
}

async fn a_run_whose_bridge_is_killed_is_lost_and_others_go_on(on: On) {
    let lab = on.lab("killed", &[("slow", "every: 1s\nhandler: logics/slow\ntimeout: 1m")]).await;
    let lease = ("STK_BRIDGE_CRON_LEASE", "2s");
    let first = lab.bridge("one", &[lease]).await;
    lab.apply().await;
    let running = |runs: &[Json]| !of(runs, "running").is_empty();
    let runs = until(&first, "slow", "a run", running).await;
    let run = of(&runs, "running")[0]["id"].clone();
    first.kill().await.unwrap();
    let second = lab.bridge("two", &[lease]).await;
    second.until_state("fresh").await.unwrap();
    let is_lost = |runs: &[Json]| runs.iter().any(|found| found["id"] == run && found["outcome"] == "lost");
    let runs = until(&second, "slow", "the run is lost", is_lost).await;
    let lost = runs.iter().find(|found| found["id"] == run).unwrap();
    assert!(lost["ended_at"].is_string() && lost["error"].as_str().unwrap().contains("not heard of"), "{lost}");
    until(&second, "slow", "another run ends well", |runs| !of(runs, "ok").is_empty()).await;
}

cases! {
    runs_do_not_overlap_and_end_in_time:
    runs_do_not_overlap_on_sqlite = None;
    runs_do_not_overlap_on_postgres = Some(Engine::Postgres);
    runs_do_not_overlap_on_mysql = Some(Engine::Mysql);
}

async fn runs_do_not_overlap_and_end_in_time(on: On) {
    let jobs = [
        ("slow", "every: 1s\nhandler: logics/slow\ntimeout: 1m"),
        ("spin", "every: 1s\nhandler: logics/spin\ntimeout: 1s"),
        ("off", "every: 1s\nhandler: logics/tick\nenabled: false"),
    ];
    let lab = on.lab("slowly", &jobs).await;
    let bridge = lab.bridge("one", &[]).await;
    lab.apply().await;
    let wanted = |runs: &[Json]| of(runs, "ok").len() >= 2 && !of(runs, "skipped").is_empty();
    let runs = until(&bridge, "slow", "two runs and a tick that was skipped", wanted).await;
    // A run begins when the one before it has ended.
    let mut of_jobs: Vec<&Json> = runs.iter().filter(|run| run["outcome"] == "ok").collect();
    of_jobs.sort_by_key(|run| run["started_at"].as_str().unwrap().to_owned());
    for pair in of_jobs.windows(2) {
        assert!(pair[0]["ended_at"].as_str() <= pair[1]["started_at"].as_str(), "{pair:#?}");
    }
    let runs = until(&bridge, "spin", "a run that took too long", |runs| of(runs, "timeout").len() >= 2).await;
    assert!(of(&runs, "timeout")[0]["error"].is_string(), "{runs:#?}");
    let states = rows(&bridge, "jobs").await;
    let skipped = states.iter().find(|state| state["job"] == "slow").unwrap()["skipped"].clone();
    assert_ne!(skipped, json!(0), "{states:?}");
    // Who is disabled does not run; and the Bridge went on answering.
    assert_eq!(ticks(&bridge).await, 0);
    assert!(rows(&bridge, "runs").await.iter().all(|run| run["job"] != "off"));
}

cases! {
    what_was_missed_runs_once_where_it_is_wanted:
    what_was_missed_on_sqlite = None;
    what_was_missed_on_postgres = Some(Engine::Postgres);
    what_was_missed_on_mysql = Some(Engine::Mysql);
}

async fn what_was_missed_runs_once_where_it_is_wanted(on: On) {
    // Its last tick was at most a month ago, and its next one is not now.
    let jobs = [
        ("late", "schedule: \"0 0 1 * *\"\nhandler: logics/tick\ncatchUp: true"),
        ("never", "schedule: \"0 0 1 * *\"\nhandler: logics/fail"),
    ];
    let lab = on.lab("missing", &jobs).await;
    let bridge = lab.bridge("one", &[]).await;
    lab.apply().await;
    let began = Instant::now();
    while rows(&bridge, "jobs").await.len() < 2 {
        assert!(began.elapsed() < SOON, "{}", bridge.output());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bridge.kill().await.unwrap();
    // As if no Bridge had been there since.
    let earlier = on.days_before("last_tick", 70);
    on.execute(&lab, &format!("UPDATE stk_cron_jobs SET last_tick = {earlier}")).await;
    let bridge = lab.bridge("two", &[]).await;
    bridge.until_state("fresh").await.unwrap();
    let runs = until(&bridge, "late", "it has caught up", |runs| !of(runs, "ok").is_empty()).await;
    assert_eq!((runs.len(), &runs[0]["cause"]), (1, &json!("catchUp")), "once, whatever was missed: {runs:#?}");
    let runs = until(&bridge, "never", "it is told", |runs| !of(runs, "missed").is_empty()).await;
    assert_eq!(runs.len(), 1, "{runs:#?}");
    assert_eq!(ticks(&bridge).await, 1);
}

cases! {
    what_a_frequent_job_has_missed_is_told_by_one_row:
    what_a_frequent_job_has_missed_on_sqlite = None;
    what_a_frequent_job_has_missed_on_postgres = Some(Engine::Postgres);
    what_a_frequent_job_has_missed_on_mysql = Some(Engine::Mysql);
}

/// Its last tick is never late, and those before it are not lost without a word.
async fn what_a_frequent_job_has_missed_is_told_by_one_row(on: On) {
    let jobs =
        [("often", "every: 10s\nhandler: logics/tick"), ("again", "every: 10s\nhandler: logics/tick\ncatchUp: true")];
    let lab = on.lab("frequent", &jobs).await;
    let bridge = lab.bridge("one", &[]).await;
    lab.apply().await;
    for job in ["often", "again"] {
        until(&bridge, job, "it has run", |runs| !of(runs, "ok").is_empty()).await;
    }
    bridge.kill().await.unwrap();
    // As if no Bridge had been there for a day: 8640 ticks.
    let earlier = on.days_before("last_tick", 1);
    on.execute(&lab, &format!("UPDATE stk_cron_jobs SET last_tick = {earlier}, run = NULL, lease_until = NULL")).await;
    on.execute(&lab, "DELETE FROM stk_cron_runs").await;
    let bridge = lab.bridge("two", &[]).await;
    bridge.until_state("fresh").await.unwrap();
    let runs = until(&bridge, "often", "it is told", |runs| !of(runs, "missed").is_empty()).await;
    let missed = of(&runs, "missed")[0];
    let error = missed["error"].as_str().unwrap();
    let count: usize = error.split(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{missed}"));
    assert!((8_639..9_990).contains(&count) && error.contains("ticks were missed, from that of 20"), "{missed}");
    assert!(missed["tick"].is_string() && missed["ended_at"].is_string(), "{missed}");
    let newest =
        |runs: &[Json]| runs.iter().any(|run| run["outcome"] == "ok" && run["tick"].as_str() > missed["tick"].as_str());
    until(&bridge, "often", "the newest tick has run", newest).await;
    let counted = |text: String| {
        let line = "stk_bridge_cron_runs_total{job=\"often\",outcome=\"missed\"}";
        let own = text.lines().find(|found| found.starts_with(line)).map(str::to_owned);
        own.and_then(|own| own.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or_default()
    };
    assert!(counted(bridge.metrics().await.unwrap()) >= 8_639.0, "each tick counts");
    let caught_up = |runs: &[Json]| runs.iter().any(|run| run["cause"] == "catchUp" && run["outcome"] == "ok");
    let runs = until(&bridge, "again", "it has caught up", caught_up).await;
    assert_eq!(of(&runs, "missed").len(), 0, "one run stands for all: {runs:#?}");
}

cases! {
    ten_failures_stop_a_job:
    ten_failures_on_postgres = Some(Engine::Postgres);
    ten_failures_on_mysql = Some(Engine::Mysql);
}

/// On SQLite, and what operators do then: `ten_failures_stop_a_job_until_somebody_lets_it_run_again`.
async fn ten_failures_stop_a_job(on: On) {
    let lab = on.lab("failing", &[("fail", "every: 1s\nhandler: logics/fail")]).await;
    let bridge = lab.bridge("one", &[]).await;
    lab.apply().await;
    fails_and_stops(&bridge).await;
}

/// The job `fail` fails ten times and no more.
pub(super) async fn fails_and_stops(bridge: &Bridge) {
    let runs = until(bridge, "fail", "ten failures", |runs| !of(runs, "opened").is_empty()).await;
    assert_eq!(of(&runs, "error").len(), 10, "{runs:#?}");
    assert!(of(&runs, "error")[0]["error"].is_string(), "{runs:#?}");
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let after = until(bridge, "fail", "nothing", |_| true).await;
    assert_eq!(after.len(), runs.len(), "it does not run any more: {after:#?}");
    let [opened] = of(&after, "opened")[..] else { panic!("it is told once: {after:#?}") };
    assert!(opened["cause"] == "breaker" && opened["tick"].is_null() && opened["ended_at"].is_string(), "{opened}");
    let states = rows(bridge, "jobs").await;
    let state = states.iter().find(|state| state["job"] == "fail").unwrap();
    assert!(state["failures"] == 10 && state["opened_at"].is_string(), "{state}");
}
