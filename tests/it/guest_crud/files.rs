//! Guests that name objects in rows: one may that could put them itself, or whose caller could.

use serde_json::json;

use super::*;

const PICTURES: &str = "  pictures:
    id: {generate: client}
    columns:
      image: {type: file, bucket: images, onDelete: cascade}
";
const RULES: &str = "  pictures:
    select: {roles: [public]}
    insert: {roles: [public]}
    update: {roles: [public]}
    delete: {roles: [public]}
";
const STORAGE: &str = "version: 1\nbuckets:\n  images:\n    provider: local\n    policies:\n      \"open/*\": {upload_sign: {roles: [public]}}\n";
const GRANT: (&str, &str) =
    ("crud: {as: caller}", "crud: {as: caller}\n  storage: [{bucket: images, keys: \"own/*\", ops: [put]}]");
const TO_READ: (&str, &str) =
    ("crud: {as: caller}", "crud: {as: caller}\n  storage: [{bucket: images, keys: \"own/*\", ops: [get]}]");

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_names_what_it_may_put() {
    let folder = sqlite();
    folder.write("schema/main.yaml", &format!("{SCHEMA}{PICTURES}")).unwrap();
    folder.write("config/permissions.yaml", &format!("{PERMISSIONS}{RULES}")).unwrap();
    folder.write("config/storage.yaml", STORAGE).unwrap();
    for (name, changes) in [("plain", &[][..]), ("granted", &[GRANT]), ("reader", &[TO_READ])] {
        add_rust(&folder, name, changes);
    }
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    for (logic, key, is_fine) in [
        ("plain", "own/a", false),
        ("plain", "open/a", true),
        ("granted", "own/a", true),
        ("granted", "open/b", true),
        ("granted", "other/a", false),
        ("granted", "own/../other/a", false),
        // To read it is not to put it.
        ("reader", "own/a", false),
    ] {
        let id = format!("{logic} {key}");
        let named = one(&dev, logic, "insert", "pictures", json!({"data": {"id": id, "image": key}})).await;
        let code = if is_fine { json!(null) } else { json!("SCHEMA_VALIDATION_FAILED") };
        assert_eq!(named["code"], code, "{id}: {named}");
        // Nor by a change of a row that names nothing.
        let empty = json!({"data": {"id": format!("{id} later")}});
        assert_eq!(one(&dev, logic, "insert", "pictures", empty).await["code"], json!(null), "{id}");
        let change = json!({"where": {"id": format!("{id} later")}, "data": {"image": key}});
        let changed = one(&dev, logic, "update", "pictures", change).await;
        assert_eq!(changed["code"], code, "{id}: {changed}");
    }
    let rows = dev.client.post("/db/pictures/select", json!({"select": ["image"]}).to_string()).await.unwrap();
    let rows = rows.body["data"].as_array().unwrap();
    let named: Vec<&str> = rows.iter().filter_map(|row| row["image"].as_str()).collect();
    assert!(named.len() == 6 && named.iter().all(|key| !key.starts_with("other")), "{named:?}");
}
