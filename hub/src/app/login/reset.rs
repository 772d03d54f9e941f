//! Coming in again without the password or the second factor: an owner of the Hub, or who runs its machine, makes a code, and its operator
//! sets a new password with it, once, within a day. The second factor ends with it, and every session.

use chrono::TimeDelta;
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::Digest,
    wire::Sealed,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::deed;
use crate::{
    app::{
        App,
        answers::people::{Recovered, ResetCode},
        authority::Who,
        operators::need_operator,
        random_text,
    },
    clock::Clock,
    store::{
        Db, Writing,
        audit::{Caller, Detail, name},
        commit, operators, personal_tokens, resets, sessions,
    },
};

/// How codes begin.
const PREFIX: &str = "stk_rst_";
const VALID_FOR: TimeDelta = TimeDelta::hours(24);

/// The body of a new password for a code.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetBody {
    code: Sealed,
    password: Sealed,
}

/// A code that was made.
#[derive(Debug)]
pub struct Made {
    /// Shown once.
    pub code: Sealed,
    /// RFC 3339, UTC.
    pub expires_at: String,
    /// Whose it is.
    pub email: String,
}

/// Makes a code for an operator, in place of the one before.
pub(in crate::app) async fn make(db: &mut Writing, clock: &Clock, caller: &Caller, id: &str) -> Outcome<Made> {
    let row = need_operator(db, id).await?;
    let Some(email) = row.email else {
        return Err(Problem::new(Code::Conflict, "this operator has no email, and so no login")
            .hint("it comes in with the token that the Hub was started with"));
    };
    if row.disabled_at.is_some() {
        return Err(Problem::new(Code::Conflict, "this operator may do nothing")
            .hint(format!("let it work again first: `stk operator enable {email}`")));
    }
    let code = Sealed::new(format!("{PREFIX}{}", random_text()?));
    let (now, expires_at) = (clock.text_in(TimeDelta::zero()), clock.text_in(VALID_FOR));
    let hash = Digest::of(code.expose().as_bytes());
    resets::set(db, (id, hash.as_str()), &caller.actor_id, (&now, &expires_at)).await?;
    let detail = Detail::of("operator", name(id)).with("email", name(&email)).with("expiresAt", name(&expires_at));
    deed(db, caller, "operator.reset", detail).await?;
    Ok(Made { code, expires_at, email })
}

impl App {
    /// Makes a code for somebody else.
    pub async fn reset_operator(&self, caller: &Caller, who: &Who, id: &str) -> Outcome<ResetCode> {
        if id == who.operator {
            // Who has only somebody's session must not come in for good.
            return Err(Problem::new(Code::Conflict, "you are in")
                .hint("`stk login` again with the password; who has lost it asks another owner"));
        }
        let mut db = self.store.write().await?;
        let made = make(&mut db, &self.clock, caller, id).await?;
        commit(db).await?;
        let Made { code, expires_at, email } = made;
        Ok(ResetCode { operator: id.to_owned(), email, code, expires_at })
    }

    /// Sets a new password with a code. It opens no session: that takes a login.
    pub async fn reset_password(&self, caller: &Caller, body: ResetBody) -> Outcome<Recovered> {
        // Before a password is hashed: who has no code must not make the Hub work.
        let id = self.usable_code(&mut *self.store.read().await?, &body.code).await?;
        let row = need_operator(&mut *self.store.read().await?, &id).await?;
        let email = row.email.unwrap_or_default();
        let hash = self.logins.passwords.hash(&body.password, &email).await?;
        let mut db = self.store.write().await?;
        let id = self.usable_code(&mut db, &body.code).await?;
        resets::remove(&mut db, &id).await?;
        operators::set_password(&mut db, &id, &hash).await?;
        operators::clear_totp(&mut db, &id).await?;
        sessions::end_others(&mut db, &id, None).await?;
        personal_tokens::clear_second_factor(&mut db, &id).await?;
        let caller = Caller { actor_id: id.clone(), actor_type: "operator", ..caller.clone() };
        deed(&mut db, &caller, "operator.recover", Detail::of("email", name(&email))).await?;
        commit(db).await?;
        self.logins.accounts.succeed(&email);
        Ok(Recovered { id, email })
    }

    /// Whose code it is, if it can be used still. One that cannot is told as one that there never was.
    async fn usable_code(&self, db: &mut Db, code: &Sealed) -> Outcome<String> {
        let found = resets::by_hash(db, Digest::of(code.expose().as_bytes()).as_str()).await?;
        found.filter(|(_, expires_at)| *expires_at > self.now()).map(|(operator, _)| operator).ok_or_else(|| {
            Problem::new(Code::Unauthorized, "the code is not valid")
                .hint("it can be used once, within 24 hours, and another one ends it; ask for another")
        })
    }
}
