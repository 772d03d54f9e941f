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
//! | `shared_at` | timestamp, may be null, indexed after `project` and `env`, and before `published_at` | when the subscriptions of its topic were given it; only then it may be removed |
//!
//! Beside events it keeps acknowledgements (`$ack` in place of a topic): what a handler's own transaction says of an event that it has handled;
//! and marks (`$once`) of what a logic has done once.
//!
//! `stk_delivery` has a row for each event and subscription until the event is handled:
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string | primary key: the event's id, a colon, the subscription |
//! | `project`, `env` | string | whose |
//! | `event`, `topic`, `payload`, `published_at`, `published_by`, `caused_by`, `depth` | as in `stk_outbox` | the event |
//! | `subscription` | string | of the release's |
//! | `state` | string | `pending`, then `dead`; indexed with `project`, `env`, `subscription` before it and `due_at` after it |
//! | `attempt` | int | attempts that were begun |
//! | `due_at` | timestamp | from when on it may be tried; of a row that is claimed, when the claim ends |
//! | `claim` | string, may be null | who tries it now |
//! | `order_key` | string, may be null | of the value by which its events are ordered: SHA-256 in hex; indexed with `project`, `env`, `subscription` before it and `published_at` after it |
//! | `error` | string, may be null | the last error |
//! | `history` | bytes, may be null | a JSON list of attempts |
//! | `created_at` | timestamp | when it was given to the subscription |
//! | `expires_at` | timestamp, may be null, indexed | of a dead letter: from when on it may be removed |
//!
//! `stk_turn` has one row for each project and env, which a Bridge changes in the transaction in which it shares and claims events: one Bridge at a
//! time does.
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string | primary key: SHA-256 in hex of project and env |
//! | `holder` | string | the Bridge that had it last |
//! | `taken_at` | timestamp | when |
//!
//! `stk_dropped` has a row for each object that rows have let go (`file` columns with `onDelete: cascade`), until the object is gone:
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string | primary key: SHA-256 in hex of project, env, bucket and key, each with its length before it |
//! | `project`, `env` | string | whose |
//! | `bucket`, `object` | string | the bucket, as the project calls it, and the key |
//! | `attempt` | int | attempts that were begun |
//! | `due_at` | timestamp, indexed after `project`, `env` and `bucket` | from when on it may be tried; of a row that is claimed, when the claim ends |
//! | `claim` | string, may be null | who tries it now |
//! | `error` | string, may be null | the last error |
//! | `dropped_at` | timestamp | when the last row let it go |
//!
//! The tables of jobs are in [`cron`].

use santokit_core::schema::{Bounds, Column, Generate, Index, PrimaryKey, Schema, Table, Type};

use crate::plan;

pub mod cron;

/// The table of calls with an `Idempotency-Key`.
pub const IDEMPOTENCY: &str = "stk_idempotency";

/// The table of published events.
pub use santokit_core::release::logins::OUTBOX;

/// Every table of the platform's own.
pub const TABLES: &[&str] = &[IDEMPOTENCY, OUTBOX, DELIVERY, TURN, DROPPED, cron::JOBS, cron::RUNS];

/// The table of events that are to be handled, and of those that could not be.
pub const DELIVERY: &str = "stk_delivery";

/// The table of turns.
pub const TURN: &str = "stk_turn";

/// The table of objects that rows have let go.
pub const DROPPED: &str = "stk_dropped";

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
    /// When its topic's subscriptions were given it.
    pub const SHARED_AT: Own = Own::of("shared_at", Type::Timestamp).nullable();

    /// In the order of the table, without the key.
    pub(super) const ALL: [Own; 11] =
        [PROJECT, ENV, RELEASE, TOPIC, PAYLOAD, PUBLISHED_AT, PUBLISHED_BY, CAUSED_BY, DEPTH, EXPIRES_AT, SHARED_AT];
}

/// The columns of [`DELIVERY`].
pub mod delivery {
    use super::{Own, Type};

    /// Primary key: the event's id, a colon, the subscription.
    pub const ID: Own = Own::of("id", Type::String);
    /// Whose.
    pub const PROJECT: Own = Own::text("project", 40);
    /// Of which env.
    pub const ENV: Own = Own::text("env", 40);
    /// The event.
    pub const EVENT: Own = Own::text("event", 40);
    /// Its topic.
    pub const TOPIC: Own = Own::text("topic", 40);
    /// Who is given it.
    pub const SUBSCRIPTION: Own = Own::text("subscription", 40);
    /// A JSON object.
    pub const PAYLOAD: Own = Own::of("payload", Type::Bytes);
    /// When the event was published.
    pub const PUBLISHED_AT: Own = Own::of("published_at", Type::Timestamp);
    /// The logic.
    pub const PUBLISHED_BY: Own = Own::text("published_by", 100);
    /// The event that was being handled then.
    pub const CAUSED_BY: Own = Own::text("caused_by", 40).nullable();
    /// How many events caused one another until the event.
    pub const DEPTH: Own = Own::of("depth", Type::Int);
    /// `pending`, then `dead`.
    pub const STATE: Own = Own::text("state", 16);
    /// Attempts that were begun.
    pub const ATTEMPT: Own = Own::of("attempt", Type::Int);
    /// From when on it may be tried; of a row that is claimed, when the claim ends.
    pub const DUE_AT: Own = Own::of("due_at", Type::Timestamp);
    /// Who tries it now.
    pub const CLAIM: Own = Own::text("claim", 64).nullable();
    /// Of the value by which events are ordered.
    pub const ORDER_KEY: Own = Own::text("order_key", 64).nullable();
    /// The last error.
    pub const ERROR: Own = Own::of("error", Type::String).nullable();
    /// A JSON list of attempts.
    pub const HISTORY: Own = Own::of("history", Type::Bytes).nullable();
    /// When it was given to the subscription.
    pub const CREATED_AT: Own = Own::of("created_at", Type::Timestamp);
    /// Of a dead letter: from when on it may be removed.
    pub const EXPIRES_AT: Own = Own::of("expires_at", Type::Timestamp).nullable();

