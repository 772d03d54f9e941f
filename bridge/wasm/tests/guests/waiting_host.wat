;; Opens a connection that never comes.
(import "santokit:sql/connections@0.1.0" "open" (func $open (param i32 i32 i32)))
(data (i32.const 0) "hang")
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (call $open (i32.const 0) (i32.const 4) (i32.const 2048))
  (unreachable))
