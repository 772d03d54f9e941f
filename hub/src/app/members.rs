//! Who was given a role in a project itself: members of its org, and teams of it. A role that is given here stands before the one
//! that the org gives, also where it is less.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    answers::{
        people::{ProjectMember, ProjectMembers, ProjectTeam},
        projects::Protection,
    },
    authority::ProjectRole,
    orgs::shown,
    projects::{missing, no_project},
    teams::need_team,
};
use crate::store::{
    Db,
    audit::{self, Caller, Deed, Detail, name},
    commit, envs, members,
};

/// How a team is named where an operator could be.
const TEAM: &str = "team:";

/// A body that is a role in a project.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectRoleBody {
    role: ProjectRole,
}

impl App {
    /// Who was given a role in a project.
    pub async fn project_members(&self, project: &str) -> Outcome<ProjectMembers> {
        let mut db = self.store.read().await?;
        let members = members::of_project(&mut db, project).await?.into_iter().map(shown).collect();
        let teams = members::teams_of_project(&mut db, project).await?;
        let teams = teams.into_iter().map(|(team, role)| ProjectTeam { team, role }).collect();
        Ok(ProjectMembers { members, teams })
    }

    /// Gives a member of the org, or a team of it (`team:NAME`), a role in a project.
    pub async fn set_project_member(
        &self,
        caller: &Caller,
        (project, member): (&str, &str),
        body: ProjectRoleBody,
    ) -> Outcome<ProjectMember> {
        let mut db = self.store.write().await?;
        let (org, role) = (org_of(&mut db, project).await?, body.role.as_str());
        if let Some(team) = member.strip_prefix(TEAM) {
            need_team(&mut db, &org, team).await?;
            members::set_project_team(&mut db, (&org, project), team, role).await?;
        } else if members::org_role(&mut db, &org, member).await?.is_some() {
            members::set_project_operator(&mut db, (&org, project), member, role).await?;
        } else {
            return Err(missing("member", member).hint("who is not in the org is invited: `stk project invite EMAIL`"));
        }
        let detail = Detail::of("member", name(member)).with("role", name(role));
        audit::append(&mut db, caller, &deed("projectmember.set", project, detail)).await?;
        commit(db).await?;
        Ok(ProjectMember { member: member.to_owned(), role: role.to_owned() })
    }

    /// Takes back what somebody was given in a project; what the org or a team gives stays.
    pub async fn remove_project_member(&self, caller: &Caller, project: &str, member: &str) -> Outcome<()> {
        let mut db = self.store.write().await?;
        let was_there = match member.strip_prefix(TEAM) {
            Some(team) => members::remove_project_team(&mut db, project, team).await?,
            None => members::remove_project_operator(&mut db, project, member).await?,
        };
        if !was_there {
            return Err(missing("member", member));
        }
        let detail = Detail::of("member", name(member));
        audit::append(&mut db, caller, &deed("projectmember.remove", project, detail)).await?;
        Ok(commit(db).await?)
    }

    /// From now on an env wants a second factor for what it runs, or does not any more.
    pub async fn protect_env(
        &self,
        caller: &Caller,
        (project, env): (&str, &str),
        is_protected: bool,
    ) -> Outcome<Protection> {
        let mut db = self.store.write().await?;
        if !envs::set_protected(&mut db, project, env, is_protected).await? {
            return Err(Problem::new(Code::NotFound, format!("project {project:?} has no env {env:?}"))
                .hint("make it with `stk env create`"));
        }
        let detail = Detail::of("protected", is_protected);
        let deed = Deed { action: "env.protect", project: Some(project), env: Some(env), detail };
        audit::append(&mut db, caller, &deed).await?;
        commit(db).await?;
        Ok(Protection { project: project.to_owned(), name: env.to_owned(), protected: is_protected })
    }
}

/// The org of a project that is there.
pub(super) async fn org_of(db: &mut Db, project: &str) -> Outcome<String> {
    envs::org_of(db, project).await?.ok_or_else(|| no_project(project))
}

fn deed<'a>(action: &'static str, project: &'a str, detail: Detail) -> Deed<'a> {
    Deed { action, project: Some(project), env: None, detail }
}
