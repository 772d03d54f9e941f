//! The vocabulary that at least two planes of Santokit must agree on, and the decisions made with it.
//!
//! Pure: values in, values out. It must not do I/O (the project parser is given file contents), know a database driver,
//! an HTTP framework or a Wasm engine.

pub mod access;
pub mod admin;
pub mod audit;
pub mod code;
pub mod component;
pub mod cors;
pub mod cron;
pub mod decimal;
pub mod event;
pub mod id;
mod jws;
pub mod limit;
pub mod logic;
pub mod name;
pub mod param;
pub mod problem;
pub mod project;
pub mod quantity;
pub mod query;
pub mod release;
pub mod schema;
pub mod seal;
pub mod sql_text;
pub mod storage;
pub mod user_token;
pub mod value;
pub mod wire;
