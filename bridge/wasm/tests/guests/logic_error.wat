;; Says no, with the input as details.
(data (i32.const 0) "OUT_OF_STOCKnothing left")
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (call $refuse (i32.const 0) (i32.const 12) (i32.const 12) (i32.const 12) (local.get $input) (local.get $length)))
