//! The one integration binary. Each module is a topic; everything goes over processes and sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attack;
mod shop;
mod swap;
