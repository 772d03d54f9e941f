//! What is expected against what was got: every place that differs, named as a path.

use santokit_core::project::test_file::Matcher;
use serde_json::{Map, Value as Json, json};

/// A place that differs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// `answer.items[2].price`.
    pub(super) path: String,
    /// None is nothing there.
    pub(super) expected: Option<Json>,
    /// None is nothing there.
    pub(super) got: Option<Json>,
}

impl Difference {
    pub(super) fn new(path: impl Into<String>, expected: Option<Json>, got: Option<Json>) -> Self {
        Self { path: path.into(), expected, got }
    }
}

/// Adds every place below `path` that differs.
pub(super) fn compare(path: &str, expected: &Matcher, got: &Json, all: &mut Vec<Difference>) {
    match (expected, got) {
        (Matcher::Any, _) => {}
        (Matcher::Exactly(expected), got) => exactly(path, expected, got, all),
        (Matcher::Contains(part), Json::String(text)) if text.contains(part) => {}
        (Matcher::Partial(expected), Json::Object(got)) => members(path, expected, got, false, all),
        (Matcher::Map(expected), Json::Object(got)) => members(path, expected, got, true, all),
        (Matcher::List(expected), Json::Array(got)) => {
            for (index, pair) in pairs(expected, got).enumerate() {
                let path = format!("{path}[{index}]");
                match pair {
                    (Some(expected), Some(got)) => compare(&path, expected, got, all),
                    (expected, got) => all.push(Difference::new(path, expected.map(shown), got.cloned())),
                }
            }
        }
        (expected, got) => all.push(Difference::new(path, Some(shown(expected)), Some(got.clone()))),
    }
}

fn members(
    path: &str,
    expected: &[(String, Matcher)],
    got: &Map<String, Json>,
    is_whole: bool,
    all: &mut Vec<Difference>,
) {
    for (name, expected) in expected {
        let path = member(path, name);
        match got.get(name) {
            Some(got) => compare(&path, expected, got, all),
            None => all.push(Difference::new(path, Some(shown(expected)), None)),
        }
    }
    if is_whole {
        let more = got.iter().filter(|(name, _)| !expected.iter().any(|(known, _)| known == *name));
        all.extend(more.map(|(name, got)| Difference::new(member(path, name), None, Some(got.clone()))));
    }
}

fn exactly(path: &str, expected: &Json, got: &Json, all: &mut Vec<Difference>) {
    match (expected, got) {
        (Json::Object(expected), Json::Object(got)) => {
            for (name, expected) in expected {
                let path = member(path, name);
                match got.get(name) {
                    Some(got) => exactly(&path, expected, got, all),
                    None => all.push(Difference::new(path, Some(expected.clone()), None)),
                }
            }
            let more = got.iter().filter(|(name, _)| !expected.contains_key(*name));
            all.extend(more.map(|(name, got)| Difference::new(member(path, name), None, Some(got.clone()))));
        }
        (Json::Array(expected), Json::Array(got)) => {
            for (index, pair) in pairs(expected, got).enumerate() {
                let path = format!("{path}[{index}]");
                match pair {
                    (Some(expected), Some(got)) => exactly(&path, expected, got, all),
                    (expected, got) => all.push(Difference::new(path, expected.cloned(), got.cloned())),
                }
            }
        }
        (Json::Number(a), Json::Number(b)) if same_number(a, b) => {}
        _ if expected == got => {}
        _ => all.push(Difference::new(path, Some(expected.clone()), Some(got.clone()))),
    }
}

/// JSON does not tell 1 from 1.0. Whole numbers are compared with all their digits.
fn same_number(a: &serde_json::Number, b: &serde_json::Number) -> bool {
    let whole = |n: &serde_json::Number| n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from));
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a.as_f64().is_some() && a.as_f64() == b.as_f64(),
    }
}

/// As far as the longer one.
fn pairs<'a, A, B>(a: &'a [A], b: &'a [B]) -> impl Iterator<Item = (Option<&'a A>, Option<&'a B>)> {
    (0..a.len().max(b.len())).map(|index| (a.get(index), b.get(index)))
}

fn member(path: &str, name: &str) -> String {
    let is_plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_plain { format!("{path}.{name}") } else { format!("{path}[{}]", json!(name)) }
}

/// As it stands in the file.
fn shown(matcher: &Matcher) -> Json {
    let members = |members: &[(String, Matcher)]| -> Json {
        Json::Object(members.iter().map(|(name, value)| (name.clone(), shown(value))).collect())
    };
    match matcher {
        Matcher::Exactly(value) => value.clone(),
        Matcher::Any => json!({"$any": true}),
        Matcher::Contains(text) => json!({"$contains": text}),
        Matcher::Partial(of) => json!({"$partial": members(of)}),
        Matcher::Map(of) => members(of),
        Matcher::List(items) => items.iter().map(shown).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(expected: &Matcher, got: &Json) -> Vec<String> {
        let mut all = Vec::new();
        compare("answer", expected, got, &mut all);
        all.into_iter().map(|difference| difference.path).collect()
    }

    #[test]
    fn every_place_that_differs_is_named() {
        let expected = Matcher::Exactly(json!({"a": [1, {"b": 2}], "c": null, "d e": 1}));
        assert_eq!(paths(&expected, &json!({"a": [1.0, {"b": 2}], "c": null, "d e": 1})), [""; 0]);
        let got = json!({"a": [2, {"b": "2"}, 3], "d e": 2, "f": 1});
        assert_eq!(
            paths(&expected, &got),
            ["answer.a[0]", "answer.a[1].b", "answer.a[2]", "answer.c", "answer[\"d e\"]", "answer.f"]
        );
    }

    #[test]
    fn large_numbers_are_compared_with_all_digits() {
        let expected = Matcher::Exactly(json!(9_007_199_254_740_993_u64));
        assert_eq!(paths(&expected, &json!(9_007_199_254_740_992_u64)), ["answer"]);
        assert_eq!(paths(&Matcher::Exactly(json!("1.20")), &json!("1.2")), ["answer"]);
    }

    #[test]
    fn matchers_stand_for_what_is_not_known_before() {
        let expected = Matcher::Partial(vec![
            ("id".to_owned(), Matcher::Any),
            ("text".to_owned(), Matcher::Contains("ell".to_owned())),
        ]);
        assert_eq!(paths(&expected, &json!({"id": 1, "text": "hello", "more": 1})), [""; 0]);
        assert_eq!(paths(&expected, &json!({"text": "bye"})), ["answer.id", "answer.text"]);
        assert_eq!(paths(&Matcher::List(vec![Matcher::Any]), &json!([1, 2])), ["answer[1]"]);
        assert_eq!(paths(&Matcher::Partial(Vec::new()), &json!([])), ["answer"]);
    }
}
