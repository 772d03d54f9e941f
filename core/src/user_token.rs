//! Access tokens of end users: made by the Hub with a key of their env, verified by a Bridge without asking anyone.
//!
//! A token is a JWS in compact form (`jws`) of type `JWT`. Its env's keys sign nothing else. What it may say is bounded where it is
//! made and once more where it is read.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::{
    access::decide::{AUTHENTICATED, PUBLIC},
    jws::{self, ALGORITHM, Compact},
    name,
    release::{EnvelopeError, SigningKey, VerifyingKey},
    wire::Sealed,
};

/// The longest time that a token is good for, in seconds.
pub const LIFETIME_SECONDS_MAX: i64 = 3_600;

/// How far the clocks of Hub and Bridge may differ: a token is taken so long before it was made and after it has ended.
pub const CLOCK_SECONDS_MAX: i64 = 30;

/// Longest token. With its name it fits what browsers keep of a cookie.
pub const TOKEN_BYTES_MAX: usize = 3_584;

/// Longest subject, as OpenID Connect has it.
pub const SUBJECT_BYTES_MAX: usize = 255;

/// Most roles of a token.
pub const ROLES_MAX: usize = 50;

/// Most of the further claims, as JSON.
pub const CLAIMS_BYTES_MAX: usize = 2_048;

/// How deep they may nest.
const CLAIMS_DEPTH_MAX: usize = 8;
const CLAIM_NAME_BYTES_MAX: usize = 64;
const ID_BYTES_MAX: usize = 64;
const TYPE: &str = "JWT";

/// Names that mean something of their own in a token or in `request.auth`. As claims, they would be taken for it.
const RESERVED: &[&str] = &[
    "alg",
    "aud",
    "azp",
    "claims",
    "cnf",
    "crit",
    "env",
    "envId",
    "exp",
    "iat",
    "iss",
    "jti",
    "kid",
    "nbf",
    "project",
    "projectId",
    "role",
    "roles",
    "scope",
    "sub",
    "typ",
    "type",
];

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claims {
    /// Who it is: what the application calls its user.
    pub sub: String,
    /// The project's name.
    pub project_id: String,
    /// The env's name.
    pub env_id: String,
    /// Beside `public` and `authenticated`, which every end user has.
    pub roles: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// When it ends, likewise.
    pub exp: i64,
    /// No two tokens have the same.
    pub jti: String,
    /// `request.auth.claims`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Json>,
}

/// What no token may say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// The subject.
    #[error("a subject is 1 to {SUBJECT_BYTES_MAX} bytes of text without control characters")]
    Subject,
    /// Too many roles.
    #[error("a token has at most {ROLES_MAX} roles")]
    Roles,
    /// A role that is none.
    #[error("{0:?} is no role: a role is 1 to 63 of a-z, A-Z, 0-9, _ and -, beginning with a letter")]
    Role(String),
    /// A role that is not given.
    #[error("the role {0:?} is not given: every end user has it")]
    EveryonesRole(String),
    /// A name of a claim.
    #[error("a claim cannot be named {0:?}: it means something else in a token")]
    Reserved(String),
    /// Likewise.
    #[error("the name of a claim is 1 to {CLAIM_NAME_BYTES_MAX} bytes without control characters")]
    Name,
    /// Too much of them.
    #[error("the claims are larger than {CLAIMS_BYTES_MAX} bytes of JSON")]
    Size,
    /// Too deep.
    #[error("the claims nest deeper than {CLAIMS_DEPTH_MAX}")]
    Depth,
}

/// Why a token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of base64url, or not with these fields.
    #[error("it is no token of an end user")]
    Malformed,
    /// Another algorithm, or none, or another kind of token.
    #[error("it is of another kind: tokens of end users are JWT with EdDSA")]
    Kind,
    /// The key that it names is none of the env's.
    #[error("it is signed with a key that is none of the env's, or is one no more")]
    Key,
    /// Its signature does not hold.
    #[error("its signature does not hold")]
    Signature,
    /// For another env.
    #[error("it is for another env")]
    Env,
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

