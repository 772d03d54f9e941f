//! Looking at a component without running or compiling it: is it one, is it within bounds, what does it import and export,
//! and does it ask for anything that it was not granted. Used at build, when a release is made, and at load.

use std::collections::BTreeSet;

use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

use crate::{
    logic::{Grants, Mount},
    name::nearest,
};

mod handled;

pub use handled::{CRON_HANDLER, EVENT_HANDLER, Handled, calls, is_calls};

/// The export that makes a component a logic that is called.
pub const HANDLER: &str = "santokit:logic/handler@0.1.0";

/// The export that makes a component one that can be mounted, in any version of WASI 0.2.
pub const HTTP_HANDLER: &str = "wasi:http/incoming-handler";

/// The largest component.
pub const SIZE_BYTES_MAX: usize = 64 << 20;
const DEPTH_MAX: usize = 4;
const MODULES_MAX: usize = 64;
const COMPONENTS_MAX: usize = 64;
const FUNCTIONS_MAX: usize = 200_000;
const FUNCTION_BYTES_MAX: usize = 1 << 20;
const LOCALS_MAX: usize = 10_000;
/// The compiler's own instances and adapters, which cost time and memory for each: far beyond what toolchains make.
const INSTANCES_MAX: usize = 1_000;
const TYPES_MAX: usize = 100_000;

/// What the engine of every Bridge accepts: anything else is refused where it is built, not where it would run.
const FEATURES: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::COMPONENT_MODEL)
    .difference(WasmFeatures::GC)
    .difference(WasmFeatures::GC_TYPES)
    .difference(WasmFeatures::FUNCTION_REFERENCES)
    .difference(WasmFeatures::EXCEPTIONS)
    .difference(WasmFeatures::THREADS)
    .difference(WasmFeatures::MEMORY64);

const CONNECTIONS: &str = "santokit:sql/connections";
const CRUD: &str = "santokit:crud/crud";
const EVENTS: &str = "santokit:events/events";
const ONCE: &str = "santokit:events/once";

/// Our interfaces: name, version track (`major.minor` below 1.0), and the grant that an import needs.
const OURS: &[(&str, &str, Option<Grant>)] = &[
    ("santokit:runtime/log", "0.1", None),
    ("santokit:runtime/clock", "0.1", None),
    ("santokit:runtime/random", "0.1", None),
    ("santokit:runtime/context", "0.1", None),
    ("santokit:runtime/config", "0.1", Some(Grant::Config)),
    ("santokit:runtime/secrets", "0.1", Some(Grant::Secrets)),
    ("santokit:sql/types", "0.1", None),
    (CONNECTIONS, "0.1", Some(Grant::Sql)),
    ("santokit:queries/queries", "0.1", Some(Grant::Queries)),
    (CRUD, "0.1", Some(Grant::Crud)),
    ("santokit:http/http", "0.1", Some(Grant::Http)),
    ("santokit:logics/logics", "0.1", Some(Grant::Logics)),
    ("santokit:storage/storage", "0.1", Some(Grant::Storage)),
    (EVENTS, "0.1", Some(Grant::Events)),
    (ONCE, "0.1", Some(Grant::Once)),
];

/// Requests of WASI's own kind, which go the way of those of `santokit:http`.
const OUTGOING: &str = "wasi:http/outgoing-handler";

