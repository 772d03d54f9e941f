//! `stk logic test` as a process: what every template brings passes at once, components are run as a Bridge runs them, and
//! `--watch` runs what a save affects. SQL logics and wrong files of cases: `tests/cases/cli/logic-test.yaml`.

use std::time::Duration;

use santokit_tests::{Finished, ProjectFolder, StkServer, repository, stk};
use serde_json::{Value as Json, json};
use tokio::time::timeout;

const PROJECT: &str = "version: 1\nname: shop\n";
const SAVE_MAX: Duration = Duration::from_mins(1);

/// One logic that misbehaves as its params say.
const EDGE: &str = r#"
import { clock, log, logic, LogicError, random, secrets, sql } from "@santokit/guest";

interface Input {
  what: string;
}

export default logic<Input, unknown>((input, ctx) => {
  switch (input.what) {
    case "loop":
      for (;;) {}
    case "throw":
      log.warn("about to throw", { key: secrets.get("KEY") });
      throw new Error(`with ${secrets.get("KEY")} in it`);
    case "refuse":
      throw new LogicError("NO", `not with ${secrets.get("KEY")}`, { why: "so" });
    case "secret":
      return { key: secrets.get("KEY") };
    case "fixed":
      return { now: clock.timestamp(), bytes: [...random.bytes(4)], date: new Date().toISOString(), random: Math.random() };
    case "caller":
      return ctx.caller;
    default: {
      const db = sql.open("main");
      db.execute("INSERT INTO notes (id, n) VALUES (?, ?)", ["x", 9007199254740993n]);
      return null;
    }
  }
});
"#;

const EDGE_YAML: &str = "component: {build: ts}\nauth: public\nparams: {what: {type: string, required: true}}\n\
    limits: {timeout: 60s, cpu: 2s}\ntransaction: required\n\
    grants:\n  secrets: [KEY]\n  sql: [{connection: main, tables: {notes: [insert]}}]\n";

const SCHEMA: &str = "version: 1\ntables:\n  notes:\n    id: {name: id, generate: client, type: string}\n    \
    columns: {n: {type: bigint}}\n";

const EDGE_CASES: &str = r#"
cases:
  - name: a loop is stopped
    given: {secrets: {KEY: planted-secret}}
    params: {what: loop}
    expect: {error: {code: LOGIC_FAILED, limit: cpu}, rows: {notes: []}}
  - name: an exception is told
    given: {secrets: {KEY: planted-secret}}
    params: {what: throw}
    expect: {answer: 1}
  - name: a refusal is told
    given: {secrets: {KEY: planted-secret}}
    params: {what: refuse}
    expect: {error: {code: NO, message: another, details: {why: so}}}
  - name: what is in the answer is shown
    given: {secrets: {KEY: shown-secret}}
    params: {what: secret}
    expect: {answer: {key: another}}
  - name: the clock stands still and random numbers repeat
    given: {secrets: {KEY: k}, now: "2026-01-31T12:00:00Z", randomSeed: 7}
    steps:
      - {params: {what: fixed}, expect: {answer: {now: "2026-01-31T12:00:00.000000Z", bytes: [187, 67, 215, 35], date: "2026-01-31T12:00:00.000Z", random: 0.20439750892743402}}}
      - {params: {what: fixed}, expect: {answer: {$partial: {bytes: [94, 150, 156, 74], random: 0.7615131778997573}}}}
  - name: the caller is who the case says
    given: {secrets: {KEY: k}}
    as: {user: {subject: ada, roles: [staff]}}
    params: {what: caller}
    expect: {answer: {$partial: {kind: user, subject: ada, roles: [staff]}}, usage: {hostCalls: 10, memory: 64MiB}}
  - name: usage is bounded
    given: {secrets: {KEY: k}}
    params: {what: caller}
    expect: {usage: {memory: 1KiB}}
  - name: rows are written
    given: {secrets: {KEY: k}}
    params: {what: write}
    expect: {answer: null, rows: {notes: [{id: x, n: 9007199254740993}]}}
  - name: a secret that is granted and not given
    params: {what: write}
