;; RUSTSEC-2024-0440: tail calls that change the size of the arguments on the stack, and a stack trace over them, crashed the host.
(module
  (func $sink (param i32) (drop (local.get 0)) (unreachable))
  (func $wide (param i32 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (return_call $sink (local.get 0)))
  (func $narrow (param i32)
    (return_call $wide (local.get 0) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6)
      (i64.const 7) (i64.const 8) (i64.const 9) (i64.const 10) (i64.const 11) (i64.const 12)))
  (table funcref (elem $narrow))
  (type $one (func (param i32)))
  (func $indirect (param i32) (return_call_indirect (type $one) (local.get 0) (i32.const 0)))
  (func (export "run") (call $narrow (i32.const 1)))
  (func (export "run-indirect") (call $indirect (i32.const 1))))
(assert_trap (invoke "run") "unreachable")
(assert_trap (invoke "run-indirect") "unreachable")
