//! One ES module out of many: the developer's, the SDK's and those of npm packages. It imports nothing but the host's
//! interfaces, and only those that its code names: a component's imports show what it can do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use santokit_core::component::Handled;
use serde::{Deserialize, Deserializer};
use tokio::process::Command;

use super::source_map::LineTable;
use super::{Source, failure, tool};
use crate::build::{BuildError, JsEngine, Progress};

/// A module that `santokit-js` takes.
pub(super) struct Bundle {
    /// The code, and behind it the table of its lines.
    pub(super) code: String,
    /// Interfaces of the host.
    pub(super) imports: BTreeSet<String>,
    /// What it can be given, by what the module exports.
    pub(super) handles: BTreeSet<Handled>,
    /// Files that it was made of.
    pub(super) inputs: Vec<PathBuf>,
    /// Which source line each line came from.
    pub(super) lines: LineTable,
}

/// What esbuild says about its work.
#[derive(Deserialize)]
struct Metafile {
    #[serde(deserialize_with = "keys")]
    inputs: BTreeSet<String>,
    outputs: BTreeMap<String, Output>,
}

#[derive(Deserialize)]
struct Output {
    imports: Vec<Import>,
    #[serde(default)]
    exports: Vec<String>,
}

#[derive(Deserialize)]
struct Import {
    path: String,
    #[serde(default)]
    external: bool,
}

/// What is told about each input is of no interest.
fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
    Ok(serde_json::Map::deserialize(deserializer)?.into_iter().map(|(key, _)| key).collect())
}

/// The name that the code's own first file has in the bundle, whatever its path.
const ENTRY: &str = "santokit:entry";

/// What a module exports, and what of a component it is: the interface's name in camelCase.
const EXPORTS: [(&str, &str, Handled); 3] = [
    ("default", "handler", Handled::Call),
    ("onEvent", "eventHandler", Handled::Event),
    ("onCron", "cronHandler", Handled::Cron),
];

/// What the developer's module exports of it. One that exports nothing of it is taken for one that forgot its default export, which esbuild says.
async fn handles(
    esbuild: &Path,
    source: &Source<'_>,
    folder: &Path,
    progress: Progress<'_>,
) -> Result<BTreeSet<Handled>, BuildError> {
    let looked_at = folder.join("exports");
    std::fs::create_dir_all(&looked_at).map_err(|error| BuildError::io("create", &looked_at, error))?;
    let mut command = Command::new(esbuild);
    command.arg(source.entry).args(options(source, &looked_at)).current_dir(source.dir);
    let finished = tool(&mut command, esbuild, progress).await?;
    if !finished.success {
        let hints = hints(&finished.stderr);
        return Err(failure(finished.stderr + hints));
    }
    let exports: BTreeSet<String> =
        metafile(esbuild, &looked_at)?.outputs.into_values().flat_map(|output| output.exports).collect();
    let found: BTreeSet<Handled> =
        EXPORTS.iter().filter(|(name, ..)| exports.contains(*name)).map(|(.., handled)| *handled).collect();
    Ok(if found.is_empty() { BTreeSet::from([Handled::Call]) } else { found })
}

fn metafile(esbuild: &Path, folder: &Path) -> Result<Metafile, BuildError> {
    let path = folder.join("meta.json");
    let text = std::fs::read_to_string(&path).map_err(|error| BuildError::io("read", &path, error))?;
    serde_json::from_str(&text).map_err(|error| BuildError::io("read the answer of", esbuild, error.into()))
}

