//! Which content types an upload may have: `image/png`, or `image/*`; and what a content type is at all.

const BLANK: [char; 2] = [' ', '\t'];

/// A type of RFC 9110, 8.3.1, without parameters; the subtype may be `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MediaRange {
    kind: String,
    /// Any where absent.
    subtype: Option<String>,
}

/// Not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no content type: write one as image/png, or image/*")]
pub struct MediaError(String);

impl MediaRange {
    /// Reads what a project file says.
    pub fn parse(text: &str) -> Result<Self, MediaError> {
        let refuse = || MediaError(text.to_owned());
        let (kind, subtype) = text.split_once('/').ok_or_else(refuse)?;
        if !is_token(kind) || (subtype != "*" && !is_token(subtype)) {
            return Err(refuse());
        }
        Ok(Self { kind: kind.to_ascii_lowercase(), subtype: (subtype != "*").then(|| subtype.to_ascii_lowercase()) })
    }

    /// Whether a content type, with parameters or without, is one of it.
    pub fn covers(&self, content_type: &str) -> bool {
        let essence = essence(content_type);
        let Some((kind, subtype)) = essence.as_deref().and_then(|essence| essence.split_once('/')) else {
            return false;
        };
        kind == self.kind && self.subtype.as_deref().is_none_or(|own| own == subtype)
    }
}

/// Type and subtype of a content type, in small letters. None where all of it, with its parameters, is none: readers make different things of
/// that, and browsers take the last of what they take for a list.
pub fn essence(content_type: &str) -> Option<String> {
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let essence = essence.trim_matches(BLANK);
    let (kind, subtype) = essence.split_once('/')?;
    (is_token(kind) && is_token(subtype) && are_parameters(parameters)).then(|| essence.to_ascii_lowercase())
}

/// `a=b; c="d, e"`, of which each may be missing.
fn are_parameters(text: &str) -> bool {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(BLANK);
        if rest.is_empty() {
            return true;
        }
        if let Some(after) = rest.strip_prefix(';') {
            rest = after;
            continue;
        }
        let Some((name, value)) = rest.split_once('=') else { return false };
        let after = if let Some(quoted) = value.strip_prefix('"') {
            behind_quote(quoted)
        } else {
            let end = value.find([';', ' ', '\t']).unwrap_or(value.len());
            is_token(&value[..end]).then(|| &value[end..])
        };
        match after.map(|after| after.trim_start_matches(BLANK)) {
            Some(after) if is_token(name) && (after.is_empty() || after.starts_with(';')) => rest = after,
            _ => return false,
        }
    }
}

/// What follows a quoted text.
fn behind_quote(text: &str) -> Option<&str> {
    let mut is_escaped = false;
    for (at, char) in text.char_indices() {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(&text[at + 1..]),
            _ => {}
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    let is_mark = |byte: u8| b"!#$&^_.+-".contains(&byte);
    (1..=127).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_one_of_a_range() {
        for (range, content_type, is_covered) in [
            ("image/png", "image/png", true),
            ("image/png", "IMAGE/PNG; charset=x", true),
            ("image/png", "image/jpeg", false),
            ("image/*", "image/svg+xml", true),
            ("image/*", "image/", false),
            ("image/*", "image", false),
            ("image/*", "text/html", false),
            ("image/*", "text/html, image/png", false),
            ("image/*", "image/png/html", false),
            ("image/*", "image/png,text/html", false),
            ("image/*", "image/png;,text/html", false),
            ("image/*", "image/png;a=b,text/html", false),
            ("image/*", "image/png; a=\"b\", text/html", false),
            ("image/*", "image/png; a=\"b, text/html", false),
            ("image/*", "image/png; a='b, text/html'", false),
            ("image/*", "image/png; text/html", false),
            ("image/*", "image/png a=b", false),
            ("image/*", "image/png; a=\"b\"c", false),
            ("image/*", "image/png; a =b", false),
            ("image/*", " image/png ;; a=b ; c=\"d\\\"; e\";", true),
            ("video/*", "video/mp4; codecs=\"avc1.42E01E, mp4a.40.2\"", true),
            ("Image/PNG", "image/png", true),
        ] {
            assert_eq!(MediaRange::parse(range).unwrap().covers(content_type), is_covered, "{range} {content_type}");
        }
        for text in ["", "image", "*", "*/*", "image/", "image/p*", "image/png;q=1", "image/png/x", "im age/png"] {
            assert!(MediaRange::parse(text).is_err(), "{text}");
        }
    }
}
