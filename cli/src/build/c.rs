//! C as a component: every `.c` file of the logic's folder is compiled, linked with the SDK to a core module, and that becomes
//! a component.
//!
//! The SDK itself (`sdk-guest/c` and the JSON library in it) is compiled once per compiler and version of `stk`, with no
//! debug information: a guest's backtrace has lines for what the developer wrote. The same source gives the same bytes,
//! whatever the folder and the machine's clock.

mod toolchain;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, stream};
use tokio::process::Command;

pub(super) use toolchain::{CToolchain, find as find_toolchain};

use super::cache::{Made, blocking, digest};
use super::process::{Finished, run, silent};
use super::{BuildError, Progress, component, sdk};

/// What every file is compiled with.
const COMMON: [&str; 5] = ["-std=gnu11", "-O2", "-ffunction-sections", "-fdata-sections", "-fno-ident"];

/// The developer's files. What is wrong in C whatever one thinks of style is an error; lines and names stay for backtraces.
const OURS: [&str; 8] = [
    "-gline-tables-only",
    "-fno-color-diagnostics",
    "-Wall",
    "-Wextra",
    "-Werror=implicit-function-declaration",
    "-Werror=incompatible-pointer-types",
    "-Werror=int-conversion",
    "-Werror=return-type",
];

/// The SDK's files, tested with warnings elsewhere.
const SDK: [&str; 4] = ["-g0", "-w", "-DHAVE_CONFIG_H", "-DNDEBUG"];

/// A module that is initialised and then called, not one with a `main`. The stack lies before the data, so that too deep a
/// recursion traps instead of writing over it.
const LINK: [&str; 3] = ["-mexec-model=reactor", "-Wl,--stack-first", "-Wl,-z,stack-size=262144"];

/// Compilers at work at the same time.
const PARALLEL: usize = 4;

/// What a built component depends on besides its source.
pub(super) fn recipe(toolchain: &CToolchain) -> String {
    format!("c {} {COMMON:?} {OURS:?} {LINK:?}", toolchain.recipe())
}

/// Where compilers and the compiled SDK are kept: `STK_C_TOOLCHAIN_DIR` lets several projects share them.
pub(super) fn folder(cache: &Path) -> PathBuf {
    std::env::var_os("STK_C_TOOLCHAIN_DIR").map_or_else(|| cache.join("c-toolchain"), PathBuf::from)
}

/// Builds the C files in `dir`.
pub(super) async fn build(
    dir: &Path,
    cache: &Path,
    toolchain: &CToolchain,
    progress: Progress<'_>,
) -> Result<Made, BuildError> {
    let sources = sources(dir).await?;
    let sdk = sdk::c_dir(cache);
    let sdk_objects = sdk_objects(toolchain, &sdk, cache, progress).await?;
    let scratch = Scratch::new(&folder(cache))?;
    progress("compiling C");
    let types = sdk::project_types(cache);
    let mut includes = vec![option("-I", dir), option("-I", &dir.join("include")), option("-I", &types)];
    includes.extend(sdk_includes(&sdk));
    let mut jobs = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let object = scratch.0.join(format!("{number}.o"));
        let mut compiler = toolchain.compiler();
        compiler.current_dir(dir).args(COMMON).args(OURS).args(&includes);
        compiler.arg(mapped(dir, ".")).arg(mapped(&sdk, "santokit")).arg(mapped(&types, "project"));
        compiler.arg("-fdebug-compilation-dir=.");
        compiler.args(["-MMD", "-MF"]).arg(object.with_extension("d"));
        compiler.arg("-c").arg(source).arg("-o").arg(&object);
        jobs.push((source.display().to_string(), object, compiler));
    }
    let objects: Vec<PathBuf> = jobs.iter().map(|(_, object, _)| object.clone()).collect();
    compile(jobs, progress, warning).await?;
    let module = scratch.0.join("logic.wasm");
    let mut linker = toolchain.compiler();
    linker.current_dir(&scratch.0).args(LINK).args(&objects).args(&sdk_objects).arg("-o").arg(&module);
    let finished = started(run(&mut linker, progress, silent).await)?;
    if !finished.success {
        return Err(link_failure(&finished.stderr, &scratch.0, &sources));
    }
    let outside = outside_headers(&objects, dir, &sdk);
    Ok(Made { wasm: component::read(&module).await?, outside })
}

