//! The types that `stk` writes for a project fit what a guest is given: every type of column, read into them in each language
//! whose compiler checks or whose decoder refuses what does not fit.

use santokit_tests::{ProjectFolder, StkDev};
use serde_json::{Value, json};

const SCHEMA: &str = "version: 1\ntables:\n  everything:\n    id: {name: id, generate: client}\n    columns:\n      \
    count: {type: int, nullable: false}\n      total: {type: bigint, nullable: false}\n      share: {type: float, nullable: false}\n      \
    price: {type: decimal, nullable: false}\n      isOpen: {type: boolean, nullable: false}\n      extra: {type: json}\n      \
    at: {type: timestamp, nullable: false}\n      raw: {type: bytes, nullable: false}\n      \
    tags: {type: array, items: {type: string}, nullable: false}\n      from: {type: string}\n      \
    status: {type: string, nullable: false, enum: [open, paid]}\n";

const SEED: &str = "INSERT INTO everything (id, \"count\", total, share, price, isOpen, extra, \"at\", raw, tags, \"from\", status) VALUES \
    ('1', 7, 9007199254740993, 0.5, '19.90', 1, '{\"a\":[1]}', '2026-01-31T08:00:00.000001Z', x'00ff', '[\"x\",\"y\"]', NULL, 'open');\n";

const MANIFEST: &str = "auth: public\nparams: {id: {type: string, required: true}, limit: {type: bigint}}\n\
    grants: {sql: [{connection: main, tables: {everything: [select]}}]}\n";

const CARGO: &str = "[package]\nname = \"in-rust\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n\
    [dependencies]\nsantokit-guest = { path = \"../../.stk/cache/sdk/rust\" }\nserde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n";

const RUST: &str = r#"use project::{EverythingRow, InRustParams};
use santokit_guest::prelude::*;

mod project {
    include!("../../../.stk/types/project.rs");
}

fn handle(params: InRustParams) -> Result<EverythingRow, LogicError> {
    let select = format!("SELECT {} FROM {} WHERE id = ?", EverythingRow::COLUMNS, EverythingRow::TABLE);
    Ok(sql::open("main")?.query_one(&select, params![params.id])?)
}

santokit_guest::logic!(handle);
"#;

const TS: &str = r#"import { logic, sql } from "@santokit/guest";
import type { InTsParams, Tables } from "@santokit/project";

export default logic<InTsParams, unknown>(({ id }) => {
  const row = sql.open("main").queryOne<Tables["everything"]>("SELECT * FROM everything WHERE id = ?", [id]);
  const status: "open" | "paid" = row.status;
  const tags: string[] = row.tags;
  const raw: Uint8Array = row.raw;
  return { ...row, status, tags, raw, total: BigInt(row.total), kinds: [typeof row.isOpen, typeof row.price, typeof row.count] };
});
"#;

const QUERY: &str = "---\nreturns: one\nparams:\n  id: {type: string, required: true}\n  price: {type: decimal}\n  \
    since: {type: timestamp}\n  least: {type: bigint}\n  raw: {type: bytes}\n  tags: {type: array, items: {type: string}}\n  \
    status: {type: string, enum: [open, paid]}\n---\n\
    SELECT *, count(*) OVER () AS howMany FROM everything WHERE id = :id AND (:price IS NULL OR price = :price) \
    AND (:since IS NULL OR \"at\" >= :since) AND (:least IS NULL OR total >= :least) AND (:raw IS NULL OR raw = :raw) \
    AND (:tags IS NULL OR tags = :tags) AND (:status IS NULL OR status = :status)\n";

const QUERY_MANIFEST: &str =
    "auth: public\nparams: {id: {type: string, required: true}}\ngrants: {queries: [find/one]}\n";

const QUERY_RUST: &str = r#"use project::{FindOneQueryParams, FindOneQueryRow, QueryRustParams};
use santokit_guest::prelude::*;

mod project {
    include!("../../../.stk/types/project.rs");
}

