//! One logic, two engines: the TypeScript guests of `tests/guests` answer the same, fail the same and stop at the same limits on
//! QuickJS and on StarlingMonkey. What the engines show differently at the border (64-bit integers above all) is the SDK's.

use santokit_tests::{Answer, StkDev};
use serde_json::{Value, json};

use crate::items;

/// Through declared queries, whose counts are 64-bit as well; and what a call can do to its engine.
const EDGES: &str = "import { logic, queries } from \"@santokit/guest\";\n\
    interface Input { how: string; n?: number }\n\
    const seen: string[] = [];\n\
    const deep = (n: number): number => (n < 0 ? 0 : deep(n + 1) + 1);\n\
    export default logic<Input, unknown>(({ how, n = 0 }) => {\n  \
      seen.push(how);\n  \
      switch (how) {\n    \
        case \"queries\": return [queries.execute(\"add\", { id: `q-${n}`, n }), queries.many(\"above\", { n: n - 1 }), seen.length];\n    \
        case \"loop\": for (;;);\n    \
        case \"memory\": { const all: number[][] = []; for (;;) all.push(new Array<number>(10_000).fill(1)); }\n    \
        case \"recursion\": return deep(0);\n    \
        case \"garbage\": { let sum = 0; for (let i = 0; i < 200_000; i++) sum += [i, [i]].length; return sum; }\n    \
        case \"async\": return Promise.resolve(1);\n    \
        case \"bytes\": return [new TextEncoder().encode(\"ä\"), new TextDecoder().decode(Uint8Array.of(195, 164)), \"a\\ud800\".length];\n    \
        case \"global\": return (globalThis as { left?: number }).left = ((globalThis as { left?: number }).left ?? 0) + 1;\n    \
        default: throw how;\n  \
      }\n});\n";

/// All guests in one component: an engine takes a while to compile.
const ALL: &str = "import type { Logic } from \"@santokit/guest\";\n\
    import echo from \"../../guests/echo-ts/index.ts\";\nimport edges from \"../../guests/edges.ts\";\n\
    import imports from \"../../guests/every-import-ts/index.ts\";\nimport sql from \"../../guests/sql-ts/index.ts\";\n\
    const guests: Record<string, Logic> = { echo, edges, imports, sql };\n\
    export default {\n  \
      handle(bytes: Uint8Array): Uint8Array {\n    \
        const { guest, input } = JSON.parse(new TextDecoder().decode(bytes)) as { guest: string; input: object };\n    \
        return guests[guest]!.handle(new TextEncoder().encode(JSON.stringify({ connection: \"main\", config: \"greeting\", secret: \"TOKEN\", ...input })));\n  \
      },\n};\n";
const MANIFEST: &str = "auth: public\nparams: {guest: {type: string, required: true}, input: {type: json, required: true}}\n\
    limits: {timeout: 20s, cpu: 2s}\n\
    grants:\n  queries: [add, above]\n  config: [greeting]\n  secrets: [TOKEN]\n  \
    sql: [{connection: main, tables: {items: [select, insert, update, delete], numbers: [select, insert, update, delete]}}]\n";

