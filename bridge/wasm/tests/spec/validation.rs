//! What the authors of the component model's tools say is a component and what is none, held against our gate and against the engine with our
//! settings. The two must agree on every one: what the gate lets pass and the engine refuses is found when a release is loaded and not when it is
//! made; what the gate refuses and the engine would take is nobody's loss, but never what the suite calls invalid may pass either.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use santokit_core::component::inspect;
use wasmtime::component::Component;

use crate::{
    compare, run,
    script::{Directive, directives, forms},
};

/// Scripts of `tests/third_party/wasm-tools`.
fn scripts() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/third_party/wasm-tools/component-model");
    let (mut folders, mut found) = (vec![root.clone()], BTreeMap::new());
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                found.insert(name, std::fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

/// A component of a directive, as bytes, and whether it is said to be none.
fn component(directive: Directive<'_>) -> Option<(Vec<u8>, bool)> {
    let words = directive.words(3);
    let (text, is_invalid) = match words.as_slice() {
        ["component", "instance", ..] => return None,
        ["component", ..] => (directive.text, false),
        ["assert_invalid" | "assert_malformed", "component", ..] => {
            let inner = forms(directive.text.strip_prefix('(')?).into_iter().next()?;
            (inner.text, true)
        }
        _ => return None,
    };
    // What is no text of a component at all is refused by who reads it.
    let text = text.replacen("(component definition", "(component", 1);
    wat::parse_str(&text).ok().map(|bytes| (bytes, is_invalid))
}

#[test]
fn gate_and_engine_say_the_same_of_other_peoples_components() {
    let engines = [true, false].map(run::engine);
    let scripts = scripts();
    assert!(scripts.len() > 70, "{}", scripts.len());
    let (mut table, mut wrong) =
        (String::from("# script: components taken, refused by gate and engine alike\n"), Vec::new());
    for (name, text) in &scripts {
        let (mut taken, mut refused) = (0, 0);
        for directive in directives(text) {
            let Some((bytes, is_invalid)) = component(directive) else { continue };
            let is_passed = inspect(&bytes).is_ok();
            let place = format!("{name}:{}", directive.line);
            for engine in &engines {
                let is_taken = Component::new(engine, &bytes).is_ok();
                if is_taken != is_passed {
                    wrong.push(format!("{place}: the gate says {is_passed}, the engine {is_taken}"));
                }
            }
            if is_passed && is_invalid {
                wrong.push(format!("{place}: taken, and it is invalid"));
            }
            if is_passed { taken += 1 } else { refused += 1 }
        }
        writeln!(table, "{name}: {taken} taken, {refused} refused").unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    compare("component-validation.txt", &table);
}
