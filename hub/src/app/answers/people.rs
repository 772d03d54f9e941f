//! Operators, orgs, teams and invites.

use santokit_core::wire::Sealed;
use schemars::JsonSchema;
use serde::Serialize;

/// An operator of the Hub.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operator {
    /// `op_…`.
    pub id: String,
    /// None: it is the one of the Hub's first token.
    pub email: Option<String>,
    /// For people.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// Since when it may not work any more.
    pub disabled_at: Option<String>,
}

/// All operators.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Operators {
    /// In the order in which they were made.
    pub operators: Vec<Operator>,
}

/// What somebody is in an org.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OrgRow {
    /// The org's name.
    pub name: String,
    /// `owner`, `admin` or `member`.
    pub role: String,
}

/// The orgs that who asks is in.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Orgs {
    /// By name.
    pub orgs: Vec<OrgRow>,
}

/// An org that was made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewOrg {
    /// Its name.
    pub name: String,
    /// What who made it is in it: `owner`.
    pub role: String,
    /// When it was made.
    pub created_at: String,
}

/// Somebody with a role.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Member {
    /// `op_…`.
    pub operator: String,
    /// None: it is the one of the Hub's first token.
    pub email: Option<String>,
    /// For people.
    pub name: String,
    /// In an org or a team of it `owner`, `admin` or `member`, in a project `admin`, `deployer` or `viewer`.
    pub role: String,
}

/// The members of an org or of a team.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Members {
    /// By email.
    pub members: Vec<Member>,
}

/// What a member of an org is now.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OrgMember {
    /// `op_…`.
    pub operator: String,
    /// `owner`, `admin` or `member`.
    pub role: String,
}

/// A team that was made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NewTeam {
    /// Its org.
    pub org: String,
    /// Its name.
    pub name: String,
}

/// A team of an org.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Team {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: String,
}

/// The teams of an org.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Teams {
    /// By name.
    pub teams: Vec<Team>,
}

/// Somebody who is in a team now.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TeamMember {
    /// The team's name.
    pub team: String,
    /// `op_…`.
    pub operator: String,
}

/// A team with a role in a project.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProjectTeam {
    /// The team's name.
    pub team: String,
    /// `admin`, `deployer` or `viewer`.
    pub role: String,
}

/// Who was given a role in a project itself.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProjectMembers {
    /// One by one.
    pub members: Vec<Member>,
    /// Together.
    pub teams: Vec<ProjectTeam>,
}

/// What somebody is in a project now.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProjectMember {
    /// `op_…`, or `team:NAME`.
    pub member: String,
    /// `admin`, `deployer` or `viewer`.
    pub role: String,
}

/// An invite, without its secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invite {
    /// `inv_…`.
    pub id: String,
    /// Into which org.
    pub org: String,
    /// As what in it.
    pub role: String,
    /// Also into a project of it.
    pub project: Option<String>,
    /// As what in that.
    pub project_role: Option<String>,
    /// Who may use it.
    pub email: String,
    /// `op_…`.
    pub invited_by: String,
    /// When it was made.
    pub created_at: String,
    /// Until when it can be used.
    pub expires_at: String,
}

/// An invite that was made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NewInvite {
    /// All but the secret.
    #[serde(flatten)]
    pub shown: Invite,
    /// The secret, which is shown once.
    pub invite: Sealed,
}

/// Invites that nobody has used.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Invites {
    /// The newest first.
    pub invites: Vec<Invite>,
}

/// Who was invited, and is an operator now.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Joined {
    /// `op_…`.
    pub id: String,
    /// What it logs in with.
    pub email: String,
    /// For people.
    pub name: String,
    /// The org that it is in.
    pub org: String,
    /// As what.
    pub role: String,
}

/// What an invite gave to who was an operator already.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The org.
    pub org: String,
    /// As what in it.
    pub role: String,
    /// Also a project of it.
    pub project: Option<String>,
    /// As what in that.
    pub project_role: Option<String>,
}

/// The first operator with a password.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FirstOwner {
    /// `op_…`.
    pub id: String,
    /// What it logs in with.
    pub email: String,
    /// For people.
    pub name: String,
    /// The orgs that it is in.
    pub orgs: Vec<OrgRow>,
}

/// A code with which somebody sets a new password.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetCode {
    /// `op_…`.
    pub operator: String,
    /// Whose it is.
    pub email: String,
    /// Shown once.
    pub code: Sealed,
    /// Until when it can be used.
    pub expires_at: String,
}

/// Who has a new password, and logs in with it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Recovered {
    /// `op_…`.
    pub id: String,
    /// What it logs in with.
    pub email: String,
}
