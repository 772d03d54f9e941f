//! The harness: project folders, running processes of `stk`, and an HTTP client that speaks the Bridge's API.
//!
//! Everything here goes through the border (a process, a socket, a file), never through a crate's inside.

pub mod bridge_client;
pub mod database;
pub mod fault_proxy;
pub mod folder;
pub mod json_schema;
pub mod otlp_collector;
pub mod plain_client;
pub mod planes;
pub mod reader;
pub mod relay;
pub mod service;
pub mod shifted_clock;
pub mod stk_process;
pub mod terminal;

pub use bridge_client::{Answer, BridgeClient};
pub use database::{Engine, TestDatabase};
pub use fault_proxy::FaultProxy;
pub use folder::{ProjectFolder, repository};
pub use otlp_collector::{Collector, Manner, Traced};
pub use plain_client::PlainClient;
pub use planes::{Bridge, Hub};
pub use reader::{Reader, Shown};
pub use relay::Relay;
pub use service::{NatsOperator, OwnServer, S3, Service, Shown as ShownCertificate};
pub use shifted_clock::shifted_clock;
pub use stk_process::{Finished, StkDev, StkServer, script, stk, stk_command, stk_fed, toolchains};
pub use terminal::{stk_answering, stk_on_terminal};
