//! Which keys are meant, as in `receipts/*` and `{auth.sub}/avatar`. A `*` stands for one whole segment, at the end for all that
//! follow; `{auth.sub}` and `{auth.claims.NAME}` stand for what is known of the caller.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::key::{KeyError, ObjectKey, ObjectPrefix};

const PATTERN_BYTES_MAX: usize = 500;

/// A checked pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPattern {
    segments: Vec<Segment>,
    /// Whether it ends with `*`: all that follow.
    is_open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// `*`.
    Any,
    /// Texts and variables, one after another.
    Parts(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Variable),
}

/// What is known of the caller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// `{auth.sub}`: an end user's `sub`, a key's id.
    Subject,
    /// `{auth.claims.NAME}`: a claim that is a text or a whole number.
    Claim(String),
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// What stands for itself is no key.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// Too long.
    #[error("a pattern has {PATTERN_BYTES_MAX} bytes at most")]
    TooLong,
    /// A star beside other characters.
    #[error("a * is a segment of its own, as in receipts/*")]
    Star,
    /// Braces that name nothing.
    #[error("{{{0}}} is nothing that is known here: {{auth.sub}} and {{auth.claims.NAME}} are")]
    Variable(String),
    /// A brace without its other one.
    #[error("a {{ has no }}, or the other way round")]
    Brace,
}

impl KeyPattern {
    /// Reads what a project file says.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        let mut segments = text.split('/').map(segment).collect::<Result<Vec<Segment>, PatternError>>()?;
        // What the variables stand for cannot be known here; all else must be a key.
        let example: Vec<String> = segments.iter().map(Segment::example).collect();
        ObjectKey::parse(&example.join("/"))?;
        let is_open = segments.last() == Some(&Segment::Any);
        if is_open {
            segments.pop();
        }
        Ok(Self { segments, is_open })
    }

    /// Whether a key is meant, for the caller that `known` tells of.
    pub fn covers(&self, key: &ObjectKey, known: &dyn Fn(&Variable) -> Option<String>) -> bool {
        let mut rest = key.as_str().split('/');
        for segment in &self.segments {
            let Some(found) = rest.next() else { return false };
            if !segment.is(found, known) {
                return false;
            }
        }
        rest.next().is_some() == self.is_open
    }

    /// Whether it is `…/*` without another star: all keys that begin so are meant, and a list of them needs no second look.
    pub fn is_folder(&self) -> bool {
        self.is_open && !self.segments.contains(&Segment::Any)
    }

    /// Whether all keys that begin so are meant.
    pub fn covers_prefix(&self, prefix: &ObjectPrefix, known: &dyn Fn(&Variable) -> Option<String>) -> bool {
        let mut folder = String::new();
        for segment in &self.segments {
            let Segment::Parts(parts) = segment else { return false };
            let Some(text) = filled(parts, known) else { return false };
            folder.push_str(&text);
            folder.push('/');
        }
        self.is_open && prefix.as_str().starts_with(&folder)
    }
}

impl Segment {
    fn is(&self, found: &str, known: &dyn Fn(&Variable) -> Option<String>) -> bool {
        match self {
            Segment::Any => true,
            Segment::Parts(parts) => filled(parts, known).is_some_and(|text| text == found),
        }
    }

    fn example(&self) -> String {
        match self {
            Segment::Any => "x".to_owned(),
            Segment::Parts(parts) => {
                parts.iter().map(|part| if let Part::Text(text) = part { text.as_str() } else { "x" }).collect()
            }
        }
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Variable::Subject => f.write_str("auth.sub"),
            Variable::Claim(name) => write!(f, "auth.claims.{name}"),
        }
    }
}

/// A segment with what its variables stand for. None where one is not known, or where all of it together is no segment: a value with a
/// slash does not widen a pattern.
fn filled(parts: &[Part], known: &dyn Fn(&Variable) -> Option<String>) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(own) => text.push_str(own),
            Part::Variable(variable) => text.push_str(&known(variable).filter(|value| !value.is_empty())?),
        }
    }
    let key = ObjectKey::parse(&text).ok()?;
    (!key.as_str().contains('/')).then(|| key.as_str().to_owned())
}

fn segment(text: &str) -> Result<Segment, PatternError> {
    if text == "*" {
        return Ok(Segment::Any);
    }
    if text.contains('*') {
        return Err(PatternError::Star);
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((own, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or(PatternError::Brace)?;
        if !own.is_empty() {
            parts.push(Part::Text(own.nfc().collect()));
        }
        parts.push(Part::Variable(variable(name)?));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.nfc().collect()));
    }
    let has_brace = parts.iter().any(|part| matches!(part, Part::Text(own) if own.contains('}')));
    if has_brace { Err(PatternError::Brace) } else { Ok(Segment::Parts(parts)) }
}

