;; Never ends.
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (loop $again (br $again))
  (unreachable))
