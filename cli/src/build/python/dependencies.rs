//! The packages of a logic's `requirements.txt`: fetched by pip, as wheels of Python alone. Nothing of them runs on this
//! machine; they are files that the interpreter is given.

use std::path::{Path, PathBuf};

use super::super::cache::digest;
use super::super::toolchain::install;
use super::super::{BuildError, Progress};
use super::machine;

/// What the interpreter is, for packages that differ between versions.
const PYTHON_VERSION: &str = "3.14";

/// The folder with the packages; none where the logic asks for none. The same list is fetched once.
pub(super) async fn get(list: &Path, folder: &Path, progress: Progress<'_>) -> Result<Option<PathBuf>, BuildError> {
    let text = match std::fs::read_to_string(list) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(BuildError::io("read", list, error)),
    };
    if !check(&text).map_err(super::failure)? {
        return Ok(None);
    }
    let key = digest(format!("{PYTHON_VERSION}\n{text}").as_bytes());
    let packages = folder.join("packages").join(key.trim_start_matches("sha256:"));
    if packages.is_dir() {
        return Ok(Some(packages));
    }
    let python = machine::environment(folder, progress).await?;
    let _turn = machine::turn(&folder.join("packages")).await?;
    if packages.is_dir() {
        return Ok(Some(packages));
    }
    progress("fetching the packages of requirements.txt with pip");
    let aside =
        tempfile::tempdir_in(folder.join("packages")).map_err(|error| BuildError::io("create", folder, error))?;
    let mut pip = machine::pip(&python);
    pip.args(["install", "--quiet", "--only-binary", ":all:", "--platform", "any", "--implementation", "py"]);
    pip.args(["--python-version", PYTHON_VERSION, "--abi", "none", "--no-compile", "--target"]);
    pip.arg(aside.path().join("all")).arg("-r").arg(list);
    let mut tried = String::new();
    if !install(&mut pip, progress, &mut tried).await {
        let said = tried.lines().rev().find_map(|line| line.trim().strip_prefix("ERROR: ")).unwrap_or("pip failed");
        return Err(super::failure(format!(
            "the packages of requirements.txt cannot be had: {said}\nonly packages of Python alone can be used (wheels for \
             any platform)\n{tried}"
        )));
    }
    let whole = aside.path().join("all");
    std::fs::create_dir_all(&whole)
        .and_then(|()| std::fs::rename(&whole, &packages))
        .map_err(|error| BuildError::io("write", &packages, error))?;
    Ok(Some(packages))
}

/// Whether a list names any package, or why it cannot be used: what is named must be all that counts, and must not lead to
/// files that nobody watches.
fn check(text: &str) -> Result<bool, String> {
    let mut names_any = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("--hash=") {
            continue;
        }
        if line.starts_with(['-', '.', '/', '~']) || line.contains("file:") || line.contains("git+") {
            return Err(format!(
                "requirements.txt may name packages only, and {line:?} is no package --> requirements.txt:{}",
                number + 1
            ));
        }
        names_any = true;
    }
    Ok(names_any)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_list_names_packages_and_nothing_else() {
        assert_eq!(check("# nothing yet\n\n"), Ok(false));
        assert_eq!(check("markupsafe==3.0.2 \\\n    --hash=sha256:00\nattrs>=25 # comment\n"), Ok(true));
        for (text, line) in [
            ("attrs\n-r ../other.txt\n", 2),
            ("-e .\n", 1),
            ("./local\n", 1),
            ("x @ file:///tmp/x.whl\n", 1),
            ("x @ git+https://host/x\n", 1),
            ("--index-url https://elsewhere\n", 1),
        ] {
            let refused = check(text).unwrap_err();
            assert!(refused.ends_with(&format!("--> requirements.txt:{line}")), "{refused}");
        }
    }
}
