//! Guests in text form. Each is the body of the handler in one core module; adding a case is adding a row.

use santokit_core::limit::LimitName;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

pub struct Guest {
    pub name: &'static str,
    /// Core imports and further functions.
    pub head: &'static str,
    /// Instructions of the handler; they leave the address of its result.
    pub body: &'static str,
    /// The limit that it meets; none where it fails by itself.
    pub limit: Option<LimitName>,
}

const fn guest(name: &'static str, head: &'static str, body: &'static str, limit: Option<LimitName>) -> Guest {
    Guest { name, head, body, limit }
}

const CLOCK: &str = r#"(import "santokit:runtime/clock@0.1.0" "elapsed" (func $elapsed (result i64)))"#;
const LOG: &str = r#"(import "santokit:runtime/log@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))"#;
/// `open` and `query` (handle, text, values, result), and a connection in $db.
const SQL: &str = r#"
  (import "santokit:sql/connections@0.1.0" "open" (func $open (param i32 i32 i32)))
  (import "santokit:sql/connections@0.1.0" "[method]connection.query-packed" (func $query (param i32 i32 i32 i32 i32 i32)))
  (func $db (result i32) (call $open (i32.const 1100) (i32.const 4) (i32.const 200)) (i32.load (i32.const 204)))
  (data (i32.const 1100) "main") (data (i32.const 1110) "hang") (data (i32.const 1120) "rows 4")"#;

pub const NEIGHBOUR: Guest = guest("neighbour", "", "(call $ok)", None);

pub const HOSTILE: &[Guest] = &[
    guest("endless loop", "", "(loop $l (br $l)) unreachable", Some(LimitName::Cpu)),
    guest("endless loop with host calls", CLOCK, "(loop $l (drop (call $elapsed)) (br $l)) unreachable", Some(LimitName::HostCalls)),
    guest("memory", "", "(loop $l (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable)) (br $l)) unreachable", Some(LimitName::Memory)),
    guest("table", "(table $t 1 funcref)", "(loop $l (if (i32.eq (table.grow $t (ref.null func) (i32.const 50000)) (i32.const -1)) (then unreachable)) (br $l)) unreachable", Some(LimitName::Table)),
    guest("deep recursion", "(func $deep (param i32) (result i32) (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (local.get 0)))", "(call $deep (i32.const 0))", Some(LimitName::Stack)),
    guest("waits for ever", SQL, "(call $query (call $db) (i32.const 1110) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 300)) (call $ok)", Some(LimitName::Timeout)),
    guest("handles", "", "(call $many) (call $ok)", Some(LimitName::Handles)),
    guest("huge output", "", "(call $answer (i32.const 8192) (i32.const 20000))", Some(LimitName::Output)),
    guest("trap", "(func $culprit unreachable)", "(call $culprit) (call $ok)", None),
    guest("division by zero", "", "(i32.div_s (i32.const 1) (i32.const 0))", None),
    guest("memory out of bounds", "", "(i32.load (i32.const -8))", None),
    guest("answer out of bounds", "", "(call $answer (i32.const -1) (i32.const 100))", None),
    guest("result out of bounds", "", "(i32.const -16)", None),
    guest("result not aligned", "", "(i32.const 3)", None),
    guest("answer is no json", "", "(call $answer (i32.const 1025) (i32.const 2))", None),
    guest("text is no utf-8", LOG, "(i32.store8 (i32.const 2048) (i32.const 255)) (call $log (i32.const 2) (i32.const 2048) (i32.const 1) (i32.const 0) (i32.const 0)) (call $ok)", None),
    guest("enum out of range", LOG, "(call $log (i32.const 99) (i32.const 1024) (i32.const 1) (i32.const 0) (i32.const 0)) (call $ok)", None),
    guest("huge argument", LOG, "(call $log (i32.const 2) (i32.const 0) (i32.const 2147483647) (i32.const 0) (i32.const 0)) (call $ok)", None),
];

pub const LOG_FLOOD: Guest = guest(
    "log flood",
    LOG,
    "(local $i i32) (loop $l (call $log (i32.const 2) (i32.const 4096) (i32.const 100) (i32.const 0) (i32.const 0))
      (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (i32.const 50)))) (call $ok)",
    None,
);

/// Asks for rows until it is told no, then traps as a guest does that does not handle it.
pub const ROWS: Guest = guest("rows", SQL, "(call $until_refused (i32.const 1150) (i32.const 7)) (call $refuse)", None);
/// Four rows of 200 bytes, twice.
pub const ROW_BYTES: Guest = guest("row bytes", SQL, "(call $until_refused (i32.const 1120) (i32.const 6)) (call $refuse)", None);

