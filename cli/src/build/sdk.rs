//! The guest SDKs and the WIT packages, carried in `stk` and written into the cache for the compilers to find.
//!
//! A project that was cloned a moment ago builds without a registry: templates refer to these folders.

mod c;
mod python;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::BuildError;
use super::cache::{digest, write_whole};

/// The package `@santokit/guest`.
const JS: &[(&str, &str)] = &[
    ("README.md", include_str!("../../../sdk-guest/js/README.md")),
    ("package.json", include_str!("../../../sdk-guest/js/package.json")),
    ("src/border.ts", include_str!("../../../sdk-guest/js/src/border.ts")),
    ("src/clock.ts", include_str!("../../../sdk-guest/js/src/clock.ts")),
    ("src/config.ts", include_str!("../../../sdk-guest/js/src/config.ts")),
    ("src/context.ts", include_str!("../../../sdk-guest/js/src/context.ts")),
    ("src/cron-handler.ts", include_str!("../../../sdk-guest/js/src/cron-handler.ts")),
    ("src/crud-error.ts", include_str!("../../../sdk-guest/js/src/crud-error.ts")),
    ("src/crud.ts", include_str!("../../../sdk-guest/js/src/crud.ts")),
    ("src/event-handler.ts", include_str!("../../../sdk-guest/js/src/event-handler.ts")),
    ("src/events.ts", include_str!("../../../sdk-guest/js/src/events.ts")),
    ("src/plain.ts", include_str!("../../../sdk-guest/js/src/plain.ts")),
    ("src/cursor.ts", include_str!("../../../sdk-guest/js/src/cursor.ts")),
    ("src/error.ts", include_str!("../../../sdk-guest/js/src/error.ts")),
    ("src/globals.ts", include_str!("../../../sdk-guest/js/src/globals.ts")),
    ("src/host.d.ts", include_str!("../../../sdk-guest/js/src/host.d.ts")),
    ("src/http.ts", include_str!("../../../sdk-guest/js/src/http.ts")),
    ("src/index.ts", include_str!("../../../sdk-guest/js/src/index.ts")),
    ("src/log.ts", include_str!("../../../sdk-guest/js/src/log.ts")),
    ("src/logic.ts", include_str!("../../../sdk-guest/js/src/logic.ts")),
    ("src/logics.ts", include_str!("../../../sdk-guest/js/src/logics.ts")),
    ("src/once.ts", include_str!("../../../sdk-guest/js/src/once.ts")),
    ("src/packed.ts", include_str!("../../../sdk-guest/js/src/packed.ts")),
    ("src/queries.ts", include_str!("../../../sdk-guest/js/src/queries.ts")),
    ("src/random.ts", include_str!("../../../sdk-guest/js/src/random.ts")),
    ("src/secrets.ts", include_str!("../../../sdk-guest/js/src/secrets.ts")),
    ("src/sql-error.ts", include_str!("../../../sdk-guest/js/src/sql-error.ts")),
    ("src/sql.ts", include_str!("../../../sdk-guest/js/src/sql.ts")),
    ("src/stack.ts", include_str!("../../../sdk-guest/js/src/stack.ts")),
    ("src/storage.ts", include_str!("../../../sdk-guest/js/src/storage.ts")),
    ("src/test.ts", include_str!("../../../sdk-guest/js/src/test.ts")),
    ("src/utf8.ts", include_str!("../../../sdk-guest/js/src/utf8.ts")),
    ("src/value.ts", include_str!("../../../sdk-guest/js/src/value.ts")),
];

