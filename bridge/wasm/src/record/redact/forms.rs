//! The forms in which a secret is written elsewhere. Those that are its own are looked for; where an encoder has a choice, as in URLs and forms, the text
//! is decoded instead, so that it does not matter which encoder it was.

use std::{fmt::Write as _, ops::Range};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use serde_json::Value as Json;

/// What is shorter stands in many a text by chance.
const SHIFTED_BYTES_MIN: usize = 6;
/// A longer secret is looked for in fewer forms: for each recording there are all secrets of the env in all of theirs.
const EVERY_FORM_BYTES_MAX: usize = 4 << 10;

/// A text without the escapes of URLs.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// Where each byte was, and the end.
    places: Vec<usize>,
}

/// In JSON and in base64; if it is not long, also in hexadecimal digits, and in base64 where other bytes stand before and behind it.
pub(super) fn of(secret: &str) -> Vec<String> {
    let quoted = Json::String(secret.to_owned()).to_string();
    let mut forms = vec![
        quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned(),
        // With its padding it begins so.
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
    ];
    if secret.len() > EVERY_FORM_BYTES_MAX {
        return forms;
    }
    let hex = secret.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    forms.extend([hex.to_uppercase(), hex, STANDARD.encode(secret), URL_SAFE.encode(secret)]);
    for before in 0..3 {
        let bytes = [&[0; 2][..before], secret.as_bytes()].concat();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            forms.extend(own(&engine.encode(&bytes), before, bytes.len()));
        }
    }
    forms
}

/// The characters of base64 that are made of the secret alone: not of the bytes before it, nor of those that may follow.
fn own(encoded: &str, before: usize, length: usize) -> Option<String> {
    let start = (8 * before).div_ceil(6);
    let own = encoded.get(start..8 * length / 6)?;
    (own.len() >= SHIFTED_BYTES_MIN).then(|| own.to_owned())
}

impl Decoded {
    /// None where nothing is encoded; else with `+` as it is, and as a space.
    pub(super) fn all(text: &[u8]) -> impl Iterator<Item = Self> {
        let (has_escapes, has_plus) = (text.contains(&b'%'), text.contains(&b'+'));
        [(has_escapes, false), (has_plus, true)]
            .into_iter()
            .filter(|(is_other, _)| *is_other)
            .map(|(_, plus_is_space)| Self::of(text, plus_is_space))
    }

    fn of(text: &[u8], plus_is_space: bool) -> Self {
        let (mut bytes, mut places) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len() + 1));
        let mut from = 0;
        while let Some(byte) = text.get(from) {
            places.push(from);
            let (byte, length) = match (byte, escaped(text.get(from..from + 3))) {
                (_, Some(escaped)) => (escaped, 3),
                (b'+', None) if plus_is_space => (b' ', 1),
                (other, None) => (*other, 1),
            };
            bytes.push(byte);
            from += length;
        }
        places.push(text.len());
        Self { bytes, places }
    }

    /// Where something was that stands here.
    pub(super) fn place(&self, here: &Range<usize>) -> Range<usize> {
        let was = |at: usize| self.places.get(at).or(self.places.last()).copied().unwrap_or_default();
        was(here.start)..was(here.end)
    }
}

fn escaped(text: Option<&[u8]>) -> Option<u8> {
    let digits = text?.strip_prefix(b"%")?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    u8::from_str_radix(digits?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_found_where_it_was() {
        let all: Vec<Decoded> = Decoded::all(b"a%2fb+%zz%4").collect();
        let texts: Vec<&[u8]> = all.iter().map(|decoded| &decoded.bytes[..]).collect();
        assert_eq!(texts, [&b"a/b+%zz%4"[..], b"a/b %zz%4"]);
        assert_eq!(all[0].place(&(1..2)), 1..4);
        assert_eq!(all[0].place(&(0..9)), 0..11);
        assert_eq!(Decoded::all(b"plain").count(), 0);
    }

    #[test]
    fn what_is_long_has_few_forms() {
        let size = |secret: &str| of(secret).iter().map(String::len).sum::<usize>() / secret.len();
        assert!(size(&"a\"".repeat(EVERY_FORM_BYTES_MAX / 2)) > 10);
        assert!(size(&"a\"".repeat(EVERY_FORM_BYTES_MAX)) < 5);
    }

    /// Whatever stands around it.
    #[test]
    fn base64_has_a_part_that_is_the_secrets_own() {
        let forms = of("hunter22");
        for before in ["", "u", "us", "use", "user:", "a-long-user:"] {
            for behind in ["", "x", "xy", "xyz"] {
                let encoded = STANDARD.encode(format!("{before}hunter22{behind}"));
                assert!(forms.iter().any(|form| encoded.contains(form.as_str())), "{before} {behind}: {encoded}");
            }
        }
    }
}
