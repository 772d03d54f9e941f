//! The cache, through a build that needs no compiler: a command that copies a file.

use std::path::Path;
use std::sync::Mutex;

use super::{BuildError, BuildSpec, Built, JsEngine, Language, build_component};

/// The smallest component.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn copying() -> BuildSpec {
    BuildSpec::Command { command: "cp source.bin made.wasm".to_owned(), output: "made.wasm".into() }
}

async fn build(spec: &BuildSpec, folder: &Path) -> Result<Built, BuildError> {
    build_component(spec, &folder.join("logic"), &folder.join("cache"), &|_| {}).await
}

fn logic() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("logic")).unwrap();
    std::fs::write(folder.path().join("logic/source.bin"), COMPONENT).unwrap();
    folder
}

#[tokio::test]
async fn nothing_is_built_twice() {
    let folder = logic();
    let first = build(&copying(), folder.path()).await.unwrap();
    assert!(!first.from_cache);
    let second = build(&copying(), folder.path()).await.unwrap();
    assert!(second.from_cache);
    assert_eq!((second.wasm.as_slice(), &second.source_digest), (COMPONENT, &first.source_digest));
}

#[tokio::test]
async fn the_manifest_is_no_source_and_everything_else_is() {
    let folder = logic();
    build(&copying(), folder.path()).await.unwrap();
    std::fs::write(folder.path().join("logic/logic.yaml"), "grants: {}").unwrap();
    assert!(build(&copying(), folder.path()).await.unwrap().from_cache);
    std::fs::write(folder.path().join("logic/other.txt"), "").unwrap();
    assert!(!build(&copying(), folder.path()).await.unwrap().from_cache);
}

#[tokio::test]
async fn a_damaged_entry_is_built_again() {
    let folder = logic();
    build(&copying(), folder.path()).await.unwrap();
    for entry in std::fs::read_dir(folder.path().join("cache/components")).unwrap().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "wasm") {
            std::fs::write(entry.path(), b"something else").unwrap();
        }
    }
    let again = build(&copying(), folder.path()).await.unwrap();
    assert!(!again.from_cache);
    assert_eq!(again.wasm, COMPONENT);
}

#[tokio::test]
async fn a_failed_command_tells_what_it_said() {
    let folder = logic();
    let spec = BuildSpec::Command { command: "echo no such thing >&2; exit 3".to_owned(), output: "x.wasm".into() };
    let lines = Mutex::new(Vec::new());
    let (dir, cache) = (folder.path().join("logic"), folder.path().join("cache"));
    let error = build_component(&spec, &dir, &cache, &|line| lines.lock().unwrap().push(line.to_owned())).await;
    let error = error.unwrap_err();
    assert!(error.to_string().ends_with("failed: no such thing"), "{error}");
    assert_eq!(error.compiler_output(), Some("no such thing\n"));
    assert_eq!(lines.into_inner().unwrap().last().map(String::as_str), Some("no such thing"));
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    let folder = logic();
    std::fs::write(folder.path().join("logic/made.wasm"), "text").unwrap();
    let error = build(&BuildSpec::Path("made.wasm".into()), folder.path()).await.unwrap_err();
    assert!(matches!(error, BuildError::NotComponent { .. }), "{error}");
    for language in
        [Language::Rust, Language::Ts(JsEngine::QuickJs), Language::Ts(JsEngine::StarlingMonkey), Language::Python]
    {
        let error = build(&BuildSpec::Build(language), folder.path()).await.unwrap_err();
        assert!(matches!(error, BuildError::NoSource { .. }), "{error}");
    }
}
