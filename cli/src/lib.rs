//! The `stk` command as a library, so that tests and `stk dev` can use its parts.

pub mod build;
