//! The compact form of JWS (RFC 7515), as far as it is used here: three parts of base64url, one algorithm, `EdDSA`, and a header of
//! three fields. What is signed has no byte outside of that alphabet but one dot, so that no signature over it passes for one of a
//! release, which begins with `DSSEv1` and a space.
//!
//! It reads and it signs. Whose key counts, and what a token says, is decided by who asks.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    release::{EnvelopeError, SigningKey, VerifyingKey},
    wire::Sealed,
};

/// The one algorithm. Whatever else a token names is refused: the token does not choose how it is verified.
pub(crate) const ALGORITHM: &str = "EdDSA";

/// All that a header may have. `jwk`, `jku`, `x5c`, `crit` and the like are no fields of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) typ: String,
    pub(crate) kid: String,
}

/// A token that was taken apart. Nothing in it is to be believed before [`Compact::is_signed_by`].
#[derive(Debug)]
pub(crate) struct Compact<'t> {
    pub(crate) header: Header,
    signed: &'t str,
    claims: &'t str,
    signature: &'t str,
}

impl<'t> Compact<'t> {
    /// Three parts, of which the first is a header.
    pub(crate) fn read(token: &'t str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header = serde_json::from_slice(&bytes(header)?).ok()?;
        Some(Self { header, signed, claims, signature })
    }

    /// The signature's bytes; none where it is no base64url in its one form.
    pub(crate) fn signature(&self) -> Option<Vec<u8>> {
        bytes(self.signature)
    }

    /// Whether the key has signed header and claims.
    pub(crate) fn is_signed_by(&self, key: &VerifyingKey, signature: &[u8]) -> bool {
        key.has_signed(self.signed.as_bytes(), signature)
    }

    /// What it says. To be asked after its signature.
    pub(crate) fn claims<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&bytes(self.claims)?).ok()
    }
}

/// Signs claims; the header names the type and the key.
pub(crate) fn sign<T: Serialize>(typ: &str, claims: &T, key: &SigningKey) -> Result<Sealed, EnvelopeError> {
    let header = Header { alg: ALGORITHM.to_owned(), typ: typ.to_owned(), kid: key.verifying_key().id() };
    let signed = format!("{}.{}", part(&header)?, part(claims)?);
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
    Ok(Sealed::new(format!("{signed}.{signature}")))
}

/// A part of a token.
pub(crate) fn part<T: Serialize>(value: &T) -> Result<String, EnvelopeError> {
    let json = serde_json::to_vec(value).map_err(|error| EnvelopeError::Malformed(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

/// Without padding and without spare bits: a text has one form only.
fn bytes(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}
