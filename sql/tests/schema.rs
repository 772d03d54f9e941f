//! Schemas as the release holds them, against the steps that they need on each engine. A new case is a new folder under
//! `tests/schema`: `desired.json`, `current.ENGINE.json` with the rows of that engine's catalogue where something is there
//! already, `before.json` where an earlier release declared something else, `steps.ENGINE.sql`, and `misfits.ENGINE.txt` with what the database
//! lacks for the release as it is. With `UPDATE_GOLDEN=1` the last two are written.
#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::{fmt::Write as _, fs, path::Path};

use santokit_core::schema::Schema;
use santokit_sql::schema::{CatalogRows, CurrentSchema, Engine, Row, When, bookkeeping, misfits, plan};
use serde_json::Value as Json;

const ENGINES: [(Engine, &str); 4] = [
    (Engine::Sqlite, "sqlite"),
    (Engine::Postgres, "postgres"),
    (Engine::Mysql, "mysql"),
    (Engine::Mariadb, "mariadb"),
];

/// `{columns: [[…]], indexes: [[…]], references: [[…]]}`, each row as the catalogue tells it.
fn current(engine: Engine, text: &str) -> CurrentSchema {
    let all: Json = serde_json::from_str(text).unwrap();
    let rows = |part: &str| -> Vec<Row> {
        all[part]
            .as_array()
            .map(|rows| rows.iter().map(|row| serde_json::from_value(row.clone()).unwrap()).collect())
            .unwrap_or_default()
    };
    let rows = CatalogRows {
        columns: rows("columns"),
        indexes: rows("indexes"),
        references: rows("references"),
        extras: rows("extras"),
        views: rows("views"),
    };
    CurrentSchema::read(engine, &rows)
}

fn steps(folder: &Path, engine: Engine, name: &str) -> String {
    let desired: Schema = serde_json::from_str(&fs::read_to_string(folder.join("desired.json")).unwrap()).unwrap();
    let found = fs::read_to_string(folder.join(format!("current.{name}.json")));
    let current = found.map(|text| current(engine, &text)).unwrap_or_default();
    let mut text = String::new();
    let before = fs::read_to_string(folder.join("before.json"));
    let before: Schema = before.map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default();
    match plan(engine, &current, &desired, &before) {
        Ok(steps) => steps.iter().for_each(|step| {
            let (class, breaking) =
                (step.change.class().as_str(), if step.change.is_breaking() { ", breaking" } else { "" });
            let when = if step.when == When::After { ", after the others" } else { "" };
            let holds_up = step.lock(engine);
            writeln!(text, "-- {}\n-- {class}{breaking}{when}; holds up {holds_up}\n{};", step.change, step.sql())
                .unwrap();
        }),
        Err(refusals) => refusals
            .iter()
            .for_each(|refusal| writeln!(text, "-- refused: {}: {}", refusal.description, refusal.reason).unwrap()),
    }
    text
}

