//! Components that are told of the runs of jobs, in four languages: by their tick and by hand; how they fail; and what takes neither.

use std::time::{Duration, Instant};

use santokit_tests::{ProjectFolder, StkDev, stk};
use serde_json::{Value as Json, json};

use super::SOON;

const SCHEMA: &str = "version: 1\ntables:\n  noted:\n    id: {generate: client}\n    columns:\n      logic: {type: string}\n      \
    job: {type: string}\n      due: {type: string, nullable: true}\n      cause: {type: string}\n      said: {type: string}\n";
const NOTED: &str = "---\nauth: public\n---\nSELECT id, logic, job, due, cause, said FROM noted ORDER BY id\n";
/// Away from the workspace of the guests.
const CARGO: &str = "[package]\nname = \"guest-on-cron\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
    [lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\nsantokit-guest = { path = \"../../.stk/cache/sdk/rust\" }\n\
    serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n";
/// The same in plain JavaScript.
const JS: &str = r#"import { cronHandler, LogicError, sql } from "@santokit/guest";

export const onCron = cronHandler((run, ctx) => {
  const { logic, trigger } = ctx.invocation;
  const values = [run.id, logic, run.job, run.dueAt ?? null, run.cause, `${trigger} ${ctx.caller.kind}`];
  sql.open("main").execute("INSERT INTO noted (id, logic, job, due, cause, said) VALUES (?, ?, ?, ?, ?, ?)", values);
  if (run.job === "js-fails") throw new LogicError("NO_RATES", "there are no rates today");
});
"#;
const LANGUAGES: [&str; 4] = ["rust", "ts", "js", "py"];

async fn noted(dev: &StkDev, is_enough: impl Fn(&[Json]) -> bool) -> Vec<Json> {
    let began = Instant::now();
    loop {
        let answer = dev.client.logic("noted", json!({})).await.unwrap();
        let rows = answer.body["data"].as_array().unwrap().clone();
        if is_enough(&rows) {
            return rows;
        }
        assert!(began.elapsed() < SOON, "{rows:?}\n{}", dev.output());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn project() -> ProjectFolder {
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: ticking\n"),
        ("schema/main.yaml", SCHEMA),
        ("logics/noted.sql", NOTED),
    ])
    .unwrap();
    folder.add_copy("tests/guests/on-cron", "logics/rust").unwrap();
    folder.write("logics/rust/Cargo.toml", CARGO).unwrap();
    for language in ["ts", "py"] {
        folder.add_copy(&format!("tests/guests/on-cron-{language}"), &format!("logics/{language}")).unwrap();
    }
    let manifest = folder.read("logics/ts/logic.yaml").unwrap();
    folder.write("logics/js/logic.yaml", &manifest.replace("{build: ts}", "{build: js}")).unwrap();
    folder.write("logics/js/index.js", JS).unwrap();
    for language in LANGUAGES {
        let job = format!("name: {language}\nevery: 1s\nhandler: logics/{language}\n");
        folder.write(&format!("cron/{language}.yaml"), &job).unwrap();
    }
    let failing = [("fails", "rust"), ("panics", "rust"), ("ts-fails", "ts"), ("js-fails", "js"), ("py-fails", "py")];
    for (name, handler) in failing {
        let job = format!("name: {name}\nschedule: \"0 0 1 1 *\"\nhandler: logics/{handler}\n");
        folder.write(&format!("cron/{name}.yaml"), &job).unwrap();
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn components_are_told_of_runs() {
    let folder = project();
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let has = |rows: &[Json], job: &str| rows.iter().any(|row| row["job"] == job);
    let rows = noted(&dev, |rows| LANGUAGES.iter().all(|job| has(rows, job))).await;
    for row in &rows {
        assert_eq!((&row["cause"], &row["said"]), (&json!("schedule"), &json!("cron system")), "{row}");
        assert!(row["id"].as_str().unwrap().starts_with("run_") && row["logic"] == row["job"], "{row}");
        assert!(row["due"].as_str().unwrap().ends_with(".000000Z"), "{row}");
    }
    // By hand there is no tick; and what a handler says is in the job's history.
    for (job, outcome, words) in [
        ("fails", "error", "LOGIC_ERROR NO_RATES: there are no rates today"),
        ("panics", "error", "LOGIC_FAILED"),
        ("ts-fails", "error", "NO_RATES"),
        ("js-fails", "error", "NO_RATES"),
        ("py-fails", "error", "NO_RATES"),
    ] {
        let run = stk(folder.path(), &["cron", "trigger", job, "--json"], &[]).await.unwrap();
        assert_eq!(run.code, 0, "{run:?}");
        let began = Instant::now();
        loop {
            let status = stk(folder.path(), &["cron", "status", job, "--json"], &[]).await.unwrap();
            let run = status.json()["runs"][0].clone();
            if run["outcome"] == outcome {
                assert!(run["error"].as_str().unwrap().contains(words), "{job}: {run}");
                break;
            }
            assert!(began.elapsed() < SOON, "{status:?}\n{}", dev.output());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let rows = noted(&dev, |rows| has(rows, "ts-fails")).await;
    let row = rows.iter().find(|row| row["job"] == "ts-fails").unwrap();
    assert_eq!((&row["due"], &row["cause"]), (&Json::Null, &json!("manual")), "{row}");
    // It takes no calls, and is told nothing by callers.
    assert_eq!(dev.client.logic("ts", json!({})).await.unwrap().status, 401);
    for language in LANGUAGES {
        let inspected = stk(folder.path(), &["logic", "inspect", language, "--json"], &[]).await.unwrap();
        assert_eq!(inspected.json()["kinds"], json!(["cron"]), "{language}: {inspected:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_only_events_is_no_handler_of_a_job() {
    let folder = project();
    folder
        .write(
            "logics/ts/index.ts",
            "import { eventHandler } from \"@santokit/guest\";\n\nexport const onEvent = eventHandler(() => {});\n",
        )
        .unwrap();
    let built = stk(folder.path(), &["logic", "build", "ts"], &[]).await.unwrap();
    let said = format!("{}{}", built.stdout, built.stderr);
    assert!(built.code != 0 && said.contains("santokit:events/cron-handler") && said.contains("cron/"), "{built:?}");
}
