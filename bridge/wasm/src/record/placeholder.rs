//! What stands in a recording where something is left out: of the same kind, so that a guest reads it as it read the other.

use serde_json::{Number, Value as Json, json};

/// Stands for what is not compared, because nothing is known of what it would have to be.
pub(crate) const HIDDEN: &str = "[hidden]";

/// In place of a text, the same for each time that it is met. A secret's name is in it.
pub(crate) fn of_text(original: &str, number: usize, secret: Option<&str>) -> String {
    let bytes = original.as_bytes();
    let is_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if is_uuid(bytes) {
        return format!("00000000-0000-4000-8000-{:012x}", number & 0xffff_ffff_ffff);
    }
    if is_date(bytes) {
        let rest: String = original.chars().skip(10).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        return format!("2000-01-01{rest}");
    }
    let unsigned = bytes.strip_prefix(b"-").unwrap_or(bytes);
    if is_digits(unsigned) && unsigned.len() <= 18 {
        return digits(unsigned.len(), number).to_string();
    }
    if let Some(dot) = unsigned.iter().position(|byte| *byte == b'.')
        && is_digits(&unsigned[..dot])
        && is_digits(&unsigned[dot + 1..])
        && unsigned.len() <= 36
    {
        return format!("{}.{}", digits(dot.min(18), number), "0".repeat(unsigned.len() - dot - 1));
    }
    if bytes.len() >= 16 && bytes.len().is_multiple_of(2) && bytes.iter().all(u8::is_ascii_hexdigit) {
        return format!("{number:0width$x}", width = bytes.len());
    }
    if let Some((name, host)) = original.split_once('@')
        && !name.is_empty()
        && host.contains('.')
        && !original.contains(char::is_whitespace)
    {
        return format!("redacted-{number}@example.invalid");
    }
    match structured(original) {
        Some('{') => format!("{{\"redacted\":{number}}}"),
        Some(_) => format!("[\"redacted-{number}\"]"),
        None => {
            let name = secret.map_or_else(|| format!("redacted-{number}"), |name| format!("secret-{name}"));
            // As long: a guest that looks at the length does what it did.
            format!("{name:x<width$}", width = original.chars().count())
        }
    }
}

/// In place of a number, as long.
pub(crate) fn of_number(original: &Number, number: usize) -> Json {
    match (original.as_i64(), original.as_u64(), original.as_f64()) {
        (Some(whole), ..) => digits(whole.unsigned_abs().to_string().len().min(18), number).into(),
        (None, Some(_), _) => digits(18, number).into(),
        (None, None, Some(float)) => {
            let length = format!("{:.0}", float.trunc().abs()).len().clamp(1, 12);
            let whole = u32::try_from(digits(length.min(9), number)).unwrap_or(0);
            json!(f64::from(whole) + 0.5)
        }
        (None, None, None) => Json::Null,
    }
}

/// A number with so many digits, another one for each count while there are some.
pub(crate) fn digits(length: usize, number: usize) -> i64 {
    let least = 10_i64.pow(u32::try_from(length.clamp(1, 18) - 1).unwrap_or(0));
    least + i64::try_from(number).unwrap_or(0) % (9 * least)
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// It begins as a date does, and has nothing in it that no time has.
fn is_date(bytes: &[u8]) -> bool {
    let (Some(date), Some(rest)) = (bytes.get(..10), bytes.get(10..)) else { return false };
    date.iter().enumerate().all(|(at, byte)| if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() })
        && rest.len() <= 25
        && rest.iter().all(|byte| byte.is_ascii_digit() || b"T:.+-Z ".contains(byte))
}

fn structured(text: &str) -> Option<char> {
    let first = text.trim_start().chars().next().filter(|first| matches!(first, '{' | '['))?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok().then_some(first)
}
