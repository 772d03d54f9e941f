//! The generated bindings of the world `logic`. Nothing else in this crate talks to the host.

wit_bindgen::generate!({
    path: ["wit/runtime", "wit/sql", "wit/logic"],
    world: "santokit:logic/logic",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "__export_logic_impl",
    default_bindings_module: "santokit_guest::bindings",
});
