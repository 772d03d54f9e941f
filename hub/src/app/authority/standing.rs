//! What an operator is to an org or a project, of all that it was given.

use santokit_core::problem::{Outcome, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Level, Role};
use crate::store::{Db, members, orgs};

/// A role in an org; the later, the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrgRole {
    /// Is in it, and no more.
    Member,
    /// Runs it.
    Admin,
    /// Also says who runs it.
    Owner,
}

/// A role in a project; the later, the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProjectRole {
    /// Reads, and no secrets.
    Viewer,
    /// Changes what an env runs.
    Deployer,
    /// Changes envs, connections, secrets, keys and members.
    Admin,
}

/// What an operator is to a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is an owner of the first org.
    pub runs_hub: bool,
    /// In the target's org.
    pub org: Option<OrgRole>,
    /// In the target itself.
    pub project: Option<ProjectRole>,
}

impl Standing {
    /// To the Hub itself.
    pub(super) async fn to_hub(db: &mut Db, operator: &str) -> Outcome<Self> {
        let in_first = Self::to_org(db, operator, orgs::FIRST).await?;
        Ok(Self { runs_hub: in_first.org == Some(OrgRole::Owner), ..Self::default() })
    }

    /// To an org.
    pub(super) async fn to_org(db: &mut Db, operator: &str, org: &str) -> Outcome<Self> {
        let role = members::org_role(db, org, operator).await?;
        Ok(Self { org: role.as_deref().map(OrgRole::parse).transpose()?, ..Self::default() })
    }

    /// To a project of an org. A role that was given in the project stands before those of teams, of which the highest counts,
    /// and those before the one that the org gives. Who is not in the org has none.
    pub(super) async fn to_project(db: &mut Db, operator: &str, org: &str, project: &str) -> Outcome<Self> {
        let given = members::project_roles(db, org, project, operator).await?;
        let Some(in_org) = given.in_org.as_deref().map(OrgRole::parse).transpose()? else {
            return Ok(Self::default());
        };
        let own = given.own.as_deref().map(ProjectRole::parse).transpose()?;
        let of_teams = given.of_teams.iter().map(|role| ProjectRole::parse(role)).collect::<Outcome<Vec<_>>>()?;
        let inherited = (in_org >= OrgRole::Admin).then_some(ProjectRole::Admin);
        let project = own.or(of_teams.into_iter().max()).or(inherited);
        Ok(Self { runs_hub: false, org: Some(in_org), project })
    }

    /// No more than a token of this level may have.
    pub(super) fn at_most(self, level: Level) -> Self {
        let most = match level {
            Level::Admin => return self,
            Level::Deploy => ProjectRole::Deployer,
            Level::Read => ProjectRole::Viewer,
        };
        let org = self.org.map(|role| role.min(OrgRole::Member));
        Self { runs_hub: false, org, project: self.project.map(|role| role.min(most)) }
    }

    /// Every role of the table that this is.
    pub(super) fn roles(self) -> impl Iterator<Item = Role> {
        let org = self.org.map(|role| match role {
            OrgRole::Owner => Role::OrgOwner,
            OrgRole::Admin => Role::OrgAdmin,
            OrgRole::Member => Role::OrgMember,
        });
        let project = self.project.map(|role| match role {
            ProjectRole::Admin => Role::ProjectAdmin,
            ProjectRole::Deployer => Role::ProjectDeployer,
            ProjectRole::Viewer => Role::ProjectViewer,
        });
        [Some(Role::Operator), self.runs_hub.then_some(Role::HubOwner), org, project].into_iter().flatten()
    }
}

impl OrgRole {
    /// As it is kept and told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// The highest first.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Admin, Self::Member];

    pub(in crate::app) fn parse(text: &str) -> Outcome<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| unknown(text))
    }
}

impl ProjectRole {
    /// As it is kept and told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Deployer => "deployer",
            Self::Viewer => "viewer",
        }
    }

    /// The highest first.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Deployer, Self::Viewer];

    fn parse(text: &str) -> Outcome<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| unknown(text))
    }
}

/// A role of a newer Hub, or a damage: nobody may more for it.
fn unknown(role: &str) -> Box<Problem> {
    Problem::internal(format!("the store has the role {role:?}, which this Hub does not know"))
}
