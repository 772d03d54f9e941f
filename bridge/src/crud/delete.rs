//! `db/{table}/delete`: which rows go.

use santokit_sql::plan::Delete;

use super::{access::Grant, answer::Returning, names::Entry, request::Request, update};

/// What a delete may say.
const PARAMS: &[&str] = &["where", "all", "returning"];

/// Removed rows, and what is answered of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Removal {
    /// The write.
    pub delete: Delete,
    /// What is answered.
    pub returning: Returning,
}

/// Reads a delete.
pub fn read<'a>(request: &mut Request<'a>, entry: &'a Entry, grant: &Grant) -> Removal {
    request.only(PARAMS);
    let returning = update::returning(request, entry, false);
    let target = update::target(request, entry, grant, &returning);
    // A row that may be read before it goes may be answered.
    let columns = match &returning {
        Returning::Affected => Vec::new(),
        Returning::Rows { columns, .. } => columns.clone(),
    };
    Removal { delete: Delete { target, returning: columns }, returning }
}
