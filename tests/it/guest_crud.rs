//! Guests in four languages ask the tables: what a caller's rules give and hide, what a service's do, what belongs to a transaction, and
//! where an invocation's limits end it. On servers as on SQLite; only transactions of a guest's own are SQLite's.

mod files;
mod in_c;

use std::time::{Duration, Instant};

use santokit_tests::{Answer, Engine, ProjectFolder, StkDev, TestDatabase, stk};
use serde_json::{Value, json};

const SCHEMA: &str = "version: 1
tables:
  authors:
    id: {generate: client}
    columns:
      name: {type: string, nullable: false}
  notes:
    id: {generate: client}
    columns:
      owner: {type: string, nullable: false}
      text: {type: string, nullable: false, unique: true, maxLength: 750}
      secret: {type: string}
      authorId: {type: string, references: {table: authors, as: author}}
  vault:
    id: {generate: client}
    columns:
      text: {type: string}
  letters:
    id: {generate: client}
    columns:
      text: {type: string}
";

/// Everybody has the rows of everybody, and without their secrets. The keeper has all.
const PERMISSIONS: &str = r#"tables:
  authors:
    select: {roles: [public]}
    insert: {roles: [keeper]}
  notes:
    select:
      - {roles: [keeper]}
      - {roles: [authenticated], condition: "resource.owner == request.auth.sub", columns: [id, owner, text, authorId]}
      - {roles: [public], condition: "resource.owner == 'all'", columns: [id, owner, text, authorId]}
    insert:
      - {roles: [keeper]}
      - {roles: [public], condition: "resource.owner == 'all'", columns: [id, owner, text, authorId]}
    update:
      - {roles: [keeper]}
      - {roles: [public], condition: "resource.owner == 'all'", columns: [owner, text]}
    delete:
      - {roles: [keeper]}
      - {roles: [public], condition: "resource.owner == 'all'"}
  vault:
    select: {roles: [keeper]}
    insert: {roles: [keeper]}
  letters:
    select: {roles: [keeper]}
    insert: {roles: [public]}
"#;

const ROWS: [&str; 3] = [
    "INSERT INTO authors (id, name) VALUES ('ada', 'Ada')",
    "INSERT INTO notes (id, owner, text, secret, \"authorId\") VALUES ('n1', 'all', 'open', 's1', 'ada'), \
     ('n2', 'eve', 'hidden-row', 'planted-secret', NULL), ('n3', 'all', 'second', NULL, NULL)",
    "INSERT INTO vault (id, text) VALUES ('v1', 'planted-vault')",
];

/// Of the Rust guest, away from the workspace of the guests.
const CARGO: &str = "[package]\nname = \"guest-crud\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
    [lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\nsantokit-guest = { path = \"../../.stk/cache/sdk/rust\" }\n\
    serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n";

const SQL: &str = "  sql: [{connection: main, tables: {notes: [select, insert]}}]\n";
const AS_A_WHOLE: (&str, &str) = ("auth: public\n", "auth: public\ntransaction: required\n");
const AS_SERVICE: (&str, &str) = ("crud: {as: caller}", "crud: {as: service, roles: [keeper]}");

fn project(url: &str, engine: &str) -> ProjectFolder {
    let dev = format!("connections:\n  main: {{engine: {engine}, url: \"{url}\"}}\n");
    ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: asking\n"),
        ("santokit.dev.yaml", dev.as_str()),
        ("schema/main.yaml", SCHEMA),
        ("config/permissions.yaml", PERMISSIONS),
    ])
    .unwrap()
}

fn add_rust(folder: &ProjectFolder, name: &str, changes: &[(&str, &str)]) {
    add(folder, "crud", name, changes);
    folder.write(&format!("logics/{name}/Cargo.toml"), CARGO).unwrap();
}

/// A guest of `tests/guests` as a logic, with changes of its manifest.
fn add(folder: &ProjectFolder, guest: &str, name: &str, changes: &[(&str, &str)]) {
    folder.add_copy(&format!("tests/guests/{guest}"), &format!("logics/{name}")).unwrap();
    for (from, to) in changes {
        folder.edit(&format!("logics/{name}/logic.yaml"), from, to).unwrap();
    }
}

