//! Filters that are made to cost: patterns over a long text, and conditions inside of conditions. Each is answered or refused, on every
//! engine; one that took time without end would run into the statement's own limit, and fail here.

use santokit_core::{access::ActorKind, code::Code};
use santokit_sql::dialect::Dialect;
use serde_json::{Map, Value as Json, json};

use super::{
    shop::shop,
    world::{World, actor},
};

/// Characters of a pattern.
const PATTERN_MAX: usize = 1_000;
/// What JSON from outside may nest.
const DEPTH_MAX: usize = 120;

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    all(Dialect::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    all(Dialect::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mysql() {
    all(Dialect::Mysql).await;
}

async fn all(dialect: Dialect) {
    let world = shop(dialect).await;
    let row = json!({"id": "c1", "name": "Paul", "secretNote": "a".repeat(100_000)});
    ask(&world, "insert", &json!({"data": row})).await.unwrap();
    for unit in ["%", "%a", "%a_", "_%", "%_%", "%aa", "a%", "a", "%%a%%"] {
        // It fails at the last character, after every way that there is through the text.
        let pattern = unit.repeat((PATTERN_MAX - 2) / unit.len()) + "%b";
        for operator in ["$like", "$ilike"] {
            let filter = json!({"secretNote": {operator: pattern}});
            assert_eq!(ask(&world, "select", &json!({"where": filter})).await, Ok(json!([])), "{dialect:?} {unit}");
            let negated = json!({"select": ["id"], "where": {"$not": filter}});
            assert_eq!(ask(&world, "select", &negated).await, Ok(json!([{"id": "c1"}])), "{dialect:?} {unit}");
        }
    }
    let long = json!({"where": {"name": {"$like": "%".repeat(PATTERN_MAX + 1)}}});
    assert_eq!(ask(&world, "select", &long).await, Err(Code::BadRequest));
    // As many patterns as conditions.
    let many: Vec<Json> = (0..51).map(|n| json!({"secretNote": {"$like": format!("%a%{n}%b")}})).collect();
    assert_eq!(ask(&world, "select", &json!({"where": {"$or": many[..50]}})).await, Ok(json!([])));
    assert_eq!(ask(&world, "select", &json!({"where": {"$or": many}})).await, Err(Code::BadRequest));
    for wrap in
        [|inner: Json| json!({"$not": inner}), |inner| json!({"$and": [inner]}), |inner| json!({"$or": [inner]})]
    {
        let mut filter = json!({"name": {"$like": "P%"}});
        for depth in 0..DEPTH_MAX {
            let answered = ask(&world, "select", &json!({"select": ["id"], "where": filter})).await;
            assert!(answered.is_ok(), "{dialect:?} {depth}: {answered:?} of {filter}");
            filter = wrap(filter);
        }
    }
}

async fn ask(world: &World, verb: &str, params: &Json) -> Result<Json, Code> {
    let admin = actor(ActorKind::ApiKey, "admin", &["admin", "app"]);
    let params: Map<String, Json> = params.as_object().unwrap().clone();
    let answer = world.call(&admin, &format!("db/customers/{verb}"), &params, None).await;
    answer.map(|answer| serde_json::from_slice(&answer.data).unwrap()).map_err(|problem| problem.code)
}
