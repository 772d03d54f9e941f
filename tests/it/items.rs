//! The project that the SDKs' guests `every-import` and `sql` work on, the same for every language: items with a column of every
//! type, numbers to count, and a table that nothing is granted on. Its logics are each language's own.

use santokit_tests::{ProjectFolder, StkDev};
use serde_json::Value;

/// A database of the folder's own, and a secret that no answer and no log line may hold.
pub(crate) const DEV: &str = "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\nsecrets:\n  TOKEN: {value: planted-77}\n";

const SCHEMA: &str = "version: 1\ntables:\n  items:\n    id: {name: id, generate: client}\n    columns:\n      \
    name: {type: string, nullable: false, unique: true}\n      stock: {type: int, nullable: false, min: 0}\n      \
    price: {type: decimal}\n      total: {type: bigint}\n      share: {type: float}\n      isOpen: {type: boolean}\n      \
    extra: {type: json}\n      raw: {type: bytes}\n      at: {type: timestamp}\n  \
    numbers:\n    id: {name: id, generate: client}\n    columns:\n      n: {type: int, nullable: false}\n  \
    hidden:\n    id: {name: id, generate: client}\n    columns:\n      n: {type: int}\n";

const SEED: &str = "INSERT INTO items (id, name, stock, price, total, share, isOpen, extra, raw, \"at\") VALUES \
    ('a', 'Ähre 😀', 7, '19.90', 9007199254740993, 0.5, 1, '{\"k\":[1,null]}', x'00ff41', '2026-01-31T08:00:00.000001Z'), \
    ('b', 'plain', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL);\n\
    INSERT INTO numbers (id, n) WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 10000) \
    SELECT printf('n-%05d', i), i FROM s;\n";

/// The project with these guests of `tests/guests`, each as the logic of the second name.
pub(crate) fn project(name: &str, logics: &[(&str, &str)]) -> ProjectFolder {
    let folder = ProjectFolder::new([
        ("santokit.yaml", format!("version: 1\nname: {name}\nconfig: {{greeting: hello}}\n").as_str()),
        ("santokit.dev.yaml", DEV),
        ("schema/main.yaml", SCHEMA),
        ("seed/main.sql", SEED),
    ])
    .unwrap();
    for (guest, logic) in logics {
        folder.add_copy(&format!("tests/guests/{guest}"), &format!("logics/{logic}")).unwrap();
    }
    folder
}

/// What a logic answers; it must succeed.
pub(crate) async fn data(dev: &StkDev, logic: &str, params: Value) -> Value {
    let answer = dev.client.logic(logic, params.clone()).await.unwrap();
    assert_eq!(answer.status, 200, "{params}: {answer:?}\n{}", dev.output());
    answer.body["data"].clone()
}
