//! The platform's own tables in a customer's database. They are declared in the same model as the customer's, made by the Hub
//! in the same plan, and read and written by Bridges; `stk_` keeps their names apart.
//!
//! `stk_idempotency` remembers what a call with an `Idempotency-Key` answered:
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string, 64 characters | primary key: SHA-256 in hex of the five that follow, each with its length before it |
//! | `project`, `env` | string | whose call it is |
//! | `actor` | string | who called |
//! | `path` | string | what was called |
//! | `key` | string | the header's value |
//! | `body_hash` | string | SHA-256 in hex of the body: another body under the same key is a conflict |
//! | `state` | string | `running`, then `done` |
//! | `status` | int, may be null | HTTP status of the answer |
//! | `answer` | bytes, may be null | the answer's body |
//! | `created_at` | timestamp | when the call began |
//! | `expires_at` | timestamp, indexed | from when on the row may be removed |

use santokit_core::schema::{Bounds, Column, Generate, Index, PrimaryKey, Schema, Table, Type};

/// The table of calls with an `Idempotency-Key`.
pub const IDEMPOTENCY: &str = "stk_idempotency";

/// Every table of the platform's own.
pub const TABLES: &[&str] = &[IDEMPOTENCY];

/// A declared schema with the tables that the platform keeps beside it; none beside nothing.
#[must_use]
pub fn beside(schema: &Schema) -> Schema {
    let mut all = schema.clone();
    if !all.tables.is_empty() {
        all.tables.insert(IDEMPOTENCY.to_owned(), idempotency());
    }
    all
}

/// [`IDEMPOTENCY`], declared.
pub fn idempotency() -> Table {
    let text = |name: &str| column(name, Type::String, false);
    let short = |name: &str, length| Column {
        bounds: Bounds { max_length: Some(length), ..Bounds::NONE },
        ..column(name, Type::String, false)
    };
    Table {
        id: PrimaryKey { name: "id".to_owned(), generate: Generate::Client, kind: Type::String },
        columns: vec![
            short("project", 40),
            short("env", 40),
            text("actor"),
            text("path"),
            text("key"),
            short("body_hash", 64),
            short("state", 16),
            column("status", Type::Int, true),
            column("answer", Type::Bytes, true),
            column("created_at", Type::Timestamp, false),
            column("expires_at", Type::Timestamp, false),
        ],
        indexes: vec![Index { columns: vec!["expires_at".to_owned()], unique: false }],
        deprecated: None,
    }
}

fn column(name: &str, kind: Type, nullable: bool) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        nullable,
        unique: false,
        default: None,
        items: None,
        bucket: None,
        on_delete: None,
        bounds: Bounds::NONE,
        references: None,
        renamed_from: None,
        deprecated: None,
    }
}
