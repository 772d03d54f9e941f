//! The keys that a policy is for, as in `users/{userId}/*`: `{name}` stands for a text inside of one segment and is known to the policy's
//! conditions as `path.name`, `*` for one whole segment, at the end for all that follow.
//!
//! Two globs either have no key in common, or one of them is narrower; what is neither is refused, so that one policy decides for a key.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;

use super::key::{KeyError, ObjectKey};
use crate::name::{NameError, check_identifier};

const GLOB_BYTES_MAX: usize = 500;

/// A checked glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGlob {
    segments: Vec<Segment>,
    /// Whether it ends with `*`: one segment or more follow.
    is_open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Text(String),
    /// Some text between two others; `*` is one without either, and without a name.
    Wild {
        before: String,
        name: Option<String>,
        after: String,
    },
}

/// How the keys of one glob lie to those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// None is of both.
    Apart,
    /// All are of the other, which has more.
    Narrower,
    /// All of the other, and more.
    Wider,
    /// They are the same.
    Same,
    /// Some are of both, and each has others.
    Crossing,
}

/// Why a text is no glob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// What stands for itself is no key.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// Too long.
    #[error("a pattern has {GLOB_BYTES_MAX} bytes at most")]
    TooLong,
    /// A star beside other characters.
    #[error("a * is a segment of its own, as in products/*; inside of one use a name, as in {{id}}.png")]
    Star,
    /// Two texts that nobody can tell apart.
    #[error("a segment has one {{name}} at most")]
    TwoNames,
    /// Named twice.
    #[error("{{{0}}} is there twice")]
    Twice(String),
    /// What stands in braces is no name.
    #[error("{0}")]
    Name(#[from] NameError),
    /// A brace without its other one.
    #[error("a {{ has no }}, or the other way round")]
    Brace,
}

impl KeyGlob {
    /// Reads what a project file says.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.len() > GLOB_BYTES_MAX {
            return Err(GlobError::TooLong);
        }
        let mut segments = text.split('/').map(segment).collect::<Result<Vec<Segment>, GlobError>>()?;
        let example: Vec<String> = segments.iter().map(Segment::example).collect();
        ObjectKey::parse(&example.join("/"))?;
        let mut names = BTreeSet::new();
        for name in segments.iter().filter_map(Segment::name) {
            if !names.insert(name) {
                return Err(GlobError::Twice(name.to_owned()));
            }
        }
        let is_open = segments.last().is_some_and(|last| *last == Segment::star());
        if is_open {
            segments.pop();
        }
        Ok(Self { segments, is_open })
    }

    /// What its names stand for in a key; none where it is not for that key.
    pub fn captures(&self, key: &ObjectKey) -> Option<BTreeMap<String, String>> {
        let mut rest = key.as_str().split('/');
        let mut captures = BTreeMap::new();
        for segment in &self.segments {
            let found = rest.next()?;
            let caught = segment.catch(found)?;
            if let Some(name) = segment.name() {
                captures.insert(name.to_owned(), caught.to_owned());
            }
        }
        (rest.next().is_some() == self.is_open).then_some(captures)
    }

    /// Its names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::name)
    }

    /// How its keys lie to those of another.
    pub fn relation(&self, other: &Self) -> Relation {
        match (self.is_within(other), other.is_within(self)) {
            (true, true) => Relation::Same,
            (true, false) => Relation::Narrower,
            (false, true) => Relation::Wider,
            (false, false) if self.meets(other) => Relation::Crossing,
            (false, false) => Relation::Apart,
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        let (own, others) = (self.segments.len(), other.segments.len());
        let has_length = match (self.is_open, other.is_open) {
            (false, false) => own == others,
            (false, true) => own > others,
            (true, false) => false,
            (true, true) => own >= others,
        };
        has_length && self.segments.iter().zip(&other.segments).all(|(own, other)| own.is_within(other))
    }

    fn meets(&self, other: &Self) -> bool {
        let (own, others) = (self.segments.len(), other.segments.len());
        let has_length = match (self.is_open, other.is_open) {
            (false, false) => own == others,
            (false, true) => own > others,
            (true, false) => others > own,
            (true, true) => true,
        };
        has_length && self.segments.iter().zip(&other.segments).all(|(own, other)| own.meets(other))
    }
}

impl Segment {
    fn star() -> Self {
        Self::Wild { before: String::new(), name: None, after: String::new() }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Segment::Text(_) => None,
            Segment::Wild { name, .. } => name.as_deref(),
        }
    }

    fn example(&self) -> String {
        match self {
            Segment::Text(text) => text.clone(),
            Segment::Wild { before, after, .. } => format!("{before}x{after}"),
        }
    }

    /// What the wild part stands for.
    fn catch<'k>(&self, found: &'k str) -> Option<&'k str> {
        match self {
            Segment::Text(text) => (text == found).then_some(found),
            Segment::Wild { before, after, .. } => {
                found.strip_prefix(before.as_str())?.strip_suffix(after.as_str()).filter(|caught| !caught.is_empty())
            }
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (Segment::Text(text), other) => other.catch(text).is_some(),
            (Segment::Wild { .. }, Segment::Text(_)) => false,
            (Segment::Wild { before, after, .. }, Segment::Wild { before: wider_before, after: wider_after, .. }) => {
                before.starts_with(wider_before) && after.ends_with(wider_after)
            }
        }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Segment::Text(text), other) | (other, Segment::Text(text)) => other.catch(text).is_some(),
            (Segment::Wild { before, after, .. }, Segment::Wild { before: other_before, after: other_after, .. }) => {
                (before.starts_with(other_before) || other_before.starts_with(before))
                    && (after.ends_with(other_after) || other_after.ends_with(after))
            }
        }
    }
}

