//! The schema of a release as a list of parts, each with what it is in words.

use std::{collections::BTreeMap, fmt::Write};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Difference, Manifest, of_maps};
use crate::schema::{Column, ColumnDefault, Index, PrimaryKey, Reference, Table};

/// What of a schema it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum SchemaPart {
    /// A connection.
    Connection {
        /// Its name.
        connection: String,
    },
    /// A table.
    Table {
        /// Its connection.
        connection: String,
        /// Its name.
        table: String,
    },
    /// The primary key of a table.
    Key {
        /// Of this connection.
        connection: String,
        /// Of this table.
        table: String,
    },
    /// A column.
    Column {
        /// Of this connection.
        connection: String,
        /// Of this table.
        table: String,
        /// Its name.
        column: String,
    },
    /// The foreign key of a column.
    Reference {
        /// Of this connection.
        connection: String,
        /// Of this table.
        table: String,
        /// Of this column.
        column: String,
    },
    /// An index.
    Index {
        /// Of this connection.
        connection: String,
        /// Of this table.
        table: String,
        /// On these columns, in order.
        columns: Vec<String>,
    },
}

pub(super) fn differences(before: &Manifest, after: &Manifest) -> Vec<Difference<SchemaPart, String>> {
    of_maps(parts(before), parts(after))
}

fn parts(manifest: &Manifest) -> BTreeMap<SchemaPart, String> {
    let mut parts = BTreeMap::new();
    for (connection, schema) in &manifest.connections {
        parts.insert(SchemaPart::Connection { connection: connection.clone() }, String::new());
        for (name, table) in &schema.tables {
            of_table(connection, name, table, &mut parts);
        }
    }
    parts
}

fn of_table(connection: &str, name: &str, table: &Table, parts: &mut BTreeMap<SchemaPart, String>) {
    let (connection, table_name) = (|| connection.to_owned(), || name.to_owned());
    let deprecated = in_words(table.deprecated.as_ref(), table.sunset.as_ref()).unwrap_or_default();
    parts.insert(SchemaPart::Table { connection: connection(), table: table_name() }, deprecated);
    parts.insert(SchemaPart::Key { connection: connection(), table: table_name() }, key(&table.id));
    for column in &table.columns {
        let part = SchemaPart::Column { connection: connection(), table: table_name(), column: column.name.clone() };
        parts.insert(part, described(column));
        if let Some(to) = &column.references {
            let part =
                SchemaPart::Reference { connection: connection(), table: table_name(), column: column.name.clone() };
            parts.insert(part, reference(to));
        }
    }
    for Index { columns, unique } in &table.indexes {
        let part = SchemaPart::Index { connection: connection(), table: table_name(), columns: columns.clone() };
        parts.insert(part, if *unique { "unique" } else { "not unique" }.to_owned());
    }
}

fn key(id: &PrimaryKey) -> String {
    format!(
        "{} {}, made by {}",
        id.name,
        id.kind.as_str(),
        word(&serde_json::to_value(id.generate).unwrap_or_default())
    )
}

fn reference(to: &Reference) -> String {
    let action = |action| word(&serde_json::to_value(action).unwrap_or_default());
    format!(
        "{}.{} as {}, on delete {}, on update {}",
        to.table,
        to.column,
        to.alias,
        action(to.on_delete),
        action(to.on_update)
    )
}

/// Everything of a column but its name and its reference.
fn described(column: &Column) -> String {
    let mut text = column.kind.as_str().to_owned();
    let mut add = |more: String| write!(text, ", {more}").unwrap_or_default();
    if let Some(items) = &column.items {
        add(format!("of {}", items_in_words(items)));
    }
    add(if column.nullable { "nullable" } else { "not null" }.to_owned());
    if column.unique {
        add("unique".to_owned());
    }
    match &column.default {
        None => {}
        Some(ColumnDefault::Now) => add("default now".to_owned()),
        Some(ColumnDefault::Literal(value)) => add(format!("default {value}")),
    }
    if let Some(bucket) = &column.bucket {
        add(format!("bucket {bucket}"));
    }
    if let Some(on_delete) = &column.on_delete {
        add(format!("on delete {}", word(&serde_json::to_value(on_delete).unwrap_or_default())));
    }
    if let Json::Object(bounds) = serde_json::to_value(&column.bounds).unwrap_or_default() {
        for (name, value) in bounds {
            add(format!("{name} {}", word(&value)));
        }
    }
    if let Some(from) = &column.renamed_from {
        add(format!("renamed from {from}"));
    }
    if let Some(deprecated) = in_words(column.deprecated.as_ref(), column.sunset.as_ref()) {
        add(deprecated);
    }
    text
}

fn in_words(deprecated: Option<&String>, sunset: Option<&String>) -> Option<String> {
    let sunset = sunset.map_or_else(String::new, |day| format!(", may go from {day}"));
    deprecated.map(|why| format!("deprecated: {why}{sunset}"))
}

fn items_in_words(items: &crate::schema::Items) -> String {
    let mut text = items.kind.as_str().to_owned();
    let mut inner = items.items.as_deref();
    while let Some(items) = inner {
        write!(text, " of {}", items.kind.as_str()).unwrap_or_default();
        inner = items.items.as_deref();
    }
    text
}

/// A text without its quotes.
fn word(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
