//! The golden statements of `santokit-sql` on SQLite itself: each can be prepared, and sums of decimals are exact.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::PathBuf};

use santokit_core::{access::predicate::Predicate, schema::Schema, value::Value};
use santokit_sql::{
    dialect::Dialect,
    plan::{Aggregate, Column, Function, Measure, Source},
    render,
    schema::{self, CurrentSchema, Engine},
};
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, Row as _, SqlSafeStr as _, SqliteConnection,
    sqlite::SqliteConnectOptions,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

/// An empty database with the tables of the golden files. How decimals compare does not matter here.
async fn database() -> (SqliteConnection, Schema) {
    let schema: Schema = serde_json::from_str(&fs::read_to_string(folder().join("schema.json")).unwrap()).unwrap();
    let options = SqliteConnectOptions::new().in_memory(true).collation("stk_decimal", str::cmp);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for step in schema::plan(Engine::Sqlite, &CurrentSchema::default(), &schema, &Schema::default()).unwrap() {
        for statement in step.statements {
            connection.execute(AssertSqlSafe(statement)).await.unwrap();
        }
    }
    (connection, schema)
}

#[tokio::test]
async fn every_golden_statement_can_be_prepared() {
    let (mut connection, _) = database().await;
    let mut count = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "sql") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let section = text.split("\n-- sqlite\n").nth(1).unwrap().split("\n-- postgres\n").next().unwrap();
        for statement in section.lines().filter(|line| !line.is_empty() && !line.starts_with("--")) {
            let prepared = (&mut connection).prepare(AssertSqlSafe(statement.to_owned()).into_sql_str()).await;
            assert!(prepared.is_ok(), "{}: {statement}: {:?}", path.display(), prepared.err());
            count += 1;
        }
    }
    assert!(count >= 50, "{count} statements");
}

#[tokio::test]
async fn sums_and_means_of_decimals_are_exact() {
    let (mut connection, schema) = database().await;
    let employees = &schema.tables["employees"];
    let salary = Column::of(employees, "salary").unwrap();
    let plan = Aggregate {
        source: Source::of("employees", Predicate::ALWAYS),
        groups: vec![Column::of(employees, "name").unwrap()],
        measures: vec![
            Measure { name: "sum".to_owned(), function: Function::Sum(salary.clone()) },
            Measure { name: "mean".to_owned(), function: Function::Average(salary) },
            Measure { name: "rows".to_owned(), function: Function::CountRows },
        ],
        order: Vec::new(),
        limit: None,
        offset: 0,
    };
    let aggregate = render::aggregate(&plan, Dialect::Sqlite).unwrap();
    // (values, their sum, their mean). A double would lose digits in each.
    let cases: &[(&[&str], &str, &str)] = &[
        (&["0.1", "0.2"], "0.3", "0.15"),
        (
            &["9999999999999999999999999999", "1", "0.5"],
            "10000000000000000000000000000.5",
            "3333333333333333333333333333.5",
        ),
        (
            &["-9999999999999999999999999999", "-0.0000000000000000000000000001"],
            "-9999999999999999999999999999.0000000000000000000000000001",
            "-4999999999999999999999999999.5",
        ),
        (&["0.0000000000000000000000000001", "-0.0000000000000000000000000001"], "0", "0"),
        (&["1", "-1.5", "0.25"], "-0.25", "-0.0833333333"),
        (&["12.50", "7", "007.5"], "27", "9"),
        (&["-3"], "-3", "-3"),
    ];
    for (number, (values, ..)) in cases.iter().enumerate() {
        for (at, value) in values.iter().enumerate() {
            let row =
                format!("INSERT INTO employees (id, name, salary) VALUES ('{number}-{at}', '{number}', '{value}')");
            connection.execute(AssertSqlSafe(row)).await.unwrap();
        }
    }
    connection.execute("INSERT INTO employees (id, name) VALUES ('n', 'none')").await.unwrap();
    let rows = connection.fetch_all(AssertSqlSafe(aggregate.statement.sql.clone())).await.unwrap();
    assert_eq!(rows.len(), cases.len() + 1);
    for row in rows {
        let group: String = row.get(0);
        let number = |at| row.get::<Option<i64>, _>(at).map_or(Value::Null, Value::Int64);
        let cells =
            std::iter::once(Value::Text(group.clone())).chain((1..aggregate.statement.columns.len()).map(number));
        let finished = aggregate.finish(cells.collect()).unwrap();
        let decimal = |text: &str| Value::Typed("decimal".to_owned(), text.to_owned());
        let expected = match group.parse::<usize>() {
            Ok(case) => {
                let (values, sum, mean) = cases[case];
                [decimal(sum), decimal(mean), Value::Int64(i64::try_from(values.len()).unwrap())]
            }
            Err(_) => [Value::Null, Value::Null, Value::Int64(1)],
        };
        assert_eq!(finished[1..], expected, "{group}");
    }
}