"#;

const PRICE: &str = r#"
import { logic, LogicError, sql } from "@santokit/guest";

export default logic<{ id: string }, { n: string }>((input) => {
  const db = sql.open("main");
  const found = db.query<{ n: bigint }>("SELECT n FROM notes WHERE id = ?", [input.id]);
  if (found.length === 0) throw new LogicError("UNKNOWN", "there is no such note");
  return { n: String(found[0]!.n) };
});
"#;

const PRICE_YAML: &str = "component: {build: ts}\nroles: [staff]\nparams: {id: {type: string, required: true}}\n\
    grants: {sql: [{connection: main, tables: {notes: [select, insert]}}]}\n";

const PRICE_TESTS: &str = r#"
import { clock, context, sql } from "@santokit/guest";
import { call, expect, test } from "@santokit/guest/test";
import handler from "../index.ts";

const given = { rows: { notes: [{ id: "a", n: "9007199254740993" }] }, now: "2026-01-31T12:00:00Z" };

test("finds what is given", { given, as: { user: { subject: "ada" } } }, () => {
  expect(call(handler, { id: "a" })).toEqual({ n: "9007199254740993" });
  expect(clock.timestamp()).toBe("2026-01-31T12:00:00.000000Z");
  expect(context.caller().subject).toBe("ada");
});

for (const turn of ["first", "second"]) {
  test(`each has databases of its own: ${turn}`, () => {
    sql.open("main").execute("INSERT INTO notes (id, n) VALUES ('x', 1)", []);
    expect(call<{ n: string }>(handler, { id: "x" }).n).toBe("1");
    expect(() => call(handler, { id: "a" })).toThrow("UNKNOWN");
  });
}

test("differs", { given }, () => {
  expect({ rows: [call(handler, { id: "a" }), 1n] }).toEqual({ rows: [{ n: "2" }, 1n] });
});

test("throws", () => {
  call(handler, { id: "a" });
});

test("may not do more than its logic", () => {
  sql.open("main").execute("DELETE FROM notes", []);
});
"#;

async fn tested(folder: &ProjectFolder, args: &[&str]) -> (Finished, Json) {
    let args = [&["logic", "test", "--json"], args].concat();
    let finished = stk(folder.path(), &args, &[]).await.unwrap();
    let report = finished.json();
    (finished, report)
}

