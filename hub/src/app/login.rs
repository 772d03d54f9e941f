//! How operators come in: the first one by the Hub's own token, all by email, password and a second factor; and the sessions that
//! they then have. What a session shows is a random text of which the Hub keeps the hash, so that an end is an end at once.

use std::{net::IpAddr, time::Duration};

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
    answers::{
        credentials::{Oneself, SecondFactor, Session, Shown, WhoAmI},
        people::{FirstOwner, OrgRow},
    },
    authority::{Credential, OrgRole, Who},
    random_text,
};
use crate::store::{
    Db, Writing,
    audit::{self, Caller, Deed, Detail, name},
    commit, members,
    operators::{self, OperatorRow, ProofRow},
    orgs,
    sessions::{self, SessionRow},
};

pub mod back_off;
pub mod mfa;
pub mod passwords;
pub mod reset;
pub mod totp;

use back_off::BackOff;
use passwords::Passwords;

/// How access tokens begin.
pub const ACCESS: &str = "stk_at_";
const REFRESH: &str = "stk_rt_";
const ACCESS_FOR: TimeDelta = TimeDelta::hours(1);
/// Who does not come back for this long logs in again,
const REFRESH_FOR: TimeDelta = TimeDelta::days(7);
/// and so does everyone after this.
const SESSION_FOR: TimeDelta = TimeDelta::days(30);
/// Ended sessions are known for this long, so that a token of one is told from one that never was.
const SESSIONS_KEPT: TimeDelta = TimeDelta::days(7);
/// A login more ends the oldest session.
const SESSIONS_MAX: usize = 20;
const EMAIL_BYTES_MAX: usize = 254;
const NAME_CHARS_MAX: usize = 100;

/// What logins share.
#[derive(Debug)]
pub struct Logins {
    pub(super) passwords: Passwords,
    pub(super) accounts: BackOff,
    pub(super) addresses: BackOff,
}

/// The body of a login.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginBody {
    email: String,
    password: Sealed,
    /// Of an authenticator, or a recovery code.
    #[serde(default)]
    code: Option<Sealed>,
}

/// The body of the first owner.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BootstrapBody {
    email: String,
    name: String,
    password: Sealed,
}

/// A body that is a refresh token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefreshBody {
    refresh_token: Sealed,
}

/// The body of a new password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    current: Sealed,
    new: Sealed,
}

impl Logins {
    /// With nobody waiting.
    pub fn new() -> Outcome<Self> {
        let (accounts, addresses) = (BackOff::of_accounts(), BackOff::of_addresses());
        Ok(Self { passwords: Passwords::new()?, accounts, addresses })
    }
}

impl App {
    /// Makes the first operator with a password. The Hub's own token does this once; others are invited.
    pub async fn bootstrap(&self, caller: &Caller, body: BootstrapBody) -> Outcome<FirstOwner> {
        let email = email(&body.email)?;
        check_name(&body.name)?;
        let hash = self.logins.passwords.hash(&body.password, &email).await?;
        let mut db = self.store.write().await?;
        if operators::has_password(&mut db).await? {
            return Err(Problem::new(Code::Conflict, "there is an owner already")
                .hint("log in with `stk login`, or ask an owner for an invite"));
        }
        let id = add_operator(&mut db, &self.clock.text_in(TimeDelta::zero()), &email, &body.name, &hash).await?;
        members::set_org_role(&mut db, orgs::FIRST, &id, OrgRole::Owner.as_str()).await?;
        deed(&mut db, caller, "operator.bootstrap", Detail::of("operator", name(&id)).with("email", name(&email)))
            .await?;
        commit(db).await?;
        let first = OrgRow { name: orgs::FIRST.to_owned(), role: OrgRole::Owner.as_str().to_owned() };
        Ok(FirstOwner { id, email, name: body.name, orgs: vec![first] })
    }

