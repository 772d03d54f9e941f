//! The keys that tokens of end users are signed with: of each env a current one and, after an exchange, the one before it, which
//! holds until nothing that it has signed is good any more. So nobody is logged out by an exchange.
//!
//! A Bridge learns of a new key at its next poll. Until each can have it, the key before goes on signing.

use chrono::TimeDelta;
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::{EnvelopeError, SigningKey, VerifyingKey},
    seal::{SealError, SealKey},
    user_token::{CLOCK_SECONDS_MAX, LIFETIME_SECONDS_MAX},
    wire::{Jwk, JwkSet},
};
use serde::{Deserialize, Serialize};

use super::{
    App,
    access::Fleet,
    bridges::Tagged,
    hub_itself,
    projects::{At, missing, need_env},
};
use crate::{
    clock::Clock,
    store::{
        Db, Store,
        audit::{self, Caller, Detail, name, names},
        commit,
        user_keys::{self, UserKeyRow},
    },
};

/// Longer than the longest poll of a Bridge, with a failure in between.
const PUBLISHED_BEFORE: TimeDelta = TimeDelta::minutes(2);

/// After the exchange: while the key before still signs, and as long as the last of its tokens can be taken.
const HOLDS_ON: TimeDelta = TimeDelta::seconds(2 * 60 + LIFETIME_SECONDS_MAX + CLOCK_SECONDS_MAX);

/// The body of an exchange.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExchangeBody {
    /// Although the exchange before is not over: what its key has signed ends.
    #[serde(default)]
    pub force: bool,
    /// A key is known to others: all that was signed before ends.
    #[serde(default)]
    pub revoke_previous: bool,
}

/// A key without its private half.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserKey {
    /// What tokens call it (`kid`).
    pub id: String,
    /// `current`, or `previous`.
    pub state: &'static str,
    /// Whether it signs what is made now.
    pub signs: bool,
    /// The public half, `ed25519:…`.
    pub key: String,
    /// When it was made.
    pub created_at: String,
    /// From when it signs.
    pub signs_from: String,
    /// When nothing that it has signed is good any more.
    pub ends_at: Option<String>,
}

/// The keys of an env.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserKeys {
    /// The current one first.
    pub keys: Vec<UserKey>,
    /// What an operator could do now.
    pub next: String,
}