/// WASI 0.2 as toolchains import it. Linked with an empty context: no files, no environment, no sockets.
const WASI: &[&str] = &[
    "wasi:http/types",
    OUTGOING,
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:clocks/wall-clock",
    "wasi:clocks/monotonic-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:filesystem/types",
    "wasi:filesystem/preopens",
    "wasi:sockets/network",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// What a component is used as, which follows from what it exports. One may be both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum World {
    /// Called with params, given events, run by jobs, or more than one of these.
    Logic,
    /// Mounted: given requests of HTTP.
    Http,
}

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
    pub functions: usize,
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
    /// Neither a logic nor one that can be mounted.
    #[error("exports none of {HANDLER}, {EVENT_HANDLER} and {CRON_HANDLER}, so it is no logic; it exports {0}")]
    WrongWorld(String),
    /// One of HTTP that is not mounted.
    #[error(
        "exports {HTTP_HANDLER} and not {HANDLER}: it answers requests of HTTP; say where with `mount: PATH` in its logic.yaml"
    )]
    NotMounted,
    /// Mounted, and not one of HTTP.
    #[error(
        "is mounted, but does not export {HTTP_HANDLER}@0.2; it exports {0}; leave `mount` out of its logic.yaml, or build it for HTTP"
    )]
    NoHttp(String),
    /// Named by a subscription, and not one that takes events.
    #[error("does not export {EVENT_HANDLER}, and the subscription {0:?} gives it events")]
    NoEvents(String),
    /// Named by a job, and neither one that is called nor one that jobs run.
    #[error("exports neither {HANDLER} nor {CRON_HANDLER}, and the job at {0} runs it")]
    NoCalls(String),
    /// The manifest says otherwise what it can be given.
    #[error("the manifest says that it handles {declared}, and by its exports it handles {found}")]
    HandlesDiffer {
        /// Of the manifest.
        declared: String,
        /// Of its exports.
        found: String,
    },
    /// The manifest lists other imports.
    #[error("the manifest lists other imports than the component has: {0}")]
    ImportsDiffer(String),
}

#[derive(Clone, Copy)]
enum Grant {
    Config,
    Secrets,
    Sql,
    Queries,
    Crud,
    Http,
    Logics,
    Storage,
    Events,
    Once,
}

impl Grant {
    fn key(self) -> &'static str {
        match self {
            Grant::Config => "config",
            Grant::Secrets => "secrets",
            Grant::Sql => "sql",
            Grant::Queries => "queries",
            Grant::Crud => "crud",
            Grant::Http => "http",
            Grant::Logics => "logics",
            Grant::Storage => "storage",
            Grant::Events => "events",
            Grant::Once => "once",
        }
    }

    fn is_given(self, grants: &Grants) -> bool {
        match self {
            Grant::Config => !grants.config.is_empty(),
            Grant::Secrets => !grants.secrets.is_empty(),
            Grant::Sql => !grants.sql.is_empty(),
            Grant::Queries => !grants.queries.is_empty(),
            Grant::Crud => grants.crud.is_some(),
            Grant::Http => !grants.http.is_empty(),
            Grant::Logics => !grants.logics.is_empty(),
            Grant::Storage => !grants.storage.is_empty(),
            Grant::Events => !grants.events.is_empty(),
            Grant::Once => grants.once,
        }
    }
}

impl World {
    /// What a manifest asks for.
    pub fn of(mount: Option<&Mount>) -> Self {
        if mount.is_some() { World::Http } else { World::Logic }
    }

    /// Whether a component exports what it takes.
    pub fn is_of(self, inspection: &Inspection) -> bool {
        match self {
            World::Logic => !inspection.handles().is_empty(),
            World::Http => inspection.exports.iter().any(|export| {
                export
                    .split_once('@')
                    .is_some_and(|(name, version)| name == HTTP_HANDLER && is_on_track(version, "0.2"))
            }),
        }
    }
}

/// All checks: valid, within the gate, of its world, handling what the manifest says, imports offered and granted, and exactly the ones that
/// `declared` lists.
pub fn check(
    bytes: &[u8],
    (world, handles): (World, &BTreeSet<Handled>),
    grants: &Grants,
    declared: &BTreeSet<String>,
) -> Result<(), ComponentError> {
    let inspection = inspect(bytes)?;
    check_world(&inspection, world)?;
    let found = inspection.handles();
    if world == World::Logic && found != *handles {
        let words = |handles: &BTreeSet<Handled>| {
            let words: Vec<&str> = handles.iter().map(|handled| handled.as_str()).collect();
            if words.is_empty() { "nothing".to_owned() } else { words.join(" and ") }
        };
        return Err(ComponentError::HandlesDiffer { declared: words(handles), found: words(&found) });
    }
    check_imports(&inspection.imports, grants)?;
    let differ: Vec<&str> = inspection.imports.symmetric_difference(declared).map(String::as_str).collect();
    if differ.is_empty() { Ok(()) } else { Err(ComponentError::ImportsDiffer(differ.join(", "))) }
}

