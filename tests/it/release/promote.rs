//! `stk release promote` and `rollback`, over a Hub and a Bridge as processes: what moves, what goes back, and what is refused
//! with which words.

use reqwest::Method;
use santokit_tests::Finished;
use serde_json::{Value as Json, json};
use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::lab::{IN_URL, Lab, SECRET, assert_serves};

/// A lab with a second env, `dev`, that has a database and the secret.
pub(super) async fn lab(project: &'static str) -> Lab {
    let lab = Lab::start(project).await;
    lab.done(&["env", "create", "dev"], "").await;
    let url = format!("sqlite:{}", lab.dir.path().join("dev.db").display());
    lab.done(&["connections", "set", "main", "--engine", "sqlite", "--url-stdin", "--env", "dev"], &url).await;
    lab.done(&["secrets", "set", "TOKEN", "--env", "dev"], SECRET).await;
    lab
}

/// Applies to `dev`; the release's id.
pub(super) async fn applied_to_dev(lab: &Lab) -> String {
    let applied = lab.done(&["apply", "--env", "dev", "--accept-grants", "--yes"], "").await;
    applied["releaseId"].as_str().unwrap().to_owned()
}

pub(super) async fn on_prod(lab: &Lab, sql: &'static str) {
    let file = lab.dir.path().join(IN_URL).join("main.db");
    let mut db = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await.unwrap();
    db.execute(sql).await.unwrap();
    db.close().await.unwrap();
}