fn handle(params: QueryRustParams) -> Result<FindOneQueryRow, LogicError> {
    let asked = FindOneQueryParams {
        id: params.id,
        price: Some("19.90".to_owned()),
        since: Some("2026-01-31T08:00:00.000001Z".to_owned()),
        least: Some(9_007_199_254_740_993),
        raw: Some(vec![0, 255]),
        tags: Some(vec!["x".into(), "y".into()]),
        status: None,
    };
    Ok(queries::one(FindOneQueryParams::QUERY, &asked.named())?)
}

santokit_guest::logic!(handle);
"#;

const QUERY_TS: &str = r#"import { logic, queries } from "@santokit/guest";
import type { FindOneQueryParams, Queries, QueryTsParams } from "@santokit/project";

const project = queries.declared<Queries>();

export default logic<QueryTsParams, unknown>(({ id }) => {
  const params: FindOneQueryParams = {
    id,
    price: "19.90",
    since: "2026-01-31T08:00:00.000001Z",
    least: 9007199254740993n,
    raw: new Uint8Array([0, 255]),
    tags: queries.json(["x", "y"]),
    status: "open",
  };
  // @ts-expect-error: the query returns one row.
  const many = () => project.many("find/one", params);
  // @ts-expect-error: a param is missing.
  const without = () => project.one("find/one", {});
  // @ts-expect-error: there is no such query.
  const unknown = () => project.one("find/two", params);
  const row = project.one("find/one", params);
  const count: number | null = row.count;
  return { ...row, count, refused: [many, without, unknown].length };
});
"#;

const QUERY_PYTHON: &str = r#"from decimal import Decimal

from project import FindOneQueryParams, FindOneQueryRow, QueryPythonParams
from santokit import logic, queries


@logic
def handle(params: QueryPythonParams) -> FindOneQueryRow:
    asked: FindOneQueryParams = {"id": params["id"], "price": Decimal("19.90"), "raw": b"\x00\xff"}
    return queries.one("find/one", asked, FindOneQueryRow)
"#;

const QUERY_C: &str = r#"#include <project.h>
#include <santokit.h>

json_t *stk_handle(const json_t *input)
{
    const char *id = json_string_value(json_object_get(input, QUERY_C_PARAM_ID));
    stk_rows *row = stk_queries_one(FIND_ONE_QUERY, STK_NAMED({FIND_ONE_QUERY_PARAM_ID, stk_text(id)},
                                                              {FIND_ONE_QUERY_PARAM_PRICE, stk_decimal("19.90")}));
    if (stk_failed()) return NULL;
    return json_pack("{s:s,s:I}", "column", stk_column_name(row, FIND_ONE_QUERY_COLUMN_PRICE),
                     "width", (json_int_t)FIND_ONE_QUERY_WIDTH);
}
"#;

const CRUD_C: &str = r#"#include <project.h>
#include <santokit.h>

