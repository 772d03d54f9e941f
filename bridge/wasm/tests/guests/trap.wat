;; Panics in a function with a mangled name.
(func $_ZN5guest7explode17h0123456789abcdefE (unreachable))
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (call $_ZN5guest7explode17h0123456789abcdefE)
  (unreachable))
