//! Signatures, in the shape of DSSE (Dead Simple Signing Envelope, v1): a typed payload and a list of Ed25519 signatures
//! over its pre-authentication encoding. Nothing in an unverified envelope is to be believed.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Digest, canonical_json};

/// Payload type of a signed [`super::Statement`].
pub const RELEASE_TYPE: &str = "application/vnd.santokit.release.v1+json";

/// Payload type of a signed [`super::Pointer`].
pub const POINTER_TYPE: &str = "application/vnd.santokit.pointer.v1+json";

/// The largest number of signatures that is looked at.
const SIGNATURES_MAX: usize = 16;

/// A signed payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    /// Says what the payload is; part of what is signed.
    pub payload_type: String,
    /// Base64.
    pub payload: String,
    /// In any order.
    pub signatures: Vec<Signature>,
}

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// [`VerifyingKey::id`] of the signer: a hint, never a proof.
    pub keyid: String,
    /// Base64.
    pub sig: String,
}

/// An Ed25519 private key. Its `Debug` shows only the key's id.
pub struct SigningKey {
    pair: Ed25519KeyPair,
}

/// An Ed25519 public key, written `ed25519:<base64>`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifyingKey([u8; 32]);

/// Why an envelope is refused, or a key cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Another kind of payload than the one asked for.
    #[error("the payload is of type {found:?}, expected {expected:?}")]
    Type {
        /// What it is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// No signature of a trusted key holds.
    #[error("no valid signature of a trusted key; signed by {signers}")]
    Untrusted {
        /// The key ids that it claims.
        signers: String,
    },
    /// Not base64, not JSON, or too many signatures.
    #[error("the envelope is malformed: {0}")]
    Malformed(String),
    /// Not a key of the one form there is.
    #[error("{0}")]
    Key(&'static str),
}

impl Envelope {
    /// Signs a payload.
    pub fn sign<T: Serialize>(
        payload_type: &'static str,
        payload: &T,
        key: &SigningKey,
    ) -> Result<Self, EnvelopeError> {
        let mut envelope = Self::of(payload_type, payload, Vec::new())?;
        envelope.add_signature(key)?;
        Ok(envelope)
    }

    /// A payload with signatures that were kept apart from it.
    pub fn of<T: Serialize>(
        payload_type: &'static str,
        payload: &T,
        signatures: Vec<Signature>,
    ) -> Result<Self, EnvelopeError> {
        let bytes = canonical_json(payload).map_err(|error| EnvelopeError::Malformed(error.to_string()))?;
        Ok(Self { payload_type: payload_type.to_owned(), payload: STANDARD.encode(&bytes), signatures })
    }

    /// Adds one more signature over the same payload; a key signs once.
    pub fn add_signature(&mut self, key: &SigningKey) -> Result<(), EnvelopeError> {
        let message = pre_authentication_encoding(&self.payload_type, &self.payload_bytes()?);
        let keyid = key.verifying_key().id();
        let sig = STANDARD.encode(key.sign(&message));
        self.signatures.retain(|signature| signature.keyid != keyid);
        self.has_room()?;
        self.signatures.push(Signature { keyid, sig });
        Ok(())
    }

    /// One more than is looked at would make all of them worthless.
    fn has_room(&self) -> Result<(), EnvelopeError> {
        if self.signatures.len() < SIGNATURES_MAX {
            return Ok(());
        }
        Err(EnvelopeError::Malformed(format!("it has {SIGNATURES_MAX} signatures, the most there may be")))
    }

    /// Adds a signature that was made elsewhere, if it holds for the key; a key signs once.
    pub fn attach(&mut self, key: &VerifyingKey, sig: &str) -> Result<(), EnvelopeError> {
        let message = pre_authentication_encoding(&self.payload_type, &self.payload_bytes()?);
        let signature = Signature { keyid: key.id(), sig: sig.to_owned() };
        let alone = Self { signatures: vec![signature.clone()], ..self.clone() };
        if !alone.is_signed_by(key, &message) {
            return Err(EnvelopeError::Untrusted { signers: signature.keyid });
        }
        self.signatures.retain(|known| known.keyid != signature.keyid);
        self.has_room()?;
        self.signatures.push(signature);
        Ok(())
    }

    /// Takes the signatures of keys away; without one that stays, nothing believes it any more.
    pub fn remove_signatures(&mut self, key_ids: &[String]) {
        self.signatures.retain(|signature| !key_ids.contains(&signature.keyid));
    }

    /// The payload, once `required` different signers of the trusted ones are found to have signed it, each with any of its keys.
    pub fn open<T: DeserializeOwned>(
        &self,
        expected: &'static str,
        trusted: &[Vec<VerifyingKey>],
        required: usize,
    ) -> Result<T, EnvelopeError> {
        if self.payload_type != expected {
            return Err(EnvelopeError::Type { found: self.payload_type.clone(), expected });
        }
        if self.signatures.len() > SIGNATURES_MAX {
            return Err(EnvelopeError::Malformed(format!("more than {SIGNATURES_MAX} signatures")));
        }
        let payload = self.payload_bytes()?;
        let message = pre_authentication_encoding(&self.payload_type, &payload);
        let has_signed = |keys: &&Vec<VerifyingKey>| keys.iter().any(|key| self.is_signed_by(key, &message));
        let signers = trusted.iter().filter(has_signed).count();
        if signers < required.max(1) {
            let ids: Vec<&str> = self.signatures.iter().map(|signature| signature.keyid.as_str()).collect();
            return Err(EnvelopeError::Untrusted { signers: ids.join(", ") });
        }
        serde_json::from_slice(&payload).map_err(|error| EnvelopeError::Malformed(error.to_string()))
    }

    /// The payload as it is, whoever signed it: to learn which keys to look for. It is not to be believed.
    pub fn unverified<T: DeserializeOwned>(&self, expected: &'static str) -> Result<T, EnvelopeError> {
        if self.payload_type != expected {
            return Err(EnvelopeError::Type { found: self.payload_type.clone(), expected });
        }
        serde_json::from_slice(&self.payload_bytes()?).map_err(|error| EnvelopeError::Malformed(error.to_string()))
    }

    fn is_signed_by(&self, key: &VerifyingKey, message: &[u8]) -> bool {
        self.signatures
            .iter()
            .any(|signature| STANDARD.decode(&signature.sig).is_ok_and(|sig| key.has_signed(message, &sig)))
    }

    fn payload_bytes(&self) -> Result<Vec<u8>, EnvelopeError> {
        STANDARD.decode(&self.payload).map_err(|error| EnvelopeError::Malformed(error.to_string()))
    }
}

/// DSSE's PAE: lengths make it impossible to shift bytes between type and payload.
fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

impl SigningKey {
    /// A new key from the system's randomness.
    pub fn generate() -> Result<Self, EnvelopeError> {
        Ed25519KeyPair::generate().map(|pair| Self { pair }).map_err(|_| EnvelopeError::Key("cannot make a key"))
    }

    /// Reads PKCS #8 (DER).
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, EnvelopeError> {
        Ed25519KeyPair::from_pkcs8(der)
            .map(|pair| Self { pair })
            .map_err(|_| EnvelopeError::Key("not an Ed25519 private key in PKCS #8"))
    }

    /// As PKCS #8 (DER), to be sealed before it is stored.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, EnvelopeError> {
        self.pair
            .to_pkcs8()
            .map(|document| document.as_ref().to_vec())
            .map_err(|_| EnvelopeError::Key("cannot encode the key"))
    }

    /// Signs bytes. Only for what says in its first bytes what it is, so that no signature passes for another's.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut bytes = [0; 32];
        let public = self.pair.public_key().as_ref();
        let length = public.len().min(32);
        bytes[..length].copy_from_slice(&public[..length]);
        VerifyingKey(bytes)
    }
}

