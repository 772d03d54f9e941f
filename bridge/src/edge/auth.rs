//! Who is calling, and for which env: a credential from the headers, checked against the keys of the envs served here, without
//! asking anyone.
//!
//! A credential that is not valid is refused; it never makes the caller anonymous.

use std::{sync::Arc, time::Instant};

use chrono::{DateTime, Utc};
use http::HeaderMap;
use santokit_core::{
    access::{Actor, ActorKind},
    code::Code,
    problem::{Outcome, Problem},
    release::Digest,
    user_token::Unverified,
    wire::{ApiKey, EnvState},
};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::{
    config::EnvName,
    generation::Generation,
    release::{EnvSlot, canary::Tally, serving::Origin},
};

mod cookie;
mod token;

pub use cookie::Cookies;

/// Longest API key that is looked at.
const CREDENTIAL_BYTES_MAX: usize = 1024;

/// What a request shows of its caller.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Nothing.
    None,
    /// `stk_<id>.<secret>`.
    ApiKey {
        /// The part before the dot, without `stk_`.
        id: String,
        /// The part after it.
        secret: SecretString,
    },
    /// A token of an end user, shown by who knows it.
    Token(SecretString),
    /// Tokens of end users that a browser has sent along.
    Cookies(Cookies),
}

/// The routing hints of a request: `X-Santokit-Project`, `X-Santokit-Env`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// A project's name.
    pub project: Option<String>,
    /// An env's name.
    pub env: Option<String>,
}

/// The caller, and the generation that its request sees from the first byte to the last.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// Who is calling.
    pub actor: Actor,
    /// What is served.
    pub generation: Arc<Generation>,
}

impl Credential {
    /// The first credential found: `X-Santokit-Api-Key`, then `Authorization: Bearer`, then cookies.
    pub fn read(headers: &HeaderMap) -> Outcome<Self> {
        if let Some(value) = headers.get("x-santokit-api-key") {
            let text = value.to_str().unwrap_or_default();
            return Self::api_key(text)
                .ok_or_else(|| unauthorized("X-Santokit-Api-Key is not an API key (stk_<id>.<secret>)"));
        }
        let Some(value) = headers.get(http::header::AUTHORIZATION) else {
            return Ok(Cookies::read(headers)?.map_or(Self::None, Self::Cookies));
        };
        let token = match value.to_str().unwrap_or_default().split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(unauthorized("Authorization must be: Bearer and an API key or a token of an end user")),
        };
        let found = if token.starts_with("stk_") { Self::api_key(token) } else { Self::token(token) };
        found.ok_or_else(|| {
            unauthorized("the bearer token is neither an API key nor a token of an end user")
                .hint("an API key is stk_<id>.<secret>; a token of an end user is a JWT that the Hub has signed")
        })
    }

    /// By its form alone.
    fn token(text: &str) -> Option<Self> {
        Unverified::read(text).is_ok().then(|| Self::Token(SecretString::from(text)))
    }

    fn api_key(text: &str) -> Option<Self> {
        let (id, secret) = text.trim().strip_prefix("stk_")?.split_once('.')?;
        let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        let fits = text.len() <= CREDENTIAL_BYTES_MAX && !secret.is_empty();
        (is_id && fits).then(|| Self::ApiKey { id: id.to_owned(), secret: SecretString::from(secret) })
    }
}

/// Longest name that a caller gives itself.
const HINT_BYTES_MAX: usize = 128;

