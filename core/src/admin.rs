//! Tokens with which an operator speaks to a Bridge itself: made by the Hub, for one Bridge, one env and one deed, good for a few
//! minutes, once. A Bridge checks one without the Hub, against keys of its own configuration.
//!
//! A token is a JWS in compact form (`jws`). Its signature can not be shown as one of a release or a pointer, nor theirs as one of
//! it, although the Hub makes both with one key.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    jws::{self, ALGORITHM, Compact},
    release::{EnvelopeError, SigningKey, VerifyingKey},
    wire::Sealed,
};

/// The longest time that a token is good for, in seconds.
pub const LIFETIME_SECONDS_MAX: i64 = 300;

/// How far the Hub's clock may be ahead of the Bridge's.
const CLOCK_SECONDS_MAX: i64 = 30;
const TYPE: &str = "stk-bridge-admin+jwt";
const TOKEN_BYTES_MAX: usize = 2_048;
const ID_BYTES_MAX: usize = 64;

/// What an operator may do at a Bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "BridgeDeed")]
pub enum Deed {
    /// Ask the Hub at once which release is current, and load it anew if it was refused.
    Sync,
    /// Read what guests have said lately, and what they say from now on.
    Logs,
    /// Read recordings of invocations: which there are, or the one that the token names.
    Recordings,
    /// Read events that were tried in vain: which there are, or one of them.
    Deadletters,
    /// Let those be tried again that the token says.
    #[serde(rename = "deadletters-replay")]
    DeadlettersReplay,
    /// Remove those for good that the token says.
    #[serde(rename = "deadletters-purge")]
    DeadlettersPurge,
    /// Read how jobs stand: all, or the one that the token names with its last runs.
    Cron,
    /// Begin a run of the job that the token names.
    #[serde(rename = "cron-trigger")]
    CronTrigger,
    /// Let the job that the token names run by itself again.
    #[serde(rename = "cron-resume")]
    CronResume,
    /// Try a bucket.
    Storage,
}

impl Deed {
    /// As tokens and the audit log name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Logs => "logs",
            Self::Recordings => "recordings",
            Self::Deadletters => "deadletters",
            Self::DeadlettersReplay => "deadletters-replay",
            Self::DeadlettersPurge => "deadletters-purge",
            Self::Cron => "cron",
            Self::CronTrigger => "cron-trigger",
            Self::CronResume => "cron-resume",
            Self::Storage => "storage",
        }
    }
}

/// Which dead letters it is decided about. Of those that are named by their ids a token says how many they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "DeadLetters")]
pub struct Letters {
    /// How many are named.
    #[serde(default, skip_serializing_if = "is_none_named")]
    pub ids: u32,
    /// Of this topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Of this subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Dead since then or later, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<DateTime<Utc>>,
    /// Dead before then, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<DateTime<Utc>>,
    /// All of the env; then nothing else is said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

impl Letters {
    /// Whether it says which: something of them, or that they are all.
    pub fn is_said(&self) -> bool {
        let has_filter = self.ids > 0
            || self.topic.is_some()
            || self.subscription.is_some()
            || self.since.is_some()
            || self.until.is_some();
        has_filter != self.all
    }
}

/// serde hands a reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_none_named(ids: &u32) -> bool {
    *ids == 0
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The Bridge, `brg_…`.
    pub aud: String,
    /// Who asked the Hub for it.
    pub sub: String,
    /// The project's name.
    pub project: String,
    /// The env's name.
    pub env: String,
    /// What it is for.
    pub deed: Deed,
    /// The one recording that may be read; without it, which there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
    /// The one job that it is about; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The dead letters that may be decided about; only of a deed that decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letters: Option<Letters>,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// When it ends, likewise.
    pub exp: i64,
    /// No two tokens have the same: by it a Bridge knows one that was used.
    pub jti: String,
}

/// Why a token opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of base64url, or not with these fields.
    #[error("it is no token of a Hub for a Bridge")]
    Malformed,
    /// Another algorithm, or none, or another kind of token.
    #[error("it is of another kind")]
    Kind,
    /// The key that it names is none of those that are trusted.
    #[error("it is signed with a key that this Bridge does not trust")]
    Key,
    /// Its signature does not hold.
    #[error("its signature does not hold")]
    Signature,
    /// For another Bridge.
    #[error("it is for another Bridge")]
    Audience,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// It was made in the future: a clock is wrong.
    #[error("it was made in the future; compare the clocks of Hub and Bridge")]
    Early,
    /// It would be good for too long, or for no time.
    #[error("it is good for longer than a token may be")]
    Lifetime,
}

/// Makes a token.
pub fn sign(claims: &Claims, key: &SigningKey) -> Result<Sealed, EnvelopeError> {
    jws::sign(TYPE, claims, key)
}

/// What a token says, once it is found to be signed by a trusted key, for this audience, and good now.
pub fn verify(token: &str, trusted: &[VerifyingKey], audience: &str, now: i64) -> Result<Claims, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Malformed);
    }
    let token = Compact::read(token).ok_or(TokenError::Malformed)?;
    if token.header.alg != ALGORITHM || token.header.typ != TYPE {
        return Err(TokenError::Kind);
    }
    let signature = token.signature().ok_or(TokenError::Malformed)?;
    let mut named = trusted.iter().filter(|key| key.id() == token.header.kid).peekable();
    if named.peek().is_none() {
        return Err(TokenError::Key);
    }
    if !named.any(|key| token.is_signed_by(key, &signature)) {
        return Err(TokenError::Signature);
    }
    let claims: Claims = token.claims().ok_or(TokenError::Malformed)?;
    if claims.aud != audience {
        return Err(TokenError::Audience);
    }
    if claims.exp <= now {
        return Err(TokenError::Expired);
    }
    if claims.iat > now.saturating_add(CLOCK_SECONDS_MAX) {
        return Err(TokenError::Early);
    }
    if !(1..=LIFETIME_SECONDS_MAX).contains(&claims.exp.saturating_sub(claims.iat)) {
        return Err(TokenError::Lifetime);
    }
    if claims.jti.is_empty() || claims.jti.len() > ID_BYTES_MAX {
        return Err(TokenError::Malformed);
    }
    Ok(claims)
}

#[cfg(test)]
mod tests;
