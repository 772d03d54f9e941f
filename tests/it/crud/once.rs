//! A write under an `Idempotency-Key` while others run under the same one, and after its day is over.

use std::sync::Arc;

use chrono::TimeDelta;
use santokit_bridge::db::Mode;
use santokit_core::{access::ActorKind, code::Code, schema::Type, value::Value};
use santokit_sql::{
    dialect::Dialect,
    statement::{OutputColumn, Statement},
};
use serde_json::{Map, Value as Json, json};
use tokio::task::JoinSet;

use super::{
    shop::shop,
    world::{World, actor},
};

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
    let mut world = Arc::new(shop(dialect).await);
    at_once(&world).await;
    let world = Arc::get_mut(&mut world).unwrap();
    after_a_day(world).await;
}

/// Many at once: one does it, and the others get its answer or are told to come again.
async fn at_once(world: &Arc<World>) {
    let mut running = JoinSet::new();
    for _ in 0..6 {
        let world = Arc::clone(world);
        running.spawn(async move { add(&world, "together", "same-key").await });
    }
    let answers = running.join_all().await;
    let done: Vec<&(Json, bool)> = answers.iter().flatten().collect();
    assert_eq!(done.iter().filter(|(_, is_replayed)| !is_replayed).count(), 1, "{answers:?}");
    assert!(done.iter().all(|(data, _)| *data == done[0].0), "{answers:?}");
    assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(|code| *code == Code::Conflict));
    assert_eq!(labels(world, "together").await, 1);
    // Whoever was told to come again gets the answer then.
    assert!(add(world, "together", "same-key").await.unwrap().1);
}

/// What is kept ends after a day: the key is free, and what nobody asks for is removed in small steps.
async fn after_a_day(world: &mut World) {
    for number in 0..40 {
        assert!(!add(world, "kept", &format!("old-{number}")).await.unwrap().1);
    }
    world.now += TimeDelta::hours(23);
    assert!(add(world, "kept", "old-0").await.unwrap().1);
    world.now += TimeDelta::hours(2);
    assert!(!add(world, "kept", "old-0").await.unwrap().1);
    assert_eq!(labels(world, "kept").await, 41);
    for number in 0..32 {
        add(world, "later", &format!("new-{number}")).await.unwrap();
    }
    // One of those that expired was taken again.
    assert_eq!(remembered(world).await, 33);
}

async fn add(world: &World, label: &str, key: &str) -> Result<(Json, bool), Code> {
    let app = actor(ActorKind::ApiKey, "app", &["app"]);
    let params = json!({"data": {"label": label}}).as_object().unwrap().clone();
    let answer = world.call(&app, "db/counters/insert", &params, Some(key)).await.map_err(|problem| problem.code)?;
    Ok((serde_json::from_slice(&answer.data).unwrap(), answer.is_replayed))
}

async fn labels(world: &World, label: &str) -> i64 {
    let app = actor(ActorKind::ApiKey, "app", &["app"]);
    let params: Map<String, Json> =
        json!({"where": {"label": label}, "aggregate": {"count": true}}).as_object().unwrap().clone();
    let answer = world.call(&app, "db/counters/select", &params, None).await.unwrap();
    serde_json::from_slice::<Json>(&answer.data).unwrap()[0]["count"].as_i64().unwrap()
}

/// How many keys are kept.
async fn remembered(world: &World) -> i64 {
    let statement = Statement {
        sql: "SELECT count(*) AS n FROM stk_idempotency".to_owned(),
        params: Vec::new(),
        columns: vec![OutputColumn { name: "n".to_owned(), kind: Type::Bigint }],
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    let rows = world.databases["main"].rows(Mode::Read, &statement, deadline).await.unwrap();
    match rows[0][0] {
        Value::Int64(count) => count,
        ref other => panic!("{other:?}"),
    }
}
