//! The schema model of a project: tables, columns, indexes, references. Engine-neutral; types are those of the project files.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub mod files;
pub mod relation;

/// The tables of one connection, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schema {
    /// By table name.
    #[serde(default)]
    pub tables: BTreeMap<String, Table>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Table {
    /// The primary key.
    pub id: PrimaryKey,
    /// In the order of the file, without the primary key.
    pub columns: Vec<Column>,
    /// Further indexes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
    /// Why and since when the table is no longer to be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
    /// The day from which on it may go, `YYYY-MM-DD`; without one, 90 days after the first apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sunset: Option<String>,
}

/// The one primary key column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrimaryKey {
    /// Column name, `id` by default.
    pub name: String,
    /// Who makes the value.
    pub generate: Generate,
    /// `string` or `bigint`; a free choice for [`Generate::Client`].
    #[serde(rename = "type")]
    pub kind: Type,
}

/// Who makes the value of a primary key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Generate {
    /// A ULID.
    Ulid,
    /// A 21-character nanoid.
    Nanoid,
    /// A random UUID.
    UuidV4,
    /// A time-ordered UUID.
    UuidV7,
    /// The database counts.
    AutoIncrement,
    /// The client sends it.
    Client,
}

/// A column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// Text.
    String,
    /// 32-bit whole number.
    Int,
    /// 64-bit whole number; a string in JSON.
    Bigint,
    /// IEEE 754 double.
    Float,
    /// Exact decimal; a string in JSON.
    Decimal,
    /// Truth value.
    Boolean,
    /// Any JSON value.
    Json,
    /// A point in time with microseconds, UTC; RFC 3339 in JSON.
    Timestamp,
    /// Bytes; base64 in JSON.
    Bytes,
    /// The key of an object in a bucket.
    File,
    /// A list, stored as JSON.
    Array,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    /// The customer's own spelling.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Whether NULL is allowed (the default of the project files is true).
    pub nullable: bool,
    /// Whether values are unique.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
    /// What an insert without a value gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ColumnDefault>,
    /// Element type of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Items>>,
    /// The bucket of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// What happens to the object of a file column when the row goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<FileOnDelete>,
    /// Bounds on the value.
    #[serde(flatten)]
    pub bounds: Bounds,
    /// A foreign key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<Reference>,
    /// The name that the column had before, so that a rename is not a drop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// Why and since when the column is no longer to be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
    /// The day from which on it may go, `YYYY-MM-DD`; without one, 90 days after the first apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sunset: Option<String>,
}

/// Bounds that columns and params share; checked at the edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// The allowed strings.
    #[serde(rename = "enum", default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<String>>,
    /// Largest number of characters of a string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// Smallest number, as written (decimals keep their digits).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// Largest number, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// A regular expression (linear time, RE2 syntax) that the whole string must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// A column's default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ColumnDefault {
    /// The moment of the insert.
    Now,
    /// A literal of the column's type, in its JSON form.
    Literal(Json),
}

/// The element type of an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Items {
    /// The element's type.
    #[serde(rename = "type")]
    pub kind: Type,
    /// For arrays of arrays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Items>>,
}

/// What happens to an object when its row goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileOnDelete {
    /// The object stays.
    Preserve,
    /// The object goes too.
    Cascade,
}

/// A foreign key to a table of the same connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reference {
    /// The table referred to.
    pub table: String,
    /// Its column; the primary key by default.
    pub column: String,
    /// The relation's name in `expand` and `where`; the table's name by default.
    #[serde(rename = "as")]
    pub alias: String,
    /// When the row referred to is deleted.
    pub on_delete: ReferenceAction,
    /// When its key changes.
    pub on_update: ReferenceAction,
}

/// What a foreign key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceAction {
    /// Refuse at once.
    Restrict,
    /// Refuse at the end of the statement.
    NoAction,
    /// Do the same to the rows that refer.
    Cascade,
    /// Set NULL.
    SetNull,
    /// Set the column's default.
    SetDefault,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Index {
    /// In order.
    pub columns: Vec<String>,
    /// Whether the combination is unique.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
}

impl Type {
    /// Every type, in the order of the documentation.
    pub const ALL: &'static [Type] = &[
        Type::String,
        Type::Int,
        Type::Bigint,
        Type::Float,
        Type::Decimal,
        Type::Boolean,
        Type::Json,
        Type::Timestamp,
        Type::Bytes,
        Type::File,
        Type::Array,
    ];

    /// As written in project files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::Int => "int",
            Type::Bigint => "bigint",
            Type::Float => "float",
            Type::Decimal => "decimal",
            Type::Boolean => "boolean",
            Type::Json => "json",
            Type::Timestamp => "timestamp",
            Type::Bytes => "bytes",
            Type::File => "file",
            Type::Array => "array",
        }
    }
}

impl Bounds {
    /// No bound at all.
    pub const NONE: Bounds = Bounds { one_of: None, max_length: None, min: None, max: None, pattern: None };
}
