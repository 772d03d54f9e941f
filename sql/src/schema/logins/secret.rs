//! A login's password, and what a server keeps of it: a statement with that is worth nothing to whoever reads the server's log.

use std::num::NonZeroU32;

use aws_lc_rs::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest},
    hmac, pbkdf2,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::schema::Engine;

/// PostgreSQL's own number; against a password of 256 random bits more are of no use.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4_096).unwrap();
const BYTES: usize = 32;

/// 64 hex digits that nobody can guess. Never shown.
pub struct Secret(String);

/// Why a text is no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It could end the literal that it stands in.
    #[error("a login's password is 64 hex digits")]
    Form,
    /// The system's cryptography failed.
    #[error("there is no randomness")]
    Random,
}

impl Secret {
    /// A new one.
    pub fn generate() -> Result<Self, SecretError> {
        let mut bytes = [0_u8; BYTES];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SecretError::Random)?;
        Ok(Self(hex(&bytes)))
    }

    /// One that was kept.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let is_hex = text.len() == 2 * BYTES && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_hex.then(|| Self(text.to_owned())).ok_or(SecretError::Form)
    }

    /// As the user logs in with it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// PostgreSQL's verifier for SCRAM-SHA-256 (RFC 5803): it proves a password and is none.
    pub fn scram(&self, salt: &[u8; 16]) -> String {
        let mut salted = [0_u8; BYTES];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, salt, self.0.as_bytes(), &mut salted);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let stored = digest(&SHA256, hmac::sign(&key, b"Client Key").as_ref());
        let server = hmac::sign(&key, b"Server Key");
        let text = |bytes: &[u8]| STANDARD.encode(bytes);
        format!("SCRAM-SHA-256${ITERATIONS}:{}${}:{}", text(salt), text(stored.as_ref()), text(server.as_ref()))
    }

    /// After `IDENTIFIED BY`: MariaDB takes what it keeps, a hash that opens nothing; MySQL 8 hashes the password itself, and keeps
    /// statements that have one out of its logs.
    pub(super) fn identified_by(&self, engine: Engine) -> String {
        if engine != Engine::Mariadb {
            return format!("'{}'", self.0);
        }
        let once = digest(&SHA1_FOR_LEGACY_USE_ONLY, self.0.as_bytes());
        let twice = digest(&SHA1_FOR_LEGACY_USE_ONLY, once.as_ref());
        format!("PASSWORD '*{}'", hex(twice.as_ref()).to_uppercase())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn only_hex_is_a_password() {
        let secret = Secret::parse(KEPT).unwrap();
        assert!(!format!("{secret:?}").contains("0011"));
        for wrong in ["", "0", &KEPT.to_uppercase(), &KEPT.replace('f', "'"), &format!("{KEPT}00")] {
            assert_eq!(Secret::parse(wrong).unwrap_err(), SecretError::Form, "{wrong}");
        }
        let (one, other) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        assert_ne!(one.expose(), other.expose());
        Secret::parse(one.expose()).unwrap();
    }

    /// Computed with Python's hashlib.
    #[test]
    fn what_a_server_keeps_is_computed_as_it_does() {
        let secret = Secret::parse(KEPT).unwrap();
        assert_eq!(
            secret.scram(b"0123456789abcdef"),
            "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$owi2/P3akoJgWLjotZxiDrnvy+4diqt6O+MSPg64Lns=:jNEoEPVDl7PLCrDMXcMBtGlvbvFbQ8AYuicWZvSrLfs="
        );
        assert_eq!(secret.identified_by(Engine::Mariadb), "PASSWORD '*7A1D0F2E148B52196A342B2575878AD5EE75E005'");
        assert_eq!(secret.identified_by(Engine::Mysql), format!("'{KEPT}'"));
    }
}
