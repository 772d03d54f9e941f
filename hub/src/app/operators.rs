//! The operators of a Hub, as its owners see them: who there is, and who may not work any more.

use super::{
    App,
    answers::people::{Operator, Operators},
    authority::Who,
    login::deed,
    orgs::need_other_owner,
    projects::missing,
};
use crate::store::{
    Db,
    audit::{Caller, Detail, name},
    commit, credentials, members,
    operators::{self, OperatorRow},
    personal_tokens, sessions,
};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
};

impl App {
    /// All operators.
    pub async fn operators(&self) -> Outcome<Operators> {
        let rows = operators::list(&mut *self.store.read().await?).await?;
        Ok(Operators { operators: rows.into_iter().map(shown).collect() })
    }

    /// From now on an operator may do nothing: sessions and tokens end, roles stay for when it may work again.
    pub async fn disable_operator(&self, caller: &Caller, who: &Who, id: &str) -> Outcome<Operator> {
        let mut db = self.store.write().await?;
        need_operator(&mut db, id).await?;
        if id == who.operator || credentials::first_operator(&mut db).await?.as_deref() == Some(id) {
            return Err(Problem::new(Code::Conflict, "neither yourself nor the Hub's first operator"));
        }
        for (org, role) in members::orgs_of(&mut db, id).await? {
            if role == "owner" {
                need_other_owner(&mut db, &org, id).await?;
            }
        }
        operators::set_disabled(&mut db, id, Some(&self.now())).await?;
        sessions::end_others(&mut db, id, None).await?;
        personal_tokens::revoke_all(&mut db, id, &self.now()).await?;
        deed(&mut db, caller, "operator.disable", Detail::of("operator", name(id))).await?;
        let row = need_operator(&mut db, id).await?;
        commit(db).await?;
        Ok(shown(row))
    }

    /// An operator may work again; it logs in anew.
    pub async fn enable_operator(&self, caller: &Caller, id: &str) -> Outcome<Operator> {
        let mut db = self.store.write().await?;
        need_operator(&mut db, id).await?;
        operators::set_disabled(&mut db, id, None).await?;
        deed(&mut db, caller, "operator.enable", Detail::of("operator", name(id))).await?;
        let row = need_operator(&mut db, id).await?;
        commit(db).await?;
        Ok(shown(row))
    }
}

pub(super) async fn need_operator(db: &mut Db, id: &str) -> Outcome<OperatorRow> {
    operators::by_id(db, id).await?.ok_or_else(|| missing("operator", id))
}

fn shown(row: OperatorRow) -> Operator {
    let OperatorRow { id, email, name, created_at, disabled_at } = row;
    Operator { id, email, name, created_at, disabled_at }
}
