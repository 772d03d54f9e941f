//! A declared query as a release carries it: one statement with a name, what it takes, what it answers, and every table that
//! it touches. A guest calls it by name and never sees its text.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{logic::Verb, param::Param, schema::Type};

/// One declared query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Query {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The connection that it runs on.
    pub connection: String,
    /// By name, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
    /// How it may be called.
    pub returns: Returns,
    /// With `:name` placeholders as written.
    pub statement: String,
    /// What a row has, in order. Found by preparing the statement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub result: Vec<ResultColumn>,
    /// Everything that it touches. Found by preparing the statement; the engine lets it touch nothing else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, BTreeSet<Verb>>,
}

/// What a call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Returns {
    /// Any number of rows.
    Many,
    /// Exactly one row.
    One,
    /// The number of rows affected.
    Exec,
}

/// A column of a query's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResultColumn {
    /// In the result.
    pub name: String,
    /// The schema's type of a plain column, else the declared one, else the engine's.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether it can be NULL; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nullable: Option<bool>,
}

impl Returns {
    /// As written in project files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Returns::Many => "many",
            Returns::One => "one",
            Returns::Exec => "exec",
        }
    }
}

impl Query {
    /// Whether it only reads.
    pub fn is_read_only(&self) -> bool {
        self.tables.values().flatten().all(|verb| *verb == Verb::Select)
    }

    /// One line for each table and verb: `main.orders select`.
    pub fn powers(&self) -> impl Iterator<Item = String> {
        self.tables.iter().flat_map(move |(table, verbs)| {
            verbs.iter().map(move |verb| format!("{}.{table} {}", self.connection, verb.as_str()))
        })
    }
}

impl ResultColumn {
    /// The type of the project's schema, if it is one.
    pub fn kind(&self) -> Option<Type> {
        Type::ALL.iter().copied().find(|kind| kind.as_str() == self.type_name)
    }
}
