;; Makes handles of a resource of its own without an end. Its world is one that exports that resource.
(import "[export]test:outside/things" "[resource-new]thing" (func $new (param i32) (result i32)))
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (loop $again
    (drop (call $new (i32.const 1)))
    (br $again))
  (unreachable))
