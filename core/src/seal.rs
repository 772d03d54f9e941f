//! Sealing small secrets at rest: AES-256-GCM with a random nonce, bound to what the record is (its context).
//!
//! It knows nothing of where the key comes from or where the record is kept.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine, engine::general_purpose::STANDARD};

/// A 256-bit key. Never shown.
pub struct SealKey {
    key: RandomizedNonceKey,
}

/// Why something cannot be sealed or opened. It says nothing about the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key's text is not the base64 of 32 bytes.
    #[error("a key is the base64 of 32 bytes")]
    Key,
    /// The record was made with another key, for another use, or was altered.
    #[error("the sealed record cannot be opened with this key")]
    Open,
    /// The system's cryptography failed.
    #[error("sealing failed")]
    Seal,
}

impl SealKey {
    /// From 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, SealError> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes).map(|key| Self { key }).map_err(|_| SealError::Key)
    }

    /// From the base64 of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| SealError::Key)?;
        Self::new(&bytes)
    }

    /// A new key's text form.
    pub fn generate_text() -> Result<String, SealError> {
        let mut bytes = [0_u8; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SealError::Seal)?;
        Ok(STANDARD.encode(bytes))
    }

    /// Seals bytes for one use, named by `context`: nonce, then ciphertext and tag.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut buffer = plain.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut buffer)
            .map_err(|_| SealError::Seal)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut buffer);
        Ok(sealed)
    }

    /// Opens what [`SealKey::seal`] made for the same context.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::Open)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Open)?;
        let mut buffer = body.to_vec();
        let length = self
            .key
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut buffer)
            .map_err(|_| SealError::Open)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_opens_only_with_its_key_and_for_its_use() {
        let key = SealKey::parse(&SealKey::generate_text().unwrap()).unwrap();
        let other = SealKey::parse(&SealKey::generate_text().unwrap()).unwrap();
        let sealed = key.seal("connection/main", b"sqlite:shop.db").unwrap();
        assert_eq!(key.open("connection/main", &sealed).unwrap(), b"sqlite:shop.db");
        assert_eq!(key.open("connection/other", &sealed), Err(SealError::Open));
        assert_eq!(other.open("connection/main", &sealed), Err(SealError::Open));
        for cut in 0..sealed.len() {
            assert_eq!(key.open("connection/main", &sealed[..cut]), Err(SealError::Open));
        }
        assert!(!format!("{key:?}").contains('='));
    }
}
