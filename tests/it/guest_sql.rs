//! Guests' own SQL and declared queries on PostgreSQL and MariaDB: they run as logins that the Hub has made, and reach what was granted
//! and nothing else, whatever they send.

use santokit_tests::{Answer, Engine, ProjectFolder, StkDev, TestDatabase};
use serde_json::{Value, json};

const SCHEMA: &str = "version: 1
tables:
  items:
    id: {generate: client}
    columns:
      name: {type: string, nullable: false, unique: true, maxLength: 100}
      stock: {type: int}
      total: {type: bigint}
      price: {type: decimal}
      share: {type: float}
      open: {type: boolean}
      extra: {type: json}
      raw: {type: bytes}
      seen: {type: timestamp}
  numbers:
    id: {generate: client}
    columns:
      n: {type: int}
  orders:
    id: {generate: client}
    columns:
      customer_id: {type: string, nullable: false, maxLength: 40}
      total: {type: decimal, nullable: false}
      paid: {type: boolean}
  vault:
    id: {generate: client}
    columns:
      text: {type: string}
";

/// Of the guest of `tests/guests/queries-ts`.
const QUERIES: [(&str, &str); 4] = [
    (
        "queries/by_customer.sql",
        "---\nparams: {customerId: {type: string, required: true}, paid: {type: boolean}}\n---\n\
         SELECT * FROM orders WHERE customer_id = :customerId AND (:paid IS NULL OR paid = :paid) ORDER BY id\n",
    ),
    (
        "queries/by_id.sql",
        "---\nreturns: one\nparams: {id: {type: string, default: o1}}\n---\nSELECT * FROM orders WHERE id = :id OR :id = '*'\n",
    ),
    (
        "queries/add.sql",
        "---\nreturns: exec\nparams:\n  id: {type: string, required: true}\n  customerId: {type: string, required: true}\n  \
         total: {type: decimal, required: true}\n---\n\
         INSERT INTO orders (id, customer_id, total) VALUES (:id, :customerId, :total)\n",
    ),
    ("queries/vault.sql", "---\n---\nSELECT * FROM vault\n"),
];

/// What nobody granted, on both.
const HOSTILE: &[&str] = &[
    "SELECT text FROM vault",
    "SELECT id FROM items UNION ALL SELECT text FROM vault",
    "SELECT (SELECT text FROM vault LIMIT 1) AS text FROM items",
    "WITH v AS (SELECT * FROM vault) SELECT * FROM v",
    "SELECT count(*) FROM vault",
    "SELECT * FROM orders",
    "SELECT * FROM information_schema.tables",
    "INSERT INTO numbers (id, n) SELECT text, 1 FROM vault",
    "UPDATE items SET name = (SELECT text FROM vault)",
    "INSERT INTO vault (id, text) VALUES ('2', 'x')",
    "DELETE FROM vault",
    "TRUNCATE TABLE items",
    "DROP TABLE vault",
    "CREATE TABLE mine (a int)",
    "CREATE TEMPORARY TABLE mine AS SELECT * FROM vault",
    "ALTER TABLE items ADD COLUMN a int",
    "CREATE VIEW v AS SELECT * FROM vault",
    "GRANT SELECT ON vault TO PUBLIC",
    "BEGIN",
    "COMMIT",
    "SAVEPOINT s",
    "SELECT 1; SELECT text FROM vault",
    "PREPARE p AS SELECT 1",
    "SELECT * FROM items FOR UPDATE NOWAIT; DELETE FROM vault",
];
const HOSTILE_ON_POSTGRES: &[&str] = &[
    "SELECT * INTO mine FROM items",
    "WITH gone AS (DELETE FROM vault RETURNING text) SELECT * FROM gone",
    "SELECT text FROM public.vault",
    "SELECT * FROM pg_class",
    "SELECT rolpassword FROM pg_authid",
    "SELECT set_config('role', 'postgres', false)",
    "SET ROLE postgres",
    "RESET ROLE",
    "SET statement_timeout = 0",
    "SELECT pg_read_file('/etc/passwd')",
    "COPY vault TO STDOUT",
    "COPY items FROM PROGRAM 'id'",
    "DO $$ BEGIN DELETE FROM vault; END $$",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_terminate_backend(1)",
    "SELECT query_to_xml('SELECT * FROM vault', true, true, '')",
    "SELECT pg_advisory_lock(1)",
    "LISTEN a",
    r"SELECT E'\'' || text FROM vault -- '",
    "SELECT \"text\" FROM \"vault\"",
];
const HOSTILE_ON_MYSQL: &[&str] = &[
    "SELECT * FROM mysql.user",
    "SELECT load_file('/etc/passwd')",
    "SELECT text FROM vault INTO OUTFILE '/tmp/stk-attack'",
    "SELECT @a := 1",
    "SET GLOBAL general_log = 1",
    "SELECT /*! text FROM vault */",
    "SELECT get_lock('stk_schema', 1)",
    "SELECT `text` FROM `vault`",
    "REPLACE INTO vault (id, text) VALUES ('1', 'x')",
    "LOAD DATA INFILE '/etc/passwd' INTO TABLE items",
    "HANDLER vault OPEN",
];

