//! Requests of guests beside those of others: they have their own part of a pool, and end with their invocation.

use std::time::{Duration, Instant};

use santokit_bridge::{
    crud::{Crud, limits::Allowance},
    db::{Mode, Share},
};
use santokit_core::{
    access::{ActorKind, table::Verb},
    code::Code,
};
use santokit_sql::dialect::Dialect;
use serde_json::{Map, json};

use super::{
    shop::shop,
    world::{World, actor},
};

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
    guests_wait_for_guests_alone(&world).await;
    a_request_that_was_undone_leaves_its_transaction(&world).await;
}

/// Of the pool's 8 connections guests may have 4.
async fn guests_wait_for_guests_alone(world: &World) {
    let database = &world.databases["main"];
    let later = Instant::now() + Duration::from_mins(1);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(database.session(Mode::Read, Share::Guest, later).await.unwrap());
    }
    let actor = actor(ActorKind::ApiKey, "key", &["app"]);
    let params = Map::new();
    let soon = Allowance { rows: 100, bytes: 1 << 20, deadline: Instant::now() + Duration::from_millis(300) };
    let guests = world.crud(&actor, Some(soon));
    let work = guests.understand(Some(("customers", Verb::Select)), &params).unwrap();
    let started = Instant::now();
    let refused = guests.alone(&work).await.unwrap_err();
    assert!(matches!(refused.code, Code::ServiceUnavailable | Code::InternalError), "{refused:?}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    let others = world.crud(&actor, None);
    others.call("customers", Verb::Select, &params, None).await.unwrap();
    drop(held.pop());
    let again = world.crud(&actor, Some(Allowance { deadline: later, ..soon }));
    again.alone(&work).await.unwrap();
}

/// On a server a statement that fails ends the transaction, unless what it belongs to is undone.
async fn a_request_that_was_undone_leaves_its_transaction(world: &World) {
    let database = &world.databases["main"];
    let later = Instant::now() + Duration::from_mins(1);
    let actor = actor(ActorKind::ApiKey, "key", &["admin"]);
    let crud = world.crud(&actor, Some(Allowance { rows: 100, bytes: 1 << 20, deadline: later }));
    let mut session = database.begin(Mode::Write, Share::Guest, later).await.unwrap();
    let customer = |name: &str, email: &str| {
        json!({"data": {"id": name, "name": name, "email": format!("{email}@guests")}}).as_object().unwrap().clone()
    };
    let insert = |params| crud.understand(Some(("customers", Verb::Insert)), &params).unwrap();
    let first = crud.within(&insert(customer("guest-1", "one")), &mut session, later).await;
    assert!(first.is_ok(), "{first:?}");
    let (problem, is_undone) = crud.within(&insert(customer("guest-2", "one")), &mut session, later).await.unwrap_err();
    assert_eq!((problem.code, is_undone), (Code::Conflict, true));
    crud.within(&insert(customer("guest-3", "three")), &mut session, later).await.unwrap();
    session.commit(later).await.unwrap();
    let stored = count(&crud).await;
    assert_eq!(stored, 2);
}

async fn count(crud: &Crud<'_>) -> usize {
    let params = json!({"where": {"id": {"$like": "guest-%"}}}).as_object().unwrap().clone();
    let answer = crud.call("customers", Verb::Select, &params, None).await.unwrap();
    serde_json::from_slice::<Vec<serde_json::Value>>(&answer.data).unwrap().len()
}
