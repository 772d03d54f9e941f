//! A column from its deprecation to its end: it may be used as it was, gets no new users, and goes when its time has come.

use serde_json::json;

use crate::lab::Lab;

fn schema(column: &str) -> String {
    format!(
        "version: 1\ntables:\n  numbers:\n    id: {{name: id, generate: client}}\n    columns:\n      number: {{type: int}}\n{column}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deprecated_column_gets_no_new_users_and_stays_until_its_sunset() {
    let lab = Lab::start("sunsets").await;
    lab.folder.write("schema/numbers.yaml", &schema("      old: {type: int}\n")).unwrap();
    lab.folder.write("logics/reads.sql", "---\nauth: public\n---\nSELECT old FROM numbers\n").unwrap();
    lab.apply().await;

    // Who uses it is told.
    let deprecated = "      old: {type: int, deprecated: number takes its place}\n";
    lab.folder.write("schema/numbers.yaml", &schema(deprecated)).unwrap();
    let applied = lab.apply().await;
    let warning = "main: numbers.old is deprecated (number takes its place) and used: logic reads";
    assert_eq!(applied["changes"]["warning"], json!([warning]), "{applied}");

    // Nobody begins to.
    lab.folder.write("logics/reads_too.sql", "---\nauth: public\n---\nSELECT max(old) AS n FROM numbers\n").unwrap();
    let refused = lab.stk(&["apply", "--yes", "--force"], "").await;
    let error = &refused.json()["error"];
    assert_eq!((refused.code, &error["code"]), (3, &json!("RELEASE_BLOCKED")), "{refused:?}");
    assert_eq!(error["details"]["newUses"], json!(["main: numbers.old: logic reads_too (number takes its place)"]));
    std::fs::remove_file(lab.folder.path().join("logics/reads_too.sql")).unwrap();

    // It stays for ninety days, whatever is agreed to.
    std::fs::remove_file(lab.folder.path().join("logics/reads.sql")).unwrap();
    lab.folder.write("schema/numbers.yaml", &schema("")).unwrap();
    let refused = lab.stk(&["apply", "--yes", "--force", "--migration-window"], "").await;
    let error = &refused.json()["error"];
    assert_eq!((refused.code, &error["code"]), (3, &json!("RELEASE_BLOCKED")), "{refused:?}");
    let day = chrono::Utc::now().date_naive() + chrono::Days::new(90);
    assert_eq!(error["details"]["sunsets"], json!([format!("main: numbers.old may go from {day}")]), "{error}");

    // Or until the day that is declared: first a later one, then one that has come.
    for (sunset, code) in [("2999-01-01", 3), ("2020-01-01", 0)] {
        let declared = format!("      old: {{type: int, deprecated: number takes its place, sunset: {sunset}}}\n");
        lab.folder.write("schema/numbers.yaml", &schema(&declared)).unwrap();
        lab.apply().await;
        lab.folder.write("schema/numbers.yaml", &schema("")).unwrap();
        let ended = lab.stk(&["apply", "--yes", "--force"], "").await;
        assert_eq!(ended.code, code, "{sunset}: {ended:?}");
        // Going is destructive all the same.
        if code == 0 {
            assert_eq!(ended.json()["schemaSteps"], json!(["main: drop column numbers.old"]), "{ended:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sunset_is_a_day_of_something_deprecated() {
    let lab = Lab::start("days").await;
    for (column, said) in [
        ("      old: {type: int, sunset: 2026-12-31}\n", "sunset needs deprecated"),
        ("      old: {type: int, deprecated: why, sunset: tomorrow}\n", "expected a day as YYYY-MM-DD"),
        ("      old: {type: int, deprecated: why, sunset: 2026-13-01}\n", "expected a day as YYYY-MM-DD"),
    ] {
        lab.folder.write("schema/numbers.yaml", &schema(column)).unwrap();
        let checked = lab.stk(&["check"], "").await;
        assert!(checked.code == 1 && checked.stdout.contains(said), "{column}: {checked:?}");
    }
}
