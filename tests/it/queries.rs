//! Declared queries from guests in four languages: what they answer, and what a hostile guest gets.

use santokit_tests::{ProjectFolder, StkDev, stk};
use serde_json::{Value, json};

const SCHEMA: &str = "version: 1
tables:
  orders:
    id: {generate: client}
    columns:
      customerId: {type: string, nullable: false}
      total: {type: decimal, nullable: false}
      paid: {type: boolean}
  vault:
    id: {generate: client}
    columns:
      text: {type: string}
";
const SEED: &str =
    "INSERT INTO orders (id, customerId, total, paid) VALUES ('o1', 'c1', '19.90', 1), ('o2', 'c1', '5', NULL);
INSERT INTO vault (id, text) VALUES ('1', 'planted-row-77c1');
";
const LOGICS: [(&str, &str); 4] = [
    ("rust", "tests/guests/queries"),
    ("ts", "tests/guests/queries-ts"),
    ("c", "tests/guests/queries-c"),
    ("python", "tests/guests/queries-py"),
];

/// Of the Rust guest, away from the workspace of the guests.
const CARGO: &str = "[package]\nname = \"guest-queries\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
    [lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\nsantokit-guest = { path = \"../../.stk/cache/sdk/rust\" }\n\
    serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n";

/// A guest that has a query and asks for raw SQL.
const RAW: &str = "import { logic, queries, sql } from \"@santokit/guest\";\n\
    export default logic(() => [queries.many(\"everything\"), sql.open(\"main\").query(\"SELECT 1\")]);\n";

fn project() -> ProjectFolder {
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: declared\n"),
        ("santokit.dev.yaml", "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\n"),
        ("schema/main.yaml", SCHEMA),
        ("seed/main.sql", SEED),
        (
            "queries/by_customer.sql",
            "---\nparams: {customerId: {type: string, required: true, maxLength: 40}, paid: {type: boolean}}\n---\n\
             SELECT * FROM orders WHERE customerId = :customerId AND (:paid IS NULL OR paid = :paid) ORDER BY id\n",
        ),
        (
            "queries/by_id.sql",
            "---\nreturns: one\nparams: {id: {type: string, default: o1}}\n---\nSELECT * FROM orders WHERE id = :id OR :id = '*'\n",
        ),
        (
            "queries/add.sql",
            "---\nreturns: exec\nparams:\n  id: {type: string, required: true}\n  customerId: {type: string, required: true}\n  \
             total: {type: decimal, required: true}\n---\n\
             INSERT INTO orders (id, customerId, total) VALUES (:id, :customerId, :total)\n",
        ),
        (
            "queries/add_returning.sql",
            "---\nreturns: one\nparams: {id: {type: string, required: true}}\n---\n\
             INSERT INTO orders (id, customerId, total) SELECT :id || id, customerId, total FROM orders RETURNING *\n",
        ),
        (
            "queries/everything.sql",
            "---\nresult: {n: int, half: decimal, late: timestamp}\n---\n\
             WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20000)\n\
             SELECT n, n / 2.0 AS half, :now AS late, 1 AS extra FROM c\n",
        ),
        ("queries/vault.sql", "---\n---\nSELECT * FROM vault\n"),
    ])
    .unwrap();
    for (name, from) in LOGICS {
        folder.add_copy(from, &format!("logics/{name}")).unwrap();
    }
    folder.write("logics/rust/Cargo.toml", CARGO).unwrap();
    folder
}

