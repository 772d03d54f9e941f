//! The first files of a new logic, for `stk logic new`.

use super::{CACHE_DIR, Language};

/// One file of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFile {
    /// Relative to the logic's folder.
    pub path: &'static str,
    /// What is written into it.
    pub content: String,
}

/// The same greeting in every language has the same cases.
const CASES: (&str, &str) = ("tests/cases.yaml", include_str!("../../templates/logic-test.yaml"));

const RUST: &[(&str, &str)] = &[
    ("logic.yaml", include_str!("../../templates/logic-rust/logic.yaml")),
    ("Cargo.toml", include_str!("../../templates/logic-rust/Cargo.toml.template")),
    ("src/lib.rs", include_str!("../../templates/logic-rust/src/lib.rs")),
    (".gitignore", include_str!("../../templates/logic-rust/gitignore")),
    CASES,
];

const TS: &[(&str, &str)] = &[
    ("logic.yaml", include_str!("../../templates/logic-ts/logic.yaml")),
    ("index.ts", include_str!("../../templates/logic-ts/index.ts")),
    ("tsconfig.json", include_str!("../../templates/logic-ts/tsconfig.json")),
    CASES,
];

const JS: &[(&str, &str)] = &[
    ("logic.yaml", include_str!("../../templates/logic-js/logic.yaml")),
    ("index.js", include_str!("../../templates/logic-js/index.js")),
    CASES,
];

const C: &[(&str, &str)] = &[
    ("logic.yaml", include_str!("../../templates/logic-c/logic.yaml")),
    ("handler.c", include_str!("../../templates/logic-c/handler.c")),
    ("compile_flags.txt", include_str!("../../templates/logic-c/compile_flags.txt")),
    CASES,
];

const PYTHON: &[(&str, &str)] = &[
    ("logic.yaml", include_str!("../../templates/logic-python/logic.yaml")),
    ("main.py", include_str!("../../templates/logic-python/main.py")),
    ("pyrightconfig.json", include_str!("../../templates/logic-python/pyrightconfig.json")),
    CASES,
];

/// The files of a new logic; none for a language without a template.
///
/// `name` is the logic's name under `logics/` (`pricing/quote`): the templates find the SDK in the project's cache,
/// as many folders up as the name has parts.
pub fn template(language: Language, name: &str) -> Option<Vec<TemplateFile>> {
    let files = match language {
        Language::Rust => RUST,
        Language::Ts(_) => TS,
        Language::Js(_) => JS,
        Language::C => C,
        Language::Python => PYTHON,
    };
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
    let cache = format!("{}{CACHE_DIR}", "../".repeat(parts.len() + 1));
    let package = parts.join("-").replace('_', "-");
    let fill =
        |text: &str| text.replace("{{name}}", name).replace("{{package}}", &package).replace("{{cache}}", &cache);
    Some(files.iter().map(|(path, text)| TemplateFile { path, content: fill(text) }).collect())
}

#[cfg(test)]
mod tests {
    use super::{Language, template};
    use crate::build::JsEngine;

    #[test]
    fn templates_find_the_sdk_from_any_depth() {
        let files = template(Language::Rust, "shop/quote_price").unwrap();
        let manifest = files.iter().find(|file| file.path == "Cargo.toml").unwrap();
        assert!(manifest.content.contains("path = \"../../../.stk/cache/sdk/rust\""), "{}", manifest.content);
        assert!(manifest.content.contains("name = \"shop-quote-price\""));
        let engine = JsEngine::default();
        for language in [Language::Rust, Language::Ts(engine), Language::Js(engine), Language::Python, Language::C] {
            for file in template(language, "quote").unwrap() {
                assert!(!file.content.contains("{{"), "{} has an unfilled placeholder", file.path);
            }
        }
    }
}
