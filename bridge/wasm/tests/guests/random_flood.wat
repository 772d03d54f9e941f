;; Asks for a terabyte of randomness at once.
(import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (call $random (i64.const 0x10000000000) (i32.const 2048))
  (call $answer (local.get $input) (local.get $length)))
