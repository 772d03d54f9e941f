//! JavaScript and TypeScript as a component: types checked by tsc, bundled by esbuild, embedded in
//! QuickJS by componentize-qjs.
//!
//! These are npm packages at pinned versions in a folder of their own, installed once; the developer's folder needs no
//! npm. A small driver script (`js/driver.mjs`) holds them together.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::cache::{Made, blocking, digest, write_whole};
use super::process::{answer, run, silent};
use super::{BuildError, Language, Progress, sdk};

const DRIVER: &str = include_str!("js/driver.mjs");
const PACKAGES: &str = include_str!("js/package.json");
const PACKAGES_LOCK: &str = include_str!("js/package-lock.json");

/// The oldest Node that the packages run on.
const NODE_MAJOR: u32 = 18;

const INSTALL_NODE: &str =
    "install Node.js 18 or later with npm (https://nodejs.org, or `apt-get install nodejs npm`), then build again";

/// What the driver is told.
#[derive(Serialize)]
struct Order<'a> {
    entry: &'a Path,
    dir: &'a Path,
    sdk: &'a Path,
    wit: &'a Path,
}

/// The first line of what the driver answers; the component follows.
#[derive(Deserialize)]
struct Report {
    inputs: Vec<PathBuf>,
}

/// What of the toolchain a built component depends on. The packages are pinned; Node itself leaves no trace in it.
pub(super) fn recipe(language: Language) -> String {
    format!("{} {} {}", language.name(), digest(PACKAGES_LOCK.as_bytes()), digest(DRIVER.as_bytes()))
}

/// Builds the module in `dir`.
pub(super) async fn build(
    language: Language,
    dir: &Path,
    cache: &Path,
    progress: Progress<'_>,
) -> Result<Made, BuildError> {
    let entry = entry(language, dir)?;
    let toolchain = toolchain(cache, progress).await?;
    progress("bundling and componentizing");
    let sdk = sdk::js_dir(cache);
    let order = Order { entry: &entry, dir, sdk: &sdk, wit: &sdk::wit_dir(cache) };
    let order = serde_json::to_string(&order).map_err(|error| BuildError::io("name", &entry, error.into()))?;
    let mut node = Command::new("node");
    node.arg(toolchain.join("driver.mjs")).arg(order).current_dir(dir);
    let finished =
        run(&mut node, progress, silent).await.map_err(|source| BuildError::io("run", Path::new("node"), source))?;
    if !finished.success {
        return Err(failure(finished.stderr));
    }
    let answer = finished.stdout;
    let line = answer.iter().position(|byte| *byte == b'\n').unwrap_or(answer.len());
    let (line, wasm) = answer.split_at(line);
    let report: Report = serde_json::from_slice(line)
        .map_err(|error| BuildError::io("read the answer of", Path::new("driver.mjs"), error.into()))?;
    let outside = report.inputs.into_iter().filter(|path| !path.starts_with(dir) && !path.starts_with(&sdk)).collect();
    Ok(Made { wasm: wasm.get(1..).unwrap_or_default().to_vec(), outside })
}

/// The first error and its place, in one line; all of it in the output.
fn failure(output: String) -> BuildError {
    let mut lines = output.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or("no word why").trim_start_matches("✘ [ERROR] ");
    // esbuild's next line is the place: `index.ts:3:7:`.
    let place = lines.next().and_then(|line| line.strip_suffix(':')).filter(|place| !place.contains(' '));
    let summary = place.map_or_else(|| first.to_owned(), |place| format!("{first} --> {place}"));
    BuildError::Compiler { tool: "the JavaScript build".to_owned(), summary, output }
}

fn entry(language: Language, dir: &Path) -> Result<PathBuf, BuildError> {
    let extensions: &[&str] = if language == Language::Ts { &["ts", "mts"] } else { &["js", "mjs"] };
    let candidates: Vec<String> = ["src/index", "index", "src/handler", "handler"]
        .iter()
        .flat_map(|name| extensions.iter().map(move |extension| format!("{name}.{extension}")))
        .collect();
    candidates.iter().map(|name| dir.join(name)).find(|path| path.is_file()).ok_or_else(|| BuildError::NoSource {
        language: language.name(),
        dir: dir.to_owned(),
        expected: format!("one of {}", candidates.join(", ")),
    })
}

/// The folder with the packages, installed if need be.
async fn toolchain(cache: &Path, progress: Progress<'_>) -> Result<PathBuf, BuildError> {
    let folder = std::env::var_os("STK_JS_TOOLCHAIN_DIR").map_or_else(|| cache.join("js-toolchain"), PathBuf::from);
    let _turn = lock(&folder).await?;
    write_if_changed(&folder.join("driver.mjs"), DRIVER)?;
    check_node().await?;
    let installed = folder.join(".installed");
    let wanted = digest(PACKAGES_LOCK.as_bytes());
    if std::fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(folder);
    }
    progress("installing esbuild, componentize-qjs and typescript with npm (once)");
    write_whole(&folder.join("package.json"), PACKAGES.as_bytes())?;
    write_whole(&folder.join("package-lock.json"), PACKAGES_LOCK.as_bytes())?;
    let mut npm = Command::new("npm");
    // The lock file pins versions and digests (`npm ci` refuses it: some platforms' packages were never published). No
    // script of a package runs: all bring their binaries as optional packages.
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]).current_dir(&folder);
    let failed = |output: String| BuildError::Toolchain {
        missing: "npm could not install esbuild, componentize-qjs and typescript".to_owned(),
        next: "check that npm is installed and its registry can be reached (`npm ping`), then build again".to_owned(),
        output,
    };
    match run(&mut npm, progress, silent).await {
        Ok(finished) if finished.success => {}
        Ok(finished) => return Err(failed(finished.stderr)),
        Err(error) => return Err(failed(error.to_string())),
    }
    write_whole(&installed, wanted.as_bytes())?;
    Ok(folder)
}

async fn check_node() -> Result<(), BuildError> {
    let missing =
        |missing: String| BuildError::Toolchain { missing, next: INSTALL_NODE.to_owned(), output: String::new() };
    let version = answer(Command::new("node").arg("--version"))
        .await
        .ok_or_else(|| missing("Node.js is not installed".to_owned()))?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= NODE_MAJOR => Ok(()),
        _ => Err(missing(format!("Node.js {version} is too old"))),
    }
}

fn write_if_changed(path: &Path, content: &str) -> Result<(), BuildError> {
    if std::fs::read_to_string(path).is_ok_and(|found| found == content) {
        return Ok(());
    }
    write_whole(path, content.as_bytes())
}

/// One installs, the others wait.
async fn lock(folder: &Path) -> Result<File, BuildError> {
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

#[cfg(test)]
mod tests {
    use super::failure;

    #[test]
    fn the_summary_is_the_first_error_and_its_place() {
        let error = failure("✘ [ERROR] Unexpected \";\"\n\n    index.ts:1:83:\n      1 │ …\n".to_owned());
        assert_eq!(error.to_string(), "the JavaScript build failed: Unexpected \";\" --> index.ts:1:83");
        let error = failure("the module calls the host while it is loaded\nmove it: there\n".to_owned());
        assert_eq!(error.to_string(), "the JavaScript build failed: the module calls the host while it is loaded");
    }
}
