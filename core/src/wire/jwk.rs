//! Public keys as others read them: JSON Web Keys (RFC 7517), of which there is one kind here, Ed25519 (RFC 8037).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::release::VerifyingKey;

/// A public key. A field that it lacks is empty: a key of a kind that is not known here must not spoil those beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Jwk {
    /// `OKP`.
    pub kty: String,
    /// `Ed25519`.
    pub crv: String,
    /// Base64url of the key.
    pub x: String,
    /// By which a token names it: [`VerifyingKey::id`].
    pub kid: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// `EdDSA`.
    pub alg: String,
}

/// `GET /internal/keys/{project}/{env}`, and what a Bridge publishes at `/p/{project}/{env}/.well-known/jwks.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwkSet {
    /// The one that signs first.
    pub keys: Vec<Jwk>,
}

impl Jwk {
    /// Of a key.
    pub fn of(key: &VerifyingKey) -> Self {
        Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: URL_SAFE_NO_PAD.encode(key.bytes()),
            kid: key.id(),
            usage: "sig".to_owned(),
            alg: "EdDSA".to_owned(),
        }
    }

    /// The key, if it is one of the one kind, for signatures, and named as its content is.
    pub fn verifying_key(&self) -> Option<VerifyingKey> {
        let is_known = self.kty == "OKP" && self.crv == "Ed25519" && self.usage == "sig" && self.alg == "EdDSA";
        let bytes = URL_SAFE_NO_PAD.decode(&self.x).ok().filter(|_| is_known)?;
        let key = VerifyingKey::of(bytes.try_into().ok()?);
        (key.id() == self.kid).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The key of RFC 8037, appendix A.2.
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    #[test]
    fn a_key_is_written_as_the_standard_writes_it() {
        let text = "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let key = VerifyingKey::parse(text).unwrap();
        let written = json!(Jwk::of(&key));
        let expected = json!({
            "kty": "OKP", "crv": "Ed25519", "x": X, "kid": key.id(), "use": "sig", "alg": "EdDSA",
        });
        assert_eq!(written, expected);
        assert_eq!(serde_json::from_value::<Jwk>(written).unwrap().verifying_key(), Some(key));
    }

    #[test]
    fn what_is_no_key_of_this_kind_is_none() {
        let key = VerifyingKey::parse("ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=").unwrap();
        let good = json!(Jwk::of(&key));
        for (field, value) in [
            ("kty", "RSA"),
            ("crv", "X25519"),
            ("crv", "P-256"),
            ("alg", "ES256"),
            ("use", "enc"),
            ("kid", "another"),
            ("x", ""),
            ("x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
            ("x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUR"),
        ] {
            let mut changed = good.clone();
            changed[field] = json!(value);
            assert_eq!(serde_json::from_value::<Jwk>(changed).unwrap().verifying_key(), None, "{field} {value:?}");
        }
        let later: JwkSet =
            serde_json::from_value(json!({"keys": [{"kty": "EC", "kid": "x", "y": "…"}, good], "more": 1})).unwrap();
        let known: Vec<VerifyingKey> = later.keys.iter().filter_map(Jwk::verifying_key).collect();
        assert_eq!(known, [key], "what is known of a later set is used");
    }
}
