//! Logics in Python: every import, values and errors of SQL, what is told when Python goes wrong, and what a build says. The
//! guests are those of `tests/guests`.

use santokit_tests::{ProjectFolder, StkDev, stk};
use serde_json::{Value, json};

use crate::items::{self, data};

/// One process for all guests: an interpreter takes long to compile, and the second logic on it has only its own to add.
#[tokio::test(flavor = "multi_thread")]
async fn logics_in_python() {
    let guests = [("every-import-py", "imports"), ("sql-py", "sql"), ("echo-py", "echo"), ("sdk-py", "sdk")];
    let folder = items::project("python", &guests);
    folder.add_copy("sdk-guest/python/tests", "logics/sdk").unwrap();
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    the_sdk_passes_its_own_tests_where_it_lives(&dev).await;
    values_are_exact_and_rows_become_what_is_asked_for(&dev).await;
    transactions_commit_and_roll_back_and_a_cursor_reads_many_rows(&dev).await;
    an_error_of_each_kind_arrives_and_the_logic_can_go_on(&dev).await;
    what_goes_wrong_is_told_in_the_log_alone_and_stops_at_its_limit(&dev).await;
    every_call_starts_from_the_same_state_with_chance_of_its_own(&dev).await;
    every_import_is_called(&dev).await;
}

async fn every_import_is_called(dev: &StkDev) {
    let statement = "INSERT INTO numbers (id, n) VALUES (lower(hex(randomblob(8))), 1)";
    let params = json!({"statement": statement, "query": "SELECT id, n FROM numbers WHERE n BETWEEN 1 AND 3"});
    let expected = json!({
        "caller": "anonymous", "logic": "imports", "now": 27, "elapsed": true, "remaining": true, "random": 8,
        "config": "hello", "secret": 10, "sql": {"engine": "sqlite", "rows": [3, 3, 4, 4]},
    });
    assert_eq!(data(dev, "imports", params).await, expected);
    dev.wait_for_output("every import was called").await.unwrap();
    // Two of the three changes lasted: the third was taken back.
    let left =
        data(dev, "imports", json!({"statement": statement, "query": "SELECT id FROM numbers WHERE n = 1"})).await;
    assert_eq!(left["sql"]["rows"][0], 3);
    assert!(!dev.output().contains("planted-77"));
}

async fn the_sdk_passes_its_own_tests_where_it_lives(dev: &StkDev) {
    let told = data(dev, "sdk", json!({})).await;
    assert_eq!(told["ok"], true, "{}", told["said"].as_str().unwrap_or_default());
    assert_eq!(told["run"], 5);
}

async fn values_are_exact_and_rows_become_what_is_asked_for(dev: &StkDev) {
    let kinds = json!({"op": "kinds", "sql": "SELECT name, stock, price, total, share, extra, raw, \"at\" FROM items WHERE id = ?", "params": ["a"]});
    let expected = json!([{
        "name": "str Ähre 😀", "stock": "int 7", "price": "Decimal 19.90", "total": "int 9007199254740993", "share": "float 0.5",
        "extra": "dict {'k': [1, None]}", "raw": "bytes b'\\x00\\xffA'", "at": "str 2026-01-31T08:00:00.000001Z",
    }]);
    assert_eq!(data(dev, "sql", kinds).await, expected);
    let item = json!({"op": "items", "sql": "SELECT * FROM items WHERE id = 'a'"});
    let item = data(dev, "sql", item).await;
    assert_eq!(item["isOpen"], "bool True");
    assert_eq!(item["at"], "datetime 2026-01-31 08:00:00.000001+00:00");
    let shapes = json!({"op": "shapes", "sql": "SELECT id, n FROM numbers WHERE n <= 2 ORDER BY n"});
    let expected = json!([
        [{"id": "n-00001", "n": 1}, {"id": "n-00002", "n": 2}], [["n-00001", 1], ["n-00002", 2]], [1, 2], null, 10_000,
    ]);
    assert_eq!(data(dev, "sql", shapes).await, expected);

    let insert = "INSERT INTO items (id, name, stock, price, total, share, isOpen, extra, raw, \"at\") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let bound = json!(["c", "ü", 3, {"decimal": "0.10"}, {"int": "9223372036854775807"}, 1.5, false, {"json": [1, {"a": null}]},
        {"bytes": [0, 255]}, {"at": "2026-01-31T09:00:00+01:00"}]);
    assert_eq!(data(dev, "sql", json!({"op": "execute", "sql": insert, "params": bound})).await, 1);
    let back = "SELECT name, stock, price, total, share, extra, raw, \"at\" FROM items WHERE id = 'c'";
    let expected = json!([{
        "name": "ü", "stock": 3, "price": "0.10", "total": "9223372036854775807", "share": 1.5, "extra": [1, {"a": null}],
        "raw": "AP8=", "at": "2026-01-31T08:00:00.000000Z",
    }]);
    assert_eq!(data(dev, "sql", json!({"op": "query", "sql": back})).await, expected);
}