/// The folder's `.c` files and those anywhere under `src/`, relative to it, in order.
async fn sources(dir: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let dir = dir.to_owned();
    blocking(move || {
        let mut found = Vec::new();
        collect(&dir, Path::new(""), false, &mut found)?;
        if dir.join("src").is_dir() {
            collect(&dir, Path::new("src"), true, &mut found)?;
        }
        found.sort();
        if found.is_empty() {
            let expected = "a .c file, here or in src, that defines `stk_handle`".to_owned();
            return Err(BuildError::NoSource { language: "c", dir, expected });
        }
        Ok(found)
    })
    .await
}

fn collect(dir: &Path, below: &Path, deeper: bool, found: &mut Vec<PathBuf>) -> Result<(), BuildError> {
    let folder = dir.join(below);
    let failed = |source| BuildError::io("read", &folder, source);
    for child in std::fs::read_dir(&folder).map_err(failed)? {
        let child = child.map_err(failed)?;
        let path = below.join(child.file_name());
        if child.file_type().map_err(failed)?.is_dir() {
            if deeper {
                collect(dir, &path, true, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "c") {
            found.push(path);
        }
    }
    Ok(())
}

fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(path);
    option
}

/// No folder of this machine is named in a component.
fn mapped(from: &Path, to: &str) -> OsString {
    let mut option = option("-ffile-prefix-map=", from);
    option.push("=");
    option.push(to);
    option
}

fn sdk_includes(sdk: &Path) -> Vec<OsString> {
    ["include", "third_party/jansson"].iter().map(|folder| option("-isystem", &sdk.join(folder))).collect()
}

/// The SDK's object files: compiled now where this compiler has not yet compiled this version of it.
async fn sdk_objects(
    toolchain: &CToolchain,
    sdk: &Path,
    cache: &Path,
    progress: Progress<'_>,
) -> Result<Vec<PathBuf>, BuildError> {
    let sources: Vec<&str> = sdk::c_sources().collect();
    let key = digest(format!("{} {SDK:?} {}", recipe(toolchain), sdk::digest_of_sdks()).as_bytes());
    let folder = folder(cache);
    let kept = folder.join(format!("sdk-{}", key.get(..24).unwrap_or(&key)));
    let name = |source: &str| format!("{}.o", source.replace('/', "-"));
    let objects: Vec<PathBuf> = sources.iter().map(|source| kept.join(name(source))).collect();
    if objects.iter().all(|object| object.is_file()) {
        return Ok(objects);
    }
    progress("compiling the C SDK (once)");
    let scratch = Scratch::new(&folder)?;
    let mut jobs = Vec::new();
    for source in &sources {
        let object = scratch.0.join(name(source));
        let mut compiler = toolchain.compiler();
        compiler.current_dir(sdk).args(COMMON).args(SDK).args(sdk_includes(sdk)).arg("-Ibindings");
        compiler.arg(mapped(sdk, "santokit")).arg("-c").arg(source).arg("-o").arg(&object);
        jobs.push(((*source).to_owned(), object, compiler));
    }
    compile(jobs, progress, silent).await?;
    match std::fs::rename(&scratch.0, &kept) {
        Ok(()) => Ok(objects),
        // Another build was faster, and what it made is the same.
        Err(_) if objects.iter().all(|object| object.is_file()) => Ok(objects),
        Err(source) => Err(BuildError::io("write", &kept, source)),
    }
}

/// Compiles all files; the first that fails, in order, is the summary, and what was said of all of them is the output.
async fn compile(
    jobs: Vec<(String, PathBuf, Command)>,
    progress: Progress<'_>,
    announce: fn(&str) -> Option<&str>,
) -> Result<(), BuildError> {
    let results: Vec<_> = stream::iter(jobs)
        .map(|(_, _, mut compiler)| async move { run(&mut compiler, progress, announce).await })
        .buffered(PARALLEL)
        .collect()
        .await;
    let mut said = String::new();
    let mut success = true;
    for result in results {
        let finished = started(result)?;
        success &= finished.success;
        said.push_str(&finished.stderr);
    }
    if success { Ok(()) } else { Err(compile_failure(said)) }
}

fn started(result: std::io::Result<Finished>) -> Result<Finished, BuildError> {
    result.map_err(|source| BuildError::io("run", Path::new("the C compiler"), source))
}

/// Warnings are shown while a build goes on; errors end it and are shown then.
fn warning(line: &str) -> Option<&str> {
    line.contains(": warning: ").then_some(line)
}

/// `handler.c:3:5: error: …` as `error: … --> handler.c:3:5`.
fn compile_failure(output: String) -> BuildError {
    let summary = output
        .lines()
        .find_map(|line| {
            let (place, message) = line.split_once(": error: ").or_else(|| line.split_once(": fatal error: "))?;
            Some(format!("error: {message} --> {place}"))
        })
        .or_else(|| output.lines().find(|line| line.contains("error")).map(str::to_owned))
        .unwrap_or_else(|| "the compiler ended with an error".to_owned());
    BuildError::Compiler { tool: "the C compiler".to_owned(), summary, output }
}

/// The linker knows object files; a developer knows sources.
fn link_failure(stderr: &str, scratch: &Path, sources: &[PathBuf]) -> BuildError {
    let mut output = stderr.to_owned();
    for (number, source) in sources.iter().enumerate() {
        let object = scratch.join(format!("{number}.o"));
        output = output.replace(&object.display().to_string(), &source.display().to_string());
    }
    let first = output.lines().find(|line| line.contains("error:")).unwrap_or("the linker ended with an error");
    let summary = if output.contains("undefined symbol: stk_handle") {
        "no file defines the logic: write `json_t *stk_handle(const json_t *input)`".to_owned()
    } else {
        first.trim_start_matches("wasm-ld: ").to_owned()
    };
    BuildError::Compiler { tool: "the C linker".to_owned(), summary, output }
}

/// Headers outside the folder, from the lists that the compiler leaves beside the objects (make's syntax).
fn outside_headers(objects: &[PathBuf], dir: &Path, sdk: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = objects
        .iter()
        .filter_map(|object| std::fs::read_to_string(object.with_extension("d")).ok())
        .flat_map(|list| {
            let list = list.replace("\\\n", " ").replace("\\ ", "\u{0}");
            let files = list.split_once(": ").map_or("", |(_, files)| files).to_owned();
            files.split_whitespace().map(|file| dir.join(file.replace('\u{0}', " "))).collect::<Vec<_>>()
        })
        .filter(|file| !file.starts_with(sdk) && is_outside(file, dir))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Whether a file is not below a folder; `..` in its path may lead out.
fn is_outside(file: &Path, dir: &Path) -> bool {
    match (file.canonicalize(), dir.canonicalize()) {
        (Ok(file), Ok(dir)) => !file.starts_with(dir),
        _ => true,
    }
}

/// A folder of this build alone, gone when it ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(beside: &Path) -> Result<Self, BuildError> {
        let path = beside.join(format!(".build-{}-{:016x}", std::process::id(), rand::random::<u64>()));
        std::fs::create_dir_all(&path).map_err(|source| BuildError::io("create", &path, source))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may have been renamed: then there is nothing left to remove.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests;
