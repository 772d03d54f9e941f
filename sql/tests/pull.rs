//! Catalogues of databases that others made, as they were read from them, against what is declared of them. A new case is a
//! folder under `tests/pull` with `current.ENGINE.json`; with `UPDATE_GOLDEN=1` the declaration beside it is written. Whatever is
//! declared needs no step.
#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::{fmt::Write as _, fs, path::Path};

use santokit_core::schema::Schema;
use santokit_sql::schema::{CatalogRows, CurrentSchema, Engine, Row, plan, pull::pull};
use serde_json::Value as Json;

const ENGINES: [(Engine, &str); 3] =
    [(Engine::Sqlite, "sqlite"), (Engine::Postgres, "postgres"), (Engine::Mariadb, "mariadb")];

fn rows(all: &Json, part: &str) -> Vec<Row> {
    serde_json::from_value(all[part].clone()).unwrap()
}

#[test]
fn what_is_declared_of_a_database_needs_no_step() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pull");
    let (mut seen, mut wrong) = (0, Vec::new());
    for entry in fs::read_dir(cases).unwrap() {
        let folder = entry.unwrap().path();
        for (engine, name) in ENGINES {
            let text = fs::read_to_string(folder.join(format!("current.{name}.json"))).unwrap();
            let all: Json = serde_json::from_str(&text).unwrap();
            let current = CurrentSchema::read(
                engine,
                &CatalogRows {
                    columns: rows(&all, "columns"),
                    indexes: rows(&all, "indexes"),
                    references: rows(&all, "references"),
                    extras: Vec::new(),
                    views: rows(&all, "views"),
                },
            );
            let pulled = pull(engine, &current);
            assert_eq!(
                plan(engine, &current, &pulled.schema, &Schema::default()),
                Ok(Vec::new()),
                "{} {name}",
                folder.display()
            );
            let mut actual = String::new();
            for remark in &pulled.remarks {
                let column = remark.column.as_deref().map(|column| format!(".{column}")).unwrap_or_default();
                let what = if remark.left_out { "left out: " } else { "" };
                writeln!(actual, "# {}{column}: {what}{}", remark.table, remark.message).unwrap();
            }
            for (table, declared) in &pulled.schema.tables {
                writeln!(actual, "{table}: {}", serde_json::to_string(&declared.id).unwrap()).unwrap();
                for column in &declared.columns {
                    writeln!(actual, "  {}", serde_json::to_string(column).unwrap()).unwrap();
                }
                for index in &declared.indexes {
                    writeln!(actual, "  {}", serde_json::to_string(index).unwrap()).unwrap();
                }
            }
            let golden = folder.join(format!("declared.{name}.txt"));
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&golden, &actual).unwrap();
            }
            if actual != fs::read_to_string(&golden).unwrap_or_default() {
                wrong.push(format!("{}:\n{actual}", golden.display()));
            }
            seen += 1;
        }
    }
    assert!(seen >= 6);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
