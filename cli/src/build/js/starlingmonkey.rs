//! Where StarlingMonkey comes from: two WebAssembly files of the npm package componentize-js. Its programs for Node are not run,
//! and the packages that it depends on are not fetched.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use santokit_js::starlingmonkey::{Toolchain, componentize, version as driver};
use santokit_js::{JsError, Module};

use super::npm::{Package, unpacked};
use crate::build::{BuildError, Progress};

const PACKAGE: Package = Package {
    name: Cow::Borrowed("@bytecodealliance/componentize-js"),
    version: Cow::Borrowed("0.23.0"),
    integrity: Cow::Borrowed(
        "sha512-Qc2+lrwJHU7lq4CBMyVVYE8ASyUFeegMYdRnMVG0wNpNiATzGDF/mWpjDNTeVZeT8L9chhK3vuLaQE9FVANvfw==",
    ),
};

/// The files, fetched.
pub(super) struct Files {
    splicer: PathBuf,
    engine: PathBuf,
    /// What is compiled of them is the same for every project of the user.
    cache: PathBuf,
}

/// Finds the files, or fetches them.
pub(super) async fn files(folder: &Path, progress: Progress<'_>) -> Result<Files, BuildError> {
    let library = unpacked(folder, &PACKAGE, progress).await?.join("lib");
    Ok(Files {
        splicer: library.join("spidermonkey-embedding-splicer.core.wasm"),
        engine: library.join("starlingmonkey_embedding.wasm"),
        cache: folder.to_owned(),
    })
}

/// What of it a built component depends on.
pub(super) fn version() -> String {
    format!("{} {}", driver(), PACKAGE.integrity)
}

impl Files {
    pub(super) fn componentize(&self, module: &Module<'_>) -> Result<Vec<u8>, JsError> {
        componentize(module, Toolchain { splicer: &self.splicer, engine: &self.engine }, &self.cache)
    }
}
