//! Declared queries of a project folder: what the database itself says of them, before anything else is done with the project.

use anyhow::Context as _;
use santokit_core::project::{Diagnostic, Project};
use santokit_sqlite::queries;

/// The project with its queries typed, or everything that is wrong with them.
pub(super) fn typed(mut project: Project) -> anyhow::Result<Result<Project, Vec<Diagnostic>>> {
    if project.queries.is_empty() {
        return Ok(Ok(project));
    }
    let mut found = asked(&mut project)?;
    if found.is_empty() {
        return Ok(Ok(project));
    }
    found.append(&mut project.warnings);
    found.sort_by(|a, b| (&a.path, a.line, a.column).cmp(&(&b.path, b.line, b.column)));
    Ok(Err(found))
}

/// On a thread of its own: whoever reads a project may be in the midst of asynchronous work or not.
fn asked(project: &mut Project) -> anyhow::Result<Vec<Diagnostic>> {
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(queries::check(project))?)
        });
        asking.join().unwrap_or_else(|_| Err(anyhow::anyhow!("it ended without an answer")))
    })
    .context("the declared queries could not be checked")
}
