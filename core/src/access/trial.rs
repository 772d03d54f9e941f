//! One condition tried by hand on a context given as JSON: what `stk permissions test-cel` asks. It serves no request.

use cel::Value as CelValue;
use chrono::DateTime;
use serde_json::{Map, Value as Json};

use super::{
    cel::{Expression, ExpressionError, Scope},
    decide::{cel_value, map},
};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// It admits.
    True,
    /// It does not.
    False,
    /// It is neither true nor false, or could not be evaluated: it denies. The words are the evaluator's.
    Neither(String),
}

/// Evaluates a condition with `request`, `resource` and `path` of the context; which of them there are says what the condition may
/// name. `request.now`, and any text in `times` of the resource, is a point in time where it is RFC 3339.
pub fn condition(source: &str, context: &Map<String, Json>, times: &[&str]) -> Result<Trial, ExpressionError> {
    let scope = match (context.contains_key("resource"), context.contains_key("path")) {
        (true, _) => Scope::Row,
        (false, true) => Scope::Object,
        (false, false) => Scope::Call,
    };
    let expression = Expression::parse(source, scope)?;
    let object = |name: &str, times: &[&str]| {
        let fields = context.get(name).and_then(Json::as_object).into_iter().flatten();
        map(fields.map(|(name, json)| (name.as_str(), value(json, times.contains(&name.as_str())))))
    };
    let variables = [
        ("request", object("request", &["now"])),
        ("resource", object("resource", times)),
        ("path", object("path", &[])),
    ];
    Ok(match expression.evaluate(variables) {
        Ok(CelValue::Bool(true)) => Trial::True,
        Ok(CelValue::Bool(false)) => Trial::False,
        Ok(_) => Trial::Neither("it is neither true nor false".to_owned()),
        Err(message) => Trial::Neither(message),
    })
}

fn value(json: &Json, is_time: bool) -> CelValue {
    match json {
        Json::String(text) if is_time => {
            DateTime::parse_from_rfc3339(text).map_or_else(|_| cel_value(json), CelValue::Timestamp)
        }
        json => cel_value(json),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tried(source: &str, context: Json) -> Result<Trial, ExpressionError> {
        let Json::Object(context) = context else { panic!("an object") };
        condition(source, &context, &["at"])
    }

    #[test]
    fn a_condition_is_tried_on_what_the_context_has() {
        let context = json!({
            "request": {"auth": {"sub": "u1", "roles": ["clerk"]}, "now": "2026-01-31T08:00:00Z"},
            "resource": {"owner": "u1", "at": "2026-01-31T07:59:59.5Z", "n": null},
        });
        for (source, expected) in [
            ("resource.owner == request.auth.sub", Trial::True),
            ("resource.owner == 'u2'", Trial::False),
            ("resource.at < request.now && 'clerk' in request.auth.roles", Trial::True),
        ] {
            assert_eq!(tried(source, context.clone()).unwrap(), expected, "{source}");
        }
        assert!(matches!(tried("resource.n < 1", context.clone()).unwrap(), Trial::Neither(_)));
        assert!(tried("path.user == 'a'", context).is_err());
        assert!(tried("resource.owner == 'a'", json!({"request": {}})).is_err());
        assert_eq!(tried("path.user == 'a'", json!({"path": {"user": "a"}})).unwrap(), Trial::True);
    }
}
