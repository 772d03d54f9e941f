//! A run by hand while the Bridge looks at the job for the first time: that look makes the job's row, and is no run.

use std::time::Duration;

use futures_util::future::join_all;
use santokit_tests::Engine;

use super::{of, on::On, start_for_operators, until, until_operated};

/// PostgreSQL and SQLite let the second who makes a row wait; here it fails, and the row is there.
const SLOWLY: &str = "CREATE TRIGGER slowly BEFORE INSERT ON stk_cron_jobs FOR EACH ROW SET @slept = SLEEP(4)";

const RARE: &str = "schedule: \"0 0 29 2 *\"\nhandler: logics/tick";

cases! {
    begun_while_it_is_looked_at:
    a_run_by_hand_begins_right_after_the_start_of_a_bridge = Some(Engine::Mysql);
}

/// Each job is asked for a moment later, so that some are while the first look is about to make their rows.
async fn begun_while_it_is_looked_at(on: On) {
    let jobs = ["a", "b", "c", "d", "e", "f"];
    let lab = on.lab("at-once", &jobs.map(|job| (job, RARE))).await;
    lab.apply().await;
    on.execute(&lab, SLOWLY).await;
    let (bridge, url) = start_for_operators(&lab).await;
    bridge.until_state("fresh").await.unwrap();
    until_operated(&lab, &url).await;
    let lab = &lab;
    let begun = jobs.into_iter().zip(0_u32..).map(|(job, number)| async move {
        tokio::time::sleep(Duration::from_millis(400) * number).await;
        lab.stk(&["cron", "trigger", job], "").await
    });
    for (job, begun) in jobs.into_iter().zip(join_all(begun).await) {
        assert_eq!(begun.code, 0, "{job}: {begun:?}\n{}", bridge.output());
    }
    for job in jobs {
        until(&bridge, job, "it has run once", |runs| runs.len() == 1 && of(runs, "ok").len() == 1).await;
    }
}
