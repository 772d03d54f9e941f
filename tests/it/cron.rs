//! Jobs: one run of a tick whatever the number of Bridges, on every engine; what becomes of runs whose Bridge is killed, that take too long or
//! fail too often; and what operators do with jobs.

use std::time::{Duration, Instant};

use reqwest::Method;
use santokit_tests::{Bridge, Engine};
use serde_json::{Value as Json, json};

use self::on::On;
use crate::lab::Lab;

/// Tests of one function, each on an engine; none is SQLite.
macro_rules! cases {
    ($run:ident: $($name:ident = $engine:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            $run($crate::cron::on::On::new($engine).await).await;
        }
    )*};
}

mod asked;
mod at_once;
mod clocks;
mod handlers;
mod kept;
mod on;
mod outcomes;
mod releases;
mod stale;

const ID: &str = "brg_01ARZ3NDEKTSV4RRFFQ69G5FE1";
const SOON: Duration = Duration::from_mins(1);

const SCHEMA: &str = "version: 1\ntables:\n  ticks:\n    id: {generate: auto_increment}\n    columns:\n      n: {type: int, nullable: false}\n";
const TICK: &str = "---\n---\nINSERT INTO ticks (n) VALUES (1)\n";
const FAIL: &str = "---\n---\nINSERT INTO ticks (n) VALUES (NULL)\n";
const TICKS: &str = "---\nauth: public\n---\nSELECT count(*) AS c FROM ticks\n";
/// The platform's own rows, as a logic of the release reads them.
const RUNS: &str = "---\nauth: public\n---\n\
    SELECT id, job, tick, cause, bridge, started_at, ended_at, outcome, error FROM stk_cron_runs ORDER BY id\n";
const JOBS: &str =
    "---\nauth: public\n---\nSELECT job, failures, skipped, opened_at, run FROM stk_cron_jobs ORDER BY job\n";
/// Seconds of work, on the engine that is at hand everywhere.
const SLOW: &str = "---\n---\nWITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 12000000) SELECT count(*) AS n FROM c\n";
const SPIN: &str =
    "---\n---\nWITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) AS n FROM c\n";

async fn lab(project: &'static str, jobs: &[(&str, &str)]) -> Lab {
    lab_with(project, (SLOW, SPIN), jobs).await
}

async fn lab_with(project: &'static str, (slow, spin): (&str, &str), jobs: &[(&str, &str)]) -> Lab {
    let lab = Lab::start(project).await;
    for (path, text) in [
        ("schema/ticks.yaml", SCHEMA),
        ("logics/tick.sql", TICK),
        ("logics/fail.sql", FAIL),
        ("logics/slow.sql", slow),
        ("logics/spin.sql", spin),
        ("logics/ticks.sql", TICKS),
        ("logics/runs.sql", RUNS),
        ("logics/jobs.sql", JOBS),
    ] {
        lab.folder.write(path, text).unwrap();
    }
    for (name, text) in jobs {
        lab.folder.write(&format!("cron/{name}.yaml"), &format!("name: {name}\n{text}\n")).unwrap();
    }
    lab
}

async fn rows(bridge: &Bridge, logic: &str) -> Vec<Json> {
    let answer = bridge.client.logic(logic, json!({})).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}\n{}", bridge.output());
    answer.body["data"].as_array().unwrap().clone()
}

async fn ticks(bridge: &Bridge) -> i64 {
    count(bridge, "ticks").await
}

/// What a logic counts.
async fn count(bridge: &Bridge, logic: &str) -> i64 {
    let rows = rows(bridge, logic).await;
    let count = &rows[0]["c"];
    count.as_i64().or_else(|| count.as_str()?.parse().ok()).unwrap()
}

