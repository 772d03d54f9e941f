//! The Hub, Santokit's control plane: projects, envs, connections, secrets, keys and signed releases; what an env runs, and
//! what Bridges need to run it. It never serves an application and never runs a guest.
//!
//! `api` (HTTP) → `app` (decisions) → `store` (what is kept); `tasks` are what it does by itself.

pub mod api;
pub mod app;
pub mod clock;
pub mod config;
pub mod metrics;
pub mod serve;
pub mod store;
pub mod tasks;

pub use config::{ConfigError, HubConfig, Settings};
pub use serve::{HubError, RunningHub, serve};
