//! Logics in C: every import, SQL with its transactions, cursors and errors, and what is told when C goes wrong. The guests are
//! those of `tests/guests`.

use santokit_tests::{ProjectFolder, StkDev, repository, stk};
use serde_json::{Value, json};

use crate::items;

async fn dev(guest: &str) -> (ProjectFolder, StkDev) {
    let folder = items::project("c", &[(guest, "guest")]);
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    (folder, dev)
}

async fn data(dev: &StkDev, params: Value) -> Value {
    items::data(dev, "guest", params).await
}

async fn count(dev: &StkDev) -> Value {
    data(dev, json!({"op": "one", "sql": "SELECT count(*) AS n FROM numbers"})).await["n"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_import_is_called() {
    let (_folder, dev) = dev("every-import-c").await;
    let statement = "INSERT INTO numbers (id, n) VALUES (lower(hex(randomblob(8))), 1)";
    let mut told = data(&dev, json!({"statement": statement, "query": "SELECT id, n FROM numbers WHERE n <= 3"})).await;
    let now = told["now"].take();
    assert!(now.as_str().is_some_and(|now| now.starts_with("20") && now.ends_with('Z') && now.len() == 27), "{now}");
    let expected = json!({
        "caller": "anonymous", "roles": 0, "claims": true, "hasRole": false, "logic": "guest", "trigger": "request", "now": null,
        "libraryTime": true, "elapsed": true, "remaining": true, "random": true, "uuid": 36, "config": "hello", "secret": 10,
        "sql": {"engine": "sqlite", "rows": 3, "fetched": 3, "columns": 2, "changed": 3},
    });
    assert_eq!(told, expected);
    dev.wait_for_output("every import was called").await.unwrap();
    // Two of the three changes lasted: the third was taken back.
    let left = data(&dev, json!({"statement": statement, "query": "SELECT id FROM numbers WHERE n = 1"})).await;
    assert_eq!(left["sql"]["rows"], 3);
    assert!(!dev.output().contains("planted-77"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_cell_is_read_and_bound() {
    let (folder, dev) = dev("sql-c").await;
    // What a logic does not call is not in its component.
    let inspected = stk(folder.path(), &["logic", "inspect", "guest"], &[]).await.unwrap();
    assert!(inspected.stdout.contains("santokit:sql/connections"), "{inspected:?}");
    for unused in ["santokit:crud", "santokit:queries"] {
        assert!(!inspected.stdout.contains(unused), "{unused}: {inspected:?}");
    }
    let row = json!({"op": "one", "sql": "SELECT name, stock, price, total, share, extra FROM items WHERE id = ?", "params": ["a"]});
    let expected = json!({"name": "Ähre 😀", "stock": 7, "price": "19.90", "total": 9_007_199_254_740_993_i64, "share": 0.5, "extra": {"k": [1, null]}});
    assert_eq!(data(&dev, row).await, expected);
    for (id, column, kind, expected) in [
        ("a", "name", "text", json!("Ähre 😀")),
        ("a", "stock", "int", json!(7)),
        ("a", "stock", "float", json!(7.0)),
        ("a", "price", "float", json!(19.9)),
        ("a", "price", "text", json!("19.90")),
        ("a", "total", "int", json!(9_007_199_254_740_993_i64)),
        ("a", "isOpen", "bool", json!(true)),
        ("a", "extra", "json", json!({"k": [1, null]})),
        ("a", "raw", "bytes", json!(3)),
        ("a", "at", "text", json!("2026-01-31T08:00:00.000001Z")),
        ("a", "price", "null", json!(false)),
        ("b", "price", "null", json!(true)),
        ("b", "price", "text", json!(null)),
    ] {
        let sql = "SELECT * FROM items WHERE id = ?";
        let step = json!({"op": "cell", "sql": sql, "params": [id], "column": column, "as": kind});
        assert_eq!(data(&dev, step).await, expected, "{column} of {id} as {kind}");
    }
    let insert =
        "INSERT INTO items (id, name, stock, price, share, isOpen, extra, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let bound = json!(["c", "ü", 3, {"decimal": "0.10"}, 1.5, false, {"json": [1, {"a": null}]}, {"bytes": "xyz"}]);
    assert_eq!(data(&dev, json!({"op": "execute", "sql": insert, "params": bound})).await, 1);
    let back = "SELECT name, stock, price, share, extra, total FROM items WHERE id = 'c'";
    let expected =
        json!({"name": "ü", "stock": 3, "price": "0.10", "share": 1.5, "extra": [1, {"a": null}], "total": null});
    assert_eq!(data(&dev, json!({"op": "one", "sql": back})).await, expected);
    let none = json!({"op": "optional", "sql": "SELECT id FROM items WHERE id = 'none'"});
    assert_eq!(data(&dev, none).await, json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_commit_and_roll_back_and_a_cursor_reads_many_rows() {
    let (_folder, dev) = dev("sql-c").await;
    let all = json!({"op": "cursor", "sql": "SELECT n FROM numbers ORDER BY n"});
    assert_eq!(data(&dev, all).await, json!({"sum": 50_005_000, "rows": 10_000}));
    let step = |id: &str| json!({"op": "execute", "sql": "INSERT INTO numbers (id, n) VALUES (?, 0)", "params": [id]});
    let transaction = |op: &str, end: &str| json!({"op": op, "end": end, "steps": [step("x"), step(end)]});
    for (op, end) in [("transaction", "rollback"), ("transaction", "open"), ("function", "no")] {
        data(&dev, transaction(op, end)).await;
        assert_eq!(count(&dev).await, 10_000, "{op} {end}");
    }
    for (end, code) in [("error", "LOGIC_ERROR"), ("trap", "LOGIC_FAILED"), ("twice", "LOGIC_ERROR")] {
        let answer = dev.client.logic("guest", transaction("transaction", end)).await.unwrap();
        assert_eq!(answer.code(), code, "{end}: {answer:?}");
        assert_eq!(count(&dev).await, 10_000, "{end}");
    }
    assert_eq!(data(&dev, transaction("transaction", "commit")).await, json!([1, 1]));
    assert_eq!(count(&dev).await, 10_002);
    // A part that fails takes the whole back; the logic's answer is that error.
    let failing = json!({"op": "function", "end": "yes", "steps": [step("y"), step("x")]});
    let answer = dev.client.logic("guest", failing).await.unwrap();
    assert_eq!(answer.body["error"]["details"]["code"], "UNIQUE_VIOLATION", "{answer:?}");
    assert_eq!(count(&dev).await, 10_002);
    let inner = json!({"op": "transaction", "end": "rollback", "steps": [step("inner")]});
    data(&dev, json!({"op": "transaction", "end": "commit", "steps": [step("outer"), inner]})).await;
    assert_eq!(count(&dev).await, 10_003);
}

/// `stk_error_kind`, as numbers: the header's order is part of the interface.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_each_kind_arrives_and_the_logic_can_go_on() {
    let (_folder, dev) = dev("sql-c").await;
    let insert = "INSERT INTO items (id, name, stock) VALUES (?, ?, ?)";
    for (step, kind, constraint, words) in [
        (json!({"op": "query", "sql": "SELECT id FROM hidden"}), 2, "", "hidden"),
        (json!({"op": "open", "connection": "other"}), 2, "", "other"),
        (json!({"op": "query", "sql": "SELEC"}), 3, "", ""),
        (json!({"op": "query"}), 3, "", "the statement is NULL"),
        (json!({"op": "query", "sql": "SELECT ?", "params": [{"broken": true}]}), 3, "", "param 1 is no UTF-8 text"),
        (json!({"op": "execute", "sql": insert, "params": ["z", "plain", 1]}), 7, "unique", ""),
        (json!({"op": "execute", "sql": insert, "params": ["z", null, 1]}), 7, "not_null", ""),
        (json!({"op": "one", "sql": "SELECT id FROM items WHERE id = 'none'"}), 8, "", "none came"),
        (json!({"op": "one", "sql": "SELECT id FROM items"}), 9, "", "several came"),
        (
            json!({"op": "cell", "sql": "SELECT name FROM items WHERE id = 'b'", "column": "name", "as": "int"}),
            10,
            "",
            "a whole number was asked for, and there is text",
        ),
        (
            json!({"op": "cell", "sql": "SELECT name FROM items WHERE id = 'b'", "column": "nmae", "as": "text"}),
            10,
            "",
            "there is no column nmae",
        ),
        (
            json!({"op": "cell", "sql": "SELECT price FROM items WHERE id = 'b'", "column": "price", "as": "int"}),
            10,
            "",
            "there is NULL",
        ),
        (json!({"op": "one", "sql": "SELECT raw FROM items WHERE id = 'a'"}), 10, "", "no JSON form"),
    ] {
        let error = data(&dev, json!({"op": "failure", "step": step.clone()})).await;
        assert_eq!((&error["kind"], &error["constraint"]), (&json!(kind), &json!(constraint)), "{step}: {error}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(words)), "{step}: {error}");
        assert_eq!(error["unique"], constraint == "unique", "{step}: {error}");
    }
    // Left alone, an error is the answer: its face for the caller, its words for the log.
    let denied = dev.client.logic("guest", json!({"op": "query", "sql": "SELECT id FROM hidden"})).await.unwrap();
    assert_eq!((denied.status, &denied.body["error"]["details"]["code"]), (422, &json!("SQL_DENIED")), "{denied:?}");
    assert!(!denied.body.to_string().contains("hidden"), "{denied:?}");
}

/// The line of a source file of `echo-c` that carries a comment.
fn line_of(mark: &str) -> usize {
    let source = std::fs::read_to_string(repository().join("tests/guests/echo-c/crash.c")).unwrap();
    source.lines().position(|line| line.ends_with(&format!("// {mark}"))).unwrap() + 1
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_told_with_function_and_line_in_the_log_only() {
    let (_folder, dev) = dev("echo-c").await;
    for (how, limit) in [
        ("bounds", None),
        ("trap", None),
        ("panic", None),
        ("assert", None),
        ("exit", None),
        ("memory", Some("memory")),
        ("recursion", None),
    ] {
        let answer = dev.client.logic("guest", json!({"crash": how})).await.unwrap();
        assert_eq!((answer.status, answer.code()), (500, "LOGIC_FAILED"), "{how}: {answer:?}\n{}", dev.output());
        if let Some(limit) = limit {
            assert_eq!(answer.limit(), limit, "{answer:?}");
        }
        let told = answer.body.to_string();
        assert!(!told.contains("crash") && !told.contains("go_wrong") && !told.contains("asked"), "{how}: {told}");
        dev.wait_for_output(&format!("crash.c:{}", line_of(how))).await.unwrap();
    }
    let output = dev.output();
    for said in
        ["go_wrong at ./crash.c:", "crash at ./crash.c:", "stk_handle at ./handler.c:", "asked to panic, 2 deep"]
    {
        assert!(output.contains(said), "{said:?} is not in\n{output}");
    }
    assert!(output.contains("Assertion failed: how == NULL"), "{output}");
    assert!(output.contains("the logic called exit(3)"), "{output}");
    assert_eq!(data(&dev, json!({"value": "as before"})).await["value"], "as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_is_logged_and_a_refusal_has_its_details() {
    let (_folder, dev) = dev("echo-c").await;
    data(&dev, json!({"print": "first line\nno new line"})).await;
    dev.wait_for_output("no new line").await.unwrap();
    assert!(dev.output().contains("\"first line\"") || dev.output().contains("first line"), "{}", dev.output());
    // Longer than a line is kept, with characters of three bytes: none is cut in two, which would end the logic.
    data(&dev, json!({"print": "€", "repeat": 2_000})).await;
    dev.wait_for_output(&"€".repeat(341)).await.unwrap();
    assert!(!dev.output().contains('\u{fffd}'));
    let error = json!({"code": "NO", "message": "nein, danke", "details": {"left": [1, "ä"]}});
    let refused = dev.client.logic("guest", json!({"error": error})).await.unwrap();
    assert_eq!((refused.status, refused.code()), (422, "LOGIC_ERROR"));
    assert_eq!(refused.body["error"]["details"], error, "{refused:?}");
    let broken = dev.client.logic("guest", json!({"value": "a\u{0}b"})).await.unwrap();
    assert_eq!(broken.body["error"]["details"]["code"], "INVALID_INPUT", "{broken:?}");
    let silent = dev.client.logic("guest", json!({"crash": "nothing"})).await.unwrap();
    assert_eq!(silent.body["data"], 1);
}
