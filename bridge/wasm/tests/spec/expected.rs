//! What our engine answers differently from the suites, and why.

/// What the engine says where one of our settings is in the way, and which setting that is.
const REFUSALS: &[(&str, &str)] = &[
    ("legacy exceptions support is not enabled", "legacy exceptions"),
    ("exceptions proposal not enabled", "exceptions"),
    ("exceptions support is not enabled", "exceptions"),
    ("function references required", "function references"),
    ("function references support is not enabled", "function references"),
    ("exception refs not supported", "exceptions"),
    ("tables with expression initializers require", "function references"),
    ("constant expression required: global.get of locally defined global", "GC"),
    ("requires `gc` proposal to be enabled", "GC"),
    ("gc support is not enabled", "GC"),
    ("gc proposal must be enabled", "GC"),
    ("gc types are disallowed", "GC"),
    ("GC proposal is disabled", "GC"),
    ("without the gc feature", "GC"),
    ("memory64 must be enabled", "memory64"),
    ("shared-everything-threads proposal", "threads"),
    ("threads must be enabled", "threads"),
    ("threads support is not enabled", "threads"),
    ("custom descriptors proposal must be enabled", "custom descriptors"),
    ("custom descriptors required", "custom descriptors"),
    ("custom-descriptors proposal not implemented", "custom descriptors"),
    ("custom page sizes proposal must be enabled", "custom page sizes"),
    ("wide arithmetic support is not enabled", "wide arithmetic"),
    ("the component model async feature", "component-model async"),
    ("the component model async stackful feature", "component-model async"),
    ("the component model more async builtins feature", "component-model async"),
    ("the component model threading feature", "component-model threads"),
    ("`cancellable` option is no longer supported", "component-model async"),
    ("component model `value`s is not enabled", "values of components"),
    ("Fixed-length lists require", "fixed-length lists"),
    ("Maps require the component model map feature", "maps"),
    ("`cm-implements` feature is not active", "implements"),
    ("exceeds the per-instance limit", "the pool"),
    ("exceeds the total tables limit", "the pool"),
    ("which exceeds the limit of", "the pool"),
];

/// Directives that fail for another reason, on one engine at least: script, lines, reason. One of them that does as its suite says on both fails the
/// test.
pub(crate) const KNOWN: &[(&str, &[usize], &str)] = &[
    ("1.0/elem.wast", &[353], LATER),
    ("1.0/imports.wast", &[404, 408, 412], LATER),
    ("1.0/memory.wast", &[8, 9], LATER),
    ("2.0/binary.wast", &[145, 165, 184, 203, 242, 261, 279, 297], LATER),
    ("2.0/imports.wast", &[487, 491, 495], LATER),
    ("2.0/memory.wast", &[10, 11], LATER),
    ("custom-page-sizes/memory_max_i64.wast", &[4, 9, 13, 18], "memory64"),
    ("function-references/binary.wast", &[145, 165, 184, 203, 242, 261, 279, 297], LATER),
    ("memory64/binary.wast", &[876, 896, 915, 934, 973, 992, 1010, 1028], LATER),
    ("memory64/memory.wast", &[10, 11], LATER),
    ("multi-memory/linking0.wast", &[42], "the pool"),
    ("multi-value/binary.wast", &[162, 182, 201, 220, 259, 278, 296, 314], LATER),
    ("mutable-global/linking.wast", &[236, 248, 342, 354], LATER),
    ("reference-types/binary.wast", &[756, 776, 795, 814, 853, 872, 890, 908], LATER),
    ("reference-types/imports.wast", &[416, 420, 424], LATER),
    ("reference-types/unreached-invalid.wast", &[539], LATER),
    ("threads/imports.wast", &[309, 313, 317, 404, 408, 412], LATER),
    ("threads/memory.wast", &[14, 15], LATER),
];

/// An older text of the specification: several memories, other encodings, and what an instantiation that fails leaves behind have come since.
const LATER: &str = "what a later text of the specification allows";

/// The setting that an error of the engine speaks of.
pub(crate) fn refusal(error: &str) -> Option<&'static str> {
    REFUSALS.iter().find(|(said, _)| error.contains(said)).map(|(_, setting)| *setting)
}
