//! SQLite's own word on statements: what they may touch while they run ([`restrict`]), and what they would touch and answer
//! when they are only prepared ([`queries`]). Hub, Bridge and command line share it, or they would drift apart.
//!
//! It must not open a file: the databases that it makes are in memory and empty.

mod authorizer;
pub mod memory;
mod prepare;
pub mod queries;

pub use authorizer::{Access, Authorized, clear, restrict};
pub use prepare::{Missing, Prepared, PreparedColumn, Refused, Scratch, ScratchError};