fn segment(text: &str) -> Result<Segment, GlobError> {
    if text == "*" {
        return Ok(Segment::star());
    }
    if text.contains('*') {
        return Err(GlobError::Star);
    }
    let text: String = text.nfc().collect();
    let Some((before, rest)) = text.split_once('{') else {
        return if text.contains('}') { Err(GlobError::Brace) } else { Ok(Segment::Text(text)) };
    };
    let (name, after) = rest.split_once('}').ok_or(GlobError::Brace)?;
    if after.contains('{') {
        return Err(GlobError::TwoNames);
    }
    if before.contains('}') || after.contains('}') {
        return Err(GlobError::Brace);
    }
    check_identifier("a name in braces", name)?;
    Ok(Segment::Wild { before: before.to_owned(), name: Some(name.to_owned()), after: after.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> KeyGlob {
        KeyGlob::parse(text).unwrap()
    }

    #[test]
    fn names_stand_for_what_is_in_a_key() {
        for (pattern, key, wanted) in [
            ("users/{id}/*", "users/anna/a/b", Some("anna")),
            ("users/{id}/*", "users/anna", None),
            ("users/{id}", "users/anna", Some("anna")),
            ("users/{id}", "users/anna/a", None),
            ("avatars/{id}.png", "avatars/anna.png", Some("anna")),
            ("avatars/{id}.png", "avatars/.png", None),
            ("avatars/u-{id}", "avatars/u-anna", Some("anna")),
            ("avatars/u-{id}", "avatars/v-anna", None),
            ("*/{id}", "x/anna", Some("anna")),
            ("{id}/cafe\u{301}", "anna/caf\u{e9}", Some("anna")),
        ] {
            let captures = glob(pattern).captures(&ObjectKey::parse(key).unwrap());
            let caught = captures.as_ref().and_then(|captures| captures.get("id")).map(String::as_str);
            assert_eq!(caught, wanted, "{pattern} {key}");
        }
        assert_eq!(glob("{a}/*/{b_2}.png").names().collect::<Vec<_>>(), ["a", "b_2"]);
    }

    #[test]
    fn one_is_narrower_or_they_are_apart_or_they_cross() {
        for (one, other, relation) in [
            ("*", "*", Relation::Same),
            ("{a}/*", "*/*", Relation::Same),
            ("{a}", "*", Relation::Narrower),
            ("a", "*", Relation::Narrower),
            ("a/*", "*", Relation::Narrower),
            ("a/{b}", "a/*", Relation::Narrower),
            ("a/{b}/c", "a/*", Relation::Narrower),
            ("a/*/*", "a/*", Relation::Narrower),
            ("a/{b}.png", "a/{b}", Relation::Narrower),
            ("a/x-{b}.png", "a/{b}.png", Relation::Narrower),
            ("a", "b", Relation::Apart),
            ("a/*", "a", Relation::Apart),
            ("a/*", "b/*", Relation::Apart),
            ("a/{b}/c", "a/{b}/d", Relation::Apart),
            ("{a}.png", "{a}.jpg", Relation::Apart),
            ("a/*/c", "*/b/c", Relation::Crossing),
            ("{a}/b", "a/*", Relation::Crossing),
            ("x{a}", "{a}x", Relation::Crossing),
            ("{a}.png", "b{a}", Relation::Crossing),
        ] {
            assert_eq!(glob(one).relation(&glob(other)), relation, "{one} {other}");
            let turned = match relation {
                Relation::Narrower => Relation::Wider,
                same => same,
            };
            assert_eq!(glob(other).relation(&glob(one)), turned, "{other} {one}");
        }
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        for (text, words) in [
            ("", "one character"),
            ("/a", "empty segment"),
            ("../*", "not . or .."),
            ("a*", "segment of its own"),
            ("{a}{b}", "one {name} at most"),
            ("{a}/{a}", "{a} is there twice"),
            ("{a", "no }"),
            ("a}", "no }"),
            ("{}", "a name in braces"),
            ("{a-b}", "a name in braces"),
            ("{auth.sub}/*", "a name in braces"),
            ("a\u{0}/*", "control character"),
        ] {
            let said = KeyGlob::parse(text).unwrap_err().to_string();
            assert!(said.contains(words), "{text:?}: {said}");
        }
        assert!(KeyGlob::parse(&"a/".repeat(300)).is_err());
    }
}
