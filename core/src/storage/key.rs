//! The name of an object: what it may hold, and the one form in which it is kept. A text from outside becomes an [`ObjectKey`] once, and
//! nothing else is ever asked for.

use std::fmt;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// As S3 has it.
const KEY_BYTES_MAX: usize = 1_024;

/// A name in normal form C, of segments that are separated by `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

/// What names begin with, in a list. May be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPrefix(String);

/// Why a text is no key. It is not repeated: it may be long, and may be made to look like another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing.
    #[error("a key has one character at least")]
    Empty,
    /// Too long.
    #[error("a key has {KEY_BYTES_MAX} bytes at most, as UTF-8 in normal form C")]
    TooLong,
    /// Begins or ends with a slash, or has two in a row.
    #[error("a key has no empty segment: no / at its begin or end, and no two in a row")]
    EmptySegment,
    /// `.` or `..`.
    #[error("a segment of a key is not . or ..")]
    Dots,
    /// A character that no name needs.
    #[error("a key has no \\, no control character, and none that is unseen or turns the direction of text")]
    Character,
}

impl ObjectKey {
    /// Reads a text from outside.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = normal(text)?;
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        text.split('/').try_for_each(check_segment)?;
        Ok(Self(text))
    }

    /// In its one form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ObjectPrefix {
    /// Reads a text from outside.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = normal(text)?;
        if let Some((whole, _)) = text.rsplit_once('/') {
            whole.split('/').try_for_each(check_segment)?;
        }
        Ok(Self(text))
    }

    /// In its one form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The one form of a text, without a character that no name needs.
fn normal(text: &str) -> Result<String, KeyError> {
    // Normal form C can be longer, but not by much: a text that is far beyond is not even looked at.
    if text.len() > 4 * KEY_BYTES_MAX {
        return Err(KeyError::TooLong);
    }
    let text = if is_nfc(text) { text.to_owned() } else { text.nfc().collect() };
    if text.len() > KEY_BYTES_MAX {
        return Err(KeyError::TooLong);
    }
    if text.chars().any(is_unfit) { Err(KeyError::Character) } else { Ok(text) }
}

fn check_segment(segment: &str) -> Result<(), KeyError> {
    match segment {
        "" => Err(KeyError::EmptySegment),
        "." | ".." => Err(KeyError::Dots),
        _ => Ok(()),
    }
}

/// Controls, separators of lines, what has no width, and what turns the direction of text: two names that differ in these alone look alike.
const fn is_unfit(char: char) -> bool {
    matches!(
        char,
        '\\' | '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{fffe}'
            | '\u{ffff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        for (text, key) in [
            ("a", "a"),
            ("a/b.pdf", "a/b.pdf"),
            ("a/.hidden/..b/c..", "a/.hidden/..b/c.."),
            ("cafe\u{301}/A\u{30a}.txt", "café/Å.txt"),
            ("\u{212b}", "Å"),
            ("日本/🦀 100%&+?#*{}", "日本/🦀 100%&+?#*{}"),
            ("%2e%2e/%2f", "%2e%2e/%2f"),
        ] {
            assert_eq!(ObjectKey::parse(text).unwrap().as_str(), key);
        }
    }

    /// Nothing of this reaches a disk or a store.
    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(KEY_BYTES_MAX + 1);
        for (text, error) in [
            ("", KeyError::Empty),
            ("/", KeyError::EmptySegment),
            ("/etc/passwd", KeyError::EmptySegment),
            ("a/", KeyError::EmptySegment),
            ("a//b", KeyError::EmptySegment),
            (".", KeyError::Dots),
            ("..", KeyError::Dots),
            ("../a", KeyError::Dots),
            ("a/../b", KeyError::Dots),
            ("a/./b", KeyError::Dots),
            ("a/..", KeyError::Dots),
            ("a\\..\\b", KeyError::Character),
            ("a\0b", KeyError::Character),
            ("a\nb", KeyError::Character),
            ("a\u{7f}", KeyError::Character),
            ("a\u{85}", KeyError::Character),
            ("exe.\u{202e}fdp", KeyError::Character),
            ("a\u{200b}b", KeyError::Character),
            ("\u{feff}a", KeyError::Character),
            ("a\u{2028}b", KeyError::Character),
            ("a\u{e0041}", KeyError::Character),
            (long.as_str(), KeyError::TooLong),
        ] {
            assert_eq!(ObjectKey::parse(text), Err(error), "{text:?}");
        }
        // One dot leader and full-width stops are letters like others: nothing turns them into dots.
        for text in ["\u{2024}\u{2024}/a", "\u{ff0e}\u{ff0e}/a", "a\u{ff0f}b", "a\u{2215}b"] {
            assert_eq!(ObjectKey::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn prefixes_are_of_names() {
        for text in ["", "a", "a/", "a/b", "a/.", "a/.."] {
            assert_eq!(ObjectPrefix::parse(text).unwrap().as_str(), text);
        }
        for text in ["/", "//", "../", "a/../", "a//b", "a\0"] {
            ObjectPrefix::parse(text).unwrap_err();
        }
    }

    proptest::proptest! {
        #[test]
        fn a_name_is_read_as_itself(text in "\\PC{0,40}") {
            if let Ok(key) = ObjectKey::parse(&text) {
                proptest::prop_assert_eq!(&ObjectKey::parse(key.as_str()).unwrap(), &key);
                let is_inside = key.as_str().split('/').all(|segment| !["", ".", ".."].contains(&segment));
                proptest::prop_assert!(is_inside);
            }
        }
    }
}