/// Whether it exports the handler of what it is to be.
pub fn check_world(inspection: &Inspection, world: World) -> Result<(), ComponentError> {
    if world.is_of(inspection) {
        return Ok(());
    }
    let exports: Vec<&str> = inspection.exports.iter().map(String::as_str).collect();
    let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
    Err(match world {
        World::Logic if World::Http.is_of(inspection) => ComponentError::NotMounted,
        World::Logic => ComponentError::WrongWorld(exports),
        World::Http => ComponentError::NoHttp(exports),
    })
}

/// Whether it exports a handler of any world: what it is to be is not known here.
pub fn check_some_world(inspection: &Inspection) -> Result<(), ComponentError> {
    if World::Http.is_of(inspection) { Ok(()) } else { check_world(inspection, World::Logic) }
}

/// Whether every import is offered to guests at all; grants are not looked at.
pub fn check_offered(imports: &BTreeSet<String>) -> Result<(), ComponentError> {
    imports.iter().try_for_each(|import| offered(import).map(drop))
}

/// Whether every import is offered, and granted where it needs a grant.
pub fn check_imports(imports: &BTreeSet<String>, grants: &Grants) -> Result<(), ComponentError> {
    for import in imports {
        match offered(import)? {
            Some(Grant::Sql) if is_for_its_type(import, imports, grants) => {}
            Some(grant) if !grant.is_given(grants) => {
                return Err(ComponentError::NotGranted { import: import.clone(), grant: grant.key() });
            }
            _ => {}
        }
    }
    Ok(())
}

/// CRUD, events and what is done once take a transaction of `santokit:sql`, so that a component that only uses one of them imports the interface for its type.
/// Without a grant it opens no connection by it: a Bridge denies each name.
fn is_for_its_type(import: &str, imports: &BTreeSet<String>, grants: &Grants) -> bool {
    let is = |import: &str, name: &str| import.split_once('@').is_some_and(|(found, _)| found == name);
    let has = |name: &str| imports.iter().any(|import| is(import, name));
    let uses = [(CRUD, grants.crud.is_some()), (EVENTS, !grants.events.is_empty()), (ONCE, grants.once)];
    uses.into_iter().any(|(name, is_granted)| is_granted && has(name)) && is(import, CONNECTIONS)
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
            Ok((name == OUTGOING).then_some(Grant::Http))
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
    let mut gate = Gate::default();
    for payload in Parser::new(0).parse_all(bytes) {
        gate.read(payload.map_err(|error| malformed(&error))?)?;
    }
    Validator::new_with_features(FEATURES).validate_all(bytes).map_err(|error| malformed(&error))?;
    Ok(Inspection {
        imports: gate.imports,
        exports: gate.exports,
        modules: gate.modules,
        functions: gate.functions,
        size_bytes: bytes.len(),
    })
}

/// Counts while it reads; what is beyond a bound ends the reading.
#[derive(Default)]
struct Gate {
    depth: usize,
    components: usize,
    modules: usize,
    functions: usize,
    instances: usize,
    types: usize,
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
}

