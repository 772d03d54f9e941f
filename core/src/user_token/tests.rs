//! Tokens as they should be, and what stands in their place. `bridge/src/serve/tests/tokens.rs` has the same over HTTP.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::jws::part;

const NOW: i64 = 1_800_000_000;
const AT: (&str, &str) = ("shop", "prod");

fn claims() -> Claims {
    Claims {
        sub: "anna".to_owned(),
        project_id: "shop".to_owned(),
        env_id: "prod".to_owned(),
        roles: vec!["customer".to_owned()],
        iat: NOW,
        exp: NOW + 3_600,
        jti: "one".to_owned(),
        claims: Map::from_iter([("tenant".to_owned(), json!("acme"))]),
    }
}

fn text(claims: &Claims, key: &SigningKey) -> String {
    sign(claims, key).unwrap().unwrap().expose().to_owned()
}

fn verify(token: &str, key: &VerifyingKey, now: i64) -> Result<Claims, TokenError> {
    Unverified::read(token)?.verify(key, AT, now)
}

/// A token of any header and any claims, signed as it stands.
fn forged(header: &str, claims: &str, key: &SigningKey) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())))
}

#[test]
fn a_token_says_what_was_signed_as_long_as_it_is_good() {
    let key = SigningKey::generate().unwrap();
    let (token, public) = (text(&claims(), &key), key.verifying_key());
    let within = [NOW - CLOCK_SECONDS_MAX, NOW, NOW + 3_600, NOW + 3_600 + CLOCK_SECONDS_MAX - 1];
    for now in within {
        assert_eq!(verify(&token, &public, now), Ok(claims()), "{now}");
    }
    assert_eq!(verify(&token, &public, NOW + 3_600 + CLOCK_SECONDS_MAX), Err(TokenError::Expired));
    assert_eq!(verify(&token, &public, NOW - CLOCK_SECONDS_MAX - 1), Err(TokenError::Early));
    assert_eq!(Unverified::read(&token).unwrap().verify(&public, ("shop", "dev"), NOW), Err(TokenError::Env));
    let other = SigningKey::generate().unwrap();
    assert_eq!(verify(&token, &other.verifying_key(), NOW), Err(TokenError::Key));
    let plain = Claims { claims: Map::new(), roles: Vec::new(), ..claims() };
    assert_eq!(verify(&text(&plain, &key), &public, NOW), Ok(plain));
}

