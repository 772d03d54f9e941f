//! The interpreter with the SDK in it, made by componentize-py: fetched at a pinned version with pinned digests into an
//! environment of its own, run once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use tokio::process::Command;

use super::super::cache::{blocking, digest, write_whole};
use super::super::process::{answer, run, silent};
use super::super::toolchain::{install, install_debian_packages};
use super::super::{BuildError, Progress, sdk};

/// Pins versions and digests.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Python's own, as far as componentize-py runs on it.
const IS_NEW_ENOUGH: &str = "import sys; sys.exit(0 if sys.version_info >= (3, 10) else 1)";

/// Making the machine takes some ten seconds; this is for machines that are busy.
const MAKING_TIME: Duration = Duration::from_mins(10);

static KEY: LazyLock<String> = LazyLock::new(|| {
    let parts =
        sdk::python_files().flat_map(|(path, text)| [path, text]).chain([sdk::python_wit()]).chain(sdk::wit_packages());
    let all: Vec<&str> = parts.chain([REQUIREMENTS]).collect();
    digest(all.join("\u{0}").as_bytes()).trim_start_matches("sha256:").chars().take(24).collect()
});

/// Stands for the machine in the key of a built component.
pub(super) fn key() -> &'static str {
    &KEY
}

/// The machine's file, which is made where it is not there yet.
pub(super) async fn get(folder: &Path, progress: Progress<'_>) -> Result<PathBuf, BuildError> {
    let machine = folder.join(format!("machine-{}.wasm", key()));
    if machine.is_file() {
        return Ok(machine);
    }
    let _turn = turn(folder).await?;
    if !machine.is_file() {
        let python = environment(folder, progress).await?;
        progress("making the Python interpreter for logics (once, takes some ten seconds)");
        let made = make(&python, progress).await?;
        let (cache, target) = (folder.to_owned(), machine.clone());
        blocking(move || {
            santokit_python::prepare(&made, &cache).map_err(super::explained)?;
            write_whole(&target, &made)
        })
        .await?;
    }
    Ok(machine)
}

/// The environment's Python, with what is pinned.
pub(super) async fn environment(folder: &Path, progress: Progress<'_>) -> Result<PathBuf, BuildError> {
    let pinned: String = digest(REQUIREMENTS.as_bytes()).trim_start_matches("sha256:").chars().take(16).collect();
    let home = folder.join(format!("venv-{pinned}"));
    let python = home.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let complete = home.join(".complete");
    // A system's Python that was replaced leaves an environment that does not start.
    if complete.is_file() && answer(Command::new(&python).args(["-c", IS_NEW_ENOUGH])).await.is_some() {
        return Ok(python);
    }
    let mut tried = String::new();
    progress("fetching componentize-py with pip (once, about 50 MB)");
    if !create(&home, progress, &mut tried).await? {
        return Err(BuildError::Toolchain {
            missing: "Python cannot make a virtual environment".to_owned(),
            next: "on Debian or Ubuntu run as root `apt-get install python3-venv`, then build again".to_owned(),
            output: tried,
        });
    }
    let wanted = home.join("requirements.txt");
    write_whole(&wanted, REQUIREMENTS.as_bytes())?;
    let mut pip = pip(&python);
    pip.args(["install", "--quiet", "--require-hashes", "--only-binary", ":all:", "--no-deps", "-r"]).arg(&wanted);
    if !install(&mut pip, progress, &mut tried).await {
        return Err(BuildError::Toolchain {
            missing: "componentize-py cannot be fetched".to_owned(),
            next: "check that pip can reach its index (PIP_INDEX_URL names another), or let STK_PYTHON_TOOLCHAIN_DIR \
                   name a folder that was filled elsewhere, then build again"
                .to_owned(),
            output: tried,
        });
    }
    write_whole(&complete, b"")?;
    Ok(python)
}

