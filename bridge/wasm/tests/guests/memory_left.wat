;; Looks for what an earlier instance left: in the memory that it begins with, in what it grows by, in its table and its global. Refuses if there is
;; anything, else leaves its own mark everywhere.
(table $elements 64 funcref)
(elem declare func $mark)
(global $marked (mut i32) (i32.const 0))
(data (i32.const 0) "LEFT")
(func $mark)
(func $left (result i32) (call $refuse (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0)))
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (local $at i32) (local $end i32)
  (if (global.get $marked) (then (return (call $left))))
  (if (i32.eqz (ref.is_null (table.get $elements (i32.const 63)))) (then (return (call $left))))
  ;; 6.4 MiB: more than what the pool wipes by itself.
  (if (i32.eq (i32.const -1) (memory.grow (i32.const 100))) (then (unreachable)))
  (local.set $end (i32.mul (memory.size) (i32.const 65536)))
  ;; Above the input, which is handed in at 8192.
  (local.set $at (i32.const 16384))
  (loop $look
    (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (return (call $left))))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (br_if $look (i32.lt_u (local.get $at) (local.get $end))))
  (memory.fill (i32.const 16384) (i32.const 0xaa) (i32.sub (local.get $end) (i32.const 16384)))
  (table.fill $elements (i32.const 0) (ref.func $mark) (i32.const 64))
  (global.set $marked (i32.const 1))
  (call $answer (local.get $input) (local.get $length)))
