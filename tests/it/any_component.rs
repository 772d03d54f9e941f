//! A component of any toolchain is a logic when what it imports and exports fits: one written by hand in WebAssembly text, one
//! that a plain C compiler made for WASI preview 1 without anything of ours. What does not fit is told in words that help.

use std::process::Command;

use santokit_tests::{ProjectFolder, StkDev, stk};
use serde_json::json;

/// Answers its input. The whole logic: no SDK, no bindings, no compiler.
const MODULE: &str = r#"(module
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $place i32)
    (local.set $place (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
    (global.set $next (i32.add (local.get $place) (local.get $size)))
    (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
      (then (drop (memory.grow (i32.add (i32.div_u (local.get $size) (i32.const 65536)) (i32.const 1))))))
    (local.get $place))
  (func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 8) (i32.const 0))
    (i32.store (i32.const 12) (local.get $input))
    (i32.store (i32.const 16) (local.get $length))
    (i32.const 8)))"#;

/// What lifts that module to the interface: the component, written by hand.
const LIFTED: &str = r#"
  (core instance $core (instantiate $module))
  (type $error (record (field "code" string) (field "message" string) (field "details" (option (list u8)))))
  (func $handle (param "input" (list u8)) (result (result (list u8) (error $error)))
    (canon lift (core func $core "santokit:logic/handler@0.1.0#handle")
      (memory (core memory $core "memory")) (realloc (core func $core "cabi_realloc"))))
  (component $names
    (type $record (record (field "code" string) (field "message" string) (field "details" (option (list u8)))))
    (import "import-type-logic-error" (type $error (eq $record)))
    (import "import-func-handle" (func $handle (param "input" (list u8)) (result (result (list u8) (error $error)))))
    (export $outer "logic-error" (type $error))
    (export "handle" (func $handle) (func (param "input" (list u8)) (result (result (list u8) (error $outer))))))
  (instance $handler (instantiate $names
    (with "import-type-logic-error" (type $error)) (with "import-func-handle" (func $handle))))
  (export "santokit:logic/handler@0.1.0" (instance $handler))"#;

/// A logic in plain C for WASI: it prints, asks for the time, and tries what it may not.
const WASI: &str = r#"#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

__attribute__((export_name("cabi_realloc"))) void *allocate(void *old, size_t old_size, size_t align, size_t size)
{
    (void)old_size;
    (void)align;
    return realloc(old, size);
}

static struct {
    uint8_t failed;
    char *text;
    size_t length;
} answer;

__attribute__((export_name("santokit:logic/handler@0.1.0#handle"))) void *handle(const char *input, size_t length)
{
    printf("printed through WASI: %zu bytes\n", length);
    const char *file = fopen("/etc/passwd", "r") == NULL ? "false" : "true";
    const char *home = getenv("HOME") == NULL ? "false" : "true";
    const char *clock = time(NULL) > 1600000000 ? "true" : "false";
    size_t size = length + 200;
    answer.text = malloc(size);
    answer.length = (size_t)snprintf(answer.text, size, "{\"input\":%.*s,\"file\":%s,\"home\":%s,\"clock\":%s}", (int)length,
                                     input, file, home, clock);
    return &answer;
}
"#;

const MANIFEST: &str = "auth: public\nparams: {value: {type: json, required: true}}\n";

fn component(imports: &str) -> Vec<u8> {
    let module = MODULE.replacen("(module", "(core module $module", 1);
    wat::parse_str(format!("(component {imports} {module} {LIFTED})")).unwrap()
}

fn project(component: &str, file: &[u8]) -> ProjectFolder {
    let folder = ProjectFolder::new([
        ("santokit.yaml", "version: 1\nname: any\n"),
        ("santokit.dev.yaml", "connections:\n  main: {engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}\n"),
        ("logics/guest/logic.yaml", &format!("component: {component}\n{MANIFEST}")),
    ])
    .unwrap();
    std::fs::write(folder.path().join("logics/guest/made.wasm"), file).unwrap();
    folder
}

