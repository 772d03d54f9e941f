;; Takes table elements until it gets no more, then gives up.
(table $elements 0 funcref)
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (loop $again
    (br_if $again (i32.ne (i32.const -1) (table.grow $elements (ref.null func) (i32.const 1000)))))
  (unreachable))
