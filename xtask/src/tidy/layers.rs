//! The direction of dependencies, over `cargo metadata`: which package may use which, and which library is whose alone.
//!
//! The tables below are the rule; docs/ARCHITECTURE.md explains it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cargo_metadata::{DependencyKind, MetadataCommand};

use super::{Tree, Violation, manifest};

/// What each package may depend on inside the workspace. Hub and bridge never see each other.
const INSIDE: &[(&str, &[&str])] = &[
    ("santokit-core", &[]),
    ("santokit-sql", &["santokit-core"]),
    ("santokit-sqlite", &["santokit-core", "santokit-sql"]),
    ("santokit-edge", &["santokit-core"]),
    ("santokit-wasm", &["santokit-core"]),
    ("santokit-bridge", &["santokit-core", "santokit-sql", "santokit-sqlite", "santokit-edge", "santokit-wasm"]),
    ("santokit-hub", &["santokit-core", "santokit-sql", "santokit-sqlite", "santokit-edge"]),
    ("santokit-js", &["santokit-core"]),
    ("santokit-python", &[]),
    (
        "stk",
        &[
            "santokit-core",
            "santokit-sql",
            "santokit-sqlite",
            "santokit-wasm",
            "santokit-hub",
            "santokit-bridge",
            "santokit-js",
            "santokit-python",
        ],
    ),
    (
        "santokit-tests",
        &[
            "santokit-core",
            "santokit-sql",
            "santokit-sqlite",
            "santokit-edge",
            "santokit-wasm",
            "santokit-bridge",
            "santokit-hub",
            "stk",
        ],
    ),
    ("xtask", &[]),
];

/// Libraries that only these packages may use directly.
const OWNED: &[(&str, &[&str])] = &[
    ("cel", &["santokit-core"]),
    ("serde-saphyr", &["santokit-core", "santokit-edge", "santokit-bridge", "stk", "santokit-tests"]),
    ("sea-query", &["santokit-sql"]),
    ("sqlparser", &["santokit-sql"]),
    ("wasmtime", &["santokit-wasm", "santokit-js", "santokit-python"]),
    ("wasmtime-wasi", &["santokit-wasm", "santokit-js", "santokit-python"]),
    ("componentize-qjs", &["santokit-js"]),
    ("wasmparser", &["santokit-core", "santokit-wasm", "stk"]),
    ("wit-component", &["santokit-core", "santokit-js", "santokit-python", "stk"]),
    ("wit-parser", &["santokit-core", "santokit-js", "santokit-python", "stk"]),
    ("axum", &["santokit-edge", "santokit-bridge", "santokit-hub", "santokit-tests"]),
    ("axum-server", &["santokit-edge"]),
    ("tower", &["santokit-bridge", "santokit-edge", "santokit-hub"]),
    ("tower-http", &["santokit-bridge", "santokit-hub"]),
    ("sqlx", &["santokit-sqlite", "santokit-bridge", "santokit-hub", "stk", "santokit-tests"]),
    ("libsqlite3-sys", &["santokit-sqlite"]),
    (
        "tokio",
        &[
            "santokit-edge",
            "santokit-wasm",
            "santokit-bridge",
            "santokit-hub",
            "santokit-js",
            "santokit-python",
            "stk",
            "santokit-tests",
        ],
    ),
    ("clap", &["stk", "xtask"]),
    ("indicatif", &["stk"]),
    ("comfy-table", &["stk"]),
    ("notify", &["stk"]),
    ("anyhow", &["stk", "xtask", "santokit-tests"]),
    ("syn", &["xtask"]),
    ("insta", &["santokit-tests"]),
    ("ureq", &["xtask"]),
];

/// A package of the workspace and what it declares.
#[derive(Debug, Clone)]
pub(super) struct Package {
    name: String,
    /// Of the manifest, relative to the root.
    manifest: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Clone)]
struct Dependency {
    name: String,
    is_for_tests: bool,
}

impl Package {
    fn folder(&self) -> &Path {
        self.manifest.parent().unwrap_or(Path::new(""))
    }
}

/// The workspace's packages.
pub(super) fn packages(root: &Path) -> anyhow::Result<Vec<Package>> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()
        .context("cargo metadata, which tells who depends on whom, failed")?;
    let packages = metadata.packages.iter().map(|package| {
        let manifest = package.manifest_path.as_std_path();
        let dependencies = package.dependencies.iter().map(|dependency| Dependency {
            name: dependency.name.clone(),
            is_for_tests: dependency.kind == DependencyKind::Development,
        });
        Package {
            name: package.name.to_string(),
            manifest: manifest.strip_prefix(root).unwrap_or(manifest).to_owned(),
            dependencies: dependencies.collect(),
        }
    });
    Ok(packages.collect())
}

