//! Looking at a component without running or compiling it: is it one, is it within bounds, what does it import and export,
//! and does it ask for anything that it was not granted. Used at build, when a release is made, and at load.

use std::collections::BTreeSet;

use wasmparser::{Encoding, Parser, Payload, Validator};

use crate::{logic::Grants, name::nearest};

/// The export that makes a component a logic.
pub const HANDLER: &str = "santokit:logic/handler@0.1.0";

/// The largest component.
pub const SIZE_BYTES_MAX: usize = 64 << 20;
const DEPTH_MAX: usize = 4;
const MODULES_MAX: usize = 64;
const FUNCTIONS_MAX: u32 = 200_000;
const FUNCTION_BYTES_MAX: usize = 1 << 20;

/// Our interfaces: name, version track (`major.minor` below 1.0), and the grant that an import needs.
const OURS: &[(&str, &str, Option<Grant>)] = &[
    ("santokit:runtime/log", "0.1", None),
    ("santokit:runtime/clock", "0.1", None),
    ("santokit:runtime/random", "0.1", None),
    ("santokit:runtime/context", "0.1", None),
    ("santokit:runtime/config", "0.1", Some(Grant::Config)),
    ("santokit:runtime/secrets", "0.1", Some(Grant::Secrets)),
    ("santokit:sql/types", "0.1", None),
    ("santokit:sql/connections", "0.1", Some(Grant::Sql)),
];

/// WASI 0.2 as toolchains import it. Linked with an empty context: no files, no environment, no sockets.
const WASI: &[&str] = &[
    "wasi:io/error", "wasi:io/poll", "wasi:io/streams",
    "wasi:clocks/wall-clock", "wasi:clocks/monotonic-clock",
    "wasi:random/random", "wasi:random/insecure", "wasi:random/insecure-seed",
    "wasi:cli/environment", "wasi:cli/exit", "wasi:cli/stdin", "wasi:cli/stdout", "wasi:cli/stderr",
    "wasi:cli/terminal-input", "wasi:cli/terminal-output", "wasi:cli/terminal-stdin", "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:filesystem/types", "wasi:filesystem/preopens",
    "wasi:sockets/network", "wasi:sockets/instance-network", "wasi:sockets/ip-name-lookup", "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket", "wasi:sockets/udp", "wasi:sockets/udp-create-socket",
];

/// What a component is from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Names of what it imports.
    pub imports: BTreeSet<String>,
    /// Names of what it exports.
    pub exports: BTreeSet<String>,
    /// Core modules inside.
    pub modules: usize,
    /// Functions in all core modules.
    pub functions: u32,
    /// Size in bytes.
    pub size_bytes: usize,
}

/// Why a component is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComponentError {
    /// Not a valid component.
    #[error("not a valid WebAssembly component: {0}")]
    Malformed(String),
    /// A core module, which has no typed interface.
    #[error("a core module, not a component; make a component of it, for example with `wasm-tools component new`")]
    CoreModule,
    /// Beyond a bound of the gate.
    #[error("too large: {what} {found}, at most {most}")]
    TooLarge {
        /// What is counted.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many may be.
        most: usize,
    },
    /// An import that no guest is given.
    #[error("imports {import:?}, which is not offered{}", hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
    UnknownImport {
        /// Its name.
        import: String,
        /// What may have been meant.
        hint: Option<String>,
    },
    /// An import without its grant.
    #[error("imports {import:?}, but the manifest grants no {grant}; add `{grant}` to `grants` or do not use it")]
    NotGranted {
        /// Its name.
        import: String,
        /// The key under `grants`.
        grant: &'static str,
    },
    /// Another world.
    #[error("does not export {HANDLER}, so it is no logic; it exports {0}")]
    WrongWorld(String),
    /// The manifest lists other imports.
    #[error("the manifest lists other imports than the component has: {0}")]
    ImportsDiffer(String),
}

#[derive(Clone, Copy)]
enum Grant {
    Config,
    Secrets,
    Sql,
}

impl Grant {
    fn key(self) -> &'static str {
        match self {
            Grant::Config => "config",
            Grant::Secrets => "secrets",
            Grant::Sql => "sql",
        }
    }

    fn is_given(self, grants: &Grants) -> bool {
        match self {
            Grant::Config => !grants.config.is_empty(),
            Grant::Secrets => !grants.secrets.is_empty(),
            Grant::Sql => !grants.sql.is_empty(),
        }
    }
}

/// All checks: valid, within the gate, a logic, imports offered and granted, and exactly the ones that `declared` lists.
pub fn check(bytes: &[u8], grants: &Grants, declared: &BTreeSet<String>) -> Result<(), ComponentError> {
    let inspection = inspect(bytes)?;
    check_world(&inspection)?;
    check_imports(&inspection.imports, grants)?;
    let differ: Vec<&str> = inspection.imports.symmetric_difference(declared).map(String::as_str).collect();
    if differ.is_empty() { Ok(()) } else { Err(ComponentError::ImportsDiffer(differ.join(", "))) }
}

