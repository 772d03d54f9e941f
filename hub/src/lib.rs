//! The Hub, Santokit's control plane: projects, envs, connections, secrets, keys and signed releases; what an env runs, and
//! what Bridges need to run it. It never serves an application and never runs a guest.
//!
//! `api` (HTTP) → `app` (decisions) → `store` (what is kept).

pub mod api;
pub mod app;
pub mod clock;
pub mod config;
pub mod metrics;
pub mod serve;
pub mod store;

pub use config::{ConfigError, HubConfig, Settings};
pub use serve::{HubError, RunningHub, serve};
