//! Components of `wasi:http` that nobody made for Santokit: the example that is published with the bindings of WASI for Rust, and one in C
//! without any library, which the benchmark gives to `wasmtime serve` as well. And what is none.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::Method;
use santokit_tests::{ProjectFolder, StkDev, folder::repository, stk};
use serde_json::Value as Json;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::{ask, project};

const CARGO: &str = "[package]\nname = \"guest-example\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
    [lib]\ncrate-type = [\"cdylib\"]\npath = \"example.rs\"\n\n[dependencies]\nwasip2 = \"1.0.4\"\n";

fn folder() -> ProjectFolder {
    ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: foreign\n"),
        ("santokit.dev.yaml", "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\n"),
    ])
    .unwrap()
}

/// The folder of the package, as the guests' lock file names it.
fn published(name: &str) -> PathBuf {
    let guests = repository().join("tests/guests/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--manifest-path"])
        .arg(guests)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Json = serde_json::from_slice(&output.stdout).unwrap();
    let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == name).unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}

/// tests/performance/serve/echo.c as a component.
fn in_c(folder: &ProjectFolder) -> Vec<u8> {
    let (source, module) = (repository().join("tests/performance/serve"), folder.path().join("echo.core.wasm"));
    let compiled = Command::new("clang")
        .args(["--target=wasm32", "-O2", "-nostdlib", "-ffreestanding", "-Wl,--no-entry", "-o"])
        .arg(&module)
        .arg(source.join("echo.c"))
        .status()
        .unwrap();
    assert!(compiled.success());
    let mut bytes = fs::read(&module).unwrap();
    let mut resolve = Resolve::default();
    let package = resolve.push_file(source.join("world.wit")).unwrap();
    let world = resolve.select_world(&[package], Some("serve")).unwrap();
    embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&bytes).unwrap().encode().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn components_that_others_made_are_mounted_as_they_are() {
    let folder = folder();
    folder.write("logics/example/Cargo.toml", CARGO).unwrap();
    fs::copy(published("wasip2").join("examples/http-proxy.rs"), folder.path().join("logics/example/example.rs"))
        .unwrap();
    folder.write("logics/example/logic.yaml", "component: {build: rust}\nauth: public\nmount: example\n").unwrap();
    folder.write("logics/c/logic.yaml", "component: {path: echo.wasm}\nauth: public\nmount: c/echo\n").unwrap();
    fs::write(folder.path().join("logics/c/echo.wasm"), in_c(&folder)).unwrap();
    let dev = StkDev::start(folder.path(), &[]).await.unwrap();
    for _ in 0..3 {
        let hello = ask(&dev, Method::GET, "/http/example/any", &[], Vec::new()).await;
        assert_eq!((hello.status().as_u16(), hello.text().await.unwrap().as_str()), (200, "Hello, WASI!"));
        let echo = ask(&dev, Method::POST, "/http/c/echo", &[], b"as it was".to_vec()).await;
        assert_eq!(echo.text().await.unwrap(), "as it was");
    }
    // It has room for 4 KiB, and traps.
    let trapped = ask(&dev, Method::POST, "/http/c/echo", &[], vec![0; 5_000]).await;
    assert_eq!(trapped.status().as_u16(), 500);
    let inspected = stk(folder.path(), &["logic", "inspect", "c"], &[]).await.unwrap();
    assert_eq!(inspected.code, 0, "{inspected:?}");
    for line in ["a handler of HTTP: mounted", "/http/c/echo DELETE GET", "wasi:http/incoming-handler@0.2.0"] {
        assert!(inspected.stdout.contains(line), "{line}: {inspected:?}");
    }
    let file = stk(folder.path(), &["logic", "inspect", "logics/c/echo.wasm", "--json"], &[]).await.unwrap();
    assert_eq!((file.code, &file.json()["kinds"][0]), (0, &Json::from("http")), "{file:?}");
    let invoked = stk(folder.path(), &["logic", "invoke", "c"], &[]).await.unwrap();
    assert!(invoked.code != 0 && invoked.stdout.is_empty(), "{invoked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_mounted_if_it_is_one_of_http_and_only_then() {
    let folder = folder();
    let built = async |manifest: &str, component: &[u8]| {
        folder.write("logics/made/logic.yaml", manifest).unwrap();
        fs::write(folder.path().join("logics/made/made.wasm"), component).unwrap();
        stk(folder.path(), &["logic", "build", "made"], &[]).await.unwrap()
    };
    let http = in_c(&folder);
    let logic = fs::read(repository().join("tests/guests/kept/logic-0.1.0-rust.wasm")).unwrap();
    let grants = "grants: {secrets: [A], config: [a], sql: [{tables: {}}]}\n";
    let unmounted = built("component: {path: made.wasm}\nauth: public\n", &http).await;
    assert!(unmounted.code != 0 && unmounted.stderr.contains("say where with `mount: PATH`"), "{unmounted:?}");
    folder.write("santokit.yaml", "version: 1\nname: foreign\nconfig: {a: b}\n").unwrap();
    let wrong = built(&format!("component: {{path: made.wasm}}\nauth: public\nmount: a\n{grants}"), &logic).await;
    assert!(wrong.code != 0 && wrong.stderr.contains("does not export wasi:http/incoming-handler"), "{wrong:?}");
    let mounted = built("component: {path: made.wasm}\nauth: public\nmount: a\n", &http).await;
    assert_eq!(mounted.code, 0, "{mounted:?}");
    // A component of both is what its manifest says.
    let both = project(&[("one", "auth: public\nmount: a"), ("other", "auth: public")]).await;
    let built = stk(both.path(), &["logic", "build"], &[]).await.unwrap();
    assert_eq!(built.code, 0, "{built:?}");
    let clash = project(&[("one", "auth: public\nmount: a"), ("other", "auth: public\nmount: a")]).await;
    let checked = stk(clash.path(), &["check"], &[]).await.unwrap();
    assert!(checked.code != 0 && (checked.stdout + &checked.stderr).contains("is mounted at \"a\" already"));
}
