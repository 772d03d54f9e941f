//! Teams of an org: members of it who are given a role in projects together.

use super::{
    App,
    answers::people::{Members, NewTeam, Team, TeamMember, Teams},
    login::deed,
    orgs::shown,
    projects::{bad_name, full, missing},
};
use crate::store::{
    Db,
    audit::{Caller, Detail, name as named},
    commit, members, orgs,
};
use santokit_core::{
    code::Code,
    name,
    problem::{Outcome, Problem},
};

const TEAMS_MAX: i64 = 100;

impl App {
    /// Makes a team.
    pub async fn create_team(&self, caller: &Caller, org: &str, team: &str) -> Outcome<NewTeam> {
        name::check_label("a team's name", team).map_err(|error| bad_name(&error))?;
        let mut db = self.store.write().await?;
        if orgs::count_teams(&mut db, org).await? >= TEAMS_MAX {
            return Err(full("teams", TEAMS_MAX, "teams in the org"));
        }
        if !orgs::add_team(&mut db, org, team).await? {
            return Err(Problem::new(Code::Conflict, format!("team {team:?} exists already")));
        }
        deed(&mut db, caller, "team.create", of(org, team)).await?;
        commit(db).await?;
        Ok(NewTeam { org: org.to_owned(), name: team.to_owned() })
    }

    /// The teams of an org.
    pub async fn teams(&self, org: &str) -> Outcome<Teams> {
        let rows = orgs::teams(&mut *self.store.read().await?, org).await?;
        Ok(Teams { teams: rows.into_iter().map(|(name, created_at)| Team { name, created_at }).collect() })
    }

    /// Removes a team; its members lose what they had by it.
    pub async fn delete_team(&self, caller: &Caller, org: &str, team: &str) -> Outcome<()> {
        let mut db = self.store.write().await?;
        if !orgs::delete_team(&mut db, org, team).await? {
            return Err(missing("team", team));
        }
        deed(&mut db, caller, "team.delete", of(org, team)).await?;
        Ok(commit(db).await?)
    }

    /// The members of a team.
    pub async fn team_members(&self, org: &str, team: &str) -> Outcome<Members> {
        let mut db = self.store.read().await?;
        need_team(&mut db, org, team).await?;
        let rows = members::of_team(&mut db, org, team).await?;
        Ok(Members { members: rows.into_iter().map(shown).collect() })
    }

    /// Puts a member of the org into a team.
    pub async fn add_to_team(&self, caller: &Caller, (org, team): (&str, &str), operator: &str) -> Outcome<TeamMember> {
        let mut db = self.store.write().await?;
        need_team(&mut db, org, team).await?;
        if members::org_role(&mut db, org, operator).await?.is_none() {
            return Err(missing("member", operator));
        }
        members::add_to_team(&mut db, org, team, operator).await?;
        deed(&mut db, caller, "team.add", of(org, team).with("operator", named(operator))).await?;
        commit(db).await?;
        Ok(TeamMember { team: team.to_owned(), operator: operator.to_owned() })
    }

    /// Takes somebody out of a team.
    pub async fn remove_from_team(&self, caller: &Caller, (org, team): (&str, &str), operator: &str) -> Outcome<()> {
        let mut db = self.store.write().await?;
        need_team(&mut db, org, team).await?;
        if !members::remove_from_team(&mut db, org, team, operator).await? {
            return Err(missing("member", operator));
        }
        deed(&mut db, caller, "team.remove", of(org, team).with("operator", named(operator))).await?;
        Ok(commit(db).await?)
    }
}

/// Fails where the org has no such team.
pub(super) async fn need_team(db: &mut Db, org: &str, team: &str) -> Outcome<()> {
    if orgs::has_team(db, org, team).await? { Ok(()) } else { Err(missing("team", team)) }
}

fn of(org: &str, team: &str) -> Detail {
    Detail::of("org", named(org)).with("team", named(team))
}
