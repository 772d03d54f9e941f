//! Guests in three languages call other logics: what they get, what is denied, what a failure leaves behind in a transaction, and that
//! nobody gets more than its caller has.

use std::fs;

use santokit_tests::{Answer, Engine, ProjectFolder, StkDev, TestDatabase};
use serde_json::{Value as Json, json};

const SCHEMA: &str = "version: 1\ntables:\n  notes:\n    id: {generate: client}\n    columns: {text: {type: string}}\n";
const ADD: &str =
    "---\nauth: public\nparams: {id: {type: string, required: true}}\n---\nINSERT INTO notes (id) VALUES (:id)\n";
/// As many rows as are asked for, and the notes that there are.
const COUNT: &str = "---\nauth: public\nparams: {rows: {type: int, default: 1}}\n---\n\
    WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :rows)\n\
    SELECT (SELECT count(*) FROM notes) AS notes FROM c\n";
const KEEPER: &str = "---\nroles: [keeper]\n---\nSELECT 1 AS one\n";
const LOGICS: [(&str, &str); 3] =
    [("rust", "tests/guests/logics"), ("ts", "tests/guests/logics-ts"), ("python", "tests/guests/logics-py")];
/// Of the Rust guest, away from the workspace of the guests.
const CARGO: &str = "[package]\nname = \"guest-logics\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
    [lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\nsantokit-guest = { path = \"../../.stk/cache/sdk/rust\" }\n\
    serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n";

fn project() -> ProjectFolder {
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: calling\n"),
        ("santokit.dev.yaml", "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\n"),
        ("schema/main.yaml", SCHEMA),
        ("logics/add.sql", ADD),
        ("logics/count.sql", COUNT),
        ("logics/keeper.sql", KEEPER),
    ])
    .unwrap();
    let whole = ("whole", "tests/guests/logics");
    for (name, from) in LOGICS.into_iter().chain([whole]) {
        folder.add_copy(from, &format!("logics/{name}")).unwrap();
        let manifest = format!("logics/{name}/logic.yaml");
        folder.edit(&manifest, "SELF", if name == "whole" { "rust, whole" } else { name }).unwrap();
        if from == whole.1 {
            folder.write(&format!("logics/{name}/Cargo.toml"), CARGO).unwrap();
        }
    }
    folder.edit("logics/whole/logic.yaml", "auth: public\n", "auth: public\ntransaction: required\n").unwrap();
    folder
}

async fn ask(dev: &StkDev, logic: &str, steps: Json) -> Answer {
    dev.client.logic(logic, json!({"steps": steps})).await.unwrap()
}

async fn told(dev: &StkDev, logic: &str, steps: Json) -> Vec<Json> {
    let answer = ask(dev, logic, steps.clone()).await;
    assert_eq!(answer.status, 200, "{logic} {steps}: {answer:?}\n{}", dev.output());
    answer.body["data"].as_array().unwrap().clone()
}

#[expect(clippy::needless_pass_by_value, reason = "most are made for it")]
fn call(name: &str, params: Json) -> Json {
    json!({"op": "call", "name": name, "params": params})
}

fn add(id: &str) -> Json {
    call("add", json!({"id": id}))
}

async fn notes(dev: &StkDev) -> u64 {
    dev.client.logic("count", json!({})).await.unwrap().body["data"][0]["notes"].as_u64().unwrap()
}

/// With the Rust guest alone, on a server.
fn project_on(database: &TestDatabase) -> ProjectFolder {
    let folder = project();
    for name in ["ts", "python"] {
        fs::remove_dir_all(folder.path().join("logics").join(name)).unwrap();
    }
    let (engine, url) = (database.engine().as_str(), database.url());
    folder
        .write("santokit.dev.yaml", &format!("connections:\n  main: {{engine: {engine}, url: \"{url}\"}}\n"))
        .unwrap();
    folder
}

