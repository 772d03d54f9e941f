//! What our settings switch off, one small component for each: refused by the gate, which every component meets first, and by the engine, should
//! one ever come by the gate. Most advisories are about these.

use santokit_core::component::{ComponentError, inspect};
use wasmtime::component::Component;

use crate::run;

/// What is off, and a component that needs it.
const OFF: &[(&str, &str)] = &[
    ("threads", "(component (core module (memory 1 1 shared)))"),
    ("threads", "(component (core module (memory 1) (func (drop (i32.atomic.load (i32.const 0))))))"),
    ("64-bit memories", "(component (core module (memory i64 1)))"),
    ("64-bit tables", "(component (core module (table i64 1 funcref)))"),
    ("GC", "(component (core module (type (struct (field i32)))))"),
    ("GC", "(component (core module (func (param i31ref))))"),
    ("GC", "(component (core module (table 1 externref)))"),
    ("GC", "(component (core module (rec (type $a (func)) (type $b (func)))))"),
    (
        "function references",
        "(component (core module (type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0)))))",
    ),
    ("exceptions", "(component (core module (tag)))"),
    ("exceptions", "(component (core module (func (try_table))))"),
    ("legacy exceptions", "(component (core module (func try catch_all end)))"),
    ("stack switching", "(component (core module (type $f (func)) (type (cont $f))))"),
    ("custom page sizes", "(component (core module (memory 1 (pagesize 1))))"),
    (
        "wide arithmetic",
        "(component (core module (func (param i64) (result i64 i64) \
         (i64.add128 (local.get 0) (local.get 0) (local.get 0) (local.get 0)))))",
    ),
    ("component-model async", "(component (type (stream u8)))"),
    ("component-model async", "(component (type (future u8)))"),
    ("component-model async", "(component (core func (canon waitable-set.new)))"),
    ("component-model async", "(component (core func (canon task.return)))"),
    ("component-model async", "(component (core func (canon thread.yield)))"),
    ("component-model async", "(component (type (func async)))"),
    ("fixed-length lists", "(component (type (list u8 4)))"),
    ("maps", "(component (type (map string u8)))"),
    ("error contexts", "(component (type error-context))"),
    ("values of components", "(component (import \"a\" (value string)))"),
];

/// What is on: the gate must not refuse what the engine takes, nor the other way round.
const ON: &[(&str, &str)] = &[
    ("SIMD", "(component (core module (func (result v128) (v128.const i64x2 0 0))))"),
    (
        "relaxed SIMD",
        "(component (core module (func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))))",
    ),
    (
        "bulk memory",
        "(component (core module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))))",
    ),
    ("reference types", "(component (core module (table 1 funcref) (func (drop (table.size 0)))))"),
    ("tail calls", "(component (core module (func $f (return_call $f))))"),
    ("extended constants", "(component (core module (global i32 (i32.add (i32.const 1) (i32.const 2)))))"),
    ("several results", "(component (core module (func (result i32 i32) (i32.const 1) (i32.const 2))))"),
    ("resources", "(component (type (resource (rep i32))))"),
];

#[test]
fn what_is_off_is_refused_by_the_gate_and_by_the_engine() {
    let engines = [true, false].map(run::engine);
    for (what, text) in OFF {
        let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{what}: {error}"));
        let gate = inspect(&bytes);
        assert!(matches!(gate, Err(ComponentError::Malformed(_))), "the gate on {what}: {gate:?}");
        for engine in &engines {
            assert!(Component::new(engine, &bytes).is_err(), "the engine takes {what}: {text}");
        }
    }
}

#[test]
fn what_is_on_is_taken_by_both() {
    let engines = [true, false].map(run::engine);
    for (what, text) in ON {
        let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(inspect(&bytes).is_ok(), "the gate on {what}: {:?}", inspect(&bytes));
        for engine in &engines {
            assert!(Component::new(engine, &bytes).is_ok(), "the engine refuses {what}");
        }
    }
}

/// Text is not a component: the suites' runner brings a reader of it into the engine, which must not matter.
#[test]
fn text_is_no_component() {
    assert!(matches!(inspect(b"(component)"), Err(ComponentError::Malformed(_))));
}
