//! Whether what a guest does now is what it did when it was recorded.

use std::fmt::Write;

use serde_json::Value as Json;

use super::{piece::structured, placeholder::HIDDEN};

/// Where the two differ first, as a path such as `params[0]`, with what stands there; none where they do not.
pub(crate) fn difference(recorded: &Json, now: &Json) -> Option<Difference> {
    let mut path = String::new();
    at(recorded, now, &mut path)
}

/// A place where two values differ.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Where, from the outermost to the innermost; empty for the whole.
    pub path: String,
    /// What was recorded there; none where there was nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Json>,
    /// What stands there now; none where there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Json>,
}

fn at(recorded: &Json, now: &Json, path: &mut String) -> Option<Difference> {
    let differ = |path: &String, recorded: Option<&Json>, now: Option<&Json>| {
        Some(Difference { path: path.clone(), recorded: recorded.cloned(), now: now.cloned() })
    };
    match (recorded, now) {
        (Json::String(text), _) if text == HIDDEN => None,
        (Json::String(text), Json::String(other)) => {
            if is_like(text, other) {
                return None;
            }
            // JSON within a text, in another spelling or of which a part is hidden.
            match (structured(text.as_bytes()), structured(other.as_bytes())) {
                (Some(one), Some(other)) => at(&one, &other, path),
                _ => differ(path, Some(recorded), Some(now)),
            }
        }
        (Json::Array(items), Json::Array(others)) => {
            for index in 0..items.len().max(others.len()) {
                let length = path.len();
                let _ = write!(path, "[{index}]");
                let found = match (items.get(index), others.get(index)) {
                    (Some(one), Some(other)) => at(one, other, path),
                    (one, other) => differ(path, one, other),
                };
                if found.is_some() {
                    return found;
                }
                path.truncate(length);
            }
            None
        }
        (Json::Object(map), Json::Object(others)) => {
            let more = others.keys().filter(|name| !map.contains_key(*name));
            for name in map.keys().chain(more) {
                let length = path.len();
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
                let found = match (map.get(name), others.get(name)) {
                    (Some(one), Some(other)) => at(one, other, path),
                    (one, other) => differ(path, one, other),
                };
                if found.is_some() {
                    return found;
                }
                path.truncate(length);
            }
            None
        }
        _ if recorded == now => None,
        _ => differ(path, Some(recorded), Some(now)),
    }
}

/// Whether a text is a recorded one, of which parts may be hidden.
fn is_like(recorded: &str, now: &str) -> bool {
    let mut parts = recorded.split(HIDDEN);
    let Some(mut rest) = parts.next().and_then(|first| now.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_place_is_told() {
        let found = |one: Json, other: Json| difference(&one, &other).map(|found| found.path);
        assert_eq!(found(json!({"sql": "a", "params": [1, 2]}), json!({"params": [1, 2], "sql": "a"})), None);
        assert_eq!(found(json!({"params": [1, 2]}), json!({"params": [1, 3]})).as_deref(), Some("params[1]"));
        assert_eq!(found(json!({"a": {"b": 1}}), json!({"a": {}})).as_deref(), Some("a.b"));
        assert_eq!(found(json!({"a": {}}), json!({"a": {"b": 1}})).as_deref(), Some("a.b"));
        assert_eq!(found(json!([1]), json!([1, 2])).as_deref(), Some("[1]"));
        assert_eq!(found(json!(1), json!(1.0)).as_deref(), Some(""));
        assert_eq!(found(json!(["{\"a\": 1}"]), json!(["{\"a\":1}"])), None, "JSON within a text");
        assert_eq!(found(json!(["{\"a\": 1}"]), json!(["{\"a\":2}"])).as_deref(), Some("[0].a"));
    }

    #[test]
    fn what_is_hidden_is_not_compared_and_what_stands_around_it_is() {
        assert_eq!(difference(&json!(HIDDEN), &json!(7)), None);
        let like = |recorded: &str, now: &str| difference(&json!(recorded), &json!(now)).is_none();
        assert!(like("Bearer [hidden]", "Bearer x") && !like("Bearer [hidden]", "Basic x"));
        assert!(like("a[hidden]b[hidden]c", "a1b2c") && !like("a[hidden]b[hidden]c", "a12c"));
        assert!(like("[hidden]x", "xx") && !like("x[hidden]y", "x") && like("", "") && !like("", "a"));
    }
}
