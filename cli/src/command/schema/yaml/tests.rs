//! What is written is read again as what it was.

use std::collections::BTreeMap;

use santokit_core::{
    project::{SourceTree, parse},
    schema::{Bounds, Schema},
};
use serde_json::json;

use super::*;

fn column(name: &str, kind: Type, default: Option<ColumnDefault>) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        nullable: true,
        unique: false,
        default,
        items: None,
        bucket: None,
        on_delete: None,
        bounds: Bounds::NONE,
        references: None,
        renamed_from: None,
        deprecated: None,
        sunset: None,
    }
}

#[test]
fn a_schema_survives_its_file() {
    let literal = |json| Some(ColumnDefault::Literal(json));
    let mut parent = column("null", Type::String, None);
    parent.references = Some(Reference {
        table: "No".to_owned(),
        column: "on".to_owned(),
        alias: "parent".to_owned(),
        on_delete: ReferenceAction::SetNull,
        on_update: ReferenceAction::Restrict,
    });
    let columns = vec![
        parent,
        column("a", Type::String, literal(json!("it's \"x\": #\n\u{2028}{y}, [z]"))),
        column("b", Type::Bigint, literal(json!("9007199254740993"))),
        column("c", Type::Decimal, literal(json!("1.50"))),
        column("d", Type::Json, literal(json!({"now": [1, null, "~"], "k: v": true}))),
        column("e", Type::Timestamp, Some(ColumnDefault::Now)),
        column("f", Type::Timestamp, literal(json!("2020-01-02T03:04:05.000000Z"))),
        column("g", Type::Bytes, literal(json!("AP8="))),
        column("h", Type::Float, literal(json!(-0.5))),
        column("i", Type::Boolean, literal(json!(false))),
        Column {
            nullable: false,
            unique: true,
            bounds: Bounds { max_length: Some(7), ..Bounds::NONE },
            ..column("true", Type::String, literal(json!("now")))
        },
    ];
    let table = Table {
        id: PrimaryKey { name: "on".to_owned(), generate: Generate::Client, kind: Type::String },
        columns,
        indexes: vec![Index { columns: vec!["true".to_owned(), "b".to_owned()], unique: true }],
        deprecated: None,
        sunset: None,
    };
    let empty = Table {
        id: PrimaryKey { name: "id".to_owned(), generate: Generate::AutoIncrement, kind: Type::Bigint },
        columns: Vec::new(),
        indexes: Vec::new(),
        deprecated: None,
        sunset: None,
    };
    let schema = Schema { tables: BTreeMap::from([("No".to_owned(), table), ("empty".to_owned(), empty)]) };
    let remark = |table: &str, column: Option<&str>| Remark {
        table: table.to_owned(),
        column: column.map(str::to_owned),
        left_out: true,
        message: "a\nversion: 2".to_owned(),
    };
    let remarks = vec![
        remark("No", None),
        remark("No", Some("on")),
        remark("empty", Some("x\n  y: {}")),
        remark("view\r\nz: 1", None),
    ];
    let pulled = Pulled { schema: schema.clone(), remarks };
    for connection in [None, Some("on")] {
        let text = write(&pulled, "head\nline", connection);
        let sources =
            SourceTree::from_iter([("santokit.yaml", "version: 1\nname: a\n"), ("schema/a.yaml", text.as_str())]);
        let project = parse(&sources).unwrap_or_else(|findings| panic!("{text}\n{findings:?}"));
        assert_eq!(project.connections[connection.unwrap_or("main")], schema, "{text}");
    }
}