pub(super) fn check(tree: &Tree, packages: &[Package]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let inside: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    for package in packages {
        let text = tree.get(&package.manifest).map_or("", |file| file.text.as_str());
        let Some((_, allowed)) = INSIDE.iter().find(|(name, _)| *name == package.name) else {
            let message =
                format!("`{}` is not in the table of xtask/src/tidy/layers.rs: say what it may use", package.name);
            violations.push(Violation::of(&package.manifest, message));
            continue;
        };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let line = manifest::line_of(text, name);
            if let Some(message) = refused(package, dependency, allowed, &inside) {
                violations.push(Violation::at(&package.manifest, line, message));
            }
            if !is_named(tree, packages, package, name) {
                let message = format!("`{name}` is used nowhere in this package: remove it");
                violations.push(Violation::at(&package.manifest, line, message));
            }
        }
    }
    violations
}

/// Why a package may not have a dependency.
fn refused(package: &Package, dependency: &Dependency, allowed: &[&str], inside: &BTreeSet<&str>) -> Option<String> {
    let Package { name: user, .. } = package;
    let Dependency { name, is_for_tests } = dependency;
    if inside.contains(name.as_str()) {
        return (!allowed.contains(&name.as_str()))
            .then(|| format!("`{user}` must not depend on `{name}` (docs/ARCHITECTURE.md, code map)"));
    }
    // Tests of a package may use what its code may not.
    let (_, owners) = OWNED.iter().find(|(library, _)| library == name)?;
    (!is_for_tests && !owners.contains(&user.as_str()))
        .then(|| format!("`{user}` must not use `{name}`: it belongs to {}", owners.join(", ")))
}

/// Whether the sources of a package name a library at all.
fn is_named(tree: &Tree, packages: &[Package], package: &Package, library: &str) -> bool {
    let name = library.replace('-', "_");
    let is_own = |path: &Path| {
        let owner = packages.iter().filter(|other| path.starts_with(other.folder()));
        owner.max_by_key(|other| other.folder().iter().count()).is_some_and(|owner| owner.name == package.name)
    };
    tree.with_extension("rs").any(|file| has_word(&file.text, &name) && is_own(&file.path))
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word)
        .any(|(place, _)| !text[..place].ends_with(is_part) && !text[place + word.len()..].starts_with(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, manifest: &str, dependencies: &[(&str, bool)]) -> Package {
        let dependencies = dependencies
            .iter()
            .map(|(name, is_for_tests)| Dependency { name: (*name).to_owned(), is_for_tests: *is_for_tests })
            .collect();
        Package { name: name.to_owned(), manifest: manifest.into(), dependencies }
    }

    fn violations(packages: &[Package], files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files), packages).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn hub_and_bridge_never_see_each_other() {
        let packages = [
            package("santokit-hub", "hub/Cargo.toml", &[("santokit-bridge", false)]),
            package("santokit-bridge", "bridge/Cargo.toml", &[]),
        ];
        let files = [
            ("hub/Cargo.toml", "[dependencies]\nsantokit-bridge = {}\n"),
            ("hub/src/lib.rs", "use santokit_bridge::A;"),
        ];
        assert_eq!(
            violations(&packages, &files),
            ["hub/Cargo.toml:2: `santokit-hub` must not depend on `santokit-bridge` (docs/ARCHITECTURE.md, code map)"]
        );
    }

    #[test]
    fn a_library_belongs_to_its_owners_except_in_tests() {
        let files = [("core/src/lib.rs", "use tokio::a; use insta as b;")];
        let normal = [package("santokit-core", "core/Cargo.toml", &[("tokio", false)])];
        assert_eq!(violations(&normal, &files).len(), 1);
        let for_tests = [package("santokit-core", "core/Cargo.toml", &[("tokio", true), ("insta", true)])];
        assert_eq!(violations(&for_tests, &files), Vec::<String>::new());
    }

    #[test]
    fn unused_dependencies_and_unknown_packages_are_found() {
        let files = [("sql/src/lib.rs", "//! csvs\n"), ("sql/new/src/lib.rs", "use csv;\n")];
        let packages =
            [package("santokit-sql", "sql/Cargo.toml", &[("csv", false)]), package("new", "sql/new/Cargo.toml", &[])];
        let found = violations(&packages, &files);
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
