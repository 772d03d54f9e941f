//! Building a logic's component from its source, with the developer's own toolchain.
//!
//! One call builds one logic folder. Nothing is built twice: the result is kept under a digest of everything that it was
//! made from. This file must not know manifests, grants or releases: it answers bytes, and what failed.

mod c;
mod cache;
mod command;
mod component;
mod error;
mod js;
mod process;
mod python;
mod rust;
mod sdk;
mod template;
#[cfg(test)]
mod tests;
mod toolchain;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use error::BuildError;
pub use santokit_core::project::JsEngine;
pub use sdk::write_sdk;
pub use template::{TemplateFile, template};

/// Where a project keeps its build cache, relative to its root. The SDKs that templates refer to are written below it.
pub const CACHE_DIR: &str = ".stk/cache";

/// Called with one line for people whenever something begins that may take longer than a moment.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Where a component comes from: the `component` of `logic.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildSpec {
    /// A component that is there already, relative to the logic's folder.
    Path(PathBuf),
    /// Source beside the manifest.
    Build(Language),
    /// A command of the developer's, run in the logic's folder, and the file that it leaves there.
    Command {
        /// Given to the shell.
        command: String,
        /// Relative to the logic's folder.
        output: PathBuf,
    },
}

/// A language that logic can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// A cargo package.
    Rust,
    /// JavaScript, run by this engine.
    Js(JsEngine),
    /// TypeScript, run by this engine.
    Ts(JsEngine),
    /// Python modules, one of which has a function marked with `@logic`.
    Python,
    /// C files that define `stk_handle`.
    C,
}

/// A component and how it came about.
#[derive(Debug, Clone)]
pub struct Built {
    /// The component.
    pub wasm: Vec<u8>,
    /// `rust`, `js`, `ts`, `python`, `c`, `command` or `component` (prebuilt).
    pub language: &'static str,
    /// `sha256:<hex>` over the logic's source files.
    pub source_digest: String,
    /// Whether nothing had to be built.
    pub from_cache: bool,
    /// How long it took.
    pub elapsed: Duration,
}

impl Language {
    /// As it stands in `logic.yaml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Js(_) => "js",
            Self::Ts(_) => "ts",
            Self::Python => "python",
            Self::C => "c",
        }
    }

    /// From the word in `logic.yaml`.
    pub fn from_name(name: &str) -> Option<Self> {
        let engine = JsEngine::default();
        let all = [Self::Rust, Self::Js(engine), Self::Ts(engine), Self::Python, Self::C];
        all.into_iter().find(|language| language.name() == name)
    }
}

impl BuildSpec {
    fn language(&self) -> &'static str {
        match self {
            Self::Path(_) => "component",
            Self::Build(language) => language.name(),
            Self::Command { .. } => "command",
        }
    }
}

/// Builds the component of the logic in `dir`, or takes it from `cache`.
///
/// Dropping the future ends the compiler that it started.
pub async fn build_component(
    spec: &BuildSpec,
    dir: &Path,
    cache: &Path,
    progress: Progress<'_>,
) -> Result<Built, BuildError> {
    let started = Instant::now();
    let dir = &absolute(dir)?;
    let cache = &absolute(cache)?;
    let output = match spec {
        BuildSpec::Command { output, .. } => Some(dir.join(output)),
        BuildSpec::Path(_) | BuildSpec::Build(_) => None,
    };
    let job = cache::Job::new(cache, dir, output.as_deref());
    let (wasm, from_cache) = match spec {
        BuildSpec::Path(path) => (component::read(&dir.join(path)).await?, false),
        BuildSpec::Build(Language::Rust) => {
            write_sdk(cache)?;
            let toolchain = toolchain::rust(dir, progress).await?;
            job.run(&rust::recipe(&toolchain), rust::build(dir, cache, &toolchain, progress)).await?
        }
        BuildSpec::Build(language @ (Language::Js(_) | Language::Ts(_))) => {
            write_sdk(cache)?;
            job.run(&js::recipe(*language), js::build(*language, dir, cache, progress)).await?
        }
        BuildSpec::Build(Language::C) => {
            write_sdk(cache)?;
            let toolchain = c::find_toolchain(&c::folder(cache), progress).await?;
            job.run(&c::recipe(&toolchain), c::build(dir, cache, &toolchain, progress)).await?
        }
        BuildSpec::Build(Language::Python) => {
            write_sdk(cache)?;
            job.run(&python::recipe(), python::build(dir, cache, progress)).await?
        }
        BuildSpec::Command { command, output } => {
            write_sdk(cache)?;
            job.run(&format!("command {command}"), command::build(command, output, dir, cache, progress)).await?
        }
    };
    Ok(Built {
        wasm,
        language: spec.language(),
        source_digest: job.source_digest().await?,
        from_cache,
        elapsed: started.elapsed(),
    })
}

/// Builds the tests of a logic, which are written in its language: `files` are relative to `dir`.
pub async fn build_tests(
    language: Language,
    dir: &Path,
    files: &[PathBuf],
    cache: &Path,
    progress: Progress<'_>,
) -> Result<Vec<u8>, BuildError> {
    let (dir, cache) = (&absolute(dir)?, &absolute(cache)?);
    if !matches!(language, Language::Js(_) | Language::Ts(_)) {
        return Err(BuildError::Unsupported { language: language.name() });
    }
    write_sdk(cache)?;
    let job = cache::Job::new(cache, dir, None);
    let recipe = format!("tests {}", js::recipe(language));
    job.run(&recipe, js::build_tests(language, dir, files, cache, progress)).await.map(|(wasm, _)| wasm)
}

/// Compilers run in other folders than we do.
fn absolute(path: &Path) -> Result<PathBuf, BuildError> {
    std::path::absolute(path).map_err(|source| BuildError::io("find", path, source))
}
