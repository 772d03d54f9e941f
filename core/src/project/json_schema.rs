//! JSON Schemas of the project's files, for editors: made from the tables that the decoder uses, so that they agree.

use std::collections::BTreeSet;

use serde_json::{Map as JsonMap, Value as Json, json};

use super::keys::{self, Keys, Shape};

/// A kind of project file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `santokit.yaml`.
    Project,
    /// `santokit.dev.yaml`.
    Dev,
    /// `schema/*.yaml`.
    Schema,
    /// `config/permissions.yaml`.
    Permissions,
    /// `config/storage.yaml`.
    Storage,
    /// `events/topics/*.yaml`.
    Topic,
    /// `events/subscriptions/*.yaml`.
    Subscription,
    /// `events/triggers/*.yaml`.
    Trigger,
    /// `cron/*.yaml`.
    Cron,
    /// `logics/**/logic.yaml`.
    WasmLogic,
    /// The front matter of `logics/**/*.sql`.
    SqlLogic,
    /// The front matter of `queries/**/*.sql`.
    Query,
    /// `tests/*.yaml`, in a logic's folder or the project's.
    Test,
    /// `tests/permissions/*.yaml`.
    Matrix,
}

impl FileKind {
    /// Every kind.
    pub const ALL: &'static [FileKind] = &[
        FileKind::Project,
        FileKind::Dev,
        FileKind::Schema,
        FileKind::Permissions,
        FileKind::Storage,
        FileKind::Topic,
        FileKind::Subscription,
        FileKind::Trigger,
        FileKind::Cron,
        FileKind::WasmLogic,
        FileKind::SqlLogic,
        FileKind::Query,
        FileKind::Test,
        FileKind::Matrix,
    ];

    /// A name for the schema's file.
    pub const fn as_str(self) -> &'static str {
        match self {
            FileKind::Project => "project",
            FileKind::Dev => "dev",
            FileKind::Schema => "schema",
            FileKind::Permissions => "permissions",
            FileKind::Storage => "storage",
            FileKind::Topic => "topic",
            FileKind::Subscription => "subscription",
            FileKind::Trigger => "trigger",
            FileKind::Cron => "cron",
            FileKind::WasmLogic => "logic",
            FileKind::SqlLogic => "sql-logic",
            FileKind::Query => "query",
            FileKind::Test => "test",
            FileKind::Matrix => "permission-matrix",
        }
    }

    const fn keys(self) -> &'static Keys {
        match self {
            FileKind::Project => &keys::PROJECT,
            FileKind::Dev => &keys::DEV,
            FileKind::Schema => &keys::SCHEMA,
            FileKind::Permissions => &keys::PERMISSIONS,
            FileKind::Storage => &keys::STORAGE,
            FileKind::Topic => &keys::TOPIC,
            FileKind::Subscription => &keys::SUBSCRIPTION,
            FileKind::Trigger => &keys::TRIGGER,
            FileKind::Cron => &keys::CRON,
            FileKind::WasmLogic => &keys::WASM_LOGIC,
            FileKind::SqlLogic => &keys::SQL_LOGIC,
            FileKind::Query => &keys::QUERY,
            FileKind::Test => &keys::TEST_FILE,
            FileKind::Matrix => &keys::MATRIX,
        }
    }
}

/// The JSON Schema (2020-12) of a kind of file.
pub fn json_schema(kind: FileKind) -> Json {
    let mut writer = Writer { written: BTreeSet::new(), definitions: JsonMap::new() };
    let mut schema = JsonMap::new();
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".to_owned(), kind.keys().what.into());
    schema.extend(writer.object(kind.keys()));
    schema.insert("$defs".to_owned(), Json::Object(writer.definitions));
    Json::Object(schema)
}

struct Writer {
    written: BTreeSet<&'static str>,
    definitions: JsonMap<String, Json>,
}

impl Writer {
    fn object(&mut self, keys: &'static Keys) -> JsonMap<String, Json> {
        let mut properties = JsonMap::new();
        for key in keys.keys {
            let mut shape = self.shape(&key.shape);
            if let Json::Object(fields) = &mut shape {
                fields.insert("description".to_owned(), key.doc.into());
            }
            properties.insert(key.name.to_owned(), shape);
        }
        let required: Vec<&str> = keys.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
        let mut object = JsonMap::new();
        object.insert("type".to_owned(), "object".into());
        object.insert("properties".to_owned(), Json::Object(properties));
        object.insert("required".to_owned(), required.into());
        object.insert("additionalProperties".to_owned(), false.into());
        object
    }

    /// Tables refer to each other, and one to itself: each is written once.
    fn shape(&mut self, shape: &Shape) -> Json {
        match shape {
            Shape::One => json!({"const": 1}),
            Shape::Text => json!({"type": "string"}),
            Shape::Boolean => json!({"type": "boolean"}),
            Shape::Whole => json!({"type": "integer", "minimum": 0}),
            Shape::Number => json!({"type": ["number", "string"]}),
            Shape::Any => json!({}),
            Shape::Duration => json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"}),
            Shape::Size => json!({"type": "string", "pattern": "^[0-9]+(B|KB|MB|GB|KiB|MiB|GiB)$"}),
            Shape::Words(words) => json!({"enum": words}),
            Shape::List(items) => json!({"type": "array", "items": self.shape(items)}),
            Shape::Names(values) => json!({"type": "object", "additionalProperties": self.shape(values)}),
            Shape::Either(shapes) => {
                let shapes: Vec<Json> = shapes.iter().map(|shape| self.shape(shape)).collect();
                json!({"anyOf": shapes})
            }
            Shape::Map(keys) => {
                let name = keys.what.replace(' ', "-");
                if self.written.insert(keys.what) {
                    let object = self.object(keys);
                    self.definitions.insert(name.clone(), Json::Object(object));
                }
                json!({"$ref": format!("#/$defs/{name}")})
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_has_its_definition() {
        for kind in FileKind::ALL {
            let schema = json_schema(*kind);
            let text = schema.to_string();
            for (at, found) in text.match_indices("#/$defs/") {
                let name: String = text[at + found.len()..].chars().take_while(|c| *c != '"').collect();
                assert!(schema["$defs"].get(&name).is_some(), "{name}");
            }
            assert_eq!(schema["additionalProperties"], Json::Bool(false));
        }
    }

    #[test]
    fn required_keys_are_said() {
        assert_eq!(json_schema(FileKind::Project)["required"], json!(["version", "name"]));
    }
}