async fn transactions_commit_and_roll_back_and_a_cursor_reads_many_rows(dev: &StkDev) {
    let all = json!({"op": "cursor", "sql": "SELECT n FROM numbers ORDER BY n"});
    assert_eq!(data(dev, "sql", all).await, json!({"sum": 50_005_000, "rows": 10_000}));
    let first = json!({"op": "first", "sql": "SELECT id, n FROM numbers ORDER BY n"});
    assert_eq!(data(dev, "sql", first).await["row"], json!({"id": "n-00001", "n": 1}));
    let count = json!({"op": "query", "sql": "SELECT count(*) AS n FROM numbers"});
    let step = |id: &str| json!({"op": "execute", "sql": "INSERT INTO numbers (id, n) VALUES (?, 0)", "params": [id]});
    let transaction = |end: &str| json!({"op": "transaction", "end": end, "steps": [step("x"), step("y")]});
    for (end, code) in [("refuse", "LOGIC_ERROR"), ("raise", "LOGIC_FAILED")] {
        let answer = dev.client.logic("sql", transaction(end)).await.unwrap();
        assert_eq!(answer.code(), code, "{end}: {answer:?}");
        assert_eq!(data(dev, "sql", count.clone()).await[0]["n"], 10_000, "{end}");
    }
    dev.wait_for_output("asked to raise in a transaction").await.unwrap();
    data(dev, "sql", transaction("rollback")).await;
    assert_eq!(data(dev, "sql", count.clone()).await[0]["n"], 10_000);
    let inner = json!({"op": "transaction", "end": "rollback", "steps": [step("inner")]});
    data(dev, "sql", json!({"op": "transaction", "steps": [step("outer"), inner]})).await;
    assert_eq!(data(dev, "sql", transaction("")).await, json!([1, 1]));
    assert_eq!(data(dev, "sql", count).await[0]["n"], 10_003);
}

async fn an_error_of_each_kind_arrives_and_the_logic_can_go_on(dev: &StkDev) {
    let insert = "INSERT INTO items (id, name, stock) VALUES (?, ?, ?)";
    for (step, kind, constraint, words) in [
        (json!({"op": "query", "sql": "SELECT id FROM hidden"}), "denied", json!(null), "hidden"),
        (json!({"op": "engine", "connection": "other"}), "denied", json!(null), "other"),
        (json!({"op": "query", "sql": "SELEC"}), "invalid", json!(null), ""),
        (json!({"op": "execute", "sql": insert, "params": ["z", "plain", 1]}), "database", json!("unique"), ""),
        (json!({"op": "execute", "sql": insert, "params": ["z", null, 1]}), "database", json!("not_null"), ""),
        (json!({"op": "items", "sql": "SELECT * FROM items WHERE id = 'none'"}), "not_found", json!(null), "none came"),
        (json!({"op": "items", "sql": "SELECT * FROM items"}), "several", json!(null), "several came"),
        (
            json!({"op": "items", "sql": "SELECT id FROM items WHERE id = 'a'"}),
            "decode",
            json!(null),
            "name: this is missing",
        ),
        (json!({"op": "transaction", "end": "twice", "steps": []}), "invalid", json!(null), "ended already"),
    ] {
        let told = data(dev, "sql", json!({"op": "failure", "step": step})).await;
        assert_eq!((&told["kind"], &told["constraint"]), (&json!(kind), &constraint), "{step}: {told}");
        assert!(told["said"].as_str().is_some_and(|said| said.contains(words)), "{step}: {told}");
    }
    // Not caught, it becomes an answer that has no word of the database's.
    let answer = dev.client.logic("sql", json!({"op": "execute", "sql": insert, "params": ["z", "plain", 1]})).await;
    let answer = answer.unwrap();
    assert_eq!(answer.body["error"]["details"]["code"], "UNIQUE_VIOLATION", "{answer:?}");
    assert!(!answer.body.to_string().contains("items"), "{answer:?}");
    dev.wait_for_output("main.py\", line ").await.unwrap();
}

