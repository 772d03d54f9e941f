//! The operators of a Hub, as its owners see them: who there is, and who may not work any more.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
};
use serde_json::{Value as Json, json};

use super::{App, authority::Who, login::deed, orgs::need_other_owner, projects::missing};
use crate::store::{
    Db,
    audit::{Caller, Detail, name},
    commit, credentials, members,
    operators::{self, OperatorRow},
    personal_tokens, sessions,
};

impl App {
    /// All operators.
    pub async fn operators(&self) -> Outcome<Json> {
        let rows = operators::list(&mut *self.store.read().await?).await?;
        Ok(json!({"operators": rows.iter().map(shown).collect::<Vec<_>>()}))
    }

    /// From now on an operator may do nothing: sessions and tokens end, roles stay for when it may work again.
    pub async fn disable_operator(&self, caller: &Caller, who: &Who, id: &str) -> Outcome<Json> {
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
        Ok(shown(&row))
    }

    /// An operator may work again; it logs in anew.
    pub async fn enable_operator(&self, caller: &Caller, id: &str) -> Outcome<Json> {
        let mut db = self.store.write().await?;
        need_operator(&mut db, id).await?;
        operators::set_disabled(&mut db, id, None).await?;
        deed(&mut db, caller, "operator.enable", Detail::of("operator", name(id))).await?;
        let row = need_operator(&mut db, id).await?;
        commit(db).await?;
        Ok(shown(&row))
    }
}

pub(super) async fn need_operator(db: &mut Db, id: &str) -> Outcome<OperatorRow> {
    operators::by_id(db, id).await?.ok_or_else(|| missing("operator", id))
}

fn shown(row: &OperatorRow) -> Json {
    json!({
        "id": row.id, "email": row.email, "name": row.name, "createdAt": row.created_at, "disabledAt": row.disabled_at,
    })
}