/// What a caller calls itself (`X-Santokit-Sticky`), so that a canary keeps it on one side. It opens nothing; what is no name counts
/// as not sent.
pub fn sticky(headers: &HeaderMap) -> Option<&str> {
    let name = headers.get("x-santokit-sticky")?.to_str().ok()?;
    let is_name = (1..=HINT_BYTES_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then_some(name)
}

impl Hints {
    /// From the headers.
    pub fn read(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
        Self { project: text("x-santokit-project"), env: text("x-santokit-env") }
    }

    /// Whether they speak of an env, or of none.
    pub fn admit(&self, name: &EnvName) -> bool {
        self.project.as_ref().is_none_or(|project| *project == name.project)
            && self.env.as_ref().is_none_or(|env| *env == name.env)
    }
}

/// Finds the caller and pins the generation; of a canary's two, the one that is the caller's, and where its request is counted.
pub fn identify(
    slots: &[Arc<EnvSlot>],
    credential: &Credential,
    hints: &Hints,
    origin: Origin<'_>,
) -> Outcome<(Pinned, Option<Tally>)> {
    match credential {
        Credential::None => anonymous(slots, hints, origin),
        Credential::ApiKey { id, secret } => by_api_key(slots, (id, secret), hints, origin),
        Credential::Token(token) => token::identify(slots, token, hints, origin),
        Credential::Cookies(cookies) => cookies.identify(slots, hints, origin),
    }
}

fn anonymous(slots: &[Arc<EnvSlot>], hints: &Hints, origin: Origin<'_>) -> Outcome<(Pinned, Option<Tally>)> {
    let candidates: Vec<&Arc<EnvSlot>> = slots.iter().filter(|slot| hints.admit(&slot.name)).collect();
    match candidates.as_slice() {
        [slot] => pin(slot, Actor::anonymous(), origin),
        [] => Err(not_served()),
        _ => Err(Problem::new(Code::BadRequest, "this Bridge serves several envs")
            .hint("say which with the headers X-Santokit-Project and X-Santokit-Env, or send an API key")),
    }
}

fn by_api_key(
    slots: &[Arc<EnvSlot>],
    (id, secret): (&str, &SecretString),
    hints: &Hints,
    origin: Origin<'_>,
) -> Outcome<(Pinned, Option<Tally>)> {
    let (digest, now) = (Digest::of(secret.expose_secret().as_bytes()), Utc::now());
    let mut elsewhere = false;
    let mut found = Vec::new();
    for slot in slots {
        let Some(generation) = slot.generation() else { continue };
        let key = generation.runtime.load().api_key(id).filter(|key| opens(key, &digest, now)).cloned();
        match key {
            Some(key) if hints.admit(&slot.name) => found.push((slot, key)),
            Some(_) => elsewhere = true,
            None => {}
        }
    }
    match found.as_slice() {
        [(slot, key)] => {
            let (pinned, tally) = pin(slot, actor(key), origin)?;
            pinned.generation.runtime.load().note_use(&key.id, now);
            Ok((pinned, tally))
        }
        [] if elsewhere => Err(Problem::new(Code::Forbidden, "the API key is for another env than the one asked for")
            .hint("leave out X-Santokit-Project and X-Santokit-Env: the key says which env it is for")),
        [] => Err(unknown(slots, hints, unknown_key())),
        _ => Err(Problem::new(Code::BadRequest, "the API key is valid for several envs")
            .hint("say which with the headers X-Santokit-Project and X-Santokit-Env")),
    }
}

/// What is told of a credential that no env here knows: it may be of one whose keys are not here yet.
fn unknown(slots: &[Arc<EnvSlot>], hints: &Hints, problem: Box<Problem>) -> Box<Problem> {
    let empty = slots.iter().find(|slot| hints.admit(&slot.name) && slot.generation().is_none());
    empty.and_then(|slot| need_serving(slot, Instant::now()).err()).unwrap_or(problem)
}

/// Whether the secret is the key's and the key still holds. Compared in constant time.
fn opens(key: &ApiKey, digest: &Digest, now: DateTime<Utc>) -> bool {
    let equal: bool = key.hash.as_str().as_bytes().ct_eq(digest.as_str().as_bytes()).into();
    let expired = key.expires_at.as_deref().is_some_and(|text| {
        // An expiry that cannot be read has passed.
        DateTime::parse_from_rfc3339(text).map_or(true, |expiry| expiry <= now)
    });
    equal && !expired
}

fn actor(key: &ApiKey) -> Actor {
    Actor {
        kind: ActorKind::ApiKey,
        subject: Some(key.id.clone()),
        roles: key.roles.clone(),
        claims: serde_json::Map::new(),
    }
}

fn pin(slot: &EnvSlot, actor: Actor, origin: Origin<'_>) -> Outcome<(Pinned, Option<Tally>)> {
    let now = Instant::now();
    need_serving(slot, now)?;
    let (generation, tally) = slot.pick(&actor, origin, now).ok_or_else(empty)?;
    Ok((Pinned { actor, generation }, tally))
}

/// Fails where the state of an env does not allow to serve from it.
pub(super) fn need_serving(slot: &EnvSlot, now: Instant) -> Outcome<()> {
    match slot.state(now) {
        EnvState::Empty => Err(empty()),
        EnvState::Expired => Err(unavailable("the release of this env could not be confirmed for too long")),
        EnvState::Fresh | EnvState::Stale => Ok(()),
    }
}

/// The answer where a project and env are asked for that are not served here.
pub(super) fn not_served() -> Box<Problem> {
    Problem::new(Code::NotFound, "this Bridge does not serve that project and env")
}

fn empty() -> Box<Problem> {
    unavailable("no release is loaded for this env yet")
}

fn unavailable(message: &str) -> Box<Problem> {
    Problem::new(Code::ServiceUnavailable, message).hint("GET /readyz says why")
}

fn unauthorized(message: &str) -> Box<Problem> {
    Problem::new(Code::Unauthorized, message)
}

fn unknown_key() -> Box<Problem> {
    unauthorized("the API key is not valid")
        .hint("it may be mistyped, expired, revoked, or for another Bridge; see `stk apikey list`")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    /// `{"alg":"EdDSA","typ":"JWT","kid":"k"}.{}.` and nothing that holds.
    const TOKEN: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6ImsifQ.e30.AA";

    #[test]
    fn a_token_is_taken_as_a_bearer_or_from_a_cookie_behind_every_key() {
        let bearer = format!("Bearer {TOKEN}");
        let cookie = format!("a=b; stk_access_shop_dev={TOKEN}");
        let read = |pairs: &[(&'static str, &str)]| Credential::read(&headers(pairs)).unwrap();
        assert!(matches!(read(&[("authorization", &bearer)]), Credential::Token(_)));
        assert!(matches!(read(&[("cookie", &cookie)]), Credential::Cookies(_)));
        assert!(matches!(read(&[("cookie", &cookie), ("authorization", &bearer)]), Credential::Token(_)));
        let key = ("x-santokit-api-key", "stk_abc.secret");
        assert!(matches!(read(&[("authorization", &bearer), key]), Credential::ApiKey { .. }));
        assert!(matches!(read(&[("cookie", "a=b; stk_access=x")]), Credential::None));
        let shown = format!("{:?} {:?}", read(&[("authorization", &bearer)]), read(&[("cookie", &cookie)]));
        assert!(!shown.contains("eyJ"), "{shown}");
    }

    #[test]
    fn the_first_credential_wins_and_a_bad_one_is_never_anonymous() {
        assert!(matches!(Credential::read(&headers(&[])), Ok(Credential::None)));
        for (name, value) in [
            ("x-santokit-api-key", "stk_abc.secret"),
            ("authorization", "Bearer stk_abc.secret"),
            ("authorization", "bearer stk_abc.secret"),
        ] {
            let Ok(Credential::ApiKey { id, secret }) = Credential::read(&headers(&[(name, value)])) else {
                panic!("{name}")
            };
            assert_eq!((id.as_str(), secret.expose_secret()), ("abc", "secret"));
        }
        let long = format!("stk_a.{}", "x".repeat(2000));
        for (name, value) in [
            ("x-santokit-api-key", ""),
            ("x-santokit-api-key", "stk_abc"),
            ("x-santokit-api-key", "stk_.x"),
            ("x-santokit-api-key", "stk_a."),
            ("x-santokit-api-key", long.as_str()),
            ("authorization", "Basic dTpw"),
            ("authorization", "Bearer eyJhbGciOiJFZERTQSJ9.e30.x"),
            ("authorization", "Bearer a.b.c"),
            ("x-santokit-api-key", TOKEN),
            ("authorization", "Bearer"),
        ] {
            assert_eq!(
                Credential::read(&headers(&[(name, value)])).unwrap_err().code,
                Code::Unauthorized,
                "{name}: {value}"
            );
        }
        let both = headers(&[("x-santokit-api-key", "nonsense"), ("authorization", "Bearer stk_abc.secret")]);
        assert!(Credential::read(&both).is_err());
    }

    #[test]
    fn a_caller_may_name_itself_within_bounds() {
        let long = "x".repeat(129);
        for (sent, read) in [("anna-7", Some("anna-7")), ("", None), ("a b", None), ("\t", None), (long.as_str(), None)]
        {
            assert_eq!(sticky(&headers(&[("x-santokit-sticky", sent)])), read, "{sent:?}");
        }
        let mut strange = HeaderMap::new();
        strange.insert("x-santokit-sticky", HeaderValue::from_bytes(b"\xff\xfe").unwrap());
        assert_eq!(sticky(&strange), None);
        assert_eq!(sticky(&HeaderMap::new()), None);
    }

    #[test]
    fn a_credential_does_not_show_itself() {
        let credential = Credential::read(&headers(&[("x-santokit-api-key", "stk_abc.hunter2")])).unwrap();
        assert!(!format!("{credential:?}").contains("hunter2"));
    }

    #[test]
    fn a_key_holds_for_its_secret_until_it_expires() {
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap().to_utc();
        let (good, bad) = (Digest::of(b"secret"), Digest::of(b"Secret"));
        let key = |expires_at: Option<&str>| ApiKey {
            id: "abc".into(),
            hash: good.clone(),
            roles: Vec::new(),
            expires_at: expires_at.map(str::to_owned),
        };
        assert!(opens(&key(None), &good, now));
        assert!(!opens(&key(None), &bad, now));
        assert!(opens(&key(Some("2026-01-01T00:00:01Z")), &good, now));
        assert!(!opens(&key(Some("2026-01-01T00:00:00Z")), &good, now));
        assert!(!opens(&key(Some("soon")), &good, now));
    }

    #[test]
    fn an_empty_env_answers_503_and_an_unserved_one_404() {
        let bounds = crate::release::Bounds {
            poll_interval: std::time::Duration::from_secs(30),
            max_stale: std::time::Duration::from_hours(1),
            canary_max_stale: std::time::Duration::from_mins(2),
        };
        let slot = |name| Arc::new(EnvSlot::new(EnvName::parse(name).unwrap(), bounds));
        let slots = [slot("shop/dev"), slot("shop/prod")];
        let code = |credential: &Credential, env: Option<&str>| {
            let hints = Hints { project: None, env: env.map(str::to_owned) };
            let origin = Origin { address: [127, 0, 0, 1].into(), hint: None };
            identify(&slots, credential, &hints, origin).unwrap_err().code
        };
        assert_eq!(code(&Credential::None, None), Code::BadRequest);
        assert_eq!(code(&Credential::None, Some("dev")), Code::ServiceUnavailable);
        assert_eq!(code(&Credential::None, Some("test")), Code::NotFound);
        let key = Credential::ApiKey { id: "a".into(), secret: SecretString::from("b") };
        assert_eq!(code(&key, None), Code::ServiceUnavailable);
        assert_eq!(code(&key, Some("test")), Code::Unauthorized);
    }
}
