//! Jobs: one run of a tick whatever the number of Bridges, on every engine; what becomes of runs whose Bridge is killed, that take too long or
//! fail too often; and what operators do with jobs.

use std::time::{Duration, Instant};

use reqwest::Method;
use santokit_tests::{Bridge, Engine, TestDatabase};
use serde_json::{Value as Json, json};

use crate::lab::Lab;

mod handlers;
mod releases;

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
    let lab = Lab::start(project).await;
    for (path, text) in [
        ("schema/ticks.yaml", SCHEMA),
        ("logics/tick.sql", TICK),
        ("logics/fail.sql", FAIL),
        ("logics/slow.sql", SLOW),
        ("logics/spin.sql", SPIN),
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
    let rows = rows(bridge, "ticks").await;
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

#[tokio::test(flavor = "multi_thread")]
async fn one_run_of_a_tick_on_sqlite() {
    one_run_of_a_tick(lab("ticking", &[("tick", "every: 1s\nhandler: logics/tick")]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_of_a_tick_on_postgres() {
    on(Engine::Postgres, "ticking-pg").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_of_a_tick_on_mysql() {
    on(Engine::Mysql, "ticking-my").await;
}

async fn on(engine: Engine, project: &'static str) {
    let database = TestDatabase::create(engine).await.unwrap();
    let lab = lab(project, &[("tick", "every: 1s\nhandler: logics/tick")]).await;
    lab.done(&["connections", "set", "main", "--engine", engine.as_str(), "--url-stdin"], &database.url()).await;
    one_run_of_a_tick(lab).await;
}

/// Three Bridges, and as many runs as there are ticks.
async fn one_run_of_a_tick(lab: Lab) {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_bridge_is_killed_is_lost_and_others_go_on() {
    let lab = lab("killed", &[("slow", "every: 1s\nhandler: logics/slow\ntimeout: 1m")]).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn runs_do_not_overlap_and_end_in_time() {
    let jobs = [
        ("slow", "every: 1s\nhandler: logics/slow\ntimeout: 1m"),
        ("spin", "every: 1s\nhandler: logics/spin\ntimeout: 1s"),
        ("off", "every: 1s\nhandler: logics/tick\nenabled: false"),
    ];
    let lab = lab("slowly", &jobs).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_runs_once_where_it_is_wanted() {
    let jobs = [
        ("late", "schedule: \"* * * * *\"\nhandler: logics/tick\ncatchUp: true"),
        ("never", "schedule: \"* * * * *\"\nhandler: logics/fail"),
    ];
    let database = TestDatabase::create(Engine::Postgres).await.unwrap();
    let lab = lab("missing", &jobs).await;
    lab.done(&["connections", "set", "main", "--engine", "postgres", "--url-stdin"], &database.url()).await;
    let bridge = lab.bridge("one", &[]).await;
    lab.apply().await;
    let began = Instant::now();
    while rows(&bridge, "jobs").await.len() < 2 {
        assert!(began.elapsed() < SOON, "{}", bridge.output());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bridge.kill().await.unwrap();
    // As if no Bridge had been there for two days.
    database.execute("UPDATE stk_cron_jobs SET last_tick = last_tick - interval '2 days'; UPDATE stk_cron_jobs SET times = '0 3 1 1 *' WHERE false").await.unwrap();
    // A minute has ticks that are not late; an hour of a rarer schedule has one.
    database
        .execute("UPDATE stk_cron_jobs SET times = '0 0 1 * *', last_tick = last_tick - interval '70 days'")
        .await
        .unwrap();
    lab.folder.edit("cron/late.yaml", "* * * * *", "0 0 1 * *").unwrap();
    lab.folder.edit("cron/never.yaml", "* * * * *", "0 0 1 * *").unwrap();
    lab.done(&["apply", "--accept-grants", "--yes", "--wait", "0"], "").await;
    let bridge = lab.bridge("two", &[]).await;
    bridge.until_state("fresh").await.unwrap();
    let runs = until(&bridge, "late", "it has caught up", |runs| !of(runs, "ok").is_empty()).await;
    let caught = of(&runs, "ok").iter().filter(|run| run["cause"] == "catchUp").count();
    assert_eq!(caught, 1, "once, whatever was missed: {runs:#?}");
    let runs = until(&bridge, "never", "it is told", |runs| !of(runs, "missed").is_empty()).await;
    assert!(of(&runs, "error").is_empty() && of(&runs, "ok").is_empty(), "{runs:#?}");
}

/// A Bridge that says where it takes operators, and runs the release.
async fn with_operators(lab: &Lab) -> Bridge {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (listen, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let settings = [("STK_BRIDGE_ID", ID), ("STK_BRIDGE_ADMIN_LISTEN", &listen), ("STK_BRIDGE_ADMIN_URL", &url)];
    let bridge = lab.bridge("one", &settings).await;
    lab.apply().await;
    for _ in 0..600 {
        if lab.done(&["bridge", "status"], "").await.to_string().contains(&url) {
            return bridge;
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
    let runs = until(&bridge, "fail", "ten failures", |runs| of(runs, "error").len() >= 10).await;
    assert!(of(&runs, "error")[0]["error"].is_string(), "{runs:#?}");
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let after = until(&bridge, "fail", "nothing", |_| true).await;
    assert_eq!(of(&after, "error").len(), 10, "it does not run any more: {after:#?}");
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
