;; Reads all that there could be from standard input, a thousand times, and answers only if each time it is closed.
(import "wasi:cli/stdin@0.2.0" "get-stdin" (func $stdin (result i32)))
(import "wasi:io/streams@0.2.0" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (local $stream i32) (local $left i32)
  (local.set $stream (call $stdin))
  (local.set $left (i32.const 1000))
  (loop $again
    (call $read (local.get $stream) (i64.const -1) (i32.const 2048))
    ;; An error, and that error is `closed`.
    (if (i32.ne (i32.load8_u (i32.const 2048)) (i32.const 1)) (then (unreachable)))
    (if (i32.ne (i32.load8_u (i32.const 2052)) (i32.const 1)) (then (unreachable)))
    (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (call $answer (local.get $input) (local.get $length)))
