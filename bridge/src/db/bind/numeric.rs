//! PostgreSQL's binary `numeric` to decimal text and back, exactly (`numeric_send` and `numeric_recv` in its
//! `utils/adt/numeric.c`): digits in base 10,000, the weight of the first, the sign, and how many decimal places are shown.

/// Of the text that is bound: digits before and after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;
/// Decimal digits in one of base 10,000.
const GROUP: usize = 4;
/// Most digits that are sent: what PostgreSQL stores is more, what anyone writes is far less.
const DIGITS_MAX: usize = 16_000;

impl<'a> Parts<'a> {
    /// `-?` digits, and perhaps a point and digits.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let has_form = !whole.is_empty() && (digits.len() == whole.len() || !fraction.is_empty());
        (has_form && is_number(whole) && is_number(fraction) && digits.len() <= DIGITS_MAX).then(|| Self {
            is_negative,
            whole: whole.trim_start_matches('0'),
            fraction,
        })
    }
}

/// The binary form of a decimal text; none if it is not one.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let Parts { is_negative, whole, fraction } = Parts::of(text)?;
    let groups_before = whole.len().div_ceil(GROUP);
    let padded = format!(
        "{whole:0>before$}{fraction:0<after$}",
        before = groups_before * GROUP,
        after = fraction.len().div_ceil(GROUP) * GROUP
    );
    let groups: Vec<u16> = padded
        .as_bytes()
        .chunks_exact(GROUP)
        .map(|group| group.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
        .collect();
    let leading = groups.iter().take_while(|group| **group == 0).count();
    let groups = &groups[leading..];
    let groups = &groups[..groups.len() - groups.iter().rev().take_while(|group| **group == 0).count()];
    let weight = i16::try_from(groups_before).ok()? - 1 - i16::try_from(leading).ok()?;
    let weight = if groups.is_empty() { 0 } else { weight };
    let sign = if is_negative && !groups.is_empty() { NEGATIVE } else { 0 };
    let mut bytes = Vec::with_capacity(8 + groups.len() * 2);
    bytes.extend(u16::try_from(groups.len()).ok()?.to_be_bytes());
    bytes.extend(weight.to_be_bytes());
    bytes.extend(sign.to_be_bytes());
    bytes.extend(u16::try_from(fraction.len()).ok()?.to_be_bytes());
    for group in groups {
        bytes.extend(group.to_be_bytes());
    }
    Some(bytes)
}

/// The text of a binary form; none if it is not one. What is no number is named as PostgreSQL names it.
pub(in crate::db) fn text(bytes: &[u8]) -> Option<String> {
    let mut words = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let (count, weight, sign, scale) = (words.next()?, words.next()?.cast_signed(), words.next()?, words.next()?);
    match sign {
        NAN => return Some("NaN".to_owned()),
        INFINITY => return Some("Infinity".to_owned()),
        NEGATIVE_INFINITY => return Some("-Infinity".to_owned()),
        _ => {}
    }
    let groups: Vec<u16> = words.collect();
    if groups.len() != usize::from(count) || groups.iter().any(|group| *group > 9_999) {
        return None;
    }
    let group = |position: i32| {
        let index = usize::try_from(i32::from(weight) - position).ok();
        index.and_then(|index| groups.get(index)).copied().unwrap_or(0)
    };
    let scale = usize::from(scale);
    let mut text = String::with_capacity(groups.len() * GROUP + scale + 2);
    if sign == NEGATIVE {
        text.push('-');
    }
    let first = i32::from(weight).max(0);
    text.push_str(&group(first).to_string());
    for position in (0..first).rev() {
        push_group(&mut text, group(position));
    }
    if scale > 0 {
        text.push('.');
        let after = text.len();
        let mut position = -1;
        while text.len() < after + scale {
            push_group(&mut text, group(position));
            position -= 1;
        }
        text.truncate(after + scale);
    }
    Some(text)
}

/// With its zeros in front.
fn push_group(text: &mut String, group: u16) {
    for unit in [1_000, 100, 10, 1] {
        text.extend(char::from_digit(u32::from(group / unit % 10), 10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_it_was() {
        for number in [
            "0",
            "0.00",
            "1",
            "-1",
            "10",
            "9999",
            "10000",
            "10001",
            "100000000",
            "0.1",
            "0.0001",
            "0.00001",
            "-0.00000001",
            "12345.6789",
            "1.50",
            "-123456789012345678901234567890.123456789012345678901234567890",
            "99990000",
            "0.00009999",
        ] {
            assert_eq!(bytes(number).and_then(|bytes| text(&bytes)).as_deref(), Some(number));
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_server() {
        assert_eq!(bytes("12345.678"), Some(vec![0, 3, 0, 1, 0, 0, 0, 3, 0, 1, 0x09, 0x29, 0x1A, 0x7C]));
        assert_eq!(bytes("-0"), bytes("0"));
        assert_eq!(bytes("007.50").and_then(|bytes| text(&bytes)).as_deref(), Some("7.50"));
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for odd in ["", "-", ".", "1.", ".5", "+1", "1e5", "NaN", "Infinity", "1.2.3", "٣", " 1", "1_0"] {
            assert_eq!(bytes(odd), None, "{odd:?}");
        }
        assert_eq!(bytes(&"9".repeat(DIGITS_MAX + 1)), None);
        for odd in [&[][..], &[0, 1], &[0, 1, 0, 0, 0, 0, 0, 0], &[0, 1, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]] {
            assert_eq!(text(odd), None, "{odd:?}");
        }
    }
}
