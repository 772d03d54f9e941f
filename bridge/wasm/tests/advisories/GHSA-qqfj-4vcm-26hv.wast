;; RUSTSEC-2026-0087: f64x2.splat of a loaded value read 16 bytes instead of 8 on x86-64. The last 8 bytes of a memory end before its guard.
(module
  (memory 1)
  (data (i32.const 65528) "\00\00\00\00\00\00\f0\3f")
  (func (export "last") (result v128) (f64x2.splat (f64.load (i32.const 65528))))
  (func (export "beyond") (result v128) (f64x2.splat (f64.load (i32.const 65529)))))
(assert_return (invoke "last") (v128.const f64x2 1 1))
(assert_trap (invoke "beyond") "out of bounds memory access")
