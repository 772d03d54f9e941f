//! The most that the components of a project may have: as its org says for all of its projects, and as is said for it alone. Both
//! are looked at whenever an env is to run a release, so that a ceiling that was lowered holds for releases that were made before.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::{Manifest, ceilings::Ceilings},
};

use super::{App, answers::projects, authority::no_org, members::org_of, projects::need_project};
use crate::store::{
    Db,
    audit::{self, Caller, Deed, Detail, name as named},
    ceilings::{self, Holder},
    commit,
    envs::now,
    orgs,
};

impl App {
    /// Sets ceilings. What runs goes on running.
    pub async fn set_ceilings(
        &self,
        caller: &Caller,
        holder: Holder<'_>,
        body: Ceilings,
    ) -> Outcome<projects::Ceilings> {
        body.check().map_err(|error| Problem::new(Code::BadRequest, error.to_string()))?;
        let document = serde_json::to_string(&body).map_err(Problem::internal)?;
        let (mut db, at) = (self.store.write().await?, now());
        need(&mut db, holder).await?;
        ceilings::set(&mut db, holder, &document, &at).await?;
        let actions = ("ceilings.set", "orgceilings.set");
        audit::append(&mut db, caller, &deed(holder, actions, Detail::of("ceilings", &body))).await?;
        commit(db).await?;
        Ok(projects::Ceilings { ceilings: Some(body), updated_at: Some(at) })
    }

    /// Ceilings; null where there are none.
    pub async fn ceilings(&self, holder: Holder<'_>) -> Outcome<projects::Ceilings> {
        let mut db = self.store.read().await?;
        need(&mut db, holder).await?;
        let found = ceilings::get(&mut db, holder).await?;
        let (document, updated_at) = found.map_or((None, None), |(document, at)| (Some(document), Some(at)));
        let ceilings: Option<Ceilings> =
            document.map(|text| serde_json::from_str(&text)).transpose().map_err(Problem::internal)?;
        Ok(projects::Ceilings { ceilings, updated_at })
    }

    /// Removes ceilings.
    pub async fn clear_ceilings(&self, caller: &Caller, holder: Holder<'_>) -> Outcome<()> {
        let mut db = self.store.write().await?;
        need(&mut db, holder).await?;
        if !ceilings::remove(&mut db, holder).await? {
            return Err(Problem::new(Code::NotFound, format!("{} has no ceilings", words(holder))));
        }
        let actions = ("ceilings.clear", "orgceilings.clear");
        audit::append(&mut db, caller, &deed(holder, actions, Detail::none())).await?;
        Ok(commit(db).await?)
    }
}

/// Fails where a release is above its project's ceilings, or those of the org, or mounts what neither lets be mounted.
pub(super) async fn need_below(db: &mut Db, project: &str, manifest: &Manifest) -> Outcome<()> {
    let org = org_of(db, project).await?;
    let mut all = Vec::new();
    for holder in [Holder::Org(&org), Holder::Project(project)] {
        let Some((document, _)) = ceilings::get(db, holder).await? else { continue };
        let ceilings: Ceilings = serde_json::from_str(&document).map_err(Problem::internal)?;
        let above = ceilings.above(manifest).map_err(Problem::internal)?;
        all.push(ceilings);
        if above.is_empty() {
            continue;
        }
        let words = words(holder);
        let message = format!("{} power(s) or limit(s) of components are above the ceilings of {words}", above.len());
        let at = match holder {
            Holder::Project(name) => ("project", format!("--project {name}")),
            Holder::Org(name) => ("org", format!("--org {name}")),
        };
        let hint = format!(
            "`stk {0} ceilings show {1}` prints them; `stk {0} ceilings set FILE {1}` lets more be",
            at.0, at.1
        );
        return Err(Problem::new(Code::ReleaseBlocked, message).hint(hint).detail("above", above));
    }
    let unmountable = Ceilings::unmountable(&all, manifest);
    if unmountable.is_empty() {
        return Ok(());
    }
    let message = format!("{} component(s) are mounted, which project {project:?} may not have", unmountable.len());
    let hint = format!(
        "a file with `mounts: true` and what else is in `stk project ceilings show --project {project}` lets it: `stk project \
         ceilings set FILE --project {project}`, where org {org:?} does not say false"
    );
    Err(Problem::new(Code::ReleaseBlocked, message).hint(hint).detail("above", unmountable))
}

async fn need(db: &mut Db, holder: Holder<'_>) -> Outcome<()> {
    match holder {
        Holder::Project(project) => need_project(db, project).await,
        Holder::Org(org) if orgs::has(db, org).await? => Ok(()),
        Holder::Org(org) => Err(no_org(org)),
    }
}

fn words(holder: Holder<'_>) -> String {
    match holder {
        Holder::Project(name) => format!("project {name:?}"),
        Holder::Org(name) => format!("org {name:?}"),
    }
}

/// An entry about a project's ceilings, or an org's.
fn deed<'a>(holder: Holder<'a>, (of_project, of_org): (&'static str, &'static str), detail: Detail) -> Deed<'a> {
    match holder {
        Holder::Project(project) => Deed { action: of_project, project: Some(project), env: None, detail },
        Holder::Org(org) => Deed { action: of_org, project: None, env: None, detail: detail.with("org", named(org)) },
    }
}
