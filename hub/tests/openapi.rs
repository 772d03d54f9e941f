//! The committed document is the one of the code, holds together, and has every route.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, path::Path};

use santokit_hub::api::{
    access,
    openapi::{json_document, operations::ROWS},
};
use serde_json::Value as Json;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/hub-openapi.json");
const METHODS: &[&str] = &["get", "put", "post", "delete", "head"];

/// The parameters of a path.
fn named(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// Path, method, operation.
fn operations(document: &Json) -> impl Iterator<Item = (&String, &String, &Json)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (path, method, operation))
    })
}

/// Calls with every object of a document.
fn walk<'a>(value: &'a Json, look: &mut impl FnMut(&'a serde_json::Map<String, Json>)) {
    match value {
        Json::Object(fields) => {
            look(fields);
            fields.values().for_each(|field| walk(field, look));
        }
        Json::Array(items) => items.iter().for_each(|item| walk(item, look)),
        _ => {}
    }
}

#[test]
fn the_committed_document_is_that_of_the_code() {
    let text = format!("{}\n", serde_json::to_string_pretty(json_document()).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(Path::new(GOLDEN)).unwrap_or_default();
    let at = text.lines().zip(golden.lines()).position(|(own, kept)| own != kept);
    assert!(
        text == golden,
        "the contract has changed (line {}): read docs/reference/hub-api.md, then set UPDATE_GOLDEN=1",
        at.map_or(0, |at| at + 1)
    );
}

#[test]
fn every_route_has_an_operation_and_every_operation_a_route() {
    let routes: BTreeSet<(String, String)> =
        access().into_iter().map(|(route, _)| (route.path, route.method.to_string())).collect();
    let told: BTreeSet<(String, String)> =
        operations(json_document()).map(|(path, method, _)| (path.clone(), method.to_uppercase())).collect();
    assert_eq!(told, routes);
    let rows: BTreeSet<(String, String)> = ROWS.iter().map(|row| (row.1.to_owned(), row.0.to_owned())).collect();
    assert_eq!((rows.len(), rows), (ROWS.len(), routes), "a row of no route, or two of one");
}

#[test]
fn names_are_unique_and_those_of_the_actions() {
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations(json_document()) {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name), "{name} names two operations");
        assert_eq!(name.split('.').count(), 2, "{name}");
        let Some(action) = operation["x-action"].as_str() else { continue };
        let of_action = operations(json_document()).filter(|(_, _, other)| other["x-action"] == action).count();
        assert!(of_action > 1 || name == action, "{method} {path} is {action}, and named {name}");
    }
}

#[test]
fn it_holds_together() {
    let document = json_document();
    let mut used = BTreeSet::new();
    walk(document, &mut |fields| {
        if let Some(Json::String(place)) = fields.get("$ref") {
            let found = place.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
            assert!(found.is_some(), "{place} leads nowhere");
            used.insert(place.clone());
        }
    });
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(used.contains(&format!("#/components/schemas/{name}")), "nothing uses the schema {name}");
        // Two types of one name get a number.
        assert!(!name.ends_with(|c: char| c.is_ascii_digit()), "{name}: two types have one name");
    }
    let schemes = &document["components"]["securitySchemes"];
    for (path, method, operation) in operations(document) {
        let what = format!("{method} {path}");
        assert!(METHODS.contains(&method.as_str()), "{what}");
        let parameters = operation["parameters"].as_array().unwrap();
        let of_path: Vec<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(of_path, named(path).collect::<Vec<_>>(), "{what}");
        let distinct: BTreeSet<String> = parameters.iter().map(|p| format!("{} {}", p["in"], p["name"])).collect();
        assert_eq!(distinct.len(), parameters.len(), "{what}");
        for scheme in operation["security"].as_array().unwrap() {
            for name in scheme.as_object().unwrap().keys() {
                assert!(schemes.get(name).is_some(), "{what}: {name}");
            }
        }
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{what} never succeeds");
        assert!(answers.contains_key("default"), "{what} never fails");
    }
}

#[test]
fn no_secret_is_asked_for_or_shown_as_a_plain_text() {
    let document = json_document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let secret = "#/components/schemas/Secret";
    let names =
        ["password", "token", "accessToken", "refreshToken", "invite", "code", "current", "new", "key", "adminUrl"];
    // Public halves and the catalogue's codes.
    let plain = [
        ("SigningKey", "key"),
        ("UserKey", "key"),
        ("SignatureBody", "key"),
        ("ProblemBody", "code"),
        ("RefusedRelease", "code"),
    ];
    for (schema, body) in schemas {
        for (field, shape) in body["properties"].as_object().into_iter().flatten() {
            if names.contains(&field.as_str()) && !plain.contains(&(schema.as_str(), field.as_str())) {
                assert!(shape.to_string().contains(secret), "{schema}.{field} is no secret: {shape}");
            }
        }
    }
}
