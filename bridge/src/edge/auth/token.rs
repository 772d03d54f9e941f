//! An end user by its token: the key that it names is looked up among those of the envs served here, and the token is verified
//! with it. Nobody is asked, and nothing of a token is believed before.

use std::sync::Arc;

use chrono::Utc;
use santokit_core::{
    access::{Actor, ActorKind},
    code::Code,
    problem::{Outcome, Problem},
    user_token::{Claims, TokenError, Unverified},
};
use secrecy::{ExposeSecret, SecretString};

use super::{Hints, Pinned, pin, unauthorized, unknown};
use crate::release::{EnvSlot, canary::Tally, serving::Origin};

/// Who shows this token, of whichever env it is.
pub(super) fn identify(
    slots: &[Arc<EnvSlot>],
    token: &SecretString,
    hints: &Hints,
    origin: Origin<'_>,
) -> Outcome<(Pinned, Option<Tally>)> {
    match verify(slots.iter(), token, Utc::now().timestamp()) {
        Ok((slot, claims)) if hints.admit(&slot.name) => pin(slot, actor(claims), origin),
        Ok(_) => Err(elsewhere()),
        Err(TokenError::Key) => Err(unknown(slots, hints, refused(TokenError::Key))),
        Err(error) => Err(refused(error)),
    }
}

/// The env whose key has signed the token, and what it says.
pub(super) fn verify<'s>(
    slots: impl Iterator<Item = &'s Arc<EnvSlot>>,
    token: &SecretString,
    now: i64,
) -> Result<(&'s Arc<EnvSlot>, Claims), TokenError> {
    let token = Unverified::read(token.expose_secret())?;
    let mut refused = TokenError::Key;
    for slot in slots {
        let Some(generation) = slot.generation() else { continue };
        let runtime = generation.runtime.load();
        let Some(key) = runtime.user_key(token.kid()) else { continue };
        match token.verify(key, (&slot.name.project, &slot.name.env), now) {
            Ok(claims) => return Ok((slot, claims)),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

pub(super) fn actor(claims: Claims) -> Actor {
    Actor { kind: ActorKind::User, subject: Some(claims.sub), roles: claims.roles, claims: claims.claims }
}

pub(super) fn elsewhere() -> Box<Problem> {
    Problem::new(Code::Forbidden, "the token is for another env than the one asked for")
        .hint("leave out X-Santokit-Project and X-Santokit-Env: the token says which env it is for")
}

/// Who holds a token may learn that its time is over, and so that a new one is worth asking for. What else is wrong with it is of no
/// use to an application, and of some to who tries.
pub(super) fn refused(error: TokenError) -> Box<Problem> {
    match error {
        TokenError::Expired => unauthorized("the token has expired").hint("get a new one"),
        _ => unauthorized("the token is not valid").hint(
            "`stk auth verify-token` says why; it may be of another env, or signed with a key that was taken back",
        ),
    }
}
