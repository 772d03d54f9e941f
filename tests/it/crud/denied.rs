//! What is denied answers as what is not there, byte for byte, but for the name that was sent.

use santokit_core::access::{Actor, ActorKind};
use santokit_sql::dialect::Dialect;
use serde_json::{Map, Value as Json, json};

use super::{
    shop::shop,
    world::{World, actor},
};

/// A table that is there and one that is not, of the same length.
const TABLES: [&str; 2] = ["vault", "vaunt"];

/// A column that no rule of these callers gives, and one that is not there.
const COLUMNS: [&str; 2] = ["secretNote", "secretMode"];

/// A relation to a table that these callers may not read, and one that is not there.
const RELATIONS: [&str; 2] = ["orders", "ordeal"];

#[tokio::test(flavor = "multi_thread")]
async fn tables() {
    let world = shop(Dialect::Sqlite).await;
    for caller in callers() {
        for verb in ["select", "insert", "update", "delete"] {
            for params in [
                json!({}),
                json!({"where": {"word": "x"}}),
                json!({"data": {"word": "x"}}),
                json!({"nonsense": 1, "limit": -1}),
                json!({"all": true, "data": {"word": "x"}, "returning": true}),
            ] {
                let path = |table: &str| format!("db/{table}/{verb}");
                same(&world, &caller, TABLES, |table| (path(table), params.clone())).await;
                same(&world, &caller, TABLES, |table| {
                    ("batch".to_owned(), json!({"calls": [{"path": path(table), "params": params}]}))
                })
                .await;
            }
        }
    }
    // Denials are counted by names of the release only.
    let numbers = String::from_utf8(world.metrics.render().unwrap()).unwrap();
    let line = "stk_bridge_permission_denials_total{op=\"select\",table=\"vault\"}";
    assert!(numbers.contains(line) && !numbers.contains("vaunt"), "{numbers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn columns() {
    let world = shop(Dialect::Sqlite).await;
    let requests: [fn(&str) -> Json; 16] = [
        |name| json!({"select": [name]}),
        |name| json!({"where": {name: "x"}}),
        |name| json!({"where": {name: null}}),
        |name| json!({"where": {name: {"$like": "x%"}}}),
        |name| json!({"where": {name: {"$nope": 1}}}),
        |name| json!({"where": {name: {"id": "x"}}}),
        |name| json!({"where": {"$or": [{"id": "c1"}, {"$not": {name: {"$isNull": true}}}]}}),
        |name| json!({"where": {format!("{name}.x"): 1}}),
        |name| json!({"orderBy": {name: "asc"}}),
        |name| json!({"orderBy": [name]}),
        |name| json!({"select": [name], "distinct": true}),
        |name| json!({"aggregate": {"groupBy": [name], "count": true}}),
        |name| json!({"aggregate": {"max": [name]}}),
        |name| json!({"aggregate": {"count": [name]}}),
        |name| json!({"aggregate": {"sum": [name]}}),
        |name| json!({"expand": [name]}),
    ];
    for caller in callers() {
        for request in requests {
            same(&world, &caller, COLUMNS, |name| ("db/customers/select".to_owned(), request(name))).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn relations() {
    let world = shop(Dialect::Sqlite).await;
    let requests: [fn(&str) -> Json; 6] = [
        |name| json!({"expand": [name]}),
        |name| json!({"expand": [format!("{name}.lines")]}),
        |name| json!({"where": {name: {"total": "1"}}}),
        |name| json!({"where": {format!("{name}.total"): "1"}}),
        |name| json!({"where": {"$not": {name: {}}}}),
        |name| json!({"select": [name]}),
    ];
    for caller in callers() {
        for request in requests {
            same(&world, &caller, RELATIONS, |name| ("db/customers/select".to_owned(), request(name))).await;
        }
    }
}

/// Those who are told no reasons. An end user has no rule of its own here, so that it sees what anyone sees.
fn callers() -> [Actor; 2] {
    [Actor::anonymous(), actor(ActorKind::User, "u1", &["customer"])]
}

async fn same(world: &World, caller: &Actor, [denied, missing]: [&str; 2], request: impl Fn(&str) -> (String, Json)) {
    let denied = answer(world, caller, denied, request(denied)).await;
    let missing = answer(world, caller, missing, request(missing)).await;
    assert_eq!(denied, missing);
    assert!(denied.contains("\"error\""), "{denied}");
}

/// The whole answer as text, with the name that was sent taken out.
async fn answer(world: &World, caller: &Actor, name: &str, (path, params): (String, Json)) -> String {
    let params: Map<String, Json> = params.as_object().unwrap().clone();
    let body = match world.call(caller, &path, &params, None).await {
        Ok(answer) => String::from_utf8(answer.data).unwrap(),
        Err(problem) => json!({"error": problem.body("req"), "cause": problem.cause.is_some()}).to_string(),
    };
    body.replace(name, "NAME")
}
