//! Orgs: made by the owners of the first one, run by their own owners and admins. There is always an owner, and only owners make
//! others one.

use santokit_core::{
    code::Code,
    name,
    problem::{Outcome, Problem},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    answers::people::{Member, Members, NewOrg, OrgMember, OrgRow, Orgs},
    authority::{self, Action, OrgRole, Target, Who},
    login::deed,
    projects::{bad_name, full, missing},
};
use crate::store::{
    Db,
    audit::{Caller, Detail, name as named},
    commit, envs, invites,
    members::{self, MemberRow},
    operators, orgs,
};

const ORGS_MAX: i64 = 1_000;

/// A body that is a role in an org.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgRoleBody {
    role: OrgRole,
}

impl App {
    /// Makes an org, of which who asks is the owner.
    pub async fn create_org(&self, caller: &Caller, who: &Who, org: &str) -> Outcome<NewOrg> {
        name::check_label("an org's name", org).map_err(|error| bad_name(&error))?;
        let (mut db, at) = (self.store.write().await?, self.now());
        if orgs::count(&mut db).await? >= ORGS_MAX {
            return Err(full("orgs", ORGS_MAX, "orgs"));
        }
        if !orgs::add(&mut db, org, &at).await? {
            return Err(Problem::new(Code::Conflict, format!("org {org:?} exists already")));
        }
        members::set_org_role(&mut db, org, &who.operator, OrgRole::Owner.as_str()).await?;
        deed(&mut db, caller, "org.create", Detail::of("org", named(org))).await?;
        commit(db).await?;
        Ok(NewOrg { name: org.to_owned(), role: OrgRole::Owner.as_str().to_owned(), created_at: at })
    }

    /// The orgs that who asks is in. A token that is for some envs alone shows none.
    pub async fn orgs(&self, who: &Who) -> Outcome<Orgs> {
        if who.is_bound() {
            return Ok(Orgs { orgs: Vec::new() });
        }
        let rows = members::orgs_of(&mut *self.store.read().await?, &who.operator).await?;
        Ok(Orgs { orgs: rows.into_iter().map(|(name, role)| OrgRow { name, role }).collect() })
    }

    /// Removes an org that has no project.
    pub async fn delete_org(&self, caller: &Caller, org: &str) -> Outcome<()> {
        let mut db = self.store.write().await?;
        if org == orgs::FIRST {
            return Err(Problem::new(Code::Conflict, "the first org cannot be removed: its owners run the Hub"));
        }
        if envs::count_projects(&mut db, org).await? > 0 {
            return Err(Problem::new(Code::Conflict, "the org has projects still"));
        }
        if !orgs::delete(&mut db, org).await? {
            return Err(authority::no_org(org));
        }
        deed(&mut db, caller, "org.delete", Detail::of("org", named(org))).await?;
        Ok(commit(db).await?)
    }

    /// The members of an org.
    pub async fn org_members(&self, org: &str) -> Outcome<Members> {
        let rows = members::of_org(&mut *self.store.read().await?, org).await?;
        Ok(Members { members: rows.into_iter().map(shown).collect() })
    }

    /// Changes what a member of an org is in it.
    pub async fn set_org_member(
        &self,
        caller: &Caller,
        who: &Who,
        (org, operator): (&str, &str),
        body: OrgRoleBody,
    ) -> Outcome<OrgMember> {
        let mut db = self.store.write().await?;
        let before = self.need_member(&mut db, who, org, operator).await?;
        if body.role == OrgRole::Owner {
            authority::authorise(&mut db, who, Action::OwnerSet, Target::Org(org)).await?;
        } else if before == OrgRole::Owner {
            need_other_owner(&mut db, org, operator).await?;
        }
        members::set_org_role(&mut db, org, operator, body.role.as_str()).await?;
        let detail = Detail::of("org", named(org)).with("operator", named(operator));
        let detail = detail.with("before", named(before.as_str())).with("role", named(body.role.as_str()));
        deed(&mut db, caller, "member.set", detail).await?;
        commit(db).await?;
        Ok(OrgMember { operator: operator.to_owned(), role: body.role.as_str().to_owned() })
    }

    /// Takes a member out of an org, its teams and projects.
    pub async fn remove_org_member(&self, caller: &Caller, who: &Who, (org, operator): (&str, &str)) -> Outcome<()> {
        let mut db = self.store.write().await?;
        if self.need_member(&mut db, who, org, operator).await? == OrgRole::Owner {
            need_other_owner(&mut db, org, operator).await?;
        }
        members::remove_from_org(&mut db, org, operator).await?;
        invites::delete_of(&mut db, org, operator).await?;
        let detail = Detail::of("org", named(org)).with("operator", named(operator));
        deed(&mut db, caller, "member.remove", detail).await?;
        Ok(commit(db).await?)
    }

    /// What somebody is in an org; fails where that is nothing, or an owner and who asks is none.
    async fn need_member(&self, db: &mut Db, who: &Who, org: &str, operator: &str) -> Outcome<OrgRole> {
        let role = members::org_role(db, org, operator).await?.ok_or_else(|| missing("member", operator))?;
        let role = OrgRole::parse(&role)?;
        if role == OrgRole::Owner {
            authority::authorise(db, who, Action::OwnerSet, Target::Org(org)).await?;
        }
        Ok(role)
    }
}

/// Fails where this is the only owner of an org who may work.
pub(super) async fn need_other_owner(db: &mut Db, org: &str, operator: &str) -> Outcome<()> {
    let may_work = operators::by_id(db, operator).await?.is_some_and(|row| row.disabled_at.is_none());
    if may_work && members::count_owners(db, org).await? <= 1 {
        return Err(Problem::new(Code::Conflict, format!("org {org:?} would have no owner"))
            .hint("make another member an owner first"));
    }
    Ok(())
}

/// A member as it is told.
pub(super) fn shown((operator, email, name, role): MemberRow) -> Member {
    Member { operator, email, name, role }
}