#[tokio::test(flavor = "multi_thread")]
async fn on_quickjs() {
    all("quickjs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_starlingmonkey() {
    all("starlingmonkey").await;
}

async fn all(engine: &str) {
    let folder = items::project("engines", &[]);
    let manifest = format!("component: {{build: ts, engine: {engine}}}\n{MANIFEST}");
    for (path, text) in [
        (
            "queries/add.sql",
            "---\nreturns: exec\nparams: {id: {type: string, required: true}, n: {type: int, required: true}}\n---\n\
             INSERT INTO numbers (id, n) VALUES (:id, :n)\n",
        ),
        (
            "queries/above.sql",
            "---\nparams: {n: {type: int, required: true}}\n---\nSELECT n FROM numbers WHERE n > :n\n",
        ),
        ("guests/edges.ts", EDGES),
        ("logics/all/index.ts", ALL),
        ("logics/all/logic.yaml", &manifest),
    ] {
        folder.write(path, text).unwrap();
    }
    for guest in ["every-import-ts", "sql-ts", "echo-ts"] {
        folder.add_copy(&format!("tests/guests/{guest}"), &format!("guests/{guest}")).unwrap();
    }
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    values_are_exact(&dev).await;
    transactions_commit_and_roll_back_and_a_cursor_reads_many_rows(&dev).await;
    an_error_of_each_kind_arrives(&dev).await;
    what_goes_wrong_names_the_source_in_the_log_alone(&dev).await;
    time_and_chance_come_from_the_host(&dev).await;
    counts_cross_the_border_and_limits_hold(&dev).await;
    every_import_is_called(&dev).await;
}

async fn ask(dev: &StkDev, guest: &str, input: Value) -> Answer {
    dev.client.logic("all", json!({"guest": guest, "input": input})).await.unwrap()
}

async fn data(dev: &StkDev, guest: &str, params: Value) -> Value {
    let answer = ask(dev, guest, params.clone()).await;
    assert_eq!(answer.status, 200, "{params}: {answer:?}\n{}", dev.output());
    answer.body["data"].clone()
}

async fn every_import_is_called(dev: &StkDev) {
    let statement = "INSERT INTO numbers (id, n) VALUES (lower(hex(randomblob(8))), 1)";
    let params = json!({"statement": statement, "query": "SELECT id, n FROM numbers WHERE n BETWEEN 1 AND 3"});
    let mut told = data(dev, "imports", params).await;
    let now = told["now"].take();
    assert!(now.as_str().is_some_and(|now| now.starts_with("20") && now.ends_with('Z') && now.len() == 27), "{now}");
    let expected = json!({
        "caller": "anonymous", "logic": "all", "now": null, "elapsed": true, "remaining": true, "random": 8,
        "config": "hello", "secret": 10, "sql": {"engine": "sqlite", "rows": [3, 3, 4, 4]},
    });
    assert_eq!(told, expected);
    dev.wait_for_output("every import was called").await.unwrap();
    assert!(!dev.output().contains("planted-77"));
}

async fn values_are_exact(dev: &StkDev) {
    let kinds = json!({"op": "kinds", "sql": "SELECT name, stock, price, total, share, extra, raw, \"at\" FROM items WHERE id = ?", "params": ["a"]});
    let expected = json!([{
        "name": "string Ähre 😀", "stock": "number 7", "price": "string 19.90", "total": "bigint 9007199254740993",
        "share": "number 0.5", "extra": "object [object Object]", "raw": "bytes 0,255,65", "at": "string 2026-01-31T08:00:00.000001Z",
    }]);
    assert_eq!(data(dev, "sql", kinds).await, expected);
    let insert = "INSERT INTO items (id, name, stock, price, total, share, isOpen, extra, raw, \"at\") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let bound = json!(["c", "ü", 9_007_199_254_740_991_i64, {"decimal": "0.10"}, {"bigint": "9223372036854775807"}, 1.5, false,
        {"json": [1, {"a": null}]}, {"bytes": [0, 255]}, {"date": "2026-01-31T09:00:00+01:00"}]);
    assert_eq!(data(dev, "sql", json!({"op": "execute", "sql": insert, "params": bound})).await, 1);
    let back = "SELECT name, stock, price, total, share, extra, raw, \"at\" FROM items WHERE id = 'c'";
    let expected = json!([{
        "name": "ü", "stock": 9_007_199_254_740_991_i64, "price": "0.10", "total": "9223372036854775807", "share": 1.5,
        "extra": [1, {"a": null}], "raw": "AP8=", "at": "2026-01-31T08:00:00.000Z",
    }]);
    assert_eq!(data(dev, "sql", json!({"op": "query", "sql": back})).await, expected);
    let negative = json!({"op": "query", "sql": "SELECT ? AS a, ? AS b, ? AS c", "params": [-1, {"bigint": "-9223372036854775808"}, -0.5]});
    assert_eq!(data(dev, "sql", negative).await, json!([{"a": -1, "b": "-9223372036854775808", "c": -0.5}]));
}

async fn transactions_commit_and_roll_back_and_a_cursor_reads_many_rows(dev: &StkDev) {
    let all = json!({"op": "cursor", "sql": "SELECT n FROM numbers ORDER BY n"});
    assert_eq!(data(dev, "sql", all).await, json!({"sum": 50_005_000, "rows": 10_000}));
    let count = json!({"op": "query", "sql": "SELECT count(*) AS n FROM numbers"});
    let step = |id: &str| json!({"op": "execute", "sql": "INSERT INTO numbers (id, n) VALUES (?, 0)", "params": [id]});
    let steps = [step("x"), step("y")];
    for (fail, code) in [("refuse", "LOGIC_ERROR"), ("throw", "LOGIC_FAILED")] {
        let failing = json!({"op": "transaction", "fail": fail, "steps": steps});
        let answer = ask(dev, "sql", failing).await;
        assert_eq!(answer.code(), code, "{fail}: {answer:?}");
        assert_eq!(data(dev, "sql", count.clone()).await[0]["n"], 10_000, "{fail}");
    }
    dev.wait_for_output("asked to throw in a transaction").await.unwrap();
    assert_eq!(data(dev, "sql", json!({"op": "transaction", "steps": steps})).await, json!([1, 1]));
    assert_eq!(data(dev, "sql", count).await[0]["n"], 10_002);
}

