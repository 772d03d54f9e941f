//! Who may do what: the one place where every request of an operator is decided. An action has one name; a role has, or has
//! not, an action; an operator has roles in orgs and projects. What belongs to an org that the caller is not in, and a project in
//! which it has no role, is answered as what does not exist.
//!
//! [`authorise`] is asked before the handler of a route, with what the path names, and by handlers whose target is told elsewhere.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
};

use super::projects::no_project;
use crate::store::{Db, envs};

mod actions;
mod standing;

pub use actions::{Action, Role, Scope};
pub use standing::{OrgRole, ProjectRole, Standing};

/// Who asks: an operator, and what was shown to prove it.
#[derive(Clone, Debug)]
pub struct Who {
    /// `op_…`.
    pub operator: String,
    /// What was shown.
    pub credential: Credential,
}

/// What an operator shows.
#[derive(Clone, Debug)]
pub enum Credential {
    /// The token that the Hub was started with. It proves no second factor.
    First,
}

/// What an action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// What is the caller's own, and lists of what it may see.
    Own,
    /// The Hub itself.
    Hub,
    /// An org.
    Org(&'a str),
    /// A project, or one env of it.
    Project(&'a str, Option<&'a str>),
}

/// Whether `who` may do this to that. The only function that decides it.
pub async fn authorise(db: &mut Db, who: &Who, action: Action, target: Target<'_>) -> Outcome<()> {
    let standing = standing(db, who, target).await?;
    if action.allows(standing) {
        return Ok(());
    }
    let may: Vec<&str> = action.may().iter().map(|role| role.as_str()).collect();
    Err(Problem::new(Code::Forbidden, format!("you may not do this ({action})"))
        .hint(format!("{} may; ask one to do it, or to give you the role", may.join(", ")))
        .detail("action", action.as_str()))
}

/// The same as a yes or no, for lists of what may be seen.
pub async fn may(db: &mut Db, who: &Who, action: Action, target: Target<'_>) -> Outcome<bool> {
    match authorise(db, who, action, target).await {
        Ok(()) => Ok(true),
        Err(problem) if matches!(problem.code, Code::Forbidden | Code::NotFound) => Ok(false),
        Err(problem) => Err(problem),
    }
}

/// What the caller is to a target; fails where the caller may not know that there is one.
async fn standing(db: &mut Db, who: &Who, target: Target<'_>) -> Outcome<Standing> {
    match target {
        Target::Own => Ok(Standing::default()),
        Target::Hub => Standing::to_hub(db, &who.operator).await,
        Target::Org(org) => {
            let standing = Standing::to_org(db, &who.operator, org).await?;
            if standing.org.is_some() { Ok(standing) } else { Err(no_org(org)) }
        }
        Target::Project(project, _) => {
            let Some(org) = envs::org_of(db, project).await? else { return Err(no_project(project)) };
            let standing = Standing::to_project(db, &who.operator, &org, project).await?;
            if standing.project.is_some() { Ok(standing) } else { Err(no_project(project)) }
        }
    }
}

/// There is none, or the caller is not in it.
pub(super) fn no_org(org: &str) -> Box<Problem> {
    Problem::new(Code::NotFound, format!("there is no org {org:?}")).hint("`stk org list` shows those that you are in")
}
