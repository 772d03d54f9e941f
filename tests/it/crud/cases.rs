//! The HTTP cases of tables on every engine: the same files, asked of the code below HTTP.

use santokit_core::{
    access::{Actor, ActorKind},
    code::Code,
    project::{self, SourceTree},
    schema::Schema,
};
use santokit_sql::dialect::Dialect;
use santokit_tests::folder::repository;
use serde_json::{Map, Value as Json, json};

use super::world::{World, actor};
use crate::http::{
    case::{self, Body, Case, CaseFile, Variables},
    check,
};

/// The files that are about tables only.
const FILES: [&str; 4] = ["tables.yaml", "denied.yaml", "batch.yaml", "idempotency.yaml"];

/// As the Hub makes it, where it makes it.
const IDEMPOTENCY: [(&str, &str); 11] = [
    ("project", "string"),
    ("env", "string"),
    ("actor", "string"),
    ("path", "string"),
    ("key", "string"),
    ("body_hash", "string"),
    ("state", "string"),
    ("status", "int?"),
    ("answer", "bytes?"),
    ("created_at", "timestamp"),
    ("expires_at", "timestamp"),
];

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
    let mut failures = Vec::new();
    let files = case::files().unwrap();
    let own = files.iter().filter(|file| FILES.iter().any(|name| file.path.ends_with(&format!("bridge/{name}"))));
    let mut taken = 0;
    for file in own {
        taken += file.cases.len();
        failures.extend(run(&world, file).await);
    }
    assert!(taken > 50, "the cases were not found");
    assert!(failures.is_empty(), "{} case(s) failed on {dialect:?}:\n\n{}", failures.len(), failures.join("\n\n"));
}

/// The tables of the cases' project, and the platform's own.
pub(super) async fn shop(dialect: Dialect) -> World {
    let mut files = SourceTree::new();
    let root = repository().join("tests/cases/http/project");
    for path in ["santokit.yaml", "schema/cases.yaml", "schema/shop.yaml", "config/permissions.yaml"] {
        files.insert(path, std::fs::read(root.join(path)).unwrap());
    }
    let project = project::parse(&files).unwrap_or_else(|found| panic!("{found:#?}"));
    let columns: Vec<Json> = IDEMPOTENCY
        .iter()
        .map(|(name, kind)| json!({"name": name, "type": kind.trim_end_matches('?'), "nullable": kind.ends_with('?')}))
        .collect();
    let table = json!({"id": {"name": "id", "generate": "client", "type": "string"}, "columns": columns});
    let world = World::new(dialect, &project.connections["main"], &project.permissions).await;
    let mut own = Schema::default();
    own.tables.insert("stk_idempotency".to_owned(), serde_json::from_value(table).unwrap());
    world.create(&own, dialect).await;
    world
}

async fn run(world: &World, file: &CaseFile) -> Vec<String> {
    let mut variables = Variables::new();
    let mut failures = Vec::new();
    for case in &file.cases {
        for n in 1..=case.times {
            variables.insert("n".to_owned(), n.into());
            let differences = take(world, case, &mut variables).await;
            if !differences.is_empty() {
                failures.push(format!("{}: {} (time {n})\n  {}", file.path, case.name, differences.join("\n  ")));
            }
        }
    }
    failures
}

async fn take(world: &World, case: &Case, variables: &mut Variables) -> Vec<String> {
    let (path, bytes) = match (case.line(variables), case.body.bytes(variables)) {
        (Ok((_, path)), Ok((bytes, _))) => (path, bytes),
        // A case before this one did not keep what it should.
        (line, body) => return vec![format!("{:?} {:?}", line.err(), body.err())],
    };
    let mut params: Map<String, Json> = match &case.body {
        Body::None => Map::new(),
        _ => serde_json::from_slice(&bytes).unwrap(),
    };
    let mut path = path.trim_start_matches('/').to_owned();
    if path == "call" {
        path = params["path"].as_str().unwrap().to_owned();
        params = params["params"].as_object().cloned().unwrap_or_default();
    }
    if path != "batch" && santokit_bridge::crud::table_path(&path).is_none() {
        // What is no call of a table is the edge's to refuse.
        return Vec::new();
    }
    let key = case.headers.get("idempotency-key").map(String::as_str);
    if key.is_some_and(|key| key.contains(' ')) {
        return Vec::new();
    }
    let answered = world.call(&caller(case), &path, &params, key).await;
    let (status, body) = match &answered {
        Ok(answer) => {
            let mut bytes = Vec::new();
            answer.write(&mut bytes).unwrap();
            (200, serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: no JSON: {error}", case.name)))
        }
        Err(problem) => (status(problem.code), json!({"error": problem.body("req_test")})),
    };
    for (name, place) in &case.keep {
        if let Some(value) = body.pointer(place) {
            variables.insert(name.clone(), value.clone());
        }
    }
    let mut differences = check::body(case, status, &body, variables);
    let replayed = answered.as_ref().is_ok_and(|answer| answer.is_replayed);
    match case.expect.headers.get("idempotency-replayed") {
        Some(Some(_)) if !replayed => differences.push("it was not replayed".to_owned()),
        Some(None) if replayed => differences.push("it was replayed".to_owned()),
        _ => {}
    }
    if !differences.is_empty() {
        let inside = answered.err().and_then(|problem| problem.cause.clone());
        differences.push(format!("the answer was {status} {body} {inside:?}"));
    }
    differences
}

/// As the keys of `santokit.dev.yaml` are.
fn caller(case: &Case) -> Actor {
    match case.key.as_deref() {
        None => Actor::anonymous(),
        Some("admin") => actor(ActorKind::ApiKey, "admin", &["admin", "app"]),
        Some(key) => actor(ActorKind::ApiKey, key, &[key]),
    }
}

fn status(code: Code) -> u16 {
    santokit_bridge::edge::respond::status(code).as_u16()
}