async fn an_error_of_each_kind_arrives(dev: &StkDev) {
    let insert = "INSERT INTO items (id, name, stock) VALUES (?, ?, ?)";
    for (step, kind, constraint) in [
        (json!({"op": "query", "sql": "SELECT id FROM hidden"}), "denied", json!(null)),
        (json!({"op": "query", "sql": "SELEC"}), "invalid", json!(null)),
        (json!({"op": "execute", "sql": insert, "params": ["z", "plain", 1]}), "database", json!("unique")),
        (json!({"op": "execute", "sql": insert, "params": ["z", null, 1]}), "database", json!("not_null")),
        (json!({"op": "cursor", "sql": "SELECT id FROM hidden"}), "denied", json!(null)),
    ] {
        let told = data(dev, "sql", json!({"op": "failure", "step": step})).await;
        assert_eq!((&told["kind"], &told["constraint"]), (&json!(kind), &constraint), "{step}: {told}");
    }
    // Not caught, it becomes an answer that has no word of the database's.
    let answer = ask(dev, "sql", json!({"op": "execute", "sql": insert, "params": ["z", "plain", 1]})).await;
    assert_eq!(answer.body["error"]["details"]["code"], "UNIQUE_VIOLATION", "{answer:?}");
    assert!(!answer.body.to_string().contains("items"), "{answer:?}");
}

async fn what_goes_wrong_names_the_source_in_the_log_alone(dev: &StkDev) {
    assert_eq!(data(dev, "echo", json!({"value": {"a": [1, "ä", null]}})).await["value"], json!({"a": [1, "ä", null]}));
    let refused = json!({"error": {"code": "NO", "message": "not today", "details": {"left": [1]}}});
    let refused = ask(dev, "echo", refused).await;
    assert_eq!((refused.status, refused.code()), (422, "LOGIC_ERROR"), "{refused:?}");
    assert_eq!(
        refused.body["error"]["details"],
        json!({"code": "NO", "message": "not today", "details": {"left": [1]}})
    );
    let bare = ask(dev, "echo", json!({"error": {"code": "NO", "message": "n"}})).await;
    assert_eq!(bare.body["error"]["details"], json!({"code": "NO", "message": "n"}));
    let failed = ask(dev, "echo", json!({"throw": "planted-99"})).await;
    assert_eq!((failed.status, failed.code()), (500, "LOGIC_FAILED"), "{failed:?}");
    let answer = failed.body.to_string();
    assert!(!answer.contains("planted") && !answer.contains("index.ts"), "{answer}");
    dev.wait_for_output("uncaught RangeError: planted-99").await.unwrap();
    // The line of the throw and the line of its caller.
    dev.wait_for_output("index.ts:33").await.unwrap();
    dev.wait_for_output("index.ts:16").await.unwrap();
}

async fn time_and_chance_come_from_the_host(dev: &StkDev) {
    let tell = json!({"tell": true, "config": "greeting", "secret": "TOKEN"});
    let (first, second) = (data(dev, "echo", tell.clone()).await, data(dev, "echo", tell).await);
    for told in [&first, &second] {
        assert_eq!((&told["config"], &told["secret"]), (&json!("hello"), &json!("planted-77")));
        assert_eq!(told["invocation"]["logic"], "all");
        assert_eq!((&told["caller"]["kind"], &told["caller"]["roles"]), (&json!("anonymous"), &json!([])));
        let clock = &told["clock"];
        let (now, date) = (clock["now"].as_i64().unwrap(), clock["date"].as_i64().unwrap());
        assert!(now > 1_700_000_000_000 && (0..10_000).contains(&(date - now)), "{clock}");
        assert_eq!(clock["iso"].as_str().unwrap()[..13], clock["timestamp"].as_str().unwrap()[..13]);
        assert!(told["elapsed"].as_f64().unwrap() > 0.0 && told["remaining"].as_i64().unwrap() > 0, "{told}");
    }
    assert_ne!(first["random"]["uuid"], second["random"]["uuid"]);
    assert_ne!(first["random"]["math"], second["random"]["math"]);
    dev.wait_for_output("console").await.unwrap();
}

async fn counts_cross_the_border_and_limits_hold(dev: &StkDev) {
    let edges = async |how: &str| ask(dev, "edges", json!({"how": how})).await;
    let added = data(dev, "edges", json!({"how": "queries", "n": 20_000})).await;
    assert_eq!(added, json!([1, [{"n": 20_000}], 1]));
    assert_eq!(data(dev, "edges", json!({"how": "garbage"})).await, 400_000);
    assert_eq!(data(dev, "edges", json!({"how": "bytes"})).await, json!(["w6Q=", "ä", 2]));
    // Every call has a fresh instance.
    for _ in 0..2 {
        assert_eq!(data(dev, "edges", json!({"how": "global"})).await, 1);
    }
    let looped = edges("loop").await;
    assert_eq!((looped.code(), looped.limit()), ("LOGIC_FAILED", "cpu"), "{looped:?}");
    for (how, said) in [
        ("async", "the handler must not be async"),
        ("text", "uncaught Error: thrown: text"),
        ("recursion", "uncaught "),
        ("memory", ""),
    ] {
        let failed = edges(how).await;
        assert_eq!((failed.status, failed.code()), (500, "LOGIC_FAILED"), "{how}: {failed:?}");
        dev.wait_for_output(said).await.unwrap();
    }
    assert_eq!(data(dev, "edges", json!({"how": "global"})).await, 1);
}
