//! Projects whose queries are typed by the engine: what it finds, and where.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use santokit_core::{
    logic::Verb,
    project::{Project, SourceTree, parse, render},
    query::{Query, ResultColumn},
    release::Manifest,
};
use santokit_sqlite::queries::{check, verify};

const SCHEMA: &str = "version: 1
tables:
  customers:
    id: {generate: client}
    columns:
      email: {type: string, nullable: false}
      credit: {type: decimal}
  orders:
    columns:
      customerId: {type: string, nullable: false, references: {table: customers}}
      total: {type: decimal, nullable: false}
      paid: {type: boolean}
  vault:
    columns:
      text: {type: string}
";

fn project(queries: &[(&str, &str)]) -> Project {
    let mut files = SourceTree::new();
    files.insert("santokit.yaml", "version: 1\nname: shop\n");
    files.insert("schema/a.yaml", SCHEMA);
    for (name, text) in queries {
        files.insert(format!("queries/{name}.sql"), *text);
    }
    parse(&files).map_err(|found| render(&found)).unwrap()
}

async fn said(text: &str) -> String {
    render(&check(&mut project(&[("a", text)])).await.unwrap())
}

async fn typed(text: &str) -> Query {
    let mut project = project(&[("a", text)]);
    let found = check(&mut project).await.unwrap();
    assert!(found.is_empty(), "{}", render(&found));
    project.queries.remove("a").unwrap().query
}

async fn manifest(queries: &[(&str, &str)]) -> Manifest {
    let mut project = project(queries);
    assert!(check(&mut project).await.unwrap().is_empty());
    project.manifest(&BTreeMap::new()).unwrap()
}

fn powers(query: &Query) -> String {
    query.powers().collect::<Vec<_>>().join(", ")
}

fn column(name: &str, type_name: &str, nullable: Option<bool>) -> ResultColumn {
    ResultColumn { name: name.to_owned(), type_name: type_name.to_owned(), nullable }
}

#[tokio::test]
async fn a_query_is_known_by_what_it_touches_and_answers() {
    let query = typed("---\nparams: {customer: {type: string}}\n---\nSELECT o.id, total, paid FROM orders o WHERE customerId = :customer").await;
    assert_eq!(powers(&query), "main.orders select");
    let expected = [
        column("id", "string", Some(false)),
        column("total", "decimal", Some(false)),
        column("paid", "boolean", Some(true)),
    ];
    assert_eq!(query.result, expected);

    let query = typed("---\nreturns: one\nresult: {much: decimal, many: int}\n---\nSELECT email, sum(total) AS much, count(*) AS many, 1 AS one FROM customers LEFT JOIN orders ON customerId = customers.id").await;
    assert_eq!(powers(&query), "main.customers select, main.orders select");
    let expected = [
        column("email", "string", None),
        column("much", "decimal", None),
        column("many", "int", None),
        column("one", "any", None),
    ];
    assert_eq!(query.result, expected);
}

#[tokio::test]
async fn every_verb_is_found_wherever_it_hides() {
    for (sql, expected) in [
        ("DELETE FROM vault", "main.vault delete"),
        ("SELECT count(*) AS n FROM vault", "main.vault select"),
        // More than it touches, as the engine names a WITH and a table alike; never less.
        ("WITH vault AS (SELECT 1 AS a) SELECT count(*) AS n FROM vault", "main.vault select"),
        ("WITH own AS (SELECT 1 AS a) SELECT count(*) AS n FROM own", ""),
        ("SELECT 1 AS a WHERE EXISTS (SELECT 1 FROM vault)", "main.vault select"),
        ("SELECT (SELECT text FROM \"vault\" LIMIT 1) AS a", "main.vault select"),
        ("UPDATE vault SET text = (SELECT email FROM customers)", "main.customers select, main.vault update"),
        ("INSERT INTO vault (id, text) SELECT id, email FROM customers", "main.customers select, main.vault insert"),
        ("REPLACE INTO vault (id, text) VALUES ('1', 'a')", "main.vault insert, main.vault delete"),
        (
            "INSERT INTO vault (id) VALUES ('1') ON CONFLICT (id) DO UPDATE SET text = 'a'",
            "main.vault insert, main.vault update",
        ),
        // The engine looks into the table that is referred to.
        (
            "INSERT INTO orders (id, customerId, total) VALUES ('1', 'a', '1')",
            "main.customers select, main.orders insert",
        ),
        ("SELECT value FROM json_each('[1]')", ""),
    ] {
        let returns = if sql.starts_with("SELECT") || sql.starts_with("WITH") { "many" } else { "exec" };
        let query = typed(&format!("---\nreturns: {returns}\n---\n{sql}\n")).await;
        let found = powers(&query);
        if sql.contains("ON CONFLICT") {
            assert!(found.contains("vault insert") && found.contains("vault update"), "{sql}: {found}");
        } else {
            assert_eq!(found, expected, "{sql}");
        }
    }
}

