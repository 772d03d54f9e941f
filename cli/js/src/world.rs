//! The WIT world of one module: what it imports, and what it exports.

use wit_parser::{Resolve, WorldId};

use crate::{JsError, Module};

/// The packages resolved, with the module's world beside them.
pub(crate) fn of(module: &Module<'_>) -> Result<(Resolve, WorldId), JsError> {
    let failed = |error: String| JsError::World(error);
    let mut resolve = Resolve::default();
    for (number, package) in module.packages.iter().enumerate() {
        resolve.push_str(format!("package-{number}.wit"), package).map_err(|error| failed(format!("{error:#}")))?;
    }
    let package = resolve.push_str("module.wit", &text(module)).map_err(|error| failed(format!("{error:#}")))?;
    let world = resolve.select_world(&[package], Some("logic")).map_err(|error| failed(format!("{error:#}")))?;
    Ok((resolve, world))
}

/// The package of the world as text.
pub(crate) fn text(module: &Module<'_>) -> String {
    let imports: Vec<String> = module.imports.iter().map(|name| format!("import {name};")).collect();
    let exports: Vec<String> = module.exports.iter().map(|name| format!("export {name};")).collect();
    format!("package santokit:module;\n\nworld logic {{ {} {} }}\n", imports.join(" "), exports.join(" "))
}