/// A project on a database of its own, served.
struct Served {
    engine: Engine,
    dev: StkDev,
    database: TestDatabase,
    _folder: ProjectFolder,
}

impl Served {
    async fn new(engine: Engine) -> Self {
        let database = TestDatabase::create(engine).await.unwrap();
        let connection =
            format!("connections:\n  main: {{engine: {}, url: \"{}\"}}\n", engine.as_str(), database.url());
        let folder = ProjectFolder::new([
            ("santokit.yaml", "version: 1\nname: guests\n"),
            ("santokit.dev.yaml", connection.as_str()),
            ("schema/main.yaml", SCHEMA),
        ])
        .unwrap();
        for (path, text) in QUERIES {
            folder.write(path, text).unwrap();
        }
        for guest in ["sql-ts", "queries-ts"] {
            folder
                .add_copy(&format!("tests/guests/{guest}"), &format!("logics/{}", &guest[..guest.len() - 3]))
                .unwrap();
        }
        folder.edit("logics/queries/logic.yaml", ", add_returning, everything]", "]").unwrap();
        folder.edit("logics/sql/logic.yaml", "grants:\n", "limits: {sqlBytes: 2MiB}\ngrants:\n").unwrap();
        let dev = StkDev::start(folder.path(), &[]).await.unwrap();
        database.execute("INSERT INTO vault (id, text) VALUES ('1', 'planted-row-3d19')").await.unwrap();
        database.execute("INSERT INTO items (id, name, stock) VALUES ('a', 'plain', 7)").await.unwrap();
        let orders =
            "INSERT INTO orders (id, customer_id, total, paid) VALUES ('o1', 'c1', 19.90, true), ('o2', 'c1', 5, NULL)";
        database.execute(orders).await.unwrap();
        Self { engine, dev, database, _folder: folder }
    }

    /// With the engine's placeholders.
    fn text(&self, sql: &str) -> String {
        if self.engine == Engine::Mysql {
            return sql.to_owned();
        }
        let mut parts = sql.split('?');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.enumerate().fold(first, |text, (at, part)| format!("{text}${}{part}", at + 1))
    }

    async fn ask(&self, step: Value) -> Answer {
        self.dev.client.logic("sql", step).await.unwrap()
    }

    async fn data(&self, step: Value) -> Value {
        let answer = self.ask(step.clone()).await;
        assert_eq!(answer.status, 200, "{step}: {answer:?}\n{}", self.dev.output());
        answer.body["data"].clone()
    }

    /// What the guest catches, or `{"ok": …}`.
    async fn told(&self, op: &str, sql: &str, params: Value) -> Value {
        self.data(json!({"op": "failure", "step": {"op": op, "sql": sql, "params": params}})).await
    }

