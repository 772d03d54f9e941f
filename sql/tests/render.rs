//! Plans as statements. A case is a file `golden/NAME.json`: one plan, and what is around it; `golden/NAME.sql` is what it becomes on
//! each dialect. `UPDATE_GOLDEN=1` writes these anew. The tables are those of `golden/schema.json`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::PathBuf};

#[path = "render/case.rs"]
mod case;

use case::Case;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .filter(|name| name != "schema")
        .collect();
    names.sort();
    names
}

#[test]
fn every_case_becomes_the_statements_that_are_expected() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let schema = serde_json::from_str(&fs::read_to_string(folder().join("schema.json")).unwrap()).unwrap();
    let mut failed = Vec::new();
    for name in names() {
        let text = fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
        let case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = Case::new(&schema, &case).render();
        let path = folder().join(format!("{name}.sql"));
        if update {
            fs::write(&path, &found).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != found {
            failed.push(format!("{name}:\n{found}"));
        }
    }
    assert!(failed.is_empty(), "UPDATE_GOLDEN=1 writes these anew:\n{}", failed.join("\n"));
}

/// The text of a statement may depend on the shape of a plan, never on a value.
#[test]
fn no_value_is_in_a_text() {
    let schema = serde_json::from_str(&fs::read_to_string(folder().join("schema.json")).unwrap()).unwrap();
    for name in names() {
        let text = fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
        let case = serde_json::from_str(&text).unwrap();
        let plain = Case::new(&schema, &case).texts();
        let other = serde_json::from_str(&text.replace("paid", "\\\"; DROP TABLE orders; -- $1 ?")).unwrap();
        assert_eq!(Case::new(&schema, &other).texts(), plain, "{name}");
    }
}