async fn call(dev: &StkDev, logic: &str, op: &str, query: &str, params: Value) -> Value {
    let input = json!({"op": op, "query": query, "params": params});
    let answer = dev.client.logic(logic, input).await.unwrap();
    assert_eq!(answer.status, 200, "{logic} {op} {query}: {answer:?}");
    answer.body["data"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_call_queries_by_name_and_get_what_was_declared() {
    let folder = project();
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    for (logic, _) in LOGICS {
        let rows = call(&dev, logic, "many", "by_customer", json!({"customerId": "c1"})).await;
        let expected = json!([
            {"id": "o1", "customerId": "c1", "total": "19.90", "paid": true},
            {"id": "o2", "customerId": "c1", "total": "5", "paid": null},
        ]);
        assert_eq!(rows, expected, "{logic}");
        let paid = call(&dev, logic, "many", "by_customer", json!({"customerId": "c1", "paid": true})).await;
        assert_eq!(paid.as_array().map(Vec::len), Some(1), "{logic}: {paid}");
        assert_eq!(call(&dev, logic, "one", "by_id", json!({})).await["total"], "19.90", "{logic}");

        let added = json!({"id": logic, "customerId": "c2", "total": "0.10"});
        assert_eq!(call(&dev, logic, "execute", "add", added.clone()).await, 1, "{logic}");
        assert_eq!(call(&dev, logic, "execute", "add", added).await["error"], "database", "{logic}");

        // A transaction keeps both or none.
        let failed = dev.client.logic(logic, json!({"op": "transaction", "fail": true})).await.unwrap();
        assert!(failed.body["data"]["message"].as_str().unwrap().contains("as asked"), "{logic}: {failed:?}");
        let left = call(&dev, logic, "many", "by_customer", json!({"customerId": "c1"})).await;
        assert_eq!(left.as_array().map(Vec::len), Some(2), "{logic}: {left}");
        assert_eq!(call(&dev, logic, "handles", "", json!({})).await["left"], 2, "{logic}");
    }
    assert_eq!(call(&dev, "rust", "handles", "", json!({})).await, json!({"refused": true, "left": 2}));
    let none = call(&dev, "rust", "columns", "by_customer", json!({"customerId": "nobody"})).await;
    let types = json!([["id", "string"], ["customerId", "string"], ["total", "decimal"], ["paid", "boolean"]]);
    assert_eq!(none, types);
    let committed = dev.client.logic("ts", json!({"op": "transaction"})).await.unwrap();
    assert_eq!(committed.body["data"], 4, "{committed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_guest_gets_no_further_than_its_queries() {
    let folder = project();
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    for (logic, _) in LOGICS {
        // A query that is there and not granted is answered as one that is not.
        for name in ["vault", "vaultt", "", "../vault", "BY_CUSTOMER", "a'; --", &"x".repeat(90)] {
            let refused = call(&dev, logic, "many", name, json!({})).await;
            assert_eq!(refused["error"], "denied", "{logic} {name:?}: {refused}");
            let same = call(&dev, logic, "many", "nothing", json!({})).await["message"].as_str().unwrap().to_owned();
            assert_eq!(refused["message"].as_str().unwrap(), same.replace("\"nothing\"", &format!("{name:?}")));
        }
        for (op, query, params, said) in [
            ("many", "by_customer", json!({}), "is required"),
            ("many", "by_customer", json!({"customerId": 7}), "expected a string"),
            ("many", "by_customer", json!({"customerId": "c1", "paid": "yes"}), "expected true or false"),
            ("many", "by_customer", json!({"customerId": "x".repeat(41)}), "customerId"),
            ("many", "by_customer", json!({"customerid": "c1"}), "did you mean \"customerId\"?"),
            ("execute", "add", json!({"id": "a", "customerId": "b", "total": "1; DROP TABLE orders"}), "decimal"),
            ("execute", "by_customer", json!({"customerId": "c1"}), "returns many"),
            ("many", "add", json!({"id": "a", "customerId": "b", "total": "1"}), "returns exec"),
            ("cursor", "by_id", json!({}), "returns one"),
        ] {
            let refused = call(&dev, logic, op, query, params).await;
            assert_eq!(refused["error"], "invalid", "{logic} {op} {query}: {refused}");
            assert!(refused["message"].as_str().unwrap().contains(said), "{logic} {op} {query}: {refused}");
        }
        // Bound, whatever it looks like.
        for text in ["' OR 1 = 1 --", "c1'; DELETE FROM orders; --", "\" OR \"\" = \"", "?1", ":customerId"] {
            let rows = call(&dev, logic, "many", "by_customer", json!({"customerId": text})).await;
            assert_eq!(rows, json!([]), "{logic} {text:?}");
        }
        for (id, said) in [("nobody", "none came"), ("*", "several came")] {
            let refused = call(&dev, logic, "one", "by_id", json!({"id": id})).await;
            assert_eq!(refused["error"], "rowCount", "{logic}: {refused}");
            assert!(refused["message"].as_str().unwrap().contains(said), "{logic}: {refused}");
        }
        // Several rows where one was declared: what was written is taken back.
        let several = call(&dev, logic, "one", "add_returning", json!({"id": "twice"})).await;
        assert_eq!(several["error"], "rowCount", "{logic}: {several}");
        let rows = call(&dev, logic, "many", "by_customer", json!({"customerId": "c1"})).await;
        assert_eq!(rows.as_array().map(Vec::len), Some(2), "{logic}: {rows}");
        let limited = dev.client.logic(logic, json!({"op": "cursor", "query": "everything"})).await.unwrap();
        assert_eq!((limited.status, limited.limit()), (500, "sqlRows"), "{logic}: {limited:?}");
    }
    assert!(!dev.output().contains("planted-row-77c1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_query_is_told_by_check_and_a_grant_of_queries_is_none_of_sql() {
    let folder = project();
    let checked = stk(folder.path(), &["check"], &[]).await.unwrap();
    assert_eq!(checked.code, 0, "{checked:?}");
    folder.write("queries/vault.sql", "---\n---\nSELECT txt\nFROM vault\n").unwrap();
    let checked = stk(folder.path(), &["check"], &[]).await.unwrap();
    let output = checked.stdout + &checked.stderr;
    assert_eq!(checked.code, 1, "{output}");
    assert!(output.contains("queries/vault.sql:3:8") && output.contains("did you mean \"text\"?"), "{output}");
    folder.write("queries/vault.sql", "---\n---\nSELECT * FROM vault\n").unwrap();

    folder
        .write("logics/raw/logic.yaml", "component: {build: ts}\nauth: public\ngrants: {queries: [everything]}\n")
        .unwrap();
    folder.write("logics/raw/index.ts", RAW).unwrap();
    let built = stk(folder.path(), &["logic", "build", "raw"], &[]).await.unwrap();
    let output = built.stdout + &built.stderr;
    assert_eq!(built.code, 1, "{output}");
    assert!(output.contains("santokit:sql/connections@0.1.0") && output.contains("grants no sql"), "{output}");
}
