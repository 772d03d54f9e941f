//! Signatures of Standard Webhooks, scheme `v1` (HMAC-SHA256):
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>. It sends nothing, and shows no secret.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What begins a secret.
const PREFIX: &str = "whsec_";
/// Bytes of a secret, as the standard bounds them.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// While secrets change there are two.
const SECRETS_MAX: usize = 4;

/// The key of a symmetric signature.
pub struct Secret(Vec<u8>);

impl Secret {
    /// One secret, or several with spaces between them while they change: each signs.
    pub fn all(text: &str) -> Result<Vec<Self>, String> {
        let all: Vec<Self> = text.split_ascii_whitespace().map(Self::parse).collect::<Result<_, String>>()?;
        match all.len() {
            0 => Err("the secret is empty: set it to whsec_ and the base64 of 24 to 64 random bytes".to_owned()),
            1..=SECRETS_MAX => Ok(all),
            more => Err(format!("{more} secrets are set, at most {SECRETS_MAX} can be")),
        }
    }

    /// The error repeats nothing of it.
    fn parse(text: &str) -> Result<Self, String> {
        let encoded = text.strip_prefix(PREFIX).ok_or("a secret begins with whsec_")?;
        let bytes = STANDARD.decode(encoded).map_err(|_| "a secret is base64 behind whsec_")?;
        if BYTES.contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(format!("a secret has {} to {} bytes, this one has {}", BYTES.start(), BYTES.end(), bytes.len()))
        }
    }
}

/// The value of `webhook-signature`: one signature for each secret, with spaces between them.
pub fn header(secrets: &[Secret], id: &str, seconds: i64, body: &[u8]) -> String {
    let all: Vec<String> = secrets.iter().map(|secret| sign(secret, id, seconds, body)).collect();
    all.join(" ")
}

fn sign(secret: &Secret, id: &str, seconds: i64, body: &[u8]) -> String {
    // An HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&secret.0) else { return String::new() };
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn secrets(text: &str) -> Vec<Secret> {
        Secret::all(text).unwrap()
    }

    /// The example that the libraries of the standard are tested by.
    #[test]
    fn a_signature_is_that_of_the_standard() {
        let body = br#"{"test": 2432232314}"#;
        let signed = header(&secrets(KNOWN), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_secrets_change_each_signs() {
        let both = secrets(&format!("{KNOWN}  whsec_{}", STANDARD.encode([7; 32])));
        let header = header(&both, "evt_1", 1, b"{}");
        let parts: Vec<&str> = header.split(' ').collect();
        assert!(
            parts.len() == 2 && parts.iter().all(|part| part.starts_with("v1,")) && parts[0] != parts[1],
            "{header}"
        );
    }

    #[test]
    fn what_is_no_secret_is_told_without_it() {
        for text in ["", "  ", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!", "whsec_MfKQ", &"whsec_AAAA ".repeat(9)]
        {
            let told = Secret::all(text).err().unwrap();
            assert!(!told.contains("MfKQ") && !told.contains("!!!"), "{told}");
        }
        let five = [KNOWN; 5].join(" ");
        assert!(Secret::all(&five).err().unwrap().contains("at most 4"));
    }
}