/// Why there is no new key.
#[derive(Debug, thiserror::Error)]
pub enum NewKeyError {
    /// It cannot be made.
    #[error(transparent)]
    Key(#[from] EnvelopeError),
    /// It cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl App {
    /// The keys of an env that hold.
    pub async fn user_keys(&self, at: At<'_>) -> Outcome<UserKeys> {
        let mut db = self.store.read().await?;
        need_env(&mut db, at).await?;
        self.shown_user_keys(&mut db, at).await
    }

    /// Makes a new current key. The one before holds on, unless it is said to end.
    pub async fn exchange_user_keys(&self, caller: &Caller, at: At<'_>, body: ExchangeBody) -> Outcome<UserKeys> {
        let mut db = self.store.write().await?;
        need_env(&mut db, at).await?;
        let (rows, now) = (user_keys::of_env(&mut db, at.project, at.env).await?, self.now());
        let holding = rows.iter().find(|row| row.ends_at.as_ref().is_some_and(|end| *end > now));
        if let Some(previous) = holding.filter(|_| !body.force && !body.revoke_previous) {
            let end = previous.ends_at.as_deref().unwrap_or_default();
            let message =
                format!("the exchange before is not over: tokens that key {} has signed are good", previous.id);
            let hint = format!(
                "wait until {end}; with force those who hold them are logged out, with revokePrevious everyone is"
            );
            return Err(Problem::new(Code::Conflict, message).hint(hint).detail("endsAt", end));
        }
        let waits = if body.revoke_previous { TimeDelta::zero() } else { PUBLISHED_BEFORE };
        let new = sealed(&self.master_key, at, &self.clock, waits).map_err(Problem::internal)?;
        let mut ended = Vec::new();
        for row in &rows {
            if row.ends_at.is_none() && !body.revoke_previous {
                user_keys::set_end(&mut db, at.project, at.env, &row.id, &self.clock.text_in(HOLDS_ON)).await?;
            } else {
                user_keys::remove(&mut db, at.project, at.env, &row.id).await?;
                ended.push(row.id.as_str());
            }
        }
        user_keys::add(&mut db, at.project, at.env, &new).await?;
        let detail = Detail::of("id", name(&new.id))
            .with("force", body.force)
            .with("revokePrevious", body.revoke_previous)
            .with("ended", names(ended));
        audit::append(&mut db, caller, &at.deed("userkey.rotate", detail)).await?;
        let shown = self.shown_user_keys(&mut db, at).await?;
        commit(db).await?;
        Ok(shown)
    }

    /// Ends the key before the current one now: who holds a token of it is logged out within one poll of the Bridges.
    pub async fn end_user_key(&self, caller: &Caller, at: At<'_>, id: &str) -> Outcome<()> {
        let mut db = self.store.write().await?;
        need_env(&mut db, at).await?;
        let rows = user_keys::of_env(&mut db, at.project, at.env).await?;
        let row = rows.iter().find(|row| row.id == id).ok_or_else(|| missing("key for tokens of end users", id))?;
        if row.ends_at.is_none() {
            return Err(Problem::new(Code::Conflict, "it is the current key").hint(
                "`stk keys rotate --users` makes another; with --revoke-previous all that was signed before ends",
            ));
        }
        user_keys::remove(&mut db, at.project, at.env, id).await?;
        audit::append(&mut db, caller, &at.deed("userkey.end", Detail::of("id", name(id)))).await?;
        Ok(commit(db).await?)
    }

    /// The public halves, to the Bridges of an env.
    pub async fn user_keys_of_fleet(&self, fleet: &Fleet, at: At<'_>, known: Option<&str>) -> Outcome<Tagged<JwkSet>> {
        fleet.need(at.project, at.env)?;
        let set = JwkSet { keys: self.jwks(&mut *self.store.read().await?, at).await? };
        let etag = self.etag(&serde_json::to_vec(&set).map_err(Problem::internal)?);
        Ok((known != Some(etag.as_str())).then_some((set, etag)))
    }

    /// The public halves of the keys that hold, the current one first.
    pub(super) async fn jwks(&self, db: &mut Db, at: At<'_>) -> Outcome<Vec<Jwk>> {
        let of = |row: &UserKeyRow| VerifyingKey::parse(&row.public).map(|key| Jwk::of(&key));
        self.holding(db, at).await?.iter().map(of).collect::<Result<_, _>>().map_err(Problem::internal)
    }

    /// The key that signs now.
    pub(super) async fn user_signer(&self, db: &mut Db, at: At<'_>) -> Outcome<SigningKey> {
        let rows = self.holding(db, at).await?;
        let row = signer(&rows, &self.now()).ok_or_else(|| Problem::internal("the env has no key for end users"))?;
        let der = self.master_key.open(&at.context(KIND, &row.id), &row.private).map_err(Problem::internal)?;
        SigningKey::from_pkcs8(&der).map_err(Problem::internal)
    }

    async fn holding(&self, db: &mut Db, at: At<'_>) -> Outcome<Vec<UserKeyRow>> {
        let now = self.now();
        let mut rows = user_keys::of_env(db, at.project, at.env).await?;
        rows.retain(|row| row.ends_at.as_ref().is_none_or(|end| *end > now));
        Ok(rows)
    }

    async fn shown_user_keys(&self, db: &mut Db, at: At<'_>) -> Outcome<UserKeys> {
        let rows = self.holding(db, at).await?;
        let now = self.now();
        let signer = signer(&rows, &now).map(|row| row.id.clone());
        let next = match rows.iter().find_map(|row| Some((&row.id, row.ends_at.as_ref()?))) {
            None => "nothing: `stk keys rotate --users` begins an exchange".to_owned(),
            Some((id, end)) => {
                format!("nothing: key {id} ends by itself at {end}; `stk keys retire --users {id}` ends it now")
            }
        };
        let shown = |row: UserKeyRow| UserKey {
            state: if row.ends_at.is_none() { "current" } else { "previous" },
            signs: signer.as_ref() == Some(&row.id),
            id: row.id,
            key: row.public,
            created_at: row.created_at,
            signs_from: row.signs_from,
            ends_at: row.ends_at,
        };
        Ok(UserKeys { keys: rows.into_iter().map(shown).collect(), next })
    }
}

/// What a sealed private half is bound to, before the env and its id.
const KIND: &str = "user-key";

/// The current key, as soon as Bridges have it; until then the one before.
fn signer<'r>(rows: &'r [UserKeyRow], now: &str) -> Option<&'r UserKeyRow> {
    let (current, before) = rows.split_first()?;
    if current.signs_from.as_str() <= now { Some(current) } else { before.first().or(Some(current)) }
}

/// A new key for an env, which signs after a while.
pub(super) fn sealed(
    master_key: &SealKey,
    at: At<'_>,
    clock: &Clock,
    waits: TimeDelta,
) -> Result<UserKeyRow, NewKeyError> {
    let key = SigningKey::generate()?;
    let public = key.verifying_key();
    let id = public.id();
    let private = master_key.seal(&at.context(KIND, &id), &key.to_pkcs8()?)?;
    let (created_at, signs_from) = (clock.text_in(TimeDelta::zero()), clock.text_in(waits));
    Ok(UserKeyRow { id, public: public.to_string(), private, created_at, signs_from, ends_at: None })
}

/// Gives every env its first key that has none: those of a version before there were any. The others have theirs from their first day,
/// before any Bridge asks.
pub(super) async fn furnish(store: &Store, master_key: &SealKey, clock: &Clock) -> Result<(), super::StartError> {
    let mut db = store.write().await?;
    let envs = user_keys::envs_without(&mut db).await?;
    for (project, env) in &envs {
        let at = At { project, env };
        let row = sealed(master_key, at, clock, PUBLISHED_BEFORE)?;
        user_keys::add(&mut db, project, env, &row).await?;
        let deed = at.deed("userkey.create", Detail::of("id", name(&row.id)));
        audit::append(&mut db, &hub_itself(), &deed).await?;
    }
    Ok(commit(db).await?)
}
