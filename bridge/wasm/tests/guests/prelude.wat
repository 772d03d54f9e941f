;; What every guest of these tests has: memory, an allocator that only goes forward, and the two ways to answer.
;; Guests keep their own data below 1024; results are built at 1024.
(memory (export "memory") 1)
(global $free (mut i32) (i32.const 8192))

(func $allocate (param $size i32) (param $align i32) (result i32)
  (local $at i32)
  (local.set $at
    (i32.and
      (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
  (global.set $free (i32.add (local.get $at) (local.get $size)))
  (block $enough
    (br_if $enough (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
    (br_if $enough
      (i32.ne (i32.const -1) (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))))
    (unreachable))
  (local.get $at))

(func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
  (call $allocate (local.get $size) (local.get $align)))

(func $answer (param $at i32) (param $length i32) (result i32)
  (i32.store8 (i32.const 1024) (i32.const 0))
  (i32.store (i32.const 1028) (local.get $at))
  (i32.store (i32.const 1032) (local.get $length))
  (i32.const 1024))

(func $refuse (param $code i32) (param $code_length i32) (param $message i32) (param $message_length i32)
              (param $details i32) (param $details_length i32) (result i32)
  (i32.store8 (i32.const 1024) (i32.const 1))
  (i32.store (i32.const 1028) (local.get $code))
  (i32.store (i32.const 1032) (local.get $code_length))
  (i32.store (i32.const 1036) (local.get $message))
  (i32.store (i32.const 1040) (local.get $message_length))
  (i32.store8 (i32.const 1044) (i32.ne (local.get $details_length) (i32.const 0)))
  (i32.store (i32.const 1048) (local.get $details))
  (i32.store (i32.const 1052) (local.get $details_length))
  (i32.const 1024))
