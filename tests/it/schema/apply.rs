//! Applies that meet something: each other, rows that do not fit, a step that fails half way.

use santokit_core::schema::Schema;
use santokit_hub::app::schema;
use serde_json::json;

use crate::own_database::{ENGINES, Own, wanted};

fn declared(tables: &serde_json::Value) -> Schema {
    serde_json::from_value(json!({"tables": tables})).unwrap()
}

fn id() -> serde_json::Value {
    json!({"name": "id", "generate": "client", "type": "string"})
}

#[tokio::test(flavor = "multi_thread")]
async fn two_applies_at_once_make_one_database() {
    let column = |n: usize| json!({"name": format!("c{n}"), "type": "int", "nullable": true, "unique": true});
    let columns: Vec<_> = (0..5).map(column).collect();
    let all = declared(&json!({"a": {"id": id(), "columns": columns}, "b": {"id": id(), "columns": columns}}));
    for engine in ENGINES {
        let own = Own::create(engine).await;
        let (address, wanted) = (own.address(), wanted(&all));
        let (one, two, three) = tokio::join!(
            schema::apply(&address, &wanted),
            schema::apply(&address, &wanted),
            schema::apply(&address, &wanted)
        );
        let steps: Vec<usize> = [one, two, three].map(|done| done.unwrap().unwrap().len()).into();
        assert_eq!(steps.iter().filter(|count| **count > 0).count(), 1, "{engine}: {steps:?}");
        assert_eq!(own.plan(&all).await, Ok(Vec::new()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_is_named_and_the_next_apply_goes_on() {
    let a = json!({"id": id(), "columns": [{"name": "value", "type": "int", "nullable": true}]});
    let unique = json!({"id": id(), "columns": [{"name": "value", "type": "int", "nullable": true, "unique": true}]});
    for engine in ENGINES {
        let own = Own::create(engine).await;
        own.apply(&declared(&json!({"a": a}))).await.unwrap();
        own.execute("INSERT INTO a (id, value) VALUES ('x', 1), ('y', 1)").await;
        let grown = declared(&json!({"a": unique, "later": a}));
        let problem = schema::apply(&own.address(), &wanted(&grown)).await.unwrap_err();
        assert_eq!(problem.code, santokit_core::code::Code::Conflict, "{engine}: {problem:?}");
        assert!(problem.message.contains("create index stk_uq_a$value"), "{engine}: {problem:?}");
        let words = format!("{} {:?} {:?}", problem.message, problem.hint, problem.details);
        assert!(!words.to_lowercase().contains("duplicate") && !words.contains(&own.url()), "{engine}: {words}");
        // SQLite keeps nothing. PostgreSQL makes the index after the rest, which stands; on MySQL every step stands.
        let left = own.plan(&grown).await.unwrap();
        let (made, open) =
            (problem.details["done"].as_array().unwrap(), ["create table later", "create index stk_uq_a$value"]);
        // What PostgreSQL could not make to its end is there, and is of no use.
        let rest: &[&str] = match engine {
            "postgres" => &["drop index stk_uq_a$value", "create index stk_uq_a$value"],
            _ => &["create index stk_uq_a$value"],
        };
        if engine == "sqlite" {
            assert_eq!((made.len(), left), (0, open.map(str::to_owned).to_vec()), "{engine}");
        } else {
            let rest = rest.iter().map(ToString::to_string).collect();
            assert_eq!((made.as_slice(), left), ([json!("create table later")].as_slice(), rest), "{engine}");
        }
        own.execute("DELETE FROM a WHERE id = 'y'").await;
        own.apply(&grown).await.unwrap();
        assert_eq!(own.plan(&grown).await, Ok(Vec::new()), "{engine}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_tables_are_made_and_read_again() {
    let reference =
        json!({"table": "t0", "column": "id", "as": "first", "onDelete": "cascade", "onUpdate": "restrict"});
    let columns = json!([
        {"name": "name", "type": "string", "nullable": false, "maxLength": 100, "unique": true},
        {"name": "at", "type": "timestamp", "nullable": false, "default": "now"},
        {"name": "first", "type": "string", "nullable": true, "references": reference},
    ]);
    let tables: serde_json::Map<String, serde_json::Value> = (0..100)
        .map(|n| (format!("t{n}"), json!({"id": id(), "columns": columns, "indexes": [{"columns": ["at"]}]})))
        .collect();
    let all = declared(&tables.into());
    for engine in ENGINES {
        let own = Own::create(engine).await;
        let steps = own.apply(&all).await.unwrap();
        assert!(steps >= 300, "{engine}: {steps}");
        assert_eq!(own.plan(&all).await, Ok(Vec::new()), "{engine}");
    }
}
