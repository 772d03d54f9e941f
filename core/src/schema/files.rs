//! Columns of the type `file`: the keys of objects that rows name. What a column says must fit the buckets of its release, and where an object
//! goes with the last row that names it, all rows that can name it are in one database.

use std::collections::BTreeMap;

use super::{Column, FileOnDelete, Schema, Type};
use crate::storage::Storage;

/// Where a file column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilePlace<'s> {
    /// Of the table.
    pub connection: &'s str,
    /// The table.
    pub table: &'s str,
    /// The column.
    pub column: &'s str,
}

/// What is wrong with one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// A key is of a bucket.
    #[error("a file column needs the bucket that its keys are of")]
    NoBucket,
    /// There is no such bucket.
    #[error("there is no bucket {0:?} in config/storage.yaml")]
    Unknown(String),
    /// Every row would have the same object, and the first to go would take it.
    #[error("a column with onDelete: cascade has no default")]
    Default,
    /// Whether a row still names an object is asked in the transaction that lets it go.
    #[error(
        "the bucket {bucket:?} has file columns on the connections {first:?} and {second:?}, and one of them has onDelete: cascade"
    )]
    Apart {
        /// Which.
        bucket: String,
        /// One of its connections.
        first: String,
        /// Another one.
        second: String,
    },
}

impl Column {
    /// Whether the object goes when no row names it any more.
    pub fn takes_objects(&self) -> bool {
        self.kind == Type::File && self.on_delete == Some(FileOnDelete::Cascade)
    }
}

/// Every file column of the connections of a release.
pub fn columns(connections: &BTreeMap<String, Schema>) -> impl Iterator<Item = (FilePlace<'_>, &Column)> {
    connections.iter().flat_map(|(connection, schema)| {
        schema.tables.iter().flat_map(move |(table, declared)| {
            let files = declared.columns.iter().filter(|column| column.kind == Type::File);
            files.map(move |column| (FilePlace { connection, table, column: &column.name }, column))
        })
    })
}

/// What does not fit the buckets.
pub fn problems<'s>(connections: &'s BTreeMap<String, Schema>, storage: &Storage) -> Vec<(FilePlace<'s>, FileError)> {
    let mut problems = Vec::new();
    let mut places: BTreeMap<&str, &str> = BTreeMap::new();
    let taken: Vec<&str> = columns(connections)
        .filter(|(_, column)| column.takes_objects())
        .filter_map(|(_, column)| column.bucket.as_deref())
        .collect();
    for (place, column) in columns(connections) {
        let Some(bucket) = column.bucket.as_deref() else {
            problems.push((place, FileError::NoBucket));
            continue;
        };
        if !storage.buckets.contains_key(bucket) {
            problems.push((place, FileError::Unknown(bucket.to_owned())));
        }
        if column.takes_objects() && column.default.is_some() {
            problems.push((place, FileError::Default));
        }
        let first = *places.entry(bucket).or_insert(place.connection);
        if first != place.connection && taken.contains(&bucket) {
            let second = place.connection.to_owned();
            problems.push((place, FileError::Apart { bucket: bucket.to_owned(), first: first.to_owned(), second }));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn of(columns: &[(&str, &Json)]) -> Vec<FileError> {
        let schema = |column: &Json| json!({"tables": {"t": {"id": {"name": "id", "generate": "ulid", "type": "string"}, "columns": [column]}}});
        let connections = columns.iter().map(|(name, column)| ((*name).to_owned(), schema(column)));
        let connections: BTreeMap<String, Schema> =
            connections.map(|(name, schema)| (name, serde_json::from_value(schema).unwrap())).collect();
        let storage = json!({"buckets": {"images": {"provider": "local", "maxObject": 10}}});
        let storage = serde_json::from_value(storage).unwrap();
        problems(&connections, &storage).into_iter().map(|(_, error)| error).collect()
    }

    #[test]
    fn a_file_column_is_of_a_bucket_of_its_release() {
        let column = |more: Json| {
            let mut column = json!({"name": "photo", "type": "file", "nullable": true});
            column.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            column
        };
        let takes = column(json!({"bucket": "images", "onDelete": "cascade"}));
        let keeps = column(json!({"bucket": "images"}));
        assert_eq!(of(&[("main", &takes)]), []);
        assert_eq!(of(&[("main", &keeps), ("other", &keeps)]), []);
        assert_eq!(of(&[("main", &column(json!({})))]), [FileError::NoBucket]);
        assert_eq!(of(&[("main", &column(json!({"bucket": "image"})))]), [FileError::Unknown("image".to_owned())]);
        let default = column(json!({"bucket": "images", "onDelete": "cascade", "default": {"literal": "a.png"}}));
        assert_eq!(of(&[("main", &default)]), [FileError::Default]);
        for pair in [[("main", &takes), ("other", &keeps)], [("main", &keeps), ("other", &takes)]] {
            let found = of(&pair);
            assert!(matches!(found.as_slice(), [FileError::Apart { second, .. }] if second == "other"), "{found:?}");
        }
    }
}
