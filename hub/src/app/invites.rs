//! Invites: how people come into an org, and perhaps into a project of it. The secret is shown to who invites, once, and sent by
//! whatever means they have; it opens one membership, once, within a day.

use chrono::TimeDelta;
use santokit_core::{
    code::Code,
    id::Kind,
    problem::{Outcome, Problem},
    release::Digest,
    wire::Sealed,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    answers::people::{Accepted, Invite, Invites, Joined, NewInvite},
    authority::{self, Action, OrgRole, ProjectRole, Target, Who},
    login::{add_operator, check_name, deed, email},
    members::org_of,
    projects::{full, missing},
    random_text,
};
use crate::store::{
    Db,
    audit::{Caller, Detail, name},
    commit,
    invites::{self, InviteRow},
    members, operators,
};

const PREFIX: &str = "stk_inv_";
const VALID_FOR: TimeDelta = TimeDelta::hours(24);
const INVITES_MAX: usize = 100;

/// The body of an invite into an org.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgInviteBody {
    email: String,
    role: OrgRole,
}

/// The body of an invite into a project.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectInviteBody {
    email: String,
    role: ProjectRole,
}

/// Who was invited, and is no operator yet.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinBody {
    invite: Sealed,
    name: String,
    password: Sealed,
}

/// A body that is an invite, from who is an operator already.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptBody {
    invite: Sealed,
}

impl App {
    /// Invites into an org.
    pub async fn invite_to_org(
        &self,
        caller: &Caller,
        who: &Who,
        org: &str,
        body: OrgInviteBody,
    ) -> Outcome<NewInvite> {
        if body.role == OrgRole::Owner {
            authority::authorise(&mut *self.store.read().await?, who, Action::OwnerSet, Target::Org(org)).await?;
        }
        self.invite(caller, who, (org, body.role), None, &body.email).await
    }

    /// Invites into a project, and into its org as a member.
    pub async fn invite_to_project(
        &self,
        caller: &Caller,
        who: &Who,
        project: &str,
        body: ProjectInviteBody,
    ) -> Outcome<NewInvite> {
        let org = org_of(&mut *self.store.read().await?, project).await?;
        self.invite(caller, who, (&org, OrgRole::Member), Some((project, body.role)), &body.email).await
    }

    /// The invites into an org that can still be used, without their secrets.
    pub async fn invites(&self, org: &str) -> Outcome<Invites> {
        let rows = invites::open(&mut *self.store.read().await?, org, &self.now()).await?;
        Ok(Invites { invites: rows.into_iter().map(shown).collect() })
    }

    /// Takes an invite back.
    pub async fn delete_invite(&self, caller: &Caller, org: &str, id: &str) -> Outcome<()> {
        let mut db = self.store.write().await?;
        if !invites::delete(&mut db, org, id).await? {
            return Err(missing("invite", id));
        }
        deed(&mut db, caller, "invite.delete", Detail::of("org", name(org)).with("id", name(id))).await?;
        Ok(commit(db).await?)
    }

    /// Makes an operator of who was invited.
    pub async fn join(&self, caller: &Caller, body: JoinBody) -> Outcome<Joined> {
        check_name(&body.name)?;
        // Before a password is hashed: who has no invite must not make the Hub work.
        let row = self.usable(&mut *self.store.read().await?, &body.invite).await?;
        let hash = self.logins.passwords.hash(&body.password, &row.email).await?;
        let mut db = self.store.write().await?;
        let row = self.usable(&mut db, &body.invite).await?;
        if operators::has_email(&mut db, &row.email).await? {
            return Err(Problem::new(Code::Conflict, "there is an operator with this email")
                .hint("log in, then accept the invite: `stk login`, `stk org accept`"));
        }
        let id = add_operator(&mut db, &self.now(), &row.email, &body.name, &hash).await?;
        let caller = Caller { actor_id: id.clone(), actor_type: "operator", ..caller.clone() };
        self.enter(&mut db, &row, &id).await?;
        let detail = Detail::of("id", name(&row.id)).with("org", name(&row.org)).with("email", name(&row.email));
        deed(&mut db, &caller, "operator.create", detail).await?;
        commit(db).await?;
        Ok(Joined { id, email: row.email, name: body.name, org: row.org, role: row.org_role })
    }

