//! Which content types an upload may have: `image/png`, or `image/*`.

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
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let Some((kind, subtype)) = essence.split_once('/') else { return false };
        kind == self.kind && is_token(subtype) && self.subtype.as_deref().is_none_or(|own| own == subtype)
    }
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
            ("Image/PNG", "image/png", true),
        ] {
            assert_eq!(MediaRange::parse(range).unwrap().covers(content_type), is_covered, "{range} {content_type}");
        }
        for text in ["", "image", "*", "*/*", "image/", "image/p*", "image/png;q=1", "image/png/x", "im age/png"] {
            assert!(MediaRange::parse(text).is_err(), "{text}");
        }
    }
}
