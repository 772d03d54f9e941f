//! Envs and projects are removed: what holds that up, what goes, and that nothing is found again by who makes one of the same name.

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::lab::{IN_URL, Lab, SECRET, assert_serves};

/// The error of a command that fails with an exit code.
async fn refused(lab: &Lab, args: &[&str], code: i32) -> Json {
    let finished = lab.stk(args, "").await;
    assert_eq!(finished.code, code, "{args:?}: {finished:?}");
    finished.json()["error"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_env_goes_with_all_that_it_has_and_then_its_project() {
    let lab = Lab::start("removed").await;
    let bridge = lab.bridge("cache", &[("STK_BRIDGE_ID", "brg_01ARZ3NDEKTSV4RRFFQ69G5FD1")]).await;
    lab.apply().await;
    lab.set_version(2);
    let before = lab.apply().await;
    assert_serves(&bridge, &lab.api_key.0, 2).await;

    // Nobody takes it from under a Bridge by mistake, nor a project with envs.
    let error = refused(&lab, &["env", "delete", "prod", "--yes"], 1).await;
    assert_eq!(
        (&error["code"], &error["details"]["bridges"]),
        (&json!("CONFLICT"), &json!(["brg_01ARZ3NDEKTSV4RRFFQ69G5FD1"]))
    );
    assert!(error["hint"].as_str().unwrap().contains("stk env delete prod --force"), "{error}");
    let error = refused(&lab, &["project", "delete", "removed", "--yes"], 1).await;
    assert_eq!((&error["code"], &error["details"]["envs"]), (&json!("CONFLICT"), &json!(["prod"])));
    assert_eq!(
        refused(&lab, &["env", "delete", "prod", "--force"], 2).await["hint"],
        "say --yes; there is nobody to ask"
    );
    assert_serves(&bridge, &lab.api_key.0, 2).await;

    let gone = lab.done(&["env", "delete", "prod", "--force", "--yes"], "").await;
    assert_eq!((&gone["deleted"], &gone["leftLogins"]), (&json!("prod"), &json!([])), "{gone}");
    for args in [
        &["env", "delete", "prod", "--yes"][..],
        &["connections", "list"],
        &["secrets", "list"],
        &["release", "current"],
    ] {
        assert_eq!(refused(&lab, args, 1).await["code"], "NOT_FOUND", "{args:?}");
    }
    let path = "/internal/releases/current?project=removed&env=prod";
    assert_eq!(lab.internal(&lab.service_token, path, None).await.0, 403, "a token for it is for nothing any more");
    // The database is the customer's; a Bridge that nobody ends serves on until it has been without the Hub for too long.
    assert!(lab.dir.path().join(IN_URL).join("main.db").exists());
    assert_serves(&bridge, &lab.api_key.0, 2).await;
    bridge.end().await.unwrap();

    // One of the same name begins with nothing, and above all that Bridges have seen.
    lab.done(&["env", "create", "prod"], "").await;
    assert_eq!(lab.done(&["secrets", "list"], "").await["secrets"], json!([]));
    assert_eq!(lab.done(&["apikey", "list"], "").await["apiKeys"], json!([]));
    assert_eq!(lab.internal(&lab.service_token, path, None).await.0, 403, "nor is it for the new one");
    let url = format!("sqlite:{}", lab.dir.path().join("other.db").display());
    lab.done(&["connections", "set", "main", "--engine", "sqlite", "--url-stdin"], &url).await;
    lab.done(&["secrets", "set", "TOKEN"], SECRET).await;
    let applied = lab.done(&["apply", "--accept-grants", "--yes", "--wait", "0"], "").await;
    assert_eq!(
        (&applied["releaseId"], &applied["created"]),
        (&before["releaseId"], &json!(false)),
        "releases are the project's"
    );
    assert!(applied["sequence"].as_i64() > before["sequence"].as_i64(), "{applied}");

    lab.done(&["env", "delete", "prod", "--yes"], "").await;
    let gone = lab.done(&["project", "delete", "removed", "--yes"], "").await;
    assert_eq!((&gone["deleted"], &gone["releases"]), (&json!("removed"), &json!(2)), "{gone}");
    assert_eq!(refused(&lab, &["project", "delete", "removed", "--yes"], 1).await["code"], "NOT_FOUND");
    assert_eq!(lab.done(&["project", "list"], "").await["projects"], json!([]));
    lab.done(&["project", "create", "removed"], "").await;
    assert_eq!(lab.done(&["release", "list", "--env", "none"], "").await["releases"], json!([]));

    let log = lab.hub().operate(Method::GET, "/v1/audit?limit=1000&project=removed", &Json::Null).await.unwrap();
    let entries = log["entries"].as_array().unwrap();
    let of = |action: &str| entries.iter().filter(|entry| entry["action"] == action).collect::<Vec<_>>();
    let (envs, projects) = (of("env.delete"), of("project.delete"));
    assert_eq!((envs.len(), projects.len(), &projects[0]["org"]), (2, 1, &json!("default")));
    assert_eq!((&envs[0]["detail"]["force"], &envs[0]["detail"]["connections"]), (&json!(true), &json!(["main"])));
    assert_eq!(envs[0]["detail"]["releaseId"], before["releaseId"]);
    let chain = lab.hub().operate(Method::GET, "/v1/audit/verify", &Json::Null).await.unwrap();
    assert_eq!(chain["verified"], true, "{chain}");
}
