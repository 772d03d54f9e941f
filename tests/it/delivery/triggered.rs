//! Handlers whose writes fire triggers: the chain of events goes on through the rows, and ends where it is too deep, with nothing written.

use santokit_tests::{Engine, ProjectFolder, StkDev};
use serde_json::{Value as Json, json};

use super::{Asking, events, on::On};

const SCHEMA: &str =
    "version: 1\ntables:\n  links:\n    id: {generate: client}\n    columns: {n: {type: int, nullable: false}}\n";
const LINKED: &str = "name: linked\nschema: {n: {type: int, required: true}}\n";
const TRIGGER: &str = "on: insert\ntable: links\ntopic: linked\nmapping: {n: n}\n";
const RULES: &str = "tables:\n  links:\n    insert: {roles: [public, relink]}\n    select: {roles: [relink]}\n";
const SUBSCRIPTION: &str =
    "name: relink\ntopic: linked\nhandler: logics/relink\nretry: {maxRetries: 0, minBackoff: 10ms, maxBackoff: 10ms}\n";
const MANIFEST: &str =
    "component: {build: ts}\ntransaction: required\ngrants:\n  crud: {as: service, roles: [relink]}\n";
const RELINK: &str = "import { crud, eventHandler } from \"@santokit/guest\";\n\n\
    export const onEvent = eventHandler<{ n: number }>((event, { n }) => {\n  \
    crud.insert(\"links\", { data: { id: `of ${event.id}`, n: n + 1 } });\n});\n";
const LINKS: &str = "---\nauth: public\n---\nSELECT id, n FROM links ORDER BY n\n";
const CHAIN: &str = "---\nauth: public\n---\nSELECT id, depth, caused_by, published_by FROM stk_outbox WHERE topic = 'linked' ORDER BY depth\n";
const ROWS: &str = "---\nauth: public\n---\nSELECT event, state, error FROM stk_delivery\n";

cases! { chained:
    a_chain_through_rows_ends_on_sqlite = None, Tables;
    a_chain_through_rows_ends_on_postgres = Some(Engine::Postgres), Tables;
    a_chain_through_rows_ends_on_mysql = Some(Engine::Mysql), Tables;
    a_chain_through_rows_ends_over_nats = None, Nats;
}

async fn chained(on: On) {
    let settings = format!("version: 1\nname: {}\n", on.project("chained"));
    let folder = ProjectFolder::new([
        ("santokit.yaml", settings.as_str()),
        ("schema/main.yaml", SCHEMA),
        ("config/permissions.yaml", RULES),
        ("events/topics/linked.yaml", LINKED),
        ("events/triggers/linked.yaml", TRIGGER),
        ("events/subscriptions/relink.yaml", SUBSCRIPTION),
        ("logics/relink/logic.yaml", MANIFEST),
        ("logics/relink/index.ts", RELINK),
        ("logics/links.sql", LINKS),
        ("logics/chain.sql", CHAIN),
        ("logics/rows.sql", ROWS),
    ])
    .unwrap();
    let connection = on.connection(None);
    if !connection.is_empty() {
        folder.write("santokit.dev.yaml", &connection).unwrap();
    }
    let dev = StkDev::start(folder.path(), &on.settings()).await.unwrap();
    let asking = Asking::of(&dev);
    let first =
        dev.client.post("/db/links/insert", json!({"data": {"id": "first", "n": 0}}).to_string()).await.unwrap();
    assert_eq!(first.status, 200, "{first:?}");
    let is_dead = |rows: &[Json]| rows.len() == 1 && rows[0]["state"] == "dead";
    let dead = asking.until("rows", "the last one is given up", is_dead).await;
    assert!(dead[0]["error"].as_str().unwrap().starts_with("CRUD_"), "{dead:?}");

    // Handlers of depth 0 to 15 each wrote a row, and that of depth 16 none.
    let links = asking.rows("links").await;
    let numbers: Vec<i64> = links.iter().map(|row| row["n"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (0..=16).collect::<Vec<i64>>(), "{dead:?}\n{}", dev.output());
    let chain = asking.rows("chain").await;
    assert_eq!(chain.len(), 17, "{chain:?}");
    assert_eq!(chain[0]["caused_by"], Json::Null);
    // What is refused is told with the whole chain: to the handler, whose words are its own, and in the log.
    dev.wait_for_output("a chain of events is too deep").await.unwrap();
    let output = dev.output();
    let told = output.lines().find(|line| line.contains("a chain of events is too deep")).unwrap();
    for event in &chain {
        let id = event["id"].as_str().unwrap();
        assert!(told.contains(id), "{id}: {told}");
    }
    for pair in chain.windows(2) {
        assert_eq!((&pair[1]["caused_by"], &pair[1]["published_by"]), (&pair[0]["id"], &json!("trigger:linked")));
        assert_eq!(pair[1]["depth"].as_i64(), pair[0]["depth"].as_i64().map(|depth| depth + 1));
    }
    assert_eq!(events(&dead).first().map(String::as_str), chain[16]["id"].as_str());
}
