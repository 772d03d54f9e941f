;; Hands its input to another logic; answers what that has answered, or says why it has not.
(import "santokit:logics/logics@0.1.0" "call" (func $call (param i32 i32 i32 i32 i32)))
(data (i32.const 0) "other")
(func (export "santokit:logic/handler@0.1.0#handle") (param $input i32) (param $length i32) (result i32)
  (call $call (i32.const 0) (i32.const 5) (local.get $input) (local.get $length) (i32.const 2048))
  (if (i32.load8_u (i32.const 2048))
    (then
      (return
        (call $refuse (i32.load (i32.const 2052)) (i32.load (i32.const 2056))
                      (i32.load (i32.const 2068)) (i32.load (i32.const 2072))
                      (i32.const 0) (i32.const 0)))))
  (call $answer (i32.load (i32.const 2052)) (i32.load (i32.const 2056))))
