//! What guests send, as it is repeated to them and to others: a name or a reason can be as large as a guest's memory, and what the host makes of it
//! counts against no limit. So it is cut first, and put into words then.

use std::fmt::{self, Write as _};

/// The longest name that is looked up: the platform lets nobody give one of more than half of it.
pub(crate) const NAME_BYTES_MAX: usize = 200;
/// Of a name that is repeated.
const NAME_CHARS_MAX: usize = 100;
/// Of what is said in other words than a name.
const REASON_BYTES_MAX: usize = 512;

/// A name as it is told: in quotes, and only the beginning of a long one.
#[derive(Clone, Copy)]
pub struct ToldName<'n>(pub &'n str);

/// As much of what is said as there is room for. What is beyond is not even made.
#[derive(Default)]
struct Room(String);

/// The beginning of a reason that is somebody else's.
pub(crate) fn reason(said: &impl fmt::Display) -> String {
    let mut room = Room::default();
    // It ends with an error where the room does.
    let _ = write!(room, "{said}");
    room.0
}

impl fmt::Display for ToldName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(NAME_CHARS_MAX) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}…", self.0.get(..end).unwrap_or_default()),
        }
    }
}

impl fmt::Debug for ToldName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Write for Room {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left = REASON_BYTES_MAX.saturating_sub(self.0.len());
        self.0.push_str(text.get(..text.floor_char_boundary(left)).unwrap_or_default());
        if text.len() > left { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_before_it_is_quoted() {
        assert_eq!(ToldName("a\"b").to_string(), "\"a\\\"b\"");
        assert_eq!(ToldName(&"ä".repeat(100)).to_string(), format!("\"{}\"", "ä".repeat(100)));
        let told = ToldName(&"\u{7f}".repeat(1 << 20)).to_string();
        assert_eq!(told, format!("\"{}\"…", "\\u{7f}".repeat(100)));
    }

    #[test]
    fn a_reason_has_an_end() {
        assert_eq!(reason(&"short"), "short");
        let long = reason(&format_args!("{:?}", "\u{7f}".repeat(1 << 20)));
        assert!(long.starts_with("\"\\u{7f}") && long.len() <= REASON_BYTES_MAX, "{}", long.len());
        assert_eq!(reason(&"ä".repeat(600)), "ä".repeat(256));
    }
}
