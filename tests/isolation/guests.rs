//! The guests that the benchmark makes itself.

use anyhow::Result;

/// A logic that computes until its CPU time is up, written by hand.
const ENDLESS: &str = r#"(component
  (core module $module
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "handle") (param i32 i32) (result i32) (loop $again (br $again)) unreachable))
  (core instance $core (instantiate $module))
  (type $error (record (field "code" string) (field "message" string) (field "details" (option (list u8)))))
  (func $handle (param "input" (list u8)) (result (result (list u8) (error $error)))
    (canon lift (core func $core "handle") (memory (core memory $core "memory")) (realloc (core func $core "cabi_realloc"))))
  (component $names
    (type $record (record (field "code" string) (field "message" string) (field "details" (option (list u8)))))
    (import "import-type-logic-error" (type $error (eq $record)))
    (import "import-func-handle" (func $handle (param "input" (list u8)) (result (result (list u8) (error $error)))))
    (export $outer "logic-error" (type $error))
    (export "handle" (func $handle) (func (param "input" (list u8)) (result (result (list u8) (error $outer))))))
  (instance $handler (instantiate $names
    (with "import-type-logic-error" (type $error)) (with "import-func-handle" (func $handle))))
  (export "santokit:logic/handler@0.1.0" (instance $handler)))"#;

/// Computes until its CPU time is up.
pub(crate) fn endless() -> Result<Vec<u8>> {
    Ok(wat::parse_str(ENDLESS)?)
}

/// A component that the gate lets through and whose compilation takes longer than anybody waits: a core module that nothing uses. Each number
/// makes another one.
pub(crate) fn bomb(component: &[u8], number: usize) -> Result<Vec<u8>> {
    let sums = format!("local.get 0 i32.const {} i32.mul local.set 0 ", 77_777 + number).repeat(40_000);
    let module = wat::parse_str(format!("(module {})", format!("(func (param i32) {sums})").repeat(16)))?;
    Ok(with_section(component, 1, &module))
}

/// The same component with another digest.
pub(crate) fn distinct(component: &[u8], number: usize) -> Vec<u8> {
    let name = format!("number-{number:06}");
    let mut custom = vec![u8::try_from(name.len()).unwrap_or(0)];
    custom.extend(name.as_bytes());
    with_section(component, 0, &custom)
}

fn with_section(component: &[u8], id: u8, content: &[u8]) -> Vec<u8> {
    let mut made = component.to_vec();
    made.push(id);
    let mut length = content.len();
    while length > 127 {
        made.push(length.to_le_bytes()[0] | 128);
        length >>= 7;
    }
    made.push(length.to_le_bytes()[0]);
    made.extend(content);
    made
}