/// Whether it exports the handler.
pub fn check_world(inspection: &Inspection) -> Result<(), ComponentError> {
    if inspection.exports.contains(HANDLER) {
        return Ok(());
    }
    let exports: Vec<&str> = inspection.exports.iter().map(String::as_str).collect();
    Err(ComponentError::WrongWorld(if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") }))
}

/// Whether every import is offered, and granted where it needs a grant.
pub fn check_imports(imports: &BTreeSet<String>, grants: &Grants) -> Result<(), ComponentError> {
    for import in imports {
        match offered(import)? {
            Some(grant) if !grant.is_given(grants) => {
                return Err(ComponentError::NotGranted { import: import.clone(), grant: grant.key() });
            }
            _ => {}
        }
    }
    Ok(())
}

fn offered(import: &str) -> Result<Option<Grant>, ComponentError> {
    let (name, version) = import.split_once('@').unwrap_or((import, ""));
    let unknown = |hint: Option<String>| ComponentError::UnknownImport { import: import.to_owned(), hint };
    if let Some((_, track, grant)) = OURS.iter().find(|(ours, ..)| *ours == name) {
        return if is_on_track(version, track) {
            Ok(*grant)
        } else {
            Err(unknown(Some(format!("this version offers {name}@{track}"))))
        };
    }
    if WASI.contains(&name) {
        return if is_on_track(version, "0.2") {
            Ok(None)
        } else {
            Err(unknown(Some("WASI is offered in version 0.2, without files, environment or sockets".to_owned())))
        };
    }
    let known = OURS.iter().map(|(ours, ..)| *ours).chain(WASI.iter().copied());
    Err(unknown(nearest(name, known).map(|near| format!("did you mean {near}?"))))
}

fn is_on_track(version: &str, track: &str) -> bool {
    version.strip_prefix(track).is_some_and(|rest| {
        rest.strip_prefix('.').is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// Validates a component and lists what it imports and exports. Bounded: sizes are checked before anything is looked at.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, ComponentError> {
    at_most("bytes", bytes.len(), SIZE_BYTES_MAX)?;
    let mut inspection = Inspection {
        imports: BTreeSet::new(),
        exports: BTreeSet::new(),
        modules: 0,
        functions: 0,
        size_bytes: bytes.len(),
    };
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        read(payload.map_err(|error| malformed(&error))?, &mut depth, &mut inspection)?;
    }
    Validator::new().validate_all(bytes).map_err(|error| malformed(&error))?;
    Ok(inspection)
}

fn read(payload: Payload<'_>, depth: &mut usize, inspection: &mut Inspection) -> Result<(), ComponentError> {
    match payload {
        Payload::Version { encoding, .. } => {
            if *depth == 0 && encoding == Encoding::Module {
                return Err(ComponentError::CoreModule);
            }
            *depth += 1;
            at_most("levels of nesting", *depth, DEPTH_MAX)?;
            if encoding == Encoding::Module {
                inspection.modules += 1;
                at_most("core modules", inspection.modules, MODULES_MAX)?;
            }
        }
        Payload::End(_) => *depth = depth.saturating_sub(1),
        Payload::CodeSectionStart { count, .. } => {
            inspection.functions = inspection.functions.saturating_add(count);
            at_most("functions", inspection.functions as usize, FUNCTIONS_MAX as usize)?;
        }
        Payload::CodeSectionEntry(body) => {
            at_most("bytes in one function", body.range().len(), FUNCTION_BYTES_MAX)?;
        }
        Payload::ComponentImportSection(section) if *depth == 1 => {
            for import in section {
                let import = import.map_err(|error| malformed(&error))?;
                inspection.imports.insert(import.name.name.to_owned());
            }
        }
        Payload::ComponentExportSection(section) if *depth == 1 => {
            for export in section {
                let export = export.map_err(|error| malformed(&error))?;
                inspection.exports.insert(export.name.name.to_owned());
            }
        }
        _ => {}
    }
    Ok(())
}

fn malformed(error: &wasmparser::BinaryReaderError) -> ComponentError {
    ComponentError::Malformed(format!("{} (at byte {})", error.message(), error.offset()))
}

fn at_most(what: &'static str, found: usize, most: usize) -> Result<(), ComponentError> {
    if found <= most { Ok(()) } else { Err(ComponentError::TooLarge { what, found, most }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_offered_by_track_and_need_their_grant() {
        let none = Grants::default();
        let import = |name: &str| BTreeSet::from([name.to_owned()]);
        assert_eq!(check_imports(&import("santokit:runtime/log@0.1.0"), &none), Ok(()));
        assert_eq!(check_imports(&import("wasi:io/streams@0.2.6"), &none), Ok(()));
        for bad in [
            "santokit:runtime/log@0.2.0", "santokit:runtime/log", "wasi:io/streams@0.3.0", "wasi:http/outgoing-handler@0.2.0",
            "santokit:runtime/log@0.1.", "santokit:runtime/log@0.1.0-rc1", "santokit:runtime/log@0.11.0", "env", "",
        ] {
            assert!(matches!(check_imports(&import(bad), &none), Err(ComponentError::UnknownImport { .. })), "{bad}");
        }
        let refused = check_imports(&import("santokit:sql/connections@0.1.0"), &none);
        assert!(matches!(refused, Err(ComponentError::NotGranted { grant: "sql", .. })));
    }

    #[test]
    fn what_is_no_component_is_said_to_be_none() {
        assert!(matches!(inspect(b""), Err(ComponentError::Malformed(_))));
        assert!(matches!(inspect(b"\0asm\x01\0\0\0"), Err(ComponentError::CoreModule)));
        assert!(matches!(inspect(b"not wasm at all"), Err(ComponentError::Malformed(_))));
    }
}
