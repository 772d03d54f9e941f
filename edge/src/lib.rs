//! What stands at the HTTP edge of both planes: listeners with TLS and with bounds on what a client may do to a connection, routes
//! that can be listed, bodies that are read to their end, the status of each code, words of telemetry that no client can choose; and how settings
//! are read. It knows no plane: no credential, no body, no state of an application.

pub mod answer;
pub mod connection;
pub mod listener;
pub mod routes;
pub mod settings;
pub mod telemetry;
pub mod tls;
pub mod unread;

pub use connection::Bounds;
pub use listener::Handle;
pub use routes::{Route, Routes};
pub use tls::{Tls, TlsError, TlsFiles};
