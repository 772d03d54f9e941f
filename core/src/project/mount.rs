//! `mount` and `methods` of a `logic.yaml`, and what holds among all that are mounted.

use std::collections::BTreeMap;

use super::{
    LogicSource, ProjectLogic,
    decode::{File, Map},
    diagnostic::Check,
    node::{Span, Yaml},
};
use crate::logic::Mount;

/// What is mounted takes requests as they are: nothing that is for calls goes with it.
pub(super) fn read(file: &File<'_>, map: &Map<'_>) -> Option<Mount> {
    let Some(node) = map.get("mount") else {
        if let Some(entry) = map.entry("methods") {
            let hint = "say where: mount: PATH, or leave \"methods\" out";
            file.error_hint(entry.span, Check::Conflict, "\"methods\" goes with \"mount\" only", hint);
        }
        return None;
    };
    if let Some(entry) = map.entry("params") {
        let message = "what is mounted takes requests as they are, and no params";
        file.error_hint(entry.span, Check::Conflict, message, "leave \"params\" out");
    }
    if let Some(entry) = map.entry("record") {
        let message = "requests to what is mounted are not recorded: they go on while they are answered";
        file.error_hint(entry.span, Check::Conflict, message, "leave \"record\" out");
    }
    let required =
        map.entry("transaction").filter(|entry| matches!(&entry.value.yaml, Yaml::Text(text) if text == "required"));
    if let Some(entry) = required {
        let message = "an answer of what is mounted is on its way before the invocation has ended";
        file.error_hint(
            entry.span,
            Check::Conflict,
            message,
            "begin a transaction in the component, and commit it there",
        );
    }
    let methods = match map.get("methods") {
        None => Mount::METHODS.to_vec(),
        Some(node) => {
            if matches!(&node.yaml, Yaml::List(items) if items.is_empty()) {
                let hint = "name one, or leave \"methods\" out";
                file.error_hint(node.span, Check::InvalidValue, "nothing is mounted without one of \"methods\"", hint);
            }
            file.list(node).iter().filter_map(|node| file.word(node, Mount::METHODS, Mount::METHODS)).collect()
        }
    };
    let word = file.text(node)?;
    if let Err(error) = Mount::check_path(&word.text) {
        file.error(word.span, Check::InvalidValue, error.to_string());
        return None;
    }
    Some(Mount { path: word.text, methods: methods.into_iter().map(str::to_owned).collect() })
}

/// One path is one logic's, and what is mounted is called by nobody.
pub(super) fn check<'f>(logics: &BTreeMap<String, ProjectLogic>, file: impl Fn(&str) -> Option<&'f File<'f>>) {
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, logic) in logics {
        let LogicSource::Wasm(source) = &logic.source else { continue };
        let Some(file) = file(&logic.path) else { continue };
        let mounted = |called: &&String| logics.get(*called).is_some_and(|logic| logic.mount().is_some());
        for called in source.grants.logics.iter().filter(mounted) {
            let message = format!("the logic {called:?} is mounted and takes no calls, and grants.logics lists it");
            file.error_hint(Span::START, Check::Conflict, message, "take it out of grants.logics");
        }
        let Some(mount) = &source.mount else { continue };
        if let Some(other) = taken.insert(&mount.path, name) {
            let message = format!("the logic {other:?} is mounted at {:?} already", mount.path);
            file.error_hint(
                Span::START,
                Check::Duplicate,
                message,
                "mount it elsewhere; below another mount it may be",
            );
        }
    }
}