    /// Opens a session. An unknown account, one that is disabled and a wrong password are one answer, after the same work.
    pub async fn login(&self, caller: &Caller, body: LoginBody) -> Outcome<Session> {
        let email = email(&body.email).unwrap_or_default();
        let address = address_key(caller.ip.as_deref());
        self.attempt(&email, &address)?;
        let proof = operators::proof_by_email(&mut *self.store.read().await?, &email).await?;
        let hash = proof.as_ref().and_then(|proof| proof.password.clone());
        let is_right = self.is_right(&body.password, hash).await?;
        let proof = match proof {
            Some(proof) if is_right => proof,
            _ => return Err(self.failed(caller, "password")),
        };
        let has_totp = proof.totp_confirmed_at.is_some();
        let mut db = self.store.write().await?;
        if has_totp {
            let Some(code) = &body.code else {
                // Half of it was right: it counts as no failure, and as no success.
                self.logins.addresses.excuse(&address);
                self.logins.accounts.excuse(&email);
                return Err(Problem::new(Code::Unauthorized, "a code of the second factor is needed")
                    .hint("send `code`: what the authenticator shows, or a recovery code")
                    .detail("needs", "code"));
            };
            if !self.takes_code(&mut db, &proof, code).await? {
                return Err(self.failed(caller, "code"));
            }
        }
        self.logins.accounts.succeed(&email);
        self.logins.addresses.excuse(&address);
        let answer = self.open_session(&mut db, &proof.id, has_totp).await?;
        let caller = Caller { actor_id: proof.id, actor_type: "operator", ..caller.clone() };
        let detail = Detail::of("session", name(&answer.session));
        deed(&mut db, &caller, "operator.login", detail.with("secondFactor", has_totp)).await?;
        commit(db).await?;
        Ok(answer)
    }

    /// Gives new tokens for a refresh token, which is used up. One that was used before was stolen, by who used it then or by who
    /// uses it now: its session ends.
    pub async fn refresh(&self, caller: &Caller, body: RefreshBody) -> Outcome<Session> {
        let hash = Digest::of(body.refresh_token.expose().as_bytes());
        let mut db = self.store.write().await?;
        let found = sessions::token(&mut db, "refresh", hash.as_str()).await?;
        let row = found.filter(|row| row.expires_at > self.now()).ok_or_else(|| {
            Problem::new(Code::Unauthorized, "the refresh token is not valid").hint("log in again: `stk login`")
        })?;
        let caller = Caller { actor_id: row.operator.clone(), actor_type: "operator", ..caller.clone() };
        let detail = Detail::of("session", name(&row.session));
        if !sessions::use_token(&mut db, hash.as_str()).await? {
            sessions::end(&mut db, &row.session).await?;
            deed(&mut db, &caller, "session.reuse", detail).await?;
            commit(db).await?;
            tracing::warn!(requestId = caller.request_id, operator = row.operator, "a refresh token was used twice");
            return Err(Problem::new(Code::Unauthorized, "the refresh token was used before: its session is ended")
                .hint("log in again: `stk login`; if it was not you who used it twice, somebody has read it"));
        }
        let answer = self.tokens_of(&mut db, &row.session, row.second_factor == 1).await?;
        deed(&mut db, &caller, "session.refresh", detail).await?;
        commit(db).await?;
        Ok(answer)
    }

    /// Ends the session that asks.
    pub async fn logout(&self, caller: &Caller, who: &Who) -> Outcome<()> {
        let Credential::Session { id, .. } = &who.credential else {
            return Err(Problem::new(Code::BadRequest, "there is no session to end")
                .hint("a token is revoked with `stk token revoke`"));
        };
        let mut db = self.store.write().await?;
        sessions::end(&mut db, id).await?;
        deed(&mut db, caller, "operator.logout", Detail::of("session", name(id))).await?;
        Ok(commit(db).await?)
    }

