//! Python as a component: the developer's files, and the packages of their `requirements.txt`, are loaded into an interpreter
//! that is frozen with them (`santokit-python`).
//!
//! That interpreter, the *machine*, is made once for each version of the SDK and kept for all projects of the user.

mod dependencies;
mod exports;
mod machine;
mod source;

use std::path::Path;

use santokit_python::PythonError;

use super::cache::{Made, blocking};
use super::{BuildError, Progress, sdk};
use crate::user_cache;

/// What a built component depends on besides its source.
pub(super) fn recipe() -> String {
    format!("python {}", machine::key())
}

/// Builds the module in `dir`.
pub(super) async fn build(dir: &Path, cache: &Path, progress: Progress<'_>) -> Result<Made, BuildError> {
    let folder = user_cache::folder("STK_PYTHON_TOOLCHAIN_DIR", "python-toolchain", cache);
    let entry = source::entry(dir)?;
    let machine = machine::get(&folder, progress).await?;
    let vendored = dependencies::get(&dir.join("requirements.txt"), &folder, progress).await?;
    progress("loading and freezing the Python module");
    let (dir, types) = (dir.to_owned(), sdk::project_types(cache).join("project.py"));
    blocking(move || {
        let mut files = source::files(&dir, vendored.as_deref())?;
        let outside = source::add_project(&types, &mut files)?;
        let machine = std::fs::read(&machine).map_err(|error| BuildError::io("read", &machine, error))?;
        let made = santokit_python::componentize(&machine, &files, &entry, &folder).map_err(explained)?;
        let wasm = exports::closed(made.wasm, &made.named).map_err(failure)?;
        Ok(Made { wasm, outside })
    })
    .await
}

fn explained(error: PythonError) -> BuildError {
    match error {
        PythonError::Source(text) => failure(text),
        PythonError::Machine(_) => failure(error.to_string()),
    }
}

/// The first line says it in short.
fn failure(output: String) -> BuildError {
    let summary = output.lines().next().unwrap_or("no word why").to_owned();
    BuildError::Compiler { tool: "the Python build".to_owned(), summary, output }
}
