;; Opens connections and keeps them all.
(import "santokit:sql/connections@0.1.0" "open" (func $open (param i32 i32 i32)))
(data (i32.const 0) "main")
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (loop $again
    (call $open (i32.const 0) (i32.const 4) (i32.const 2048))
    (br_if $again (i32.eqz (i32.load8_u (i32.const 2048)))))
  (unreachable))
