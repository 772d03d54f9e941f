//! Where a user's `stk` keeps what all projects may share: what is in it is pinned or named by its content, so that no project can spoil it
//! for another.

use std::path::{Path, PathBuf};

/// The folder `name` of the user's cache; the variable names another. `project` is the project's own cache, for a user without any.
pub fn folder(variable: &str, name: &str, project: &Path) -> PathBuf {
    if let Some(named) = std::env::var_os(variable) {
        return std::path::absolute(&named).unwrap_or_else(|_| named.into());
    }
    let users = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let users = users.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    users.map_or_else(|| project.join(name), |users| users.join("santokit").join(name))
}

/// Where compiled components are kept: a test run or a `stk dev` that begins compiles nothing that was compiled before.
pub fn compiled(project: &Path) -> PathBuf {
    folder("STK_COMPILED_DIR", "compiled", project)
}
