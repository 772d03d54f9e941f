//! From what a compiler leaves to a component that is known to be valid.
//!
//! Any toolchain will do: a component is taken as it is; a core module with the handler's export is made one here, with
//! the adapter where it was built for WASI preview 1. What stands in the way is said in the toolchain's own words and in ours.

use std::collections::BTreeSet;
use std::path::Path;

use santokit_core::component::HANDLER;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Encoding, Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::cache::blocking;
use super::{BuildError, sdk};

/// Reads a component. A core module is made one.
pub(super) async fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    let path = path.to_owned();
    blocking(move || {
        let bytes = std::fs::read(&path).map_err(|source| BuildError::io("read", &path, source))?;
        match encoding(&bytes) {
            Some(Encoding::Component) => Ok(bytes),
            Some(Encoding::Module) => encode(bytes).map_err(|why| BuildError::NotComponent { path, why }),
            None => Err(BuildError::NotComponent { path, why: "it is not WebAssembly".to_owned() }),
        }
    })
    .await
}

fn encoding(bytes: &[u8]) -> Option<Encoding> {
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding, .. })) => Some(encoding),
        _ => None,
    }
}

/// What of a core module decides how it becomes a component.
#[derive(Default)]
struct Module {
    imports: BTreeSet<(String, String)>,
    exports: BTreeSet<String>,
    /// Whether it carries a description of its world, as bindings of wit-bindgen do.
    has_world: bool,
}

fn encode(mut bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let module = Module::read(&bytes).map_err(|error| format!("it is no valid WebAssembly: {error}"))?;
    module.check()?;
    if !module.has_world {
        embed_world(&mut bytes).map_err(|error| format!("its types cannot be described: {error}"))?;
    }
    let needs_adapter = module.imports.iter().any(|(from, _)| from == PREVIEW1);
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|encoder| {
            if needs_adapter { encoder.adapter(PREVIEW1, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER) } else { Ok(encoder) }
        })
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| {
            format!("{error:#}; it must fit the world santokit:logic/logic (its WIT is in .stk/cache/sdk/wit)")
        })
}

/// The export of a core module that a component's handler is made of.
fn handler_export() -> String {
    format!("{HANDLER}#handle")
}

impl Module {
    fn read(bytes: &[u8]) -> Result<Self, wasmparser::BinaryReaderError> {
        let mut module = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        module.imports.insert((import.module.to_owned(), import.name.to_owned()));
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        module.exports.insert(export?.name.to_owned());
                    }
                }
                Payload::CustomSection(section) => module.has_world |= section.name().starts_with("component-type"),
                _ => {}
            }
        }
        Ok(module)
    }

    /// What `wit-component` would refuse in words that say nothing to who built the module.
    fn check(&self) -> Result<(), String> {
        if self.exports.contains("_start") && !self.exports.contains("_initialize") {
            return Err(
                "it is a program with a `main`, and a logic is a library: build a `cdylib` with cargo, or use \
                        `-mexec-model=reactor` with clang"
                    .to_owned(),
            );
        }
        let misfits: Vec<String> = self.imports.iter().filter_map(|(from, name)| misfit(from, name)).collect();
        if !misfits.is_empty() {
            return Err(misfits.join("; "));
        }
        if !self.has_world && !self.exports.contains(&handler_export()) {
            let exports: Vec<&str> = self.exports.iter().map(String::as_str).take(12).collect();
            return Err(format!(
                "it is a core module without the export {:?}; it exports {}; make bindings for the world \
                 santokit:logic/logic with wit-bindgen (its WIT is in .stk/cache/sdk/wit)",
                handler_export(),
                if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") },
            ));
        }
        Ok(())
    }
}

/// Why an import of a core module can never fit; none for those of an interface, which are looked at by name later.
fn misfit(from: &str, name: &str) -> Option<String> {
    let what = format!("it imports {name:?} from {from:?}");
    match from {
        PREVIEW1 => None,
        "wasi_unstable" => Some(format!("{what}, a WASI older than preview 1: build for wasm32-wasip1")),
        "wasi" => Some(format!("{what}, which is for threads: build for wasm32-wasip1")),
        "env" | "GOT.func" | "GOT.mem" => Some(format!(
            "{what}: a function that was declared and that no library defines; link it in, or leave it out"
        )),
        _ if from.starts_with("__wbindgen") => {
            Some(format!("{what}, which is for a browser: leave out what needs wasm-bindgen"))
        }
        // An interface (`a:b/c`), the world itself, or what bindings need of the component around them.
        _ if from.contains(':') || from.starts_with(['$', '[', '_']) || from.starts_with("cm32p2") => None,
        _ => Some(format!(
            "{what}, which nothing offers: a logic may import santokit:runtime, santokit:sql and WASI preview 1"
        )),
    }
}

/// Writes the description of our world into a module whose bindings brought none.
fn embed_world(bytes: &mut Vec<u8>) -> Result<(), String> {
    let mut resolve = Resolve::default();
    let mut packages = Vec::new();
    for text in sdk::wit_packages() {
        packages.push(resolve.push_str("santokit.wit", text).map_err(|error| format!("{error:#}"))?);
    }
    let logic = packages.last().copied().into_iter().collect::<Vec<_>>();
    resolve.select_world(&logic, Some("logic")).map_err(|error| format!("{error:#}")).and_then(|world| {
        embed_component_metadata(bytes, &resolve, world, StringEncoding::UTF8).map_err(|error| format!("{error:#}"))
    })
}
