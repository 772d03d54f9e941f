//! What an audit entry may tell beside who, what and where. A secret has no way in by its type: only a [`Fact`] is taken, and
//! neither a text nor what holds a secret is one. A text becomes one as a [`name`] or a [`line`], which are short and without
//! what looks like a credential.

use santokit_core::release::{Digest, ceilings::Ceilings};
use serde_json::{Map, Value as Json, json};

/// Longest name.
const NAME_CHARS_MAX: usize = 200;
/// Longest line.
const LINE_CHARS_MAX: usize = 500;
/// Most items of a list; a plan can have thousands of steps.
const ITEMS_MAX: usize = 200;
/// What is written in the place of a credential.
const REDACTED: &str = "[redacted]";
/// How our own credentials begin.
const TOKEN: &str = "stk_";
/// Names that begin like them: of guests' logins, of indexes and of foreign keys. None has a dot, which an API key has.
const NAMES: [&str; 4] = ["stk_g_", "stk_ix_", "stk_uq_", "stk_fk_"];

/// Facts by their names.
///
/// ```
/// # use santokit_hub::store::audit::{Detail, name};
/// Detail::of("name", name("PAYMENT_KEY"));
/// ```
///
/// A secret is none, in none of its types:
///
/// ```compile_fail
/// # use santokit_hub::store::audit::Detail;
/// Detail::of("value", santokit_core::wire::Sealed::new("hunter2"));
/// ```
/// ```compile_fail
/// # use santokit_hub::store::audit::Detail;
/// Detail::of("value", secrecy::SecretString::from("hunter2"));
/// ```
/// ```compile_fail
/// # use santokit_hub::store::audit::Detail;
/// Detail::of("value", "hunter2");
/// ```
/// ```compile_fail
/// # use santokit_hub::store::audit::Detail;
/// Detail::of("value", serde_json::json!("hunter2"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail(Map<String, Json>);

/// What an entry may tell. There are no others than those of this file.
pub trait Fact: private::Only {
    /// As it is written.
    fn written(self) -> Json;
}

/// A name, an id, a time, a role: see [`name`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// A line for people: see [`line`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(String);

impl Detail {
    /// Nothing more to tell.
    pub fn none() -> Self {
        Self::default()
    }

    /// With a fact.
    pub fn of(key: &'static str, fact: impl Fact) -> Self {
        Self::none().with(key, fact)
    }

    /// With one more.
    #[must_use]
    pub fn with(mut self, key: &'static str, fact: impl Fact) -> Self {
        self.0.insert(key.to_owned(), fact.written());
        self
    }

    /// As it stands in the entry.
    pub fn to_json(&self) -> Json {
        Json::Object(self.0.clone())
    }
}

/// A name or an id: letters, digits and `_-.:/@+`. Anything else is no name, and is not written.
pub fn name(text: &str) -> Name {
    let is_name = text.chars().all(|c| c.is_alphanumeric() || "_-.:/@+".contains(c));
    if is_name { Name(bounded(text, NAME_CHARS_MAX)) } else { Name(REDACTED.to_owned()) }
}

/// What people are told of a step, a power, a reason: one line, its length bounded.
pub fn line(text: &str) -> Line {
    Line(bounded(text, LINE_CHARS_MAX))
}

/// Names of a list.
pub fn names<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Name> {
    texts.into_iter().map(name).collect()
}

/// Lines of a list.
pub fn lines<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Line> {
    texts.into_iter().map(line).collect()
}

/// Without control characters and credentials, and cut.
fn bounded(text: &str, chars_max: usize) -> String {
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<String> = printable.split(' ').map(redacted).collect();
    let text = words.join(" ");
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A word without a token or a URL's user and password.
fn redacted(word: &str) -> String {
    let is_name = |at: usize| !word.contains('.') && NAMES.iter().any(|name| word[at..].starts_with(name));
    if let Some(at) = word.find(TOKEN).filter(|at| !is_name(*at)) {
        return format!("{}{REDACTED}", &word[..at]);
    }
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{REDACTED}@{host}"),
        None => word.to_owned(),
    }
}

mod private {
    pub trait Only {}
}

macro_rules! facts {
    ($($type:ty),*) => { $(
        impl private::Only for $type {}
        impl Fact for $type {
            fn written(self) -> Json {
                json!(self)
            }
        }
    )* };
}

facts!(bool, i64, usize, &Digest, &Ceilings);

impl private::Only for Name {}

impl Fact for Name {
    fn written(self) -> Json {
        Json::String(self.0)
    }
}

impl private::Only for Line {}

impl Fact for Line {
    fn written(self) -> Json {
        Json::String(self.0)
    }
}

impl<F: Fact> private::Only for Option<F> {}

impl<F: Fact> Fact for Option<F> {
    fn written(self) -> Json {
        self.map_or(Json::Null, Fact::written)
    }
}

impl<F: Fact> private::Only for Vec<F> {}

impl<F: Fact> Fact for Vec<F> {
    /// A long list is cut, and says how many there were.
    fn written(self) -> Json {
        let count = self.len();
        let mut items: Vec<Json> = self.into_iter().take(ITEMS_MAX).map(Fact::written).collect();
        if count > ITEMS_MAX {
            items.push(json!(format!("… {count} in all")));
        }
        Json::Array(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_credential_is_not_written() {
        for (text, written) in [
            ("add column orders.email", "add column orders.email"),
            ("stk_svc_0123", "[redacted]"),
            ("stk_g_0123", "stk_g_0123"),
            ("stk_g_0123.secret", "[redacted]"),
            ("create index stk_uq_numbers$value", "create index stk_uq_numbers$value"),
            ("see stk_k1.secret and more", "see [redacted] and more"),
            ("postgres://user:pw@db/shop", "postgres://[redacted]@db/shop"),
            ("it is postgres://user:p@w@db:5432/shop now", "it is postgres://[redacted]@db:5432/shop now"),
            ("https://example.com/a", "https://example.com/a"),
            ("a\nb\u{1b}[2J", "a b [2J"),
        ] {
            assert_eq!(line(text).written(), json!(written));
        }
        assert_eq!(name("key_01J").written(), json!("key_01J"));
        assert_eq!(name("pass word!").written(), json!("[redacted]"));
        assert_eq!(name("stk_key_1.secret").written(), json!("[redacted]"));
    }

    #[test]
    fn texts_and_lists_have_an_end() {
        let long = "ü".repeat(10_000);
        assert_eq!(name(&long).written().as_str().unwrap().chars().count(), NAME_CHARS_MAX + 1);
        assert_eq!(line(&long).written().as_str().unwrap().chars().count(), LINE_CHARS_MAX + 1);
        let many = lines(vec!["step"; 1_000]).written();
        assert_eq!((many.as_array().unwrap().len(), many[ITEMS_MAX].as_str()), (ITEMS_MAX + 1, Some("… 1000 in all")));
    }

    #[test]
    fn facts_are_written_as_they_are() {
        let detail = Detail::of("a", true)
            .with("b", 7_i64)
            .with("c", Some(name("x")))
            .with("d", None::<Name>)
            .with("e", names(["u", "v"]))
            .with("f", &Digest::of(b"x"));
        let digest = Digest::of(b"x");
        assert_eq!(detail.to_json(), json!({"a": true, "b": 7, "c": "x", "d": null, "e": ["u", "v"], "f": digest}));
    }
}