async fn what_goes_wrong_is_told_in_the_log_alone_and_stops_at_its_limit(dev: &StkDev) {
    assert_eq!(data(dev, "echo", json!({"value": {"a": [1, "ä", null]}})).await["value"], json!({"a": [1, "ä", null]}));
    let refused = json!({"error": {"code": "NO", "message": "not today", "details": {"left": [1]}}});
    let refused = dev.client.logic("echo", refused).await.unwrap();
    assert_eq!((refused.status, refused.code()), (422, "LOGIC_ERROR"), "{refused:?}");
    assert_eq!(
        refused.body["error"]["details"],
        json!({"code": "NO", "message": "not today", "details": {"left": [1]}})
    );
    for (how, limit, said) in [
        ("raise", None, "uncaught ValueError: planted-99"),
        ("cause", None, "uncaught RuntimeError: the table is broken"),
        ("exit", None, "uncaught SystemExit: 3"),
        ("file", None, "uncaught FileNotFoundError"),
        ("sql", None, "the build found no use of santokit.sql"),
        ("loop", Some("cpu"), ""),
    ] {
        let failed = dev.client.logic("echo", json!({"fail": how})).await.unwrap();
        assert_eq!((failed.status, failed.code()), (500, "LOGIC_FAILED"), "{how}: {failed:?}");
        assert_eq!(limit.unwrap_or_default(), failed.limit(), "{how}: {failed:?}");
        let answer = failed.body.to_string();
        assert!(!answer.contains("planted") && !answer.contains(".py"), "{how}: {answer}");
        dev.wait_for_output(said).await.unwrap();
    }
    dev.wait_for_output("failing.py\", line ").await.unwrap();
    assert!(dev.output().contains("planted-98"), "the cause of an error is told as well");
    // How deep and how much differs; that each ends in an error of its own does not.
    for how in ["recursion", "memory", "socket"] {
        let failed = dev.client.logic("echo", json!({"fail": how})).await.unwrap();
        assert_eq!((failed.status, failed.code()), (500, "LOGIC_FAILED"), "{how}: {failed:?}");
    }
    assert_eq!(data(dev, "echo", json!({"value": 1})).await["value"], 1);
}

async fn every_call_starts_from_the_same_state_with_chance_of_its_own(dev: &StkDev) {
    let (first, second) =
        (data(dev, "echo", json!({"tell": true})).await, data(dev, "echo", json!({"tell": true})).await);
    for told in [&first, &second] {
        let (calls, subject) = (&told["calls"], &told["caller"]["kind"]);
        assert_eq!((calls, subject), (&json!(1), &json!("anonymous")), "{told}");
        for is_so in ["near", "elapsed", "remaining", "below"] {
            assert_eq!(told[is_so], true, "{is_so}: {told}");
        }
        assert_eq!((&told["bytes"], &told["uuid"], &told["late"]), (&json!(70_000), &json!(4), &json!(1.0)));
        assert_eq!((&told["files"], &told["environment"]), (&json!(false), &json!(0)));
        assert_eq!(told["invocation"]["logic"], "echo");
    }
    for (one, other) in first["chance"].as_array().unwrap().iter().zip(second["chance"].as_array().unwrap()) {
        assert_ne!(one, other);
    }
    for said in ["telling through print", "telling through stderr", "telling through logging", "c-1"] {
        dev.wait_for_output(said).await.unwrap();
    }
    assert!(!dev.output().contains("not told"));
}

const GOOD: &str = "from santokit import logic\nfrom parts.twice import twice\n\n@logic\n\
    def handle(input: dict) -> int:\n    return twice(input['number'])\n";

