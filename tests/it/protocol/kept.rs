//! The messages between Hub and Bridge as JSON Schemas: that the committed ones are those of the code, that messages of every
//! published version are still read, and that the schemas and the code refuse the same.

use std::fs;

use santokit_core::{
    problem::ProblemBody,
    release::{
        Manifest, Pointer, Statement,
        envelope::{POINTER_TYPE, RELEASE_TYPE},
        verify::{self, Trust},
    },
    wire::{Current, Release, Report, RuntimeBundle},
};
use santokit_tests::{folder::repository, json_schema::Document};
use schemars::{
    JsonSchema,
    generate::{Contract, SchemaSettings},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};

/// A folder for each version, of messages as they were sent.
const KEPT: &str = "tests/cases/protocol";

/// All that is sent, or all that is taken: what has a default may be missing there.
fn document(contract: Contract) -> Json {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.contract = contract;
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut messages = serde_json::Map::new();
    let mut add = |name: &str, what: &str, schema: schemars::Schema| {
        let mut schema = schema.to_value();
        schema["description"] = what.into();
        messages.insert(name.to_owned(), schema);
    };
    add("current", "200 of GET /internal/releases/current", generator.subschema_for::<Current>());
    add("release", "200 of GET /internal/releases/{id}", generator.subschema_for::<Release>());
    add("runtime", "200 of GET /internal/runtime/{project}/{env}", generator.subschema_for::<RuntimeBundle>());
    add("report", "the body of POST /internal/bridges/{id}/report", generator.subschema_for::<Report>());
    add("problem", "the `error` of every refusal", generator.subschema_for::<ProblemBody>());
    add("pointer", "what the envelope of `current` signs", generator.subschema_for::<Pointer>());
    add("statement", "what the envelope of `release` signs", generator.subschema_for::<Statement>());
    add("manifest", "the `manifest` of `release`, as text", generator.subschema_for::<Manifest>());
    let mut defs = generator.take_definitions(true);
    defs.sort_keys();
    let mut document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The protocol between Hub and Bridge",
        "description": "Each message under `messages`. Made by tests/it/protocol/kept.rs (UPDATE_GOLDEN=1); see docs/reference/hub-api.md.",
        "messages": messages,
        "$defs": defs,
    });
    plain(&mut document);
    document
}

