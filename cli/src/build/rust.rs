//! A cargo package as a component.
//!
//! All guests of a machine share one target folder, so that their dependencies (with Debian's compiler the standard
//! library too) are built once. That works only while every guest is built with the same flags: nothing here may
//! depend on the logic, except what is given to the last crate alone.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokio::process::Command;

use super::cache::{Made, blocking};
use super::process::{Finished, run};
use super::toolchain::{RustToolchain, TARGET};
use super::{BuildError, Progress, component, sdk};

/// Small code; line numbers for the developer's own crates, names for everything, so that a guest's backtrace can be
/// read. Line numbers of the standard library would make a guest ten times as large.
const PROFILE: [&str; 5] = [
    "profile.release.opt-level=\"s\"",
    "profile.release.debug=\"line-tables-only\"",
    "profile.release.strip=\"none\"",
    "profile.release.panic=\"abort\"",
    "profile.release.package.\"*\".debug=false",
];

/// A memory that is small as a whole is written over after a call, without the kernel (docs/decisions/0047). The compiler's own
/// stack is four times as large, of which a handler uses little; an allocation takes from the heap that is there before it asks for more.
const MEMORY: [&str; 2] = ["link-arg=-zstack-size=262144", "link-arg=--initial-heap=131072"];

/// What our own caller's cargo leaves in the environment and would change the flags of the guests.
const FOREIGN_VARIABLES: [&str; 6] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "RUSTC_WRAPPER",
];

/// The line of cargo's JSON that names what was built.
#[derive(Deserialize)]
struct Artifact {
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// What a built component depends on besides its source. The number grows with the flags below.
pub(super) fn recipe(toolchain: &RustToolchain) -> String {
    format!("{} flags 2 {PROFILE:?} {MEMORY:?} {}", toolchain.recipe(), shared_target().is_some())
}

/// Builds the package in `dir`.
pub(super) async fn build(
    dir: &Path,
    cache: &Path,
    toolchain: &RustToolchain,
    progress: Progress<'_>,
) -> Result<Made, BuildError> {
    if !dir.join("Cargo.toml").is_file() {
        return Err(BuildError::NoSource { language: "rust", dir: dir.to_owned(), expected: "Cargo.toml".to_owned() });
    }
    let shared = shared_target();
    let sdk = shared.is_none().then(|| sdk::rust_dir(cache));
    let target = shared.unwrap_or_else(|| cache.join("guest-target"));
    // Two packages of one name leave their module in the same place: held until it is read.
    let _turn = lock(&target).await?;
    let mut cargo = cargo(dir, &target, sdk.as_deref(), toolchain);
    let finished = run(&mut cargo, progress, announce)
        .await
        .map_err(|source| BuildError::io("run", Path::new("cargo"), source))?;
    if !finished.success {
        return Err(failure(&finished));
    }
    let module = module_path(&finished, dir)?;
    let mut outside = outside_sources(&module, dir);
    outside.extend(workspace_files(dir));
    Ok(Made { wasm: component::read(&module).await?, outside })
}

/// `sdk` is where this project's SDK lies: a flag for all crates, so only where the target folder is this project's own.
fn cargo(dir: &Path, target: &Path, sdk: Option<&Path>, toolchain: &RustToolchain) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(dir).env("CARGO_TARGET_DIR", target);
    for variable in FOREIGN_VARIABLES {
        cargo.env_remove(variable);
    }
    cargo.args(["rustc", "--release", "--lib", "--crate-type", "cdylib", "--target", TARGET]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    for setting in PROFILE {
        cargo.args(["--config", setting]);
    }
    if let Some(debian) = &toolchain.debian {
        cargo.env("RUSTC", debian.rustc).env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
        cargo.arg("--config").arg(format!("target.{TARGET}.linker={:?}", debian.linker.display().to_string()));
    }
    // No folder of this machine is named in a component.
    let remaps: Vec<String> = [(registry_sources(), "crates"), (sdk.map(Path::to_owned), "santokit-guest")]
        .into_iter()
        .filter_map(|(from, to)| Some(format!("--remap-path-prefix={}={to}", from?.display())))
        .collect();
    cargo.arg("--config").arg(format!("target.{TARGET}.rustflags={remaps:?}"));
    // Nor is the project's; only the last crate sees these flags.
    let mut remap = std::ffi::OsString::from("--remap-path-prefix=");
    remap.push(dir);
    remap.push("=.");
    cargo.arg("--").arg(remap);
    for flag in MEMORY {
        cargo.args(["-C", flag]);
    }
    cargo
}

/// A target folder for the guests of several projects.
fn shared_target() -> Option<PathBuf> {
    std::env::var_os("STK_GUEST_TARGET_DIR").map(PathBuf::from)
}

fn registry_sources() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))?;
    Some(home.join("registry/src"))
}