#[tokio::test]
async fn a_mistake_is_told_where_it_is() {
    for (sql, expected) in [
        (
            "SELECT id, totl\nFROM orders",
            "queries/a.sql:3:12: error[unknown-column]: no such column: totl\n 3 | SELECT id, totl\n   |            ^^^^\n help: did you mean \"total\"?\n",
        ),
        (
            "SELECT id\n  FROM ordres",
            "queries/a.sql:4:8: error[unknown-table]: no such table: ordres\n 4 |   FROM ordres\n   |        ^^^^^^\n help: did you mean \"orders\"?\n",
        ),
        (
            "SELECT email, o.emial FROM customers c, orders o",
            "queries/a.sql:3:17: error[unknown-column]: no such column: o.emial\n",
        ),
        ("SELECT id FORM orders", "queries/a.sql:3:16: error[sql]: near \"orders\": syntax error\n"),
        ("SELECT summ(total) AS a FROM orders", "queries/a.sql:3:8: error[sql]: no such function: summ\n"),
        ("SELECT id FROM customers, orders", "queries/a.sql:3:8: error[sql]: ambiguous column name: id\n"),
        ("SELECT count(*) FROM orders", "queries/a.sql:3:1: error[sql]: column 1 of its rows has no name"),
        ("SELECT id, id FROM orders", "queries/a.sql:3:1: error[sql]: two columns of its rows are named \"id\""),
        ("DELETE FROM vault", "queries/a.sql:3:1: error[sql]: it answers no rows\n"),
        ("SELECT name FROM sqlite_schema", "error[sql]: a declared query may not use select of \"sqlite_master\""),
        ("SELECT name FROM pragma_table_info('vault')", "error[sql]: "),
        (
            "SELECT load_extension('x') AS a",
            "queries/a.sql:3:8: error[sql]: a declared query may not use the function load_extension",
        ),
        ("EXPLAIN SELECT 1 AS a", "error[sql]: "),
    ] {
        let said = said(&format!("---\n---\n{sql}")).await;
        assert!(said.contains(expected), "{sql}:\n{said}");
    }
    let said = said("---\nreturns: exec\n---\nSELECT id FROM orders").await;
    assert!(said.contains("returns: many"), "{said}");
}

#[tokio::test]
async fn declared_types_must_fit() {
    let said_of = said("---\nresult:\n  total: int\n---\nSELECT total FROM orders").await;
    assert!(
        said_of.starts_with("queries/a.sql:3:3: error[conflict]: the schema says that \"total\" is decimal"),
        "{said_of}"
    );
    let said_of = said("---\nresult: {totl: int}\n---\nSELECT total FROM orders").await;
    assert!(
        said_of.starts_with("queries/a.sql:2:10: error[unknown-column]: its rows have no column \"totl\""),
        "{said_of}"
    );
}

/// Names that stand for each other: understanding it would take longer than anyone waits.
#[tokio::test]
async fn what_takes_too_long_to_understand_is_refused() {
    let levels = (1..40).map(|level| {
        let before = level - 1;
        format!(", t{level} AS (SELECT a.id FROM t{before} a, t{before} b, t{before} c)")
    });
    let levels: String = levels.collect();
    let said = said(&format!("---\n---\nWITH t0 AS (SELECT id FROM orders){levels} SELECT id FROM t39")).await;
    assert!(said.contains("error[sql]"), "{said}");
}

#[tokio::test]
async fn a_release_says_exactly_what_its_queries_touch_and_answer() {
    let good =
        manifest(&[("a", "---\n---\nSELECT id FROM orders"), ("b", "---\nreturns: exec\n---\nDELETE FROM vault")])
            .await;
    verify(&good).await.unwrap();
    let refused = async |change: &dyn Fn(&mut Query)| {
        let mut bad = good.clone();
        change(bad.queries.get_mut("a").unwrap());
        verify(&bad).await.unwrap_err().to_string()
    };
    let narrower = refused(&|query| query.tables.clear()).await;
    assert!(narrower.contains("than the manifest says"), "{narrower}");
    refused(&|query| assert!(query.tables.entry("vault".to_owned()).or_default().insert(Verb::Select))).await;
    refused(&|query| query.statement = "SELECT id FROM vault".to_owned()).await;
    refused(&|query| query.statement = "SELECT id FROM orders; DELETE FROM vault".to_owned()).await;
    refused(&|query| query.statement = "ATTACH 'x' AS y".to_owned()).await;
    refused(&|query| query.result[0].type_name = "int".to_owned()).await;
    refused(&|query| query.result[0].nullable = None).await;
    refused(&|query| query.connection = "other".to_owned()).await;
}
