//! The second factor of an operator: set up, confirmed, ended; and its codes, each of which is taken once.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    wire::Sealed,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    deed,
    totp::{Secret, recovery_codes, recovery_hash},
};
use crate::{
    app::{
        App,
        answers::credentials::{Enrolment, RecoveryCodes},
        authority::Who,
    },
    store::{
        Db,
        audit::{Caller, Detail},
        commit,
        operators::{self, ProofRow},
        personal_tokens, sessions,
    },
};

/// The body of setting one up.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolBody {
    password: Sealed,
}

/// A body that is a code.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeBody {
    code: Sealed,
}

/// The body of ending one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DisableBody {
    password: Sealed,
    code: Sealed,
}

impl App {
    /// Begins to set up a second factor: its secret is shown once, and nothing is asked for until it is confirmed.
    pub async fn enrol_mfa(&self, caller: &Caller, who: &Who, body: EnrolBody) -> Outcome<Enrolment> {
        let proof = self.prove(caller, who, &body.password).await?;
        let secret = Secret::generate()?;
        let sealed = self.seal(&context(&proof.id), &secret.text())?;
        let mut db = self.store.write().await?;
        let row = operators::by_id(&mut db, &proof.id).await?;
        let account = row.map(|row| row.email.unwrap_or(row.name)).unwrap_or_default();
        if !operators::set_totp(&mut db, &proof.id, &sealed).await? {
            return Err(Problem::new(Code::Conflict, "there is a second factor already")
                .hint("`stk mfa disable` ends it, with a code of it"));
        }
        deed(&mut db, caller, "mfa.enrol", Detail::none()).await?;
        commit(db).await?;
        Ok(Enrolment { secret: secret.text(), uri: secret.uri(&account) })
    }

    /// Confirms it with a code of it. From now on logins need one; the session that confirms has shown it.
    pub async fn confirm_mfa(&self, caller: &Caller, who: &Who, body: CodeBody) -> Outcome<RecoveryCodes> {
        self.attempt_account(&who.operator)?;
        let mut db = self.store.write().await?;
        let proof = operators::proof(&mut db, &who.operator).await?;
        let proof =
            proof.filter(|proof| proof.totp.is_some() && proof.totp_confirmed_at.is_none()).ok_or_else(|| {
                Problem::new(Code::Conflict, "there is no second factor to confirm").hint("`stk mfa enrol` begins one")
            })?;
        if !self.takes_code(&mut db, &proof, &body.code).await? {
            return Err(Problem::new(Code::BadRequest, "the code is not the one of now")
                .hint("check the clocks of this machine and of the authenticator, and send the next code"));
        }
        let codes = recovery_codes()?;
        let hashes: Vec<String> = codes.iter().map(|code| recovery_hash(code.expose()).to_string()).collect();
        operators::confirm_totp(&mut db, &proof.id, &self.now(), &hashes).await?;
        if let Some(session) = who.session() {
            sessions::set_second_factor(&mut db, session).await?;
            // Those who were in without it log in again.
            sessions::end_others(&mut db, &proof.id, Some(session)).await?;
        }
        deed(&mut db, caller, "mfa.confirm", Detail::none()).await?;
        commit(db).await?;
        self.logins.accounts.succeed(&who.operator);
        Ok(RecoveryCodes { recovery_codes: codes })
    }

    /// Ends it. Nothing that was made by it counts as proven any more.
    pub async fn disable_mfa(&self, caller: &Caller, who: &Who, body: DisableBody) -> Outcome<()> {
        let proof = self.prove(caller, who, &body.password).await?;
        if proof.totp_confirmed_at.is_none() {
            return Err(Problem::new(Code::Conflict, "there is no second factor"));
        }
        self.attempt_account(&who.operator)?;
        let mut db = self.store.write().await?;
        if !self.takes_code(&mut db, &proof, &body.code).await? {
            return Err(self.not_proven(caller, "code"));
        }
        operators::clear_totp(&mut db, &proof.id).await?;
        sessions::clear_second_factor(&mut db, &proof.id).await?;
        personal_tokens::clear_second_factor(&mut db, &proof.id).await?;
        deed(&mut db, caller, "mfa.disable", Detail::none()).await?;
        commit(db).await?;
        self.logins.accounts.succeed(&who.operator);
        Ok(())
    }

    /// Whether a code is one of now and was not taken before, or a recovery code that is left. It is taken with it.
    pub(super) async fn takes_code(&self, db: &mut Db, proof: &ProofRow, code: &Sealed) -> Outcome<bool> {
        let Some(sealed) = &proof.totp else { return Ok(false) };
        let secret = Secret::of(&self.unseal(&context(&proof.id), sealed)?)?;
        let code = code.expose().trim();
        match secret.step_of(code, self.clock.now().timestamp(), proof.totp_step) {
            // Another request may have taken it since.
            Some(step) => Ok(operators::use_step(db, &proof.id, step).await?),
            None => Ok(operators::use_recovery(db, &proof.id, recovery_hash(code).as_str()).await?),
        }
    }
}

fn context(operator: &str) -> String {
    format!("totp/{operator}")
}
