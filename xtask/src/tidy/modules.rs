//! Dead files: a Rust file that no `mod` reaches is compiled by nobody and checked by nobody.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{File, Tree, Violation, normal, source};

/// Where cargo looks for the roots of a package.
const ROOTS: [&str; 3] = ["src/lib.rs", "src/main.rs", "build.rs"];
const ROOT_FOLDERS: [&str; 4] = ["src/bin", "tests", "examples", "benches"];

/// Macros that take a file in as it is.
const INCLUDES: [&str; 3] = ["include!(", "include_str!(", "include_bytes!("];

pub(super) fn check(tree: &Tree, violations: &mut Vec<Violation>) {
    let mut reached = BTreeSet::new();
    for manifest in tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        for root in roots(tree, manifest) {
            reach(tree, &root, true, &mut reached);
        }
    }
    for file in tree.with_extension("rs").filter(|file| !source::is_template(file)) {
        if !reached.contains(&file.path) {
            violations.push(Violation::of(&file.path, "no `mod` reaches this file: declare it or remove it"));
        }
    }
}

/// The files that a package's compilations start from.
fn roots(tree: &Tree, manifest: &File) -> Vec<PathBuf> {
    let Ok(table) = manifest.text.parse::<toml::Table>() else { return Vec::new() };
    if !table.contains_key("package") {
        return Vec::new();
    }
    let folder = manifest.path.parent().unwrap_or(Path::new(""));
    let mut roots: Vec<PathBuf> = ROOTS.iter().map(|root| folder.join(root)).collect();
    for file in tree.with_extension("rs") {
        let Ok(inside) = file.path.strip_prefix(folder) else { continue };
        let in_root_folder = ROOT_FOLDERS.iter().any(|root| inside.parent() == Some(Path::new(root)));
        if in_root_folder || (inside.starts_with("src/bin") && inside.ends_with("main.rs")) {
            roots.push(file.path.clone());
        }
    }
    let build = table.get("package").and_then(|package| package.get("build")).into_iter();
    let library = table.get("lib").and_then(|library| library.get("path")).into_iter();
    let lists = ["bin", "test", "bench", "example"].iter().filter_map(|kind| table.get(*kind)?.as_array());
    let listed = lists.flatten().filter_map(|target| target.get("path"));
    roots.extend(build.chain(library).chain(listed).filter_map(|path| Some(folder.join(path.as_str()?))));
    roots.retain(|root| tree.get(root).is_some());
    roots
}

/// Marks a file and everything that it declares or includes.
fn reach(tree: &Tree, path: &Path, is_root: bool, reached: &mut BTreeSet<PathBuf>) {
    let Some(file) = tree.get(path) else { return };
    if !reached.insert(path.to_owned()) {
        return;
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    for included in included(&file.text) {
        if let Some(target) = normal(&folder.join(included)) {
            reached.insert(target);
        }
    }
    let Ok(parsed) = syn::parse_file(&file.text) else { return };
    let is_folder_root = is_root || path.ends_with("mod.rs");
    let children = if is_folder_root { folder.to_owned() } else { path.with_extension("") };
    declared(tree, &parsed.items, folder, &children, reached);
}

/// Follows the `mod` items of one scope.
fn declared(tree: &Tree, items: &[syn::Item], folder: &Path, children: &Path, reached: &mut BTreeSet<PathBuf>) {
    for item in items {
        let syn::Item::Mod(module) = item else { continue };
        let name = module.ident.to_string();
        let name = name.trim_start_matches("r#");
        if let Some((_, inner)) = &module.content {
            declared(tree, inner, folder, &children.join(name), reached);
        } else if let Some(target) = explicit_path(module) {
            if let Some(target) = normal(&folder.join(target)) {
                reach(tree, &target, true, reached);
            }
        } else {
            reach(tree, &children.join(format!("{name}.rs")), false, reached);
            reach(tree, &children.join(name).join("mod.rs"), false, reached);
        }
    }
}

/// `#[path = "…"]`.
fn explicit_path(module: &syn::ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// The paths of include macros; by text, because they often stand inside other macros.
fn included(text: &str) -> impl Iterator<Item = &str> {
    INCLUDES.iter().flat_map(move |include| {
        text.match_indices(include).filter_map(move |(place, _)| {
            let (_, rest) = text[place + include.len()..].split_once('"')?;
            rest.split_once('"').map(|(path, _)| path)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_nobody_declares_are_dead() {
        let tree = Tree::of(&[
            ("core/Cargo.toml", "[package]\nname = \"core\"\n[[test]]\nname = \"it\"\npath = \"it/main.rs\"\n"),
            ("core/src/lib.rs", "mod a;\nmod inline { mod b; }\n#[path = \"odd/place.rs\"] mod c;\n"),
            ("core/src/a.rs", "mod deep;\nconst T: &str = concat!(include_str!(\"text.rs\"));\n"),
            ("core/src/a/deep.rs", ""),
            ("core/src/inline/b.rs", ""),
            ("core/src/odd/place.rs", ""),
            ("core/src/text.rs", "not rust"),
            ("core/src/dead.rs", ""),
            ("core/src/a/b.rs", ""),
            ("core/it/main.rs", "mod case;"),
            ("core/it/case.rs", ""),
            ("core/src/bin/tool.rs", ""),
        ]);
        let mut found = Vec::new();
        check(&tree, &mut found);
        let paths: Vec<_> = found.iter().filter_map(|violation| violation.path.to_str()).collect();
        assert_eq!(paths, ["core/src/dead.rs", "core/src/a/b.rs"]);
    }
}
