//! An insert of one row, which is one statement with its rule in it: what the rule refuses is stored nowhere, alone and in a batch;
//! what the caller may not see afterwards is not shown; and no value of a caller looks like a refusal.

use std::time::{Duration, Instant};

use santokit_bridge::db::{DatabaseSettings, Mode, Share};
use santokit_core::{
    access::ActorKind,
    code::Code,
    project::{self, SourceTree},
    schema::Type,
    value::Value,
};
use santokit_sql::{
    dialect::Dialect,
    failure::FailureKind,
    statement::{OutputColumn, Statement},
};
use serde_json::{Map, Value as Json, json};

use super::{
    shop::shop,
    world::{World, actor},
};
use crate::own_database::Own;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_only_the_commit_refuses_is_not_told_as_stored() {
    // MySQL has no constraint that waits for the commit.
    for engine in ["sqlite", "postgres"] {
        let own = Own::create(engine).await;
        let database = own.open(&DatabaseSettings::default());
        let deadline = || Instant::now() + Duration::from_secs(30);
        for sql in [
            "CREATE TABLE kept (id BIGINT PRIMARY KEY)",
            "CREATE TABLE late (id BIGINT PRIMARY KEY, kept BIGINT REFERENCES kept (id) DEFERRABLE INITIALLY DEFERRED)",
        ] {
            database.execute(&statement(sql, &[]), deadline()).await.unwrap();
        }
        // The engine answers the row before it looks at what the row refers to.
        let mut session = database.session(Mode::Write, Share::Platform, deadline()).await.unwrap();
        let insert = statement("INSERT INTO late (id, kept) VALUES (1, 7) RETURNING id", &[Type::Bigint]);
        let error = session.rows(&insert, deadline()).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::ForeignKey, "{engine} {error:?}");
        let count = statement("SELECT count(*) FROM late", &[Type::Bigint]);
        assert_eq!(session.rows(&count, deadline()).await.unwrap(), [[Value::Int64(0)]], "{engine}");
        session.end();
    }
}

fn statement(sql: &str, columns: &[Type]) -> Statement {
    let column = |kind: &Type| OutputColumn { name: "c".to_owned(), kind: *kind };
    Statement { sql: sql.to_owned(), params: Vec::new(), columns: columns.iter().map(column).collect() }
}

async fn all(dialect: Dialect) {
    let world = shop(dialect).await;
    let customer = json!({"data": {"id": "c1", "name": "Ada", "email": "ada@example.org"}});
    ask(&world, "admin", "db/customers/insert", &customer).await.unwrap();
    what_is_refused_is_not_stored(&world).await;
    what_may_not_be_seen_is_stored_and_not_shown(dialect).await;
    no_value_looks_like_a_refusal(&world).await;
}

async fn what_is_refused_is_not_stored(world: &World) {
    let before = orders(world).await;
    for owner in [json!("another"), json!(null), json!("APP"), json!("app "), json!("stk_check"), json!("' OR 1=1 --")]
    {
        let data = json!({"data": {"customerId": "c1", "owner": owner}});
        assert_eq!(ask(world, "app", "db/orders/insert", &data).await, Err(Code::Forbidden), "{owner}");
        // What came before it in a batch goes with it.
        let own = json!({"data": {"customerId": "c1", "owner": "app"}});
        let calls = json!({"calls": [
            {"path": "db/orders/insert", "params": own}, {"path": "db/orders/insert", "params": data},
        ]});
        assert_eq!(ask(world, "app", "batch", &calls).await, Err(Code::Forbidden), "{owner}");
        // Of several rows as well.
        let rows = json!({"data": [own["data"], data["data"]]});
        assert_eq!(ask(world, "app", "db/orders/insert", &rows).await, Err(Code::Forbidden), "{owner}");
    }
    assert_eq!(orders(world).await, before);
}

/// The select rule is asked in the same statement: it decides what is shown, and nothing about the write.
async fn what_may_not_be_seen_is_stored_and_not_shown(dialect: Dialect) {
    let mut files = SourceTree::new();
    for (path, text) in [
        ("santokit.yaml", "version: 1\nname: alone\n"),
        (
            "schema/notes.yaml",
            "version: 1\ntables:\n  notes:\n    id: {name: id, generate: client}\n    columns:\n      owner: {type: string}\n",
        ),
        (
            "config/permissions.yaml",
            "tables:\n  notes:\n    insert: {roles: [app]}\n    select:\n      - {roles: [admin]}\n      \
             - {roles: [app], condition: \"resource.owner == request.auth.sub\"}\n",
        ),
    ] {
        files.insert(path, text);
    }
    let project = project::parse(&files).unwrap_or_else(|found| panic!("{found:#?}"));
    let world = World::new(dialect, &project.connections["main"], &project.permissions).await;
    let note = |id: &str, owner: Json| json!({"id": id, "owner": owner});
    for (data, shown) in [
        (note("a", json!("app")), json!([note("a", json!("app"))])),
        (note("b", json!("another")), json!([])),
        (note("c", Json::Null), json!([])),
        (json!([note("d", json!("another")), note("e", json!("app"))]), json!([note("e", json!("app"))])),
    ] {
        let answer = ask(&world, "app", "db/notes/insert", &json!({"data": data})).await;
        assert_eq!(answer, Ok(shown), "{data}");
    }
    let all = ask(&world, "admin", "db/notes/select", &json!({"select": ["id"]})).await;
    assert_eq!(all, Ok(json!([{"id": "a"}, {"id": "b"}, {"id": "c"}, {"id": "d"}, {"id": "e"}])));
}

async fn no_value_looks_like_a_refusal(world: &World) {
    for text in ["stk_check", "$.stk_check", "\"stk_check\"", "bad JSON path: 'stk_check'"] {
        let data = json!({"data": {"id": text, "name": text, "email": format!("{text}@example.org")}});
        let answer = ask(world, "admin", "db/customers/insert", &data).await;
        assert_eq!(answer.unwrap()[0]["name"], text);
        assert_eq!(ask(world, "admin", "db/customers/insert", &data).await, Err(Code::Conflict), "{text}");
    }
}

async fn orders(world: &World) -> u64 {
    let counted = ask(world, "admin", "db/orders/select", &json!({"aggregate": {"count": true}})).await.unwrap();
    counted[0]["count"].as_u64().unwrap_or_else(|| panic!("{counted}"))
}

async fn ask(world: &World, role: &str, path: &str, params: &Json) -> Result<Json, Code> {
    let caller = actor(ActorKind::ApiKey, role, &[role]);
    let Json::Object(params) = params else { panic!("params are an object") };
    let params: &Map<String, Json> = params;
    let answer = world.call(&caller, path, params, None).await.map_err(|problem| problem.code)?;
    Ok(serde_json::from_slice(&answer.data).unwrap())
}