/// Descriptions are comments of the code: there, names of types stand in brackets, and lines end where they are full.
fn plain(value: &mut Json) {
    match value {
        Json::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Json::String(text) if name == "description" => {
                        *text = text.replace("[`", "`").replace("`]", "`").replace('\n', " ");
                    }
                    field => plain(field),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}

/// What is wrong with a message, by what is sent or by what is taken.
fn wrong(contract: Contract, message: &str, value: &Json) -> Option<String> {
    Document::new(document(contract)).wrong(&format!("/messages/{message}"), value)
}

#[test]
fn the_committed_schemas_are_those_of_the_code() {
    let text = format!("{}\n", serde_json::to_string_pretty(&document(Contract::Serialize)).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(repository().join(super::DOCUMENT), &text).unwrap();
    }
    let golden = fs::read_to_string(repository().join(super::DOCUMENT)).unwrap_or_default();
    let at = text.lines().zip(golden.lines()).position(|(own, kept)| own != kept).map_or(0, |at| at + 1);
    assert!(
        text == golden,
        "the protocol has changed (line {at}): read docs/reference/hub-api.md, then set UPDATE_GOLDEN=1"
    );
}

/// Messages as they were sent, by version.
fn kept(message: &str) -> Vec<(String, Json)> {
    let mut all = Vec::new();
    for version in fs::read_dir(repository().join(KEPT)).unwrap() {
        let folder = version.unwrap().path();
        let Ok(files) = fs::read_dir(&folder) else { continue };
        for file in files {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if name == message || name.starts_with(&format!("{message}-")) {
                let value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
                all.push((path.display().to_string(), value));
            }
        }
    }
    assert!(!all.is_empty(), "no {message} is kept");
    all
}

/// Nothing of a kept message is lost or refused; each part that is taken out of it is missed by the schema exactly where the code
/// misses it.
fn check<T: Serialize + DeserializeOwned + JsonSchema>(message: &str) {
    let place = format!("/messages/{message}");
    let [sent, taken] = [Contract::Serialize, Contract::Deserialize].map(|contract| Document::new(document(contract)));
    for (file, value) in kept(message) {
        let read: T = serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{file}: {error}"));
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!(sent.wrong(&place, &written), None, "{file}: what is written now is not what the schema says");
        assert_eq!(taken.wrong(&place, &value), None, "{file}");
        covers("", &value, &written, &file);
        let mut places = Vec::new();
        collect("", &value, &mut places);
        for at in places {
            for other in [None, Some(json!({"no": "such"})), Some(json!(-1)), Some(json!("")), Some(Json::Null)] {
                let changed = with(&value, &at, other.clone());
                let by_code = serde_json::from_value::<T>(changed.clone()).err();
                // What only the code knows: a digest's form, the catalogue of codes.
                if let (Some(wrong), None) = (taken.wrong(&place, &changed), &by_code) {
                    panic!("{file}: the schema refuses {at} = {other:?}, and the code takes it: {wrong}");
                }
                if other.is_none() && by_code.is_some() {
                    assert!(
                        taken.wrong(&place, &changed).is_some(),
                        "{file}: the code needs {at}, and the schema does not"
                    );
                }
            }
        }
    }
}

/// All that a message had is written again.
fn covers(place: &str, kept: &Json, written: &Json, file: &str) {
    match (kept, written) {
        (Json::Object(fields), Json::Object(found)) => {
            for (name, field) in fields {
                let other = found.get(name).unwrap_or(&Json::Null);
                covers(&format!("{place}/{name}"), field, other, file);
            }
        }
        _ => assert_eq!(kept, written, "{file}: {place} is lost"),
    }
}

/// JSON pointers to all that a value holds.
fn collect(place: &str, value: &Json, places: &mut Vec<String>) {
    match value {
        Json::Object(fields) => {
            for (name, field) in fields {
                let place = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
                collect(&place, field, places);
                places.push(place);
            }
        }
        Json::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                collect(&format!("{place}/{number}"), item, places);
            }
        }
        _ => {}
    }
}

/// The value with another in one place, or without it.
fn with(value: &Json, place: &str, other: Option<Json>) -> Json {
    let mut changed = value.clone();
    let (parent, name) = place.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/").replace("~0", "~");
    let fields = changed.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match other {
        Some(other) => drop(fields.insert(name, other)),
        None => drop(fields.shift_remove(&name)),
    }
    changed
}

#[test]
fn pointers_of_before_are_read() {
    check::<Current>("current");
    for (file, value) in kept("current") {
        let current: Current = serde_json::from_value(value).unwrap();
        let pointer: Pointer =
            current.pointer.unverified(POINTER_TYPE).unwrap_or_else(|error| panic!("{file}: {error}"));
        let written = serde_json::to_value(&pointer).unwrap();
        assert_eq!(wrong(Contract::Serialize, "pointer", &written), None, "{file}");
    }
}

#[test]
fn releases_of_before_are_read_and_what_they_were_signed_with_holds() {
    check::<Release>("release");
    for (file, value) in kept("release") {
        let release: Release = serde_json::from_value(value).unwrap();
        let keys = std::path::Path::new(&file).with_file_name("keys.json");
        let keys: Json = serde_json::from_str(&fs::read_to_string(keys).unwrap()).unwrap();
        let key = serde_json::from_value(keys["keys"][0]["key"].clone()).unwrap();
        let read =
            verify::release(&release, &Trust::in_each([key], 1)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let statement: Statement = release.envelope.unverified(RELEASE_TYPE).unwrap();
        assert_eq!(wrong(Contract::Serialize, "statement", &serde_json::to_value(statement).unwrap()), None, "{file}");
        let manifest: Json = serde_json::from_str(&release.manifest).unwrap();
        assert_eq!(wrong(Contract::Serialize, "manifest", &manifest), None, "{file}");
        assert_eq!(
            serde_json::to_value(&read.manifest).unwrap(),
            manifest,
            "{file}: the manifest has another form now"
        );
    }
}

#[test]
fn runtime_bundles_of_before_are_read() {
    check::<RuntimeBundle>("runtime");
}

#[test]
fn reports_of_before_are_read() {
    check::<Report>("report");
}