/// The runs of a job, as often as it takes until they are as is wanted.
async fn until(bridge: &Bridge, job: &str, what: &str, is_so: impl Fn(&[Json]) -> bool) -> Vec<Json> {
    let began = Instant::now();
    loop {
        let found: Vec<Json> = rows(bridge, "runs").await.into_iter().filter(|run| run["job"] == job).collect();
        if is_so(&found) {
            return found;
        }
        assert!(began.elapsed() < SOON, "{what}: {found:#?}\n{}", bridge.output());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn of<'r>(runs: &'r [Json], outcome: &str) -> Vec<&'r Json> {
    runs.iter().filter(|run| run["outcome"] == outcome).collect()
}

cases! {
    one_run_of_a_tick:
    one_run_of_a_tick_on_sqlite = None;
    one_run_of_a_tick_on_postgres = Some(Engine::Postgres);
    one_run_of_a_tick_on_mysql = Some(Engine::Mysql);
}

/// Three Bridges, and as many runs as there are ticks.
async fn one_run_of_a_tick(on: On) {
    let lab = on.lab("ticking", &[("tick", "every: 1s\nhandler: logics/tick")]).await;
    let bridges = [lab.bridge("one", &[]).await, lab.bridge("two", &[]).await, lab.bridge("three", &[]).await];
    lab.apply().await;
    let enough = |runs: &[Json]| of(runs, "ok").len() >= 8;
    until(&bridges[0], "tick", "eight runs", enough).await;
    // Another release goes on with the same ticks.
    lab.set_version(2);
    lab.apply().await;
    let more = |runs: &[Json]| of(runs, "ok").len() >= 14;
    let runs = until(&bridges[0], "tick", "more runs", more).await;
    let mut seen: Vec<&str> = runs.iter().map(|run| run["tick"].as_str().unwrap()).collect();
    let all = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), all, "a tick has one row: {runs:#?}");
    for run in of(&runs, "ok") {
        let times = ["tick", "started_at", "ended_at"].map(|key| run[key].as_str().unwrap());
        assert!(times.is_sorted() && run["cause"] == "schedule" && run["error"].is_null(), "{run}");
    }
    let states = rows(&bridges[0], "jobs").await;
    assert_eq!(states.len(), 1, "{states:?}");
    // What is counted is what was done: no tick was run twice, nor by two.
    let (before, runs, after) = (ticks(&bridges[1]).await, rows(&bridges[1], "runs").await, ticks(&bridges[1]).await);
    let done = i64::try_from(of(&runs, "ok").len() + of(&runs, "running").len()).unwrap();
    assert!((before..=after + 1).contains(&done), "{before} {done} {after}: {runs:#?}");
    // Each Bridge counts its own, and together they have all.
    let mut counted = 0.0;
    for bridge in &bridges {
        let text = bridge.metrics().await.unwrap();
        let own = text.lines().find(|line| line.starts_with("stk_bridge_cron_runs_total{job=\"tick\",outcome=\"ok\"}"));
        counted += own.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or_default();
    }
    assert!(counted >= 14.0, "{counted}");
}

/// A Bridge that says where it takes operators, and runs the release.
async fn with_operators(lab: &Lab) -> Bridge {
    let (bridge, url) = start_for_operators(lab).await;
    lab.apply().await;
    until_operated(lab, &url).await;
    bridge
}

/// A Bridge, and where it takes operators.
async fn start_for_operators(lab: &Lab) -> (Bridge, String) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (listen, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let settings = [("STK_BRIDGE_ID", ID), ("STK_BRIDGE_ADMIN_LISTEN", &listen), ("STK_BRIDGE_ADMIN_URL", &url)];
    (lab.bridge("one", &settings).await, url)
}

