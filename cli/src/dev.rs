//! `stk dev`: Hub and Bridge in this process over the protocol that they always speak, on a database and blobs below
//! `.stk/dev/`; the project is built, applied and swapped on every save. A save that cannot be applied changes nothing.

pub mod database;
pub mod plane;
pub mod run;
pub mod seed;
pub mod settings;
pub mod value;
pub mod watch;

/// Relative to the project folder: databases, keys and what was seeded.
pub const STATE: &str = ".stk/dev";

/// The env's name.
pub const ENV: &str = "dev";
