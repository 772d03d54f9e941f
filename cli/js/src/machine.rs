//! The machine before it has seen the module: the QuickJS runtime, linked with glue for the module's world.

use componentize_qjs::codegen;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
use wit_component::{Linker, StringEncoding, embed_component_metadata};

use crate::{JsError, Module, world};

/// A component that waits for its module, and the script that ties the module's exports to WIT.
pub(crate) struct Machine {
    pub(crate) component: Vec<u8>,
    pub(crate) shim: String,
}

/// The same for the same imports, whatever the code.
pub(crate) fn link(module: &Module<'_>) -> Result<Machine, JsError> {
    let (resolve, world) = world::of(module)?;
    let (mut glue, metadata) = wit_dylib::create_with_metadata(&resolve, world, None);
    let shim = codegen::generate_shim(&resolve, &metadata);
    let mut linker = Linker::default();
    let component = embed_component_metadata(&mut glue, &resolve, world, StringEncoding::UTF8).and_then(|()| {
        // Without the component model's async: the host does not have that.
        linker.library("runtime.wasm", componentize_qjs::default_sync_runtime_wasm(), false)?;
        linker.library("glue.wasm", &glue, false)?;
        linker.encoder().adapter("wasi_snapshot_preview1", WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?;
        linker.encode()
    });
    let component = component.map_err(|error| JsError::Runtime(format!("{error:#}")))?;
    Ok(Machine { component, shim })
}