json_t *stk_handle(const json_t *input)
{
    const json_t *id = json_object_get(input, IN_C_PARAM_ID);
    json_t *rows = stk_crud_select(EVERYTHING_TABLE, json_pack("{s:{s:O}}", "where", EVERYTHING_KEY_ID, id));
    const json_t *row = json_array_get(rows, 0);
    if (stk_failed()) return NULL;
    return json_pack("{s:O,s:O,s:O}", "row", row, "total", json_object_get(row, EVERYTHING_KEY_TOTAL),
                     "isOpen", json_object_get(row, EVERYTHING_KEY_IS_OPEN));
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_c_are_those_of_what_a_table_answers() {
    let manifest = "auth: public\nparams: {id: {type: string, required: true}}\ngrants: {crud: {as: caller}}\n";
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: typedkeys\n"),
        ("santokit.dev.yaml", "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\n"),
        ("schema/main.yaml", SCHEMA),
        ("seed/everything.sql", SEED),
        ("config/permissions.yaml", "tables: {everything: {select: {roles: [public]}}}\n"),
        ("logics/in_c/logic.yaml", &format!("component: {{build: c}}\n{manifest}")),
        ("logics/in_c/handler.c", CRUD_C),
    ])
    .unwrap();
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let row = json!({
        "id": "1", "count": 7, "total": "9007199254740993", "share": 0.5, "price": "19.90", "isOpen": true, "extra": {"a": [1]},
        "at": "2026-01-31T08:00:00.000001Z", "raw": "AP8=", "tags": ["x", "y"], "from": null, "status": "open",
    });
    assert_eq!(read(&dev, "in_c").await, json!({"row": row, "total": "9007199254740993", "isOpen": true}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_query_takes_and_answers_fits_its_types_in_every_language() {
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: typedqueries\n"),
        ("santokit.dev.yaml", "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\n"),
        ("schema/main.yaml", SCHEMA),
        ("seed/everything.sql", SEED),
        ("queries/find/one.sql", QUERY),
        ("logics/query_rust/logic.yaml", &format!("component: {{build: rust}}\n{QUERY_MANIFEST}")),
        ("logics/query_rust/Cargo.toml", CARGO),
        ("logics/query_rust/src/lib.rs", QUERY_RUST),
        ("logics/query_ts/logic.yaml", &format!("component: {{build: ts}}\n{QUERY_MANIFEST}")),
        ("logics/query_ts/index.ts", QUERY_TS),
        ("logics/query_python/logic.yaml", &format!("component: {{build: python}}\n{QUERY_MANIFEST}")),
        ("logics/query_python/main.py", QUERY_PYTHON),
        ("logics/query_c/logic.yaml", &format!("component: {{build: c}}\n{QUERY_MANIFEST}")),
        ("logics/query_c/handler.c", QUERY_C),
    ])
    .unwrap();
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let rust = read(&dev, "query_rust").await;
    assert_eq!(
        (&rust["total"], &rust["price"], &rust["howMany"]),
        (&json!(9_007_199_254_740_993_i64), &json!("19.90"), &json!(1))
    );
    let ts = read(&dev, "query_ts").await;
    assert_eq!((&ts["total"], &ts["raw"], &ts["refused"]), (&json!("9007199254740993"), &json!("AP8="), &json!(3)));
    assert_eq!(read(&dev, "query_python").await["tags"], json!(["x", "y"]));
    assert_eq!(read(&dev, "query_c").await, json!({"column": "price", "width": 13}));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_of_column_fits_its_type_in_rust_and_typescript() {
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: typed\n"),
        ("santokit.dev.yaml", "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\n"),
        ("schema/main.yaml", SCHEMA),
        ("seed/everything.sql", SEED),
        ("logics/in_rust/logic.yaml", &format!("component: {{build: rust}}\n{MANIFEST}")),
        ("logics/in_rust/Cargo.toml", CARGO),
        ("logics/in_rust/src/lib.rs", RUST),
        ("logics/in_ts/logic.yaml", &format!("component: {{build: ts}}\n{MANIFEST}")),
        ("logics/in_ts/index.ts", TS),
    ])
    .unwrap();
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    let mut expected = json!({
        "id": "1", "count": 7, "total": 9_007_199_254_740_993_i64, "share": 0.5, "price": "19.90", "isOpen": true, "extra": {"a": [1]},
        "at": "2026-01-31T08:00:00.000001Z", "raw": [0, 255], "tags": ["x", "y"], "from": null, "status": "open",
    });
    assert_eq!(read(&dev, "in_rust").await, expected);
    // As an SDK writes it: whole numbers beyond 2^53 as text, bytes in base64.
    expected["total"] = json!("9007199254740993");
    expected["raw"] = json!("AP8=");
    expected["kinds"] = json!(["boolean", "string", "number"]);
    assert_eq!(read(&dev, "in_ts").await, expected);
}

async fn read(dev: &StkDev, logic: &str) -> Value {
    let answer = dev.client.logic(logic, json!({"id": "1"})).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}\n{}", dev.output());
    answer.body["data"].clone()
}