    /// In the order of the table, without the key.
    pub(super) const ALL: [Own; 19] = [
        PROJECT,
        ENV,
        EVENT,
        TOPIC,
        SUBSCRIPTION,
        PAYLOAD,
        PUBLISHED_AT,
        PUBLISHED_BY,
        CAUSED_BY,
        DEPTH,
        STATE,
        ATTEMPT,
        DUE_AT,
        CLAIM,
        ORDER_KEY,
        ERROR,
        HISTORY,
        CREATED_AT,
        EXPIRES_AT,
    ];
}

/// The columns of [`TURN`].
pub mod turn {
    use super::{Own, Type};

    /// Primary key: SHA-256 in hex of project and env.
    pub const ID: Own = Own::of("id", Type::String);
    /// The Bridge that had it last.
    pub const HOLDER: Own = Own::of("holder", Type::String);
    /// When.
    pub const TAKEN_AT: Own = Own::of("taken_at", Type::Timestamp);

    /// In the order of the table, without the key.
    pub(super) const ALL: [Own; 2] = [HOLDER, TAKEN_AT];
}

/// The columns of [`DROPPED`].
pub mod dropped {
    use super::{Own, Type};

    /// Primary key: SHA-256 in hex of the four that follow.
    pub const ID: Own = Own::of("id", Type::String);
    /// Whose.
    pub const PROJECT: Own = Own::text("project", 40);
    /// Of which env.
    pub const ENV: Own = Own::text("env", 40);
    /// As the project calls it.
    pub const BUCKET: Own = Own::text("bucket", 63);
    /// The key.
    pub const OBJECT: Own = Own::text("object", 1_024);
    /// Attempts that were begun.
    pub const ATTEMPT: Own = Own::of("attempt", Type::Int);
    /// From when on it may be tried; of a row that is claimed, when the claim ends.
    pub const DUE_AT: Own = Own::of("due_at", Type::Timestamp);
    /// Who tries it now.
    pub const CLAIM: Own = Own::text("claim", 64).nullable();
    /// The last error.
    pub const ERROR: Own = Own::of("error", Type::String).nullable();
    /// When the last row let it go.
    pub const DROPPED_AT: Own = Own::of("dropped_at", Type::Timestamp);

    /// In the order of the table, without the key.
    pub(super) const ALL: [Own; 9] = [PROJECT, ENV, BUCKET, OBJECT, ATTEMPT, DUE_AT, CLAIM, ERROR, DROPPED_AT];
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
    let unshared = [outbox::PROJECT, outbox::ENV, outbox::SHARED_AT, outbox::PUBLISHED_AT];
    let due = [delivery::PROJECT, delivery::ENV, delivery::SUBSCRIPTION, delivery::STATE, delivery::DUE_AT];
    // By which an event finds that an earlier one of its key is not done, past those that are dead, and a key the next. Not by project and env first: an
    // engine that knows nothing of the rows, which come and go, would take this index where it wants the one before.
    let earlier = [delivery::ORDER_KEY, delivery::STATE, delivery::PUBLISHED_AT, delivery::EVENT];
    let tables = [
        (IDEMPOTENCY, table(idempotency::ID, &idempotency::ALL, &[&[idempotency::EXPIRES_AT]])),
        (OUTBOX, table(outbox::ID, &outbox::ALL, &[&[outbox::EXPIRES_AT], &unshared])),
        (DELIVERY, table(delivery::ID, &delivery::ALL, &[&[delivery::EXPIRES_AT], &due, &earlier])),
        (TURN, table(turn::ID, &turn::ALL, &[])),
        (
            DROPPED,
            table(dropped::ID, &dropped::ALL, &[&[dropped::PROJECT, dropped::ENV, dropped::BUCKET, dropped::DUE_AT]]),
        ),
    ];
    let tables = tables.into_iter().map(|(name, table)| (name.to_owned(), table));
    Schema { tables: tables.chain(cron::tables()).collect() }
}

/// A table, with its indexes.
fn table(id: Own, columns: &[Own], indexes: &[&[Own]]) -> Table {
    Table {
        id: PrimaryKey { name: id.name.to_owned(), generate: Generate::Client, kind: id.kind },
        columns: columns.iter().map(|column| column.declared()).collect(),
        indexes: indexes
            .iter()
            .map(|index| Index { columns: index.iter().map(|own| own.name.to_owned()).collect(), unique: false })
            .collect(),
        deprecated: None,
        sunset: None,
    }
}
