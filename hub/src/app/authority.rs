//! Who may do what: the one place where every request of an operator is decided. An action has one name; a role has, or has
//! not, an action; an operator has roles in orgs and projects. What belongs to an org that the caller is not in, and a project in
//! which it has no role, is answered as what does not exist.
//!
//! [`authorise`] is asked before the handler of a route, with what the path names, and by handlers whose target is told elsewhere.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::projects::no_project;
use crate::store::{Db, envs};

mod actions;
mod standing;

pub use actions::{Action, Need, Role, Scope};
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
    /// A login.
    Session {
        /// `ses_…`.
        id: String,
        /// Whether a code of the second factor was shown.
        second_factor: bool,
    },
    /// A personal token.
    Token {
        /// `key_…`.
        id: String,
        /// The most that it may do.
        level: Level,
        /// The project/envs that it is for, `*` for all of a project; none is all that its operator may.
        envs: Vec<(String, String)>,
        /// Whether it was made by who had shown a second factor.
        second_factor: bool,
    },
}

/// The most that a personal token may do, whoever's it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What a viewer and a member may.
    Read,
    /// What a deployer and a member may.
    Deploy,
    /// What its operator may.
    Admin,
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
    let standing = who.bounded(standing(db, who, target).await?, target)?;
    if action.allows(standing) {
        return needs(db, who, action, target).await;
    }
    let may: Vec<&str> = action.may().iter().map(|role| role.as_str()).collect();
    Err(Problem::new(Code::Forbidden, format!("you may not do this ({action})"))
        .hint(format!("{} may; ask one to do it, or to give you the role", may.join(", ")))
        .detail("action", action.as_str()))
}

/// What somebody is in a project, with what was shown; none where it is unknown to them.
pub async fn role_in(db: &mut Db, who: &Who, project: &str) -> Outcome<Option<ProjectRole>> {
    let target = Target::Project(project, None);
    match standing(db, who, target).await.and_then(|standing| who.bounded(standing, target)) {
        Ok(standing) => Ok(standing.project),
        Err(problem) if matches!(problem.code, Code::NotFound | Code::Forbidden) => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// The same as a yes or no, for lists of what may be seen.
pub async fn may(db: &mut Db, who: &Who, action: Action, target: Target<'_>) -> Outcome<bool> {
    match authorise(db, who, action, target).await {
        Ok(()) => Ok(true),
        Err(problem) if matches!(problem.code, Code::Forbidden | Code::NotFound) => Ok(false),
        Err(problem) => Err(problem),
    }
}

/// What an action wants shown besides a role.
async fn needs(db: &mut Db, who: &Who, action: Action, target: Target<'_>) -> Outcome<()> {
    let wants_factor = match action.need() {
        Need::Person if matches!(who.credential, Credential::Token { .. }) => {
            return Err(Problem::new(Code::Forbidden, format!("a token cannot do this ({action})"))
                .hint("log in: `stk login`")
                .detail("action", action.as_str())
                .detail("needs", "session"));
        }
        Need::Nothing | Need::Person => false,
        Need::SecondFactor => true,
        Need::SecondFactorWhereProtected => match target {
            Target::Project(project, Some(env)) => envs::is_protected(db, project, env).await?,
            _ => false,
        },
    };
    if !wants_factor || who.has_second_factor() {
        return Ok(());
    }
    let hint = match who.credential {
        Credential::Session { .. } => "set one up with `stk mfa enrol`, or log in again with its code",
        Credential::Token { .. } => "make the token anew, in a session that has shown a second factor",
        Credential::First => "log in with `stk login` and a second factor: the Hub's first token is nobody's",
    };
    Err(Problem::new(Code::Forbidden, format!("this needs a second factor ({action})"))
        .hint(hint)
        .detail("action", action.as_str())
        .detail("needs", "secondFactor"))
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

impl Who {
    /// Whether a second factor stands behind what was shown.
    pub fn has_second_factor(&self) -> bool {
        match self.credential {
            Credential::First => false,
            Credential::Session { second_factor, .. } | Credential::Token { second_factor, .. } => second_factor,
        }
    }

    /// The session, where one was shown.
    pub fn session(&self) -> Option<&str> {
        match &self.credential {
            Credential::Session { id, .. } => Some(id),
            Credential::First | Credential::Token { .. } => None,
        }
    }

    /// Whether it is for some envs alone.
    pub fn is_bound(&self) -> bool {
        matches!(&self.credential, Credential::Token { envs, .. } if !envs.is_empty())
    }

    /// Whether it is for a project, as far as what was shown goes; or for an env of it.
    pub fn is_for(&self, project: &str, env: Option<&str>) -> bool {
        match &self.credential {
            Credential::Token { envs, .. } if !envs.is_empty() => {
                envs.iter().any(|(own, named)| own == project && (named == "*" || env.is_none_or(|env| env == named)))
            }
            _ => true,
        }
    }

    /// A standing, as far as what was shown goes.
    fn bounded(&self, standing: Standing, target: Target<'_>) -> Outcome<Standing> {
        let Credential::Token { level, envs, .. } = &self.credential else { return Ok(standing) };
        let standing = standing.at_most(*level);
        let not_for = || Problem::new(Code::Forbidden, "the token is not for this").hint("it is for some envs alone");
        match target {
            _ if envs.is_empty() => Ok(standing),
            Target::Hub | Target::Org(_) => Err(not_for()),
            Target::Project(project, _) if !self.is_for(project, None) => Err(no_project(project)),
            Target::Project(project, Some(env)) if !self.is_for(project, Some(env)) => Err(not_for()),
            Target::Own | Target::Project(_, Some(_)) => Ok(standing),
            // What belongs to the whole project is changed by a token for the whole project.
            Target::Project(project, None) => {
                let is_whole = envs.iter().any(|(own, env)| own == project && env == "*");
                Ok(if is_whole { standing } else { standing.at_most(Level::Deploy) })
            }
        }
    }
}

impl Level {
    /// As it is kept and told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Deploy => "deploy",
            Self::Admin => "admin",
        }
    }

    /// The role in a project without which it would promise too much.
    pub const fn needs(self) -> ProjectRole {
        match self {
            Self::Read => ProjectRole::Viewer,
            Self::Deploy => ProjectRole::Deployer,
            Self::Admin => ProjectRole::Admin,
        }
    }

    pub(super) fn parse(text: &str) -> Outcome<Self> {
        let found = [Self::Read, Self::Deploy, Self::Admin].into_iter().find(|level| level.as_str() == text);
        found
            .ok_or_else(|| Problem::internal(format!("the store has the level {text:?}, which this Hub does not know")))
    }
}

impl Credential {
    /// For people.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::First => "first token",
            Self::Session { .. } => "session",
            Self::Token { .. } => "token",
        }
    }
}

/// There is none, or the caller is not in it.
pub(super) fn no_org(org: &str) -> Box<Problem> {
    Problem::new(Code::NotFound, format!("there is no org {org:?}")).hint("`stk org list` shows those that you are in")
}