/// pip of an environment; nothing of the user's is looked at but where packages come from.
pub(super) fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--disable-pip-version-check", "--no-input"]).env("PYTHONNOUSERSITE", "1");
    command.env_remove("PYTHONPATH").env_remove("PYTHONHOME").env_remove("VIRTUAL_ENV");
    command
}

/// Whether the environment could be made.
async fn create(home: &Path, progress: Progress<'_>, tried: &mut String) -> Result<bool, BuildError> {
    let program = if cfg!(windows) { "python" } else { "python3" };
    let is_there = async || answer(Command::new(program).args(["-c", IS_NEW_ENOUGH])).await.is_some();
    if !is_there().await {
        install_debian_packages(&["python3", "python3-venv"], "Python", progress, tried).await;
        if !is_there().await {
            return Err(BuildError::Toolchain {
                missing: "no Python 3.10 or newer".to_owned(),
                next:
                    "install it (on Debian or Ubuntu as root `apt-get install python3 python3-venv`), then build again"
                        .to_owned(),
                output: std::mem::take(tried),
            });
        }
    }
    // What a run that was ended left behind goes.
    let mut make = Command::new(program);
    make.args(["-m", "venv", "--clear"]).arg(home);
    make.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
    if install(&mut make, progress, tried).await {
        return Ok(true);
    }
    install_debian_packages(&["python3-venv"], "Python's virtual environments", progress, tried).await;
    Ok(install(&mut make, progress, tried).await)
}

/// Runs componentize-py over the SDK.
async fn make(python: &Path, progress: Progress<'_>) -> Result<Vec<u8>, BuildError> {
    let scratch = tempfile::tempdir().map_err(|error| BuildError::io("create", Path::new("a folder"), error))?;
    let root = scratch.path();
    for (path, text) in sdk::python_files() {
        write_whole(&root.join("sdk").join(path), text.as_bytes())?;
    }
    write_whole(&root.join("wit/python.wit"), sdk::python_wit().as_bytes())?;
    for (path, text) in sdk::wit_files() {
        write_whole(&root.join("wit/deps").join(path), text.as_bytes())?;
    }
    // componentize-py takes in the packages of the environment that it runs in, unless it is shown an empty one.
    write_whole(&root.join("env/lib/python3/site-packages/.empty"), b"")?;
    let made = root.join("machine.wasm");
    let mut command = Command::new(python);
    command.args(["-I", "-c", "import componentize_py; componentize_py.script()", "--quiet"]);
    command.arg("-d").arg(root.join("wit")).args(["-w", "machine", "componentize", "santokit._component", "-p"]);
    command.arg(root.join("sdk/src")).arg("-o").arg(&made).current_dir(root);
    command.env("VIRTUAL_ENV", root.join("env")).env_remove("PYTHONPATH").env_remove("PYTHONHOME");
    let finished = tokio::time::timeout(MAKING_TIME, run(&mut command, progress, silent)).await;
    let failed = |output: String| BuildError::Toolchain {
        missing: "the Python interpreter for logics cannot be made".to_owned(),
        next: "this is a fault of stk or of componentize-py; the output says more".to_owned(),
        output,
    };
    match finished {
        Ok(Ok(finished)) if finished.success => {
            std::fs::read(&made).map_err(|error| BuildError::io("read", &made, error))
        }
        Ok(Ok(finished)) => Err(failed(finished.stderr)),
        Ok(Err(error)) => Err(BuildError::io("run", python, error)),
        Err(_) => Err(failed("componentize-py took too long".to_owned())),
    }
}

/// One makes, the others wait.
pub(super) async fn turn(folder: &Path) -> Result<File, BuildError> {
    let folder = folder.to_owned();
    blocking(move || {
        let path = folder.join(".stk-lock");
        std::fs::create_dir_all(&folder)
            .and_then(|()| File::create(&path))
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|source| BuildError::io("lock", &path, source))
    })
    .await
}
