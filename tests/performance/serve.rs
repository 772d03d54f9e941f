//! `wasmtime serve` with a component of wasi:http that answers its input: what the authors of the runtime make of the same task.
//! One instance for each request, as ours.

use std::{path::Path, process::Stdio, sync::Arc};

use anyhow::{Context as _, Result, bail};
use santokit_tests::BridgeClient;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Ended when it is dropped.
pub(crate) struct WasmtimeServe {
    pub(crate) client: BridgeClient,
    _process: Arc<Child>,
}

/// Starts the `wasmtime` that `WASMTIME_BIN` names.
pub(crate) async fn start() -> Result<WasmtimeServe> {
    let program =
        std::env::var_os("WASMTIME_BIN").context("WASMTIME_BIN names no wasmtime; run `cargo xtask bench`")?;
    let folder = tempfile::tempdir()?;
    let component = folder.path().join("echo.wasm");
    std::fs::write(&component, echo(folder.path()).await?)?;
    let mut process = Command::new(program)
        .args(["serve", "--addr", "127.0.0.1:0", "--max-instance-reuse-count", "1"])
        .arg(&component)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("wasmtime does not start")?;
    let mut lines = BufReader::new(process.stderr.take().context("it has no standard error")?).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some((_, url)) = line.split_once("Serving HTTP on ") {
            // What it says later is read, or it would wait.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(WasmtimeServe { client: BridgeClient::new(url.trim()), _process: Arc::new(process) });
        }
    }
    bail!("wasmtime serve ended before it served")
}

/// serve/echo.c as a component.
async fn echo(folder: &Path) -> Result<Vec<u8>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("performance/serve");
    let module = folder.join("echo.core.wasm");
    let compiled = Command::new("clang")
        .args(["--target=wasm32", "-O2", "-nostdlib", "-ffreestanding", "-Wl,--no-entry", "-o"])
        .arg(&module)
        .arg(source.join("echo.c"))
        .status()
        .await
        .context("clang does not start")?;
    if !compiled.success() {
        bail!("clang cannot compile echo.c");
    }
    let mut bytes = std::fs::read(&module)?;
    let mut resolve = Resolve::default();
    let package = resolve.push_file(source.join("world.wit"))?;
    let world = resolve.select_world(&[package], Some("serve"))?;
    embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().validate(true).module(&bytes)?.encode()
}
