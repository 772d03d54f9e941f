//! What the fuzzers' programs share. The same functions run in the gate over the seeds and what is made of them: `gate.rs` beside this folder.

pub mod targets;
