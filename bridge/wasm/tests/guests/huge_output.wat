;; Answers six million bytes.
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (drop (memory.grow (i32.const 100)))
  (call $answer (i32.const 8192) (i32.const 6000000)))