fn sqlite() -> ProjectFolder {
    let folder = project("sqlite:.stk/dev/main.db", "sqlite");
    let rows: Vec<String> = ROWS.iter().map(|row| format!("{row};\n")).collect();
    folder.write("seed/main.sql", &rows.concat()).unwrap();
    folder
}

async fn ask(dev: &StkDev, logic: &str, steps: Value) -> Answer {
    dev.client.logic(logic, json!({"steps": steps})).await.unwrap()
}

/// What each step came to.
async fn told(dev: &StkDev, logic: &str, steps: Value) -> Vec<Value> {
    let answer = ask(dev, logic, steps.clone()).await;
    assert_eq!(answer.status, 200, "{logic} {steps}: {answer:?}\n{}", dev.output());
    answer.body["data"].as_array().unwrap().clone()
}

async fn one(dev: &StkDev, logic: &str, op: &str, table: &str, params: Value) -> Value {
    told(dev, logic, json!([{"op": op, "table": table, "params": params}])).await.remove(0)
}

fn ids(step: &Value) -> Vec<&str> {
    let rows = step["data"].as_array().unwrap_or_else(|| panic!("no rows: {step}"));
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

fn note(id: &str, owner: &str) -> Value {
    json!({"data": {"id": id, "owner": owner, "text": id}})
}

#[expect(clippy::needless_pass_by_value, reason = "most are made for it")]
fn step(op: &str, params: Value, within: bool) -> Value {
    json!({"op": op, "table": "notes", "params": params, "within": within})
}

/// Also as a service, and with a transaction of the invocation's own.
#[tokio::test(flavor = "multi_thread")]
async fn guests_ask_tables_in_rust() {
    let folder = sqlite();
    add_rust(&folder, "rust", &[]);
    add_rust(&folder, "service", &[AS_SERVICE]);
    add_rust(&folder, "whole", &[AS_A_WHOLE]);
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    in_a_language(&dev, "rust").await;
    as_a_service(&dev).await;
    as_a_whole(&dev, "rust").await;
}

/// The same, and what C alone lets a logic do.
#[tokio::test(flavor = "multi_thread")]
async fn guests_ask_tables_in_c() {
    let folder = sqlite();
    folder.write("queries/all.sql", "---\n---\nSELECT id FROM notes\n").unwrap();
    add(&folder, "crud-c", "c", &[]);
    add(&folder, "crud-c", "service", &[AS_SERVICE]);
    add(&folder, "crud-c", "whole", &[AS_A_WHOLE]);
    add(&folder, "crud-misuse-c", "misuse", &[]);
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    in_a_language(&dev, "c").await;
    as_a_service(&dev).await;
    as_a_whole(&dev, "c").await;
    in_c::every_verb_belongs_to_a_transaction(&dev, "c").await;
    in_c::misuse_is_told(&dev, "misuse").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_ask_tables_in_typescript() {
    let folder = sqlite();
    folder.add_copy("tests/guests/crud-ts", "logics/ts").unwrap();
    in_a_language(&StkDev::start(folder.path(), &[]).await.unwrap(), "ts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_ask_tables_on_starlingmonkey() {
    let folder = sqlite();
    folder.add_copy("tests/guests/crud-ts", "logics/starling").unwrap();
    folder.edit("logics/starling/logic.yaml", "build: ts", "build: ts, engine: starlingmonkey").unwrap();
    in_a_language(&StkDev::start(folder.path(), &[]).await.unwrap(), "starling").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_ask_tables_in_python() {
    let folder = sqlite();
    folder.add_copy("tests/guests/crud-py", "logics/python").unwrap();
    in_a_language(&StkDev::start(folder.path(), &[]).await.unwrap(), "python").await;
}

async fn in_a_language(dev: &StkDev, logic: &str) {
    as_the_caller(dev, logic).await;
    unread_rows_are_written(dev, logic).await;
    injections_are_data(dev, logic).await;
    in_a_transaction(dev, logic).await;
    limits_end_it(dev, logic).await;
}

/// What may be written and not read is written, and not answered.
async fn unread_rows_are_written(dev: &StkDev, logic: &str) {
    let letter = json!({"data": {"id": logic, "text": "sealed"}});
    assert_eq!(one(dev, logic, "insert", "letters", letter.clone()).await["data"], json!([]), "{logic}");
    assert_eq!(one(dev, logic, "insert", "letters", letter).await["code"], "CONFLICT", "{logic}");
}

async fn as_the_caller(dev: &StkDev, logic: &str) {
    let all = one(dev, logic, "select", "notes", json!({"orderBy": {"id": "asc"}})).await;
    assert_eq!(ids(&all), ["n1", "n3"], "{logic}");
    assert_eq!(all["data"][0], json!({"id": "n1", "owner": "all", "text": "open", "authorId": "ada"}), "{logic}");
    // The same as from outside, which is asked by the same code.
    let outside = dev.client.post("/db/notes/select", json!({"orderBy": {"id": "asc"}}).to_string()).await.unwrap();
    assert_eq!(outside.body["data"], all["data"], "{logic}");

    let expanded = one(dev, logic, "select", "notes", json!({"expand": ["author"], "where": {"id": "n1"}})).await;
    assert_eq!(expanded["data"][0]["author"], json!({"id": "ada", "name": "Ada"}), "{logic}: {expanded}");
    let page = one(dev, logic, "page", "notes", json!({"limit": 1, "count": true})).await;
    assert_eq!((&page["data"]["total"], page["data"]["nextCursor"].is_string()), (&json!(2), true), "{logic}: {page}");
    let cursor = page["data"]["nextCursor"].clone();
    let rest = one(dev, logic, "page", "notes", json!({"limit": 1, "cursor": cursor})).await;
    assert_eq!((&rest["data"]["rows"][0]["id"], &rest["data"]["nextCursor"]), (&json!("n3"), &json!(null)), "{logic}");

    // What may not be read is answered as what is not there, and as it is answered outside.
    for (params, unknown) in [
        (json!({"where": {"secret": "planted-secret"}}), json!({"where": {"secreq": "planted-secret"}})),
        (json!({"select": ["secret"]}), json!({"select": ["secreq"]})),
        (json!({"orderBy": {"secret": "asc"}}), json!({"orderBy": {"secreq": "asc"}})),
    ] {
        let denied = one(dev, logic, "select", "notes", params.clone()).await;
        let missing = one(dev, logic, "select", "notes", unknown).await;
        assert_eq!(
            (&denied["error"], &denied["code"]),
            (&json!("refused"), &json!("BAD_REQUEST")),
            "{logic}: {denied}"
        );
        assert_eq!(denied.to_string().replace("secret", "secreq"), missing.to_string(), "{logic}");
        let outside = dev.client.post("/db/notes/select", params.to_string()).await.unwrap();
        assert_eq!(outside.body["error"]["details"], denied["details"], "{logic}");
    }
    let (denied, missing) =
        (one(dev, logic, "select", "vault", json!({})), one(dev, logic, "select", "vaults", json!({})));
    let (denied, missing) = (denied.await, missing.await);
    assert_eq!(denied["code"], "UNAUTHORIZED", "{logic}: {denied}");
    assert_eq!(denied, missing, "{logic}");

    // Writes, each under its rule.
    let id = format!("w-{logic}");
    let insert = one(dev, logic, "insert", "notes", note(&id, "all")).await;
    assert_eq!(ids(&insert), [id.as_str()], "{logic}");
    let refused = one(dev, logic, "insert", "notes", note(&format!("x-{logic}"), "eve")).await;
    assert_eq!(
        (&refused["error"], &refused["code"]),
        (&json!("refused"), &json!("UNAUTHORIZED")),
        "{logic}: {refused}"
    );
    let conflict = one(dev, logic, "insert", "notes", note(&id, "all")).await;
    assert_eq!(conflict["code"], "CONFLICT", "{logic}: {conflict}");
    assert!(!conflict.to_string().contains("sqlite") && !conflict.to_string().contains("UNIQUE"), "{conflict}");
    let own = json!({"where": {"id": id}});
    let changed = json!({"where": {"id": id}, "data": {"text": format!("{id}!")}});
    assert_eq!(one(dev, logic, "update", "notes", changed.clone()).await["data"], 1, "{logic}");
    let rows = one(dev, logic, "updateReturning", "notes", changed).await;
    assert_eq!(rows["data"][0]["text"], format!("{id}!"), "{logic}");
    let others = json!({"where": {"id": "n2"}, "data": {"text": "stolen"}});
    assert_eq!(one(dev, logic, "update", "notes", others).await["data"], 0, "{logic}");
    assert_eq!(ids(&one(dev, logic, "deleteReturning", "notes", own.clone()).await), [id.as_str()], "{logic}");
    assert_eq!(one(dev, logic, "delete", "notes", own).await["data"], 0, "{logic}");

    // All or nothing, with a reference to an earlier answer.
    let path = |verb: &str| format!("db/notes/{verb}");
    let calls = json!({"calls": [
        {"path": path("insert"), "params": note(&id, "all")},
        {"path": path("delete"), "params": {"where": {"id": {"$ref": "0.data.0.id"}}}},
    ]});
    let batch = one(dev, logic, "batch", "", calls).await;
    assert_eq!(batch["data"][1], json!({"affected": 1}), "{logic}: {batch}");
    let failing = json!({"calls": [
        {"path": path("insert"), "params": note(&id, "all")}, {"path": path("insert"), "params": note("other", "eve")},
    ]});
    let batch = one(dev, logic, "batch", "", failing).await;
    assert_eq!((&batch["error"], &batch["details"]["call"]), (&json!("refused"), &json!(1)), "{logic}: {batch}");
    assert_eq!(ids(&one(dev, logic, "select", "notes", json!({"where": {"id": id}})).await), [""; 0], "{logic}");
}

async fn injections_are_data(dev: &StkDev, logic: &str) {
    for table in
        ["notes\"; DROP TABLE notes; --", "notes, vault", "sqlite_schema", "stk_idempotency", "NOTES", "", "../notes"]
    {
        let refused = one(dev, logic, "select", table, json!({})).await;
        assert_eq!(
            (&refused["error"], &refused["code"]),
            (&json!("refused"), &json!("UNAUTHORIZED")),
            "{table}: {refused}"
        );
    }
    let long = one(dev, logic, "select", &"n".repeat(500), json!({})).await;
    assert_eq!(long["error"], "invalid", "{logic}: {long}");
    for params in [
        json!({"where": {"id\" = 'n2' OR \"1": "1"}}),
        json!({"where": {"owner": {"$raw": "1 = 1"}}}),
        json!({"orderBy": {"id; DROP TABLE notes": "asc"}}),
        json!({"select": ["*, secret"]}),
        json!({"limit": "1; DROP TABLE notes"}),
    ] {
        let refused = one(dev, logic, "select", "notes", params.clone()).await;
        assert_eq!(refused["code"], "BAD_REQUEST", "{logic} {params}: {refused}");
    }
    let odd = "'); DELETE FROM notes; --";
    let id = format!("i-{logic}");
    let data = json!({"data": {"id": id, "owner": "all", "text": format!("{logic}{odd}")}});
    assert_eq!(one(dev, logic, "insert", "notes", data).await["data"][0]["text"], format!("{logic}{odd}"));
    let found = one(dev, logic, "select", "notes", json!({"where": {"text": {"$contains": odd}, "id": id}})).await;
    assert_eq!(ids(&found), [id.as_str()], "{logic}");
    assert_eq!(one(dev, logic, "delete", "notes", json!({"where": {"id": id}})).await["data"], 1, "{logic}");
}

/// SQL of the guest's own, and requests in its transaction.
async fn in_a_transaction(dev: &StkDev, logic: &str) {
    let (a, b) = (format!("t1-{logic}"), format!("t2-{logic}"));
    let mine = json!({"where": {"id": {"$in": [a, b]}}, "orderBy": {"id": "asc"}});
    let sql = |text: &str| json!({"op": "sql", "params": text});
    let (begin, commit, rollback) = (json!({"op": "begin"}), json!({"op": "commit"}), json!({"op": "rollback"}));

    // It sees itself, and is undone with it.
    let steps = json!([
        begin,
        step("insert", note(&a, "all"), true),
        step("select", mine.clone(), true),
        rollback,
        step("select", mine.clone(), false)
    ]);
    let done = told(dev, logic, steps).await;
    assert_eq!((ids(&done[2]), ids(&done[4])), (vec![a.as_str()], vec![]), "{logic}: {done:?}");

    // A request that fails has done nothing, and the transaction goes on. The second row of it is one that may not be.
    let both = json!({"data": [
        {"id": b, "owner": "all", "text": "both"}, {"id": format!("x-{logic}"), "owner": "eve", "text": "eves"},
    ]});
    let steps = json!([
        begin,
        step("insert", note(&a, "all"), true),
        step("insert", both, true),
        step("select", mine.clone(), true),
        commit,
        step("select", mine.clone(), false)
    ]);
    let done = told(dev, logic, steps).await;
    assert_eq!(done[2]["code"], "UNAUTHORIZED", "{logic}: {done:?}");
    assert_eq!((ids(&done[3]), ids(&done[5])), (vec![a.as_str()], vec![a.as_str()]), "{logic}: {done:?}");
    assert_eq!(one(dev, logic, "delete", "notes", json!({"where": mine["where"]})).await["data"], 1, "{logic}");

    // The guest's own statements are what they were: under its grant, before, after, and after an error.
    let vault = sql("SELECT * FROM vault");
    let steps = json!([
        begin,
        vault,
        step("insert", note(&a, "all"), true),
        vault,
        step("insert", note(&a, "all"), true),
        vault,
        sql("DELETE FROM notes"),
        sql("SELECT id FROM notes WHERE id LIKE 't1-%'"),
        rollback
    ]);
    let done = told(dev, logic, steps).await;
    for index in [1, 3, 5, 6] {
        let said = done[index]["message"].as_str().unwrap_or_default();
        assert!(done[index]["error"] == "invalid" && said.contains("denied"), "{logic} {index}: {done:?}");
    }
    assert_eq!((&done[4]["code"], &done[7]["data"]), (&json!("CONFLICT"), &json!(1)), "{logic}: {done:?}");

    levels_and_beside(dev, logic, &[&a, &b], &mine).await;
}

/// Levels: the inner one is undone alone. Beside a transaction a request is refused at once.
async fn levels_and_beside(dev: &StkDev, logic: &str, ids_of: &[&str; 2], mine: &Value) {
    let [a, b] = *ids_of;
    let (begin, rollback) = (json!({"op": "begin"}), json!({"op": "rollback"}));
    let steps = json!([
        begin,
        step("insert", note(a, "all"), true),
        begin,
        step("insert", note(b, "all"), true),
        rollback,
        step("select", mine.clone(), true),
        rollback
    ]);
    let done = told(dev, logic, steps).await;
    assert_eq!(ids(&done[5]), [a], "{logic}: {done:?}");

    // Beside it, a request would wait for its locks.
    let started = Instant::now();
    let beside = json!([
        begin,
        step("insert", note(a, "all"), false),
        step("select", mine.clone(), false),
        json!({"op": "batch", "params": {"calls": [{"path": "db/notes/select", "params": {}}]}}),
        rollback
    ]);
    let done = told(dev, logic, beside).await;
    for index in 1..=3 {
        let said = done[index]["message"].as_str().unwrap_or_default();
        assert!(done[index]["error"] == "invalid" && said.contains("pass it to this call"), "{logic}: {done:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

async fn limits_end_it(dev: &StkDev, logic: &str) {
    let rows = |prefix: &str, count: usize, length: usize| {
        let row = |n: usize| json!({"id": format!("{prefix}-{logic}-{n}"), "owner": "all", "text": format!("{prefix}{logic}{n:0>length$}")});
        json!({"data": (0..count).map(row).collect::<Vec<_>>()})
    };
    // Rows that were written are rows that were read where they are answered, and are not stored where they are too many.
    for (prefix, count, length, limit) in [("r", 60, 1, "sqlRows"), ("b", 30, 720, "sqlBytes")] {
        let refused = one(dev, logic, "insert", "notes", rows(prefix, count, length)).await;
        assert_eq!(refused["error"], "limit", "{logic}: {refused}");
        assert!(refused["message"].as_str().unwrap().contains(limit), "{logic}: {refused}");
        let filter = json!({"where": {"id": {"$like": format!("{prefix}-{logic}-%")}}, "limit": 1});
        assert_eq!(ids(&one(dev, logic, "select", "notes", filter.clone()).await), [""; 0], "{logic}");

        let calls: Vec<Value> = rows(prefix, count, length)["data"]
            .as_array()
            .unwrap()
            .chunks(20)
            .map(|chunk| json!({"path": "db/notes/insert", "params": {"data": chunk, "returning": false}}))
            .collect();
        let stored = one(dev, logic, "batch", "", json!({"calls": calls})).await;
        assert!(stored["data"].is_array(), "{logic}: {stored}");
        let filter = json!({"where": {"id": {"$like": format!("{prefix}-{logic}-%")}}, "limit": 100});
        let refused = one(dev, logic, "select", "notes", filter.clone()).await;
        assert_eq!(refused["error"], "limit", "{logic}: {refused}");
        // It counts over all requests of the invocation, and what is not caught is that limit.
        let mut half = filter.clone();
        half["limit"] = json!(count / 2);
        let mut rest = half.clone();
        rest["offset"] = json!(count / 2);
        rest["giveUp"] = json!(true);
        let steps = json!([step("select", half, false), step("select", rest, false)]);
        let ended = ask(dev, logic, steps).await;
        assert_eq!((ended.code(), ended.limit()), ("LOGIC_FAILED", limit), "{logic}: {ended:?}");
        let all = json!({"where": filter["where"]});
        assert_eq!(one(dev, logic, "delete", "notes", all).await["data"], count, "{logic}");
    }
}

async fn as_a_service(dev: &StkDev) {
    let all = one(dev, "service", "select", "notes", json!({"orderBy": {"id": "asc"}})).await;
    assert_eq!(ids(&all), ["n1", "n2", "n3"]);
    assert_eq!(all["data"][1]["secret"], "planted-secret");
    assert_eq!(ids(&one(dev, "service", "select", "vault", json!({})).await), ["v1"]);
    // What its roles do not give is not there for it either: it may hand the answer on.
    let denied = one(dev, "service", "delete", "vault", json!({"all": true})).await;
    let missing = one(dev, "service", "delete", "vaults", json!({"all": true})).await;
    assert_eq!((&denied["error"], &denied["code"]), (&json!("refused"), &json!("NOT_FOUND")), "{denied}");
    assert_eq!(denied, missing);
}

/// `transaction: required`: every request belongs to it, without being told so.
async fn as_a_whole(dev: &StkDev, plain: &str) {
    let mine = json!({"where": {"id": {"$like": "whole-%"}}});
    let eves = step("insert", note("whole-2", "eve"), false);
    let steps = json!([step("insert", note("whole-1", "all"), false), eves, step("select", mine.clone(), false)]);
    let done = told(dev, "whole", steps).await;
    assert_eq!((&done[1]["code"], ids(&done[2])), (&json!("UNAUTHORIZED"), vec!["whole-1"]), "{done:?}");
    let mut all = json!({"where": {"id": {"$like": "fill-%"}}, "limit": 100, "giveUp": true});
    let fill: Vec<Value> = (0..60).map(|n| note(&format!("fill-{n}"), "all")["data"].clone()).collect();
    let fill = json!({"data": fill, "returning": false});
    let calls = json!({"op": "batch", "params": {"calls": [{"path": "db/notes/insert", "params": fill}]}});
    let ended = ask(dev, "whole", json!([calls, step("select", all.take(), false)])).await;
    assert_eq!((ended.code(), ended.limit()), ("LOGIC_FAILED", "sqlRows"), "{ended:?}");
    let left = json!({"where": {"id": {"$like": "fill-%"}}});
    assert_eq!(ids(&one(dev, plain, "select", "notes", left).await), [""; 0]);
    assert_eq!(one(dev, plain, "delete", "notes", mine).await["data"], 1);
}

/// On servers a guest has no SQL of its own, and the tables all the same.
#[tokio::test(flavor = "multi_thread")]
async fn guests_ask_tables_on_servers() {
    for engine in Engine::ALL {
        let database = TestDatabase::create(engine).await.unwrap();
        let folder = project(&database.url(), engine.as_str());
        add_rust(&folder, "rust", &[(SQL, "")]);
        add_rust(&folder, "service", &[(SQL, ""), AS_SERVICE]);
        add_rust(&folder, "whole", &[(SQL, ""), AS_A_WHOLE]);
        let dev = StkDev::start(folder.path(), &[]).await.unwrap();
        for (table, data) in [
            ("authors", json!({"id": "ada", "name": "Ada"})),
            (
                "notes",
                json!([{"id": "n1", "owner": "all", "text": "open", "secret": "s1", "authorId": "ada"},
                {"id": "n2", "owner": "eve", "text": "hidden-row", "secret": "planted-secret"},
                {"id": "n3", "owner": "all", "text": "second"}]),
            ),
            ("vault", json!({"id": "v1", "text": "planted-vault"})),
        ] {
            let stored = one(&dev, "service", "insert", table, json!({"data": data, "returning": true})).await;
            assert!(stored["data"].is_array(), "{engine:?} {table}: {stored}");
        }
        as_the_caller(&dev, "rust").await;
        injections_are_data(&dev, "rust").await;
        limits_end_it(&dev, "rust").await;
        as_a_service(&dev).await;
        as_a_whole(&dev, "rust").await;
        // There is nothing to begin on its own, and no way to SQL by what CRUD brings.
        let done = told(&dev, "rust", json!([{"op": "begin"}, {"op": "sql", "params": "SELECT 1"}])).await;
        for step in &done {
            assert!(step["message"].as_str().unwrap().contains("denied"), "{engine:?}: {done:?}");
        }
    }
}

const CASES: &str = r#"
cases:
  - name: an end user has its own rows
    given: {rows: {notes: [{id: a, owner: ada, text: mine, secret: s}, {id: b, owner: eve, text: planted}]}}
    as: {user: {subject: ada}}
    params: {steps: [{op: select, table: notes}]}
    expect: {answer: [{data: [{id: a, owner: ada, text: mine, authorId: null}]}]}
  - name: what is denied to an end user is not there
    as: {user: {subject: ada}}
    params: {steps: [{op: select, table: vault}, {op: select, table: vaults}]}
    expect:
      answer:
        - {error: refused, code: NOT_FOUND, message: "crud refused, NOT_FOUND: there is no such table", hint: null, details: {}}
        - {error: refused, code: NOT_FOUND, message: "crud refused, NOT_FOUND: there is no such table", hint: null, details: {}}
  - name: a key has what its roles give
    given: {rows: {notes: [{id: b, owner: eve, text: t, secret: s}]}}
    as: {apiKey: [keeper]}
    params: {steps: [{op: select, table: notes}, {op: insert, table: vault, params: {data: {id: v, text: kept}}}]}
    expect:
      answer: [{data: [{id: b, owner: eve, text: t, secret: s, authorId: null}]}, {data: [{id: v, text: kept}]}]
      rows: {vault: [{id: v, text: kept}]}
  - name: a key without a role is told why
    as: {apiKey: [clerk]}
    params: {steps: [{op: select, table: vault}]}
    expect: {answer: [{$partial: {error: refused, code: FORBIDDEN}}]}
"#;

/// Beside the case's own caller: in memory, with its rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_of_a_logic_asks_as_its_caller() {
    let folder = project("sqlite:.stk/dev/main.db", "sqlite");
    add_rust(&folder, "rust", &[]);
    folder.write("logics/rust/tests/callers.yaml", CASES).unwrap();
    let finished = stk(folder.path(), &["logic", "test"], &[]).await.unwrap();
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.contains('4') || finished.stderr.contains('4'), "{finished:?}");
}

/// What uses it says so in its manifest, and a role more is a power more.
#[tokio::test(flavor = "multi_thread")]
async fn asking_tables_is_a_grant() {
    let folder = project("sqlite:.stk/dev/main.db", "sqlite");
    let build = async |name: &str| stk(folder.path(), &["logic", "build", name], &[]).await.unwrap();
    for (name, guest) in [("ts", "tests/guests/crud-ts"), ("c", "tests/guests/crud-c")] {
        folder.add_copy(guest, &format!("logics/{name}")).unwrap();
        folder.edit(&format!("logics/{name}/logic.yaml"), "  crud: {as: caller}\n", "").unwrap();
        let refused = build(name).await;
        assert_ne!(refused.code, 0, "{refused:?}");
        let said = format!("{}{}", refused.stdout, refused.stderr);
        let place = format!("logics/{name}/logic.yaml:");
        assert!(said.contains("santokit:crud/crud@0.1.0") && said.contains(&place), "{said}");
    }

    folder
        .edit("logics/ts/logic.yaml", "grants:\n", "grants:\n  crud: {as: service, roles: [keeper, clerk]}\n")
        .unwrap();
    let accepted = build("ts").await;
    assert_eq!(accepted.code, 0, "{accepted:?}");
    let inspected = stk(folder.path(), &["logic", "inspect", "ts"], &[]).await.unwrap();
    for line in ["crud as service, role keeper", "crud as service, role clerk"] {
        assert!(inspected.stdout.contains(line), "{inspected:?}");
    }
}
