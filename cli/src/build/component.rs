//! From what a compiler leaves to a component that is known to be valid.

use std::path::Path;

use wasmparser::{Encoding, Parser, Payload};
use wit_component::ComponentEncoder;

use super::BuildError;
use super::cache::blocking;

/// Reads a component. A core module that carries its WIT world is made one.
pub(super) async fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    let path = path.to_owned();
    blocking(move || {
        let bytes = std::fs::read(&path).map_err(|source| BuildError::io("read", &path, source))?;
        match encoding(&bytes) {
            Some(Encoding::Component) => Ok(bytes),
            Some(Encoding::Module) => encode(&bytes).map_err(|why| BuildError::NotComponent {
                path,
                why: format!("{why}; it must be a component of the world santokit:logic/logic"),
            }),
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

fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| format!("{error:#}"))
}
