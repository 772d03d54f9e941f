;; Borrowed handles that one component hands to another took memory of the host that nothing counted: here a list of 200,000 times the same one.
(component
  (component $callee
    (type $thing' (resource (rep i32)))
    (export $thing "thing" (type $thing'))
    (core module $m
      (memory (export "memory") 40)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
      (func (export "take") (param i32 i32)))
    (core instance $i (instantiate $m))
    (core func $new (canon resource.new $thing'))
    (func (export "make") (param "rep" u32) (result (own $thing)) (canon lift (core func $new)))
    (func (export "take") (param "all" (list (borrow $thing)))
      (canon lift (core func $i "take") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
  (instance $callee (instantiate $callee))
  (component $caller
    (import "callee" (instance $callee
      (export "thing" (type $thing (sub resource)))
      (export "make" (func (param "rep" u32) (result (own $thing))))
      (export "take" (func (param "all" (list (borrow $thing)))))))
    (core module $libc (memory (export "memory") 40))
    (core instance $libc (instantiate $libc))
    (core func $make (canon lower (func $callee "make")))
    (core func $take (canon lower (func $callee "take") (memory (core memory $libc "memory"))))
    (core module $m
      (import "" "memory" (memory 40))
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "take" (func $take (param i32 i32)))
      (func (export "run") (param $count i32)
        (local $handle i32) (local $at i32)
        (local.set $handle (call $make (i32.const 1)))
        (loop $fill
          (i32.store (i32.mul (local.get $at) (i32.const 4)) (local.get $handle))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br_if $fill (i32.lt_u (local.get $at) (local.get $count))))
        (call $take (i32.const 0) (local.get $count))))
    (core instance $i (instantiate $m (with "" (instance
      (export "memory" (memory $libc "memory"))
      (export "make" (func $make))
      (export "take" (func $take))))))
    (func (export "run") (param "count" u32) (canon lift (core func $i "run"))))
  (instance $caller (instantiate $caller (with "callee" (instance $callee))))
  (export "run" (func $caller "run")))
(assert_trap (invoke "run" (u32.const 200000)) "store handle limit exceeded")
