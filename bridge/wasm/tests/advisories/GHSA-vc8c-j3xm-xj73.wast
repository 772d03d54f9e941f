;; RUSTSEC-2026-0006: f64.copysign of a loaded value read 16 bytes instead of 8 on x86-64. The last 8 bytes of a memory end before its guard.
(module
  (memory 1)
  (data (i32.const 65528) "\00\00\00\00\00\00\00\80")
  (func (export "last") (result f64) (f64.copysign (f64.const 1) (f64.load (i32.const 65528))))
  (func (export "last-of-memory") (param i32) (result f64)
    (f64.copysign (f64.load (local.get 0)) (f64.load (local.get 0))))
  (func (export "beyond") (result f64) (f64.copysign (f64.const 1) (f64.load (i32.const 65529)))))
(assert_return (invoke "last") (f64.const -1))
(assert_return (invoke "last-of-memory" (i32.const 65528)) (f64.const -0))
(assert_trap (invoke "beyond") "out of bounds memory access")
