//! Names that say nothing, and files that the layout does not know.

use std::ffi::OsStr;
use std::path::Path;

use super::{Tree, Violation};

/// A thing that has no better name belongs beside its only caller.
const EMPTY_NAMES: [&str; 9] = ["util", "utils", "common", "helper", "helpers", "misc", "shared", "stuff", "commons"];

/// Files whose names are ours to choose.
const SOURCES: [&str; 6] = ["rs", "ts", "js", "mjs", "py", "c"];

pub(super) fn check(tree: &Tree, violations: &mut Vec<Violation>) {
    for file in &tree.files {
        let is_source = file.path.extension().and_then(OsStr::to_str).is_some_and(|own| SOURCES.contains(&own));
        if !is_source {
            continue;
        }
        if file.path.ends_with("mod.rs") {
            violations.push(Violation::of(&file.path, "no mod.rs: name the file after the module, beside its folder"));
        }
        if let Some(name) = empty_name(&file.path) {
            let message = format!("`{name}` says nothing: name it after its topic, or put it beside its only caller");
            violations.push(Violation::of(&file.path, message));
        }
    }
}

fn empty_name(path: &Path) -> Option<&str> {
    path.with_extension("")
        .iter()
        .filter_map(OsStr::to_str)
        .find_map(|part| EMPTY_NAMES.into_iter().find(|empty| *empty == part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_names_and_mod_files_are_found() {
        let tree = Tree::of(&[
            ("core/src/util.rs", ""),
            ("core/src/helpers/text.rs", ""),
            ("core/src/a/mod.rs", ""),
            ("core/src/commonly.rs", ""),
            ("docs/common.md", ""),
        ]);
        let mut found = Vec::new();
        check(&tree, &mut found);
        let paths: Vec<_> = found.iter().map(|violation| violation.path.to_str()).collect();
        assert_eq!(paths, [Some("core/src/util.rs"), Some("core/src/helpers/text.rs"), Some("core/src/a/mod.rs")]);
    }
}
