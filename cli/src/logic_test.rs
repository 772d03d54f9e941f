//! `stk logic test`: cases as data, each with a database of its own, run by the code that a Bridge runs. Nothing of it speaks
//! HTTP or knows a Hub; what a release must fulfil is checked all the same, by the same code.

mod case;
mod compare;
mod database;
mod files;
mod hidden;
mod run;
mod show;
mod stage;
mod suites;

pub use run::{Plan, run};