#[test]
fn every_database_lacks_what_is_written_down() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema");
    let (mut seen, mut wrong) = (0, Vec::new());
    for entry in fs::read_dir(cases).unwrap() {
        let folder = entry.unwrap().path();
        for (engine, name) in ENGINES {
            let Ok(found) = fs::read_to_string(folder.join(format!("current.{name}.json"))) else { continue };
            let desired: Schema =
                serde_json::from_str(&fs::read_to_string(folder.join("desired.json")).unwrap()).unwrap();
            let lines = misfits(engine, &current(engine, &found), &desired).into_iter().map(|line| line + "\n");
            let (actual, golden) = (lines.collect::<String>(), folder.join(format!("misfits.{name}.txt")));
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&golden, &actual).unwrap();
            }
            if actual != fs::read_to_string(&golden).unwrap_or_default() {
                wrong.push(format!("{}:\n{actual}", golden.display()));
            }
            seen += 1;
        }
    }
    assert!(seen > 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_needs_the_steps_that_are_written_down() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema");
    let (mut seen, mut wrong) = (0, Vec::new());
    for entry in fs::read_dir(cases).unwrap() {
        let folder = entry.unwrap().path();
        for (engine, name) in ENGINES {
            let (actual, golden) = (steps(&folder, engine, name), folder.join(format!("steps.{name}.sql")));
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&golden, &actual).unwrap();
            }
            if actual != fs::read_to_string(&golden).unwrap_or_default() {
                wrong.push(format!("{}:\n{actual}", golden.display()));
            }
            seen += 1;
        }
    }
    assert!(seen > 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_platforms_own_tables_come_beside_others_and_alone_never() {
    assert!(bookkeeping::beside(&Schema::default()).tables.is_empty());
    let one: Schema = serde_json::from_str(
        r#"{"tables": {"a": {"id": {"name": "id", "generate": "ulid", "type": "string"}, "columns": []}}}"#,
    )
    .unwrap();
    let both = bookkeeping::beside(&one);
    for (engine, _) in ENGINES {
        let made = plan(engine, &CurrentSchema::default(), &both, &Schema::default()).unwrap();
        let made: Vec<String> = made.iter().map(|step| step.change.to_string()).collect();
        for own in bookkeeping::TABLES {
            assert!(made.contains(&format!("create table {own}")), "{made:?}");
        }
    }
}

/// A manifest is somebody's text: what stands in its schema never becomes more than a name or a value.
#[test]
fn what_is_no_name_and_no_value_becomes_no_statement() {
    let table = |column: &str| {
        format!(
            r#"{{"tables": {{"a": {{"id": {{"name": "id", "generate": "ulid", "type": "string"}}, "columns": [{column}]}}}}}}"#
        )
    };
    for column in [
        r#"{"name": "b", "type": "bigint", "nullable": true, "default": {"literal": "1); DROP TABLE a; --"}}"#,
        r#"{"name": "b", "type": "decimal", "nullable": true, "default": {"literal": "1'"}}"#,
        r#"{"name": "b", "type": "boolean", "nullable": true, "default": {"literal": "true"}}"#,
        r#"{"name": "b", "type": "bytes", "nullable": true, "default": {"literal": "not base64'"}}"#,
        r#"{"name": "b", "type": "timestamp", "nullable": true, "default": {"literal": "now() --"}}"#,
        r#"{"name": "b", "type": "string", "nullable": true, "default": {"literal": "a\u0000b"}}"#,
        r#"{"name": "b", "type": "json", "nullable": true, "default": {"literal": "a\u0000b"}}"#,
        r#"{"name": "b", "type": "int", "nullable": true, "default": "now"}"#,
        r#"{"name": "b\u0000", "type": "int", "nullable": true}"#,
        r#"{"name": "", "type": "int", "nullable": true}"#,
        r#"{"name": "b", "type": "string", "nullable": true, "references": {"table": "c\u0000", "column": "id", "as": "c", "onDelete": "cascade", "onUpdate": "cascade"}}"#,
    ] {
        let desired: Schema = serde_json::from_str(&table(column)).unwrap();
        for (engine, _) in ENGINES {
            assert!(
                plan(engine, &CurrentSchema::default(), &desired, &Schema::default()).is_err(),
                "{engine:?} {column}"
            );
        }
    }
    let quoted =
        r#"{"name": "a\"`'; --", "type": "string", "nullable": true, "default": {"literal": "\\'; DROP TABLE a; --"}}"#;
    let desired: Schema = serde_json::from_str(&table(quoted)).unwrap();
    let sql = |engine| plan(engine, &CurrentSchema::default(), &desired, &Schema::default()).unwrap().remove(0).sql();
    assert!(
        sql(Engine::Postgres).contains(r#""a""`'; --" text COLLATE "C" DEFAULT '\''; DROP TABLE a; --'"#),
        "{}",
        sql(Engine::Postgres)
    );
    assert!(
        sql(Engine::Sqlite).contains(r#""a""`'; --" TEXT DEFAULT '\''; DROP TABLE a; --'"#),
        "{}",
        sql(Engine::Sqlite)
    );
    let mysql = sql(Engine::Mariadb);
    assert!(
        mysql.contains(r#"`a"``'; --` LONGTEXT"#) && mysql.contains(r"DEFAULT ('\\''; DROP TABLE a; --')"),
        "{mysql}"
    );
}