/// What is wrong with a source, what is said, and where.
const MISTAKES: [(&str, &str, &str); 9] = [
    (
        "a syntax error",
        "from santokit import logic\n\ndef f(:\n    pass\n",
        "SyntaxError: invalid syntax --> main.py:3",
    ),
    ("no handler", "x = 1\n", "no function is marked with @logic"),
    (
        "two handlers",
        "from santokit import logic\n@logic\ndef one():\n    pass\n@logic\ndef two():\n    pass\n",
        "these are: main.one, main.two",
    ),
    ("an async handler", "from santokit import logic\n@logic\nasync def one():\n    pass\n", "must not be async"),
    (
        "the host is called while the module is loaded",
        "from santokit import logic, sql\n\ndb = sql.open('main')\n",
        "the module calls the host (connections) while it is loaded",
    ),
    (
        "randomness while the module is loaded",
        "import secrets\n\nTOKEN = secrets.token_hex()\n",
        "they would be the same in every call",
    ),
    ("the module raises", "table = {}\n\nsize = table['none']\n", "KeyError: 'none' --> main.py:3"),
    (
        "a package that is not there",
        "import left_pad\n",
        "ModuleNotFoundError: No module named 'left_pad' --> main.py:1",
    ),
    ("no source", "", "main.py or handler.py"),
];

fn project(source: &str) -> ProjectFolder {
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: py\n"),
        ("santokit.dev.yaml", items::DEV),
        (
            "logics/count/logic.yaml",
            "component: {build: python}\nauth: public\nparams: {number: {type: int, required: true}}\n",
        ),
    ])
    .unwrap();
    if !source.is_empty() {
        folder.write("logics/count/main.py", source).unwrap();
        folder.write("logics/count/parts/twice.py", "def twice(number):\n    return number * 2\n").unwrap();
    }
    folder
}

async fn digest(folder: &ProjectFolder) -> String {
    let built = stk(folder.path(), &["logic", "build", "count", "--json"], &[]).await.unwrap();
    assert_eq!(built.code, 0, "{}{}", built.stdout, built.stderr);
    let answer: Value = serde_json::from_str(&built.stdout).unwrap();
    answer["built"][0]["digest"].as_str().unwrap_or_else(|| panic!("a digest in {answer}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_source_is_the_same_component_in_any_folder() {
    let (one, other) = (project(GOOD), project(GOOD));
    let (first, second) = tokio::join!(digest(&one), digest(&other));
    assert_eq!(first, second);
    other.write("logics/count/parts/twice.py", "def twice(number):\n    return number + number\n").unwrap();
    assert_ne!(digest(&other).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_told_with_its_place() {
    for (name, source, said) in MISTAKES {
        let folder = project(source);
        let built = stk(folder.path(), &["logic", "build", "count"], &[]).await.unwrap();
        let output = built.stdout + &built.stderr;
        assert_eq!(built.code, 1, "{name}: {output}");
        assert!(output.contains(said), "{name}: {said:?} is not in\n{output}");
    }
    let folder = project(GOOD);
    folder.write("logics/count/requirements.txt", "-r ../elsewhere.txt\n").unwrap();
    let built = stk(folder.path(), &["logic", "build", "count"], &[]).await.unwrap();
    let output = built.stdout + &built.stderr;
    assert!(output.contains("requirements.txt:1"), "{output}");
}

/// What a component imports is what its source names: no grant is asked for that it has no use for.
#[tokio::test(flavor = "multi_thread")]
async fn a_component_imports_what_its_source_names() {
    let folder = project(GOOD);
    let ask = async || {
        let told = stk(folder.path(), &["logic", "inspect", "count", "--json"], &[]).await.unwrap();
        (told.code, told.stdout + &told.stderr)
    };
    let (code, told) = ask().await;
    assert_eq!(code, 0, "{told}");
    for interface in
        ["santokit:sql/connections", "santokit:runtime/config", "santokit:runtime/secrets", "santokit:queries"]
    {
        assert!(!told.contains(interface), "{interface}: {told}");
    }
    folder
        .write("logics/count/parts/twice.py", "from santokit import secrets\ndef twice(number):\n    return number\n")
        .unwrap();
    let (code, told) = ask().await;
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("grants no secrets"), "{told}");
}
