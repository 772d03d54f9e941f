//! `/v1/orgs/*` and the members of projects: who is in what, and as what.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
};
use santokit_core::release::ceilings::Ceilings as Most;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    answer::{Answer, Created, NoContent, gone, made, ok},
    guarded::Guarded,
    operator::Named,
    respond::{Body, Refused},
};
use crate::{
    app::{
        App,
        answers::{
            people::{
                Invites, Members, NewInvite, NewOrg, NewTeam, OrgMember, Orgs, ProjectMember, ProjectMembers,
                TeamMember, Teams,
            },
            projects::{Ceilings, Protection},
        },
        authority::{Action as A, Who},
        invites::{OrgInviteBody, ProjectInviteBody},
        members::ProjectRoleBody,
        orgs::OrgRoleBody,
    },
    store::{audit::Caller, ceilings::Holder},
};

type Reply<T> = Result<T, Refused>;
type Hub = State<Arc<App>>;
type By = Extension<Caller>;
type Asking = Extension<Who>;
type InOrg = Path<(String, String)>;
type InTeam = Path<(String, String, String)>;

/// A body that says whether an env is protected.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtectionBody {
    protected: bool,
}

pub(super) fn add(routes: Guarded) -> Guarded {
    let org = |rest: &str| format!("/v1/orgs/{{org}}{rest}");
    let project = |rest: &str| format!("/v1/projects/{{project}}{rest}");
    routes
        .post("/v1/orgs", A::OrgCreate, create)
        .get("/v1/orgs", A::OrgList, list)
        .delete(&org(""), A::OrgDelete, delete)
        .get(&org("/ceilings"), A::OrgCeilingsRead, ceilings)
        .put(&org("/ceilings"), A::OrgCeilingsSet, set_ceilings)
        .delete(&org("/ceilings"), A::OrgCeilingsClear, clear_ceilings)
        .get(&org("/members"), A::MemberList, members)
        .put(&org("/members/{operator}"), A::MemberSet, set_member)
        .delete(&org("/members/{operator}"), A::MemberRemove, remove_member)
        .post(&org("/invites"), A::InviteCreate, invite)
        .get(&org("/invites"), A::InviteList, invites)
        .delete(&org("/invites/{id}"), A::InviteDelete, delete_invite)
        .post(&org("/teams"), A::TeamCreate, create_team)
        .get(&org("/teams"), A::TeamList, teams)
        .delete(&org("/teams/{team}"), A::TeamDelete, delete_team)
        .get(&org("/teams/{team}/members"), A::TeamRead, team_members)
        .put(&org("/teams/{team}/members/{operator}"), A::TeamAdd, add_to_team)
        .delete(&org("/teams/{team}/members/{operator}"), A::TeamRemove, remove_from_team)
        .get(&project("/members"), A::ProjectMemberList, project_members)
        .put(&project("/members/{member}"), A::ProjectMemberSet, set_project_member)
        .delete(&project("/members/{member}"), A::ProjectMemberRemove, remove_project_member)
        .post(&project("/invites"), A::ProjectMemberInvite, invite_to_project)
        .put(&project("/envs/{env}/protection"), A::EnvProtect, protect)
}

/// `POST /v1/orgs`
pub async fn create(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Body(body): Body<Named>,
) -> Reply<Created<NewOrg>> {
    made(app.create_org(&by, &who, &body.name).await)
}

/// `GET /v1/orgs`
pub async fn list(State(app): Hub, Extension(who): Asking) -> Reply<Answer<Orgs>> {
    ok(app.orgs(&who).await)
}

/// `DELETE /v1/orgs/{org}`
pub async fn delete(State(app): Hub, Extension(by): By, Path(org): Path<String>) -> Reply<NoContent> {
    gone(app.delete_org(&by, &org).await)
}

/// `GET /v1/orgs/{org}/ceilings`
pub async fn ceilings(State(app): Hub, Path(org): Path<String>) -> Reply<Answer<Ceilings>> {
    ok(app.ceilings(Holder::Org(&org)).await)
}

/// `PUT /v1/orgs/{org}/ceilings`
pub async fn set_ceilings(
    State(app): Hub,
    Extension(by): By,
    Path(org): Path<String>,
    Body(body): Body<Most>,
) -> Reply<Answer<Ceilings>> {
    ok(app.set_ceilings(&by, Holder::Org(&org), body).await)
}

/// `DELETE /v1/orgs/{org}/ceilings`
pub async fn clear_ceilings(State(app): Hub, Extension(by): By, Path(org): Path<String>) -> Reply<NoContent> {
    gone(app.clear_ceilings(&by, Holder::Org(&org)).await)
}