impl VerifyingKey {
    /// Names the key: the first 16 hexadecimal digits of its SHA-256.
    pub fn id(&self) -> String {
        Digest::of(&self.0).hex()[..16].to_owned()
    }

    /// The key's 32 bytes, which is how other forms write it.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From its 32 bytes.
    pub(crate) fn of(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Whether it has signed these bytes.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }

    /// Reads `ed25519:<base64 of 32 bytes>`.
    pub fn parse(text: &str) -> Result<Self, EnvelopeError> {
        text.strip_prefix("ed25519:")
            .and_then(|rest| STANDARD.decode(rest.trim()).ok())
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .map(Self)
            .ok_or(EnvelopeError::Key("a public key is ed25519: and the base64 of 32 bytes"))
    }
}

impl TryFrom<String> for VerifyingKey {
    type Error = EnvelopeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<VerifyingKey> for String {
    fn from(key: VerifyingKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.id())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifying_key().id())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_signature_holds_for_its_payload_type_and_key_only() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let envelope = Envelope::sign(RELEASE_TYPE, &json!({"a": 1}), &key).unwrap();
        let trusted = [vec![key.verifying_key()]];
        assert_eq!(envelope.open::<Value>(RELEASE_TYPE, &trusted, 1).unwrap(), json!({"a": 1}));
        assert!(envelope.open::<Value>(POINTER_TYPE, &trusted, 1).is_err());
        assert!(envelope.open::<Value>(RELEASE_TYPE, &[vec![other.verifying_key()]], 1).is_err());
        for nobody in [vec![], vec![vec![]]] {
            assert!(envelope.open::<Value>(RELEASE_TYPE, &nobody, 0).is_err(), "no trusted key is never enough");
        }