/// A token whose form is right. Nothing in it is to be believed.
#[derive(Debug)]
pub struct Unverified<'t>(Compact<'t>);

impl Claims {
    /// Whether a token may say this.
    pub fn check(&self) -> Result<(), ClaimsError> {
        if !is_text(&self.sub, SUBJECT_BYTES_MAX) {
            return Err(ClaimsError::Subject);
        }
        if self.roles.len() > ROLES_MAX {
            return Err(ClaimsError::Roles);
        }
        for role in &self.roles {
            name::check_role(role).map_err(|_| ClaimsError::Role(role.chars().take(63).collect()))?;
            if [PUBLIC, AUTHENTICATED].contains(&role.as_str()) {
                return Err(ClaimsError::EveryonesRole(role.clone()));
            }
        }
        for name in self.claims.keys() {
            if !is_text(name, CLAIM_NAME_BYTES_MAX) {
                return Err(ClaimsError::Name);
            }
            if RESERVED.contains(&name.as_str()) {
                return Err(ClaimsError::Reserved(name.clone()));
            }
        }
        if !self.claims.values().all(|value| is_within(value, CLAIMS_DEPTH_MAX - 1)) {
            return Err(ClaimsError::Depth);
        }
        let size = serde_json::to_vec(&self.claims).map_or(usize::MAX, |json| json.len());
        if size > CLAIMS_BYTES_MAX { Err(ClaimsError::Size) } else { Ok(()) }
    }
}

impl<'t> Unverified<'t> {
    /// A token of the one kind there is, by its header.
    pub fn read(token: &'t str) -> Result<Self, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let token = Compact::read(token).ok_or(TokenError::Malformed)?;
        if token.header.alg != ALGORITHM || token.header.typ != TYPE {
            return Err(TokenError::Kind);
        }
        if token.header.kid.is_empty() || token.header.kid.len() > ID_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        Ok(Self(token))
    }

    /// The key that it names. It is looked up, and is no path to anything.
    pub fn kid(&self) -> &str {
        &self.0.header.kid
    }

    /// What it says, whoever says it: to be shown, or to learn whose keys to ask for.
    pub fn claims(&self) -> Option<Claims> {
        self.0.claims()
    }

    /// What it says, once it is found to be signed with the key that it names, for this project and env, and good now.
    pub fn verify(&self, key: &VerifyingKey, (project, env): (&str, &str), now: i64) -> Result<Claims, TokenError> {
        if key.id() != self.kid() {
            return Err(TokenError::Key);
        }
        let signature = self.0.signature().ok_or(TokenError::Malformed)?;
        if !self.0.is_signed_by(key, &signature) {
            return Err(TokenError::Signature);
        }
        let claims: Claims = self.0.claims().ok_or(TokenError::Malformed)?;
        if claims.check().is_err() || claims.jti.is_empty() || claims.jti.len() > ID_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        if claims.project_id != project || claims.env_id != env {
            return Err(TokenError::Env);
        }
        if claims.exp.saturating_add(CLOCK_SECONDS_MAX) <= now {
            return Err(TokenError::Expired);
        }
        if claims.iat > now.saturating_add(CLOCK_SECONDS_MAX) {
            return Err(TokenError::Early);
        }
        if !(1..=LIFETIME_SECONDS_MAX).contains(&claims.exp.saturating_sub(claims.iat)) {
            return Err(TokenError::Lifetime);
        }
        Ok(claims)
    }
}

/// Makes a token. None where it would be longer than one may be.
pub fn sign(claims: &Claims, key: &SigningKey) -> Result<Option<Sealed>, EnvelopeError> {
    let token = jws::sign(TYPE, claims, key)?;
    Ok(Some(token).filter(|token| token.expose().len() <= TOKEN_BYTES_MAX))
}

fn is_text(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Recursion is bounded by what it looks for.
fn is_within(value: &Json, depth: usize) -> bool {
    match value {
        Json::Array(items) => depth > 0 && items.iter().all(|item| is_within(item, depth - 1)),
        Json::Object(fields) => depth > 0 && fields.values().all(|field| is_within(field, depth - 1)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => true,
    }
}

#[cfg(test)]
mod tests;
