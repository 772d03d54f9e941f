//! Seed files on every engine: what they hold arrives as the type of its column, and the database counts on from there.

use santokit_core::project::{DevConnection, DevEngine, SourceTree, parse};
use santokit_tests::ProjectFolder;
use stk::{
    dev::{database::Database, seed},
    report::Terminal,
};

use crate::own_database::{ENGINES, Own};

const SCHEMA: &str = "version: 1
tables:
  kinds:
    id: {name: id, generate: auto_increment}
    columns:
      name: {type: string, nullable: false}
  things:
    id: {name: id, generate: client}
    columns:
      kind: {type: bigint, references: {table: kinds}}
      size: {type: int}
      weight: {type: float}
      price: {type: decimal}
      sold: {type: boolean, nullable: false}
      data: {type: json}
      tags: {type: array, items: {type: string}}
      at: {type: timestamp}
      raw: {type: bytes}
";

const THINGS: &str = r#"[
    {"id": "a", "kind": "7", "size": -3, "weight": 0.5, "price": "12.30", "sold": true, "data": {"a": "it's"}, "tags": ["x"],
     "at": "2026-01-02T03:04:05.678901+01:00", "raw": "AP8="},
    {"id": "b'); DROP TABLE things;--", "sold": false}
]"#;

#[tokio::test(flavor = "multi_thread")]
async fn seed_files_load_on_every_engine() {
    for engine in ENGINES {
        let own = Own::create(engine).await;
        let sources = SourceTree::from_iter([("santokit.yaml", "version: 1\nname: a\n"), ("schema/a.yaml", SCHEMA)]);
        let project = parse(&sources).unwrap();
        let schema = &project.connections["main"];
        let kind = DevEngine::ALL.iter().find(|kind| kind.as_str() == engine).unwrap();
        let folder = ProjectFolder::new([
            ("seed/1_kinds.csv", "id,name\n7,seven\n"),
            ("seed/2_things.json", THINGS),
            ("seed/3_more.sql", "INSERT INTO kinds (name) VALUES ('eight');"),
        ])
        .unwrap();
        let database = Database::new(folder.path(), &DevConnection { engine: *kind, url: own.url() }).unwrap();
        assert!(database.is_fresh().await.unwrap(), "{engine}");
        own.apply(schema).await.unwrap();
        assert!(!database.is_fresh().await.unwrap(), "{engine}");

        let terminal = Terminal::new(true).quiet();
        let loaded = seed::load(folder.path(), &database, schema, terminal).await.unwrap();
        assert_eq!(loaded.iter().map(|file| file.rows).collect::<Vec<_>>(), [1, 2, 1], "{engine}");
        assert!(seed::load(folder.path(), &database, schema, terminal).await.unwrap().is_empty());
        let (text, raw) = if engine == "mysql" { ("CHAR", "HEX(raw)") } else { ("TEXT", "raw") };
        let raw = if engine == "postgres" { "encode(raw, 'hex')" } else { raw };
        let raw = if engine == "sqlite" { "hex(raw)" } else { raw };
        for (sql, expected) in [
            ("SELECT CAST(max(id) AS {text}) FROM kinds".to_owned(), "8"),
            (
                "SELECT CAST(count(*) AS {text}) FROM things WHERE size IS NULL AND price IS NULL AND raw IS NULL"
                    .to_owned(),
                "1",
            ),
            (
                "SELECT CAST(count(*) AS {text}) FROM things WHERE kind = 7 AND size = -3 AND weight = 0.5 AND sold"
                    .to_owned(),
                "1",
            ),
            (format!("SELECT lower({raw}) FROM things WHERE id = 'a'"), "00ff"),
        ] {
            assert_eq!(own.text(&sql.replace("{text}", text)).await, expected, "{engine}: {sql}");
        }
        let price = own.text(&format!("SELECT CAST(price AS {text}) FROM things WHERE id = 'a'")).await;
        assert!(price.starts_with("12.30"), "{engine}: {price}");
        let at = own.text(&format!("SELECT CAST(at AS {text}) FROM things WHERE id = 'a'")).await;
        assert!(at.replace('T', " ").starts_with("2026-01-02 02:04:05.678901"), "{engine}: {at}");
        let data = own.text(&format!("SELECT CAST(data AS {text}) FROM things WHERE id = 'a'")).await;
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&data).unwrap(),
            serde_json::json!({"a": "it's"}),
            "{engine}"
        );
    }
}