        let mut altered = envelope.clone();
        altered.payload = STANDARD.encode(br#"{"a":2}"#);
        assert!(altered.open::<Value>(RELEASE_TYPE, &trusted, 1).is_err());
        let mut retyped = envelope;
        retyped.payload_type = POINTER_TYPE.to_owned();
        assert!(retyped.open::<Value>(POINTER_TYPE, &trusted, 1).is_err());
    }

    #[test]
    fn one_key_cannot_stand_for_two_signers() {
        let (key, second) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let mut envelope = Envelope::sign(RELEASE_TYPE, &json!(1), &key).unwrap();
        let copy = envelope.signatures[0].clone();
        envelope.signatures.push(Signature { keyid: second.verifying_key().id(), sig: copy.sig });
        let trusted = [vec![key.verifying_key()], vec![second.verifying_key()]];
        assert!(envelope.open::<Value>(RELEASE_TYPE, &trusted, 2).is_err());
        envelope.add_signature(&second).unwrap();
        assert!(envelope.open::<Value>(RELEASE_TYPE, &trusted, 2).is_ok());
    }

    #[test]
    fn a_signer_with_two_keys_counts_once() {
        let keys: Vec<SigningKey> = (0..3).map(|_| SigningKey::generate().unwrap()).collect();
        let [old, new, other] = [0, 1, 2].map(|at: usize| keys[at].verifying_key());
        let mut envelope = Envelope::sign(RELEASE_TYPE, &json!(1), &keys[0]).unwrap();
        envelope.add_signature(&keys[1]).unwrap();
        let trusted = [vec![old.clone(), new.clone()], vec![other]];
        assert!(envelope.open::<Value>(RELEASE_TYPE, &trusted, 2).is_err(), "one signer in the middle of a rotation");
        assert!(envelope.open::<Value>(RELEASE_TYPE, &trusted, 1).is_ok());
        envelope.add_signature(&keys[2]).unwrap();
        assert!(envelope.open::<Value>(RELEASE_TYPE, &trusted, 2).is_ok());
        envelope.remove_signatures(&[old.id()]);
        assert!(envelope.open::<Value>(RELEASE_TYPE, &trusted, 2).is_ok(), "either of its keys is enough");
        envelope.remove_signatures(&[new.id()]);
        assert!(envelope.open::<Value>(RELEASE_TYPE, &trusted, 2).is_err());
    }

    #[test]
    fn a_signature_of_elsewhere_is_added_if_it_holds() {
        let keys: Vec<SigningKey> = (0..=SIGNATURES_MAX).map(|_| SigningKey::generate().unwrap()).collect();
        let envelope = Envelope::sign(RELEASE_TYPE, &json!(1), &keys[0]).unwrap();
        let mut elsewhere = envelope.clone();
        elsewhere.add_signature(&keys[1]).unwrap();
        let (public, sig) = (keys[1].verifying_key(), elsewhere.signatures[1].sig.clone());
        let mut both = envelope.clone();
        both.attach(&public, &sig).unwrap();
        both.attach(&public, &sig).unwrap();
        assert_eq!(both, elsewhere, "once");
        let other = Envelope::sign(RELEASE_TYPE, &json!(2), &keys[1]).unwrap();
        for (key, sig) in
            [(&public, "not base64"), (&keys[2].verifying_key(), &sig), (&public, &other.signatures[0].sig)]
        {
            assert!(both.attach(key, sig).is_err());
        }
        assert_eq!(both, elsewhere, "nothing is lost to one that does not hold");
        for key in &keys[2..] {
            let mut elsewhere = envelope.clone();
            elsewhere.add_signature(key).unwrap();
            let is_full = both.signatures.len() == SIGNATURES_MAX;
            assert_eq!(both.attach(&key.verifying_key(), &elsewhere.signatures[1].sig).is_err(), is_full);
        }
        assert!(both.add_signature(&SigningKey::generate().unwrap()).is_err(), "whoever adds it");
        assert!(both.open::<Value>(RELEASE_TYPE, &[vec![keys[0].verifying_key()]], 1).is_ok());
    }

    #[test]
    fn keys_survive_their_text_form_and_do_not_show_themselves() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
        assert_eq!(key.verifying_key(), again.verifying_key());
        assert_eq!(VerifyingKey::parse(&key.verifying_key().to_string()).unwrap(), key.verifying_key());
        assert!(!format!("{key:?}").contains("ed25519:"));
    }
}
