;; Asks for a secret and answers it. The host of these tests gives it in quotes, so that the answer is JSON.
(import "santokit:runtime/secrets@0.1.0" "get" (func $secret (param i32 i32 i32)))
(data (i32.const 0) "KEY")
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (call $secret (i32.const 0) (i32.const 3) (i32.const 2048))
  (if (i32.load8_u (i32.const 2048)) (then (unreachable)))
  (call $answer (i32.load (i32.const 2052)) (i32.load (i32.const 2056))))
