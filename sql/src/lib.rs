//! SQL as values: from the declared schema to statements, and from a database's words to ours. No I/O.

pub mod binding;
pub mod failure;
pub mod guest;
pub mod sqlite;
