//! Databases that are no longer what the release that the env runs declares: somebody else changed them. An apply does not build on
//! that unseen. What an apply of ours has left half done is no drift: it goes on from there.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
};

use super::{App, apply::Candidate, projects::At, schema};
use crate::store::{commit, envs::now, unfinished};

impl App {
    /// What the env's databases lack of what the release that it runs declares, in words. Nothing after an apply that did not
    /// come to its end.
    pub(super) async fn drift(&self, at: At<'_>, candidate: &Candidate) -> Outcome<Vec<String>> {
        if unfinished::has(&mut *self.store.read().await?, at.project, at.env).await? {
            return Ok(Vec::new());
        }
        let mut drift = Vec::new();
        for (name, declared) in &candidate.before {
            let Some(address) = candidate.addresses.get(name) else { continue };
            let lacking = schema::lacking(address, declared).await?;
            drift.extend(lacking.into_iter().map(|need| format!("{name}: {need}")));
        }
        Ok(drift)
    }

    /// Notes that databases are being changed. It is forgotten by the move of the pointer, or here where nothing came of it.
    pub(super) async fn note_unfinished(&self, at: At<'_>, is_unfinished: bool) -> Outcome<()> {
        let mut db = self.store.write().await?;
        if is_unfinished {
            unfinished::add(&mut db, at.project, at.env, &now()).await?;
        } else {
            unfinished::remove(&mut db, at.project, at.env).await?;
        }
        Ok(commit(db).await?)
    }
}

/// Refuses to go on from there.
pub(super) fn refuse(at: At<'_>, drift: &[String]) -> Outcome<()> {
    if drift.is_empty() {
        return Ok(());
    }
    let (count, env) = (drift.len(), at.env);
    let message = format!("the databases of {env:?} lack {count} thing(s) that the release that it runs declares");
    Err(Problem::new(Code::SchemaDrift, message)
        .hint(format!(
            "they were changed by somebody else: `stk schema diff --env {env}` shows how; `stk apply --env {env} --accept-drift` goes \
             on from what is there"
        ))
        .detail("differences", drift))
}
