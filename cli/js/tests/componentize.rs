//! Modules to components: the same source is the same component, and what is wrong with a module is said.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use santokit_js::{JsError, Module, componentize};

const HANDLER: &str = "santokit:logic/handler@0.1.0";
const PACKAGES: [&str; 9] = [
    include_str!("../../../wit/runtime/runtime.wit"),
    include_str!("../../../wit/sql/sql.wit"),
    include_str!("../../../wit/queries/queries.wit"),
    include_str!("../../../wit/crud/crud.wit"),
    include_str!("../../../wit/http/http.wit"),
    include_str!("../../../wit/logics/logics.wit"),
    include_str!("../../../wit/storage/storage.wit"),
    include_str!("../../../wit/events/events.wit"),
    include_str!("../../../wit/logic/logic.wit"),
];

/// As `stk` calls it: away from the threads that serve.
fn made(code: &str, imports: &[&str]) -> Result<Vec<u8>, JsError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let cache = tempfile::tempdir().unwrap();
    let imports: BTreeSet<String> = imports.iter().map(|&name| name.to_owned()).collect();
    componentize(&Module { code, imports: &imports, exports: &[HANDLER], packages: &PACKAGES }, cache.path())
}

fn module(code: &str) -> Result<Vec<u8>, JsError> {
    made(&format!("{code}\nexport const handler = {{ handle(input) {{ return input; }} }};"), &[])
}

#[test]
fn the_same_source_is_the_same_component() {
    // What a machine could take from outside: hash seeds, clocks, random numbers, addresses.
    let code = "const seen = new Map([[{}, 1], ['a', 2]]);\nglobalThis.kept = [new Date(), Math.random(), seen];";
    let (first, second) = (module(code).unwrap(), module(code).unwrap());
    assert!(first.starts_with(b"\0asm"));
    assert_eq!(first.len(), second.len());
    assert!(first == second, "two builds differ");
    assert!(first != module("globalThis.kept = 1;").unwrap(), "the source is in the component");
}

#[test]
fn a_component_has_the_imports_that_the_code_names_and_no_others() {
    let code = "import { now } from 'santokit:runtime/clock@0.1.0';\n\
        export const handler = { handle(input) { now(); return input; } };";
    let component = made(code, &["santokit:runtime/clock@0.1.0"]).unwrap();
    assert_eq!(imports(&component), BTreeSet::from(["santokit:runtime/clock@0.1.0".to_owned()]));
}

#[test]
fn what_is_wrong_with_a_module_is_said() {
    let syntax = module("const = 1;").unwrap_err();
    assert!(matches!(&syntax, JsError::Module(text) if text.contains("variable name expected")), "{syntax}");
    let thrown = module("throw new RangeError('too far');").unwrap_err();
    assert!(matches!(&thrown, JsError::Module(text) if text.contains("too far")), "{thrown}");
    let clock = "santokit:runtime/clock@0.1.0";
    let early = format!(
        "import {{ now }} from '{clock}';\nnow();\nexport const handler = {{ handle(input) {{ return input; }} }};"
    );
    let early = made(&early, &[clock]).unwrap_err();
    assert!(matches!(&early, JsError::CallsHost(call) if call.contains("runtime/clock")), "{early:?}");
    let unknown = made("export const handler = {};", &["santokit:none/none@0.1.0"]).unwrap_err();
    assert!(matches!(&unknown, JsError::World(text) if text.contains("santokit:none")), "{unknown}");
    let endless = module("for (;;) {}").unwrap_err();
    assert!(matches!(&endless, JsError::Module(text) if text.contains("does not come to an end")), "{endless}");
    let greedy = module("const all = []; for (;;) all.push(new Array(100000).fill(1));").unwrap_err();
    assert!(matches!(&greedy, JsError::Module(_)), "{greedy}");
}

/// Names of the component's imports.
fn imports(component: &[u8]) -> BTreeSet<String> {
    santokit_core::component::inspect(component).unwrap().imports
}
