//! The second factor: codes of RFC 6238 (six digits, 30 s, HMAC-SHA-1, which is what authenticators make) and recovery codes.
//! Pure: which codes were used is remembered by who asks.

use aws_lc_rs::hmac;
use santokit_core::{
    problem::{Outcome, Problem},
    release::Digest,
    wire::Sealed,
};
use subtle::ConstantTimeEq;

const STEP_SECONDS: i64 = 30;
const SECRET_BYTES: usize = 20;
/// A code is taken a step before and after its time: clocks differ, and typing takes time.
const STEPS_AROUND: i64 = 1;
const RECOVERY_CODES: usize = 10;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What an authenticator is given.
#[derive(Debug)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// A new one.
    pub fn generate() -> Outcome<Self> {
        let mut bytes = vec![0_u8; SECRET_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Problem::internal("no randomness"))?;
        Ok(Self(bytes))
    }

    /// As it was kept.
    pub fn of(text: &Sealed) -> Outcome<Self> {
        decode(text.expose()).map(Self).ok_or_else(|| Problem::internal("a kept secret is no base32"))
    }

    /// For typing in.
    pub fn text(&self) -> Sealed {
        Sealed::new(encode(&self.0))
    }

    /// For a QR code or a link.
    pub fn uri(&self, account: &str) -> Sealed {
        let account: String = account.bytes().map(uri_byte).collect();
        Sealed::new(format!("otpauth://totp/Santokit:{account}?secret={}&issuer=Santokit", encode(&self.0)))
    }

    /// The step whose code this is, if it is one of now and later than `used`: a code is taken once, and none before it.
    pub fn step_of(&self, code: &str, unix_seconds: i64, used: i64) -> Option<i64> {
        let now = unix_seconds.div_euclid(STEP_SECONDS);
        let mut found = None;
        for step in now - STEPS_AROUND..=now + STEPS_AROUND {
            let is_it = bool::from(self.code(step).as_bytes().ct_eq(code.as_bytes()));
            found = found.or((is_it && step > used).then_some(step));
        }
        found
    }

    /// The code that an authenticator shows at a time.
    pub fn code_at(&self, unix_seconds: i64) -> String {
        self.code(unix_seconds.div_euclid(STEP_SECONDS))
    }

    fn code(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[tag.len() - 1] & 15);
        let word = tag[at..at + 4].iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) & 0x7fff_ffff;
        format!("{:06}", word % 1_000_000)
    }
}

/// New recovery codes: each once, in place of a code of the authenticator.
pub fn recovery_codes() -> Outcome<Vec<Sealed>> {
    (0..RECOVERY_CODES)
        .map(|_| {
            let mut bytes = [0_u8; 10];
            aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Problem::internal("no randomness"))?;
            let text = encode(&bytes).to_lowercase();
            Ok(Sealed::new(format!("{}-{}-{}-{}", &text[..4], &text[4..8], &text[8..12], &text[12..])))
        })
        .collect()
}

/// The hash of a recovery code, however it was typed. It has 80 bits of chance: a plain hash does.
pub fn recovery_hash(code: &str) -> Digest {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    Digest::of(plain.as_bytes())
}

fn encode(bytes: &[u8]) -> String {
    let (mut text, mut word, mut bits) = (String::new(), 0_u32, 0_u32);
    for byte in bytes {
        (word, bits) = (word << 8 | u32::from(*byte), bits + 8);
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(BASE32[(word >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(BASE32[(word << (5 - bits) & 31) as usize]));
    }
    text
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut word, mut bits) = (Vec::new(), 0_u32, 0_u32);
    for letter in text.bytes() {
        let value = BASE32.iter().position(|other| *other == letter)?;
        (word, bits) = (word << 5 | u32::try_from(value).ok()?, bits + 5);
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(word >> bits & 255).ok()?);
        }
    }
    Some(bytes)
}

fn uri_byte(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Appendix B of RFC 6238, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = Secret(b"12345678901234567890".to_vec());
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(secret.code_at(time), code, "{time}");
        }
    }

    #[test]
    fn a_code_is_taken_once_and_near_its_time() {
        let secret = Secret::generate().unwrap();
        let time = 1_800_000_000;
        let code = secret.code_at(time);
        let step = secret.step_of(&code, time, 0).unwrap();
        assert_eq!(secret.step_of(&code, time, step), None, "used");
        assert_eq!(secret.step_of(&secret.code_at(time - 30), time, step), None, "older than a used one");
        assert_eq!(secret.step_of(&code, time + 30, 0), Some(step));
        assert_eq!(secret.step_of(&code, time + 90, 0), None);
        for wrong in ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦"] {
            assert_eq!(secret.step_of(wrong, time, 0), None);
        }
        assert_eq!(Secret::of(&secret.text()).unwrap().code_at(time), code);
        assert!(secret.uri("a b@example.com&x").expose().starts_with("otpauth://totp/Santokit:a%20b@example.com%26x?"));
    }

    #[test]
    fn recovery_codes_are_many_and_typed_in_any_way() {
        let codes = recovery_codes().unwrap();
        let hashes: std::collections::BTreeSet<String> =
            codes.iter().map(|code| recovery_hash(code.expose()).to_string()).collect();
        assert_eq!(hashes.len(), RECOVERY_CODES);
        let typed = codes[0].expose().replace('-', " ").to_uppercase();
        assert_eq!(recovery_hash(&typed), recovery_hash(codes[0].expose()));
    }
}