pub(super) fn assert_refused(finished: &Finished, code: &str, hint: &str, detail: &str) -> Vec<String> {
    let error = &finished.json()["error"];
    assert_eq!((finished.code, error["code"].as_str()), (3, Some(code)), "{finished:?}");
    assert!(error["hint"].as_str().unwrap().contains(hint), "{hint:?} is not in {error}");
    let lines = error["details"][detail].as_array().unwrap_or_else(|| panic!("{detail} is not in {error}"));
    lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

pub(super) async fn actions(lab: &Lab) -> Vec<(String, Json)> {
    let log = lab.hub().operate(Method::GET, "/v1/audit?limit=1000", &Json::Null).await.unwrap();
    let entries = log["entries"].as_array().unwrap().iter();
    entries.map(|entry| (entry["action"].as_str().unwrap().to_owned(), entry["detail"].clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_release_reaches_the_bridges_of_its_env_and_goes_back() {
    let lab = lab("promoted").await;
    let bridge = lab.bridge("cache", &[]).await;
    let first = lab.apply().await["releaseId"].as_str().unwrap().to_owned();
    lab.set_version(2);
    let second = applied_to_dev(&lab).await;
    assert_serves(&bridge, &lab.api_key.0, 1).await;

    let looked = lab.done(&["release", "promote", &second, "--dry-run"], "").await;
    assert_eq!((&looked["dryRun"], &looked["moved"], &looked["needs"]), (&json!(true), &json!(true), &json!([])));
    assert_serves(&bridge, &lab.api_key.0, 1).await;

    let promoted = lab.done(&["release", "promote", &second], "").await;
    assert_eq!((&promoted["moved"], &promoted["sequence"]), (&json!(true), &json!(2)), "{promoted}");
    assert_eq!(promoted["bridges"][0]["state"], "running", "{promoted}");
    assert_serves(&bridge, &lab.api_key.0, 2).await;
    let again = lab.done(&["release", "promote", &second], "").await;
    assert_eq!((&again["moved"], &again["sequence"]), (&json!(false), &json!(2)), "{again}");

    // Back, under a pointer of now.
    let back = lab.done(&["release", "rollback"], "").await;
    assert_eq!((&back["releaseId"], &back["sequence"]), (&json!(first), &json!(3)), "{back}");
    assert_eq!(back["bridges"][0]["state"], "running", "{back}");
    assert_serves(&bridge, &lab.api_key.0, 1).await;
    // Once more does not go forth again: there was nothing before.
    let nothing = lab.stk(&["release", "rollback"], "").await;
    assert_eq!((nothing.code, &nothing.json()["error"]["code"]), (1, &json!("NOT_FOUND")), "{nothing:?}");
    let forth = lab.done(&["release", "rollback", "--to", &second], "").await;
    assert_eq!(forth["sequence"], 4, "{forth}");
    assert_serves(&bridge, &lab.api_key.0, 2).await;

    let actions = actions(&lab).await;
    let of = |name: &str| {
        actions.iter().filter(|(action, _)| action == name).map(|(_, detail)| detail.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("release.promote"), [json!({"releaseId": second, "from": first, "sequence": 2})]);
    let rollbacks = [
        json!({"releaseId": first, "from": second, "sequence": 3}),
        json!({"releaseId": second, "from": first, "sequence": 4}),
    ];
    assert_eq!(of("release.rollback"), rollbacks);
    let chain = lab.hub().operate(Method::GET, "/v1/audit/verify", &Json::Null).await.unwrap();
    assert_eq!(chain["verified"], true, "{chain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_does_not_come_to_an_env_that_cannot_take_it() {
    let lab = lab("refusals").await;
    let release = applied_to_dev(&lab).await;
    let stk = async |more: &[&str]| {
        let args: Vec<&str> =
            ["release", "promote", &release, "--wait", "0"].into_iter().chain(more.iter().copied()).collect();
        lab.stk(&args, "").await
    };
    // Nothing runs there: every power is new, and no table is there.
    let added = assert_refused(
        &stk(&[]).await,
        "GRANTS_WIDENED",
        &format!("stk release promote {release} --env prod --accept-grants"),
        "added",
    );
    assert!(added.contains(&"every: secret TOKEN".to_owned()), "{added:?}");
    let unapplied = stk(&["--accept-grants"]).await;
    let needs = assert_refused(
        &unapplied,
        "RELEASE_BLOCKED",
        &format!("stk release promote {release} --env prod --apply-schema"),
        "needs",
    );
    assert!(needs.contains(&"main: create table numbers".to_owned()), "{needs:?}");
    let looked = stk(&["--apply-schema", "--dry-run"]).await.json();
    assert!(looked["schemaSteps"].as_array().unwrap().contains(&json!("main: create table numbers")), "{looked}");
    assert_eq!(lab.stk(&["release", "current"], "").await.code, 1, "nothing was changed");
    let done = stk(&["--accept-grants", "--apply-schema"]).await;
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(lab.done(&["release", "current"], "").await["releaseId"], json!(release));
    let names: Vec<String> = actions(&lab).await.into_iter().map(|(action, _)| action).collect();
    let widened = names.iter().filter(|name| *name == "grants.widen").count();
    assert_eq!(widened, 2, "one for each env: {names:?}");
    assert!(names.ends_with(&["schema.apply", "release.promote", "grants.widen"].map(str::to_owned)), "{names:?}");

    drifted(&lab).await;
    too_old(&lab).await;
    // Of another project.
    lab.done(&["project", "create", "other"], "").await;
    lab.done(&["env", "create", "prod", "--project", "other"], "").await;
    let foreign = lab.stk(&["release", "promote", &release, "--project", "other"], "").await;
    assert_eq!((foreign.code, &foreign.json()["error"]["code"]), (1, &json!("NOT_FOUND")), "{foreign:?}");
}

/// Somebody changes the database of `prod` beside the Hub.
async fn drifted(lab: &Lab) {
    lab.set_version(2);
    let next = applied_to_dev(lab).await;
    on_prod(lab, "ALTER TABLE numbers DROP COLUMN number").await;
    let refused = lab.stk(&["release", "promote", &next], "").await;
    let differences = assert_refused(&refused, "SCHEMA_DRIFT", "stk schema diff --env prod", "differences");
    assert_eq!(differences, ["main: add column numbers.number"]);
    let with_schema = lab.stk(&["release", "promote", &next, "--apply-schema"], "").await;
    assert_refused(&with_schema, "SCHEMA_DRIFT", "--force", "differences");
    let forced = lab.done(&["release", "promote", &next, "--apply-schema", "--force", "--wait", "0"], "").await;
    assert_eq!(forced["schemaSteps"], json!(["main: add column numbers.number"]), "{forced}");
    on_prod(lab, "INSERT INTO numbers (id, number) VALUES ('a', 1)").await;
    // What is merely left over stands in nobody's way; what writes would meet does.
    on_prod(lab, "ALTER TABLE numbers ADD COLUMN more TEXT").await;
    lab.done(&["release", "rollback", "--wait", "0"], "").await;
    on_prod(lab, "ALTER TABLE numbers ADD COLUMN most TEXT NOT NULL DEFAULT 'x'").await;
    lab.done(&["release", "promote", &next, "--wait", "0"], "").await;
    on_prod(lab, "CREATE UNIQUE INDEX one ON numbers (number)").await;
    let refused = lab.stk(&["release", "rollback"], "").await;
    let differences = assert_refused(&refused, "SCHEMA_DRIFT", "stk release rollback --to rel_", "differences");
    assert_eq!(differences, ["main: drop the unique index of numbers on number"]);
    lab.done(&["release", "rollback", "--force", "--wait", "0"], "").await;
    on_prod(lab, "DROP INDEX one").await;
}

/// A Bridge of before says what it is.
async fn too_old(lab: &Lab) {
    let id = "brg_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let report = json!({"version": "0.0.9", "envs": [{"project": "refusals", "env": "prod", "state": "fresh", "releaseId": null,
        "sequence": 1, "cacheAgeSeconds": 0, "refused": null}]});
    let path = format!("{}/internal/bridges/{id}/report", lab.hub().url);
    let answer = reqwest::Client::new().post(&path).bearer_auth(&lab.service_token).json(&report).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    lab.set_version(3);
    let next = applied_to_dev(lab).await;
    let refused = lab.stk(&["release", "promote", &next], "").await;
    let bridges = assert_refused(
        &refused,
        "INCOMPATIBLE_BRIDGE",
        &format!("stk release promote {next} --env prod --force"),
        "bridges",
    );
    assert_eq!(bridges, [format!("{id} 0.0.9")]);
    // Whoever asks for the check gets it, whatever else is forced.
    let checked = lab.stk(&["release", "promote", &next, "--force", "--check-bridge-versions"], "").await;
    assert_refused(
        &checked,
        "INCOMPATIBLE_BRIDGE",
        &format!("stk release promote {next} --env prod --force`"),
        "bridges",
    );
    let checked = lab.stk(&["apply", "--check-bridge-versions"], "").await;
    assert_refused(&checked, "INCOMPATIBLE_BRIDGE", "`stk apply --env prod`", "bridges");
    let looked = lab.done(&["apply", "--check-bridge-versions", "--dry-run"], "").await;
    assert_eq!(looked["incompatibleBridges"], json!([format!("{id} 0.0.9")]), "{looked}");
    lab.done(&["release", "promote", &next, "--force", "--wait", "0"], "").await;
}
