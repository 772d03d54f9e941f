;; Writes 5000 lines, then answers.
(import "santokit:runtime/log@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))
(data (i32.const 0) "a line of forty-four bytes that says nothing")
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (local $left i32)
  (local.set $left (i32.const 5000))
  (loop $again
    (call $log (i32.const 2) (i32.const 0) (i32.const 44) (i32.const 0) (i32.const 0))
    (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (call $answer (local.get $input) (local.get $length)))
