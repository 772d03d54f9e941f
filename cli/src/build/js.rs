//! JavaScript and TypeScript as a component: types checked by tsc, bundled by esbuild, frozen in QuickJS or StarlingMonkey
//! by `santokit-js`.
//!
//! Nothing of it needs Node: the tools are single programs, and StarlingMonkey is two WebAssembly files, all fetched once at
//! pinned versions; the rest is linked in.

mod bundle;
mod npm;
mod source_map;
mod starlingmonkey;
mod types;

use std::path::{Path, PathBuf};

use santokit_js::{JsError, Module};
use tokio::process::Command;

use super::cache::{Made, blocking, digest, write_whole};
use super::process::{Finished, run, silent};
use super::{BuildError, JsEngine, Language, Progress, sdk};

const WHILE_LOADED: &str =
    "move what needs the host (new Date(), Math.random(), config.get(), sql.open(), …) into the handler";

/// What of the toolchain a built component depends on.
pub(super) fn recipe(language: Language) -> String {
    let engine = match engine(language) {
        JsEngine::QuickJs => santokit_js::version().to_owned(),
        JsEngine::StarlingMonkey => starlingmonkey::version(),
    };
    format!("{} {} {engine}", language.name(), digest(npm::LOCK.as_bytes()))
}

/// What runs the component.
fn engine(language: Language) -> JsEngine {
    match language {
        Language::Js(engine) | Language::Ts(engine) => engine,
        Language::Rust | Language::Python | Language::C => JsEngine::default(),
    }
}

/// Builds the module in `dir`.
pub(super) async fn build(
    language: Language,
    dir: &Path,
    cache: &Path,
    progress: Progress<'_>,
) -> Result<Made, BuildError> {
    let entry = entry(language, dir)?;
    of_entry(engine(language), &entry, dir, cache, progress).await
}

/// Builds the tests in `files` as a component of their own: it lists them, or runs one.
pub(super) async fn build_tests(
    language: Language,
    dir: &Path,
    files: &[PathBuf],
    cache: &Path,
    progress: Progress<'_>,
) -> Result<Made, BuildError> {
    let imports =
        files.iter().map(|file| format!("import {};\n", serde_json::Value::from(dir.join(file).to_string_lossy())));
    let text = imports.chain(["export { suite as default } from \"@santokit/guest/test\";\n".to_owned()]);
    let folder = cache.join("tests").join(digest(dir.to_string_lossy().as_bytes()));
    let entry = folder.join(if is_typed(language) { "suite.ts" } else { "suite.js" });
    write_whole(&entry, text.collect::<String>().as_bytes())?;
    of_entry(engine(language), &entry, dir, cache, progress).await
}

fn is_typed(language: Language) -> bool {
    matches!(language, Language::Ts(_))
}

async fn of_entry(
    engine: JsEngine,
    entry: &Path,
    dir: &Path,
    cache: &Path,
    progress: Progress<'_>,
) -> Result<Made, BuildError> {
    let tools = npm::tools(cache, progress).await?;
    progress("bundling and componentizing");
    let sdk = sdk::js_dir(cache);
    let project_types = sdk::project_types(cache).join("project.ts");
    let source = Source { engine, entry, dir, sdk: &sdk, project_types: &project_types };
    // Type errors are errors: esbuild only drops types. Both run at once.
    let (wasm, ()) = tokio::try_join!(
        async {
            let bundle = bundle::bundle(&tools.esbuild, &source, progress).await?;
            frozen(engine, &bundle, cache, progress).await.map(|wasm| (wasm, bundle.inputs))
        },
        types::check(&tools.tsc, &source, progress)
    )?;
    let (wasm, inputs) = wasm;
    let inputs = inputs.into_iter().filter(|path| path != entry && !path.starts_with(dir) && !path.starts_with(&sdk));
    // The bundle has nothing of it, but what was checked against it is to be checked again when it changes.
    let outside = inputs.chain([project_types]).collect();
    Ok(Made { wasm, outside })
}

/// Where the code of one logic is.
struct Source<'a> {
    engine: JsEngine,
    entry: &'a Path,
    dir: &'a Path,
    sdk: &'a Path,
    /// The types of the project's rows and params.
    project_types: &'a Path,
}