    /// Who asks, and as what.
    pub async fn whoami(&self, who: &Who) -> Outcome<WhoAmI> {
        let mut db = self.store.read().await?;
        let row = operators::by_id(&mut db, &who.operator).await?.ok_or_else(|| Problem::internal("no operator"))?;
        let proof = operators::proof(&mut db, &who.operator).await?;
        let has_totp = proof.is_some_and(|proof| proof.totp_confirmed_at.is_some());
        let left = operators::count_recovery(&mut db, &who.operator).await?;
        let orgs = if who.is_bound() { Vec::new() } else { members::orgs_of(&mut db, &who.operator).await? };
        Ok(WhoAmI {
            operator: Oneself { id: row.id, email: row.email, name: row.name },
            credential: Shown { kind: who.credential.kind().to_owned(), second_factor: who.has_second_factor() },
            second_factor: SecondFactor { enabled: has_totp, recovery_codes_left: left },
            orgs: orgs.into_iter().map(|(name, role)| OrgRow { name, role }).collect(),
        })
    }

    /// Sets another password and ends the other sessions.
    pub async fn set_password(&self, caller: &Caller, who: &Who, body: PasswordBody) -> Outcome<()> {
        let proof = self.prove(caller, who, &body.current).await?;
        let email = operators::by_id(&mut *self.store.read().await?, &proof.id).await?.and_then(|row| row.email);
        let hash = self.logins.passwords.hash(&body.new, &email.unwrap_or_default()).await?;
        let mut db = self.store.write().await?;
        operators::set_password(&mut db, &proof.id, &hash).await?;
        sessions::end_others(&mut db, &proof.id, who.session()).await?;
        deed(&mut db, caller, "password.change", Detail::none()).await?;
        Ok(commit(db).await?)
    }

    /// The same person still: who has only a session must not change what proves who its operator is.
    pub(super) async fn prove(&self, caller: &Caller, who: &Who, password: &Sealed) -> Outcome<ProofRow> {
        let address = address_key(caller.ip.as_deref());
        self.attempt(&who.operator, &address)?;
        let proof = operators::proof(&mut *self.store.read().await?, &who.operator).await?;
        let hash = proof.as_ref().and_then(|proof| proof.password.clone());
        let is_right = self.is_right(password, hash).await?;
        match proof {
            Some(proof) if is_right => {
                self.logins.accounts.excuse(&who.operator);
                self.logins.addresses.excuse(&address);
                Ok(proof)
            }
            _ => Err(self.not_proven(caller, "password")),
        }
    }

    /// Fails where the address, or the account, must wait.
    fn attempt(&self, account: &str, address: &str) -> Outcome<()> {
        match self.logins.addresses.attempt(address, self.clock.now()) {
            Some(wait) => Err(too_many(wait)),
            None => self.attempt_account(account),
        }
    }

    /// Fails where the account must wait.
    pub(super) fn attempt_account(&self, account: &str) -> Outcome<()> {
        self.logins.accounts.attempt(account, self.clock.now()).map_or(Ok(()), |wait| Err(too_many(wait)))
    }

    /// One check, counted: an unknown account costs one too.
    async fn is_right(&self, password: &Sealed, hash: Option<String>) -> Outcome<bool> {
        self.metrics.password_checks.inc();
        self.logins.passwords.is_right(password, hash).await
    }

    /// One answer, whatever was wrong.
    fn failed(&self, caller: &Caller, what: &str) -> Box<Problem> {
        self.metrics.failed_logins.inc();
        tracing::warn!(requestId = caller.request_id, ip = caller.ip, what, "a login failed");
        Problem::new(Code::Unauthorized, "email, password or code is wrong")
    }

    /// The session holds, so that it is not 401: who asks is in, and does not get through.
    pub(super) fn not_proven(&self, caller: &Caller, what: &str) -> Box<Problem> {
        drop(self.failed(caller, what));
        Problem::new(Code::Forbidden, "password or code is wrong")
    }