/// A transaction is of one login there, whose powers a called component has as well. A logic in SQL is the platform's own, and has no part in it.
#[tokio::test(flavor = "multi_thread")]
async fn on_servers_a_called_component_joins_the_transaction() {
    for engine in [Engine::Postgres, Engine::Mysql] {
        let database = TestDatabase::create(engine).await.unwrap();
        let folder = project_on(&database);
        let dev = StkDev::start(folder.path(), &[]).await.unwrap();
        let within = |steps: Json| call("rust", json!({"steps": steps}));
        let (begin, commit, rollback) = (json!({"op": "begin"}), json!({"op": "commit"}), json!({"op": "rollback"}));
        let (refuse, insert) = (json!({"op": "refuse"}), |id: &str| json!({"op": "insert", "name": id}));
        // Kept with it, and undone with it.
        told(&dev, "rust", json!([begin, insert("a1"), within(json!([insert("a2")])), commit])).await;
        assert_eq!(notes(&dev).await, 2, "{engine:?}");
        told(&dev, "rust", json!([begin, within(json!([insert("b1")])), rollback])).await;
        assert_eq!(notes(&dev).await, 2, "{engine:?}");
        // A call that fails, or trips over the database, is undone; what was before it stays.
        for inner in [json!([insert("c2"), refuse]), json!([insert("c2"), insert("a1")]), json!([begin, insert("c2")])]
        {
            told(&dev, "rust", json!([begin, insert("c1"), within(inner), rollback])).await;
        }
        let failing = within(json!([insert("c2"), insert("a1")]));
        told(&dev, "rust", json!([begin, insert("c1"), failing, insert("c3"), commit])).await;
        assert_eq!(notes(&dev).await, 4, "{engine:?}");
        // The whole invocation, also where the called one is the first to use it.
        let first = json!([within(json!([insert("w1")])), insert("w2"), refuse]);
        assert_eq!(ask(&dev, "whole", first).await.status, 422, "{engine:?}");
        assert_eq!(notes(&dev).await, 4, "{engine:?}");
        told(
            &dev,
            "whole",
            json!([within(json!([insert("w1"), refuse])), within(json!([insert("w3")])), insert("w4")]),
        )
        .await;
        assert_eq!(notes(&dev).await, 6, "{engine:?}");
        let steps = told(&dev, "rust", json!([begin, insert("d1"), add("d2"), rollback])).await;
        assert_eq!(steps[2]["code"], "LOGICS_INVALID", "{engine:?}: {steps:?}");
        assert_eq!(notes(&dev).await, 6, "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_call_other_logics() {
    let folder = project();
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    for (index, (logic, _)) in LOGICS.into_iter().enumerate() {
        assert_eq!(notes(&dev).await, index as u64);
        in_a_language(&dev, logic).await;
    }
    within_limits(&dev).await;
    in_a_transaction(&dev).await;
    as_a_whole(&dev).await;
}

async fn in_a_language(dev: &StkDev, logic: &str) {
    let within = |steps: Json| call(logic, json!({"steps": steps}));
    let steps = told(
        dev,
        logic,
        json!([
            add(logic),
            add(logic),
            call("add", json!({"id": 7})),
            call("keeper", json!({})),
            call("other", json!({})),
            within(json!([{"op": "refuse"}])),
            within(json!([{"op": "panic"}])),
            within(json!([call("count", json!({}))])),
        ]),
    )
    .await;
    assert_eq!(steps[0], json!({"data": {"affected": 1}}), "{logic}");
    assert_eq!((&steps[1]["kind"], &steps[1]["code"]), (&json!("refused"), &json!("CONFLICT")), "{logic}: {steps:?}");
    let codes: Vec<&str> = steps[2..5].iter().map(|step| step["code"].as_str().unwrap_or_default()).collect();
    assert_eq!(codes, ["LOGICS_INVALID", "LOGICS_DENIED", "LOGICS_DENIED"], "{logic}: {steps:?}");
    let refused = json!({"kind": "refused", "code": "NO_MORE", "message": "there is no more"});
    assert_eq!((&steps[5], &steps[6]["code"]), (&refused, &json!("LOGICS_FAILED")), "{logic}: {steps:?}");
    assert!(!steps[6].to_string().contains("planted"), "{logic}: {steps:?}");
    assert!(steps[7]["data"][0]["data"][0]["notes"].is_u64(), "{logic}: {steps:?}");
    // What is not caught is the caller's own answer.
    let mut given_up = within(json!([{"op": "refuse"}]));
    given_up["giveUp"] = json!(true);
    let answer = ask(dev, logic, json!([given_up])).await;
    let details = &answer.body["error"]["details"];
    assert_eq!(
        (answer.status, &details["code"], &details["details"]),
        (422, &json!("NO_MORE"), &json!({"left": 0})),
        "{answer:?}"
    );
}

async fn within_limits(dev: &StkDev) {
    // 30 of 50 rows: what the first call has read, the second one has not any more.
    let many = call("count", json!({"rows": 30}));
    let steps = told(dev, "rust", json!([many, many])).await;
    assert_eq!(steps[0]["data"].as_array().unwrap().len(), 30);
    assert_eq!(steps[1]["code"], "LOGICS_LIMIT", "{steps:?}");
    let mut given_up = many.clone();
    given_up["giveUp"] = json!(true);
    let answer = ask(dev, "rust", json!([many, given_up])).await;
    assert_eq!((answer.code(), answer.limit()), ("LOGIC_FAILED", "sqlRows"), "{answer:?}");
    // Each in the next one, until there are too many.
    let mut steps = json!([{"op": "trigger"}]);
    for _ in 0..8 {
        steps = json!([call("rust", json!({"steps": steps}))]);
    }
    let mut innermost = ask(dev, "rust", steps.clone()).await.body["data"].clone();
    while innermost[0].get("data").is_some() {
        innermost = innermost[0]["data"].clone();
    }
    assert_eq!(innermost, json!(["logic"]));
    let steps = json!([call("rust", json!({"steps": steps}))]);
    let answer = ask(dev, "rust", steps).await.body.to_string();
    assert!(answer.contains("logics depth") && answer.contains("LOGICS_FAILED"), "{answer}");
}

/// The caller's own transaction.
async fn in_a_transaction(dev: &StkDev) {
    let before = notes(dev).await;
    let within = |steps: Json| call("rust", json!({"steps": steps}));
    let (begin, commit, rollback) = (json!({"op": "begin"}), json!({"op": "commit"}), json!({"op": "rollback"}));
    let insert = |id: &str| json!({"op": "insert", "name": id});
    // Kept with it, and undone with it.
    let steps =
        told(dev, "rust", json!([begin, add("t1"), call("count", json!({})), within(json!([insert("t2")])), commit]))
            .await;
    assert_eq!(steps[2]["data"][0]["notes"], before + 1, "a call sees what the transaction has done");
    assert_eq!(notes(dev).await, before + 2);
    told(dev, "rust", json!([begin, add("t3"), within(json!([insert("t4")])), rollback])).await;
    assert_eq!(notes(dev).await, before + 2);
    // A call that fails is undone, also its own transactions and its calls; what was before it stays.
    let failing = json!([insert("t6"), begin, add("t7"), within(json!([insert("t8")])), {"op": "refuse"}]);
    let trapping = json!([insert("t6"), {"op": "panic"}]);
    let left_open = json!([insert("t6"), begin, insert("t7")]);
    for inner in [failing, trapping] {
        let steps =
            told(dev, "rust", json!([begin, insert("t5"), within(inner), call("count", json!({})), rollback])).await;
        assert_eq!(steps[3]["data"][0]["notes"], before + 3, "{steps:?}");
    }
    // What it begins and does not end is undone, and nothing else.
    let steps =
        told(dev, "rust", json!([begin, insert("t5"), within(left_open), call("count", json!({})), rollback])).await;
    assert_eq!(steps[3]["data"][0]["notes"], before + 4, "{steps:?}");
    // One that ends is kept.
    told(dev, "rust", json!([begin, within(json!([begin, insert("t9"), commit])), commit])).await;
    assert_eq!(notes(dev).await, before + 3);
}

/// The whole invocation is a transaction, also where a called logic is the first to use it.
async fn as_a_whole(dev: &StkDev) {
    let before = notes(dev).await;
    let refuse = json!({"op": "refuse"});
    let within = |steps: Json| call("rust", json!({"steps": steps}));
    let inserted = |id: &str| within(json!([{"op": "insert", "name": id}]));
    for first in [add("w1"), inserted("w1")] {
        assert_eq!(ask(dev, "whole", json!([first, add("w2"), refuse])).await.status, 422);
        assert_eq!(notes(dev).await, before);
    }
    let caught = within(json!([{"op": "insert", "name": "w3"}, refuse]));
    told(dev, "whole", json!([caught, add("w4"), inserted("w5")])).await;
    assert_eq!(notes(dev).await, before + 2, "without what failed");
    // One whole within another one is no whole of its own.
    let inner = call("whole", json!({"steps": [{"op": "insert", "name": "w6"}]}));
    assert_eq!(ask(dev, "whole", json!([inner, refuse])).await.status, 422);
    assert_eq!(notes(dev).await, before + 2);
    // Called on its own it is one.
    told(dev, "rust", json!([{"op": "begin"}, {"op": "rollback"}])).await;
}
