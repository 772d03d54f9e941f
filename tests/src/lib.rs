//! The harness: project folders, running processes of `stk`, and an HTTP client that speaks the Bridge's API.
//!
//! Everything here goes through the border (a process, a socket, a file), never through a crate's inside.

pub mod bridge_client;
pub mod folder;
pub mod stk_process;

pub use bridge_client::{Answer, BridgeClient};
pub use folder::ProjectFolder;
pub use stk_process::{StkDev, StkServer, stk};