pub const START_LOOP: Guest = guest("start", "(start $begin) (func $begin (loop $l (br $l)))", "(call $ok)", None);

pub const COUNTER: Guest = guest(
    "counter",
    "(global $count (mut i32) (i32.const 0))",
    "(global.set $count (i32.add (global.get $count) (i32.const 1)))
     (i32.store8 (i32.const 2048) (i32.add (i32.const 48) (global.get $count))) (call $answer (i32.const 2048) (i32.const 1))",
    None,
);

pub fn component(guest: &Guest) -> Vec<u8> {
    encode(&wat::parse_str(module(guest)).unwrap_or_else(|error| panic!("{}: {error}", guest.name)))
}

/// A logic that also imports what nobody offers.
pub fn with_unknown_import() -> Vec<u8> {
    let mut resolve = wit();
    let evil = "package evil:host@1.0.0; interface shell { run: func(); } world guest { import shell; export santokit:logic/handler@0.1.0; }";
    let package = resolve.push_str("evil.wit", evil).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    let evil = guest("evil", r#"(import "evil:host/shell@1.0.0" "run" (func $run))"#, "(call $run) (call $ok)", None);
    let mut bytes = wat::parse_str(module(&evil)).unwrap();
    embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&bytes).unwrap().validate(true).encode().unwrap()
}

fn encode(module: &[u8]) -> Vec<u8> {
    let mut resolve = wit();
    let world = "package test:guest; world guest { include santokit:logic/logic@0.1.0; }";
    let package = resolve.push_str("guest.wit", world).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    let mut bytes = module.to_vec();
    embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&bytes).unwrap().validate(true).encode().unwrap()
}

fn wit() -> Resolve {
    let mut resolve = Resolve::default();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    for package in ["runtime", "sql", "logic"] {
        resolve.push_dir(root.join(package)).unwrap();
    }
    resolve
}

fn module(guest: &Guest) -> String {
    let many = if guest.limit == Some(LimitName::Handles) {
        r#"(import "santokit:sql/connections@0.1.0" "open" (func $open (param i32 i32 i32)))"#
    } else {
        ""
    };
    let use_open = if many.is_empty() { "unreachable" } else { "(loop $l (call $open (i32.const 0) (i32.const 0) (i32.const 200)) (br $l))" };
    let until = if guest.body.contains("$until_refused") {
        r#"(func $until_refused (param i32 i32) (local $db i32) (local.set $db (call $db))
            (loop $l (call $query (local.get $db) (local.get 0) (local.get 1) (i32.const 0) (i32.const 0) (i32.const 300))
              (br_if $l (i32.eqz (i32.load8_u (i32.const 300))))))
           (func $refuse (result i32) (i32.store8 (i32.const 64) (i32.const 1))
             (i32.store (i32.const 68) (i32.const 1130)) (i32.store (i32.const 72) (i32.const 9))
             (i32.store (i32.const 76) (i32.const 1130)) (i32.store (i32.const 80) (i32.const 9))
             (i32.store8 (i32.const 84) (i32.const 0)) (i32.const 64))
           (data (i32.const 1130) "SQL_LIMIT") (data (i32.const 1150) "rows 20")"#
    } else {
        ""
    };
    let Guest { head, body, .. } = guest;
    // Imports come first in a module.
    let (imports, rest): (Vec<&str>, Vec<&str>) = head.lines().partition(|line| line.trim_start().starts_with("(import"));
    format!(
        r#"(module {imports} {many}
          (memory (export "memory") 2)
          (global $next (mut i32) (i32.const 32768))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
            (global.set $next (i32.add (local.get $at) (local.get 3)))
            (if (i32.gt_u (global.get $next) (i32.const 131072)) (then (global.set $next (i32.const 32768)) (local.set $at (i32.const 32768))))
            (local.get $at))
          (data (i32.const 1024) "\"ok\"")
          (func $answer (param i32 i32) (result i32)
            (i32.store8 (i32.const 64) (i32.const 0)) (i32.store (i32.const 68) (local.get 0)) (i32.store (i32.const 72) (local.get 1)) (i32.const 64))
          (func $ok (result i32) (call $answer (i32.const 1024) (i32.const 4)))
          (func $many {use_open})
          {until}
          {rest}
          (func (export "santokit:logic/handler@0.1.0#handle") (param i32 i32) (result i32) {body}))"#,
        imports = imports.join("\n"),
        rest = rest.join("\n"),
    )
}
