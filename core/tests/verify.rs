//! What no release may say, whoever signed it: a manifest may be made by hand, past every check of a project's files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use santokit_core::{
    limit::InvocationLimits,
    logic::Grants,
    release::{FORMAT, Manifest, VERSION, verify},
};
use serde_json::{Value as Json, json};

fn manifest(limits: &Json, timeout: u64) -> String {
    let logic = json!({
        "rules": [], "connection": "main", "transaction": "none", "timeout": timeout,
        "body": {
            "kind": "wasm", "component": "sha256:00", "sizeBytes": 1, "language": "component", "imports": [], "grants": {},
            "limits": limits,
        },
    });
    let manifest = json!({
        "format": FORMAT, "project": "shop", "minimumBridge": VERSION, "defaultConnection": "main",
        "connections": {"main": {"tables": {}}}, "logics": {"a": logic},
    });
    let manifest: Manifest = serde_json::from_value(manifest).unwrap();
    String::from_utf8(manifest.canonical().unwrap()).unwrap()
}

#[test]
fn no_limit_is_above_its_ceiling() {
    let ceiling = InvocationLimits::ceiling();
    let most = serde_json::to_value(&ceiling).unwrap();
    assert!(verify::manifest(&manifest(&most, ceiling.timeout.0)).is_ok());
    let names = ceiling.by_name();
    assert_eq!(names.len(), 11);
    for (name, value) in names {
        let mut more = most.clone();
        more[&name] = json!(value + 1);
        let refused = verify::manifest(&manifest(&more, ceiling.timeout.0)).unwrap_err().to_string();
        assert!(refused.contains(&format!("asks for more {name} than")), "{name}: {refused}");
    }
    let refused = verify::manifest(&manifest(&most, ceiling.timeout.0 + 1)).unwrap_err().to_string();
    assert!(refused.contains("more timeout than"), "{refused}");
}

#[test]
fn statements_of_ones_own_are_a_power_also_without_tables() {
    for tables in [json!({}), json!({"items": []})] {
        let grants: Grants =
            serde_json::from_value(json!({"sql": [{"connection": "main", "tables": tables}]})).unwrap();
        assert_eq!(grants.lines().into_iter().collect::<Vec<_>>(), ["sql main"], "{tables}");
    }
}
