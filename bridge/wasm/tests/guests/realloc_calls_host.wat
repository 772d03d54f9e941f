;; Calls the host from within its allocator, while the host hands it the input. It has an allocator of its own, and so no prelude.
(import "santokit:runtime/clock@0.1.0" "elapsed" (func $elapsed (result i64)))
(memory (export "memory") 1)
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (drop (call $elapsed))
  (i32.const 1024))
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (unreachable))
