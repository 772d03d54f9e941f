;; RUSTSEC-2026-0085: flags with bits set that no flag has made the host panic where it looked at them as a value.
(component
  (core module $m
    (func (export "few") (result i32) (i32.const -1))
    (func (export "many") (result i32) (i32.const 0))
    (memory (export "memory") 1)
    (data (i32.const 0) "\ff\ff\ff\ff"))
  (core instance $i (instantiate $m))
  (type $few' (flags "a" "b" "c"))
  (export $few "few" (type $few'))
  (func (export "get-few") (result $few) (canon lift (core func $i "few")))
  (func (export "get-many") (result (tuple $few $few)) (canon lift (core func $i "many") (memory (core memory $i "memory")))))
(assert_return (invoke "get-few") (flags.const "a" "b" "c"))
(assert_return (invoke "get-many") (tuple.const (flags.const "a" "b" "c") (flags.const "a" "b" "c")))
