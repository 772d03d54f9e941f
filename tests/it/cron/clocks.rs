//! Bridges whose clocks are an hour wrong: the time of ticks is that of the database, so that they run as others do.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta};
use santokit_tests::Engine;
use serde_json::Value as Json;

use super::{SOON, of, on::On, ticks, until};
use crate::lab::Lab;

const HOUR: i64 = 60 * 60;

cases! {
    one_run_of_a_tick_by_three_clocks:
    one_run_of_a_tick_by_three_clocks_on_postgres = Some(Engine::Postgres);
    one_run_of_a_tick_by_three_clocks_on_mysql = Some(Engine::Mysql);
}

async fn one_run_of_a_tick_by_three_clocks(on: On) {
    let lab = on.lab("clocks", &[("tick", "every: 1s\nhandler: logics/tick")]).await;
    let bridges = [
        lab.bridge("right", &[]).await,
        lab.bridge_with_clock("ahead", HOUR, &[]).await,
        lab.bridge_with_clock("behind", -HOUR, &[]).await,
    ];
    lab.apply().await;
    until_seen(&lab, [0, 1, -1].map(|hours| hours * HOUR)).await;

    let by = |runs: &[Json]| of(runs, "ok").iter().map(|run| run["bridge"].to_string()).collect::<BTreeSet<_>>().len();
    let enough = |runs: &[Json]| of(runs, "ok").len() >= 20 && by(runs) == 3;
    let runs = until(&bridges[0], "tick", "twenty runs, by each of them", enough).await;
    let time = |run: &Json, key: &str| DateTime::parse_from_rfc3339(run[key].as_str().unwrap()).unwrap();
    let ticks_of_runs: BTreeSet<_> = runs.iter().map(|run| time(run, "tick")).collect();
    assert_eq!(ticks_of_runs.len(), runs.len(), "a tick has one row: {runs:#?}");
    for run in &runs {
        let late = time(run, "started_at") - time(run, "tick");
        assert!((TimeDelta::zero()..TimeDelta::minutes(1)).contains(&late), "{late}: {run}");
        assert!(run["cause"] == "schedule" && run["outcome"] != "missed" && run["outcome"] != "lost", "{run}");
    }
    // What is counted is what was done.
    let done = ticks(&bridges[0]).await;
    let after = until(&bridges[0], "tick", "what is there", |_| true).await;
    let ran = i64::try_from(of(&after, "ok").len() + of(&after, "running").len()).unwrap();
    assert!(i64::try_from(of(&runs, "ok").len()).unwrap() <= done && done <= ran, "{done} {ran}: {after:#?}");
}

/// The clocks are wrong, and the Hub sees it.
async fn until_seen(lab: &Lab, skews: [i64; 3]) {
    let began = Instant::now();
    loop {
        let status = lab.done(&["bridge", "status"], "").await;
        let seen: Vec<i64> =
            status["bridges"].as_array().unwrap().iter().filter_map(|one| one["clockSkewSeconds"].as_i64()).collect();
        if skews.iter().all(|skew| seen.iter().any(|seen| (seen - skew).abs() < 60)) {
            return;
        }
        assert!(began.elapsed() < SOON, "{status}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
