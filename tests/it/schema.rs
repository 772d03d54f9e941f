//! Schemas on real databases of every engine: what is made is found again as it was declared, what grows is found grown, and a
//! database that somebody else made is declared, as far as it can be, without a change to it.

use std::path::PathBuf;

use santokit_tests::repository;

mod apply;
mod change;
mod generated;
mod natives;
mod samples;
mod seeds;

/// Below `tests/cases/schema`.
fn cases() -> PathBuf {
    repository().join("tests/cases/schema")
}
