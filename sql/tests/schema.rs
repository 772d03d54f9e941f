//! Schemas as the release holds them, against the steps that they need. A new case is a new folder under `tests/schema`:
//! `desired.json`, `current.json` where something is there already, and `steps.sql`. With `UPDATE_GOLDEN=1` the last is written.
#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use santokit_core::schema::Schema;
use santokit_sql::sqlite::{CurrentColumn, CurrentSchema, plan};

/// `{table: {column: [type, not null, default, is key]}}`, as the catalogue tells it.
fn current(text: &str) -> CurrentSchema {
    type Row = (String, bool, Option<String>, bool);
    let tables: BTreeMap<String, BTreeMap<String, Row>> = serde_json::from_str(text).unwrap();
    let column = |(declared, not_null, default, is_key): Row| CurrentColumn { declared, not_null, default, is_key };
    let columns = |columns: BTreeMap<String, Row>| columns.into_iter().map(|(name, row)| (name, column(row))).collect();
    let tables = tables.into_iter().map(|(name, rows)| (name, columns(rows))).collect();
    CurrentSchema { tables, ..CurrentSchema::default() }
}

fn steps(folder: &Path) -> String {
    let desired: Schema = serde_json::from_str(&fs::read_to_string(folder.join("desired.json")).unwrap()).unwrap();
    let current = fs::read_to_string(folder.join("current.json")).map(|text| current(&text)).unwrap_or_default();
    let mut text = String::new();
    match plan(&current, &desired) {
        Ok(steps) => steps.iter().for_each(|step| writeln!(text, "-- {}\n{};", step.description, step.sql).unwrap()),
        Err(refusals) => refusals
            .iter()
            .for_each(|refusal| writeln!(text, "-- refused: {}: {}", refusal.description, refusal.reason).unwrap()),
    }
    text
}

#[test]
fn every_case_needs_the_steps_that_are_written_down() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema");
    let mut seen = 0;
    for entry in fs::read_dir(cases).unwrap() {
        let folder = entry.unwrap().path();
        let (actual, golden) = (steps(&folder), folder.join("steps.sql"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &actual).unwrap();
        }
        assert_eq!(actual, fs::read_to_string(&golden).unwrap_or_default(), "{}", folder.display());
        seen += 1;
    }
    assert!(seen > 0);
}
