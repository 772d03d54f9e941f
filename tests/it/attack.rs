//! A hostile guest with raw SQL, and hostile clients: what is not granted stays out of reach, and nothing leaks.

use santokit_tests::{Answer, ProjectFolder, StkDev};
use serde_json::{Value, json};

const SECRET: &str = "planted-secret-5f2c9e";
const KEY: &str = "stk_attacker.planted-key-77aa01";

fn project() -> Vec<(&'static str, &'static str)> {
    vec![
        ("santokit.yaml", "version: 1\nname: fort\nconfig: {shown: value, hidden: planted-config-91d0}\n"),
        (
            "santokit.dev.yaml",
            "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\n\
             apiKeys:\n  - {name: attacker, key: stk_attacker.planted-key-77aa01, roles: [attacker]}\n\
             secrets:\n  PAYMENT_KEY: {value: planted-secret-5f2c9e}\n  OTHER_KEY: {value: planted-other-00b1}\n",
        ),
        (
            "schema/fort.yaml",
            "version: 1\ntables:\n  open:\n    id: {name: id, generate: client}\n    columns:\n      text: {type: string}\n  \
             vault:\n    id: {name: id, generate: client}\n    columns:\n      text: {type: string}\n",
        ),
        (
            "seed/vault.sql",
            "INSERT INTO vault (id, text) VALUES ('1', 'planted-row-c4f7');\nINSERT INTO open (id, text) VALUES ('1', 'x');\n",
        ),
        (
            "logics/raw/logic.yaml",
            "component: {build: ts}\nauth: public\nparams: {sql: {type: string, required: true}, write: {type: boolean, default: false}}\n\
             limits: {timeout: 3s}\ngrants: {sql: [{connection: main, tables: {open: [select, insert, update]}}]}\n",
        ),
        (
            "logics/raw/index.ts",
            "import { logic, sql } from \"@santokit/guest\";\n\
             export default logic<{ sql: string; write: boolean }, unknown>((input) => {\n  const db = sql.open(\"main\");\n  \
             try { return input.write ? db.execute(input.sql) : db.query(input.sql); }\n  \
             catch (error) { if (error instanceof sql.SqlError) return { kind: error.kind }; throw error; }\n});\n",
        ),
        (
            "logics/secrets/logic.yaml",
            "component: {build: ts}\nauth: public\nparams: {name: {type: string, required: true}}\ngrants: {secrets: [PAYMENT_KEY], config: [shown]}\n",
        ),
        (
            "logics/secrets/index.ts",
            "import { config, log, logic, secrets } from \"@santokit/guest\";\n\
             export default logic<{ name: string }, unknown>(({ name }) => {\n  \
             if (name === \"throw\") throw new Error(\"a failure in the guest\");\n  \
             const read = (get: (name: string) => unknown) => { try { return typeof get(name); } catch { return \"refused\"; } };\n  \
             log.info(\"looked\");\n  return { secret: read(secrets.get), config: read(config.get) };\n});\n",
        ),
        ("logics/only_admin.sql", "---\nroles: [admin]\n---\nSELECT text FROM vault\n"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_reaches_only_what_it_was_granted_and_nothing_leaks() {
    let folder = ProjectFolder::new(project()).unwrap();
    // All that could log a value, at its finest; the compiler's own trace would be gigabytes.
    let filter = "debug,santokit_bridge=trace,santokit_hub=trace,santokit_wasm=trace,stk=trace,guest=trace,sqlx=trace,cranelift=info,wasmtime=info,cranelift_codegen=info,regalloc2=info";
    let trace = [("RUST_LOG", filter), ("STK_LOG", filter)];
    let dev = StkDev::start(folder.path(), &trace).await.unwrap();
    let mut answers = raw_sql(&dev).await;
    answers.extend(lookups(&dev).await);
    answers.extend(clients(&dev).await);
    let metrics = dev.client.get("/metrics").await.unwrap();
    answers.push(metrics);

    let everything = format!("{answers:?}\n{}", dev.output());
    for planted in [SECRET, "planted-other-00b1", "planted-config-91d0", "planted-row-c4f7", "planted-key-77aa01"] {
        assert!(!everything.contains(planted), "{planted} is in an answer, a log line or a metric");
    }
}

async fn raw_sql(dev: &StkDev) -> Vec<Answer> {
    let allowed = dev.client.logic("raw", json!({"sql": "SELECT text FROM open"})).await.unwrap();
    assert_eq!(allowed.body["data"], json!([{"text": "x"}]), "{allowed:?}");
    let refused = [
        (false, "SELECT text FROM vault"),
        (false, "SELECT text FROM open UNION ALL SELECT text FROM vault"),
        (false, "SELECT (SELECT text FROM vault LIMIT 1) AS text FROM open"),
        (false, "WITH v AS (SELECT * FROM vault) SELECT * FROM v"),
        (false, "SELECT * FROM \"VAULT\""),
        (false, "SELECT * FROM main.[vault]"),
        (false, "SELECT count(*) FROM vault"),
        (false, "SELECT * FROM sqlite_master"),
        (false, "SELECT * FROM sqlite_schema"),
        (false, "SELECT * FROM pragma_table_info('vault')"),
        (false, "SELECT load_extension('x')"),
        (false, "SELECT readfile('/etc/passwd')"),
        (false, "SELECT 1; SELECT text FROM vault"),
        (true, "DELETE FROM open"),
        (true, "INSERT INTO open SELECT id || '2', text FROM vault"),
        (true, "UPDATE open SET text = (SELECT text FROM vault)"),
        (true, "INSERT INTO vault (id, text) VALUES ('2', 'x')"),
        (true, "PRAGMA writable_schema = on"),
        (true, "PRAGMA foreign_keys = off"),
        (true, "ATTACH DATABASE '/tmp/stk-attack.db' AS a"),
        (true, "VACUUM INTO '/tmp/stk-attack.db'"),
        (true, "CREATE TABLE mine (a)"),
        (true, "CREATE TEMP TABLE mine AS SELECT * FROM vault"),
        (true, "CREATE TRIGGER t AFTER INSERT ON open BEGIN DELETE FROM vault; END"),
        (true, "DROP TABLE vault"),
        (true, "ALTER TABLE open RENAME TO vault2"),
        (true, "BEGIN"),
        (true, "COMMIT"),
        (true, "SAVEPOINT s"),
        (true, "ROLLBACK"),
        (true, "REINDEX"),
        (true, "ANALYZE"),
    ];
    let mut answers = Vec::new();
    for (write, sql) in refused {
        let answer = dev.client.logic("raw", json!({"sql": sql, "write": write})).await.unwrap();
        assert_eq!(answer.status, 200, "{sql}: {answer:?}");
        let kind = answer.body["data"]["kind"].as_str().unwrap_or_default();
        assert!(matches!(kind, "denied" | "invalid" | "database"), "{sql}: {answer:?}");
        answers.push(answer);
    }
    let heavy = [
        (false, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"),
        (false, "SELECT hex(randomblob(500000000))"),
    ];
    for (write, sql) in heavy {
        let answer = dev.client.logic("raw", json!({"sql": sql, "write": write})).await.unwrap();
        let kind = answer.body["data"]["kind"].as_str().unwrap_or_default();
        assert!(matches!(kind, "timeout" | "database") || answer.limit() == "timeout", "{sql}: {answer:?}");
        answers.push(answer);
    }
    // The next caller finds the connection as it should be.
    let after = dev.client.logic("raw", json!({"sql": "SELECT text FROM open"})).await.unwrap();
    assert_eq!(after.body["data"], json!([{"text": "x"}]), "{after:?}");
    answers.push(after);
    answers
}

async fn lookups(dev: &StkDev) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (name, expected) in [
        ("PAYMENT_KEY", json!({"secret": "string", "config": "refused"})),
        ("OTHER_KEY", json!({"secret": "refused", "config": "refused"})),
        ("shown", json!({"secret": "refused", "config": "string"})),
        ("hidden", json!({"secret": "refused", "config": "refused"})),
    ] {
        let answer = dev.client.logic("secrets", json!({"name": name})).await.unwrap();
        assert_eq!(answer.body["data"], expected, "{name}");
        answers.push(answer);
    }
    let thrown = dev.client.logic("secrets", json!({"name": "throw"})).await.unwrap();
    assert_eq!((thrown.status, thrown.code()), (500, "LOGIC_FAILED"), "{thrown:?}");
    assert!(!thrown.body.to_string().contains("index.ts"), "a stack is for the log only: {thrown:?}");
    answers.push(thrown);
    answers
}

async fn clients(dev: &StkDev) -> Vec<Answer> {
    let mut answers = Vec::new();
    let attacker = dev.client.with_key(KEY);
    for (client, name, status) in [
        (&dev.client, "only_admin", 401),
        (&dev.client, "no_such", 401),
        (&attacker, "only_admin", 403),
        (&attacker, "no_such", 404),
        (&attacker, "../../etc/passwd", 404),
        (&attacker, "raw%00", 404),
    ] {
        let answer = client.logic(name, json!({})).await.unwrap();
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        answers.push(answer);
    }
    // An anonymous caller cannot tell a logic that it may not call from one that is not there.
    assert_eq!(answers[0].body["error"]["message"], answers[1].body["error"]["message"]);
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{\"sql\": 1e999}",
        &format!("{{\"sql\": {}1{}}}", "[".repeat(500), "]".repeat(500)),
    ] {
        let answer = dev.client.post("/logics/raw", body.to_owned()).await.unwrap();
        assert_eq!(answer.status, 400, "{body:.40}: {answer:?}");
        assert_eq!(answer.body["error"]["requestId"].as_str().map(str::is_empty), Some(false));
        answers.push(answer);
    }
    let huge = dev.client.post("/logics/raw", format!("{{\"sql\": \"{}\"}}", "x".repeat(11_000_000))).await.unwrap();
    assert_eq!((huge.status, huge.code()), (400, "BAD_REQUEST"));
    let request =
        dev.client.http().post(format!("{}/logics/raw", dev.client.url())).header("x-request-id", "mine-1").body("{");
    let kept = dev.client.send(request).await.unwrap();
    assert_eq!(kept.body["error"]["requestId"], Value::from("mine-1"));
    answers.push(kept);
    answers
}
