//! A Bridge that is behind, with another schedule of a job or with the job disabled, takes no tick from those that have the current release.

use chrono::{DateTime, TimeDelta};
use santokit_tests::{Engine, FaultProxy};

use super::{of, on::On, until};

cases! {
    a_bridge_that_is_behind_takes_no_tick:
    behind_on_sqlite = None;
    behind_on_postgres = Some(Engine::Postgres);
    behind_on_mysql = Some(Engine::Mysql);
}

async fn a_bridge_that_is_behind_takes_no_tick(on: On) {
    let before = [
        ("other", "schedule: \"0 0 29 2 *\"\nhandler: logics/tick"),
        ("off", "every: 5s\nenabled: false\nhandler: logics/tick"),
    ];
    let lab = on.lab("behind", &before).await;
    let mut way = FaultProxy::start(lab.relay.url.trim_start_matches("http://").to_owned()).await.unwrap();
    let url = format!("http://{}", way.address());
    // It looks each second, and whatever it finds is of a release that it does not have.
    let often = ("STK_BRIDGE_CRON_LEASE", "1s");
    let behind = lab.bridge("behind", &[("STK_BRIDGE_HUB_URL", &url), often]).await;
    let current = lab.bridge("current", &[]).await;
    lab.apply().await;
    behind.until_state("fresh").await.unwrap();
    // It is cut off, also where it waits already.
    way.refuse().await;
    lab.folder.edit("cron/other.yaml", "schedule: \"0 0 29 2 *\"", "every: 5s").unwrap();
    lab.folder.edit("cron/off.yaml", "enabled: false\n", "").unwrap();
    let applied = lab.done(&["apply", "--accept-grants", "--yes", "--wait", "0"], "").await;
    for job in ["other", "off"] {
        let runs = until(&current, job, "six runs", |runs| of(runs, "ok").len() >= 6).await;
        let ticks: Vec<DateTime<_>> =
            runs.iter().map(|run| DateTime::parse_from_rfc3339(run["tick"].as_str().unwrap()).unwrap()).collect();
        // Who looks each second and takes what it finds would have most of them. A machine that stalls may be late for one or two.
        let took = ticks[ticks.len() - 1] - ticks[0];
        let (every, more) = (TimeDelta::seconds(5), i32::try_from(ticks.len()).unwrap() + 1);
        assert!(ticks.is_sorted() && took <= every * more, "{job}: ticks are not there: {runs:#?}");
        assert!(runs.iter().all(|run| run["cause"] == "schedule"), "{job}: {runs:#?}");
    }
    let still = behind.readiness().await.unwrap();
    assert!(
        still["releaseId"].is_string() && still["releaseId"] != applied["releaseId"],
        "it was behind all the time: {still}"
    );
}
