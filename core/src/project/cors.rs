//! `cors` of `santokit.yaml`, of the project and of an env.

use std::collections::BTreeSet;

use super::{
    decode::{File, Map, Word},
    diagnostic::Check,
    keys,
    node::Node,
};
use crate::{
    cors::{
        ANY, Cors, CorsError, ENTRIES_MAX, HEADERS_DEFAULT, MAX_AGE_DEFAULT, MAX_AGE_MAX, METHODS, METHODS_DEFAULT,
        check_header, check_origin,
    },
    quantity::Millis,
};

/// None where nothing is said, or where what is said cannot be read.
pub(super) fn read(file: &File<'_>, map: &Map<'_>) -> Option<Cors> {
    let cors = file.map(map.get("cors")?, &keys::CORS)?;
    let list = |key: &'static str| cors.get(key).map(|node| entries(file, node));
    let origins = list("origins").unwrap_or_default();
    let headers = list("headers");
    let exposed = list("exposedHeaders").unwrap_or_default();
    let credentials = cors.get("credentials").and_then(|node| file.boolean(node)).unwrap_or(false);
    for word in &origins {
        told(file, word, check_origin(&word.text));
    }
    for word in headers.iter().flatten().chain(&exposed) {
        told(file, word, check_header(&word.text.to_ascii_lowercase()));
    }
    if credentials {
        for word in origins.iter().chain(headers.iter().flatten()).chain(&exposed).filter(|word| word.text == ANY) {
            let hint = "name each, or leave out credentials";
            file.error_hint(word.span, Check::Conflict, CorsError::AnyWithCredentials.to_string(), hint);
        }
    }
    let methods = cors.get("methods").map(|node| {
        let words = file.list(node).iter().filter_map(|item| file.word(item, METHODS, METHODS));
        words.map(str::to_owned).collect()
    });
    let lower = |words: Vec<Word>| words.into_iter().map(|word| word.text.to_ascii_lowercase()).collect();
    let default = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<String>>();
    Some(Cors {
        origins: origins.into_iter().map(|word| word.text).collect(),
        methods: methods.unwrap_or_else(|| default(METHODS_DEFAULT)),
        headers: headers.map_or_else(|| default(HEADERS_DEFAULT), lower),
        exposed_headers: lower(exposed),
        credentials,
        max_age: max_age(file, &cors),
    })
}

fn entries(file: &File<'_>, node: &Node) -> Vec<Word> {
    let words = file.texts(node);
    if words.len() > ENTRIES_MAX {
        file.error(node.span, Check::TooMany, CorsError::TooMany.to_string());
    }
    words
}

fn max_age(file: &File<'_>, cors: &Map<'_>) -> Millis {
    let Some(node) = cors.get("maxAge") else { return MAX_AGE_DEFAULT };
    let age = file.quantity::<Millis>(node).unwrap_or(MAX_AGE_DEFAULT);
    if age > MAX_AGE_MAX {
        file.error(node.span, Check::InvalidValue, CorsError::MaxAge.to_string());
    }
    age
}

fn told(file: &File<'_>, word: &Word, checked: Result<(), CorsError>) {
    if let Err(error) = checked {
        file.error(word.span, Check::InvalidValue, error.to_string());
    }
}
