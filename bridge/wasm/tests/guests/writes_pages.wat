;; Has text in its memory, writes into many pages of it that are one like the other, and answers a sum of all of it as it was before: another
;; instance, or one whose memory was changed, answers otherwise.
(memory (export "memory") 32)
(data (i32.const 300000) "what stands here from the beginning")
(global $free (mut i32) (i32.const 8192))
(func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
  (global.get $free)
  (global.set $free (i32.add (global.get $free) (local.get $size))))
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (local $at i32) (local $sum i32) (local $digit i32)
  (local.set $at (i32.const 16384))
  (loop $next
    (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) (i32.load8_u (local.get $at))))
    (br_if $next (i32.ne (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 2097152))))
  (local.set $at (i32.const 16384))
  (loop $next
    (i32.store8 (local.get $at) (i32.const 7))
    (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 12288))) (i32.const 2097152))))
  ;; Eight digits of 1 to 8.
  (loop $next
    (i32.store8 (i32.add (i32.const 512) (local.get $digit))
      (i32.add (i32.const 49) (i32.and (i32.shr_u (local.get $sum) (i32.mul (local.get $digit) (i32.const 3))) (i32.const 7))))
    (br_if $next (i32.ne (local.tee $digit (i32.add (local.get $digit) (i32.const 1))) (i32.const 8))))
  (i32.store8 (i32.const 1024) (i32.const 0))
  (i32.store (i32.const 1028) (i32.const 512))
  (i32.store (i32.const 1032) (i32.const 8))
  (i32.const 1024))
