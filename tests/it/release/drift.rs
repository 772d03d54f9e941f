//! `stk apply` to databases that are not what the release that runs declares: somebody else's doing is refused until somebody says
//! that it is known; what an apply of ours left half done is gone on from.

use std::fs;

use reqwest::Method;
use santokit_tests::{Engine, TestDatabase};
use serde_json::{Value as Json, json};

use super::promote::{assert_refused, lab, on_prod};
use crate::lab::Lab;

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_changed_is_not_built_upon_unseen() {
    let lab = lab("drifted").await;
    let first = lab.apply().await;
    on_prod(&lab, "ALTER TABLE numbers DROP COLUMN number").await;
    lab.set_version(2);

    let looked = lab.done(&["apply", "--dry-run"], "").await;
    assert_eq!(
        (&looked["drift"], &looked["needsAcceptDrift"]),
        (&json!(["main: add column numbers.number"]), &json!(true))
    );
    for args in [&["apply", "--yes"][..], &["apply", "--yes", "--force"]] {
        let refused = lab.stk(args, "").await;
        let differences =
            assert_refused(&refused, "SCHEMA_DRIFT", "stk apply --env prod --accept-drift", "differences");
        assert_eq!(differences, ["main: add column numbers.number"]);
    }
    assert_eq!(current(&lab, "prod").await["releaseId"], first["releaseId"]);

    let looked = lab.done(&["apply", "--dry-run", "--accept-drift"], "").await;
    assert_eq!(looked["needsAcceptDrift"], false);
    let applied = lab.done(&["apply", "--yes", "--accept-drift", "--wait", "0"], "").await;
    assert_eq!(
        (&applied["schemaSteps"], &applied["moved"]),
        (&json!(["main: add column numbers.number"]), &json!(true))
    );
    // It is what the release declares again.
    let looked = lab.done(&["apply", "--dry-run"], "").await;
    assert_eq!((&looked["drift"], &looked["schemaSteps"]), (&json!([]), &json!([])));
    // What is merely left over is none: it is a step that wants its own consent.
    on_prod(&lab, "ALTER TABLE numbers ADD COLUMN more TEXT").await;
    let refused = lab.stk(&["apply", "--yes"], "").await;
    assert_eq!(refused.json()["error"]["code"], "DESTRUCTIVE_CHANGE", "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_apply_left_half_done_is_gone_on_from() {
    let lab = Lab::start("halves").await;
    fs::remove_dir_all(lab.folder.path().join("logics/every")).unwrap();
    lab.done(&["env", "create", "far"], "").await;
    let database = TestDatabase::create(Engine::Postgres).await.unwrap();
    lab.done(&["connections", "set", "main", "--engine", "postgres", "--url-stdin", "--env", "far"], &database.url())
        .await;
    let first = lab.done(&["apply", "--env", "far", "--yes", "--wait", "0"], "").await;
    database.execute("INSERT INTO numbers (id, number) VALUES ('a', 1), ('b', 1)").await.unwrap();

    // The column gets its name and keeps it; the index comes after that, beside whoever writes, and finds rows that are the same.
    let schema = "version: 1\ntables:\n  numbers:\n    id: {name: id, generate: client}\n    columns:\n      \
        value: {type: int, unique: true, renamedFrom: number}\n";
    lab.folder.write("schema/numbers.yaml", schema).unwrap();
    let apply = ["apply", "--env", "far", "--yes", "--wait", "0", "--migration-window"];
    let failed = lab.stk(&apply, "").await;
    let error = &failed.json()["error"];
    assert_eq!(error["code"], "CONFLICT", "{failed:?}");
    assert_eq!(error["details"]["done"].as_array().map(Vec::len), Some(1), "{failed:?}");
    assert_eq!(current(&lab, "far").await["releaseId"], first["releaseId"]);

    database.execute("UPDATE numbers SET number = 2 WHERE id = 'b'").await.unwrap_err();
    database.execute("UPDATE numbers SET value = 2 WHERE id = 'b'").await.unwrap();
    let applied = lab.done(&apply, "").await;
    // What the server could not make to its end is made again; the name is there.
    let steps = ["main: drop index stk_uq_numbers$value", "main: create index stk_uq_numbers$value"];
    assert_eq!(applied["schemaSteps"], json!(steps), "{applied}");

    // From now on it would be somebody else's.
    database.execute("ALTER TABLE numbers RENAME COLUMN value TO number").await.unwrap();
    assert_refused(&lab.stk(&apply, "").await, "SCHEMA_DRIFT", "--accept-drift", "differences");
    // An apply of which nothing came to be leaves no excuse.
    database.execute("ALTER TABLE numbers RENAME COLUMN number TO value").await.unwrap();
    database.execute("INSERT INTO numbers (id, value) VALUES ('c', NULL)").await.unwrap();
    lab.folder.write("schema/numbers.yaml", &schema.replace("unique: true", "unique: true, nullable: false")).unwrap();
    let failed = lab.stk(&[&apply[..], &["--force"]].concat(), "").await;
    assert_eq!(failed.json()["error"]["details"]["done"], json!([]), "{failed:?}");
    database.execute("ALTER TABLE numbers DROP COLUMN value").await.unwrap();
    assert_refused(&lab.stk(&apply, "").await, "SCHEMA_DRIFT", "--accept-drift", "differences");
}

async fn current(lab: &Lab, env: &str) -> Json {
    let path = format!("/v1/projects/{}/envs/{env}/current", lab.project);
    lab.hub().operate(Method::GET, &path, &Json::Null).await.unwrap()
}
