//! The audit log as it is kept, exported and verified: a chain of entries, each signed; a signed head that says where it ends;
//! a signed checkpoint in the place of what was removed when its time was over. Hub and command line verify with the same code,
//! so that nobody has to believe the Hub.
//!
//! What is detected by whom is written down in `docs/decisions/0024-audit-log.md`.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::release::{Digest, Envelope, EnvelopeError, Signature, SigningKey, VerifyingKey, canonical_json};

mod walk;

pub use walk::{Broken, Verdict, Walk};

/// Payload type of a signed [`Mark`].
pub const ENTRY_TYPE: &str = "application/vnd.santokit.audit-entry.v1+json";
/// Payload type of a signed [`Head`].
pub const HEAD_TYPE: &str = "application/vnd.santokit.audit-head.v1+json";
/// Payload type of a signed [`Checkpoint`].
pub const CHECKPOINT_TYPE: &str = "application/vnd.santokit.audit-checkpoint.v1+json";

/// The action of an entry that says that those before it had no signature yet.
pub const BEGIN: &str = "audit.begin";
/// The action of an entry that says that what follows goes on from a backup.
pub const RESTORE: &str = "hub.restore";

/// Where the log ends. Whoever has one can show later that nothing before it was changed or cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    /// How often the Hub was restored from a backup; a log that goes on from one may have lost entries.
    pub epoch: i64,
    /// Of the last entry.
    pub seq: i64,
    /// Of the last entry.
    pub hash: Digest,
    /// Of the last entry; RFC 3339, UTC.
    pub ts: String,
}

/// What stands for entries that were removed: all up to one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkpoint {
    /// Of the last entry that was removed, and so how many were, since the first.
    pub seq: i64,
    /// Of that entry.
    pub hash: Digest,
    /// Of that entry; RFC 3339, UTC.
    pub until: String,
    /// When they were removed.
    pub ts: String,
}

/// What the signature of an entry is over.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    seq: i64,
    hash: Digest,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// From 1, without a gap.
    pub seq: i64,
    /// Canonical JSON with `seq` and `prevHash`.
    pub entry: String,
    /// SHA-256 of the entry's text.
    pub hash: String,
    /// `<key id>:<base64>`; none in a log that is older than signatures.
    pub signature: Option<String>,
}

impl Head {
    /// Reads a signed head.
    pub fn open(envelope: &Envelope, keys: &[VerifyingKey]) -> Result<Self, EnvelopeError> {
        envelope.open(HEAD_TYPE, &[keys.to_vec()], 1)
    }

    /// Signs it.
    pub fn sign(&self, key: &SigningKey) -> Result<Envelope, EnvelopeError> {
        Envelope::sign(HEAD_TYPE, self, key)
    }

    /// Which of two is later.
    pub fn order(&self, other: &Self) -> Ordering {
        (self.epoch, self.seq).cmp(&(other.epoch, other.seq))
    }
}

impl Checkpoint {
    /// Reads a signed checkpoint.
    pub fn open(envelope: &Envelope, keys: &[VerifyingKey]) -> Result<Self, EnvelopeError> {
        envelope.open(CHECKPOINT_TYPE, &[keys.to_vec()], 1)
    }

    /// Signs it.
    pub fn sign(&self, key: &SigningKey) -> Result<Envelope, EnvelopeError> {
        Envelope::sign(CHECKPOINT_TYPE, self, key)
    }
}

impl Row {
    /// Signs an entry.
    pub fn sign(seq: i64, entry: String, key: &SigningKey) -> Result<Self, EnvelopeError> {
        let hash = Digest::of(entry.as_bytes());
        let envelope = Envelope::sign(ENTRY_TYPE, &Mark { seq, hash: hash.clone() }, key)?;
        let signature = envelope.signatures.first().map(|signature| format!("{}:{}", signature.keyid, signature.sig));
        Ok(Self { seq, entry, hash: hash.as_str().to_owned(), signature })
    }

    /// Whether one of the keys has signed it. It does not say that the hash is that of the text.
    pub fn is_signed(&self, keys: &[VerifyingKey]) -> bool {
        let Some((keyid, sig)) = self.signature.as_ref().and_then(|text| text.split_once(':')) else { return false };
        let Ok(hash) = Digest::parse(&self.hash) else { return false };
        let signature = Signature { keyid: keyid.to_owned(), sig: sig.to_owned() };
        Envelope::of(ENTRY_TYPE, &Mark { seq: self.seq, hash }, vec![signature])
            .and_then(|envelope| envelope.open::<Mark>(ENTRY_TYPE, &[keys.to_vec()], 1))
            .is_ok()
    }

    /// As it is given out: the fields of the entry, its hash and its signature.
    pub fn to_json(&self) -> Json {
        let mut json: Json = serde_json::from_str(&self.entry)
            .ok()
            .filter(Json::is_object)
            .unwrap_or_else(|| Json::Object([].into_iter().collect()));
        json["seq"] = self.seq.into();
        json["hash"] = self.hash.clone().into();
        json["signature"] = self.signature.clone().into();
        json
    }

    /// Reads what was given out; none where it is no entry.
    pub fn of_json(json: &Json) -> Option<Self> {
        let mut fields = json.as_object()?.clone();
        let mut text = |name: &str| match fields.shift_remove(name) {
            Some(Json::String(text)) => Some(text),
            _ => None,
        };
        let (hash, signature) = (text("hash")?, text("signature"));
        let seq = json["seq"].as_i64()?;
        let entry = String::from_utf8(canonical_json(&Json::Object(fields)).ok()?).ok()?;
        Some(Self { seq, entry, hash, signature })
    }
}