fn case<'r>(report: &'r Json, name: &str) -> &'r Json {
    let found = report["cases"].as_array().unwrap().iter().find(|case| case["name"] == name);
    found.unwrap_or_else(|| panic!("no case {name:?} in {report:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_every_template_brings_passes_at_once() {
    let folder = ProjectFolder::new([("santokit.yaml", PROJECT)]).unwrap();
    for (lang, name) in [("rust", "a/in_rust"), ("ts", "in_ts"), ("js", "in_js"), ("c", "in_c")] {
        let made = stk(folder.path(), &["logic", "new", "--lang", lang, name], &[]).await.unwrap();
        assert_eq!(made.code, 0, "{made:?}");
        let (finished, report) = tested(&folder, &[name]).await;
        assert_eq!(finished.code, 0, "{lang}: {finished:?}");
        assert_eq!((&report["passed"], &report["failed"]), (&json!(4), &json!(0)), "{lang}: {report:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_reference_is_the_shop_s_and_passes() {
    let folder = ProjectFolder::copy_of("examples/shop").unwrap();
    let cases = folder.read("logics/purchase/tests/purchase.yaml").unwrap();
    let page = std::fs::read_to_string(repository().join("docs/reference/testing.md")).unwrap();
    assert!(page.contains(&format!("# logics/purchase/tests/purchase.yaml\n{cases}```")), "they differ");
    let (finished, report) = tested(&folder, &["purchase"]).await;
    assert_eq!((finished.code, &report["passed"]), (0, &json!(3)), "{finished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn components_are_tested_as_a_bridge_runs_them() {
    let folder = ProjectFolder::new([
        ("santokit.yaml", PROJECT),
        ("schema/main.yaml", SCHEMA),
        ("logics/edge/logic.yaml", EDGE_YAML),
        ("logics/edge/index.ts", EDGE),
        ("logics/edge/tests/edge.yaml", EDGE_CASES),
    ])
    .unwrap();
    let (finished, report) = tested(&folder, &[]).await;
    assert_eq!(finished.code, 1, "{finished:?}");
    let outcome = |name: &str| case(&report, name)["outcome"].as_str().unwrap_or_default().to_owned();
    for name in [
        "a loop is stopped",
        "the clock stands still and random numbers repeat",
        "the caller is who the case says",
        "rows are written",
    ] {
        assert_eq!(outcome(name), "passed", "{:#}", case(&report, name));
    }
    let thrown = case(&report, "an exception is told");
    assert_eq!(thrown["differences"][0]["path"], "error", "{thrown:#}");
    assert_eq!(thrown["differences"][0]["got"]["code"], "LOGIC_FAILED");
    let logs = thrown["logs"].to_string();
    assert!(logs.contains("warn about to throw key=***") && logs.contains("with *** in it"), "{logs}");
    assert!(logs.contains("index.ts:"), "{logs}");
    assert!(thrown["guest"][0].as_str().unwrap().starts_with("trapped: "), "{thrown:#}");
    let refused = case(&report, "a refusal is told");
    let expected = json!([{"path": "error.message", "expected": "another", "got": "not with ***"}]);
    assert_eq!(refused["differences"], expected);
    let shown = case(&report, "what is in the answer is shown");
    assert_eq!(shown["differences"][0]["got"], "shown-secret");
    assert_eq!(case(&report, "usage is bounded")["differences"][0]["path"], "usage.memory");
    let missing = case(&report, "a secret that is granted and not given");
    assert!(missing["trouble"].as_str().unwrap().contains("given.secrets lacks"), "{missing:#}");
    let people = stk(folder.path(), &["logic", "test"], &[]).await.unwrap();
    for output in [&finished.stdout, &finished.stderr, &people.stdout, &people.stderr] {
        assert!(!output.contains("planted-secret"), "{output}");
    }
    assert!(people.stdout.contains("failed an exception is told"), "{people:?}");
    assert!(people.stderr.contains("5 of 9 cases failed"), "{people:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_in_typescript_run_in_the_sandbox() {
    let folder = ProjectFolder::new([
        ("santokit.yaml", PROJECT),
        ("schema/main.yaml", SCHEMA),
        ("logics/notes/price/logic.yaml", PRICE_YAML),
        ("logics/notes/price/index.ts", PRICE),
        ("logics/notes/price/test/price.test.ts", PRICE_TESTS),
    ])
    .unwrap();
    let (finished, report) = tested(&folder, &["notes/price"]).await;
    assert_eq!((finished.code, &report["passed"], &report["failed"]), (1, &json!(3), &json!(3)), "{finished:?}");
    let first = case(&report, "finds what is given");
    assert_eq!((&first["outcome"], &first["line"]), (&json!("passed"), &json!(8)), "{first:#}");
    assert_eq!(first["file"], "logics/notes/price/test/price.test.ts");
    let differs = case(&report, "differs");
    let expected = json!([{"path": "the content differs.rows[0].n", "expected": "2", "got": "9007199254740993"}]);
    assert_eq!(differs["differences"], expected, "{differs:#}");
    assert!(differs["guest"].to_string().contains("test/price.test.ts:23"), "{differs:#}");
    let thrown = case(&report, "throws");
    assert!(thrown["differences"][0]["path"].as_str().unwrap().contains("UNKNOWN"), "{thrown:#}");
    let denied = case(&report, "may not do more than its logic");
    assert_eq!(denied["outcome"], "failed", "{denied:#}");
    folder.edit("logics/notes/price/test/price.test.ts", "{ id: \"a\", n:", "{ id: \"a\", m:").unwrap();
    let (finished, report) = tested(&folder, &[]).await;
    assert_eq!(finished.code, 1, "{finished:?}");
    let said = report["error"]["message"].as_str().unwrap();
    assert!(said.contains("price.test.ts:8") && said.contains("has no column \"m\""), "{said}");
    folder.edit("logics/notes/price/test/price.test.ts", "toBe(\"ada\")", "toBee(\"ada\")").unwrap();
    let (finished, _) = tested(&folder, &[]).await;
    assert!(finished.code == 1 && finished.stdout.contains("toBee"), "types are checked: {finished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn running_one_logic_leaves_the_types_of_all() {
    let logic =
        |param: &str| format!("---\nauth: public\nparams: {{{param}: {{type: int}}}}\n---\nSELECT :{param} AS n\n");
    let case = "cases: [{name: one, call: one}]\n";
    let folder = ProjectFolder::new([
        ("santokit.yaml", PROJECT),
        ("logics/one.sql", &logic("first")),
        ("logics/two.sql", &logic("second")),
        ("tests/one.yaml", case),
    ])
    .unwrap();
    for args in [["logic", "test", "one"], ["logic", "invoke", "one"]] {
        let finished = stk(folder.path(), &args, &[]).await.unwrap();
        assert_eq!(finished.code, 0, "{finished:?}");
        let types = folder.read(".stk/types/project.ts").unwrap();
        assert!(types.contains("first") && types.contains("second"), "{args:?}: {types}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_runs_what_it_affects() {
    let case = |name: &str, answer: u8| {
        format!("cases:\n  - {{name: {name}, call: {name}, expect: {{answer: [{{n: {answer}}}]}}}}\n")
    };
    let folder = ProjectFolder::new([
        ("santokit.yaml", PROJECT),
        ("logics/one.sql", "---\nauth: public\n---\nSELECT 1 AS n\n"),
        ("logics/two.sql", "---\nauth: public\n---\nSELECT 2 AS n\n"),
        ("tests/one.yaml", &case("one", 1)),
        ("tests/two.yaml", &case("two", 2)),
    ])
    .unwrap();
    let args = ["logic", "test", "--watch", "--json"];
    let watching = StkServer::start(folder.path(), &args, &[], "\"waiting\"").await.unwrap();
    let reports = || -> Vec<Json> {
        let lines: Vec<Json> =
            watching.output().lines().filter_map(|line| serde_json::from_str::<Json>(line).ok()).collect();
        lines.into_iter().filter(|event| event["event"] == "tested").collect()
    };
    assert_eq!((&reports()[0]["passed"], &reports()[0]["unaffected"]), (&json!(2), &json!(0)));
    folder.edit("logics/one.sql", "SELECT 1", "SELECT 3").unwrap();
    let second = report(&reports, 1).await;
    assert_eq!(
        (&second["passed"], &second["failed"], &second["unaffected"]),
        (&json!(0), &json!(1), &json!(1)),
        "{second:#}"
    );
    assert_eq!(second["cases"][0]["differences"][0], json!({"path": "answer[0].n", "expected": 1, "got": 3}));
    folder.edit("tests/one.yaml", "{n: 1}", "{n: 3}").unwrap();
    let third = report(&reports, 2).await;
    assert_eq!((&third["passed"], &third["unaffected"]), (&json!(1), &json!(1)), "{third:#}");
    assert_eq!(watching.end().await.unwrap(), 0);
}

/// The report of that number, from 0.
async fn report(reports: &impl Fn() -> Vec<Json>, number: usize) -> Json {
    let waiting = async {
        loop {
            if let Some(report) = reports().into_iter().nth(number) {
                return report;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SAVE_MAX, waiting).await.unwrap_or_else(|_| panic!("no report {number}; there are {:#?}", reports()))
}