/// The words of cargo that tell a developer what takes so long.
fn announce(line: &str) -> Option<&str> {
    ["Compiling ", "Downloading ", "Updating ", "Blocking "].iter().any(|verb| line.starts_with(verb)).then_some(line)
}

fn failure(finished: &Finished) -> BuildError {
    let chatter = ["Compiling", "Downloading", "Downloaded", "Updating", "Locking", "Adding", "Blocking", "Finished"];
    let output: String = finished
        .stderr
        .lines()
        .filter(|line| !chatter.iter().any(|verb| line.trim_start().starts_with(verb)))
        .fold(String::new(), |kept, line| kept + line + "\n");
    let first = output.lines().find(|line| line.starts_with("error"));
    let place = output.lines().find(|line| line.trim_start().starts_with("--> ")).map(str::trim);
    let summary = match (first, place) {
        (Some(error), Some(place)) => format!("{error} {place}"),
        (Some(error), None) => error.to_owned(),
        _ => "cargo ended with an error".to_owned(),
    };
    BuildError::Compiler { tool: "cargo".to_owned(), summary, output }
}

fn module_path(finished: &Finished, dir: &Path) -> Result<PathBuf, BuildError> {
    finished
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Artifact>(line).ok())
        .filter(|artifact| artifact.reason == "compiler-artifact")
        .flat_map(|artifact| artifact.filenames)
        .rfind(|file| file.extension().is_some_and(|extension| extension == "wasm"))
        .ok_or_else(|| BuildError::NotComponent {
            path: dir.to_owned(),
            why: "cargo built no library; the package needs a src/lib.rs with `santokit_guest::logic!(…)`".to_owned(),
        })
}

/// Source files outside the folder, from the list that cargo leaves beside the module (make's syntax).
fn outside_sources(module: &Path, dir: &Path) -> Vec<PathBuf> {
    let list = std::fs::read_to_string(module.with_extension("d")).unwrap_or_default();
    let sources = list.split_once(": ").map_or("", |(_, sources)| sources).trim();
    let escaped = sources.replace("\\ ", "\u{0}");
    escaped
        .split_whitespace()
        .map(|path| PathBuf::from(path.replace('\u{0}', " ")))
        .filter(|path| !path.starts_with(dir))
        .collect()
}

/// The lock file and manifest of a workspace that the package may be part of.
fn workspace_files(dir: &Path) -> Vec<PathBuf> {
    let workspace = dir.ancestors().skip(1).find(|folder| folder.join("Cargo.lock").is_file());
    workspace.map(|folder| vec![folder.join("Cargo.lock"), folder.join("Cargo.toml")]).unwrap_or_default()
}

/// Waits for other builds in the same target folder.
async fn lock(target: &Path) -> Result<File, BuildError> {
    let target = target.to_owned();
    blocking(move || {
        let path = target.join(".stk-lock");
        std::fs::create_dir_all(&target)
            .and_then(|()| File::create(&path))
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|source| BuildError::io("lock", &path, source))
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Finished, failure, module_path, outside_sources};

    fn finished(stdout: &str, stderr: &str) -> Finished {
        Finished { success: false, stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn the_summary_is_the_first_error_and_its_place() {
        let said = "   Compiling x v0.1.0\nerror[E0308]: mismatched types\n  --> src/lib.rs:2:5\n   |\nerror: could not compile\n";
        let error = failure(&finished("", said));
        assert_eq!(error.to_string(), "cargo failed: error[E0308]: mismatched types --> src/lib.rs:2:5");
        assert!(error.compiler_output().is_some_and(|output| !output.contains("Compiling")));
    }

    #[test]
    fn the_module_is_the_last_wasm_file_that_cargo_names() {
        let said = concat!(
            "{\"reason\":\"compiler-artifact\",\"filenames\":[\"/t/libserde.rlib\"]}\n",
            "{\"reason\":\"compiler-artifact\",\"filenames\":[\"/t/quote.wasm\"]}\n",
            "{\"reason\":\"build-finished\",\"success\":true}\n"
        );
        assert_eq!(module_path(&finished(said, ""), Path::new("/p")).unwrap(), PathBuf::from("/t/quote.wasm"));
        assert!(module_path(&finished("", ""), Path::new("/p")).is_err());
    }

    #[test]
    fn sources_outside_the_folder_are_read_from_the_list_of_cargo() {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join("quote.wasm");
        std::fs::write(module.with_extension("d"), "/t/quote.wasm: /p/src/lib.rs /sdk/a\\ b/lib.rs /sdk/c.rs\n")
            .unwrap();
        assert_eq!(outside_sources(&module, Path::new("/p")), [Path::new("/sdk/a b/lib.rs"), Path::new("/sdk/c.rs")]);
    }
}
