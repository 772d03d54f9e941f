//! Leaving out imports that a logic cannot reach: a component asks for no grant that its source has no use for.
//!
//! The interpreter is linked with all interfaces. Those that are left out are answered inside the component, by functions
//! that trap; the SDK says so before one of them is reached.

use std::fmt::Display;

use wasm_compose::{composer::ComponentComposer, config::Config};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{
    Docs, ManglingAndAbi, PackageId, Resolve, Span, Stability, World, WorldItem, WorldKey,
    decoding::{DecodedWasm, decode},
};

/// Interfaces of ours that need no grant: they stay, used or not.
const FREE: [&str; 5] = [
    "santokit:runtime/clock",
    "santokit:runtime/context",
    "santokit:runtime/log",
    "santokit:runtime/random",
    "santokit:sql/types",
];

/// The interface that has no function.
const TYPES: &str = "santokit:sql/types@";
/// What requests to tables are made within is of the one, and the requests are of the other.
const CONNECTIONS: &str = "santokit:sql/connections";
const CRUD: &str = "santokit:crud/crud";

/// Whether an import can be left out where only `reachable` is used, of what needs a grant.
pub(crate) fn is_needless(import: &str, reachable: &[String]) -> bool {
    let name = import.split_once('@').map_or(import, |(name, _)| name);
    let is_reachable = |name: &str| reachable.iter().any(|reachable| reachable == name);
    let is_used = is_reachable(name) || name == CONNECTIONS && is_reachable(CRUD);
    name.starts_with("santokit:") && !FREE.contains(&name) && !is_used
}

/// The component without the imports that `is_left_out` names.
pub(crate) fn leave_out(component: &[u8], is_left_out: impl Fn(&str) -> bool) -> Result<Vec<u8>, String> {
    let (resolve, world) = match decode(component).map_err(shown)? {
        DecodedWasm::Component(resolve, world) => (resolve, world),
        DecodedWasm::WitPackage(..) => return Err("it is a WIT package".to_owned()),
    };
    let left_out: Vec<(WorldKey, WorldItem)> = resolve.worlds[world]
        .imports
        .iter()
        .filter(|(key, _)| is_left_out(&resolve.name_world_key(key)))
        .map(|(key, item)| (key.clone(), item.clone()))
        .collect();
    if left_out.is_empty() {
        return Ok(component.to_vec());
    }
    let package = resolve.worlds[world].package;
    // What is left out speaks in these types.
    let types = resolve.worlds[world]
        .imports
        .iter()
        .filter(|(key, _)| {
            let name = resolve.name_world_key(key);
            name.starts_with(TYPES) || name.starts_with(CONNECTIONS) && !is_left_out(&name)
        })
        .map(|(key, item)| (key.clone(), item.clone()))
        .collect();
    let stub = stub(resolve, package, types, left_out)?;
    let folder = tempfile::tempdir().map_err(shown)?;
    let (whole, part) = (folder.path().join("logic.wasm"), folder.path().join("absent.wasm"));
    std::fs::write(&whole, component).and_then(|()| std::fs::write(&part, stub)).map_err(shown)?;
    let config = Config {
        dir: folder.path().to_owned(),
        definitions: vec!["absent.wasm".into()],
        // It is valid when it is read: `stk` inspects every component.
        skip_validation: true,
        ..Config::default()
    };
    ComponentComposer::new(&whole, &config).compose().map_err(shown)
}

/// A component whose exports are these imports, and trap.
fn stub(
    mut resolve: Resolve,
    package: Option<PackageId>,
    types: Vec<(WorldKey, WorldItem)>,
    items: Vec<(WorldKey, WorldItem)>,
) -> Result<Vec<u8>, String> {
    let world = resolve.worlds.alloc(World {
        name: "absent".to_owned(),
        imports: types.into_iter().collect(),
        exports: items.into_iter().collect(),
        package,
        docs: Docs::default(),
        stability: Stability::default(),
        includes: Vec::new(),
        span: Span::default(),
    });
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(shown)?;
    ComponentEncoder::default().module(&module).and_then(ComponentEncoder::encode).map_err(shown)
}

fn shown(error: impl Display) -> String {
    format!("{error:#}")
}
