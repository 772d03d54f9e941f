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
//!
//! `stk_outbox` keeps the events that were published beside the rows that they tell of:
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string, 40 characters | primary key: `evt_…`; sorts by time |
//! | `project`, `env` | string | whose event it is |
//! | `release` | string | `rel_…` of the release that published it |
//! | `topic` | string | of the release's topics |
//! | `payload` | bytes | a JSON object in UTF-8, as its topic declares it |
//! | `published_at` | timestamp | when |
//! | `published_by` | string | the logic |
//! | `caused_by` | string, may be null | the event that was being handled |
//! | `depth` | int | how many events caused one another until here |
//! | `expires_at` | timestamp, indexed | from when on the row may be removed |

use santokit_core::schema::{Bounds, Column, Generate, Index, PrimaryKey, Schema, Table, Type};

use crate::plan;

/// The table of calls with an `Idempotency-Key`.
pub const IDEMPOTENCY: &str = "stk_idempotency";

/// The table of published events.
pub use santokit_core::release::logins::OUTBOX;

/// Every table of the platform's own.
pub const TABLES: &[&str] = &[IDEMPOTENCY, OUTBOX];

/// A column of a table of the platform's own: the Hub makes it of this, and Bridges name it by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Own {
    name: &'static str,
    kind: Type,
    nullable: bool,
    /// Of a string, where it is known.
    max_length: Option<u32>,
}

/// The columns of [`IDEMPOTENCY`].
pub mod idempotency {
    use super::{Own, Type};

    /// Primary key: SHA-256 in hex of the five that follow.
    pub const ID: Own = Own::of("id", Type::String);
    /// Whose call it is.
    pub const PROJECT: Own = Own::text("project", 40);
    /// Of which env.
    pub const ENV: Own = Own::text("env", 40);
    /// Who called.
    pub const ACTOR: Own = Own::of("actor", Type::String);
    /// What was called.
    pub const PATH: Own = Own::of("path", Type::String);
    /// The header's value.
    pub const KEY: Own = Own::of("key", Type::String);
    /// SHA-256 in hex of the body.
    pub const BODY_HASH: Own = Own::text("body_hash", 64);
    /// `running`, then `done`.
    pub const STATE: Own = Own::text("state", 16);
    /// HTTP status of the answer.
    pub const STATUS: Own = Own::of("status", Type::Int).nullable();
    /// The answer's body.
    pub const ANSWER: Own = Own::of("answer", Type::Bytes).nullable();
    /// When the call began.
    pub const CREATED_AT: Own = Own::of("created_at", Type::Timestamp);
    /// From when on the row may be removed.
    pub const EXPIRES_AT: Own = Own::of("expires_at", Type::Timestamp);

    /// In the order of the table, without the key.
    pub(super) const ALL: [Own; 11] =
        [PROJECT, ENV, ACTOR, PATH, KEY, BODY_HASH, STATE, STATUS, ANSWER, CREATED_AT, EXPIRES_AT];
}

/// The columns of [`OUTBOX`].
pub mod outbox {
    use super::{Own, Type};

    /// Primary key: `evt_…`.
    pub const ID: Own = Own::of("id", Type::String);
    /// Whose event it is.
    pub const PROJECT: Own = Own::text("project", 40);
    /// Of which env.
    pub const ENV: Own = Own::text("env", 40);
    /// Of the release that published it.
    pub const RELEASE: Own = Own::text("release", 40);
    /// Of the release's topics.
    pub const TOPIC: Own = Own::text("topic", 40);
    /// A JSON object.
    pub const PAYLOAD: Own = Own::of("payload", Type::Bytes);
    /// When.
    pub const PUBLISHED_AT: Own = Own::of("published_at", Type::Timestamp);
    /// The logic.
    pub const PUBLISHED_BY: Own = Own::text("published_by", 100);
    /// The event that was being handled.
    pub const CAUSED_BY: Own = Own::text("caused_by", 40).nullable();
    /// How many events caused one another until here.
    pub const DEPTH: Own = Own::of("depth", Type::Int);
    /// From when on the row may be removed.
    pub const EXPIRES_AT: Own = Own::of("expires_at", Type::Timestamp);

    /// In the order of the table, without the key.
    pub(super) const ALL: [Own; 10] =
        [PROJECT, ENV, RELEASE, TOPIC, PAYLOAD, PUBLISHED_AT, PUBLISHED_BY, CAUSED_BY, DEPTH, EXPIRES_AT];
}

impl Own {
    const fn of(name: &'static str, kind: Type) -> Self {
        Self { name, kind, nullable: false, max_length: None }
    }

    const fn text(name: &'static str, max_length: u32) -> Self {
        Self { max_length: Some(max_length), ..Self::of(name, Type::String) }
    }

    const fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// As a statement of a plan names it.
    pub fn column(self) -> plan::Column {
        plan::Column { name: self.name.to_owned(), kind: self.kind, nullable: self.nullable, is_listed: false }
    }

    fn declared(self) -> Column {
        Column {
            name: self.name.to_owned(),
            kind: self.kind,
            nullable: self.nullable,
            unique: false,
            default: None,
            items: None,
            bucket: None,
            on_delete: None,
            bounds: Bounds { max_length: self.max_length, ..Bounds::NONE },
            references: None,
            renamed_from: None,
            deprecated: None,
            sunset: None,
        }
    }
}

/// A declared schema with the tables that the platform keeps beside it; none beside nothing.
#[must_use]
pub fn beside(schema: &Schema) -> Schema {
    let mut all = schema.clone();
    if !all.tables.is_empty() {
        all.tables.extend(own().tables);
    }
    all
}

/// The platform's own tables.
fn own() -> Schema {
    let calls = table(idempotency::ID, &idempotency::ALL, idempotency::EXPIRES_AT);
    let events = table(outbox::ID, &outbox::ALL, outbox::EXPIRES_AT);
    Schema { tables: [(IDEMPOTENCY.to_owned(), calls), (OUTBOX.to_owned(), events)].into() }
}

/// A table whose rows go when their time has come.
fn table(id: Own, columns: &[Own], expires_at: Own) -> Table {
    Table {
        id: PrimaryKey { name: id.name.to_owned(), generate: Generate::Client, kind: id.kind },
        columns: columns.iter().map(|column| column.declared()).collect(),
        indexes: vec![Index { columns: vec![expires_at.name.to_owned()], unique: false }],
        deprecated: None,
        sunset: None,
    }
}
