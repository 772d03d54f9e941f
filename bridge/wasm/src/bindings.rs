//! What `bindgen!` makes of the WIT packages; nothing else.

wasmtime::component::bindgen!({
    path: ["../../wit/runtime", "../../wit/sql", "../../wit/queries", "../../wit/crud", "../../wit/http", "../../wit/logics", "../../wit/storage", "../../wit/events", "../../wit/logic"],
    world: "santokit:logic/logic",
    imports: { default: async | trappable },
    exports: { default: async },
    with: {
        "santokit:sql/connections.connection": crate::state::ConnectionHandle,
        "santokit:sql/connections.transaction": crate::state::TransactionHandle,
        "santokit:sql/connections.cursor": crate::state::CursorHandle,
        "santokit:queries/queries.transaction": crate::state::QueryTransactionHandle,
        "santokit:queries/queries.cursor": crate::state::QueryCursorHandle,
        "santokit:storage/storage.reader": crate::state::ReaderHandle,
        "santokit:storage/storage.writer": crate::state::WriterHandle,
    },
});

/// The export of a component that is run by jobs, in the same way.
pub(crate) mod running {
    wasmtime::component::bindgen!({
        path: ["../../wit/sql", "../../wit/events"],
        world: "santokit:events/running",
        exports: { default: async },
    });
}

/// The export of a component that is given events. Its world has no imports: those are the ones above.
pub(crate) mod handling {
    wasmtime::component::bindgen!({
        path: ["../../wit/sql", "../../wit/events"],
        world: "santokit:events/handling",
        exports: { default: async },
    });
}