impl Source<'_> {
    /// The path as the developer knows it; the same on every machine.
    fn name(&self, path: &Path) -> String {
        let below_sdk = path.strip_prefix(self.sdk.join("src")).ok();
        let name = below_sdk.map(|inner| Path::new("@santokit/guest").join(inner));
        let name = name.or_else(|| path.strip_prefix(self.dir).ok().map(Path::to_owned));
        // Outside both (a package of a workspace): as far as the folders differ.
        name.unwrap_or_else(|| outside(path, self.dir)).to_string_lossy().replace('\\', "/")
    }
}

/// `../` for each folder that only `dir` has, then what only `path` has.
fn outside(path: &Path, dir: &Path) -> PathBuf {
    let common = path.components().zip(dir.components()).take_while(|(a, b)| a == b).count();
    let up = dir.components().skip(common).map(|_| Path::new("..").to_owned());
    up.chain(path.components().skip(common).map(|part| PathBuf::from(part.as_os_str()))).collect()
}

/// Made a component on a thread that serves nothing.
async fn frozen(
    engine: JsEngine,
    bundle: &bundle::Bundle,
    cache: &Path,
    progress: Progress<'_>,
) -> Result<Vec<u8>, BuildError> {
    let starlingmonkey = match engine {
        JsEngine::QuickJs => None,
        JsEngine::StarlingMonkey => Some(starlingmonkey::files(&npm::folder(cache), progress).await?),
    };
    let (code, imports, cache) = (bundle.code.clone(), bundle.imports.clone(), cache.to_owned());
    let exports: Vec<&'static str> = bundle.handles.iter().map(|handled| handled.export()).collect();
    let lines = bundle.lines.clone();
    blocking(move || {
        let packages = sdk::wit_packages();
        let module = Module { code: &code, imports: &imports, exports: &exports, packages: &packages };
        let made = match starlingmonkey {
            None => santokit_js::componentize(&module, &cache),
            Some(files) => files.componentize(&module),
        };
        made.map_err(|error| explained(error, &lines))
    })
    .await
}

/// The module is run once while it is built, and its state is kept: what it does outside the handler can fail here.
fn explained(error: JsError, lines: &source_map::LineTable) -> BuildError {
    let output = match error {
        JsError::CallsHost(call) => {
            let call = call.trim_start_matches("santokit:");
            format!("the module calls the host ({call}) while it is loaded\n{WHILE_LOADED}")
        }
        JsError::Module(text) => {
            let thrown = text.split_once("JavaScript module evaluation: ").map_or(text.as_str(), |(_, thrown)| thrown);
            format!("the module throws while it is loaded: {}", lines.translated(thrown))
        }
        other => other.to_string(),
    };
    failure(output)
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

/// Runs one of the tools in the logic's folder.
async fn tool(command: &mut Command, program: &Path, progress: Progress<'_>) -> Result<Finished, BuildError> {
    run(command, progress, silent).await.map_err(|source| BuildError::io("run", program, source))
}

fn entry(language: Language, dir: &Path) -> Result<PathBuf, BuildError> {
    let extensions: &[&str] = if is_typed(language) { &["ts", "mts"] } else { &["js", "mjs"] };
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Source, failure};

    #[test]
    fn the_summary_is_the_first_error_and_its_place() {
        let error = failure("✘ [ERROR] Unexpected \";\"\n\n    index.ts:1:83:\n      1 │ …\n".to_owned());
        assert_eq!(error.to_string(), "the JavaScript build failed: Unexpected \";\" --> index.ts:1:83");
        let error = failure("the module calls the host while it is loaded\nmove it: there\n".to_owned());
        assert_eq!(error.to_string(), "the JavaScript build failed: the module calls the host while it is loaded");
    }

    #[test]
    fn sources_have_the_same_name_on_every_machine() {
        let entry = Path::new("/home/a/shop/logics/quote/index.ts");
        let source = Source {
            engine: super::JsEngine::QuickJs,
            entry,
            dir: entry.parent().unwrap(),
            sdk: Path::new("/home/a/shop/.stk/cache/sdk/js"),
            project_types: Path::new("/home/a/shop/.stk/types/project.ts"),
        };
        for (path, name) in [
            ("/home/a/shop/logics/quote/src/price.ts", "src/price.ts"),
            ("/home/a/shop/.stk/cache/sdk/js/src/sql.ts", "@santokit/guest/sql.ts"),
            ("/home/a/shop/lib/tax.ts", "../../lib/tax.ts"),
        ] {
            assert_eq!(source.name(Path::new(path)), name);
        }
    }
}
