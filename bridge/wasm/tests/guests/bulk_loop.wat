;; Moves 32 MiB of memory, and a table, without an end: single instructions that take long.
(table $elements 10000 funcref)
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (drop (memory.grow (i32.const 512)))
  (loop $again
    (memory.fill (i32.const 65536) (i32.const 7) (i32.const 0x1ff0000))
    (memory.copy (i32.const 65537) (i32.const 65536) (i32.const 0x1fe0000))
    (table.fill $elements (i32.const 0) (ref.null func) (i32.const 10000))
    (table.copy $elements $elements (i32.const 1) (i32.const 0) (i32.const 9999))
    (br $again))
  (unreachable))