/// Runs esbuild.
pub(super) async fn bundle(esbuild: &Path, source: &Source<'_>, progress: Progress<'_>) -> Result<Bundle, BuildError> {
    let scratch = tempfile::tempdir().map_err(|error| BuildError::io("create", Path::new("a folder"), error))?;
    // Resolved, because esbuild resolves links in the paths that it reports.
    let folder = scratch.path().canonicalize().map_err(|error| BuildError::io("find", scratch.path(), error))?;
    let entry = folder.join("entry.js");
    let imported = serde_json::Value::from(source.entry.to_string_lossy());
    let handles = handles(esbuild, source, &folder, progress).await?;
    let lines = EXPORTS.iter().filter(|(.., handled)| handles.contains(handled)).map(|(export, name, _)| {
        format!("import {{ {export} as {name}Made }} from {imported};\nexport const {name} = {name}Made;\n")
    });
    std::fs::write(&entry, lines.collect::<String>()).map_err(|error| BuildError::io("write", &entry, error))?;
    let mut command = Command::new(esbuild);
    command.arg(&entry).args(options(source, &folder)).current_dir(source.dir);
    let finished = tool(&mut command, esbuild, progress).await?;
    if !finished.success {
        let hints = hints(&finished.stderr);
        return Err(failure(finished.stderr + hints));
    }
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|error| BuildError::io("read", &path, error))
    };
    let metafile = metafile(esbuild, &folder)?;
    let name = |path: &Path| if path == entry { ENTRY.to_owned() } else { source.name(path) };
    let lines = LineTable::read(&read("bundle.js.map")?, |path| name(&plain(&folder.join(path))))
        .map_err(|error| BuildError::io("read the map of", esbuild, error))?;
    let code = renamed(&read("bundle.js")?, &metafile, |path| name(&plain(&source.dir.join(path))));
    let inputs =
        metafile.inputs.iter().map(|path| plain(&source.dir.join(path))).filter(|path| *path != entry).collect();
    let imports = metafile.outputs.into_values().flat_map(|output| output.imports);
    Ok(Bundle {
        code: code + &lines.statement(),
        imports: imports.filter(|import| import.external).map(|import| import.path).collect(),
        handles,
        inputs,
        lines,
    })
}

fn options(source: &Source<'_>, folder: &Path) -> Vec<String> {
    let in_sdk = |name: &str| source.sdk.join("src").join(name).display().to_string();
    let own = |name: &str| folder.join(name).display().to_string();
    let fixed = [
        "--bundle",
        "--color=false",
        "--external:santokit:*",
        "--format=esm",
        "--legal-comments=none",
        "--log-level=error",
        "--log-limit=0",
        "--main-fields=module,main",
        "--platform=neutral",
        "--sourcemap=external",
        "--target=es2023",
    ];
    let places = [
        format!("--alias:@santokit/guest/test={}", in_sdk("test.ts")),
        format!("--alias:@santokit/guest={}", in_sdk("index.ts")),
        format!("--alias:@santokit/project={}", source.project_types.display()),
        format!("--inject:{}", in_sdk("globals.ts")),
        format!("--metafile={}", own("meta.json")),
        format!("--outfile={}", own("bundle.js")),
        format!("--define:santokitWideIsBigInt={}", source.engine == JsEngine::StarlingMonkey),
    ];
    fixed.into_iter().map(str::to_owned).chain(places).collect()
}

/// The code with its comments about paths made the same on every machine: a component is known by its digest.
fn renamed(code: &str, metafile: &Metafile, name: impl Fn(&str) -> String) -> String {
    let line = |line: &str| match line.strip_prefix("// ") {
        Some(path) if metafile.inputs.contains(path) => format!("// {}", name(path)),
        _ => line.to_owned(),
    };
    let lines: Vec<String> = code.split('\n').map(line).collect();
    lines.join("\n")
}

/// Without `.` and `..`; nothing of the path needs to exist.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}

fn hints(errors: &str) -> &'static str {
    let without_host = ["node:", "fs\"", "http\"", "net\"", "path\"", "crypto\""];
    if errors.contains("No matching export") && errors.contains("for import \"default\"") {
        return "the module must have a default export: export default logic<Input, Output>((input) => …); or for events: \
                export const onEvent = eventHandler<Payload>((event, payload) => …); or for jobs: export const onCron = \
                cronHandler((run) => …)\n";
    }
    if without_host.iter().any(|name| errors.contains(&format!("Could not resolve \"{name}"))) {
        return "a logic has no Node.js: files, network and processes are not there; see @santokit/guest for what is\n";
    }
    if errors.contains("Could not resolve") {
        return "if this is an npm package, install it in the logic's folder first (npm install)\n";
    }
    ""
}
