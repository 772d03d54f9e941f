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

/// With these connections, grants of a logic's own SQL and queries.
fn with_tables(connections: &Json, sql: &Json, queries: &Json) -> Result<Manifest, verify::VerifyError> {
    let limits = serde_json::to_value(InvocationLimits::default()).unwrap();
    let mut manifest: Json = serde_json::from_str(&manifest(&limits, 1_000)).unwrap();
    manifest["connections"] = connections.clone();
    manifest["logics"]["a"]["body"]["grants"] = json!({"sql": sql});
    manifest["queries"] = queries.clone();
    let manifest: Manifest = serde_json::from_value(manifest).unwrap();
    verify::manifest(&String::from_utf8(manifest.canonical().unwrap()).unwrap())
}

#[test]
fn powers_are_on_declared_tables() {
    let table = json!({"id": {"name": "id", "generate": "client", "type": "string"}, "columns": []});
    let tables = |names: &[&str]| json!({"tables": names.iter().map(|name| (*name, table.clone())).collect::<std::collections::BTreeMap<_, _>>()});
    let connections = json!({"main": tables(&["items"]), "other": tables(&["others"])});
    let sql = |connection: &str, table: &str| json!([{"connection": connection, "tables": {table: ["select"]}}]);
    let query = |connection: &str, table: &str| json!({"q": {"connection": connection, "returns": "many", "statement": "SELECT 1", "tables": {table: ["select"]}}});
    assert!(with_tables(&connections, &sql("main", "items"), &query("other", "others")).is_ok());
    for (connection, table) in [
        ("main", "stk_idempotency"),
        ("main", "STK_IDEMPOTENCY"),
        ("main", "sqlite_master"),
        ("main", "Items"),
        ("main", "others"),
        ("main", ""),
        ("absent", "items"),
    ] {
        for (sql, queries) in [(sql(connection, table), json!({})), (json!([]), query(connection, table))] {
            let refused = with_tables(&connections, &sql, &queries).unwrap_err().to_string();
            assert!(refused.contains(&format!("may use table {table:?}")), "{connection} {table}: {refused}");
        }
    }
    // Nor does a declaration make the platform's tables a project's.
    for name in ["stk_idempotency", "Stk_x", "sqlite_master", "SQLITE_stat1", "a b", ""] {
        let refused = with_tables(&json!({"main": tables(&[name])}), &json!([]), &json!({})).unwrap_err().to_string();
        assert!(refused.contains(&format!("{name:?}: ")), "{name}: {refused}");
    }
}

#[test]
fn statements_of_ones_own_are_a_power_also_without_tables() {
    for tables in [json!({}), json!({"items": []})] {
        let grants: Grants =
            serde_json::from_value(json!({"sql": [{"connection": "main", "tables": tables}]})).unwrap();
        assert_eq!(grants.lines().into_iter().collect::<Vec<_>>(), ["sql main"], "{tables}");
    }
}
