;; Exports functions under the names of those that the supply calls, and answers whether anybody has called its own.
(func (export "santokit-touch-pages") (param i32 i32 i32) (i32.store8 (i32.const 0) (i32.const 49)))
(func (export "santokit-sum-page") (param i32) (result i64) (i32.store8 (i32.const 0) (i32.const 49)) (i64.const 0))
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 48)))
  (call $answer (i32.const 0) (i32.const 1)))
