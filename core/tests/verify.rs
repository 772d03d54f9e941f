//! What no release may say, whoever signed it: a manifest may be made by hand, past every check of a project's files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use santokit_core::{
    component::{self, ComponentError, Handled, World},
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

/// A release with a topic and one subscription, whose logic is given these.
fn with_subscription(handles: &Json, change: impl Fn(&mut Json)) -> Result<Manifest, String> {
    let limits = serde_json::to_value(InvocationLimits::default()).unwrap();
    let mut manifest: Json = serde_json::from_str(&manifest(&limits, 1_000)).unwrap();
    let table = json!({"id": {"name": "id", "generate": "client", "type": "string"}, "columns": []});
    manifest["connections"]["main"]["tables"]["items"] = table;
    manifest["logics"]["a"]["body"]["handles"] = handles.clone();
    let subscription = json!({
        "topic": "placed", "handler": "a", "retry": {"maxRetries": 3, "minBackoff": 1_000, "maxBackoff": 60_000},
        "deadLetter": true, "concurrency": 4, "timeout": 30_000,
    });
    manifest["events"] =
        json!({"topics": {"placed": {"fields": [], "retention": 1_000}}, "subscriptions": {"bill": subscription}});
    change(&mut manifest);
    let manifest: Manifest = serde_json::from_value(manifest).map_err(|error| error.to_string())?;
    verify::manifest(&String::from_utf8(manifest.canonical().unwrap()).unwrap()).map_err(|error| error.to_string())
}

#[test]
fn events_are_given_to_what_takes_them() {
    assert!(with_subscription(&json!(["event"]), |_| {}).is_ok());
    assert!(with_subscription(&json!(["call", "event"]), |_| {}).is_ok());
    let refused = |handles: Json, change: &dyn Fn(&mut Json)| with_subscription(&handles, change).unwrap_err();
    let takes_none = "which is no logic that takes them";
    assert!(refused(json!(["call"]), &|_| {}).contains(takes_none));
    let bill = |manifest: &mut Json, key: &str, value: Json| manifest["events"]["subscriptions"]["bill"][key] = value;
    assert!(refused(json!(["event"]), &|manifest| bill(manifest, "handler", json!("none"))).contains(takes_none));
    assert!(refused(json!(["event"]), &|manifest| bill(manifest, "topic", json!("none"))).contains("no topic"));
    assert!(refused(json!(["event"]), &|manifest| bill(manifest, "concurrency", json!(0))).contains("concurrency"));
    // Who only takes events cannot be called by another logic.
    let calls = |manifest: &mut Json| manifest["logics"]["a"]["body"]["grants"]["logics"] = json!(["a"]);
    assert!(refused(json!(["event"]), &calls).contains("takes no calls"));
    assert!(with_subscription(&json!(["call", "event"]), calls).is_ok());
    // Absent is what it was before there was a choice, and is not written.
    let plain = with_subscription(&json!(["call"]), |manifest| {
        manifest["events"] = json!({"topics": {}});
    });
    assert!(!String::from_utf8(plain.unwrap().canonical().unwrap()).unwrap().contains("handles"));
}

/// A release with a logic in SQL that publishes.
fn with_published(change: impl Fn(&mut Json)) -> Result<Manifest, String> {
    with_subscription(&json!(["event"]), |manifest| {
        manifest["events"]["topics"]["placed"]["fields"] = json!([{"name": "id", "type": "string", "required": true}]);
        manifest["logics"]["place"] = json!({
            "rules": [], "connection": "main", "transaction": "required", "timeout": 1_000,
            "params": [{"name": "order", "type": "string", "required": true}],
            "body": {"kind": "sql", "statements": ["DELETE FROM items", "SELECT id FROM items"],
                "publish": [{"topic": "placed", "mapping": {"id": ":order"}}]},
        });
        change(manifest);
    })
}

#[test]
fn what_sql_publishes_is_a_payload_of_its_topic() {
    assert!(with_published(|_| {}).is_ok());
    let refused = |path: &str, value: Json| {
        let change =
            |manifest: &mut Json| *manifest.pointer_mut(&format!("/logics/place{path}")).unwrap() = value.clone();
        with_published(change).unwrap_err()
    };
    let one = "/body/publish/0";
    assert!(refused(&format!("{one}/topic"), json!("none")).contains("no topic \"none\""));
    assert!(refused(&format!("{one}/mapping"), json!({})).contains("the field \"id\" is required"));
    assert!(refused(&format!("{one}/mapping"), json!({"id": ":order", "x": ":order"})).contains("no field \"x\""));
    assert!(refused(&format!("{one}/mapping/id"), json!(":ordr")).contains("neither a param nor"));
    assert!(refused(&format!("{one}/mapping/id"), json!(":now")).contains("of type timestamp"));
    assert!(refused(&format!("{one}/mapping/id"), json!("sku")).contains("answers no column \"sku\""));
    assert!(refused("/params/0/required", json!(false)).contains(":order can be NULL"));
    assert!(refused("/transaction", json!("none")).contains("is a transaction"));
    assert!(refused("/connection", json!("other")).contains("\"other\" has none"));
    assert!(
        refused("/body/publish", json!(vec![json!({"topic": "placed", "mapping": {"id": ":order"}}); 21]))
            .contains("at most 20")
    );
}

#[test]
fn a_component_is_what_its_release_says() {
    let bytes = include_bytes!("../../tests/guests/kept/on-event-0.1.0-rust.wasm");
    let inspection = component::inspect(bytes).unwrap();
    let both = BTreeSet::from([Handled::Call, Handled::Event]);
    assert_eq!(inspection.handles(), both);
    let grants: Grants =
        serde_json::from_value(json!({"sql": [{"connection": "main", "tables": {}}], "events": ["work"]})).unwrap();
    let checked =
        |handles: &BTreeSet<Handled>| component::check(bytes, (World::Logic, handles), &grants, &inspection.imports);
    assert!(checked(&both).is_ok());
    for less in [component::calls(), BTreeSet::from([Handled::Event]), BTreeSet::new()] {
        assert!(matches!(checked(&less), Err(ComponentError::HandlesDiffer { .. })), "{less:?}");
    }
}
