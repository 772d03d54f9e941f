;; Asks each clock a thousand times and answers 1 where each told whole microseconds only, and went on; else the number of the clock
;; that did not: 2 the time of day of WASI, 3 its time elapsed, 4 and 5 those of our own.
(import "wasi:clocks/wall-clock@0.2.0" "now" (func $wasi_now (param i32)))
(import "wasi:clocks/wall-clock@0.2.0" "resolution" (func $wasi_now_step (param i32)))
(import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $wasi_elapsed (result i64)))
(import "wasi:clocks/monotonic-clock@0.2.0" "resolution" (func $wasi_elapsed_step (result i64)))
(import "santokit:runtime/clock@0.1.0" "now" (func $now (param i32)))
(import "santokit:runtime/clock@0.1.0" "elapsed" (func $elapsed (result i64)))

;; Whether it is no whole number of microseconds.
(func $is_fine (param $nanos i64) (result i32)
  (i64.ne (i64.rem_u (local.get $nanos) (i64.const 1000)) (i64.const 0)))

(func $say (param $number i32) (result i32)
  (i32.store8 (i32.const 0) (i32.add (i32.const 48) (local.get $number)))
  (call $answer (i32.const 0) (i32.const 1)))

(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (local $left i32) (local $begin i64)
  (local.set $left (i32.const 1000))
  (local.set $begin (call $wasi_elapsed))
  (call $wasi_now_step (i32.const 2048))
  (if (i32.lt_u (i32.load (i32.const 2056)) (i32.const 1000)) (then (return (call $say (i32.const 2)))))
  (if (i64.lt_u (call $wasi_elapsed_step) (i64.const 1000)) (then (return (call $say (i32.const 3)))))
  (loop $again
    (call $wasi_now (i32.const 2048))
    (if (call $is_fine (i64.extend_i32_u (i32.load (i32.const 2056)))) (then (return (call $say (i32.const 2)))))
    (if (call $is_fine (call $wasi_elapsed)) (then (return (call $say (i32.const 3)))))
    (call $now (i32.const 2048))
    (if (call $is_fine (i64.extend_i32_u (i32.load (i32.const 2056)))) (then (return (call $say (i32.const 4)))))
    (if (call $is_fine (call $elapsed)) (then (return (call $say (i32.const 5)))))
    (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (if (i64.le_u (call $wasi_elapsed) (local.get $begin)) (then (return (call $say (i32.const 3)))))
  (call $say (i32.const 1)))
