//! The one integration binary. Each module is a topic; everything goes over processes and sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod any_component;
mod attack;
mod c;
mod chaos;
mod cli;
mod completeness;
mod crud;
mod database_tls;
mod engine_logic;
mod engine_values;
mod engines;
mod guest_crud;
mod guest_logins;
mod http;
mod hub_roles;
mod hub_store;
mod hubs;
mod items;
mod javascript;
mod lab;
mod logic_test;
mod memory;
mod operators;
mod own_database;
mod processes;
mod project_types;
mod python;
mod queries;
mod release;
mod schema;
mod service;
mod shop;
mod swap;
mod telemetry;
mod tutorials;
