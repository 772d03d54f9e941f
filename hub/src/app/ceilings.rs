//! The most that the components of a project may have. It is looked at whenever an env is to run a release, so that a ceiling
//! that was lowered holds for releases that were made before.

use super::{App, answers::projects, projects::need_project};
use crate::store::{
    Db,
    audit::{self, Caller, Deed, Detail},
    ceilings, commit,
    envs::now,
};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::{Manifest, ceilings::Ceilings},
};

impl App {
    /// Sets a project's ceilings. What runs goes on running.
    pub async fn set_ceilings(&self, caller: &Caller, project: &str, body: Ceilings) -> Outcome<projects::Ceilings> {
        body.check().map_err(|error| Problem::new(Code::BadRequest, error.to_string()))?;
        let document = serde_json::to_string(&body).map_err(Problem::internal)?;
        let (mut db, at) = (self.store.write().await?, now());
        need_project(&mut db, project).await?;
        ceilings::set(&mut db, project, &document, &at).await?;
        let detail = Detail::of("ceilings", &body);
        let deed = Deed { action: "ceilings.set", project: Some(project), env: None, detail };
        audit::append(&mut db, caller, &deed).await?;
        commit(db).await?;
        Ok(projects::Ceilings { ceilings: Some(body), updated_at: Some(at) })
    }

    /// A project's ceilings; null where it has none.
    pub async fn ceilings(&self, project: &str) -> Outcome<projects::Ceilings> {
        let mut db = self.store.read().await?;
        need_project(&mut db, project).await?;
        let found = ceilings::get(&mut db, project).await?;
        let (document, updated_at) = found.map_or((None, None), |(document, at)| (Some(document), Some(at)));
        let ceilings: Option<Ceilings> =
            document.map(|text| serde_json::from_str(&text)).transpose().map_err(Problem::internal)?;
        Ok(projects::Ceilings { ceilings, updated_at })
    }

    /// Removes a project's ceilings.
    pub async fn clear_ceilings(&self, caller: &Caller, project: &str) -> Outcome<()> {
        let mut db = self.store.write().await?;
        need_project(&mut db, project).await?;
        if !ceilings::remove(&mut db, project).await? {
            return Err(Problem::new(Code::NotFound, format!("project {project:?} has no ceilings")));
        }
        let deed = Deed { action: "ceilings.clear", project: Some(project), env: None, detail: Detail::none() };
        audit::append(&mut db, caller, &deed).await?;
        Ok(commit(db).await?)
    }
}

/// Fails where a release is above its project's ceilings.
pub(super) async fn need_below(db: &mut Db, project: &str, manifest: &Manifest) -> Outcome<()> {
    let Some((document, _)) = ceilings::get(db, project).await? else { return Ok(()) };
    let ceilings: Ceilings = serde_json::from_str(&document).map_err(Problem::internal)?;
    let above = ceilings.above(manifest).map_err(Problem::internal)?;
    if above.is_empty() {
        return Ok(());
    }
    let message = format!("{} power(s) or limit(s) of components are above the ceilings of the project", above.len());
    Err(Problem::new(Code::ReleaseBlocked, message)
        .hint(format!(
            "`stk project ceilings show --project {project}` prints them; `stk project ceilings set FILE --project {project}` \
             lets more be"
        ))
        .detail("above", above))
}
