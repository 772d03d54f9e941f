//! The tables of the HTTP cases' project on a database of any engine, for requests below HTTP. What the cases themselves expect is
//! asked over HTTP: `tests/it/http`.

use santokit_core::project::{self, SourceTree};
use santokit_sql::dialect::Dialect;
use santokit_tests::folder::repository;

use super::world::World;
use crate::http::case::TABLES_PROJECT;

/// The tables of the cases' project.
pub(super) async fn shop(dialect: Dialect) -> World {
    let root = repository().join("tests/cases/http/project");
    let mut files = SourceTree::new();
    for path in TABLES_PROJECT {
        files.insert(path, std::fs::read(root.join(path)).unwrap());
    }
    let project = project::parse(&files).unwrap_or_else(|found| panic!("{found:#?}"));
    World::new(dialect, &project.connections["main"], &project.permissions).await
}
