//! Hostile input in every place that a request has: names, operators, values, cursors, paths. No statement is made of it: what comes back is
//! a refusal or rows that are as they were, and the database's own words never do.

use santokit_core::{access::ActorKind, code::Code};
use santokit_sql::dialect::Dialect;
use serde_json::{Map, Value as Json, json};

use super::{
    shop::shop,
    world::{World, actor},
};

/// What breaks out of quotes, of statements, of patterns, of encodings.
const CORPUS: &[&str] = &[
    "'",
    "\"",
    "`",
    "''",
    "\\",
    "\\'",
    "\\\"",
    ";",
    "--",
    "/*",
    "*/",
    "#",
    "' OR '1'='1",
    "\" OR \"1\"=\"1",
    "` OR 1=1 -- ",
    "'; DROP TABLE customers; --",
    "\"; DROP TABLE customers; --",
    "`; DROP TABLE customers; -- ",
    "customers; DELETE FROM customers",
    "1) OR (1=1",
    "id\" IS NOT NULL OR \"id",
    "id` IS NOT NULL OR `id",
    "x' UNION SELECT secretNote FROM customers --",
    "' || (SELECT sqlite_version()) || '",
    "$1",
    "?",
    ":name",
    "@@version",
    "%",
    "_",
    "%27",
    "\u{0}",
    "a\u{0}b",
    "\u{2019}",
    "\u{ff07}",
    "\u{202e}",
    "\u{feff}id",
    "id ",
    " id",
    "ID",
    "id--",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "../../etc/passwd",
    "__proto__",
    "$where",
    "$ref",
    "$gt",
    "excluded.id",
    "stk_check",
    "stk_idempotency",
    "stk_cron_jobs",
    "stk_outbox",
    "sqlite_master",
    "pg_catalog.pg_user",
    "information_schema.tables",
    "rowid",
    "ctid",
    "customers.id",
    "NULL",
    "DEFAULT",
    "0x27",
    "CHAR(39)",
    "pg_sleep(10)",
    "",
];

/// What an engine or a driver says.
const WORDS: &[&str] =
    &["syntax", "SQLITE", "sqlite:", "postgres:", "mysql:", "near \\\"", "no such table: ", "does not exist", "42601"];

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
    let rows = json!({"data": [{"id": "c1", "name": "Paul", "secretNote": "planted"}, {"id": "c2", "name": "Quinn"}]});
    ask(&world, "db/customers/insert", &rows).await.unwrap();
    let before = everything(&world).await;
    for text in CORPUS {
        for (path, params) in names(text).into_iter().chain(values(text)) {
            match ask(&world, &path, &params).await {
                Ok(body) => assert!(!body.contains("planted") || path.ends_with("select"), "{path} {params}: {body}"),
                Err((code, body)) => {
                    let refused = matches!(
                        code,
                        Code::BadRequest
                            | Code::SchemaValidationFailed
                            | Code::NotFound
                            | Code::Forbidden
                            | Code::Conflict
                    );
                    assert!(refused, "{path} {params}: {code} {body}");
                    let said = WORDS.iter().find(|word| body.contains(*word) && !text.contains(*word));
                    assert_eq!(said, None, "{path} {params}: {body}");
                }
            }
        }
        stored_as_it_is(&world, text).await;
        assert_eq!(everything(&world).await, before, "{text:?} changed something");
    }
}