    async fn open_session(&self, db: &mut Writing, operator: &str, second_factor: bool) -> Outcome<Session> {
        sessions::forget(db, operator, &self.clock.text_in(-SESSIONS_KEPT)).await?;
        for old in sessions::open(db, operator).await?.iter().skip(SESSIONS_MAX - 1) {
            sessions::end(db, &old.id).await?;
        }
        let row = SessionRow {
            id: Kind::Session.generate(),
            operator: operator.to_owned(),
            second_factor: i64::from(second_factor),
            created_at: self.now(),
            expires_at: self.clock.text_in(SESSION_FOR),
        };
        sessions::add(db, &row).await?;
        self.tokens_of(db, &row.id, second_factor).await
    }

    async fn tokens_of(&self, db: &mut Db, session: &str, second_factor: bool) -> Outcome<Session> {
        let (access, refresh) = (format!("{ACCESS}{}", random_text()?), format!("{REFRESH}{}", random_text()?));
        let ends = [self.clock.text_in(ACCESS_FOR), self.clock.text_in(REFRESH_FOR)];
        for (kind, token, end) in [("access", &access, &ends[0]), ("refresh", &refresh, &ends[1])] {
            sessions::add_token(db, session, kind, Digest::of(token.as_bytes()).as_str(), end).await?;
        }
        let [expires_at, refresh_expires_at] = ends;
        Ok(Session {
            session: session.to_owned(),
            second_factor,
            access_token: Sealed::new(access),
            expires_at,
            refresh_token: Sealed::new(refresh),
            refresh_expires_at,
        })
    }

    /// The time, as the store writes it.
    pub(super) fn now(&self) -> String {
        self.clock.text_in(TimeDelta::zero())
    }
}

/// Adds an operator who can log in.
pub(super) async fn add_operator(db: &mut Db, at: &str, email: &str, named: &str, hash: &str) -> Outcome<String> {
    let row = OperatorRow {
        id: Kind::Operator.generate(),
        email: Some(email.to_owned()),
        name: named.to_owned(),
        created_at: at.to_owned(),
        disabled_at: None,
    };
    if !operators::add(db, &row).await? {
        return Err(Problem::new(Code::Conflict, "there is an operator with this email"));
    }
    operators::set_password(db, &row.id, hash).await?;
    Ok(row.id)
}

/// Writes an entry that is about no project.
pub(super) async fn deed(db: &mut Writing, caller: &Caller, action: &'static str, detail: Detail) -> Outcome<()> {
    Ok(audit::append(db, caller, &Deed { action, project: None, env: None, detail }).await?)
}

/// An address of email as it is kept. Whether it is somebody's is not known.
pub(super) fn email(text: &str) -> Outcome<String> {
    let text = text.trim().to_lowercase();
    let is_one = text.len() <= EMAIL_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.+@".contains(&byte))
        && text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
    if is_one { Ok(text) } else { Err(Problem::new(Code::BadRequest, "this is no address of email")) }
}

pub(super) fn check_name(text: &str) -> Outcome<()> {
    let is_one = (1..=NAME_CHARS_MAX).contains(&text.trim().chars().count()) && !text.chars().any(char::is_control);
    if is_one {
        Ok(())
    } else {
        Err(Problem::new(Code::BadRequest, format!("a name is 1 to {NAME_CHARS_MAX} printable characters")))
    }
}

fn too_many(wait: Duration) -> Box<Problem> {
    Problem::limit(Code::TooManyRequests, "logins", "too many logins have failed").retry_after(wait)
}

/// A network that one customer of a provider has counts as one address.
fn address_key(ip: Option<&str>) -> String {
    match ip.and_then(|text| text.parse::<IpAddr>().ok()) {
        Some(IpAddr::V6(ip)) if ip.to_ipv4_mapped().is_none() => format!("{:x?}", &ip.octets()[..8]),
        Some(ip) => ip.to_canonical().to_string(),
        None => String::new(),
    }
}