/// The Hub knows that.
async fn until_operated(lab: &Lab, url: &str) {
    for _ in 0..600 {
        if lab.done(&["bridge", "status"], "").await.to_string().contains(url) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the Bridge has not said where it takes operators");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_failures_stop_a_job_until_somebody_lets_it_run_again() {
    let jobs =
        [("fail", "every: 1s\nhandler: logics/fail"), ("rare", "schedule: \"0 0 29 2 *\"\nhandler: logics/tick")];
    let lab = lab("failing", &jobs).await;
    let bridge = with_operators(&lab).await;
    outcomes::fails_and_stops(&bridge).await;
    until_stopped(&lab, true).await;
    let listed = lab.done(&["cron", "list"], "").await;
    let job = |listed: &Json, name: &str| {
        listed["jobs"].as_array().unwrap().iter().find(|job| job["job"] == name).unwrap().clone()
    };
    let failing = job(&listed, "fail");
    assert_eq!((&failing["state"], &failing["failures"]), (&json!("open"), &json!(10)), "{failing}");
    assert!(failing["next"].is_null() && failing["openedAt"].is_string(), "{failing}");
    let rare = job(&listed, "rare");
    assert!(rare["next"].as_str().unwrap().contains("-02-29T00:00:00"), "{rare}");

    // By hand, beside its schedule and the breaker.
    let before = ticks(&bridge).await;
    let begun = lab.done(&["cron", "trigger", "rare"], "").await;
    let run = begun["run"].as_str().unwrap().to_owned();
    until(&bridge, "rare", "it has run", |runs| runs.iter().any(|one| one["id"] == run && one["outcome"] == "ok"))
        .await;
    assert_eq!(ticks(&bridge).await, before + 1);
    let status = lab.done(&["cron", "status", "rare"], "").await;
    let shown = &status["runs"][0];
    assert_eq!(
        (&shown["id"], &shown["cause"], &shown["outcome"]),
        (&json!(run), &json!("manual"), &json!("ok")),
        "{status}"
    );
    assert!(shown["by"].is_string() && shown["tick"].is_null(), "{status}");

    let resumed = lab.done(&["cron", "resume", "fail"], "").await;
    assert_eq!(resumed["wasOpen"], true, "{resumed}");
    until(&bridge, "fail", "it runs again", |runs| of(runs, "error").len() > 10).await;
    assert_eq!(lab.done(&["cron", "resume", "rare"], "").await["wasOpen"], false);
    told_of_the_breaker(&lab).await;
    until_stopped(&lab, false).await;

    // Who asks for what is not there, or with what opens something else.
    let unknown = lab.stk(&["cron", "trigger", "rar"], "").await;
    assert!(unknown.code == 1 && format!("{unknown:?}").contains("no such job"), "{unknown:?}");
    refused(&lab, &bridge).await;
    let log = lab.hub().operate(Method::GET, "/v1/audit?limit=1000", &Json::Null).await.unwrap();
    let deeds: Vec<String> = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["action"] == "bridge.token")
        .map(|entry| format!("{} {}", entry["detail"]["deed"].as_str().unwrap(), entry["detail"]["job"]))
        .collect();
    for deed in ["cron-trigger \"rare\"", "cron-resume \"fail\"", "cron null"] {
        assert!(deeds.iter().any(|found| found == deed), "{deed}: {deeds:?}");
    }
}