/// The text as a name of each kind. None of them is one.
fn names(text: &str) -> Vec<(String, Json)> {
    let of = |params: Json| ("db/customers/select".to_owned(), params);
    vec![
        (format!("db/{text}/select"), json!({})),
        (format!("db/{text}/delete"), json!({"all": true})),
        of(json!({"select": [text]})),
        of(json!({"where": {text: "x"}})),
        of(json!({"where": {"id": {text: "x"}}})),
        of(json!({"where": {format!("orders.{text}"): "x"}})),
        of(json!({"where": {"orders": {text: {"$in": [text]}}}})),
        of(json!({"orderBy": {text: "asc"}})),
        of(json!({"orderBy": {"id": text}})),
        of(json!({"orderBy": [text]})),
        of(json!({"expand": [text]})),
        of(json!({"expand": [format!("orders.{text}")]})),
        of(json!({"cursor": text})),
        of(json!({"limit": text})),
        of(json!({"offset": text})),
        of(json!({"aggregate": {text: true}})),
        of(json!({"aggregate": {"sum": [text]}})),
        of(json!({"aggregate": {"count": true, "groupBy": [text]}})),
        of(json!({text: text})),
        ("db/customers/insert".to_owned(), json!({"data": {"id": "h1", "name": "n", text: "x"}})),
        (
            "db/customers/insert".to_owned(),
            json!({"data": {"id": "c1", "name": "n"}, "onConflict": {"columns": [text], "do": "update"}}),
        ),
        (
            "db/customers/insert".to_owned(),
            json!({"data": {"id": "c1", "name": "n"}, "onConflict": {"columns": ["id"], "do": text}}),
        ),
        ("db/customers/update".to_owned(), json!({"where": {"id": "none"}, "data": {text: "x"}})),
        (
            "db/customers/update".to_owned(),
            json!({"where": {"id": "none"}, "data": {"name": "n"}, "returning": [text]}),
        ),
        ("db/customers/delete".to_owned(), json!({"where": {text: "x"}})),
        ("db/customers/delete".to_owned(), json!({"where": {"id": "none"}, "returning": [text]})),
        ("batch".to_owned(), json!({"calls": [{"path": text}]})),
        (
            "batch".to_owned(),
            json!({"calls": [{"path": "db/customers/select"}, {"path": "db/customers/delete", "params": {"where": {"id": {"$ref": text}}}}]}),
        ),
    ]
}

/// The text as a value. It is compared as it is, and equals nothing that is there.
fn values(text: &str) -> Vec<(String, Json)> {
    let filters = [
        json!({"id": text}),
        json!({"id": {"$in": [text, text]}}),
        json!({"id": {"$gt": text, "$lt": text}}),
        json!({"name": {"$like": text}, "id": "none"}),
        json!({"name": {"$ilike": text}, "id": "none"}),
        json!({"name": {"$contains": text}, "id": "none"}),
        json!({"creditCents": text}),
        json!({"orders": {"total": text}}),
        json!({"orders": {"placedAt": {"$gt": text}}}),
    ];
    let mut all = Vec::new();
    for filter in filters {
        all.push(("db/customers/select".to_owned(), json!({"where": filter})));
        all.push(("db/customers/delete".to_owned(), json!({"where": filter})));
        all.push(("db/customers/update".to_owned(), json!({"where": filter, "data": {"name": "changed"}})));
    }
    all
}

/// Written, found by its value, read, removed: the same text.
async fn stored_as_it_is(world: &World, text: &str) {
    if text.contains('\0') {
        return;
    }
    let data = json!({"data": {"id": "stored", "name": "n", "secretNote": text}});
    ask(world, "db/customers/insert", &data).await.unwrap_or_else(|error| panic!("{text:?}: {error:?}"));
    for filter in [
        json!({"secretNote": text}),
        json!({"secretNote": {"$in": [text]}}),
        json!({"secretNote": {"$contains": text}, "id": "stored"}),
    ] {
        let params = json!({"where": filter, "select": ["secretNote"]});
        let found = ask(world, "db/customers/select", &params).await.unwrap();
        assert_eq!(found, json!([{"secretNote": text}]).to_string(), "{filter}");
    }
    ask(world, "db/customers/delete", &json!({"where": {"id": "stored"}})).await.unwrap();
}

async fn everything(world: &World) -> String {
    ask(world, "db/customers/select", &json!({"orderBy": ["id"]})).await.unwrap()
}

async fn ask(world: &World, path: &str, params: &Json) -> Result<String, (Code, String)> {
    let admin = actor(ActorKind::ApiKey, "admin", &["admin", "app"]);
    let params: Map<String, Json> = params.as_object().unwrap().clone();
    match world.call(&admin, path, &params, None).await {
        Ok(answer) => Ok(String::from_utf8(answer.data).unwrap()),
        Err(problem) => Err((problem.code, serde_json::to_string(&problem.body("req")).unwrap())),
    }
}
