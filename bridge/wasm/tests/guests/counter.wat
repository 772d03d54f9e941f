;; Answers how often this instance was called, which it counts in a global and in its memory.
(global $calls (mut i32) (i32.const 0))
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
  (i32.store8 (i32.const 4) (i32.add (i32.load8_u (i32.const 4)) (i32.const 1)))
  (i32.store8 (i32.const 0) (i32.add (i32.const 48) (global.get $calls)))
  (i32.store8 (i32.const 1) (i32.add (i32.const 48) (i32.load8_u (i32.const 4))))
  (call $answer (i32.const 0) (i32.const 2)))
