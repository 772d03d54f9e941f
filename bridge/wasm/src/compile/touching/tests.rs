//! That what is appended is what it says, and that every component is as valid with it as without.

use std::path::Path;

use super::*;

const WAT: &str = r#"(module
  (import "m" "m" (memory 0))
  (func (export "t") (param $page i32) (param $count i32) (param $zero i32) (local $at i32)
    (if (local.get $count) (then
      (loop $next
        (i32.store8
          (local.tee $at (i32.shl (local.get $page) (i32.const 12)))
          (i32.xor (i32.load8_u (local.get $at)) (local.get $zero)))
        (local.set $page (i32.add (local.get $page) (i32.const 1)))
        (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))))
  (func (export "s") (param $page i32) (result i64) (local $at i32) (local $end i32) (local $sum i64)
    (if (i32.ge_u (local.get $page) (i32.shl (memory.size) (i32.const 4))) (then (return (i64.const 0))))
    (local.set $end (i32.add (local.tee $at (i32.shl (local.get $page) (i32.const 12))) (i32.const 4096)))
    (loop $next
      (local.set $sum (i64.mul (i64.xor (local.get $sum) (i64.load (local.get $at))) (i64.const 0x100000001b3)))
      (br_if $next (i32.ne (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $end))))
    (i64.or (local.get $sum) (i64.const 1))))"#;

#[test]
fn the_module_is_the_one_in_words() {
    let assembled = wat::parse_str(WAT).unwrap();
    // Behind it stand the names.
    assert_eq!(assembled[..MODULE.len()], MODULE);
    assert_eq!(assembled[MODULE.len()], 0);
}

fn validated(bytes: &[u8]) -> Types {
    Validator::new_with_features(WasmFeatures::all()).validate_all(bytes).unwrap()
}

#[test]
fn components_of_every_toolchain_are_valid_with_it() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/kept");
    let mut seen = 0;
    for file in std::fs::read_dir(kept).unwrap().flatten() {
        if file.path().extension().is_some_and(|suffix| suffix == "wasm") {
            let bytes = std::fs::read(file.path()).unwrap();
            let extended = extend(bytes.clone());
            assert!(extended.len() > bytes.len(), "{:?}", file.path());
            let (before, after) = (validated(&bytes), validated(&extended));
            // Two that are lifted or passed on, and each of them again as an export.
            assert_eq!(after.component_function_count(), before.component_function_count() + 4, "{:?}", file.path());
            // Once is enough.
            assert_eq!(extend(extended.clone()), extended);
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn what_has_no_memory_or_no_room_stays_as_it_is() {
    let many = "(core instance (instantiate $m))".repeat(INSTANCES_MAX);
    let lifted = r#"(core module $m (memory (export "memory") 1) (func (export "f")))
        (core instance $i (instantiate $m)) (alias core export $i "memory" (core memory $memory))
        (func $f (canon lift (core func $i "f") (memory $memory)))"#;
    for (wat, grows) in [
        ("(module)".to_owned(), false),
        ("(component)".to_owned(), false),
        (format!("(component {lifted})"), true),
        (format!("(component {lifted} {many})"), false),
        (format!("(component {lifted} (export \"santokit-sum-page\" (func $f)))"), false),
        (format!("(component {lifted} (export \"SANTOKIT-TOUCH-PAGES\" (func $f)))"), false),
        (format!("(component (component $c {lifted}) (instance (instantiate $c)))"), true),
        (
            format!(
                "(component (component $o (component $c {lifted}) (instance (instantiate $c))) (instance (instantiate $o)))"
            ),
            true,
        ),
        // Which of them a call would go to is not known; nor is what is never made.
        (format!("(component (component $c {lifted}) (instance (instantiate $c)) (instance (instantiate $c)))"), false),
        (format!("(component (component {lifted}))"), false),
        (
            format!(
                "(component (component $c {lifted} (export \"santokit-sum-page\" (func $f))) (instance (instantiate $c)))"
            ),
            false,
        ),
    ] {
        let bytes = wat::parse_str(&wat).unwrap();
        let extended = extend(bytes.clone());
        assert_eq!(extended.len() > bytes.len(), grows, "{wat}");
        validated(&extended);
    }
    let cut = wat::parse_str(format!("(component {lifted})")).unwrap();
    for length in 0..cut.len() {
        extend(cut[..length].to_vec());
    }
}
