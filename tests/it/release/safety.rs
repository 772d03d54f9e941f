//! Which releases an env could go back to, and the plans that take it away.

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::lab::Lab;

const TABLE: &str = "schema/numbers.yaml";

fn schema(columns: &str) -> String {
    format!("version: 1\ntables:\n  numbers:\n    id: {{name: id, generate: client}}\n    columns:\n{columns}")
}

async fn apply(lab: &Lab, more: &[&str]) -> (String, Json) {
    let args: Vec<&str> =
        ["apply", "--accept-grants", "--yes", "--wait", "0"].into_iter().chain(more.iter().copied()).collect();
    let answer = lab.done(&args, "").await;
    (answer["releaseId"].as_str().unwrap().to_owned(), answer)
}

async fn rollback_of(lab: &Lab, id: &str) -> Json {
    let list = lab.done(&["release", "list"], "").await;
    let row = list["releases"].as_array().unwrap().iter().find(|row| row["id"] == id).unwrap();
    row["rollback"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_what_an_env_could_go_back_to() {
    let lab = Lab::start("safety").await;
    let (first, _) = apply(&lab, &[]).await;
    assert_eq!(rollback_of(&lab, &first).await, json!({"current": true}));
    // More is no harm to what was before.
    lab.folder.write(TABLE, &schema("      number: {type: int}\n      more: {type: string}\n")).unwrap();
    let (second, answer) = apply(&lab, &[]).await;
    assert!(answer["changes"]["rollback"].is_null(), "{answer}");
    assert_eq!(rollback_of(&lab, &first).await, json!({"safe": true, "needs": []}));

    // Less is, and who looks is told before.
    lab.folder.write(TABLE, &schema("      number: {type: int}\n")).unwrap();
    lab.set_version(2);
    let looked = lab.done(&["apply", "--dry-run"], "").await;
    let told = &looked["changes"]["rollback"];
    assert!(told.is_null(), "what runs is not what one goes back to: {told}");
    lab.folder.write("logics/version.sql", "---\nauth: public\n---\nSELECT 3 AS number\n").unwrap();
    lab.folder
        .write(TABLE, &schema("      number: {type: int}\n      more: {type: string}\n      most: {type: int}\n"))
        .unwrap();
    let (third, _) = apply(&lab, &[]).await;
    lab.folder.write(TABLE, &schema("      number: {type: int}\n      most: {type: int}\n")).unwrap();
    let looked = lab.done(&["apply", "--dry-run"], "").await;
    let told = looked["changes"]["rollback"].as_array().unwrap();
    assert_eq!(
        told,
        &[json!(format!("{second} could not be gone back to: main: drop column numbers.more"))],
        "{looked}"
    );

    // What is pinned is not lost to a plan that takes away no rows.
    lab.done(&["release", "pin", &second, "--reason", "the last good one"], "").await;
    let renamed =
        schema("      number: {type: int}\n      other: {type: string, renamedFrom: more}\n      most: {type: int}\n");
    lab.folder.write(TABLE, &renamed).unwrap();
    let refused = lab.stk(&["apply", "--accept-grants", "--yes", "--migration-window"], "").await;
    let error = &refused.json()["error"];
    assert_eq!((refused.code, &error["code"]), (3, &json!("DESTRUCTIVE_CHANGE")), "{refused:?}");
    let lost =
        format!("{second}, which is pinned, could not be gone back to: main: rename column numbers.more to other");
    assert_eq!(error["details"]["rollback"], json!([lost]));
    lab.done(&["release", "unpin", &second], "").await;
    let (fourth, _) = apply(&lab, &["--migration-window"]).await;
    let unsafe_now = rollback_of(&lab, &second).await;
    assert_eq!(unsafe_now, json!({"safe": false, "needs": ["main: add column numbers.more"]}));
    let shown = lab.stk(&["release", "list"], "").await;
    assert_eq!(shown.code, 0, "{shown:?}");
    // The list and the refusal say the same.
    let refused = lab.stk(&["release", "rollback", "--to", &second], "").await;
    assert_eq!((refused.code, &refused.json()["error"]["code"]), (3, &json!("RELEASE_BLOCKED")), "{refused:?}");
    assert_eq!(refused.json()["error"]["details"]["needs"], unsafe_now["needs"]);
    lab.done(&["release", "rollback", "--to", &first, "--wait", "0"], "").await;
    assert_eq!(rollback_of(&lab, &fourth).await["safe"], true);
    assert_eq!(rollback_of(&lab, &third).await["safe"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_end_to_pins() {
    let lab = Lab::start("pinned").await;
    for number in 1..=21 {
        lab.set_version(number);
        let (id, _) = apply(&lab, &[]).await;
        let pinned = lab.stk(&["release", "pin", &id], "").await;
        if number < 21 {
            assert_eq!(pinned.code, 0, "{number}: {pinned:?}");
            continue;
        }
        let error = &pinned.json()["error"];
        assert_eq!((pinned.code, &error["code"], &error["details"]["limit"]), (1, &json!("CONFLICT"), &json!("pins")));
    }
    let targets = lab.hub().operate(Method::GET, "/v1/projects/pinned/envs/prod/rollback", &Json::Null).await.unwrap();
    assert_eq!(targets["targets"].as_array().unwrap().len(), 20, "the last ten and the other pinned ones: {targets}");
}