/// The package `santokit-guest`.
const RUST: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../../../sdk-guest/rust/Cargo.toml")),
    ("README.md", include_str!("../../../sdk-guest/rust/README.md")),
    ("src/bindings.rs", include_str!("../../../sdk-guest/rust/src/bindings.rs")),
    ("src/clock.rs", include_str!("../../../sdk-guest/rust/src/clock.rs")),
    ("src/config.rs", include_str!("../../../sdk-guest/rust/src/config.rs")),
    ("src/context.rs", include_str!("../../../sdk-guest/rust/src/context.rs")),
    ("src/cron.rs", include_str!("../../../sdk-guest/rust/src/cron.rs")),
    ("src/crud.rs", include_str!("../../../sdk-guest/rust/src/crud.rs")),
    ("src/crud/error.rs", include_str!("../../../sdk-guest/rust/src/crud/error.rs")),
    ("src/events.rs", include_str!("../../../sdk-guest/rust/src/events.rs")),
    ("src/events/error.rs", include_str!("../../../sdk-guest/rust/src/events/error.rs")),
    ("src/events/handling.rs", include_str!("../../../sdk-guest/rust/src/events/handling.rs")),
    ("src/error.rs", include_str!("../../../sdk-guest/rust/src/error.rs")),
    ("src/http.rs", include_str!("../../../sdk-guest/rust/src/http.rs")),
    ("src/http/error.rs", include_str!("../../../sdk-guest/rust/src/http/error.rs")),
    ("src/lib.rs", include_str!("../../../sdk-guest/rust/src/lib.rs")),
    ("src/log.rs", include_str!("../../../sdk-guest/rust/src/log.rs")),
    ("src/logics.rs", include_str!("../../../sdk-guest/rust/src/logics.rs")),
    ("src/once.rs", include_str!("../../../sdk-guest/rust/src/once.rs")),
    ("src/panic.rs", include_str!("../../../sdk-guest/rust/src/panic.rs")),
    ("src/queries.rs", include_str!("../../../sdk-guest/rust/src/queries.rs")),
    ("src/random.rs", include_str!("../../../sdk-guest/rust/src/random.rs")),
    ("src/run.rs", include_str!("../../../sdk-guest/rust/src/run.rs")),
    ("src/secrets.rs", include_str!("../../../sdk-guest/rust/src/secrets.rs")),
    ("src/sql.rs", include_str!("../../../sdk-guest/rust/src/sql.rs")),
    ("src/sql/cell.rs", include_str!("../../../sdk-guest/rust/src/sql/cell.rs")),
    ("src/sql/connection.rs", include_str!("../../../sdk-guest/rust/src/sql/connection.rs")),
    ("src/sql/cursor.rs", include_str!("../../../sdk-guest/rust/src/sql/cursor.rs")),
    ("src/sql/decode.rs", include_str!("../../../sdk-guest/rust/src/sql/decode.rs")),
    ("src/sql/error.rs", include_str!("../../../sdk-guest/rust/src/sql/error.rs")),
    ("src/sql/packed.rs", include_str!("../../../sdk-guest/rust/src/sql/packed.rs")),
    ("src/sql/row.rs", include_str!("../../../sdk-guest/rust/src/sql/row.rs")),
    ("src/sql/value.rs", include_str!("../../../sdk-guest/rust/src/sql/value.rs")),
    ("src/storage.rs", include_str!("../../../sdk-guest/rust/src/storage.rs")),
    ("src/storage/error.rs", include_str!("../../../sdk-guest/rust/src/storage/error.rs")),
    ("src/storage/list.rs", include_str!("../../../sdk-guest/rust/src/storage/list.rs")),
    ("src/storage/stream.rs", include_str!("../../../sdk-guest/rust/src/storage/stream.rs")),
    ("src/storage/url.rs", include_str!("../../../sdk-guest/rust/src/storage/url.rs")),
    ("wit/crud/crud.wit", include_str!("../../../sdk-guest/rust/wit/crud/crud.wit")),
    ("wit/events/events.wit", include_str!("../../../sdk-guest/rust/wit/events/events.wit")),
    ("wit/http/http.wit", include_str!("../../../sdk-guest/rust/wit/http/http.wit")),
    ("wit/logics/logics.wit", include_str!("../../../sdk-guest/rust/wit/logics/logics.wit")),
    ("wit/storage/storage.wit", include_str!("../../../sdk-guest/rust/wit/storage/storage.wit")),
    ("wit/logic/logic.wit", include_str!("../../../sdk-guest/rust/wit/logic/logic.wit")),
    ("wit/queries/queries.wit", include_str!("../../../sdk-guest/rust/wit/queries/queries.wit")),
    ("wit/runtime/runtime.wit", include_str!("../../../sdk-guest/rust/wit/runtime/runtime.wit")),
    ("wit/sql/sql.wit", include_str!("../../../sdk-guest/rust/wit/sql/sql.wit")),
];

/// The WIT packages, each after those that it refers to.
const WIT: &[(&str, &str)] = &[
    ("runtime/runtime.wit", include_str!("../../../wit/runtime/runtime.wit")),
    ("sql/sql.wit", include_str!("../../../wit/sql/sql.wit")),
    ("queries/queries.wit", include_str!("../../../wit/queries/queries.wit")),
    ("crud/crud.wit", include_str!("../../../wit/crud/crud.wit")),
    ("events/events.wit", include_str!("../../../wit/events/events.wit")),
    ("http/http.wit", include_str!("../../../wit/http/http.wit")),
    ("logics/logics.wit", include_str!("../../../wit/logics/logics.wit")),
    ("storage/storage.wit", include_str!("../../../wit/storage/storage.wit")),
    ("logic/logic.wit", include_str!("../../../wit/logic/logic.wit")),
];

static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let all: Vec<&str> = [JS, RUST, WIT, c::FILES, python::FILES]
        .into_iter()
        .flatten()
        .flat_map(|(path, text)| [*path, *text])
        .collect();
    digest(all.join("\u{0}").as_bytes())
});