    async fn query(&self, op: &str, query: &str, params: Value) -> Value {
        let answer =
            self.dev.client.logic("queries", json!({"op": op, "query": query, "params": params})).await.unwrap();
        assert_eq!(answer.status, 200, "{op} {query}: {answer:?}\n{}", self.dev.output());
        answer.body["data"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    all(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mysql() {
    all(Engine::Mysql).await;
}

async fn all(engine: Engine) {
    let served = Served::new(engine).await;
    values_are_exact(&served).await;
    transactions_keep_all_or_nothing(&served).await;
    declared_queries_answer_what_was_declared(&served).await;
    what_is_not_granted_is_out_of_reach(&served).await;
    one_message_of_the_server_does_not_fill_the_memory(&served).await;
    limits_hold_and_the_next_caller_finds_all_as_it_was(&served).await;
    assert!(!served.dev.output().contains("planted-row-3d19"));
    let left = served.database.execute("SELECT 1 FROM vault WHERE text = 'planted-row-3d19'").await;
    left.unwrap();
}

async fn values_are_exact(served: &Served) {
    let insert = served.text(
        "INSERT INTO items (id, name, stock, total, price, share, open, extra, raw, seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    );
    let bound = json!(["c", "ü", 3, {"bigint": "9223372036854775807"}, {"decimal": "0.10"}, 1.5, false, {"json": [1, {"a": null}]},
        {"bytes": [0, 255]}, {"date": "2026-01-31T09:00:00+01:00"}]);
    assert_eq!(served.data(json!({"op": "execute", "sql": insert, "params": bound})).await, 1);
    // A NULL has no type of its own: it is that of the column.
    let nulls = json!(["d", "none", null, null, null, null, null, null, null, null]);
    assert_eq!(served.data(json!({"op": "execute", "sql": insert, "params": nulls})).await, 1);
    let back = served.text("SELECT stock, total, price, share, open, extra, raw, seen FROM items WHERE id = ?");
    let rows = served.data(json!({"op": "query", "sql": back, "params": ["c"]})).await;
    let price = if served.engine == Engine::Mysql { "0.1" } else { "0.10" };
    let expected = json!([{"stock": 3, "total": "9223372036854775807", "price": price, "share": 1.5, "open": false,
        "extra": [1, {"a": null}], "raw": "AP8=", "seen": "2026-01-31T08:00:00.000000Z"}]);
    assert_eq!(rows, expected);
    let rows = served.data(json!({"op": "query", "sql": back, "params": ["d"]})).await;
    assert!(rows[0].as_object().unwrap().values().all(Value::is_null), "{rows}");
    let engine = served.data(json!({"op": "engine"})).await;
    assert_eq!(engine, served.engine.as_str());
    for number in 0..200 {
        let insert = served.text("INSERT INTO numbers (id, n) VALUES (?, ?)");
        served.data(json!({"op": "execute", "sql": insert, "params": [format!("n{number}"), number]})).await;
    }
    let all = json!({"op": "cursor", "sql": "SELECT n FROM numbers ORDER BY n"});
    assert_eq!(served.data(all).await, json!({"sum": 19_900, "rows": 200}));
}

async fn transactions_keep_all_or_nothing(served: &Served) {
    let count = json!({"op": "query", "sql": "SELECT count(*) AS n FROM numbers"});
    let insert = served.text("INSERT INTO numbers (id, n) VALUES (?, 0)");
    let step = |id: &str| json!({"op": "execute", "sql": insert, "params": [id]});
    for (fail, code) in [("refuse", "LOGIC_ERROR"), ("throw", "LOGIC_FAILED")] {
        let failing = json!({"op": "transaction", "fail": fail, "steps": [step("x"), step("y")]});
        let answer = served.ask(failing).await;
        assert_eq!(answer.code(), code, "{fail}: {answer:?}");
        assert_eq!(served.data(count.clone()).await[0]["n"], 200, "{fail}");
    }
    // An inner level is undone alone, and what failed in it is forgotten.
    let inner = json!({"op": "failure", "step": {"op": "transaction", "steps": [step("z"), step("n1")]}});
    let nested = json!({"op": "transaction", "steps": [step("x"), inner, step("y")]});
    let done = served.data(nested).await;
    assert_eq!((&done[0], &done[1]["constraint"], &done[2]), (&json!(1), &json!("unique"), &json!(1)), "{done}");
    assert_eq!(served.data(count.clone()).await[0]["n"], 202);
    // What it wrote, it sees; nobody else does before the end.
    let within = json!({"op": "transaction", "steps": [step("seen"), count]});
    assert_eq!(served.data(within).await[1][0]["n"], 203);
}

async fn declared_queries_answer_what_was_declared(served: &Served) {
    let rows = served.query("many", "by_customer", json!({"customerId": "c1"})).await;
    let total = if served.engine == Engine::Mysql { "19.9" } else { "19.90" };
    let expected = json!([
        {"id": "o1", "customer_id": "c1", "total": total, "paid": true},
        {"id": "o2", "customer_id": "c1", "total": "5", "paid": null},
    ]);
    assert_eq!(rows, expected);
    let paid = served.query("many", "by_customer", json!({"customerId": "c1", "paid": true})).await;
    assert_eq!(paid.as_array().map(Vec::len), Some(1), "{paid}");
    assert_eq!(served.query("one", "by_id", json!({})).await["total"], total);
    let added = json!({"id": "o3", "customerId": "c2", "total": "0.25"});
    assert_eq!(served.query("execute", "add", added.clone()).await, 1);
    assert_eq!(served.query("execute", "add", added).await["error"], "database");
    for (id, said) in [("nobody", "none came"), ("*", "several came")] {
        let refused = served.query("one", "by_id", json!({"id": id})).await;
        assert!(refused["message"].as_str().is_some_and(|message| message.contains(said)), "{refused}");
    }
    let failed = served.dev.client.logic("queries", json!({"op": "transaction", "fail": true})).await.unwrap();
    assert!(failed.body["data"]["message"].as_str().is_some_and(|said| said.contains("as asked")), "{failed:?}");
    assert_eq!(served.query("handles", "", json!({})).await["left"], 2);
    assert_eq!(served.query("transaction", "", json!({})).await, 4);
    assert_eq!(served.query("many", "vault", json!({})).await["error"], "denied");
    let hostile = served.query("many", "by_customer", json!({"customerId": "' OR 1 = 1 --"})).await;
    assert_eq!(hostile, json!([]));
}

async fn what_is_not_granted_is_out_of_reach(served: &Served) {
    let own: &[&str] = if served.engine == Engine::Mysql { HOSTILE_ON_MYSQL } else { HOSTILE_ON_POSTGRES };
    for sql in HOSTILE.iter().chain(own) {
        for op in ["query", "execute", "cursor"] {
            let told = served.told(op, sql, json!([])).await;
            let kind = told["kind"].as_str().unwrap_or_default();
            assert!(matches!(kind, "denied" | "invalid" | "database"), "{op} {sql}: {told}");
            assert!(!told.to_string().contains("planted-row"), "{op} {sql}: {told}");
        }
    }
    // A text that is sent is a text, whatever it looks like.
    let find = served.text("SELECT id FROM items WHERE name = ?");
    for text in ["' OR 1 = 1 --", "x'; DELETE FROM vault; --", "$1", "?", "\\' OR 1 = 1 #"] {
        assert_eq!(served.told("query", &find, json!([text])).await["ok"], json!([]), "{text}");
    }
    // Also within a transaction, whose other statements stand.
    let insert = served.text("INSERT INTO numbers (id, n) VALUES (?, 1)");
    let steps = json!([
        {"op": "execute", "sql": insert, "params": ["kept"]},
        {"op": "failure", "step": {"op": "query", "sql": "SELECT text FROM vault WHERE 1 = own_function(1)"}},
    ]);
    let done = served.data(json!({"op": "transaction", "steps": steps})).await;
    assert_eq!(done[1]["kind"], "denied", "{done}");
    let kept = served.data(json!({"op": "query", "sql": "SELECT n FROM numbers WHERE id = 'kept'"})).await;
    assert_eq!(kept, json!([{"n": 1}]));
}

/// Doubled until it has 16 MiB: eight times what an invocation may read.
async fn one_message_of_the_server_does_not_fill_the_memory(served: &Served) {
    let (double, whole) =
        if served.engine == Engine::Mysql { ("concat(s, s)", "SIGNED") } else { ("s || s", "integer") };
    let grown = format!(
        "WITH RECURSIVE g (n, s) AS (SELECT 1, CAST('12345678' AS CHAR(16777216)) UNION ALL SELECT n + 1, {double} FROM g WHERE n < 22) "
    );
    let grown = if served.engine == Engine::Mysql { grown } else { grown.replace("CHAR(16777216)", "text") };
    // A row of it, its words in an error, and both inside a transaction.
    let row = format!("{grown}SELECT s FROM g WHERE n = 22");
    let error = format!("{grown}SELECT CAST(s AS {whole}) AS s FROM g WHERE n = 22");
    for op in ["query", "execute", "cursor"] {
        for sql in [&row, &error] {
            let told = served.told(op, sql, json!([])).await;
            let text = told.to_string();
            assert!(text.len() < 10_000, "{op} {sql}: {} bytes", text.len());
            // MariaDB cuts what is longer than a packet, and says so or answers NULL.
            let is_held = served.engine == Engine::Mysql || told["kind"] == "limit";
            assert!(is_held, "{op} {sql}: {told}");
        }
    }
    if served.engine == Engine::Postgres {
        let step = json!({"op": "failure", "step": {"op": "query", "sql": row, "params": []}});
        let insert = json!({"op": "execute", "sql": "INSERT INTO numbers (id, n) VALUES ('lost', 0)", "params": []});
        let answer = served.ask(json!({"op": "transaction", "steps": [insert, step]})).await;
        assert_ne!(answer.status, 200, "{answer:?}");
        let left = served.data(json!({"op": "query", "sql": "SELECT n FROM numbers WHERE id = 'lost'"})).await;
        assert_eq!(left, json!([]));
    }
    // What is within the limit comes, also where it is nearly all of it.
    let fits =
        format!("{}SELECT s FROM g WHERE n = 18", grown.replace("n < 22", "n < 18").replace("16777216", "2097152"));
    let told = served.told("query", &fits, json!([])).await;
    assert_eq!(told["ok"][0]["s"].as_str().map(str::len), Some(8 << 17), "{:.300}", told.to_string());
}

async fn limits_hold_and_the_next_caller_finds_all_as_it_was(served: &Served) {
    let slow = if served.engine == Engine::Mysql { "SELECT sleep(60)" } else { "SELECT pg_sleep(60)::text" };
    let started = std::time::Instant::now();
    let answer = served.ask(json!({"op": "query", "sql": slow})).await;
    assert_eq!(answer.limit(), "timeout", "{answer:?}");
    assert!(started.elapsed() < std::time::Duration::from_secs(40), "{:?}", started.elapsed());
    // Ten thousand are the most.
    let many = "SELECT a.n FROM numbers AS a CROSS JOIN numbers AS b";
    let answer = served.ask(json!({"op": "query", "sql": many})).await;
    assert_eq!(answer.limit(), "sqlRows", "{answer:?}");
    for _ in 0..20 {
        let rows = served.data(json!({"op": "query", "sql": "SELECT name FROM items WHERE id = 'a'"})).await;
        assert_eq!(rows, json!([{"name": "plain"}]));
    }
}
