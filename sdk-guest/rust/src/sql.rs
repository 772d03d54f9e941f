//! SQL on the project's own databases. Needs `grants.sql` for the connection, the tables and the verbs used.
//!
//! A statement is one SQL statement; placeholders are `?` on SQLite and MySQL and `$1` … on PostgreSQL, and values are
//! always bound. Rows cross the border packed and are decoded here, once, into the type that is asked for.

mod cell;
mod connection;
mod cursor;
mod decode;
mod error;
mod packed;
mod row;
mod value;

pub use connection::{Connection, Queries, Transaction, open};
pub use cursor::{Cursor, TypedCursor};
pub use error::{Constraint, DatabaseError, Error};
pub(crate) use row::batch_as;
pub use row::{Column, Row, Rows};
pub use value::{Decimal, Json, Param, Value};
