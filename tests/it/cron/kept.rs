//! Runs whose time is over go by the clock, however many there are: a job that only skips ends no run at whose end somebody could look.

use std::time::{Duration, Instant};

use santokit_tests::Engine;

use super::{count, on::On};

const OLD: &str = "---\nauth: public\n---\nSELECT count(*) AS c FROM stk_cron_runs WHERE job = 'old'\n";
const NEW: &str = "---\nauth: public\n---\nSELECT count(*) AS c FROM stk_cron_runs WHERE job = 'new'\n";

/// It is looked each minute.
const GONE: Duration = Duration::from_mins(3);

cases! {
    runs_whose_time_is_over_go:
    runs_whose_time_is_over_go_on_sqlite = None;
    runs_whose_time_is_over_go_on_postgres = Some(Engine::Postgres);
    runs_whose_time_is_over_go_on_mysql = Some(Engine::Mysql);
}

/// Rows in the order of the table.
fn insert(job: &str, number: usize, expires_at: &str) -> String {
    let row = |at: usize| {
        format!(
            "('run_{job}_{at}', '{job}-{at}', 'p', 'e', '{job}', 'rel_1', NULL, 'schedule', NULL, 'brg_1', '2020-01-01 00:00:00', \
             '2020-01-01 00:00:00', 'skipped', NULL, '{expires_at}')"
        )
    };
    format!("INSERT INTO stk_cron_runs VALUES {}", (0..number).map(row).collect::<Vec<_>>().join(", "))
}

async fn runs_whose_time_is_over_go(on: On) {
    // A job that does not run: nothing but the clock has them removed.
    let lab = on.lab("over", &[("rare", "schedule: \"0 0 29 2 *\"\nhandler: logics/tick")]).await;
    lab.folder.write("logics/old.sql", OLD).unwrap();
    lab.folder.write("logics/new.sql", NEW).unwrap();
    let bridge = lab.bridge("one", &[]).await;
    lab.apply().await;
    // More than go at once, and more than a run of a job took with it.
    on.execute(&lab, &insert("old", 730, "2020-01-02 00:00:00")).await;
    on.execute(&lab, &insert("new", 3, "2037-01-01 00:00:00")).await;
    let (began, mut before) = (Instant::now(), 730);
    while before > 0 {
        assert!(began.elapsed() < GONE, "{before} are there still\n{}", bridge.output());
        tokio::time::sleep(Duration::from_millis(500)).await;
        before = count(&bridge, "old").await;
    }
    assert_eq!(count(&bridge, "new").await, 3, "what is not over stays");
}
