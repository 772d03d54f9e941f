//! Python as a component: the developer's files, and the packages of their `requirements.txt`, are loaded into an interpreter
//! that is frozen with them (`santokit-python`).
//!
//! That interpreter, the *machine*, is made once for each version of the SDK and kept for all projects of the user.

mod dependencies;
mod machine;
mod source;

use std::path::{Path, PathBuf};

use santokit_python::PythonError;

use super::cache::{Made, blocking};
use super::{BuildError, Progress, sdk};

/// What a built component depends on besides its source.
pub(super) fn recipe() -> String {
    format!("python {}", machine::key())
}

/// Builds the module in `dir`.
pub(super) async fn build(dir: &Path, cache: &Path, progress: Progress<'_>) -> Result<Made, BuildError> {
    let folder = folder(cache);
    let entry = source::entry(dir)?;
    let machine = machine::get(&folder, progress).await?;
    let vendored = dependencies::get(&dir.join("requirements.txt"), &folder, progress).await?;
    progress("loading and freezing the Python module");
    let (dir, types) = (dir.to_owned(), sdk::project_types(cache).join("project.py"));
    blocking(move || {
        let mut files = source::files(&dir, vendored.as_deref())?;
        let outside = source::add_project(&types, &mut files)?;
        let machine = std::fs::read(&machine).map_err(|error| BuildError::io("read", &machine, error))?;
        let wasm = santokit_python::componentize(&machine, &files, &entry, &folder).map_err(explained)?;
        Ok(Made { wasm, outside })
    })
    .await
}

/// One for all projects of a user: what is in it is pinned or named by its content, so that no project can spoil it for another.
fn folder(cache: &Path) -> PathBuf {
    if let Some(named) = std::env::var_os("STK_PYTHON_TOOLCHAIN_DIR") {
        return std::path::absolute(&named).unwrap_or_else(|_| named.into());
    }
    let users = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let users = users.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    users.map_or_else(|| cache.join("python-toolchain"), |users| users.join("santokit/python-toolchain"))
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