/// `GET /v1/orgs/{org}/members`
pub async fn members(State(app): Hub, Path(org): Path<String>) -> Reply<Answer<Members>> {
    ok(app.org_members(&org).await)
}

/// `PUT /v1/orgs/{org}/members/{operator}`
pub async fn set_member(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Path((org, operator)): InOrg,
    Body(body): Body<OrgRoleBody>,
) -> Reply<Answer<OrgMember>> {
    ok(app.set_org_member(&by, &who, (&org, &operator), body).await)
}

/// `DELETE /v1/orgs/{org}/members/{operator}`
pub async fn remove_member(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Path((org, operator)): InOrg,
) -> Reply<NoContent> {
    gone(app.remove_org_member(&by, &who, (&org, &operator)).await)
}

/// `POST /v1/orgs/{org}/invites`
pub async fn invite(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Path(org): Path<String>,
    Body(body): Body<OrgInviteBody>,
) -> Reply<Created<NewInvite>> {
    made(app.invite_to_org(&by, &who, &org, body).await)
}

/// `GET /v1/orgs/{org}/invites`
pub async fn invites(State(app): Hub, Path(org): Path<String>) -> Reply<Answer<Invites>> {
    ok(app.invites(&org).await)
}

/// `DELETE /v1/orgs/{org}/invites/{id}`
pub async fn delete_invite(State(app): Hub, Extension(by): By, Path((org, id)): InOrg) -> Reply<NoContent> {
    gone(app.delete_invite(&by, &org, &id).await)
}

/// `POST /v1/orgs/{org}/teams`
pub async fn create_team(
    State(app): Hub,
    Extension(by): By,
    Path(org): Path<String>,
    Body(body): Body<Named>,
) -> Reply<Created<NewTeam>> {
    made(app.create_team(&by, &org, &body.name).await)
}

/// `GET /v1/orgs/{org}/teams`
pub async fn teams(State(app): Hub, Path(org): Path<String>) -> Reply<Answer<Teams>> {
    ok(app.teams(&org).await)
}

/// `DELETE /v1/orgs/{org}/teams/{team}`
pub async fn delete_team(State(app): Hub, Extension(by): By, Path((org, team)): InOrg) -> Reply<NoContent> {
    gone(app.delete_team(&by, &org, &team).await)
}

/// `GET /v1/orgs/{org}/teams/{team}/members`
pub async fn team_members(State(app): Hub, Path((org, team)): InOrg) -> Reply<Answer<Members>> {
    ok(app.team_members(&org, &team).await)
}

/// `PUT /v1/orgs/{org}/teams/{team}/members/{operator}`
pub async fn add_to_team(
    State(app): Hub,
    Extension(by): By,
    Path((org, team, operator)): InTeam,
) -> Reply<Answer<TeamMember>> {
    ok(app.add_to_team(&by, (&org, &team), &operator).await)
}

/// `DELETE /v1/orgs/{org}/teams/{team}/members/{operator}`
pub async fn remove_from_team(
    State(app): Hub,
    Extension(by): By,
    Path((org, team, operator)): InTeam,
) -> Reply<NoContent> {
    gone(app.remove_from_team(&by, (&org, &team), &operator).await)
}

/// `GET /v1/projects/{project}/members`
pub async fn project_members(State(app): Hub, Path(project): Path<String>) -> Reply<Answer<ProjectMembers>> {
    ok(app.project_members(&project).await)
}

/// `PUT /v1/projects/{project}/members/{member}`
pub async fn set_project_member(
    State(app): Hub,
    Extension(by): By,
    Path((project, member)): InOrg,
    Body(body): Body<ProjectRoleBody>,
) -> Reply<Answer<ProjectMember>> {
    ok(app.set_project_member(&by, (&project, &member), body).await)
}

/// `DELETE /v1/projects/{project}/members/{member}`
pub async fn remove_project_member(
    State(app): Hub,
    Extension(by): By,
    Path((project, member)): InOrg,
) -> Reply<NoContent> {
    gone(app.remove_project_member(&by, &project, &member).await)
}

/// `POST /v1/projects/{project}/invites`
pub async fn invite_to_project(
    State(app): Hub,
    Extension(by): By,
    Extension(who): Asking,
    Path(project): Path<String>,
    Body(body): Body<ProjectInviteBody>,
) -> Reply<Created<NewInvite>> {
    made(app.invite_to_project(&by, &who, &project, body).await)
}

/// `PUT /v1/projects/{project}/envs/{env}/protection`
pub async fn protect(
    State(app): Hub,
    Extension(by): By,
    Path((project, env)): InOrg,
    Body(body): Body<ProtectionBody>,
) -> Reply<Answer<Protection>> {
    ok(app.protect_env(&by, (&project, &env), body.protected).await)
}
