//! Manifests of the workspace's packages: lints and versions are the workspace's, nobody's own.

use std::path::Path;

use super::{File, Tree, Violation};

const DEPENDENCY_TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

pub(super) fn check(tree: &Tree, violations: &mut Vec<Violation>) {
    for member in members(tree) {
        let path = Path::new(&member).join("Cargo.toml");
        let Some(file) = tree.get(&path) else {
            violations.push(Violation::of(Path::new("Cargo.toml"), format!("the member `{member}` has no Cargo.toml")));
            continue;
        };
        match file.text.parse::<toml::Table>() {
            Ok(table) => check_manifest(file, &table, violations),
            Err(error) => violations.push(Violation::of(&path, format!("does not parse: {error}"))),
        }
    }
}

/// The folders of the root workspace's members.
fn members(tree: &Tree) -> Vec<String> {
    let root = tree.get(Path::new("Cargo.toml")).and_then(|file| file.text.parse::<toml::Table>().ok());
    let members = root.as_ref().and_then(|root| root.get("workspace")?.get("members")?.as_array());
    members.into_iter().flatten().filter_map(|member| Some(member.as_str()?.to_owned())).collect()
}

fn check_manifest(file: &File, table: &toml::Table, violations: &mut Vec<Violation>) {
    let inherits = |value: Option<&toml::Value>| {
        value.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
    };
    if !inherits(table.get("lints")) {
        violations.push(Violation::of(&file.path, "inherit the lints: `[lints]` with `workspace = true`"));
    }
    for field in ["version", "edition", "license", "publish"] {
        if !inherits(table.get("package").and_then(|package| package.get(field))) {
            violations.push(Violation::of(&file.path, format!("inherit `{field}`: `{field}.workspace = true`")));
        }
    }
    for kind in DEPENDENCY_TABLES {
        let dependencies = table.get(kind).and_then(toml::Value::as_table);
        for (name, dependency) in dependencies.into_iter().flatten() {
            let line = line_of(&file.text, name);
            if !inherits(Some(dependency)) {
                let message = format!("`{name}`: its version belongs into the root: `{name} = {{ workspace = true }}`");
                violations.push(Violation::at(&file.path, line, message));
            } else if dependency.get("features").is_some() {
                let message = format!("`{name}`: its features belong into the root, where all users see them");
                violations.push(Violation::at(&file.path, line, message));
            }
        }
    }
}

/// The line, from 1, on which a dependency is declared.
pub(super) fn line_of(text: &str, dependency: &str) -> usize {
    let declares = |line: &str| {
        let line = line.trim_start().trim_start_matches('"');
        line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with([' ', '=', '.', '"']))
    };
    text.lines().position(declares).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: (&str, &str) = ("Cargo.toml", "[workspace]\nmembers = [\"core\"]\n");
    const GOOD: &str = "[package]\nname = \"a\"\nversion.workspace = true\nedition.workspace = true\n\
        license.workspace = true\npublish.workspace = true\n[lints]\nworkspace = true\n";

    fn violations(manifest: &str) -> Vec<String> {
        let mut found = Vec::new();
        check(&Tree::of(&[ROOT, ("core/Cargo.toml", manifest)]), &mut found);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_inherited_is_fine() {
        assert_eq!(
            violations(&format!("{GOOD}[dependencies]\nserde = {{ workspace = true }}\n")),
            Vec::<String>::new()
        );
    }

    #[test]
    fn own_versions_features_and_lints_are_found() {
        let found = violations(&format!("{GOOD}[dev-dependencies]\nserde = \"1\"\n"));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("core/Cargo.toml:10: `serde`"), "{found:?}");
        let found = violations(&format!("{GOOD}[dependencies]\nserde = {{ workspace = true, features = [\"rc\"] }}\n"));
        assert_eq!(found.len(), 1);
        assert_eq!(violations("[package]\nname = \"a\"\n").len(), 5);
    }

    #[test]
    fn a_member_without_a_manifest_is_found() {
        let mut found = Vec::new();
        check(&Tree::of(&[ROOT]), &mut found);
        assert_eq!(found.len(), 1);
    }
}
