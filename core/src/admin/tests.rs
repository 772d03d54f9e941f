//! Tokens as they should be, and every other kind of text in their place; it makes keys and asks nothing else.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    jws::part,
    release::{
        Envelope, Signature,
        envelope::{POINTER_TYPE, RELEASE_TYPE},
    },
};

const NOW: i64 = 1_800_000_000;
const BRIDGE: &str = "brg_1";

fn claims() -> Claims {
    Claims {
        aud: BRIDGE.to_owned(),
        sub: "op_1".to_owned(),
        project: "shop".to_owned(),
        env: "prod".to_owned(),
        deed: Deed::Sync,
        recording: None,
        job: None,
        letters: None,
        iat: NOW,
        exp: NOW + 60,
        jti: "one".to_owned(),
    }
}

fn text(claims: &Claims, key: &SigningKey) -> String {
    sign(claims, key).unwrap().expose().to_owned()
}

/// A token of any header and any claims, signed as it stands.
fn forged(header: &Value, claims: &Value, key: &SigningKey) -> String {
    let signed = format!("{}.{}", part(header).unwrap(), part(claims).unwrap());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())))
}

#[test]
fn a_token_says_what_was_signed() {
    let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let trusted = [other.verifying_key(), key.verifying_key()];
    assert_eq!(verify(&text(&claims(), &key), &trusted, BRIDGE, NOW + 59).unwrap(), claims());
    assert_eq!(verify(&text(&claims(), &key), &trusted, BRIDGE, NOW - 30).unwrap(), claims(), "clocks differ a little");
}

#[test]
fn what_is_not_a_token_for_here_and_now_opens_nothing() {
    let (key, stranger) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let trusted = [key.verifying_key()];
    let refusal = |token: &str| verify(token, &trusted, BRIDGE, NOW).unwrap_err().to_string();
    let with = |change: &dyn Fn(&mut Claims)| {
        let mut claims = claims();
        change(&mut claims);
        refusal(&text(&claims, &key))
    };
    let good = text(&claims(), &key);
    let (header, body) = (json!({"alg": "EdDSA", "typ": TYPE, "kid": key.verifying_key().id()}), json!(claims()));
    let header_with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        refusal(&forged(&header, &body, &key))
    };
    let body_with = |name: &str, value: Value| {
        let mut body = body.clone();
        body[name] = value;
        refusal(&forged(&header, &body, &key))
    };
    let unsigned = format!("{}.{}.", part(&json!({"alg": "none"})).unwrap(), part(&body).unwrap());
    let none = format!(
        "{}.{}.",
        part(&json!({"alg": "none", "typ": TYPE, "kid": header["kid"]})).unwrap(),
        part(&body).unwrap()
    );
    let (malformed, kind) = ("it is no token", "it is of another kind");
    for (what, told, expected) in [
        ("expired", with(&|claims| (claims.iat, claims.exp) = (NOW - 60, NOW)), "it has expired"),
        ("not yet made", with(&|claims| (claims.iat, claims.exp) = (NOW + 31, NOW + 60)), "in the future"),
        ("too long", with(&|claims| claims.exp = NOW + 301), "longer than a token may be"),
        ("made after its end", with(&|claims| claims.iat = NOW + 29 + 60), "in the future"),
        ("without end", with(&|claims| claims.exp = i64::MAX), "longer than a token may be"),
        ("before all time", with(&|claims| claims.iat = i64::MIN), "longer than a token may be"),
        ("another Bridge", with(&|claims| claims.aud = "brg_2".to_owned()), "for another Bridge"),
        ("several Bridges", body_with("aud", json!([BRIDGE])), malformed),
        ("no name", with(&|claims| claims.jti.clear()), malformed),
        ("a stranger's key", refusal(&text(&claims(), &stranger)), "does not trust"),
        ("a stranger that says it is another", refusal(&forged(&header, &body, &stranger)), "signature does not hold"),
        ("no algorithm", refusal(&none), kind),
        ("nothing but no algorithm", refusal(&unsigned), malformed),
        ("a shared secret", header_with("alg", json!("HS256")), kind),
        ("another case", header_with("alg", json!("eddsa")), kind),
        ("another type", header_with("typ", json!("JWT")), kind),
        ("a key of its own", header_with("jwk", json!({"kty": "OKP"})), malformed),
        ("no key", refusal(&forged(&json!({"alg": "EdDSA", "typ": TYPE}), &body, &key)), malformed),
        ("another deed", body_with("deed", json!("shell")), malformed),
        ("more claims", body_with("admin", json!(true)), malformed),
        ("a cut signature", refusal(&good[..good.len() - 2]), "signature does not hold"),
        ("no signature", refusal(&good[..=good.rfind('.').unwrap()]), "signature does not hold"),
        ("padding", refusal(&format!("{good}=")), malformed),
        ("four parts", refusal(&format!("{good}.x")), malformed),
        ("nothing", refusal(""), malformed),
        ("dots", refusal(".."), malformed),
        ("too much", refusal(&"a".repeat(3_000)), malformed),
    ] {
        assert!(told.contains(expected), "{what}: {told}");
    }
    let altered = good.replacen(&part(&body).unwrap(), &part(&json!({"x": 1})).unwrap(), 1);
    assert!(refusal(&altered).contains("signature does not hold"));
    assert!(verify(&good, &[], BRIDGE, NOW).is_err(), "no key is never enough");
}

