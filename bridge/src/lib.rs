//! The Bridge: serves applications from signed releases. It keeps no state of its own but a cache, decides every permission
//! without the Hub, and never changes a schema.
//!
//! A request goes `edge` → `app` → `call` → `edge`; a release comes by `release` → `generation`. Only `db`, `egress` and
//! `storage` do I/O for a request; nothing outside of `edge` and `egress` knows HTTP.

pub mod app;
pub mod broker;
pub mod call;
pub mod config;
pub mod cron;
pub mod crud;
pub mod db;
pub mod delivery;
pub mod edge;
pub mod egress;
pub mod events;
pub mod generation;
pub mod guest_log;
pub mod host;
pub mod metrics;
pub mod recording;
pub mod rehearsal;
pub mod release;
mod serve;
pub mod storage;

pub use config::{BridgeConfig, ConfigError, EnvName, Settings};
pub use serve::{RunningBridge, ServeError, serve};
