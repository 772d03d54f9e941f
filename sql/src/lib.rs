//! SQL as values: from the declared schema to statements, and from a database's words to ours. No I/O.

pub mod binding;
pub mod decimal;
pub mod delivery;
pub mod dialect;
pub mod dropped;
pub mod failure;
pub mod guest;
pub mod plan;
pub mod render;
pub mod schema;
pub mod session;
pub mod statement;