#[test]
fn a_token_is_no_signature_of_a_release_and_the_other_way_round() {
    let key = SigningKey::generate().unwrap();
    let trusted = [key.verifying_key()];
    let signers = [vec![key.verifying_key()]];
    // What was signed for a token, shown as each kind of envelope, in each way that the parts could be laid out.
    let token = text(&claims(), &key);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, body) = signed.split_once('.').unwrap();
    let sig = STANDARD.encode(URL_SAFE_NO_PAD.decode(signature).unwrap());
    for payload_type in [RELEASE_TYPE, POINTER_TYPE, "", signed, header] {
        for payload in [signed.as_bytes(), body.as_bytes(), &URL_SAFE_NO_PAD.decode(body).unwrap(), b""] {
            let envelope = Envelope {
                payload_type: payload_type.to_owned(),
                payload: STANDARD.encode(payload),
                signatures: vec![Signature { keyid: key.verifying_key().id(), sig: sig.clone() }],
            };
            for expected in [RELEASE_TYPE, POINTER_TYPE] {
                assert!(envelope.open::<Value>(expected, &signers, 1).is_err(), "{payload_type}");
            }
        }
    }
    // What was signed for an envelope, shown as a token; the payload is one that a token could have.
    let header = json!({"alg": "EdDSA", "typ": TYPE, "kid": key.verifying_key().id()});
    for payload_type in [RELEASE_TYPE, POINTER_TYPE] {
        let envelope = Envelope::sign(payload_type, &claims(), &key).unwrap();
        let signature = URL_SAFE_NO_PAD.encode(STANDARD.decode(&envelope.signatures[0].sig).unwrap());
        let payload = STANDARD.decode(&envelope.payload).unwrap();
        for body in [part(&claims()).unwrap(), URL_SAFE_NO_PAD.encode(&payload), envelope.payload.clone()] {
            let token = format!("{}.{body}.{signature}", part(&header).unwrap());
            assert!(verify(&token, &trusted, BRIDGE, NOW).is_err(), "{payload_type}");
        }
        // The very bytes that were signed are no token.
        let encoding = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
        let token = format!("{encoding}{}.{signature}", String::from_utf8(payload).unwrap());
        assert!(verify(&token, &trusted, BRIDGE, NOW).is_err(), "{payload_type}");
    }
}

#[test]
fn which_dead_letters_are_meant_is_said_or_all_are() {
    let read = |json: Value| serde_json::from_value::<Letters>(json);
    for said in [json!({"all": true}), json!({"ids": 1}), json!({"topic": "t", "until": "2026-01-31T08:00:00Z"})] {
        let letters = read(said.clone()).unwrap();
        assert!(letters.is_said(), "{said}");
        assert_eq!(serde_json::to_value(&letters).unwrap(), said);
    }
    for unsaid in [json!({}), json!({"ids": 0}), json!({"all": false}), json!({"all": true, "topic": "t"})] {
        assert!(!read(unsaid.clone()).unwrap().is_said(), "{unsaid}");
    }
    assert!(read(json!({"all": true, "everything": true})).is_err());
}