/// Debian has the C library for wasm under the first name, others under the second.
fn compile_for_wasi(folder: &ProjectFolder) {
    folder.write("logics/guest/plain.c", WASI).unwrap();
    let mut said = String::new();
    for target in ["wasm32-wasi", "wasm32-wasip1"] {
        let mut clang = Command::new("clang");
        clang.arg(format!("--target={target}")).args(["-O1", "-Wall", "-Werror", "-mexec-model=reactor", "plain.c"]);
        let output = clang.args(["-o", "made.wasm"]).current_dir(folder.path().join("logics/guest")).output().unwrap();
        if output.status.success() {
            return;
        }
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    panic!("clang for wasm is missing (`cargo xtask setup` installs it):\n{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn webassembly_written_by_hand_is_served() {
    let module = wat::parse_str(MODULE).unwrap();
    let copied = "{command: \"cp made.wasm out.wasm\", output: out.wasm}";
    let path = "{path: made.wasm}";
    for (name, how, file) in [
        ("a core module", path, module),
        ("a component", path, component("")),
        ("a component of a command", copied, component("")),
    ] {
        let folder = project(how, &file);
        let dev = StkDev::start(folder.path(), &[]).await.unwrap();
        let value = json!({"text": "ä €", "list": [1, null, true]});
        let answer = dev.client.logic("guest", json!({"value": value.clone()})).await.unwrap();
        assert_eq!((answer.status, &answer.body["data"]["value"]), (200, &value), "{name}: {answer:?}");
        let large = json!("x".repeat(300_000));
        let answer = dev.client.logic("guest", json!({"value": large.clone()})).await.unwrap();
        assert_eq!(answer.body["data"]["value"], large, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_module_for_wasi_preview_1_is_adapted_and_has_nothing_of_the_machine() {
    let folder = project("{path: made.wasm}", b"");
    compile_for_wasi(&folder);
    let module = std::fs::read(folder.path().join("logics/guest/made.wasm")).unwrap();
    assert!(module.starts_with(b"\0asm\x01\0\0\0"), "it is a core module");
    assert!(module.windows(22).any(|bytes| bytes == b"wasi_snapshot_preview1"));
    // As if the environment had something to find.
    let dev = StkDev::start(folder.path(), &[("HOME", "/home/planted")]).await.unwrap();
    let answer = dev.client.logic("guest", json!({"value": "ü"})).await.unwrap();
    let expected = json!({"input": {"value": "ü"}, "file": false, "home": false, "clock": true});
    assert_eq!((answer.status, &answer.body["data"]), (200, &expected), "{answer:?}\n{}", dev.output());
    dev.wait_for_output("printed through WASI: 14 bytes").await.unwrap();
}

fn module(imports: &str) -> Vec<u8> {
    wat::parse_str(MODULE.replacen("(module", &format!("(module {imports}"), 1)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_told() {
    let whole = component("");
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "WASI's HTTP",
            component(r#"(import "wasi:http/outgoing-handler@0.2.0" (instance))"#),
            "imports \"wasi:http/outgoing-handler@0.2.0\", but the manifest grants no http",
        ),
        (
            "an interface that nobody knows",
            component(r#"(import "acme:tools/things@1.0.0" (instance))"#),
            "imports \"acme:tools/things@1.0.0\", which is not offered",
        ),
        (
            "a module with WASI's HTTP",
            module(r#"(import "wasi:http/outgoing-handler@0.2.0" "handle" (func))"#),
            "wasi:http/outgoing-handler@0.2.0",
        ),
        (
            "a function that no library defines",
            module(r#"(import "env" "sqlite3_open" (func))"#),
            "it imports \"sqlite3_open\" from \"env\": a function that was declared and that no library defines",
        ),
        (
            "an older WASI",
            module(r#"(import "wasi_unstable" "fd_write" (func))"#),
            "a WASI older than preview 1: build for wasm32-wasip1",
        ),
        (
            "a module for a browser",
            module(r#"(import "__wbindgen_placeholder__" "__wbindgen_throw" (func))"#),
            "which is for a browser",
        ),
        (
            "a program",
            wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "_start")))"#).unwrap(),
            "it is a program with a `main`, and a logic is a library",
        ),
        (
            "a module without the handler",
            wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "run")))"#).unwrap(),
            "without the export \"santokit:logic/handler@0.1.0#handle\"; it exports memory, run",
        ),
        (
            "a component without the handler",
            wat::parse_str("(component)").unwrap(),
            "exports none of santokit:logic/handler@0.1.0, santokit:events/event-handler@0.1.0 and santokit:events/cron-handler@0.1.0",
        ),
        (
            "a handler with other types",
            wat::parse_str(MODULE.replace("(param $length i32)", "(param $length i64)").replace(
                "(local.get $length))\n    (i32.const 8)",
                "(i32.wrap_i64 (local.get $length)))\n    (i32.const 8)",
            ))
            .unwrap(),
            "it must fit the world santokit:logic/logic",
        ),
        ("random bytes", (0..1000_u32).map(|byte| (byte * 7919 % 251) as u8).collect(), "it is not WebAssembly"),
        ("nothing", Vec::new(), "it is not WebAssembly"),
        ("half a component", whole.get(..whole.len() / 2).unwrap().to_vec(), "not a valid WebAssembly component"),
        ("half a module", wat::parse_str(MODULE).unwrap().get(..100).unwrap().to_vec(), "it is no valid WebAssembly"),
    ];
    for (name, file, said) in cases {
        let folder = project("{path: made.wasm}", &file);
        let built = stk(folder.path(), &["logic", "build", "guest"], &[]).await.unwrap();
        let output = built.stdout + &built.stderr;
        assert_eq!(built.code, 1, "{name}: {output}");
        assert!(output.contains(said), "{name}: {said:?} is not in\n{output}");
        assert!(!output.contains("panicked"), "{name}: {output}");
    }
}