fn variable(name: &str) -> Result<Variable, PatternError> {
    let claim = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match name.strip_prefix("auth.claims.") {
        _ if name == "auth.sub" => Ok(Variable::Subject),
        Some(name) if claim(name) => Ok(Variable::Claim(name.to_owned())),
        _ => Err(PatternError::Variable(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(subject: Option<&'static str>) -> impl Fn(&Variable) -> Option<String> {
        move |variable| match variable {
            Variable::Subject => subject.map(str::to_owned),
            Variable::Claim(name) => (name == "team").then(|| "red".to_owned()),
        }
    }

    #[test]
    fn keys_are_held_against_patterns() {
        for (pattern, key, is_covered) in [
            ("*", "a", true),
            ("*", "a/b/c", true),
            ("a", "a", true),
            ("a", "a/b", false),
            ("a/*", "a", false),
            ("a/*", "a/b", true),
            ("a/*", "a/b/c", true),
            ("a/*", "ab/c", false),
            ("a/*/c", "a/b/c", true),
            ("a/*/c", "a/b/b/c", false),
            ("*/*", "a", false),
            ("*/*", "a/b", true),
            ("{auth.sub}/*", "anna/x", true),
            ("{auth.sub}/*", "bob/x", false),
            ("user-{auth.sub}/*", "user-anna/x", true),
            ("teams/{auth.claims.team}/{auth.sub}", "teams/red/anna", true),
            ("teams/{auth.claims.other}/*", "teams//x", false),
            ("caf\u{e9}/*", "cafe\u{301}/x", true),
            ("cafe\u{301}/*", "caf\u{e9}/x", true),
        ] {
            let Ok(parsed) = ObjectKey::parse(key) else { continue };
            let pattern_read = KeyPattern::parse(pattern).unwrap();
            assert_eq!(pattern_read.covers(&parsed, &known(Some("anna"))), is_covered, "{pattern} {key}");
        }
    }

    /// What a caller can choose for itself opens nothing.
    #[test]
    fn a_variable_does_not_widen() {
        let pattern = KeyPattern::parse("{auth.sub}/*").unwrap();
        let key = |text| ObjectKey::parse(text).unwrap();
        for subject in ["", ".", "..", "a/b", "*", "{auth.sub}", "a\0", "\u{202e}a", "/"] {
            for found in ["a/b/c", "b/c", "anna/x"] {
                let covered = pattern.covers(&key(found), &|_| Some(subject.to_owned()));
                assert!(!covered, "{subject:?} {found}");
            }
        }
        assert!(!pattern.covers(&key("anna/x"), &known(None)), "nobody");
        assert!(pattern.covers(&key("*/x"), &|_| Some("*".to_owned())), "its own folder, whatever it is called");
        assert!(pattern.covers(&key("caf\u{e9}/x"), &|_| Some("cafe\u{301}".to_owned())));
    }

    #[test]
    fn a_list_is_of_a_folder() {
        for (pattern, prefix, is_covered) in [
            ("*", "", true),
            ("*", "a", true),
            ("a/*", "", false),
            ("a/*", "a", false),
            ("a/*", "a/", true),
            ("a/*", "a/b", true),
            ("a/*", "ab/", false),
            ("a/*/c", "a/", false),
            ("a/*/*", "a/", false),
            ("a/b", "a/b", false),
            ("{auth.sub}/*", "anna/", true),
            ("{auth.sub}/*", "ann", false),
            ("{auth.claims.other}/*", "", false),
        ] {
            let prefix_read = ObjectPrefix::parse(prefix).unwrap();
            let covered = KeyPattern::parse(pattern).unwrap().covers_prefix(&prefix_read, &known(Some("anna")));
            assert_eq!(covered, is_covered, "{pattern} {prefix}");
        }
        for (pattern, is_folder) in [("*", true), ("a/*", true), ("a/*/*", false), ("a/*/c", false), ("a", false)] {
            assert_eq!(KeyPattern::parse(pattern).unwrap().is_folder(), is_folder, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for (text, words) in [
            ("", "one character"),
            ("/a", "empty segment"),
            ("a//b", "empty segment"),
            ("../*", "not . or .."),
            ("a*", "segment of its own"),
            ("**", "segment of its own"),
            ("{auth.sub", "no }"),
            ("auth.sub}", "no }"),
            ("{env}/*", "{env} is nothing"),
            ("{}/*", "{} is nothing"),
            ("{auth.claims.}/*", "is nothing"),
            ("{{auth.sub}}/*", "is nothing"),
            ("a\u{0}/*", "control character"),
        ] {
            let said = KeyPattern::parse(text).unwrap_err().to_string();
            assert!(said.contains(words), "{text:?}: {said}");
        }
    }
}
