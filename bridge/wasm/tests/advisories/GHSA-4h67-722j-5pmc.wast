;; RUSTSEC-2025-0112: a component's intrinsic, lifted as it is and called by the host, crashed the host.
(component
  (type $thing (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (core func $rep (canon resource.rep $thing))
  (core func $drop (canon resource.drop $thing))
  (func (export "new") (param "rep" u32) (result u32) (canon lift (core func $new)))
  (func (export "rep") (param "handle" u32) (result u32) (canon lift (core func $rep)))
  (func (export "drop") (param "handle" u32) (canon lift (core func $drop))))
(assert_return (invoke "new" (u32.const 7)) (u32.const 1))
(assert_return (invoke "rep" (u32.const 1)) (u32.const 7))
(assert_return (invoke "drop" (u32.const 1)))
(assert_trap (invoke "drop" (u32.const 1)) "unknown handle index 1")