#[test]
fn the_token_does_not_choose_how_it_is_read() {
    let key = SigningKey::generate().unwrap();
    let public = key.verifying_key();
    let (id, body) = (public.id(), json!(claims()).to_string());
    let header = |fields: Value| forged(&fields.to_string(), &body, &key);
    let read = |token: &str| verify(token, &public, NOW).unwrap_err();
    for (fields, expected) in [
        (json!({"alg": "none", "typ": "JWT", "kid": id}), TokenError::Kind),
        (json!({"alg": "HS256", "typ": "JWT", "kid": id}), TokenError::Kind),
        (json!({"alg": "RS256", "typ": "JWT", "kid": id}), TokenError::Kind),
        (json!({"alg": "eddsa", "typ": "JWT", "kid": id}), TokenError::Kind),
        (json!({"alg": "EdDSA", "typ": "stk-bridge-admin+jwt", "kid": id}), TokenError::Kind),
        (json!({"alg": "EdDSA", "typ": "JWT"}), TokenError::Malformed),
        (json!({"alg": "EdDSA", "typ": "JWT", "kid": ""}), TokenError::Malformed),
        (json!({"alg": "EdDSA", "typ": "JWT", "kid": 7}), TokenError::Malformed),
        (json!({"alg": "EdDSA", "typ": "JWT", "kid": "../../etc/passwd"}), TokenError::Key),
        (json!({"alg": "EdDSA", "typ": "JWT", "kid": format!("{id} ")}), TokenError::Key),
        (json!({"alg": "EdDSA", "typ": "JWT", "kid": id, "crit": ["exp"]}), TokenError::Malformed),
        (json!({"alg": "EdDSA", "typ": "JWT", "kid": id, "jwk": {"kty": "OKP"}}), TokenError::Malformed),
        (json!({"alg": "EdDSA", "typ": "JWT", "kid": id, "jku": "https://evil.example/"}), TokenError::Malformed),
        (json!(["EdDSA", "JWT", id, 1]), TokenError::Malformed),
    ] {
        assert_eq!(read(&header(fields.clone())), expected, "{fields}");
    }
    let twice = format!(r#"{{"alg":"none","alg":"EdDSA","typ":"JWT","kid":"{id}"}}"#);
    assert_eq!(read(&forged(&twice, &body, &key)), TokenError::Malformed);
}

#[test]
fn what_a_right_key_signs_is_looked_at_too() {
    let key = SigningKey::generate().unwrap();
    let public = key.verifying_key();
    let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": public.id()}).to_string();
    let read = |body: &str| verify(&forged(&header, body, &key), &public, NOW);
    let with = |name: &str, value: Value| {
        let mut body = json!(claims());
        body[name] = value;
        read(&body.to_string()).unwrap_err()
    };
    for (name, value, expected) in [
        ("sub", json!(7), TokenError::Malformed),
        ("sub", json!(null), TokenError::Malformed),
        ("sub", json!(""), TokenError::Malformed),
        ("sub", json!("a\u{0}b"), TokenError::Malformed),
        ("sub", json!("x".repeat(256)), TokenError::Malformed),
        ("roles", json!("admin"), TokenError::Malformed),
        ("roles", json!({"0": "admin"}), TokenError::Malformed),
        ("roles", json!(["authenticated"]), TokenError::Malformed),
        ("roles", json!(vec!["r"; 51]), TokenError::Malformed),
        ("exp", json!("never"), TokenError::Malformed),
        ("exp", json!(1e300), TokenError::Malformed),
        ("exp", json!(1_800_000_060.5), TokenError::Malformed),
        ("exp", json!(i64::MAX), TokenError::Lifetime),
        ("exp", json!(NOW + 3_601), TokenError::Lifetime),
        ("iat", json!(i64::MIN), TokenError::Lifetime),
        ("iat", json!(NOW + 31), TokenError::Early),
        ("jti", json!(""), TokenError::Malformed),
        ("claims", json!([]), TokenError::Malformed),
        ("claims", json!({"roles": ["admin"]}), TokenError::Malformed),
        ("projectId", json!("other"), TokenError::Env),
        ("envId", json!("dev"), TokenError::Env),
        ("nbf", json!(NOW + 60), TokenError::Malformed),
        ("aud", json!("x"), TokenError::Malformed),
    ] {
        assert_eq!(with(name, value.clone()), expected, "{name}: {value}");
    }
    let once = json!(claims()).to_string();
    let twice = once.replacen(r#"{"sub""#, r#"{"sub":"root","sub""#, 1);
    assert_ne!(once, twice);
    assert_eq!(read(&twice), Err(TokenError::Malformed));
    let unicode = Claims { sub: "Åsa 王 🦀".to_owned(), ..claims() };
    assert_eq!(read(&json!(unicode).to_string()), Ok(unicode));
}

#[test]
fn a_text_that_was_changed_is_no_token() {
    let key = SigningKey::generate().unwrap();
    let (public, good) = (key.verifying_key(), text(&claims(), &key));
    for changed in [
        format!("{good}="),
        format!("{good}."),
        format!("{good}.."),
        format!(".{good}"),
        format!(" {good}"),
        format!("{good}\n"),
        good.replacen('.', "", 1),
        good.replace('.', ".."),
        good[..good.rfind('.').unwrap()].to_owned(),
        good[..=good.rfind('.').unwrap()].to_owned(),
        good[..good.len() - 2].to_owned(),
        "a".repeat(TOKEN_BYTES_MAX + 1),
        "..".to_owned(),
        String::new(),
    ] {
        assert!(verify(&changed, &public, NOW).is_err(), "{changed:?}");
    }
    let body = part(&claims()).unwrap();
    let root = part(&Claims { sub: "root".to_owned(), ..claims() }).unwrap();
    assert_eq!(verify(&good.replacen(&body, &root, 1), &public, NOW), Err(TokenError::Signature));
    // Every other last character either does not hold or is no base64url: a token has one form.
    let (front, last) = good.split_at(good.len() - 1);
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        assert!(last.starts_with(other) || verify(&format!("{front}{other}"), &public, NOW).is_err(), "{other}");
    }
}

#[test]
fn what_a_token_may_say_is_bounded() {
    let with = |change: &dyn Fn(&mut Claims)| {
        let mut claims = claims();
        change(&mut claims);
        claims.check().unwrap_err()
    };
    let named = |name: &str, value: Value| with(&|claims| drop(claims.claims.insert(name.to_owned(), value.clone())));
    assert_eq!(with(&|claims| claims.sub = "\u{85}".to_owned()), ClaimsError::Subject);
    assert_eq!(with(&|claims| claims.roles = vec!["a b".to_owned()]), ClaimsError::Role("a b".to_owned()));
    assert_eq!(with(&|claims| claims.roles = vec!["public".to_owned()]), ClaimsError::EveryonesRole("public".into()));
    assert_eq!(with(&|claims| claims.roles = vec!["r".to_owned(); 51]), ClaimsError::Roles);
    for name in RESERVED {
        assert_eq!(named(name, json!(1)), ClaimsError::Reserved((*name).to_owned()));
    }
    assert_eq!(named("", json!(1)), ClaimsError::Name);
    assert_eq!(named("big", json!("x".repeat(CLAIMS_BYTES_MAX))), ClaimsError::Size);
    let nested = |depth: usize| (0..depth).fold(json!(1), |value, _| json!([value]));
    assert_eq!(named("deep", nested(8)), ClaimsError::Depth);
    let mut deep = claims();
    deep.claims.insert("deep".to_owned(), nested(7));
    assert_eq!(deep.check(), Ok(()));
    // Each within its bound, and too much together.
    let long = Claims {
        sub: "s".repeat(SUBJECT_BYTES_MAX),
        roles: (0..ROLES_MAX).map(|n| format!("{}{n:02}", "r".repeat(61))).collect(),
        ..claims()
    };
    assert_eq!(long.check(), Ok(()));
    assert!(sign(&long, &SigningKey::generate().unwrap()).unwrap().is_none());
}
