;; RUSTSEC-2026-0093: UTF-16 that becomes Latin-1 or UTF-16 was read beyond its end: here it ends where the memory ends.
(component
  (component $callee
    (core module $m
      (memory (export "memory") 1)
      (func (export "realloc") (param $old i32) (param i32 i32 i32) (result i32) (i32.const 1024))
      (func (export "take") (param i32 i32)))
    (core instance $i (instantiate $m))
    (func (export "take") (param "text" string)
      (canon lift (core func $i "take") string-encoding=latin1+utf16 (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
  (component $caller
    (import "take" (func $take (param "text" string)))
    (core module $libc (memory (export "memory") 1) (data (i32.const 65528) "a\00b\00c\00\ac\20"))
    (core instance $libc (instantiate $libc))
    (core func $take (canon lower (func $take) string-encoding=utf16 (memory (core memory $libc "memory"))))
    (core module $m
      (import "" "take" (func $take (param i32 i32)))
      (func (export "run") (call $take (i32.const 65528) (i32.const 4))))
    (core instance $i (instantiate $m (with "" (instance (export "take" (func $take))))))
    (func (export "run") (canon lift (core func $i "run"))))
  (instance $callee (instantiate $callee))
  (instance $caller (instantiate $caller (with "take" (func $callee "take"))))
  (export "run" (func $caller "run")))
(assert_return (invoke "run"))
(component
  (component $callee
    (core module $m
      (memory (export "memory") 1)
      (func (export "realloc") (param $old i32) (param i32 i32 i32) (result i32) (i32.const 1024))
      (func (export "take") (param i32 i32)))
    (core instance $i (instantiate $m))
    (func (export "take") (param "text" string)
      (canon lift (core func $i "take") string-encoding=latin1+utf16 (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
  (component $caller
    (import "take" (func $take (param "text" string)))
    (core module $libc (memory (export "memory") 1) (data (i32.const 65528) "a\00b\00c\00d\00"))
    (core instance $libc (instantiate $libc))
    (core func $take (canon lower (func $take) string-encoding=utf16 (memory (core memory $libc "memory"))))
    (core module $m
      (import "" "take" (func $take (param i32 i32)))
      (func (export "run") (call $take (i32.const 65528) (i32.const 4))))
    (core instance $i (instantiate $m (with "" (instance (export "take" (func $take))))))
    (func (export "run") (canon lift (core func $i "run"))))
  (instance $callee (instantiate $callee))
  (instance $caller (instantiate $caller (with "take" (func $callee "take"))))
  (export "run" (func $caller "run")))
(assert_return (invoke "run"))
(component
  (component $callee
    (core module $m
      (memory (export "memory") 1)
      (func (export "realloc") (param $old i32) (param i32 i32 i32) (result i32) (i32.const 1024))
      (func (export "take") (param i32 i32)))
    (core instance $i (instantiate $m))
    (func (export "take") (param "text" string)
      (canon lift (core func $i "take") string-encoding=latin1+utf16 (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
  (component $caller
    (import "take" (func $take (param "text" string)))
    (core module $libc (memory (export "memory") 1) (data (i32.const 65528) "a\00b\00c\00d\00"))
    (core instance $libc (instantiate $libc))
    (core func $take (canon lower (func $take) string-encoding=utf16 (memory (core memory $libc "memory"))))
    (core module $m
      (import "" "take" (func $take (param i32 i32)))
      (func (export "run") (call $take (i32.const 65528) (i32.const 5))))
    (core instance $i (instantiate $m (with "" (instance (export "take" (func $take))))))
    (func (export "run") (canon lift (core func $i "run"))))
  (instance $callee (instantiate $callee))
  (instance $caller (instantiate $caller (with "take" (func $callee "take"))))
  (export "run" (func $caller "run")))
(assert_trap (invoke "run") "out-of-bounds")