impl Gate {
    fn read(&mut self, payload: Payload<'_>) -> Result<(), ComponentError> {
        match payload {
            Payload::Version { encoding, .. } => self.enter(encoding)?,
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::CodeSectionStart { count, .. } => {
                count_in(&mut self.functions, count, "functions", FUNCTIONS_MAX)?;
            }
            Payload::CodeSectionEntry(body) => {
                at_most("bytes in one function", body.range().len(), FUNCTION_BYTES_MAX)?;
                let mut locals = 0;
                for group in body.get_locals_reader().map_err(|error| malformed(&error))? {
                    let (count, _) = group.map_err(|error| malformed(&error))?;
                    count_in(&mut locals, count, "locals in one function", LOCALS_MAX)?;
                }
            }
            Payload::TypeSection(section) => count_in(&mut self.types, section.count(), "types", TYPES_MAX)?,
            Payload::CoreTypeSection(section) => count_in(&mut self.types, section.count(), "types", TYPES_MAX)?,
            Payload::ComponentTypeSection(section) => count_in(&mut self.types, section.count(), "types", TYPES_MAX)?,
            Payload::InstanceSection(section) => {
                count_in(&mut self.instances, section.count(), "instances", INSTANCES_MAX)?;
            }
            Payload::ComponentInstanceSection(section) => {
                count_in(&mut self.instances, section.count(), "instances", INSTANCES_MAX)?;
            }
            Payload::ComponentImportSection(section) if self.depth == 1 => {
                for import in section {
                    let import = import.map_err(|error| malformed(&error))?;
                    self.imports.insert(import.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if self.depth == 1 => {
                for export in section {
                    let export = export.map_err(|error| malformed(&error))?;
                    self.exports.insert(export.name.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn enter(&mut self, encoding: Encoding) -> Result<(), ComponentError> {
        if self.depth == 0 && encoding == Encoding::Module {
            return Err(ComponentError::CoreModule);
        }
        self.depth += 1;
        at_most("levels of nesting", self.depth, DEPTH_MAX)?;
        match encoding {
            Encoding::Module => count_in(&mut self.modules, 1, "core modules", MODULES_MAX),
            Encoding::Component => count_in(&mut self.components, 1, "components", COMPONENTS_MAX),
        }
    }
}

fn count_in(total: &mut usize, more: u32, what: &'static str, most: usize) -> Result<(), ComponentError> {
    *total = total.saturating_add(more as usize);
    at_most(what, *total, most)
}

fn malformed(error: &wasmparser::BinaryReaderError) -> ComponentError {
    ComponentError::Malformed(format!("{} (at byte {})", error.message(), error.offset()))
}

fn at_most(what: &'static str, found: usize, most: usize) -> Result<(), ComponentError> {
    if found <= most { Ok(()) } else { Err(ComponentError::TooLarge { what, found, most }) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::logic::{CrudGrant, SqlGrant};

    fn named(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn imports_are_offered_by_track_and_need_their_grant() {
        let none = Grants::default();
        let import = |name: &str| BTreeSet::from([name.to_owned()]);
        assert_eq!(check_imports(&import("santokit:runtime/log@0.1.0"), &none), Ok(()));
        assert_eq!(check_imports(&import("wasi:io/streams@0.2.6"), &none), Ok(()));
        for bad in [
            "santokit:runtime/log@0.2.0",
            "santokit:runtime/log",
            "wasi:io/streams@0.3.0",
            "wasi:http/outgoing-handler@0.3.0",
            "wasi:http/incoming-handler@0.2.0",
            "santokit:http/http@0.2.0",
            "santokit:runtime/log@0.1.",
            "santokit:runtime/log@0.1.0-rc1",
            "santokit:runtime/log@0.11.0",
            "env",
            "",
        ] {
            assert!(matches!(check_imports(&import(bad), &none), Err(ComponentError::UnknownImport { .. })), "{bad}");
        }
        let refused = check_imports(&import("santokit:sql/connections@0.1.0"), &none);
        assert!(matches!(refused, Err(ComponentError::NotGranted { grant: "sql", .. })));
        let queries = import("santokit:queries/queries@0.1.0");
        let sql =
            Grants { sql: vec![SqlGrant { connection: "main".to_owned(), tables: BTreeMap::new() }], ..none.clone() };
        assert!(matches!(check_imports(&queries, &sql), Err(ComponentError::NotGranted { grant: "queries", .. })));
        let granted = Grants { queries: BTreeSet::from(["a".to_owned()]), ..none.clone() };
        assert_eq!(check_imports(&queries, &granted), Ok(()));
        let outbound = check_imports(&import("santokit:http/http@0.1.0"), &granted);
        assert!(matches!(outbound, Err(ComponentError::NotGranted { grant: "http", .. })));
        // What a component calls of WASI for the same is the same power.
        assert_eq!(check_imports(&import("wasi:http/types@0.2.4"), &granted), Ok(()));
        let outbound = check_imports(&import("wasi:http/outgoing-handler@0.2.4"), &granted);
        assert!(matches!(outbound, Err(ComponentError::NotGranted { grant: "http", .. })));
        let raw = check_imports(&import("santokit:sql/connections@0.1.0"), &granted);
        assert!(matches!(raw, Err(ComponentError::NotGranted { grant: "sql", .. })));
    }

    #[test]
    fn crud_and_events_bring_the_type_of_transactions_and_nothing_else() {
        let (connections, crud) = ("santokit:sql/connections@0.1.0", "santokit:crud/crud@0.1.0");
        let granted = Grants { crud: Some(CrudGrant::Caller {}), ..Grants::default() };
        let sql = vec![SqlGrant { connection: "main".to_owned(), tables: BTreeMap::new() }];
        let raw = Grants { sql, ..Grants::default() };
        let missing = |imports: &[&str], grants: &Grants| match check_imports(&named(imports), grants) {
            Err(ComponentError::NotGranted { grant, .. }) => grant,
            other => panic!("{other:?}"),
        };
        assert_eq!(check_imports(&named(&[connections, crud]), &granted), Ok(()));
        assert_eq!(missing(&[connections], &granted), "sql");
        assert_eq!(missing(&[connections, crud], &raw), "crud");
        assert_eq!(missing(&[connections, crud], &Grants::default()), "crud");
        let events = "santokit:events/events@0.1.0";
        let publishing = Grants { events: BTreeSet::from(["placed".to_owned()]), ..Grants::default() };
        assert_eq!(check_imports(&named(&[connections, events]), &publishing), Ok(()));
        assert_eq!(missing(&[connections], &publishing), "sql");
        assert_eq!(missing(&[connections, events], &granted), "events");
        assert_eq!(missing(&[events], &granted), "events");
    }

    #[test]
    fn what_a_component_is_follows_from_its_exports() {
        let exporting = |names: &[&str]| Inspection {
            imports: BTreeSet::new(),
            exports: named(names),
            modules: 1,
            functions: 1,
            size_bytes: 1,
        };
        let http = "wasi:http/incoming-handler@0.2.6";
        for (exports, logic, mounted) in [
            (&[HANDLER][..], Ok(()), Err("is mounted, but does not export")),
            (&[http], Err("say where with `mount: PATH`"), Ok(())),
            (&[HANDLER, http], Ok(()), Ok(())),
            (&[EVENT_HANDLER][..], Ok(()), Err("is mounted, but does not export")),
            (&[CRON_HANDLER][..], Ok(()), Err("is mounted, but does not export")),
            (&["santokit:events/event-handler@0.2.0"], Err("so it is no logic"), Err("is mounted, but")),
            (&["wasi:http/incoming-handler@0.3.0"], Err("so it is no logic"), Err("is mounted, but")),
            (&["wasi:http/incoming-handler"], Err("so it is no logic"), Err("is mounted, but")),
            (&["wasi:cli/run@0.2.0"], Err("so it is no logic"), Err("is mounted, but")),
            (&[], Err("it exports nothing"), Err("it exports nothing")),
        ] {
            let inspection = exporting(exports);
            for (world, expected) in [(World::Logic, logic), (World::Http, mounted)] {
                match (check_world(&inspection, world).map_err(|error| error.to_string()), expected) {
                    (Ok(()), Ok(())) => {}
                    (Err(said), Err(words)) if said.contains(words) => {}
                    (found, _) => panic!("{exports:?} {world:?}: {found:?}"),
                }
            }
            assert_eq!(check_some_world(&inspection).is_ok(), logic.is_ok() || mounted.is_ok());
        }
    }

    #[test]
    fn what_is_no_component_is_said_to_be_none() {
        assert!(matches!(inspect(b""), Err(ComponentError::Malformed(_))));
        assert!(matches!(inspect(b"\0asm\x01\0\0\0"), Err(ComponentError::CoreModule)));
        assert!(matches!(inspect(b"not wasm at all"), Err(ComponentError::Malformed(_))));
    }
}