/// The Hub knows which jobs wait for somebody.
async fn until_stopped(lab: &Lab, is_stopped: bool) {
    let began = Instant::now();
    loop {
        let status = lab.done(&["bridge", "status"], "").await;
        let findings = status["bridges"][0]["findings"].as_array().unwrap();
        let finding = findings.iter().find(|one| one["what"] == "failed too often and not run any more: fail");
        if finding.is_some() == is_stopped {
            assert!(
                finding.is_none_or(|one| one["todo"].to_string().contains("stk cron resume fail --env prod")),
                "{status}"
            );
            return;
        }
        assert!(began.elapsed() < SOON, "{status}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// When it opened and who closed it is there to be read, however many runs have been since.
async fn told_of_the_breaker(lab: &Lab) {
    let status = lab.done(&["cron", "status", "fail"], "").await;
    let breaker = status["breaker"].as_array().unwrap();
    let [resumed, opened] = breaker.as_slice() else { panic!("{status}") };
    assert_eq!((&opened["outcome"], &opened["cause"]), (&json!("opened"), &json!("breaker")), "{status}");
    assert!(opened["by"].is_null() && opened["bridge"] == ID && opened["startedAt"].is_string(), "{status}");
    assert_eq!((&resumed["outcome"], &resumed["cause"]), (&json!("resumed"), &json!("manual")), "{status}");
    assert!(resumed["by"].is_string() && resumed["startedAt"].as_str() > opened["startedAt"].as_str(), "{status}");
    let none = lab.done(&["cron", "status", "rare"], "").await;
    assert_eq!(none["breaker"], json!([]), "who was not stopped is not let run again: {none}");
}

/// A token is for one deed at one job.
async fn refused(lab: &Lab, bridge: &Bridge) {
    let path = format!("/v1/projects/{}/envs/prod/bridges/{ID}/tokens", lab.project);
    let token = async |body: Json| {
        let made = lab.hub().operate(Method::POST, &path, &body).await.unwrap();
        made["token"].as_str().unwrap().to_owned()
    };
    let ask = async |method: Method, below: &str, token: &str| {
        let url = format!("{}/admin/envs/{}/prod/cron{below}", bridge.admin_url(), lab.project);
        let request = reqwest::Client::new().request(method, url).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    let of_rare = json!({"deed": "cron-trigger", "job": "rare"});
    assert_eq!(ask(Method::POST, "/fail/trigger", &token(of_rare.clone()).await).await, 401, "another job");
    assert_eq!(ask(Method::POST, "/rare/resume", &token(of_rare).await).await, 401, "another deed");
    let all = json!({"deed": "cron"});
    assert_eq!(ask(Method::POST, "/rare/trigger", &token(all.clone()).await).await, 401, "reading begins nothing");
    let once = token(all).await;
    assert_eq!((ask(Method::GET, "", &once).await, ask(Method::GET, "", &once).await), (200, 401));
    for wrong in [
        json!({"deed": "cron-trigger"}),
        json!({"deed": "sync", "job": "rare"}),
        json!({"deed": "cron", "job": "../rare"}),
        json!({"deed": "cron-start", "job": "rare"}),
    ] {
        assert!(lab.hub().operate(Method::POST, &path, &wrong).await.is_err(), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_job_is_told_where_it_stands() {
    let jobs = [
        ("a", "schedule: \"0 25 * * *\"\nhandler: logics/tick"),
        ("b", "every: 7m\nhandler: logics/tick"),
        ("c", "every: 5m\nschedule: \"* * * * *\"\nhandler: logics/tick"),
        ("d", "handler: logics/tick"),
        ("e", "every: 5m\nhandler: logics/tok"),
        ("f", "every: 5m\nhandler: tick"),
        ("g", "every: 5m\nhandler: logics/needs"),
        ("h", "schedule: \"0 0 31 2 *\"\nhandler: logics/tick"),
    ];
    let lab = lab("wrong", &jobs).await;
    lab.folder
        .write("logics/needs.sql", "---\nparams: {n: {type: int, required: true}}\n---\nSELECT :n AS n\n")
        .unwrap();
    let found = santokit_tests::stk(lab.folder.path(), &["check"], &[]).await.unwrap();
    for expected in [
        "cron/a.yaml:2:14: error[invalid-schedule]: \"25\" is no hour",
        "cron/b.yaml:2:8: error[invalid-schedule]: 7m does not divide a day evenly",
        "cron/c.yaml:2:1: error[conflict]",
        "cron/d.yaml:1:1: error[missing-key]",
        "cron/e.yaml:3:10: error[unknown-logic]: there is no logic \"tok\"",
        "cron/f.yaml:3:10: error[invalid-value]",
        "cron/g.yaml:3:10: error[invalid-job]: the logic \"needs\" needs the param \"n\"",
        "cron/h.yaml:2:16: error[invalid-schedule]: there is no such day",
    ] {
        assert!(found.stdout.contains(expected), "{expected}\n{}", found.stdout);
    }
}