    /// Takes an operator into the org that it was invited to.
    pub async fn accept(&self, caller: &Caller, who: &Who, body: AcceptBody) -> Outcome<Accepted> {
        let mut db = self.store.write().await?;
        let row = self.usable(&mut db, &body.invite).await?;
        let own = operators::by_id(&mut db, &who.operator).await?.and_then(|row| row.email);
        if own.as_deref() != Some(row.email.as_str()) {
            return Err(Problem::new(Code::Forbidden, "the invite is for another email"));
        }
        self.enter(&mut db, &row, &who.operator).await?;
        let detail = Detail::of("id", name(&row.id)).with("org", name(&row.org));
        deed(&mut db, caller, "invite.accept", detail).await?;
        commit(db).await?;
        Ok(Accepted { org: row.org, role: row.org_role, project: row.project, project_role: row.project_role })
    }

    async fn invite(
        &self,
        caller: &Caller,
        who: &Who,
        (org, org_role): (&str, OrgRole),
        project: Option<(&str, ProjectRole)>,
        to: &str,
    ) -> Outcome<NewInvite> {
        let row = InviteRow {
            id: Kind::Invite.generate(),
            org: org.to_owned(),
            org_role: org_role.as_str().to_owned(),
            project: project.map(|(project, _)| project.to_owned()),
            project_role: project.map(|(_, role)| role.as_str().to_owned()),
            email: email(to)?,
            invited_by: who.operator.clone(),
            created_at: self.now(),
            expires_at: self.clock.text_in(VALID_FOR),
            used_at: None,
        };
        let secret = format!("{PREFIX}{}", random_text()?);
        let mut db = self.store.write().await?;
        invites::forget(&mut db, org, &row.created_at).await?;
        if invites::open(&mut db, org, &row.created_at).await?.len() >= INVITES_MAX {
            return Err(full("invites", INVITES_MAX, "invites into the org that nobody has used"));
        }
        invites::add(&mut db, &row, Digest::of(secret.as_bytes()).as_str()).await?;
        let detail = Detail::of("id", name(&row.id))
            .with("org", name(org))
            .with("role", name(&row.org_role))
            .with("project", row.project.as_deref().map(name))
            .with("projectRole", row.project_role.as_deref().map(name))
            .with("email", name(&row.email));
        deed(&mut db, caller, "invite.create", detail).await?;
        commit(db).await?;
        Ok(NewInvite { shown: shown(row), invite: Sealed::new(secret) })
    }

    /// The invite of a secret, if it can be used still. One that cannot is told as one that there never was.
    async fn usable(&self, db: &mut Db, secret: &Sealed) -> Outcome<InviteRow> {
        let found = invites::by_hash(db, Digest::of(secret.expose().as_bytes()).as_str()).await?;
        found.filter(|row| row.used_at.is_none() && row.expires_at > self.now()).ok_or_else(|| {
            Problem::new(Code::Unauthorized, "the invite is not valid")
                .hint("it can be used once, within 24 hours; ask for another")
        })
    }

    /// Uses an invite up. What it gives is never less than what is there.
    async fn enter(&self, db: &mut Db, row: &InviteRow, operator: &str) -> Outcome<()> {
        if !invites::use_up(db, &row.id, &self.now()).await? {
            return Err(Problem::new(Code::Unauthorized, "the invite is not valid"));
        }
        let before = members::org_role(db, &row.org, operator).await?.map(|role| OrgRole::parse(&role)).transpose()?;
        let invited = OrgRole::parse(&row.org_role)?;
        if before.is_none_or(|before| before < invited) {
            members::set_org_role(db, &row.org, operator, invited.as_str()).await?;
        }
        if let (Some(project), Some(role)) = (&row.project, &row.project_role) {
            // The project is in the org still: there is no way to move one.
            members::set_project_operator(db, (&row.org, project), operator, role).await?;
        }
        Ok(())
    }
}

fn shown(row: InviteRow) -> Invite {
    Invite {
        id: row.id,
        org: row.org,
        role: row.org_role,
        project: row.project,
        project_role: row.project_role,
        email: row.email,
        invited_by: row.invited_by,
        created_at: row.created_at,
        expires_at: row.expires_at,
    }
}