/// Writes the SDKs and WIT packages below the cache folder where they are missing or of another version.
pub fn write_sdk(cache: &Path) -> Result<(), BuildError> {
    let written = sdk_dir(cache).join(".digest");
    if std::fs::read_to_string(&written).is_ok_and(|found| found == *DIGEST) {
        return Ok(());
    }
    for (folder, files) in [
        (js_dir(cache), JS),
        (rust_dir(cache), RUST),
        (wit_dir(cache), WIT),
        (c_dir(cache), c::FILES),
        (python_dir(cache), python::FILES),
    ] {
        for (path, text) in files {
            let path = folder.join(path);
            // A compiler looks at times as well: what has not changed is left alone.
            if std::fs::read_to_string(&path).is_ok_and(|found| found == *text) {
                continue;
            }
            write_whole(&path, text.as_bytes())?;
        }
    }
    write_whole(&written, DIGEST.as_bytes())
}

/// Stands for the SDKs in the key of a built component.
pub(super) fn digest_of_sdks() -> &'static str {
    &DIGEST
}

/// The texts of the WIT packages, each after those that it refers to.
pub(super) fn wit_packages() -> Vec<&'static str> {
    WIT.iter().map(|(_, text)| *text).collect()
}

/// The same, each with its path: a folder for a package.
pub(super) fn wit_files() -> &'static [(&'static str, &'static str)] {
    WIT
}

/// Where a project's own types are, beside its cache.
pub(super) fn project_types(cache: &Path) -> PathBuf {
    cache.parent().unwrap_or(cache).join("types")
}

pub(super) fn js_dir(cache: &Path) -> PathBuf {
    sdk_dir(cache).join("js")
}

pub(super) fn wit_dir(cache: &Path) -> PathBuf {
    sdk_dir(cache).join("wit")
}

pub(super) fn rust_dir(cache: &Path) -> PathBuf {
    sdk_dir(cache).join("rust")
}

pub(super) fn c_dir(cache: &Path) -> PathBuf {
    sdk_dir(cache).join("c")
}

pub(super) fn python_dir(cache: &Path) -> PathBuf {
    sdk_dir(cache).join("python")
}

/// The Python SDK's modules, relative to [`python_dir`].
pub(super) fn python_files() -> impl Iterator<Item = (&'static str, &'static str)> {
    python::FILES.iter().copied().filter(|(path, _)| path.starts_with("src/"))
}

/// The WIT package that ties the Python SDK to `stk`.
pub(super) fn python_wit() -> &'static str {
    include_str!("../../../sdk-guest/python/world.wit")
}

/// What is compiled of the C SDK, relative to [`c_dir`].
pub(super) fn c_sources() -> impl Iterator<Item = &'static str> {
    c::FILES
        .iter()
        .map(|(path, _)| *path)
        .filter(|path| Path::new(path).extension().is_some_and(|extension| extension == "c"))
}

fn sdk_dir(cache: &Path) -> PathBuf {
    cache.join("sdk")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::{JS, RUST, WIT, c, python};

    /// A file added to an SDK and forgotten here would be missing only on a customer's machine.
    #[test]
    fn every_file_of_the_sdks_is_carried() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (base, folders, carried) in [
            ("sdk-guest/js", &["src"][..], JS),
            ("sdk-guest/rust", &["src", "wit"][..], RUST),
            ("sdk-guest/c", &["bindings", "include", "src", "third_party"][..], c::FILES),
            ("sdk-guest/python", &["src"][..], python::FILES),
            ("wit", &["crud", "events", "http", "logic", "logics", "queries", "runtime", "sql", "storage"][..], WIT),
        ] {
            let base = root.join(base);
            let mut found = BTreeSet::new();
            for folder in folders {
                collect(&base, &base.join(folder), &mut found);
            }
            let carried: BTreeSet<String> =
                carried.iter().map(|(path, _)| (*path).to_owned()).filter(|path| path.contains('/')).collect();
            assert_eq!(found, carried);
        }
    }

    /// The crate's copies of the WIT packages are those of the project.
    #[test]
    fn copies_of_the_wit_packages_are_the_same() {
        for (path, text) in WIT {
            let copy = RUST.iter().find(|(copy, _)| *copy == format!("wit/{path}")).map(|(_, text)| *text);
            assert_eq!(copy, Some(*text), "copy wit/{path} to sdk-guest/rust/wit/{path}");
        }
    }

    fn collect(base: &Path, folder: &Path, found: &mut BTreeSet<String>) {
        for child in std::fs::read_dir(folder).unwrap().flatten() {
            if child.path().is_dir() {
                collect(base, &child.path(), found);
            } else {
                found.insert(child.path().strip_prefix(base).unwrap().to_string_lossy().replace('\\', "/"));
            }
        }
    }
}
