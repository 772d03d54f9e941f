//! Filters of subscriptions: CEL on an event's payload, within the bounds of every condition.

use std::collections::BTreeSet;

use cel::Value as CelValue;
use serde_json::{Map, Value as Json};

use super::{
    cel::{Expression, ExpressionError, Scope},
    decide::{cel_value, map},
};

/// Which events of a topic are given to a subscription.
#[derive(Clone, Debug)]
pub struct Filter {
    expression: Expression,
}

impl Filter {
    /// Reads and bounds it.
    pub fn parse(source: &str) -> Result<Self, ExpressionError> {
        Ok(Self { expression: Expression::parse(source, Scope::Event)? })
    }

    /// Names after `event.payload.`
    pub fn fields(&self) -> &BTreeSet<String> {
        &self.expression.uses().params
    }

    /// Whether it lets an event by. A field that it reads and that the payload does not have is null. The error is for operators: it can hold
    /// values of the payload.
    pub fn admits(&self, payload: &Map<String, Json>) -> Result<bool, String> {
        let absent = self.fields().iter().filter(|name| !payload.contains_key(*name));
        let absent = absent.map(|name| (name.as_str(), CelValue::Null));
        let present = payload.iter().map(|(name, json)| (name.as_str(), cel_value(json)));
        let payload = map(present.chain(absent));
        match self.expression.evaluate([("event", map([("payload", payload)]))])? {
            CelValue::Bool(admits) => Ok(admits),
            _ => Err("it is neither true nor false".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_filter_sees_the_payload_and_nothing_else() {
        let payload = json!({"kind": "big", "count": 3});
        let payload = payload.as_object().unwrap();
        for (source, expected) in [
            ("event.payload.kind == 'big'", Ok(true)),
            ("event.payload.count > 3", Ok(false)),
            ("event.payload.none == null", Ok(true)),
        ] {
            assert_eq!(Filter::parse(source).unwrap().admits(payload), expected, "{source}");
        }
        assert!(Filter::parse("event.payload.none > 1").unwrap().admits(payload).is_err());
        assert!(Filter::parse("event.payload.count").unwrap().admits(payload).is_err());
        for bad in ["event.id == ''", "request.now == null", "resource.a == 1", "env == ''", "event.payload.a ==", ""] {
            assert!(Filter::parse(bad).is_err(), "{bad}");
        }
    }
}
