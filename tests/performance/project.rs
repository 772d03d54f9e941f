//! The project that is measured, with its rows.

use santokit_tests::ProjectFolder;

/// One row by its key.
pub(crate) const ONE: &str = "SELECT id, text, number FROM items WHERE id = ?";
/// All rows.
pub(crate) const MANY: &str = "SELECT id, text, number FROM items ORDER BY id";

const ROWS: usize = 10_000;

/// The key of a row.
pub(crate) fn id(number: usize) -> String {
    format!("i-{:05}", number % ROWS)
}

/// A fresh copy.
pub(crate) fn folder() -> anyhow::Result<ProjectFolder> {
    let folder = ProjectFolder::copy_of("tests/performance/project")?;
    let rows: Vec<String> = (0..ROWS).map(|number| format!("{},text of row {number},{number}\n", id(number))).collect();
    folder.write("seed/items.csv", &format!("id,text,number\n{}", rows.concat()))?;
    Ok(folder)
}
